// SPDX-License-Identifier: Apache-2.0
// What each kind of error means to somebody at a terminal: the exit code, the PKCS#11 name, the
// reason as a sentence, and what to do next. One table.
#pragma once

#include <string_view>

#include "apdu/result.hpp"

namespace kilt::cli {

/// The program's exit codes, as cli/man/kilt.1 documents them. Never renumbered.
enum class ExitCode : int {
  ok = 0,
  failure = 1,
  usage = 2,
  no_service = 3,  ///< no service, or no permission to use it
  no_token = 4,    ///< no reader, no token, or it was taken out
  unsupported = 5,
  pin_refused = 6,  ///< wrong, of a length that cannot be right, or not sent
  pin_locked = 7,
  verification_failed = 8,
  partial = 9,  ///< a work of several steps was done in part
};

struct Explanation {
  ErrorKind kind;
  ExitCode exit;
  std::string_view ckr;     ///< what the PKCS#11 module answers for the same error
  std::string_view reason;  ///< a sentence without a full stop
  std::string_view hint;    ///< whole sentences
};

[[nodiscard]] const Explanation& explain(ErrorKind kind);
/// Of its kind. A card that calls a command or its data wrong (6700, 6A80) answers kilt, not the
/// person at the terminal, who made no mistake: that is explained as `protocol`.
[[nodiscard]] const Explanation& explain(const Error& error);

}  // namespace kilt::cli
