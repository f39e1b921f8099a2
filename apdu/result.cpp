// SPDX-License-Identifier: Apache-2.0
#include "apdu/result.hpp"

#include <cstdio>

namespace kilt {

const char* to_string(ErrorKind kind) {
  switch (kind) {
    case ErrorKind::no_service:
      return "no_service";
    case ErrorKind::no_permission:
      return "no_permission";
    case ErrorKind::no_reader:
      return "no_reader";
    case ErrorKind::no_card:
      return "no_card";
    case ErrorKind::removed:
      return "removed";
    case ErrorKind::busy:
      return "busy";
    case ErrorKind::transport:
      return "transport";
    case ErrorKind::protocol:
      return "protocol";
    case ErrorKind::timeout:
      return "timeout";
    case ErrorKind::cancelled:
      return "cancelled";
    case ErrorKind::unknown_card:
      return "unknown_card";
    case ErrorKind::unsupported:
      return "unsupported";
    case ErrorKind::refused:
      return "refused";
    case ErrorKind::bad_argument:
      return "bad_argument";
    case ErrorKind::bad_data:
      return "bad_data";
    case ErrorKind::pin_incorrect:
      return "pin_incorrect";
    case ErrorKind::pin_blocked:
      return "pin_blocked";
    case ErrorKind::pin_length:
      return "pin_length";
    case ErrorKind::pin_invalid:
      return "pin_invalid";
    case ErrorKind::pin_last_try:
      return "pin_last_try";
    case ErrorKind::pin_not_set:
      return "pin_not_set";
    case ErrorKind::not_logged_in:
      return "not_logged_in";
    case ErrorKind::access_denied:
      return "access_denied";
    case ErrorKind::not_found:
      return "not_found";
    case ErrorKind::exists:
      return "exists";
    case ErrorKind::no_space:
      return "no_space";
    case ErrorKind::key_mismatch:
      return "key_mismatch";
    case ErrorKind::verify_failed:
      return "verify_failed";
    case ErrorKind::card_state:
      return "card_state";
    case ErrorKind::internal:
      return "internal";
  }
  return "internal";
}

std::string Error::message() const {
  std::string text = what;
  // The status word belongs to the innermost sentence; causes carry the same one upwards.
  if (sw != 0 && !(cause && cause->sw == sw)) {
    char number[8];
    std::snprintf(number, sizeof number, " [%04X]", sw);
    text += number;
  }
  if (cause) text += ": " + cause->message();
  return text;
}

}  // namespace kilt
