// SPDX-License-Identifier: Apache-2.0
// Who may do what: the 15 bytes of tag 86 [facts kaztoken §3.3].
#pragma once

#include <array>
#include <optional>

#include "apdu/bytes.hpp"

namespace kilt::sim::kaztoken {

/// At most one is logged in [facts kaztoken §3.5].
enum class Role : std::uint8_t { nobody = 0, so = 1, user = 2 };

/// A bit of byte 0; its condition stands in byte 1 + bit.
enum class Access : unsigned {
  create_file = 0,      ///< DF: create DF or EF
  read = 0,             ///< EF
  unblock = 0,          ///< PIN [facts kaztoken §10.1 #4]
  create_internal = 1,  ///< DF: create an internal EF
  update = 1,           ///< EF: update; key: load or generate a value; PIN: change
  use = 2,              ///< key
  remove = 6,
};

class SecurityAttributes {
 public:
  static constexpr std::size_t size = 15;
  /// Empty: not 15 bytes, a condition that does not exist, or a reserved byte in use.
  static std::optional<SecurityAttributes> parse(ByteView bytes);
  /// An access whose bit is not set is allowed to nobody.
  [[nodiscard]] bool grants(Access access, Role role) const;
  [[nodiscard]] Bytes bytes() const { return {bytes_.begin(), bytes_.end()}; }

 private:
  std::array<std::uint8_t, size> bytes_{};
};

/// From a file or PIN that this card made itself, so the bytes are known to be right.
[[nodiscard]] bool grants(ByteView attributes, Access access, Role role);

}  // namespace kilt::sim::kaztoken
