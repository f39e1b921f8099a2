// SPDX-License-Identifier: Apache-2.0
// PINs on their way in.
#pragma once

#include "apdu/bytes.hpp"
#include "pkcs11/cryptoki.hpp"

namespace kilt::p11 {

/// Longer than the PIN of any card; what is longer is not copied.
inline constexpr CK_ULONG longest_pin = 256;

/// CKR_ARGUMENTS_BAD for null: only a login takes a PIN from the reader's keys. An empty PIN is not
/// null.
/// CKR_PIN_LEN_RANGE.
inline CK_RV read_pin(const CK_UTF8CHAR* pin, CK_ULONG size, SecretBytes& out) {
  if (pin == nullptr) return CKR_ARGUMENTS_BAD;
  if (size > longest_pin) return CKR_PIN_LEN_RANGE;
  out = SecretBytes::copy_of({pin, size});
  return CKR_OK;
}

}  // namespace kilt::p11
