// SPDX-License-Identifier: Apache-2.0
// Small things about text that people read: what came from a card or a file is never trusted with
// their terminal.
#pragma once

#include <cstdint>
#include <ctime>
#include <optional>
#include <string>
#include <string_view>

namespace kilt::cli {

/// Text of foreign origin for a terminal: control characters and bytes that are no UTF-8 become
/// \xNN, so that a label cannot move the cursor or hide a line.
[[nodiscard]] std::string printable(std::string_view foreign);

/// Whether `text` is UTF-8 throughout [RFC 3629 §4].
[[nodiscard]] bool is_utf8(std::string_view text);

/// `text` with a full stop at its end, unless it has one: what libraries say often has.
[[nodiscard]] std::string sentence(std::string text);

/// "2026-11-22T04:11:00Z" as seconds since 1970; empty when it is not of this form.
[[nodiscard]] std::optional<std::time_t> from_iso_time(const std::string& text);
/// "expires in 12 days", "expired 3 days ago", "expires within a day", "not valid for another 2
/// days".
[[nodiscard]] std::string validity(std::time_t now, std::time_t not_before, std::time_t not_after);
/// Whole days from `now` to `then`, rounded towards the past: negative when it is over.
[[nodiscard]] std::int64_t days_until(std::time_t now, std::time_t then);

}  // namespace kilt::cli
