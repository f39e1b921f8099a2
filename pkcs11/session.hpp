// SPDX-License-Identifier: Apache-2.0
// A session: operations in progress, and what its kind (read-only, read/write) allows.
#pragma once

#include <array>
#include <memory>
#include <optional>

#include "pkcs11/operation.hpp"
#include "pkcs11/template.hpp"
#include "pkcs11/token.hpp"

namespace kilt::p11 {

class Session {
 public:
  Session(CK_SESSION_HANDLE handle, CK_SLOT_ID slot, std::shared_ptr<Token> token, bool read_write,
          const Locking& locking);

  [[nodiscard]] const std::shared_ptr<Token>& token() const { return token_; }
  /// No card, no waiting.
  void info(CK_SESSION_INFO& out) const;
  /// Once: leaves the token; the last session logs out.
  void close();

  /// A null PIN is typed on the reader's keys.
  CK_RV login(CK_USER_TYPE type, const SecretBytes* pin);
  CK_RV logout();
  CK_RV init_pin(const SecretBytes& pin);
  CK_RV set_pin(const SecretBytes& old_pin, const SecretBytes& new_pin);
  /// Ends the operations named by CKF_ flags (C_SessionCancel).
  void cancel(CK_FLAGS operations);
  /// A call whose arguments are bad ends its operation, too [P11 3.1 §5.13.2]. Both return `rv`.
  CK_RV refuse(Use use, CK_RV rv);
  CK_RV refuse_digest(CK_RV rv);

  /// C_SignInit and its sisters. A null mechanism ends an operation of this kind [P11 3.1 §5.13].
  CK_RV begin(Use use, const CK_MECHANISM* mechanism, CK_OBJECT_HANDLE key);
  /// C_SignUpdate and its sisters that answer nothing.
  CK_RV update(Use use, ByteView part);
  /// C_EncryptUpdate, C_DecryptUpdate: RSA answers all at the end.
  CK_RV update(Use use, ByteView part, Output out);

  CK_RV sign(ByteView message, Output out);
  CK_RV sign_final(Output out);
  CK_RV sign_recover(ByteView message, Output out);
  CK_RV verify(ByteView message, ByteView signature);
  CK_RV verify_final(ByteView signature);
  CK_RV verify_recover(ByteView signature, Output out);
  CK_RV decrypt(ByteView cryptogram, Output out);
  CK_RV decrypt_final(Output out);
  CK_RV encrypt(ByteView plain, Output out);
  CK_RV encrypt_final(Output out);

  CK_RV digest_begin(const CK_MECHANISM* mechanism);
  CK_RV digest(ByteView message, Output out);
  CK_RV digest_update(ByteView part);
  CK_RV digest_key(CK_OBJECT_HANDLE key);
  CK_RV digest_final(Output out);

  CK_RV find_begin(const Template& wanted);
  CK_RV find(CK_OBJECT_HANDLE* out, CK_ULONG room, CK_ULONG& count);
  CK_RV find_end();
  CK_RV get_attributes(CK_OBJECT_HANDLE object, CK_ATTRIBUTE* attributes, CK_ULONG count);
  CK_RV set_attributes(CK_OBJECT_HANDLE object, const Template& changes);
  CK_RV object_size(CK_OBJECT_HANDLE object, CK_ULONG& size);
  CK_RV create(const Template& object, CK_OBJECT_HANDLE& out);
  CK_RV copy(CK_OBJECT_HANDLE object, const Template& changes, CK_OBJECT_HANDLE& out);
  CK_RV destroy(CK_OBJECT_HANDLE object);
  CK_RV generate(const CK_MECHANISM* mechanism, const Template& public_key,
                 const Template& private_key, CK_OBJECT_HANDLE& public_out,
                 CK_OBJECT_HANDLE& private_out);
  CK_RV random(CK_BYTE* out, CK_ULONG size);

 private:
  /// Operations with private keys end with the login that they began under [P11 3.1 §5.6.10].
  void end_operations_of_old_logins();
  /// The operation if it is active, has taken no part yet (one-shot) or may have (final).
  Operation* active(Use use, bool one_shot);
  void end(Use use) { operations_[static_cast<std::size_t>(use)].reset(); }
  CK_RV find_key(Use use, CK_OBJECT_HANDLE key, const CK_MECHANISM* mechanism, Operation& out);
  CK_RV sign_on_card(const Operation& operation, const CardInput& input, Output& out);
  CK_RV decrypt_on_card(Operation& operation, ByteView cryptogram, Output& out);
  CK_RV failed(const Operation& operation, const Error& error);
  CK_RV confirm(const SecretBytes* pin);
  /// Whether this session may write such an object. CKR_SESSION_READ_ONLY, CKR_USER_NOT_LOGGED_IN.
  [[nodiscard]] CK_RV may_write(bool on_token, bool is_private) const;

  const CK_SESSION_HANDLE handle_;
  const CK_SLOT_ID slot_;
  const std::shared_ptr<Token> token_;
  const bool read_write_;
  std::atomic<bool> closed_{false};
  Mutex mutex_;  ///< below: one call at a time
  std::array<std::optional<Operation>, use_count> operations_;
  std::optional<Digester> digest_;
  bool digest_has_parts_ = false;
  std::optional<Search> search_;
};

}  // namespace kilt::p11
