// SPDX-License-Identifier: Apache-2.0
#include "drivers/der_values.hpp"

#include <algorithm>
#include <limits>

namespace kilt::card::der {
namespace {

constexpr std::uint64_t largest = std::numeric_limits<std::uint64_t>::max();

void append_base128(Bytes& to, std::uint64_t value) {
  Bytes digits;
  do {
    digits.push_back(static_cast<std::uint8_t>((value & 0x7F) | (digits.empty() ? 0 : 0x80)));
    value >>= 7;
  } while (value != 0);
  append(to, reversed(digits));
}

/// One arc of dotted text, without leading zeros; advances behind it and its dot.
std::optional<std::uint64_t> take_arc(std::string_view& text) {
  const std::size_t end = std::min(text.find('.'), text.size());
  const std::string_view digits = text.substr(0, end);
  if (digits.empty() || digits.size() > 20 || (digits.size() > 1 && digits[0] == '0')) {
    return std::nullopt;
  }
  std::uint64_t value = 0;
  for (const char c : digits) {
    if (c < '0' || c > '9') return std::nullopt;
    const auto digit = static_cast<std::uint64_t>(c - '0');
    if (value > (largest - digit) / 10) return std::nullopt;
    value = value * 10 + digit;
  }
  const bool dot_at_end = end + 1 == text.size();
  if (dot_at_end) return std::nullopt;
  text.remove_prefix(std::min(end + 1, text.size()));
  return value;
}

std::optional<int> two_digits(ByteView text, std::size_t at) {
  const auto tens = text[at];
  const auto ones = text[at + 1];
  if (tens < '0' || tens > '9' || ones < '0' || ones > '9') return std::nullopt;
  return (tens - '0') * 10 + (ones - '0');
}

int days_of(int year, int month) {
  if (month == 2) return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0 ? 29 : 28;
  return month == 4 || month == 6 || month == 9 || month == 11 ? 30 : 31;
}

}  // namespace

std::optional<std::string> oid_to_text(ByteView content) {
  if (content.empty() || (content.back() & 0x80) != 0) return std::nullopt;
  std::string text;
  std::uint64_t arc = 0;
  bool first_octet = true;
  for (const auto octet : content) {
    if (first_octet && octet == 0x80) return std::nullopt;  // not minimal [X.690 §8.19.2]
    if (arc > (largest >> 7)) return std::nullopt;
    arc = arc << 7 | (octet & 0x7F);
    first_octet = (octet & 0x80) == 0;
    if (!first_octet) continue;
    if (text.empty()) {
      const std::uint64_t root = std::min<std::uint64_t>(arc / 40, 2);
      text = std::to_string(root) + "." + std::to_string(arc - 40 * root);
    } else {
      text += "." + std::to_string(arc);
    }
    arc = 0;
  }
  return text;
}

std::optional<Bytes> oid_from_text(std::string_view dotted) {
  const auto root = take_arc(dotted);
  if (!root || *root > 2 || dotted.empty()) return std::nullopt;
  const auto second = take_arc(dotted);
  if (!second || (*root < 2 && *second > 39) || *second > largest - 80) return std::nullopt;
  Bytes content;
  append_base128(content, 40 * *root + *second);
  while (!dotted.empty()) {
    const auto arc = take_arc(dotted);
    if (!arc) return std::nullopt;
    append_base128(content, *arc);
  }
  return content;
}

std::optional<Bytes> unsigned_from_integer(ByteView content) {
  if (content.empty() || (content[0] & 0x80) != 0) return std::nullopt;
  if (content[0] != 0) return copy_of(content);
  if (content.size() > 1 && (content[1] & 0x80) == 0) return std::nullopt;
  return copy_of(content.subspan(1));
}

Bytes integer_from_unsigned(ByteView number) {
  while (!number.empty() && number[0] == 0)
    number = number.subspan(1);
  Bytes content;
  if (number.empty() || (number[0] & 0x80) != 0) content.push_back(0x00);
  append(content, number);
  return content;
}

std::optional<ByteView> whole_octets(ByteView content) {
  if (content.empty() || content[0] != 0) return std::nullopt;
  return content.subspan(1);
}

std::optional<std::string> time_to_text(const apdu::Tlv& object) {
  const bool is_short = object.tag == utc_time;
  if (!is_short && object.tag != generalized_time) return std::nullopt;
  const ByteView text = object.value;
  if (text.size() != (is_short ? 13 : 15) || text.back() != 'Z') return std::nullopt;
  int fields[7];  // century, year, month, day, hour, minute, second
  const std::size_t first = is_short ? 1 : 0;
  for (std::size_t i = first; i < 7; ++i) {
    const auto field = two_digits(text, 2 * (i - first));
    if (!field) return std::nullopt;
    fields[i] = *field;
  }
  if (is_short) fields[0] = fields[1] >= 50 ? 19 : 20;
  const int year = fields[0] * 100 + fields[1];
  if (fields[2] < 1 || fields[2] > 12 || fields[3] < 1 || fields[3] > days_of(year, fields[2]) ||
      fields[4] > 23 || fields[5] > 59 || fields[6] > 59) {
    return std::nullopt;
  }
  std::string out;
  const char* separators[] = {"", "", "-", "-", "T", ":", ":"};
  for (std::size_t i = 0; i < 7; ++i) {
    out += separators[i];
    out += static_cast<char>('0' + fields[i] / 10);
    out += static_cast<char>('0' + fields[i] % 10);
  }
  return out + "Z";
}

bool has_minimal_length(const apdu::Tlv& object) {
  return apdu::BerWriter().put(object.tag, object.value).bytes().size() == object.whole.size();
}

}  // namespace kilt::card::der
