// SPDX-License-Identifier: Apache-2.0
// CHALLENGE and LOGIN [facts etoken §5.4]; change and unblock of PINs, which are assumed.
#include "firmware-sim/profiles/etoken72k_commands.hpp"
#include "firmware-sim/profiles/etoken72k_crypto.hpp"

namespace kilt::sim::etoken72k {
namespace {

namespace sw = apdu::sw;

std::optional<Role> role_of(std::uint8_t p2) {
  switch (static_cast<Role>(p2)) {
    case Role::user:
      return Role::user;
    case Role::so:  // two sources differ (21 and 15); the facts prefer 21
      return Role::so;
    default:
      return std::nullopt;
  }
}

/// The tries of a role: spent before the comparison, given back only when it succeeded, so that
/// cutting the power in between gains nothing.
bool prove(Applet& applet, Role role, ByteView response, ByteView challenge, ByteView key) {
  applet.set_tries(role, static_cast<std::uint8_t>(applet.tries_left(role) - 1));
  applet.spend(timing::triple_des);
  const auto expected = SecretBytes::copy_of(response_to(challenge, key));
  if (!expected.equals(response)) return false;
  applet.reset_tries(role);
  return true;
}

/// `0F 14 salt 10 18 key`: the key wrapped under that of the role that is logged in, the IV a
/// challenge that was fetched for it.
Reply replace_credential(Applet& applet, Role whose, const Command& command) {
  ByteView rest = command.data;
  const auto salt = take(rest, tag::salt, salt_size);
  const auto wrapped = take(rest, tag::payload, key_size);
  if (!salt || !wrapped || !rest.empty()) return sw::wrong_data;
  const Bytes iv = std::exchange(applet.challenge, {});
  if (iv.empty()) return sw::conditions_not_satisfied;
  const auto own = applet.credential(applet.role);
  if (!own) return sw::security_status_not_satisfied;
  applet.spend(timing::triple_des);
  const SecretBytes key = unwrap_key(*wrapped, own->key.view(), iv);
  return applet.set_credential(whose, *salt, key.view());
}

}  // namespace

// Nothing but eight bytes at a time [facts etoken §5.2]. 5110 fetches another one with P1 = 01 for
// its secure messaging, which is of no use for a login.
Reply get_challenge(Applet& applet, const Command& command) {
  constexpr std::uint16_t for_secure_messaging = 0x0100;
  const bool for_login = command.p1_p2() == 0;
  if (!for_login &&
      (command.p1_p2() != for_secure_messaging || applet.configuration.model != Model::sc_5110)) {
    return sw::wrong_p1_p2;
  }
  if (!command.data.empty() || command.ne != block_size) return sw::wrong_length;
  Bytes challenge = applet.random().bytes(block_size);
  if (for_login) applet.challenge = challenge;
  return challenge;
}

Reply log_in(Applet& applet, const Command& command) {
  const auto role = role_of(command.p2);
  if (command.p1 != 0 || !role) return sw::wrong_p1_p2;
  ByteView rest = command.data;
  const auto response = take(rest, tag::payload, block_size);
  if (!response || !rest.empty()) return sw::wrong_data;

  const Bytes challenge = std::exchange(applet.challenge, {});  // good for one attempt
  applet.role = Role::nobody;  // assumed: an attempt ends the login before it
  const auto credential = applet.credential(*role);
  if (!credential) return sw::reference_data_not_usable;  // assumed: this PIN was never set
  if (applet.tries_left(*role) == 0) return sw::authentication_blocked;
  if (challenge.empty()) return sw::conditions_not_satisfied;  // assumed
  // Without a counter, also for the last try [facts etoken §5.4].
  if (!prove(applet, *role, *response, challenge, credential->key.view())) {
    return sw::verification_failed;
  }
  applet.role = *role;
  return sw::ok;
}

Reply change_pin(Applet& applet, const Command& command) {
  const auto role = role_of(command.p2);
  if (command.p1 != 0 || !role) return sw::wrong_p1_p2;
  if (applet.role != *role) return sw::security_status_not_satisfied;
  return replace_credential(applet, *role, command);
}

// The counter comes back after the new key stands: cut in between, the old PIN has gained no tries.
Reply set_user_pin(Applet& applet, const Command& command) {
  if (command.p1 != 0 || role_of(command.p2) != Role::user) return sw::wrong_p1_p2;
  if (applet.role != Role::so) return sw::security_status_not_satisfied;
  Reply reply = replace_credential(applet, Role::user, command);
  if (reply.status.ok()) applet.reset_tries(Role::user);
  return reply;
}

}  // namespace kilt::sim::etoken72k
