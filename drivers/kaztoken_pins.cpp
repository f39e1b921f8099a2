// SPDX-License-Identifier: Apache-2.0
#include "drivers/kaztoken_pins.hpp"

#include "drivers/refusals.hpp"

namespace kilt::card::kaztoken {
namespace {

/// Somebody is logged in already, in this role or the other [facts kaztoken §4.10].
constexpr apdu::StatusWord login_active{0x6F86};

bool is_absent(apdu::StatusWord status) {
  return status == apdu::sw::reference_not_found || status == apdu::sw::file_not_found ||
         status == apdu::sw::reference_data_not_usable;
}

}  // namespace

Result<PinInfo> Pins::status(Role role) {
  PinInfo info;
  info.role = role;
  info.min_length = role == Role::user ? pin::user_min : pin::officer_min;
  info.new_min_length = role == Role::user ? pin::new_user_min : pin::officer_min;
  info.max_length = pin::max_length;
  const auto answer = link_.send(command::verify_status(pin::reference(role)));
  if (!answer)
    return answer.error().within(std::string("asking for the state of the ") + pin_name(role));
  const auto status = answer->status;
  if (status.ok()) {
    info.logged_in = true;
  } else if (const auto tries = status.tries_left()) {
    info.tries_left = tries;
    info.blocked = *tries == 0;
  } else if (status == apdu::sw::authentication_blocked) {
    info.tries_left = 0;
    info.blocked = true;
  } else if (is_absent(status)) {
    info.initialized = false;
  } else {
    return status_error(status, std::string("asking for the state of the ") + pin_name(role));
  }
  if (role_ == role && !info.logged_in) role_.reset();
  return info;
}

Status Pins::check_length(Role role, std::size_t length, bool is_new) {
  const std::size_t user_least = is_new ? pin::new_user_min : pin::user_min;
  const std::size_t least = role == Role::user ? user_least : pin::officer_min;
  if (length >= least && length <= pin::max_length) return {};
  return Error{ErrorKind::pin_length,
               std::string("the ") + pin_name(role) + " has " + std::to_string(least) + " to " +
                   std::to_string(pin::max_length) + " characters; nothing was sent to the card"};
}

Error Pins::wrong_pin(Role role) {
  Error error{ErrorKind::pin_incorrect, std::string("the ") + pin_name(role) + " is wrong",
              apdu::sw::verification_failed.value};
  // 6300 carries no counter; asking for it costs no try [facts kaztoken §4.2].
  const auto state = status(role);
  if (!state) return error;
  if (state->blocked) return pin_blocked(role, apdu::sw::authentication_blocked);
  error.tries_left = state->tries_left;
  return error;
}

Status Pins::login(Role role, const SecretBytes& pin) {
  if (auto length = check_length(role, pin.size(), false); !length) return length;
  return login(role, command::verify(pin::reference(role), pin));
}

Status Pins::login(Role role, const Command& verify) {
  if (role_) {
    if (auto left = logout(); !left) return left;
  }
  auto answer = link_.send(verify);
  if (answer && answer->status == login_active) {
    if (auto left = logout(); !left) return left;
    answer = link_.send(verify);
  }
  const std::string what = std::string("checking the ") + pin_name(role);
  if (!answer) return answer.take_error().within(what);
  const auto status = answer->status;
  if (status.ok()) {
    role_ = role;
    return {};
  }
  if (status == apdu::sw::authentication_blocked) return pin_blocked(role, status);
  if (const auto tries = status.tries_left()) {
    if (*tries == 0) return pin_blocked(role, status);
    return Error{ErrorKind::pin_incorrect, std::string("the ") + pin_name(role) + " is wrong",
                 status.value, tries};
  }
  if (status == apdu::sw::verification_failed) return wrong_pin(role);
  if (is_absent(status)) {
    return Error{ErrorKind::pin_not_set, std::string("the card has no ") + pin_name(role) + " yet",
                 status.value};
  }
  return pin_error(status, what);
}

Status Pins::logout() {
  role_.reset();
  return check(link_.send(command::logout()), "logging out");
}

Status Pins::load(Role role, const SecretBytes& new_pin) {
  return check_pin(
      link_.send(command::load_value(pin::reference(role), new_pin.view())),
      role == Role::user ? "setting the user PIN" : "setting the security officer's PIN");
}

Status Pins::reset_user_counter() {
  return check_pin(link_.send(command::reset_counter(pin::user)), "unblocking the user PIN");
}

Status Pins::require_user(const char* what) const {
  if (role_ == Role::user) return {};
  return Error{ErrorKind::not_logged_in, std::string(what) + " needs the user's login"};
}

}  // namespace kilt::card::kaztoken
