// SPDX-License-Identifier: Apache-2.0
// Decryption: the card works once, however often the caller measures its buffer.
#include "pkcs11/error_map.hpp"
#include "pkcs11/session.hpp"

namespace kilt::p11 {

CK_RV Session::decrypt_on_card(Operation& operation, ByteView cryptogram, Output& out) {
  if (operation.unconfirmed || !token_->is(card::Role::user)) return CKR_USER_NOT_LOGGED_IN;
  if (!operation.cryptogram.empty() && equal(operation.cryptogram, cryptogram)) {
    return out.put(operation.plain);
  }
  CardInput input;
  if (const CK_RV rv = prepare_decrypt(operation.preparation, cryptogram, input); rv != CKR_OK) {
    return rv;
  }
  auto answer = token_->with_card([&](card::Card& card) {
    return card.decrypt(operation.private_key(token_->resets()), input.scheme, input.bytes);
  });
  if (!answer) {
    // The padding that a driver takes off is wrong in the caller's data, not in a template.
    if (answer.error().kind == ErrorKind::bad_data) return CKR_ENCRYPTED_DATA_INVALID;
    return failed(operation, answer.error());
  }
  operation.forget_plain();
  const CK_RV rv = finish_decrypt(operation.preparation, *std::move(answer), operation.plain);
  if (rv != CKR_OK) return rv;
  operation.cryptogram = copy_of(cryptogram);
  return out.put(operation.plain);
}

CK_RV Session::decrypt(ByteView cryptogram, Output out) {
  const Guard lock(mutex_);
  Operation* operation = active(Use::decrypt, true);
  if (operation == nullptr) return CKR_OPERATION_NOT_INITIALIZED;
  // A question is answered by what the plain text can be at most [P11 3.1 §5.2].
  if (out.is_question()) return *out.before(operation->preparation.size());
  const CK_RV rv = decrypt_on_card(*operation, cryptogram, out);
  if (rv != CKR_BUFFER_TOO_SMALL) end(Use::decrypt);
  return rv;
}

CK_RV Session::decrypt_final(Output out) {
  const Guard lock(mutex_);
  Operation* operation = active(Use::decrypt, false);
  if (operation == nullptr) return CKR_OPERATION_NOT_INITIALIZED;
  if (out.is_question()) return *out.before(operation->preparation.size());
  const CK_RV rv = decrypt_on_card(*operation, operation->gathered, out);
  if (rv != CKR_BUFFER_TOO_SMALL) end(Use::decrypt);
  return rv;
}

}  // namespace kilt::p11
