// SPDX-License-Identifier: Apache-2.0
#include "pkcs11/connection.hpp"

#include <algorithm>
#include <string>

#include "drivers/refusals.hpp"
#include "pkcs11/log.hpp"

namespace kilt::p11 {

using card::Role;

namespace {

/// Where a card never tells its counter: wrong PINs in one process, and since the last right one in
/// all of them, after which no more is sent. A slip of the finger is forgiven once, and no card is
/// known that gives a PIN fewer than three tries; a program that is started again and again with a
/// wrong PIN ends at the second number.
constexpr int most_failures_here = 2, most_failures = 4;

const char* person(Role role) {
  return role == Role::user ? "user" : "security officer";
}

}  // namespace

Connection::Connection(std::unique_ptr<card::Card> card, PinPolicy policy)
    : card_(std::move(card)), policy_(policy) {}

Connection::~Connection() {
  if (role() && !gone_) static_cast<void>(logout());
}

std::optional<Role> Connection::role() const {
  const int role = role_;
  if (role < 0) return std::nullopt;
  return static_cast<Role>(role);
}

Result<apdu::Transaction> Connection::begin() {
  if (gone_) return settle({ErrorKind::removed, "the token was taken out"});
  auto transaction = apdu::Transaction::begin(card_->link().transport());
  if (!transaction) return settle(transaction.take_error());
  if (transaction->epoch() == epoch_) return transaction;
  if (epoch_ != 0) {
    log(LogLevel::info, "the card was reset by another program");
    card_->forget_state();
    forget_objects();
    // With a PIN at hand the login returns when it is needed; without, it is gone.
    if (role() && pin_.empty()) forget_login();
  }
  epoch_ = transaction->epoch();
  return transaction;
}

void Connection::forget_objects() {
  card_->forget_objects();
  ++generation_;
  ++resets_;
}

Status Connection::look() {
  auto transaction = begin();
  return transaction ? Status{} : Status(transaction.take_error());
}

Error Connection::settle(Error error) {
  switch (error.kind) {
    case ErrorKind::removed:
    case ErrorKind::no_card:
    case ErrorKind::no_reader:
    case ErrorKind::no_service:
      gone_ = true;
      removal_told_ = true;  // by this very error
      error.kind = ErrorKind::removed;
      break;
    case ErrorKind::not_logged_in:
      forget_login();
      break;
    default:
      break;
  }
  return error;
}

void Connection::forget_login() {
  if (role_ >= 0) ++generation_;
  role_ = -1;
  pin_ = SecretBytes();
  card_->link().transport().set_leave(has_changed_ ? apdu::Leave::reset : apdu::Leave::as_it_is);
}

Result<card::PinInfo> Connection::pin_status(Role role) {
  auto info = card_->pin_status(role);
  int& most = memory_of(role).most;
  if (info) most = std::max({most, info->tries_left.value_or(0), info->tries_max.value_or(0)});
  return info;
}

Result<card::TokenInfo> Connection::token_info() {
  if (info_ && info_generation_ == generation_) return *info_;
  auto info = card_->token_info();
  if (!info) return info;
  info_ = *info;
  info_generation_ = generation_;
  return info;
}

bool Connection::is_count_low(const card::PinInfo& info, int ours) const {
  const PinMemory& memory = memory_of(info.role);
  // Nobody gives a PIN fewer than three tries.
  if (info.tries_left) return *info.tries_left + ours < std::max(memory.most, 3);
  return (static_cast<int>(memory.failures) > ours || info.failures > ours) && !info.logged_in;
}

bool Connection::may_be_blocked(Role role) {
  const auto info = with_card([&](card::Card&) { return pin_status(role); });
  return info && (info->blocked || !info->tries_left);
}

bool Connection::has_tries_to_spare(Role role) {
  constexpr int enough = 3;
  const auto info = with_card([&](card::Card&) { return pin_status(role); });
  if (!info) return false;
  return info->tries_left ? *info->tries_left > enough : info->failures == 0;
}

bool Connection::is_final_try(const card::PinInfo& info) const {
  if (info.tries_left) return *info.tries_left == 1;
  const bool is_near = memory_of(info.role).failures >= most_failures_here - 1 ||
                       info.failures >= most_failures - 1 || !info.unwatched.empty();
  return is_near && !info.logged_in;
}

bool Connection::may_return(const Error& error) {
  if (error.kind != ErrorKind::not_logged_in) return false;
  const bool is_refused = error.sw >> 8 == 0x63 || error.sw == 0x6983;
  if (is_refused && role()) ++memory_of(*role()).failures;
  return !is_refused;
}

bool Connection::restore_login() {
  const auto who = role();
  if (!who || pin_.empty()) return false;
  const auto info = pin_status(*who);
  // A try that was lost since means that somebody else guesses, or that the PIN is another one.
  // Where nobody tells the counter, a try lost elsewhere is not seen: this risks one, once, and it
  // is noted; where it cannot be, each program would risk one.
  const bool is_watched = info && (info->tries_left || info->unwatched.empty());
  if (!is_watched || info->blocked || is_count_low(*info)) {
    const std::string why = !info        ? info.error().message()
                            : is_watched ? "a PIN try was spent since"
                                         : info->unwatched;
    log(LogLevel::warn, "the login was lost and not restored: " + why);
    return false;
  }
  const auto done = card_->login_again(*who, pin_);
  log(LogLevel::info, std::string("the login was lost and ") +
                          (done ? "restored" : "could not be restored: " + done.error().message()));
  remember(*who, &pin_, done);
  if (!done) return false;
  // Who ended the login may have changed the objects as well.
  forget_objects();
  return true;
}

Status Connection::guard_last_try(Role role, const card::PinInfo& info) {
  if (!info.initialized) {
    return Error{ErrorKind::pin_not_set, std::string("the ") + person(role) + "'s PIN is not set"};
  }
  if (info.blocked) {
    return Error{ErrorKind::pin_blocked, std::string("the ") + person(role) +
                                             "'s PIN is blocked; it can be set anew by the "
                                             "security officer (kilt pin unblock)"};
  }
  // Somebody's right PIN is active, so the counter is full.
  if (policy_.spend_last_try || info.logged_in) return {};
  const bool last = info.tries_left ? *info.tries_left <= 1
                                    : memory_of(role).failures >= most_failures_here ||
                                          info.failures >= most_failures || !info.unwatched.empty();
  if (!last) return {};
  Error error{ErrorKind::pin_last_try,
              std::string("this could use up the last try of the ") + person(role) +
                  "'s PIN and was not sent to the card; to try it nevertheless set "
                  "spend_last_try = true in kilt.toml"};
  if (!info.tries_left && !info.unwatched.empty())
    error.what += ". Neither the card nor this computer counts wrong PINs: " + info.unwatched;
  error.tries_left = info.tries_left;
  return error;
}

void Connection::remember(Role role, const SecretBytes* pin, const Status& outcome) {
  PinMemory& memory = memory_of(role);
  if (!outcome) {
    if (outcome.error().kind != ErrorKind::pin_incorrect) return;
    ++memory.failures;
    // What was the maker's PIN is that no more.
    if (pin != nullptr && model().factory.has(role, *pin)) memory.factory = false;
    return;
  }
  memory.failures = 0;
  memory.factory = pin != nullptr && model().factory.has(role, *pin);
}

/// Within a transaction: guard, then one try.
Status Connection::checked_login(Role role, const SecretBytes* pin) {
  if (pin != nullptr && pin->empty())
    return Error{ErrorKind::pin_length, "an empty PIN was not sent to the card"};
  const auto info = pin_status(role);
  if (!info) return info.error();
  if (auto allowed = guard_last_try(role, *info); !allowed) return allowed;
  auto done = pin != nullptr ? card_->login(role, *pin) : card_->login_from_pad(role);
  remember(role, pin, done);
  return done;
}

Status Connection::login(Role role, const SecretBytes* pin) {
  auto done = with_card([&](card::Card&) { return checked_login(role, pin); });
  if (!done) return done;
  ++logins_;
  role_ = static_cast<int>(role);
  ++generation_;
  if (policy_.cache && pin != nullptr) pin_ = pin->clone();
  // An end of this process that runs C_Finalize, or closes the connection, resets the card. After a
  // kill pcscd leaves it as it is until nobody uses it and it is switched off (README).
  card_->link().transport().set_leave(apdu::Leave::reset);
  if (memory_of(role).factory) {
    log(LogLevel::warn, std::string("the ") + person(role) +
                            "'s PIN is the one the maker set; change it (kilt pin change)");
  }
  return done;
}

Status Connection::confirm(const SecretBytes* pin) {
  const auto who = role();
  if (!who) return Error{ErrorKind::not_logged_in, "nobody is logged in"};
  return with_card([&](card::Card&) {
    auto done = checked_login(*who, pin);
    // A wrong PIN ends the card's login, but not the application's.
    if (!done && done.error().kind == ErrorKind::pin_incorrect) restore_after_wrong_pin(*who, pin);
    return done;
  });
}

Status Connection::logout() {
  auto done = with_card([](card::Card& card) { return card.logout(); });
  forget_login();
  // A card that was not heard to log out is reset at the latest when we leave it.
  if (!done) card_->link().transport().set_leave(apdu::Leave::reset);
  return done;
}

/// Within a transaction, after a call that may have moved the card's login: puts it back.
Status Connection::restore_role(std::optional<Role> before, const SecretBytes& pin) {
  if (!before) return card_->logout();
  const auto info = pin_status(*before);
  if (info && info->logged_in) return {};
  if (pin.empty()) {
    forget_login();
    return Error{ErrorKind::not_logged_in, "the login ended and its PIN is not kept"};
  }
  auto done = card_->login(*before, pin);
  remember(*before, &pin, done);
  if (!done) forget_login();
  return done;
}

/// A wrong PIN ends the card's login, but not the application's. The one that is kept is sent only
/// where it is another, and but for this try none is missing: else it is the wrong one as well.
void Connection::restore_after_wrong_pin(Role role, const SecretBytes* wrong) {
  if (pin_.empty()) return;
  const bool is_same = wrong != nullptr && pin_.equals(wrong->view());
  const auto info = pin_status(role);
  if (is_same || !info || info->blocked || !info->unwatched.empty() || is_count_low(*info, 1)) {
    forget_login();
    return;
  }
  static_cast<void>(restore_role(role, pin_).ok());
}

/// Whether the PIN on the card is what it was: the card, or who stands before it, said no.
bool Connection::is_refusal(const Error& error) {
  switch (error.kind) {
    case ErrorKind::pin_incorrect:
    case ErrorKind::pin_blocked:
    case ErrorKind::pin_length:
    case ErrorKind::pin_invalid:
    case ErrorKind::pin_last_try:
    case ErrorKind::refused:
    case ErrorKind::unsupported:
    case ErrorKind::bad_argument:
      return true;
    default:
      return card::did_nothing(error);
  }
}

Status Connection::change_pin(Role role, const SecretBytes& old_pin, const SecretBytes& new_pin) {
  if (old_pin.empty()) return Error{ErrorKind::pin_length, "an empty PIN was not sent to the card"};
  const auto before = role_ < 0 ? std::nullopt : this->role();
  return with_card([&](card::Card& card) -> Status {
    const auto info = pin_status(role);
    if (!info) return info.error();
    if (auto allowed = guard_last_try(role, *info); !allowed) return allowed;
    auto done = card.change_pin(role, old_pin, new_pin);
    remember(role, done ? &new_pin : &old_pin, done);
    if (!done) {
      // A wrong PIN ends the card's login, but not the application's. Where nobody knows which PIN
      // the card has by now, none is sent unasked: it could be a wrong one.
      const bool is_known = before != role || is_refusal(done.error());
      const bool is_wrong = done.error().kind == ErrorKind::pin_incorrect;
      if (before && before == role && is_wrong) {
        restore_after_wrong_pin(role, &old_pin);
      } else if (before && is_known && !pin_.empty()) {
        static_cast<void>(restore_role(before, pin_).ok());
      }
      if (before && !is_known) forget_login();
      return done;
    }
    if (before == role && policy_.cache) pin_ = new_pin.clone();
    if (auto back = restore_role(before, before == role ? new_pin : pin_); !back) {
      log(LogLevel::warn, "the PIN was changed, and its owner has to log in again");
    }
    return {};
  });
}

Status Connection::set_user_pin(const SecretBytes& new_pin) {
  const auto before = role();
  return with_card([&](card::Card& card) -> Status {
    auto done = card.set_user_pin(new_pin);
    if (!done) return done;
    remember(Role::user, &new_pin, done);
    // It may have ended the officer's login; without the PIN at hand that stays so.
    auto back = restore_role(before, pin_);
    if (!back) log(LogLevel::warn, "the security officer has to log in again");
    return {};
  });
}

Status Connection::unblock_user_pin(const SecretBytes& so_pin, const SecretBytes& new_pin) {
  return with_card([&](card::Card& card) -> Status {
    if (auto done = checked_login(Role::security_officer, &so_pin); !done) return done;
    auto done = card.set_user_pin(new_pin);
    if (done) remember(Role::user, &new_pin, done);
    auto out = card.logout();
    return done ? std::move(out) : std::move(done);
  });
}

Status Connection::initialise(const std::string& label, const SecretBytes& so_pin) {
  if (so_pin.empty()) return Error{ErrorKind::pin_length, "an empty PIN was not sent to the card"};
  auto done = with_card([&](card::Card& card) -> Status {
    const auto info = pin_status(Role::security_officer);
    if (!info) return info.error();
    // On a blank card the PIN is being chosen, not compared.
    if (info->initialized) {
      if (auto allowed = guard_last_try(Role::security_officer, *info); !allowed) return allowed;
    }
    auto erased = card.initialise(label, so_pin);
    remember(Role::security_officer, &so_pin, erased);
    if (!erased) return erased;
    memory_[0] = {};
    return card.logout();
  });
  ++generation_;
  return done;
}

}  // namespace kilt::p11
