// SPDX-License-Identifier: Apache-2.0
// Byte strings: plain, borrowed, and secret. Everything above the wire is built from these three.
#pragma once

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace kilt {

using Bytes = std::vector<std::uint8_t>;
using ByteView = std::span<const std::uint8_t>;

/// "00 A4" style text is accepted with any white space between the digits; upper or lower case.
/// Empty optional: an odd number of digits or a character that is no digit.
[[nodiscard]] std::optional<Bytes> from_hex(std::string_view text);
/// Upper case, no separators.
[[nodiscard]] std::string to_hex(ByteView bytes);

[[nodiscard]] inline ByteView as_bytes(std::string_view text) {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}
[[nodiscard]] inline std::string as_text(ByteView bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}
[[nodiscard]] inline Bytes copy_of(ByteView bytes) {
  return {bytes.begin(), bytes.end()};
}
[[nodiscard]] bool equal(ByteView a, ByteView b);
/// The same bytes, last first: how a little-endian card number becomes a big-endian one.
[[nodiscard]] Bytes reversed(ByteView bytes);

void append(Bytes& to, ByteView more);
void append(Bytes& to, std::initializer_list<std::uint8_t> more);
/// Two bytes, most significant first.
void append_be16(Bytes& to, std::size_t value);
[[nodiscard]] constexpr std::uint16_t be16(std::uint8_t high, std::uint8_t low) {
  return static_cast<std::uint16_t>(high << 8 | low);
}

/// A secret (PIN, private key value, derived key) from entry to wire.
///
/// Lives in memory pages of its own that are locked, left out of core dumps and not inherited by
/// a forked child (mlock, MADV_DONTDUMP, MADV_WIPEONFORK), and is wiped before it is given back.
/// Where RLIMIT_MEMLOCK is used up it works unlocked. Capacity is fixed, so no copy is ever left
/// behind by growth; appending beyond it throws std::length_error. Never printed, never compared
/// in variable time.
class SecretBytes {
 public:
  SecretBytes() = default;
  explicit SecretBytes(std::size_t capacity);
  /// A copy of `secret`; the caller still has to wipe the original.
  static SecretBytes copy_of(ByteView secret);
  SecretBytes(SecretBytes&& other) noexcept;
  SecretBytes& operator=(SecretBytes&& other) noexcept;
  SecretBytes(const SecretBytes&) = delete;
  SecretBytes& operator=(const SecretBytes&) = delete;
  ~SecretBytes();

  void append(ByteView more);
  void append(std::initializer_list<std::uint8_t> more);
  /// Shrinks, or grows with zeros up to the capacity.
  void resize(std::size_t size);
  void wipe();

  [[nodiscard]] std::uint8_t* data() { return data_; }
  [[nodiscard]] std::size_t size() const { return size_; }
  [[nodiscard]] std::size_t capacity() const { return capacity_; }
  [[nodiscard]] bool empty() const { return size_ == 0; }
  [[nodiscard]] ByteView view() const { return {data_, size_}; }
  [[nodiscard]] SecretBytes clone() const { return copy_of(view()); }
  /// In constant time for equal lengths.
  [[nodiscard]] bool equals(ByteView other) const;

 private:
  std::uint8_t* data_ = nullptr;
  std::size_t size_ = 0;
  std::size_t capacity_ = 0;
};

/// Overwrites memory in a way that the compiler may not leave out.
void wipe(std::span<std::uint8_t> memory);

}  // namespace kilt
