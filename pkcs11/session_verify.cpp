// SPDX-License-Identifier: Apache-2.0
// What needs a public key or none: verification, encryption, digests. No card.
#include "pkcs11/verify.hpp"

#include "pkcs11/session.hpp"

namespace kilt::p11 {

CK_RV Session::verify(ByteView message, ByteView signature) {
  const Guard lock(mutex_);
  const Operation* operation = active(Use::verify, true);
  if (operation == nullptr) return CKR_OPERATION_NOT_INITIALIZED;
  const CK_RV rv = p11::verify(operation->preparation, operation->public_key(), message, signature);
  end(Use::verify);
  return rv;
}

CK_RV Session::verify_final(ByteView signature) {
  const Guard lock(mutex_);
  Operation* operation = active(Use::verify, false);
  if (operation == nullptr) return CKR_OPERATION_NOT_INITIALIZED;
  const auto& key = operation->public_key();
  const CK_RV rv =
      operation->digester
          ? verify_digest(operation->preparation, key, operation->digester->finish(), signature)
          : p11::verify(operation->preparation, key, operation->gathered, signature);
  end(Use::verify);
  return rv;
}

CK_RV Session::verify_recover(ByteView signature, Output out) {
  const Guard lock(mutex_);
  const Operation* operation = active(Use::verify_recover, true);
  if (operation == nullptr) return CKR_OPERATION_NOT_INITIALIZED;
  Bytes data;
  CK_RV rv = p11::verify_recover(operation->preparation, operation->public_key(), signature, data);
  if (rv == CKR_OK) rv = out.put(data);
  if (!keeps_operation(rv, out)) end(Use::verify_recover);
  return rv;
}

CK_RV Session::encrypt(ByteView plain, Output out) {
  const Guard lock(mutex_);
  const Operation* operation = active(Use::encrypt, true);
  if (operation == nullptr) return CKR_OPERATION_NOT_INITIALIZED;
  if (const auto answer = out.before(operation->preparation.size())) return *answer;
  Bytes cryptogram;
  CK_RV rv = p11::encrypt(operation->preparation, operation->public_key(), plain, cryptogram);
  if (rv == CKR_OK) rv = out.put(cryptogram);
  end(Use::encrypt);
  return rv;
}

CK_RV Session::encrypt_final(Output out) {
  const Guard lock(mutex_);
  const Operation* operation = active(Use::encrypt, false);
  if (operation == nullptr) return CKR_OPERATION_NOT_INITIALIZED;
  if (const auto answer = out.before(operation->preparation.size())) return *answer;
  Bytes cryptogram;
  CK_RV rv = p11::encrypt(operation->preparation, operation->public_key(), operation->gathered,
                          cryptogram);
  if (rv == CKR_OK) rv = out.put(cryptogram);
  end(Use::encrypt);
  return rv;
}

CK_RV Session::digest_begin(const CK_MECHANISM* mechanism) {
  const Guard lock(mutex_);
  if (mechanism == nullptr && digest_) {
    digest_.reset();
    return CKR_OK;
  }
  if (digest_) return CKR_OPERATION_ACTIVE;
  DigestKind kind{};
  if (const CK_RV rv = check_digest(mechanism, kind); rv != CKR_OK) return rv;
  digest_.emplace(kind);
  digest_has_parts_ = false;
  return CKR_OK;
}

CK_RV Session::digest(ByteView message, Output out) {
  const Guard lock(mutex_);
  if (!digest_ || digest_has_parts_) return CKR_OPERATION_NOT_INITIALIZED;
  if (const auto answer = out.before(digest_->size())) return *answer;
  digest_->update(message);
  const CK_RV rv = out.put(digest_->finish());
  digest_.reset();
  return rv;
}

CK_RV Session::digest_update(ByteView part) {
  const Guard lock(mutex_);
  if (!digest_) return CKR_OPERATION_NOT_INITIALIZED;
  digest_->update(part);
  digest_has_parts_ = true;
  return CKR_OK;
}

CK_RV Session::digest_key(CK_OBJECT_HANDLE key) {
  const Guard lock(mutex_);
  if (!digest_) return CKR_OPERATION_NOT_INITIALIZED;
  const bool known = token_->with_objects([&](ObjectStore& objects) {
    const Object* object = objects.find(key);
    return object != nullptr && object->is_key();
  });
  digest_.reset();
  // Only secret keys can be digested [P11 3.1 §5.12.5], and these tokens hold none.
  return known ? CKR_KEY_INDIGESTIBLE : CKR_KEY_HANDLE_INVALID;
}

CK_RV Session::digest_final(Output out) {
  const Guard lock(mutex_);
  if (!digest_) return CKR_OPERATION_NOT_INITIALIZED;
  if (const auto answer = out.before(digest_->size())) return *answer;
  const CK_RV rv = out.put(digest_->finish());
  digest_.reset();
  return rv;
}

}  // namespace kilt::p11
