// SPDX-License-Identifier: Apache-2.0
#include "pkcs11/token.hpp"

#include "pkcs11/error_map.hpp"
#include "pkcs11/log.hpp"

namespace kilt::p11 {

using card::Role;

Token::Token(std::unique_ptr<card::Card> card, PinPolicy policy, const Locking& locking,
             std::uint64_t insertions, std::atomic<CK_ULONG>& handles)
    : applications_(card->applications()),
      mutex_(locking),
      connection_(std::move(card), policy),
      objects_(connection_, handles),
      insertions_(insertions) {}

CK_RV Token::settled(const Status& status) {
  return status ? CKR_OK : report(status.error());
}

CK_RV Token::permit(const card::Config& config) {
  if (config.allow_assumed.empty()) return CKR_OK;
  return settled(with_card([&](card::Card& card) -> Status {
    // A simulated card needs no leave, and its serial no command.
    if (card.link().transport().is_simulated()) return {};
    const auto serial = card.serial();
    if (!serial) return serial.error();
    const bool listed = config.allows_assumed(*serial, card.link().transport().atr());
    card.link().set_permissions({listed, listed});
    return {};
  }));
}

CK_RV Token::enter(bool read_write) {
  const Guard lock(mutex_);
  if (gone()) return CKR_DEVICE_REMOVED;
  // [P11 3.1 §5.6.1] no read-only session beside a security officer's.
  if (!read_write && is(Role::security_officer)) return CKR_SESSION_READ_WRITE_SO_EXISTS;
  // The first session begins a new look at the card: others may have been at it meanwhile.
  if (sessions_ == 0) objects_.distrust();
  ++sessions_;
  if (read_write) ++read_write_sessions_;
  return CKR_OK;
}

void Token::leave(CK_SESSION_HANDLE session, bool read_write) {
  const Guard lock(mutex_);
  objects_.drop_owned_by(session);
  if (read_write) --read_write_sessions_;
  if (--sessions_ > 0 || !role() || gone()) return;
  objects_.drop_private();
  static_cast<void>(settled(connection_.logout()));
}

CK_RV Token::login(Role role, const SecretBytes* pin) {
  const Guard lock(mutex_);
  // The last one was closed by another thread meanwhile: nobody would log out again.
  if (sessions_ == 0) return CKR_SESSION_HANDLE_INVALID;
  if (pin == nullptr && !connection_.takes_pin_from_pad(role)) return CKR_ARGUMENTS_BAD;
  if (const auto who = connection_.role()) {
    return *who == role ? CKR_USER_ALREADY_LOGGED_IN : CKR_USER_ANOTHER_ALREADY_LOGGED_IN;
  }
  if (role == Role::security_officer && !model().has_so) return CKR_USER_TYPE_INVALID;
  if (role == Role::security_officer && sessions_ > read_write_sessions_) {
    return CKR_SESSION_READ_ONLY_EXISTS;
  }
  // Handles of a login that was lost without C_Logout end here, as C_Logout would have ended them.
  objects_.drop_private();
  return settled(connection_.login(role, pin));
}

CK_RV Token::confirm(const SecretBytes* pin) {
  const Guard lock(mutex_);
  if (!role()) return CKR_USER_NOT_LOGGED_IN;
  if (pin == nullptr && !connection_.takes_pin_from_pad(*role())) return CKR_ARGUMENTS_BAD;
  return settled(connection_.confirm(pin));
}

CK_RV Token::logout() {
  const Guard lock(mutex_);
  if (!role()) return CKR_USER_NOT_LOGGED_IN;
  objects_.drop_private();
  return settled(connection_.logout());
}

CK_RV Token::initialise(const std::string& label, const SecretBytes& so_pin) {
  const Guard lock(mutex_);
  if (sessions_ > 0) return CKR_SESSION_EXISTS;
  const auto done = connection_.initialise(label, so_pin);
  if (done) objects_.drop_all();
  objects_.distrust();
  return settled(done);
}

CK_RV Token::set_user_pin(const SecretBytes& pin) {
  const Guard lock(mutex_);
  if (!is(Role::security_officer)) return CKR_USER_NOT_LOGGED_IN;
  return settled(connection_.set_user_pin(pin));
}

CK_RV Token::change_pin(const SecretBytes& old_pin, const SecretBytes& new_pin) {
  const Guard lock(mutex_);
  const auto who = role().value_or(Role::user);
  // Looked at before, for the try that blocks a PIN must not cost the officer one as well.
  const bool may_unblock = !role() && model().has_so && connection_.may_be_blocked(Role::user);
  auto done = connection_.change_pin(who, old_pin, new_pin);
  // A blocked user PIN in a session without login: the "old PIN" is the one that unblocks, the
  // security officer's. This is what `pkcs11-tool --unlock-pin` sends.
  // A program that repeats a user's PIN must not use up the officer's tries as well: once, and only
  // while there are some to spare.
  if (!done && done.error().kind == ErrorKind::pin_blocked && may_unblock && !unblocking_failed_ &&
      connection_.has_tries_to_spare(Role::security_officer)) {
    log(LogLevel::info, "the user's PIN is blocked; taking the old PIN as the security officer's");
    const auto unblocked = connection_.unblock_user_pin(old_pin, new_pin);
    const auto kind = unblocked ? ErrorKind::internal : unblocked.error().kind;
    unblocking_failed_ = kind == ErrorKind::pin_incorrect || kind == ErrorKind::pin_length ||
                         kind == ErrorKind::pin_invalid;
    if (unblocking_failed_) {
      log(LogLevel::warn,
          "it is not; the user's PIN stays blocked, and this is not tried again before the token "
          "is put in anew");
      return CKR_PIN_LOCKED;
    }
    return settled(unblocked);
  }
  return settled(done);
}

void Token::close() {
  if (!mutex_.try_lock_for(std::chrono::seconds(1))) {
    log(LogLevel::warn, "the card is busy; its login ends with the running operation");
    return;
  }
  const std::lock_guard<Mutex> lock(mutex_, std::adopt_lock);
  if (role() && !gone()) static_cast<void>(settled(connection_.logout()));
}

void Token::abandon() {
  if (mutex_.try_lock_after_fork()) connection_.abandon();
}

}  // namespace kilt::p11
