// SPDX-License-Identifier: Apache-2.0
#include "pkcs11/entry.hpp"

namespace kilt::p11 {

// A log is a help: for want of memory a line is left out, not the call.
void log_call(Called called, CK_SESSION_HANDLE session, Arguments arguments) noexcept try {
  std::string text = called.name;
  const char* before = ": ";
  if (session != CK_INVALID_HANDLE) {
    text += before + Argument("session", session).given();
    before = ", ";
  }
  for (const Argument& argument : arguments) {
    const std::string given = argument.given();
    if (given.empty()) continue;
    text += before + given;
    before = ", ";
  }
  log(LogLevel::debug, text);
} catch (...) {
}

void log_return(Called called, CK_RV rv, Arguments arguments) noexcept try {
  std::string text = std::string(called.name) + " = " + name_of_code(rv);
  const char* before = ": ";
  for (const Argument& argument : arguments) {
    const std::string answered = argument.answered(rv);
    if (answered.empty()) continue;
    text += before + answered;
    before = ", ";
  }
  log(LogLevel::debug, text);
} catch (...) {
}

}  // namespace kilt::p11
