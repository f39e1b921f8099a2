// SPDX-License-Identifier: Apache-2.0
#include "pkcs11/error_map.hpp"

#include <string>

#include "pkcs11/log.hpp"

namespace kilt::p11 {

CK_RV to_rv(ErrorKind kind) {
  switch (kind) {
    case ErrorKind::no_service:
    case ErrorKind::no_permission:
    case ErrorKind::no_reader:
    case ErrorKind::no_card:
      return CKR_TOKEN_NOT_PRESENT;
    case ErrorKind::removed:
      return CKR_DEVICE_REMOVED;
    case ErrorKind::busy:
    case ErrorKind::transport:
    case ErrorKind::protocol:
    case ErrorKind::timeout:
    case ErrorKind::card_state:
      return CKR_DEVICE_ERROR;
    case ErrorKind::cancelled:
      return CKR_FUNCTION_CANCELED;
    case ErrorKind::unknown_card:
      return CKR_TOKEN_NOT_RECOGNIZED;
    case ErrorKind::unsupported:
      return CKR_FUNCTION_NOT_SUPPORTED;
    // The evidence guard: nothing was sent, and the log says how to allow it.
    case ErrorKind::refused:
      return CKR_ACTION_PROHIBITED;
    case ErrorKind::bad_argument:
      return CKR_DATA_INVALID;
    case ErrorKind::bad_data:
      return CKR_ATTRIBUTE_VALUE_INVALID;
    case ErrorKind::pin_incorrect:
      return CKR_PIN_INCORRECT;
    case ErrorKind::pin_blocked:
      return CKR_PIN_LOCKED;
    case ErrorKind::pin_length:
      return CKR_PIN_LEN_RANGE;
    case ErrorKind::pin_invalid:
      return CKR_PIN_INVALID;
    // Not CKR_PIN_LOCKED, for it is not; not CKR_PIN_INCORRECT, for nobody looked.
    case ErrorKind::pin_last_try:
      return CKR_FUNCTION_FAILED;
    case ErrorKind::pin_not_set:
      return CKR_USER_PIN_NOT_INITIALIZED;
    case ErrorKind::not_logged_in:
      return CKR_USER_NOT_LOGGED_IN;
    case ErrorKind::access_denied:
      return CKR_ACTION_PROHIBITED;
    case ErrorKind::not_found:
      return CKR_OBJECT_HANDLE_INVALID;
    case ErrorKind::exists:
    case ErrorKind::key_mismatch:
      return CKR_TEMPLATE_INCONSISTENT;
    case ErrorKind::no_space:
      return CKR_DEVICE_MEMORY;
    case ErrorKind::verify_failed:
      return CKR_DEVICE_ERROR;
    case ErrorKind::internal:
      return CKR_GENERAL_ERROR;
  }
  return CKR_GENERAL_ERROR;
}

CK_RV report(const Error& error) {
  if (logs(LogLevel::warn)) {
    log(LogLevel::warn, error.message() + " (" + to_string(error.kind) + ")");
  }
  return to_rv(error.kind);
}

}  // namespace kilt::p11
