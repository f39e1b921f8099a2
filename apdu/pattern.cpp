// SPDX-License-Identifier: Apache-2.0
// A line of a vector file: hex with placeholders.
#include <algorithm>
#include <charconv>

#include "apdu/trace.hpp"

namespace kilt::apdu {
namespace {

/// The longest APDU: header, extended Lc, 65535 bytes, extended Le.
constexpr std::size_t wire_max = 4 + 3 + 65535 + 2;
constexpr std::size_t pieces_max = 1000;
constexpr std::size_t header_size = 4;
constexpr std::size_t lc_offset = 4;
constexpr std::size_t nothing_ignored = static_cast<std::size_t>(-1);

Error bad(const std::string& why) {
  return {ErrorKind::bad_data, why};
}

/// N of {any:N}: decimal, 1..wire_max; 0 when it is none.
std::size_t count_in(std::string_view digits) {
  std::size_t count = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), count);
  if (error != std::errc{} || end != digits.data() + digits.size() || count > wire_max) return 0;
  return count;
}

/// Whether `field` is an Lc, short or extended, and exactly as many bytes.
bool is_body_with_lc(ByteView field) {
  if (field.size() >= 2 && field[0] != 0) return field[0] == field.size() - 1;
  return field.size() > 3 && be16(field[1], field[2]) == field.size() - 3;
}

}  // namespace

Status Pattern::add(Piece piece) {
  const bool literal = piece.kind == Piece::Kind::literal;
  if (literal) piece.length = piece.bytes.size();
  const std::size_t before = fixed_length(0, pieces_.size());
  if (before + piece.length > wire_max) return bad("more bytes than any APDU has");
  if (piece.variable()) {
    if (variable_ != pieces_.size()) return bad("a second {pin} or {any} in one line");
    if (piece.kind == Piece::Kind::pin && before < header_size) {
      return bad("{pin} before the end of the command's header");
    }
  } else if (variable_ == pieces_.size()) {
    ++variable_;
  }
  if (literal && !pieces_.empty() && pieces_.back().kind == Piece::Kind::literal) {
    append(pieces_.back().bytes, piece.bytes);
    pieces_.back().length += piece.length;
    if (variable_ > pieces_.size()) variable_ = pieces_.size();
    return {};
  }
  if (pieces_.size() == pieces_max) return bad("too many placeholders in one line");
  pieces_.push_back(std::move(piece));
  return {};
}

Status Pattern::add_placeholder(std::string_view name) {
  if (name == "pin") return add({Piece::Kind::pin, {}, 0});
  if (name == "any") return add({Piece::Kind::any, {}, 0});
  if (name.starts_with("any:") || name.starts_with("rnd:")) {
    const std::size_t count = count_in(name.substr(4));
    if (count == 0) return bad("{" + std::string(name) + "}: a number of bytes is expected");
    return add({Piece::Kind::any_of_length, {}, count});
  }
  return bad("unknown placeholder {" + std::string(name.substr(0, 20)) + "}");
}

Result<Pattern> Pattern::parse(std::string_view text) {
  Pattern pattern;
  std::size_t at = 0;
  while (at < text.size()) {
    const std::size_t brace = std::min(text.find('{', at), text.size());
    auto literal = from_hex(text.substr(at, brace - at));
    if (!literal) return bad("hex digits in pairs are expected");
    if (!literal->empty()) {
      auto added = pattern.add({Piece::Kind::literal, std::move(*literal), 0});
      if (!added) return added.take_error();
    }
    if (brace == text.size()) break;
    const std::size_t end = text.find('}', brace);
    if (end == std::string_view::npos) return bad("a placeholder without }");
    auto added = pattern.add_placeholder(text.substr(brace + 1, end - brace - 1));
    if (!added) return added.take_error();
    at = end + 1;
  }
  if (pattern.pieces_.empty()) return bad("an empty line of bytes");
  const auto first = text.find_first_not_of(" \t");
  const auto last = text.find_last_not_of(" \t");
  pattern.text_ = text.substr(first, last - first + 1);
  return pattern;
}

std::size_t Pattern::fixed_length(std::size_t first, std::size_t last) const {
  std::size_t length = 0;
  for (std::size_t i = first; i < last; ++i)
    length += pieces_[i].length;
  return length;
}

/// Whether pieces first..last, all of fixed length, are at the front of `bytes`. The literal byte
/// at offset `ignored` fits anything.
bool Pattern::fixed_match(ByteView bytes, std::size_t first, std::size_t last,
                          std::size_t ignored) const {
  std::size_t at = 0;
  for (std::size_t i = first; i < last; ++i) {
    const Bytes& literal = pieces_[i].bytes;
    for (std::size_t k = 0; k < literal.size(); ++k) {
      if (literal[k] != bytes[at + k] && at + k != ignored) return false;
    }
    at += pieces_[i].length;
  }
  return true;
}

/// {pin} covers bytes `at`..`end`: with its Lc right behind the header, else behind an Lc that
/// must count the body, with or without an Le after it.
bool Pattern::matches_pin_body(ByteView bytes, std::size_t at, std::size_t end) const {
  if (at == header_size) return is_body_with_lc(bytes.subspan(at, end - at));
  const std::size_t counted = bytes.size() - lc_offset - 1;
  const std::size_t lc = bytes[lc_offset];
  return lc != 0 && (lc == counted || (lc + 1 == counted && end + 1 == bytes.size()));
}

bool Pattern::matches(ByteView bytes) const {
  const bool is_variable = variable_ < pieces_.size();
  const std::size_t front = fixed_length(0, variable_);
  const std::size_t back = is_variable ? fixed_length(variable_ + 1, pieces_.size()) : 0;
  if (is_variable ? bytes.size() < front + back : bytes.size() != front) return false;

  const bool is_pin = is_variable && pieces_[variable_].kind == Piece::Kind::pin;
  if (!fixed_match(bytes, 0, variable_, is_pin ? lc_offset : nothing_ignored)) return false;
  if (!is_variable) return true;
  const std::size_t end = bytes.size() - back;
  if (is_pin && !matches_pin_body(bytes, front, end)) return false;
  return fixed_match(bytes.subspan(end), variable_ + 1, pieces_.size(), nothing_ignored);
}

Result<Bytes> Pattern::fill(ByteView pin) const {
  Bytes filled;
  for (const Piece& piece : pieces_) {
    switch (piece.kind) {
      case Piece::Kind::literal:
        append(filled, piece.bytes);
        break;
      case Piece::Kind::any_of_length:
        filled.resize(filled.size() + piece.length);
        break;
      case Piece::Kind::any:
        return bad("{any} stands for no certain number of bytes");
      case Piece::Kind::pin:
        if (pin.empty()) return bad("{pin} needs a PIN");
        if (pin.size() > 65535) return bad("{pin} is longer than any APDU");
        if (filled.size() == header_size) {
          if (pin.size() <= 255) {
            filled.push_back(static_cast<std::uint8_t>(pin.size()));
          } else {
            filled.push_back(0);
            append_be16(filled, pin.size());
          }
        }
        append(filled, pin);
        break;
    }
  }
  const bool has_pin = variable_ < pieces_.size() && pieces_[variable_].kind == Piece::Kind::pin;
  if (has_pin && fixed_length(0, variable_) > header_size) {
    // One byte behind the PIN is Le; more of them belong to the body.
    const std::size_t behind = fixed_length(variable_ + 1, pieces_.size());
    const std::size_t lc = filled.size() - lc_offset - 1 - (behind == 1 ? 1 : 0);
    if (lc > 255) return bad("{pin} makes the body longer than 255 bytes");
    filled[lc_offset] = static_cast<std::uint8_t>(lc);
  }
  return filled;
}

}  // namespace kilt::apdu
