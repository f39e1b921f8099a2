// SPDX-License-Identifier: Apache-2.0
// Who may do what with a file of the eToken applet: the eight bytes of tag 04 [facts etoken §5.3].
// That there are eight, that 00 is free and FF never, is public; which byte is which operation is
// assumed, and so is that other values are the P2 of LOGIN.
#pragma once

#include <array>
#include <optional>

#include "apdu/bytes.hpp"

namespace kilt::sim::etoken72k {

/// At most one is logged in. The value is the P2 of LOGIN [facts etoken §5.2].
enum class Role : std::uint8_t { nobody = 0x00, user = 0x11, so = 0x21 };

/// Index of the byte that decides it; assumed.
enum class Access : std::size_t {
  read = 0,
  write = 1,
  create_in = 2,
  remove = 3,
  use_key = 4,
  make_key = 5,  ///< generate or import
  administer = 6,
  list = 7,
};

class Acl {
 public:
  static constexpr std::size_t size = 8;
  static constexpr std::uint8_t free = 0x00;
  static constexpr std::uint8_t by_user = 0x11;
  static constexpr std::uint8_t by_so = 0x21;
  static constexpr std::uint8_t never = 0xFF;

  constexpr explicit Acl(const std::array<std::uint8_t, size>& bytes) : bytes_(bytes) {}
  /// Empty: not eight bytes, or a value that means nothing here.
  static std::optional<Acl> parse(ByteView bytes);
  [[nodiscard]] bool grants(Access access, Role role) const;
  /// Granted to whoever asks.
  [[nodiscard]] bool is_free(Access access) const;
  [[nodiscard]] Bytes bytes() const { return {bytes_.begin(), bytes_.end()}; }

 private:
  std::array<std::uint8_t, size> bytes_;
};

}  // namespace kilt::sim::etoken72k
