// SPDX-License-Identifier: Apache-2.0
#include "cli/text.hpp"

#include <fmt/format.h>

namespace kilt::cli {
namespace {

/// Length of the well-formed UTF-8 sequence [RFC 3629 §4] that `text` begins with; 0 if none.
std::size_t utf8_sequence(std::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char lead = byte(0);
  if (lead < 0x80) return 1;
  const std::size_t length = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2;
  if (lead < 0xC2 || lead > 0xF4 || text.size() < length) return 0;
  for (std::size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xC0) != 0x80) return 0;
  }
  const unsigned char second = byte(1);
  if (lead == 0xE0 && second < 0xA0) return 0;  // overlong
  if (lead == 0xED && second > 0x9F) return 0;  // surrogates
  if (lead == 0xF0 && second < 0x90) return 0;  // overlong
  if (lead == 0xF4 && second > 0x8F) return 0;  // beyond U+10FFFF
  return length;
}

/// C0, DEL, C1 and the marks that turn the direction of text around (U+202A.., U+2066..).
bool steers_terminal(std::string_view sequence) {
  const auto lead = static_cast<unsigned char>(sequence[0]);
  if (sequence.size() == 1) return lead < 0x20 || lead == 0x7F;
  if (sequence.size() == 2) return lead == 0xC2 && static_cast<unsigned char>(sequence[1]) < 0xA0;
  if (sequence.size() != 3 || lead != 0xE2) return false;
  const auto second = static_cast<unsigned char>(sequence[1]);
  const auto third = static_cast<unsigned char>(sequence[2]);
  return (second == 0x80 && (third >= 0xA8 && third <= 0xAE)) ||
         (second == 0x81 && third >= 0xA6 && third <= 0xA9);
}

}  // namespace

std::string printable(std::string_view foreign) {
  std::string text;
  while (!foreign.empty()) {
    const std::size_t length = utf8_sequence(foreign);
    const std::string_view piece = foreign.substr(0, length == 0 ? 1 : length);
    if (length != 0 && !steers_terminal(piece)) {
      text += piece;
    } else {
      for (const char c : piece)
        text += fmt::format("\\x{:02X}", static_cast<unsigned char>(c));
    }
    foreign.remove_prefix(piece.size());
  }
  return text;
}

bool is_utf8(std::string_view text) {
  while (!text.empty()) {
    const std::size_t length = utf8_sequence(text);
    if (length == 0) return false;
    text.remove_prefix(length);
  }
  return true;
}

std::string sentence(std::string text) {
  if (!text.ends_with('.')) text += '.';
  return text;
}

std::optional<std::time_t> from_iso_time(const std::string& text) {
  std::tm parts{};
  const char* end = strptime(text.c_str(), "%Y-%m-%dT%H:%M:%SZ", &parts);
  if (end == nullptr || *end != '\0') return std::nullopt;
  return timegm(&parts);
}

std::int64_t days_until(std::time_t now, std::time_t then) {
  constexpr std::int64_t day = 24 * 60 * 60;
  const std::int64_t seconds = static_cast<std::int64_t>(then) - static_cast<std::int64_t>(now);
  return seconds >= 0 ? seconds / day : -((-seconds + day - 1) / day);
}

std::string validity(std::time_t now, std::time_t not_before, std::time_t not_after) {
  const auto counted = [](std::int64_t days) {
    return fmt::format("{} day{}", days, days == 1 ? "" : "s");
  };
  if (now < not_before) {
    return fmt::format("not valid for another {}", counted(days_until(now, not_before)));
  }
  if (now > not_after) {
    const std::int64_t ago = days_until(not_after, now);
    return ago == 0 ? "expired within the last day" : fmt::format("expired {} ago", counted(ago));
  }
  const std::int64_t days = days_until(now, not_after);
  return days == 0 ? "expires within a day" : fmt::format("expires in {}", counted(days));
}

}  // namespace kilt::cli
