// SPDX-License-Identifier: Apache-2.0
// Internal ("RSF") files: what the property bytes of tag 85 say, where the card puts such a file,
// and how a key is written in one [facts kaztoken §3.4].
#pragma once

#include <optional>

#include "firmware-sim/crypto.hpp"
#include "firmware-sim/filesystem.hpp"

namespace kilt::sim::kaztoken {

enum class RsfKind : std::uint8_t {
  global_pin = 0x01,
  gost_private = 0x03,
  gost_public = 0x13,
  rsa_private = 0x23,
  rsa_public = 0x33,
};

struct RsfProperty {
  RsfKind kind{};
  std::uint8_t min_length = 0;  ///< PIN
  std::uint8_t max_tries = 0;   ///< PIN
  std::uint8_t tries_left = 0;  ///< PIN

  static constexpr std::size_t size = 6;
  /// Empty: a kind or a parameter that this chip does not have.
  static std::optional<RsfProperty> parse(ByteView bytes);
  [[nodiscard]] bool is_pin() const { return kind == RsfKind::global_pin; }
};

/// Whether a file of this kind can have this size (tag 80).
[[nodiscard]] bool fits(RsfKind kind, std::size_t size);
/// The DF that a file of this kind lives in, whatever DF is current when it is made.
[[nodiscard]] FilePath home_of(RsfKind kind);
[[nodiscard]] FilePath private_keys();
[[nodiscard]] FilePath public_keys();

/// Modulus length in bytes of a private or public RSA file of this size.
[[nodiscard]] std::size_t rsa_size(RsfKind kind, std::size_t file_size);

// The values inside, all little-endian.
[[nodiscard]] Bytes rsa_private_value(const RsaKey& key);
[[nodiscard]] Bytes rsa_public_value(const RsaKey& key);
[[nodiscard]] Result<RsaKey> rsa_key_of(ByteView private_value);
[[nodiscard]] Bytes gost_private_value(const GostKey& key);
[[nodiscard]] Bytes gost_public_value(const GostKey& key);

/// Whether the value that is loaded into a file of this kind is such a key. bad_data if not.
[[nodiscard]] Status check_value(RsfKind kind, ByteView value);

}  // namespace kilt::sim::kaztoken
