// SPDX-License-Identifier: Apache-2.0
// The container map that Windows' smart card software reads: one record of 90 bytes per key
// [facts jacarta A11, A16 #23, #35-#37]. Pure functions.
#pragma once

#include <optional>

#include "apdu/bytes.hpp"

namespace kilt::card::jacarta {

inline constexpr std::size_t container_record_size = 90;

/// One key's record, always an exchange key.
struct Container {
  Bytes id;              ///< CKA_ID, of which the name is made
  std::size_t bits = 0;  ///< of the key
  bool is_default = false;
};
[[nodiscard]] Bytes encode(const Container& container);

/// The name as characters of one byte each: an id's bytes, altered where they cannot be characters,
/// then what was cut off. Not reversible.
[[nodiscard]] Bytes container_name(ByteView id);

/// The records of a map's value.
class ContainerMap {
 public:
  ContainerMap() = default;
  explicit ContainerMap(Bytes value);

  [[nodiscard]] bool has(std::size_t index) const;
  [[nodiscard]] bool is_default(std::size_t index) const;
  [[nodiscard]] bool has_default() const;
  void set(std::size_t index, const Container& container);
  void set_default(std::size_t index);
  void clear(std::size_t index);
  /// At least 5 records, and one more than the highest that is in use [facts jacarta A16 #23].
  /// Keeps a length of at least that.
  [[nodiscard]] Bytes value() const;

 private:
  std::uint8_t& flags(std::size_t index);
  Bytes records_;
};

}  // namespace kilt::card::jacarta
