// SPDX-License-Identifier: Apache-2.0
#include "pkcs11/entry.hpp"

namespace kilt::p11 {

void log_call(Function function, CK_SESSION_HANDLE session, Arguments arguments) {
  std::string text = name_of(function);
  const char* before = ": ";
  if (session != CK_INVALID_HANDLE) {
    text += before + Argument("session", session).text();
    before = ", ";
  }
  for (const Argument& argument : arguments) {
    text += before + argument.text();
    before = ", ";
  }
  log(LogLevel::debug, text);
}

void log_return(Function function, CK_RV rv) {
  log(LogLevel::debug, std::string(name_of(function)) + " = " + name_of_code(rv));
}

}  // namespace kilt::p11
