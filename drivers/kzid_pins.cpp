// SPDX-License-Identifier: Apache-2.0
#include "drivers/kzid_pins.hpp"

#include <algorithm>

namespace kilt::card::kzid {
namespace {

const char* name(Role role) {
  return role == Role::user ? "PIN of the ID card" : "unblocking code (PUK) of the ID card";
}

Error blocked(Role role, apdu::StatusWord status) {
  return {ErrorKind::pin_blocked,
          std::string("the ") + name(role) + " is blocked" +
              (role == Role::user ? "; it can be set anew with the unblocking code (PUK)"
                                  : "; only a service centre can help"),
          status.value, 0};
}

std::size_t shortest(Role role) {
  return role == Role::user ? pin::user_min : pin::field;
}

std::size_t shortest_new(Role role) {
  return role == Role::user ? pin::new_user_min : pin::field;
}

Error wrong_length(Role role, const char* whose, std::size_t least) {
  return {ErrorKind::pin_length,
          std::string(whose) + " " + name(role) + " has " +
              (least < pin::field ? std::to_string(least) + " to " : std::string()) +
              "8 characters; nothing was sent to the card"};
}

/// Only digits were ever seen in a PIN [facts kzid B2]. One of three tries is too much for a
/// keyboard that stands on Cyrillic, or for the blank that was copied along.
Status check_digits(Role role, const char* whose, const SecretBytes& pin) {
  const auto view = pin.view();
  if (std::all_of(view.begin(), view.end(), [](auto c) { return c >= '0' && c <= '9'; })) return {};
  return Error{ErrorKind::pin_invalid, std::string(whose) + " " + name(role) +
                                           " has digits only; nothing was sent to the card"};
}

}  // namespace

Result<PinInfo> Pins::status(Role role) {
  PinInfo info;
  info.role = role;
  info.min_length = shortest(role);
  info.new_min_length = shortest_new(role);
  info.max_length = pin::field;
  if (role == Role::user) info.tries_max = pin::user_tries;
  info.logged_in = role_ == role;
  bool& tells = role == Role::user ? tells_user_ : tells_officer_;
  tells = false;
  const auto answer = place_.send(command::verify_status(role));
  if (!answer) {
    if (answer.error().kind == ErrorKind::refused) return info;
    return answer.error().within(std::string("asking for the state of the ") + name(role));
  }
  const auto status = answer->status;
  const auto tries = status.tries_left();
  tells = status.ok() || tries || status == apdu::sw::authentication_blocked;
  if (status.ok()) {
    info.logged_in = true;
  } else if (tells) {
    info.logged_in = false;
    info.tries_left = tries.value_or(0);
    info.blocked = info.tries_left == 0;
  }
  if (role_ == role && !info.logged_in) role_.reset();
  return info;
}

Status Pins::check(Role role, const SecretBytes& pin) {
  if (pin.size() < shortest(role) || pin.size() > pin::field)
    return wrong_length(role, "the", shortest(role));
  return check_digits(role, "the", pin);
}

Status Pins::check_new(Role role, const SecretBytes& pin) {
  if (pin.size() < shortest_new(role) || pin.size() > pin::field)
    return wrong_length(role, "a new", shortest_new(role));
  return check_digits(role, "a new", pin);
}

Status Pins::judge(Role role, const Result<apdu::ResponseApdu>& answer, const char* doing) {
  const std::string what = std::string(doing) + " the " + name(role);
  if (!answer) return answer.error().within(what);
  const auto status = answer->status;
  if (status.ok()) return {};
  if (role_ == role) role_.reset();  // a wrong PIN ends the login it was to renew
  const auto tries = status.tries_left();
  if (status == apdu::sw::authentication_blocked || tries == 0) return blocked(role, status);
  if (tries || status == apdu::sw::verification_failed) {
    return Error{ErrorKind::pin_incorrect, std::string("the ") + name(role) + " is wrong",
                 status.value, tries};
  }
  if (is_absent(status)) {
    return Error{ErrorKind::pin_not_set, std::string("the card has no ") + name(role),
                 status.value};
  }
  return pin_error(status, what);
}

/// Sends what may cost a try in the MF, where the PIN was seen verified [facts kzid B2]. Its
/// reference should mean the same PIN in every directory, but three tries are too few to find out.
Result<apdu::ResponseApdu> Pins::send(Command (*build)(Role, const SecretBytes&,
                                                       const SecretBytes&),
                                      Role role, const SecretBytes& pin, const SecretBytes& other) {
  if (auto status = place_.stand_in_master(); !status) return status.take_error();
  auto answer = place_.send(build(role, pin, other));
  if (answer && is_absent(answer->status)) {
    // Another program led the card somewhere else; nothing was compared.
    if (auto status = place_.select_master(); !status) return status.take_error();
    answer = place_.send(build(role, pin, other));
  }
  return answer;
}

Status Pins::login(Role role, const SecretBytes& pin) {
  if (auto may_be = check(role, pin); !may_be) return may_be;
  const auto verify = [](Role who, const SecretBytes& its_pin, const SecretBytes&) {
    return command::verify(who, its_pin);
  };
  return logged_in(role, judge(role, send(verify, role, pin, {}), "checking"));
}

Status Pins::login_from_pad(Role role) {
  const auto verify = [](Role who, const SecretBytes&, const SecretBytes&) {
    return command::verify_from_pad(who);
  };
  return logged_in(role, judge(role, send(verify, role, {}, {}), "checking"));
}

Status Pins::logged_in(Role role, const Status& judged) {
  if (!judged) return judged;
  role_ = role;
  may_be_open_ = true;
  return {};
}

Status Pins::change(Role role, const SecretBytes& old_pin, const SecretBytes& new_pin) {
  if (auto may_be = check(role, old_pin); !may_be) return may_be;
  if (auto fits = check_new(role, new_pin); !fits) return fits;
  auto done = judge(role, send(command::change_pin, role, old_pin, new_pin), "changing");
  // The card may take the old PIN for a login.
  if (done) may_be_open_ = true;
  return done;
}

Status Pins::reset_user(const SecretBytes& new_pin) {
  if (role_ != Role::security_officer) {
    return Error{ErrorKind::not_logged_in,
                 "unblocking the PIN needs the login with the unblocking code (PUK)"};
  }
  if (auto fits = check_new(Role::user, new_pin); !fits) return fits;
  const auto reset = [](Role, const SecretBytes& pin, const SecretBytes&) {
    return command::reset_counter(pin);
  };
  auto done = check_pin(send(reset, Role::user, new_pin, {}), "unblocking the PIN");
  if (!done && done.error().kind == ErrorKind::not_logged_in) lost();
  return done;
}

void Pins::forget() {
  role_.reset();
  may_be_open_ = false;
}

Status Pins::require_user(const char* what) const {
  if (role_ == Role::user) return {};
  return Error{ErrorKind::not_logged_in, std::string(what) + " needs the user's login"};
}

}  // namespace kilt::card::kzid
