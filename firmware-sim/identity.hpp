// SPDX-License-Identifier: Apache-2.0
// Which card an NVRAM holds. The cell is written last when a card is personalised, so a state
// without it is a card that never left the factory, and is made anew.
#pragma once

#include <optional>
#include <string>

#include "apdu/bytes.hpp"
#include "firmware-sim/nvram.hpp"

namespace kilt::sim {

struct Identity {
  std::string profile;
  Bytes atr;
  std::string serial;  ///< hex digits, upper case, as printed on the device

  /// Empty: no card, or one whose personalisation was cut off.
  [[nodiscard]] static std::optional<Identity> load(const Nvram& nvram);
  void store(Nvram& nvram) const;
};

/// Upper case, at least eight digits.
[[nodiscard]] std::string normal_serial(const std::string& digits);

/// How often a card was powered up on this NVRAM with a deterministic seed, counted up by one. It
/// goes into the seed, so that a card kept across runs does not make the same key twice.
[[nodiscard]] std::uint32_t count_start(Nvram& nvram);

}  // namespace kilt::sim
