// SPDX-License-Identifier: Apache-2.0
#include "apdu/tlv.hpp"

#include <cassert>
#include <cstdio>
#include <utility>

namespace kilt::apdu {
namespace {

constexpr std::size_t longest_tag = 3;
constexpr std::size_t longest_length_field = 3;

Error broken(const char* why) {
  return {ErrorKind::protocol, std::string("BER-TLV: ") + why};
}

std::string tag_text(std::uint32_t tag) {
  char text[12];
  std::snprintf(text, sizeof text, "%02X", tag);
  return text;
}

/// Tag bytes at the front of `bytes` [7816-4 §5.2.2.1]; 0 bytes when they are cut off or too many.
std::size_t tag_length(ByteView bytes) {
  if (bytes.empty()) return 0;
  if ((bytes[0] & 0x1F) != 0x1F) return 1;
  for (std::size_t i = 1; i < bytes.size() && i < longest_tag; ++i) {
    if ((bytes[i] & 0x80) == 0) return i + 1;
  }
  return 0;
}

std::uint32_t tag_value(ByteView tag) {
  std::uint32_t value = 0;
  for (auto byte : tag)
    value = value << 8 | byte;
  return value;
}

struct LengthField {
  std::size_t size;
  std::size_t value;
};

std::optional<LengthField> length_field(ByteView bytes) {
  if (bytes.empty()) return std::nullopt;
  if (bytes[0] < 0x80) return LengthField{1, bytes[0]};
  const std::size_t count = bytes[0] & 0x7F;
  if (count == 0 || count > longest_length_field || bytes.size() < 1 + count) return std::nullopt;
  std::size_t value = 0;
  for (auto byte : bytes.subspan(1, count))
    value = value << 8 | byte;
  return LengthField{1 + count, value};
}

}  // namespace

bool Tlv::constructed() const {
  return !whole.empty() && (whole[0] & 0x20) != 0;
}

BerReader::BerReader(ByteView bytes, int depth) : rest_(bytes), depth_(depth) {}

std::uint32_t BerReader::peek() const {
  const std::size_t length = tag_length(rest_);
  return length == 0 ? 0 : tag_value(rest_.first(length));
}

Result<Tlv> BerReader::next() {
  const std::size_t tag_size = tag_length(rest_);
  if (tag_size == 0) {
    return broken(rest_.empty() ? "an object is missing" : "a tag is cut off or too long");
  }
  const auto length = length_field(rest_.subspan(tag_size));
  if (!length) {
    return broken("a length is cut off, indefinite or too long");
  }
  const std::size_t start = tag_size + length->size;
  if (length->value > rest_.size() - start) {
    return broken("an object is longer than what holds it");
  }
  Tlv object{tag_value(rest_.first(tag_size)), rest_.subspan(start, length->value),
             rest_.first(start + length->value)};
  rest_ = rest_.subspan(object.whole.size());
  return object;
}

Result<Tlv> BerReader::expect(std::uint32_t tag) {
  if (!rest_.empty() && peek() != tag) {
    return broken(("tag " + tag_text(tag) + " expected, " + tag_text(peek()) + " found").c_str());
  }
  return next();
}

Result<std::optional<Tlv>> BerReader::optional(std::uint32_t tag) {
  if (rest_.empty() || peek() != tag) return std::optional<Tlv>{};
  auto object = next();
  if (!object) return object.take_error();
  return std::optional<Tlv>{*object};
}

Result<BerReader> BerReader::enter(std::uint32_t tag) {
  if (depth_ + 1 > max_depth) {
    return broken("nested too deep");
  }
  auto object = expect(tag);
  if (!object) return object.take_error();
  return BerReader(object->value, depth_ + 1);
}

Status BerReader::finish() {
  if (rest_.empty()) return {};
  return broken("bytes after the last object");
}

std::optional<ByteView> find_tag(ByteView bytes, std::uint32_t tag) {
  BerReader reader(bytes);
  while (!reader.done()) {
    auto object = reader.next();
    if (!object) return std::nullopt;
    if (object->tag == tag) {
      reader.skip_rest();
      return object->value;
    }
  }
  return std::nullopt;
}

BerWriter& BerWriter::put(std::uint32_t tag, ByteView value) {
  for (int shift = 16; shift >= 0; shift -= 8) {
    const auto byte = static_cast<std::uint8_t>(tag >> shift);
    if (byte != 0 || shift == 0) bytes_.push_back(byte);
  }
  const std::size_t length = value.size();
  if (length < 0x80) {
    bytes_.push_back(static_cast<std::uint8_t>(length));
  } else if (length <= 0xFF) {
    append(bytes_, {0x81, static_cast<std::uint8_t>(length)});
  } else if (length <= 0xFFFF) {
    bytes_.push_back(0x82);
    append_be16(bytes_, length);
  } else {
    assert(length <= 0xFFFFFF);
    append(bytes_, {0x83, static_cast<std::uint8_t>(length >> 16)});
    append_be16(bytes_, length & 0xFFFF);
  }
  append(bytes_, value);
  return *this;
}

BerWriter& BerWriter::put(std::uint32_t tag, std::initializer_list<std::uint8_t> value) {
  return put(tag, ByteView(value.begin(), value.size()));
}

BerWriter& BerWriter::raw(ByteView encoded) {
  append(bytes_, encoded);
  return *this;
}

Result<Tlv> read_simple_tlv(ByteView& rest) {
  const auto fail = [](const char* why) {
    return Error{ErrorKind::protocol, std::string("SIMPLE-TLV: ") + why};
  };
  if (rest.size() < 2) return fail("an object is cut off");
  if (rest[0] == 0x00 || rest[0] == 0xFF) return fail("00 and FF are no tags");
  std::size_t start = 2, length = rest[1];
  if (length == 0xFF) {
    if (rest.size() < 4) return fail("a length is cut off");
    start = 4;
    length = be16(rest[2], rest[3]);
  }
  if (length > rest.size() - start) return fail("an object is longer than what holds it");
  Tlv object{rest[0], rest.subspan(start, length), rest.first(start + length)};
  rest = rest.subspan(object.whole.size());
  return object;
}

void append_simple_tlv(Bytes& to, std::uint8_t tag, ByteView value) {
  to.push_back(tag);
  if (value.size() < 0xFF) {
    to.push_back(static_cast<std::uint8_t>(value.size()));
  } else {
    to.push_back(0xFF);
    append_be16(to, value.size());
  }
  append(to, value);
}

}  // namespace kilt::apdu
