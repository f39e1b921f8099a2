// SPDX-License-Identifier: Apache-2.0
#include "cli/session.hpp"

#include <fmt/format.h>

#include "cli/text.hpp"

namespace kilt::cli {

Result<std::unique_ptr<Session>> Session::open(std::unique_ptr<card::Card> card) {
  std::unique_ptr<Session> session(new Session(std::move(card)));
  auto info = session->with_card([](card::Card& c) { return c.token_info(); });
  if (!info) return info.take_error();
  session->token_ = *std::move(info);
  session->applications_ = session->card_->applications();
  return session;
}

std::string Session::name() const {
  std::string text = fmt::format("{} {}", model().name, printable(token_.serial));
  if (!token_.label.empty()) text += fmt::format(" ({})", printable(token_.label));
  return text;
}

Status Session::allows(card::Work work) {
  return with_card([&](card::Card& card) { return card.allows(work); });
}

void Session::permit_destruction() {
  permissions_.allow_destroy = true;
  permit(permissions_);
}

void Session::set_allow_assumed(bool yes) {
  permissions_.allow_assumed = yes;
  permit(permissions_);
}

void Session::refresh(std::uint64_t epoch) {
  // Between two transactions anybody may have changed the card; within one nobody can.
  card_->forget_objects();
  if (!epoch_known_ || epoch != epoch_) card_->forget_state();
  epoch_ = epoch;
  epoch_known_ = true;
}

Result<card::PinInfo> Session::may_try(card::Role role, bool spend_last_try) {
  auto pin = card_->pin_status(role);
  if (!pin) return pin;
  const char* whose = role == card::Role::user ? "the user PIN" : "the security officer's PIN";
  if (!pin->initialized) return Error{ErrorKind::pin_not_set, fmt::format("{} is not set", whose)};
  if (pin->blocked || pin->tries_left == 0) {
    return Error{ErrorKind::pin_blocked, fmt::format("{} is blocked", whose)};
  }
  // Where the card never tells, no card is known that gives a PIN fewer than three tries.
  constexpr int most_failures = 2;
  if (!pin->tries_left && pin->failures >= most_failures && !spend_last_try) {
    return Error{ErrorKind::pin_last_try,
                 fmt::format("{} was wrong {} times since it was right, and this token does not "
                             "tell how many tries are left",
                             whose, pin->failures)};
  }
  if (!pin->tries_left && !pin->unwatched.empty() && !spend_last_try) {
    return Error{
        ErrorKind::pin_last_try,
        fmt::format("neither the token nor this computer counts wrong PINs ({})", pin->unwatched)};
  }
  if (pin->tries_left == 1 && !spend_last_try) {
    return Error{.kind = ErrorKind::pin_last_try,
                 .what = fmt::format("{} has one try left", whose),
                 .tries_left = 1};
  }
  return pin;
}

Error Session::with_tries(card::Role role, Error error) {
  if (error.kind != ErrorKind::pin_incorrect || error.tries_left) return error;
  if (auto pin = card_->pin_status(role)) error.tries_left = pin->tries_left;
  return error;
}

Status Session::enter(card::Role role, const SecretBytes& pin, bool spend_last_try) {
  if (auto state = may_try(role, spend_last_try); !state) return state.take_error();
  prepare_to_leave();
  auto done = card_->login(role, pin);
  if (done) return {};
  card_->link().transport().set_leave(apdu::Leave::as_it_is);
  return with_tries(role, done.take_error());
}

void Session::prepare_to_leave() {
  card_->link().transport().set_leave(apdu::Leave::reset);
}

void Session::leave() {
  if (card_->logout() && !changes_) card_->link().transport().set_leave(apdu::Leave::as_it_is);
}

}  // namespace kilt::cli
