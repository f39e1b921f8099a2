// SPDX-License-Identifier: Apache-2.0
// BER-TLV [7816-4 §5.2.2, X.690] and SIMPLE-TLV [7816-4 §5.2.1]: readers that trust nothing, and
// writers. A reader borrows the bytes it reads; they must outlive it.
#pragma once

#include <cstdint>

#include "apdu/bytes.hpp"
#include "apdu/result.hpp"

namespace kilt::apdu {

/// One data object. `tag` holds the tag bytes as written, most significant first: 0x30, 0x9F65.
struct Tlv {
  std::uint32_t tag = 0;
  ByteView value{};  ///< content only
  ByteView whole{};  ///< tag, length and content, as read

  [[nodiscard]] bool constructed() const;
};

/// Reads BER-TLV (definite lengths, tags up to 3 bytes, lengths up to 3 bytes; every error is
/// ErrorKind::protocol). A structure that must end where its last known field ends is closed with
/// finish(); one that may be extended, with skip_rest(): leaving bytes unread is a decision.
class BerReader {
 public:
  explicit BerReader(ByteView bytes, int depth = 0);
  BerReader(const BerReader&) = delete;
  BerReader& operator=(const BerReader&) = delete;
  BerReader(BerReader&& other) noexcept = default;
  BerReader& operator=(BerReader&&) = delete;

  static constexpr int max_depth = 16;

  [[nodiscard]] bool done() const { return rest_.empty(); }
  [[nodiscard]] ByteView rest() const { return rest_; }
  /// The tag of the next object, 0 at the end or when it cannot be read.
  [[nodiscard]] std::uint32_t peek() const;
  Result<Tlv> next();
  /// The next object, which must have this tag; the error names both tags.
  Result<Tlv> expect(std::uint32_t tag);
  /// The next object if it has this tag; nothing is consumed otherwise.
  Result<std::optional<Tlv>> optional(std::uint32_t tag);
  /// A reader over the content of the next object, which must have this tag.
  Result<BerReader> enter(std::uint32_t tag);
  void skip_rest() { rest_ = {}; }
  /// Error when something is left: for structures that must end here.
  Status finish();

 private:
  ByteView rest_;
  int depth_;
};

/// First object with this tag among the top-level objects of `bytes`; empty view optional if none
/// or if the bytes cannot be read up to it.
[[nodiscard]] std::optional<ByteView> find_tag(ByteView bytes, std::uint32_t tag);

/// Builds BER-TLV with minimal definite lengths (DER).
class BerWriter {
 public:
  BerWriter& put(std::uint32_t tag, ByteView value);
  BerWriter& put(std::uint32_t tag, std::initializer_list<std::uint8_t> value);
  /// An object whose content is what `inner` holds.
  BerWriter& put(std::uint32_t tag, const BerWriter& inner) { return put(tag, inner.bytes()); }
  BerWriter& raw(ByteView encoded);
  [[nodiscard]] const Bytes& bytes() const& { return bytes_; }
  [[nodiscard]] Bytes bytes() && { return std::move(bytes_); }

 private:
  Bytes bytes_;
};

/// SIMPLE-TLV: one tag byte (01..FE), one length byte or FF and two bytes, most significant first.
Result<Tlv> read_simple_tlv(ByteView& rest);
void append_simple_tlv(Bytes& to, std::uint8_t tag, ByteView value);

}  // namespace kilt::apdu
