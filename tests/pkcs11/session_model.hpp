// SPDX-License-Identifier: Apache-2.0
// A small model of one token's sessions and operations, as the specification has them
// [P11 3.1 §5.6, §5.2, §5.13]: it says what each call answers, and nothing of how.
#pragma once

#include <map>
#include <optional>

#include "pkcs11/cryptoki.hpp"

namespace kilt::test {

enum class Who { nobody, user, officer };

struct ModelSession {
  bool read_write = false;
  bool signing = false, sign_has_parts = false;
  bool verifying = false, verify_has_parts = false;
  bool digesting = false, digest_has_parts = false;
  bool searching = false;
};

/// What a caller does with its buffer.
enum class Buffer { none, too_small, enough };

class SessionModel {
 public:
  bool present = true;     ///< the token is in the reader
  bool unnoticed = false;  ///< it was taken out since the module looked last
  Who who = Who::nobody;
  std::map<CK_SESSION_HANDLE, ModelSession> sessions;
  /// A wrong PIN was sent since the last right one: the next one must be right (no test may block a
  /// card).
  bool failed_once = false;
  /// Handles of private objects are of this login only.
  unsigned login = 0;
  /// And handles of public ones of this insertion only.
  unsigned insertion = 0;
  std::map<CK_OBJECT_HANDLE, CK_SESSION_HANDLE> session_objects;  ///< and whose they are

  [[nodiscard]] bool any_read_only() const {
    for (const auto& [handle, session] : sessions)
      if (!session.read_write) return true;
    return false;
  }

  /// Before each call with a session: the answer, if it is decided by the session alone. `looks`:
  /// the call asks whether the token is still there; `uses_card`: it finds out anyway.
  std::optional<CK_RV> enter(CK_SESSION_HANDLE handle, bool looks) {
    if (sessions.count(handle) == 0) return CKR_SESSION_HANDLE_INVALID;
    if (!unnoticed || !looks) return std::nullopt;
    lose_token();
    return CKR_DEVICE_REMOVED;
  }
  /// After any call that answered CKR_DEVICE_REMOVED: another thread may have looked meanwhile, and
  /// then a call that does not look says it, too.
  bool may_have_been_noticed(CK_RV got) {
    if (!unnoticed || got != CKR_DEVICE_REMOVED) return false;
    lose_token();
    return true;
  }
  void lose_token() {
    unnoticed = false;
    sessions.clear();
    session_objects.clear();
    end_login();
  }
  void end_login() {
    if (who != Who::nobody) ++login;
    if (who == Who::user) {
      for (auto& [handle, session] : sessions)
        session.signing = session.sign_has_parts = false;
    }
    who = Who::nobody;
  }
  void close(CK_SESSION_HANDLE handle) {
    sessions.erase(handle);
    std::erase_if(session_objects, [&](const auto& object) { return object.second == handle; });
    if (sessions.empty()) end_login();
  }

  // ---- what a call answers, and what it leaves --------------------------------------------------

  CK_RV open(CK_FLAGS flags) {
    if ((flags & CKF_SERIAL_SESSION) == 0) return CKR_SESSION_PARALLEL_NOT_SUPPORTED;
    if (unnoticed) lose_token();
    if (!present) return CKR_TOKEN_NOT_PRESENT;
    if ((flags & CKF_RW_SESSION) == 0 && who == Who::officer) {
      return CKR_SESSION_READ_WRITE_SO_EXISTS;
    }
    return CKR_OK;
  }
  [[nodiscard]] CK_STATE state(const ModelSession& session) const {
    if (who == Who::officer) return CKS_RW_SO_FUNCTIONS;
    if (who == Who::user) {
      return session.read_write ? CKS_RW_USER_FUNCTIONS : CKS_RO_USER_FUNCTIONS;
    }
    return session.read_write ? CKS_RW_PUBLIC_SESSION : CKS_RO_PUBLIC_SESSION;
  }
  CK_RV log_in(Who role, bool right) {
    if (who == role) return CKR_USER_ALREADY_LOGGED_IN;
    if (who != Who::nobody) return CKR_USER_ANOTHER_ALREADY_LOGGED_IN;
    if (role == Who::officer && any_read_only()) return CKR_SESSION_READ_ONLY_EXISTS;
    if (!right) {
      failed_once = true;
      return CKR_PIN_INCORRECT;
    }
    if (role == Who::user) failed_once = false;
    who = role;
    ++login;
    return CKR_OK;
  }
  CK_RV log_out() {
    if (who == Who::nobody) return CKR_USER_NOT_LOGGED_IN;
    end_login();
    return CKR_OK;
  }
  CK_RV begin_search(ModelSession& session) {
    if (session.searching) return CKR_OPERATION_ACTIVE;
    session.searching = true;
    return CKR_OK;
  }
  static CK_RV end_search(ModelSession& session) {
    if (!session.searching) return CKR_OPERATION_NOT_INITIALIZED;
    session.searching = false;
    return CKR_OK;
  }
  /// `valid`: the key's handle is of this login.
  static CK_RV begin_sign(ModelSession& session, bool valid) {
    if (session.signing) return CKR_OPERATION_ACTIVE;
    if (!valid) return CKR_KEY_HANDLE_INVALID;
    session.signing = true;
    session.sign_has_parts = false;
    return CKR_OK;
  }
  static CK_RV cancel_sign(ModelSession& session) {
    if (!session.signing) return CKR_ARGUMENTS_BAD;
    session.signing = false;
    return CKR_OK;
  }
  static CK_RV sign_part(ModelSession& session) {
    if (!session.signing) return CKR_OPERATION_NOT_INITIALIZED;
    session.sign_has_parts = true;
    return CKR_OK;
  }
  /// C_Sign (one shot) and C_SignFinal.
  CK_RV sign(ModelSession& session, bool one_shot, Buffer buffer) {
    if (!session.signing || (one_shot && session.sign_has_parts)) {
      return CKR_OPERATION_NOT_INITIALIZED;
    }
    if (buffer == Buffer::none) return CKR_OK;
    if (buffer == Buffer::too_small) return CKR_BUFFER_TOO_SMALL;
    session.signing = session.sign_has_parts = false;
    if (!unnoticed) return CKR_OK;
    lose_token();
    return CKR_DEVICE_REMOVED;
  }
  /// Any call of an operation whose arguments are bad ends it.
  static CK_RV refuse_sign(ModelSession& session) {
    session.signing = session.sign_has_parts = false;
    return CKR_ARGUMENTS_BAD;
  }
  static CK_RV begin_verify(ModelSession& session, bool valid) {
    if (session.verifying) return CKR_OPERATION_ACTIVE;
    if (!valid) return CKR_KEY_HANDLE_INVALID;
    session.verifying = true;
    session.verify_has_parts = false;
    return CKR_OK;
  }
  static CK_RV verify_part(ModelSession& session) {
    if (!session.verifying) return CKR_OPERATION_NOT_INITIALIZED;
    session.verify_has_parts = true;
    return CKR_OK;
  }
  /// Of what is no signature; `of_its_length`: it could be one.
  static CK_RV verify(ModelSession& session, bool one_shot, bool of_its_length) {
    if (!session.verifying || (one_shot && session.verify_has_parts)) {
      return CKR_OPERATION_NOT_INITIALIZED;
    }
    session.verifying = session.verify_has_parts = false;
    return of_its_length ? CKR_SIGNATURE_INVALID : CKR_SIGNATURE_LEN_RANGE;
  }
  /// The right PIN is given, and stays what it is.
  CK_RV set_pin(const ModelSession& session) {
    if (!session.read_write) return CKR_SESSION_READ_ONLY;
    failed_once = false;
    return CKR_OK;
  }
  static CK_RV begin_digest(ModelSession& session) {
    if (session.digesting) return CKR_OPERATION_ACTIVE;
    session.digesting = true;
    session.digest_has_parts = false;
    return CKR_OK;
  }
  static CK_RV digest_part(ModelSession& session) {
    if (!session.digesting) return CKR_OPERATION_NOT_INITIALIZED;
    session.digest_has_parts = true;
    return CKR_OK;
  }
  static CK_RV digest(ModelSession& session, bool one_shot, Buffer buffer) {
    if (!session.digesting || (one_shot && session.digest_has_parts)) {
      return CKR_OPERATION_NOT_INITIALIZED;
    }
    if (buffer == Buffer::none) return CKR_OK;
    if (buffer == Buffer::too_small) return CKR_BUFFER_TOO_SMALL;
    session.digesting = session.digest_has_parts = false;
    return CKR_OK;
  }
  static void cancel(ModelSession& session, CK_FLAGS flags) {
    if (flags & CKF_SIGN) session.signing = session.sign_has_parts = false;
    if (flags & CKF_VERIFY) session.verifying = session.verify_has_parts = false;
    if (flags & CKF_DIGEST) session.digesting = session.digest_has_parts = false;
    if (flags & CKF_FIND_OBJECTS) session.searching = false;
  }
};

}  // namespace kilt::test
