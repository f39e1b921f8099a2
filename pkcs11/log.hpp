// SPDX-License-Identifier: Apache-2.0
// The module's log: off unless KILT_LOG (or kilt.toml) asks for it, never a secret in it.
#pragma once

#include <string>
#include <string_view>

namespace kilt::p11 {

enum class LogLevel { off, error, warn, info, debug };

/// `spec`: LEVEL or LEVEL:FILE, with LEVEL error, warn, info or debug; without FILE it goes to
/// stderr. Empty: off. False (and off) for anything else, or when FILE cannot be opened (it is
/// appended to, mode 0600). Where the host closes FILE's descriptor, as daemons do with all of
/// them, the log ends: nothing is written to what has that number then.
bool open_log(std::string_view spec);
[[nodiscard]] bool logs(LogLevel level);
/// One line, written whole, so that threads and processes can share a file: time, process/thread,
/// level, text. Control characters become blanks.
void log(LogLevel level, std::string_view text);

}  // namespace kilt::p11
