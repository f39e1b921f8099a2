// SPDX-License-Identifier: Apache-2.0
#include "pkcs11/session.hpp"

#include "pkcs11/error_map.hpp"

namespace kilt::p11 {

using card::Role;

Session::Session(CK_SESSION_HANDLE handle, CK_SLOT_ID slot, std::shared_ptr<Token> token,
                 bool read_write, const Locking& locking)
    : handle_(handle),
      slot_(slot),
      token_(std::move(token)),
      read_write_(read_write),
      mutex_(locking) {}

void Session::info(CK_SESSION_INFO& out) const {
  const auto role = token_->role();
  out = {};
  out.slotID = slot_;
  out.flags = CKF_SERIAL_SESSION | (read_write_ ? CKF_RW_SESSION : 0);
  if (role == Role::security_officer) {
    out.state = CKS_RW_SO_FUNCTIONS;
  } else if (role == Role::user) {
    out.state = read_write_ ? CKS_RW_USER_FUNCTIONS : CKS_RO_USER_FUNCTIONS;
  } else {
    out.state = read_write_ ? CKS_RW_PUBLIC_SESSION : CKS_RO_PUBLIC_SESSION;
  }
}

void Session::close() {
  // With a token that is gone there is nothing to leave, and nobody to wait for.
  if (!closed_.exchange(true) && !token_->gone()) token_->leave(handle_, read_write_);
}

CK_RV Session::login(CK_USER_TYPE type, const SecretBytes* pin) {
  switch (type) {
    case CKU_USER:
      return token_->login(Role::user, pin);
    case CKU_SO:
      return token_->login(Role::security_officer, pin);
    case CKU_CONTEXT_SPECIFIC:
      return confirm(pin);
    default:
      return CKR_USER_TYPE_INVALID;
  }
}

CK_RV Session::confirm(const SecretBytes* pin) {
  const Guard lock(mutex_);
  end_operations_of_old_logins();
  bool any = false;
  for (const auto& operation : operations_)
    any = any || (operation && std::holds_alternative<card::KeyInfo>(operation->key));
  if (!any) return CKR_OPERATION_NOT_INITIALIZED;
  const CK_RV rv = token_->confirm(pin);
  for (auto& operation : operations_) {
    if (operation && rv == CKR_OK) operation->unconfirmed = false;
  }
  return rv;
}

CK_RV Session::logout() {
  return token_->logout();
}

CK_RV Session::init_pin(const SecretBytes& pin) {
  if (!read_write_) return CKR_SESSION_READ_ONLY;
  return token_->set_user_pin(pin);
}

CK_RV Session::set_pin(const SecretBytes& old_pin, const SecretBytes& new_pin) {
  if (!read_write_) return CKR_SESSION_READ_ONLY;
  return token_->change_pin(old_pin, new_pin);
}

void Session::cancel(CK_FLAGS operations) {
  const Guard lock(mutex_);
  for (std::size_t i = 0; i < use_count; ++i) {
    if (operations & flag_of(static_cast<Use>(i))) operations_[i].reset();
  }
  if (operations & CKF_DIGEST) digest_.reset();
  if (operations & CKF_FIND_OBJECTS) search_.reset();
}

CK_RV Session::may_write(bool on_token, bool is_private) const {
  // [P11 3.1 §4.4, table 3] read-only sessions make session objects only; private objects are
  // for the user.
  if (on_token && !read_write_) return CKR_SESSION_READ_ONLY;
  if (is_private && !token_->is(Role::user)) return CKR_USER_NOT_LOGGED_IN;
  return CKR_OK;
}

CK_RV Session::random(CK_BYTE* out, CK_ULONG size) {
  // Whatever length: the card is asked piece by piece, so that others get a turn in between.
  constexpr CK_ULONG piece = 1024;
  while (size > 0) {
    const CK_ULONG wanted = std::min(size, piece);
    const auto bytes = token_->with_card([&](card::Card& card) { return card.random(wanted); });
    if (!bytes && bytes.error().kind == ErrorKind::unsupported) return CKR_RANDOM_NO_RNG;
    if (!bytes) return report(bytes.error());
    if (bytes->size() != wanted) return CKR_DEVICE_ERROR;
    out = std::copy(bytes->begin(), bytes->end(), out);
    size -= wanted;
  }
  return CKR_OK;
}

}  // namespace kilt::p11
