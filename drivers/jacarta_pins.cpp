// SPDX-License-Identifier: Apache-2.0
#include "drivers/jacarta_pins.hpp"

#include <sys/random.h>

#include "drivers/laser_sm.hpp"
#include "drivers/refusals.hpp"

namespace kilt::card::jacarta {
namespace {

/// The card does not know this command; it looked at no PIN.
bool is_no_command(apdu::StatusWord status) {
  return status == apdu::sw::ins_not_supported || status == apdu::sw::cla_not_supported ||
         status == apdu::sw::function_not_supported || status == apdu::sw::wrong_p1_p2;
}

/// A status word carries no proof of who sent it: were it enough for the plain form, whoever stands
/// between reader and program could ask for the PIN.
Error not_in_the_clear(apdu::StatusWord status) {
  return {
      ErrorKind::unsupported,
      "the card says that it takes the PIN hidden, and then that it cannot; the PIN is not sent "
      "in the clear",
      status.value};
}

/// After the new PIN was sent and no answer of the card's own came back. However the answer is
/// spoiled, what it would have said is lost: that is no refusal.
Error unknown_outcome(Role role, Error error) {
  if (error.kind == ErrorKind::verify_failed) error.kind = ErrorKind::protocol;
  return error.within(std::string("setting the ") + pin_name(role) +
                      "; the new PIN may be set or the old one may have stayed: connect the card "
                      "anew, and try the new one first");
}

}  // namespace

Result<Bytes> host_random(std::size_t count) {
  Bytes bytes(count);
  if (::getrandom(bytes.data(), bytes.size(), 0) != static_cast<ssize_t>(bytes.size())) {
    return Error{ErrorKind::internal, "the system gives no random bytes"};
  }
  return bytes;
}

PinFacts parse_pin_facts(ByteView properties) {
  constexpr std::uint8_t secure_verify = 0x40;
  constexpr std::size_t shown_size = 15, counters_at = 4;
  PinFacts facts;
  facts.allows_secure_verify = properties.empty() || (properties[0] & secure_verify) != 0;
  if (properties.size() <= counters_at) return facts;
  facts.tries_left = properties[counters_at] >> 4;
  const int most = properties[counters_at] & 0x0F;
  // Low half: what is allowed, as far as it makes sense [facts jacarta A7, inferred].
  if (most >= *facts.tries_left && most > 0) facts.tries_max = most;
  // Shown with a byte of unblocks that is not written.
  const std::size_t policy_at = counters_at + (properties.size() >= shown_size ? 2 : 1);
  if (properties.size() < policy_at + 2) return facts;
  const std::size_t least = properties[policy_at], longest = properties[policy_at + 1];
  facts.has_policy = longest != 0;
  if (facts.has_policy && least <= longest) {
    facts.min_length = least;
    facts.max_length = longest;
  }
  return facts;
}

std::optional<Role> Pins::role() const {
  if (applet_selections_ != files_.applet_selections()) return std::nullopt;
  return role_;
}

Result<Pins::State> Pins::status(Role role) {
  State state;
  PinInfo& info = state.info;
  info.role = role;
  info.min_length = info.new_min_length = pin::min_length;
  info.max_length = pin::max_length;
  const auto object = files_.select(pin::object(role));
  if (!object && object.error().kind == ErrorKind::not_found) {
    info.initialized = false;
    return state;
  }
  if (!object)
    return object.error().within(std::string("asking for the state of the ") + pin_name(role));
  state.facts = parse_pin_facts(object->properties);
  info.tries_left = state.facts.tries_left;
  info.tries_max = state.facts.tries_max;
  info.blocked = info.tries_left == 0;
  info.min_length = info.new_min_length = state.facts.min_length;
  info.max_length = state.facts.max_length;
  info.logged_in = this->role() == role;
  return state;
}

Status Pins::check_length(Role role, std::size_t length) {
  if (length >= pin::min_length && length <= pin::max_length) return {};
  return Error{ErrorKind::pin_length, std::string("the ") + pin_name(role) +
                                          " has 4 to 16 characters; nothing was sent to the card"};
}

Result<apdu::ResponseApdu> Pins::verify(const SecretBytes& pin, bool secure) {
  if (!secure) return files_.send(command::verify(pin));
  constexpr std::size_t random_size = 8;
  auto challenge = files_.send(command::challenge(random_size));
  if (!challenge) return challenge;
  if (is_no_command(challenge->status)) return not_in_the_clear(challenge->status);
  if (auto status = check(challenge, "asking for a challenge"); !status) return status.take_error();
  const auto ours = random_(random_size);
  if (!ours) return ours.error();
  auto cryptogram = laser::verify_cryptogram(pin.view(), *ours, challenge->data);
  if (!cryptogram) return cryptogram.take_error();
  auto answer = files_.send(command::verify_secure(*cryptogram));
  if (answer && is_no_command(answer->status)) return not_in_the_clear(answer->status);
  return answer;
}

Status Pins::judge(Role role, apdu::StatusWord status) {
  if (status.ok()) {
    role_ = role;
    applet_selections_ = files_.applet_selections();
    return {};
  }
  // A wrong PIN ends its own login.
  if (role_ == role) role_.reset();
  if (status == apdu::sw::authentication_blocked) return pin_blocked(role, status);
  Error wrong{ErrorKind::pin_incorrect, std::string("the ") + pin_name(role) + " is wrong",
              status.value};
  if (status.tries_left()) {
    if (*status.tries_left() == 0) return pin_blocked(role, status);
    wrong.tries_left = status.tries_left();
    return wrong;
  }
  if (status == apdu::sw::verification_failed) {
    files_.forget();
    if (const auto now = this->status(role)) wrong.tries_left = now->info.tries_left;
    return wrong;
  }
  return pin_error(status, std::string("checking the ") + pin_name(role));
}

Status Pins::login(Role role, const SecretBytes& pin) {
  if (auto length = check_length(role, pin.size()); !length) return length;
  if (this->role() && this->role() != role) {
    if (auto left = logout(); !left) return left;
  }
  auto state = status(role);
  if (!state) return state.take_error();
  if (!state->info.initialized) {
    return Error{ErrorKind::pin_not_set, std::string("the card has no ") + pin_name(role) + " yet",
                 apdu::sw::file_not_found.value};
  }
  if (state->info.blocked) return pin_blocked(role, apdu::sw::authentication_blocked);
  const auto answer = verify(pin, state->facts.allows_secure_verify);
  if (!answer) return answer.error().within(std::string("checking the ") + pin_name(role));
  return judge(role, answer->status);
}

Status Pins::login_for_transport() {
  const auto selected = files_.select(pin::transport);
  if (!selected) return selected.error().within("looking for the card's transport PIN");
  // Whether the card has it still is a guess each time; it must not be the one that blocks the PIN.
  // None left: no counter is shown, or the PIN is blocked, and then it costs nothing.
  constexpr int tries_kept = 2;
  const auto left = parse_pin_facts(selected->properties).tries_left;
  if (left && *left > 0 && *left <= tries_kept) {
    Error kept{
        ErrorKind::access_denied,
        "the card's transport PIN has " + std::to_string(*left) +
            " tries left, so the one that cards are shipped with is not tried again, and the "
            "card cannot be initialised"};
    kept.tries_left = *left;
    return kept;
  }
  const auto pin = SecretBytes::copy_of(as_bytes(pin::transport_default));
  const auto answer = files_.send(command::verify(pin));
  auto status = check_pin(answer, "checking the card's transport PIN");
  if (status) return {};
  files_.forget();  // it shows the tries
  const auto kind = status.error().kind;
  if (kind != ErrorKind::pin_incorrect && kind != ErrorKind::pin_blocked) return status;
  return Error{ErrorKind::access_denied,
               "the card's transport PIN is not the one that cards are shipped with, so it cannot "
               "be initialised",
               status.error().sw};
}

Status Pins::logout() {
  role_.reset();
  const auto answer = files_.send(command::logout());
  if (!answer) return answer.error().within("logging out");
  if (answer->ok()) return {};
  // Nobody saw a card take that command [facts jacarta A16 #5]; selecting the applet ends logins
  // too.
  return files_.select_applet();
}

Status Pins::store(Role role, const SecretBytes& new_pin) {
  const std::string what = std::string("setting the ") + pin_name(role);
  if (const auto selected = files_.select(pin::object(role)); !selected)
    return selected.error().within(what);
  const auto parameters = files_.send(command::dh_parameters());
  if (auto status = check(parameters, what.c_str()); !status) return status;
  const auto offered = laser::parse_dh_parameters(parameters->data);
  if (!offered) return offered.error().within(what);
  constexpr std::size_t exponent_size = 32;
  auto random = random_(exponent_size);
  if (!random) return random.take_error();
  const auto exponent = SecretBytes::copy_of(*random);
  wipe(*random);
  const auto agreed = laser::agree(*offered, exponent.view());
  if (!agreed) return agreed.error().within(what);
  const auto challenge = files_.send(command::open_channel(agreed->public_value));
  if (auto status = check(challenge, what.c_str()); !status) return status;
  auto keys = laser::derive_keys(agreed->shared.view(), challenge->data);
  if (!keys) return keys.take_error().within(what);
  auto& channel = link_.channel();
  laser::SecureChannel secure(std::move(*keys),
                              channel.transport().protocol() == apdu::Protocol::t0);
  channel.set_secure_messaging(&secure);
  const auto answer = files_.send(command::update_pin(new_pin));
  channel.set_secure_messaging(nullptr);
  if (!answer) {
    forget();
    files_.forget_applet();
    return unknown_outcome(role, answer.error());
  }
  if (const auto closed = files_.send(command::close_channel()); !closed) {
    // What the card said of the PIN stands. Selecting the applet ends the channel too, and logins
    // [facts jacarta A10].
    forget();
    files_.forget_applet();
  }
  return check_pin(answer, what.c_str());
}

Status Pins::reset_user_counter() {
  if (const auto selected = files_.select(pin::user); !selected) return selected.error();
  return check_pin(files_.send(command::reset_counter()), "unblocking the user PIN");
}

Status Pins::require_user(const char* what) const {
  if (role() == Role::user) return {};
  return Error{ErrorKind::not_logged_in, std::string(what) + " needs the user's login"};
}

}  // namespace kilt::card::jacarta
