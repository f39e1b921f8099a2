// SPDX-License-Identifier: Apache-2.0
// PINs with retry counters in NVRAM. The one rule that must never break: a try is spent in NVRAM
// before the comparison, and given back only after it succeeded, so that cutting the power in
// between gains nothing.
#pragma once

#include <cstdint>
#include <optional>

#include "apdu/bytes.hpp"
#include "firmware-sim/nvram.hpp"

namespace kilt::sim {

struct PinAttributes {
  std::uint8_t min_length = 0;
  std::uint8_t max_tries = 0;
  Bytes security{};  ///< the card's own
};

enum class PinCheck { correct, wrong, blocked, no_value };

class PinStore {
 public:
  static constexpr std::size_t max_length = 32;

  explicit PinStore(Nvram& nvram) : nvram_(nvram) {}

  [[nodiscard]] std::optional<PinAttributes> find(std::uint8_t reference) const;
  /// Without a value. There must be no PIN of this reference.
  void create(std::uint8_t reference, const PinAttributes& attributes, std::uint8_t tries_left);
  [[nodiscard]] bool has_value(std::uint8_t reference) const;
  void set_value(std::uint8_t reference, ByteView pin);
  [[nodiscard]] std::uint8_t tries_left(std::uint8_t reference) const;
  void reset_tries(std::uint8_t reference);
  PinCheck check(std::uint8_t reference, ByteView candidate);

 private:
  void set_tries(std::uint8_t reference, std::uint8_t left);
  Nvram& nvram_;
};

}  // namespace kilt::sim
