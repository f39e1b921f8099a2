// SPDX-License-Identifier: Apache-2.0
// VERIFY in its three forms, UPDATE KO, RESET RETRY COUNTER, logout [facts jacarta A4, A8, A16 #5,
// #6, #14, #16, #17]. The selected key object is the PIN.
#include <algorithm>
#include <array>

#include "apdu/tlv.hpp"
#include "firmware-sim/profiles/jacarta_laser.hpp"

namespace kilt::sim::jacarta {
namespace {

namespace sw = apdu::sw;

constexpr std::size_t challenge_size = 8;

apdu::StatusWord tries(std::uint8_t left) {
  constexpr std::uint16_t counter = 0x63C0;
  return {static_cast<std::uint16_t>(counter | left)};
}

struct SelectedPin {
  apdu::StatusWord status;
  Object object{};
};

SelectedPin selected_pin(const Laser& laser) {
  auto object = laser.selected_object(Kind::key_object);
  if (!object) return {sw::conditions_not_satisfied};
  // A logical expression has no value; the driver presents KO 20 in its place [facts jacarta A8].
  if (object->key_kind() != KeyKind::pin) return {sw::incompatible_file};
  return {sw::ok, std::move(*object)};
}

void set_tries(Laser& laser, const Object& pin, std::uint8_t left) {
  constexpr std::size_t tries_at = 0;
  laser.files.update(pin.path, tries_at, ByteView(&left, 1));
}

/// One try: spent in NVRAM before `matches` compares, given back when it did.
Reply present(Laser& laser, const Object& pin, const std::function<bool(ByteView value)>& matches) {
  PinBody body = laser.pin_body(pin);
  if (body.tries == 0) return sw::authentication_blocked;
  const auto left = static_cast<std::uint8_t>(body.tries - 1);
  laser.verified.erase(pin.path.text());
  set_tries(laser, pin, left);
  const bool same = matches(body.value);
  wipe(body.value);
  if (!same) return tries(left);
  set_tries(laser, pin, PinProperties::of(pin).max_tries);
  laser.verified.insert(pin.path.text());
  return sw::ok;
}

/// The same time for any candidate.
bool same_pin(ByteView value, ByteView candidate) {
  std::array<std::uint8_t, PinBody::longest> a{}, b{};
  std::copy_n(value.begin(), std::min(value.size(), a.size()), a.begin());
  std::copy_n(candidate.begin(), std::min(candidate.size(), b.size()), b.begin());
  unsigned difference = static_cast<unsigned>(value.size() ^ candidate.size());
  for (std::size_t i = 0; i < a.size(); ++i)
    difference |= a[i] ^ b[i];
  return difference == 0;
}

/// 3DES-CBC of the host's eight bytes and the card's challenge, under the first 16 bytes of
/// SHA-1(PIN) [facts jacarta A8].
bool proves_pin(ByteView value, ByteView cryptogram, ByteView challenge) {
  Bytes key = sha1(value);
  key.resize(des_key_size);
  const Bytes text = des3_decrypt(key, cryptogram);
  wipe(key);
  return equal(ByteView(text).subspan(challenge_size), challenge);
}

Reply change_pin(Laser& laser, const Object& object, ByteView value) {
  // The vendor's rules do not ask for secure messaging, its driver always uses it, and a real
  // card's rule is said to demand it: so a PIN in the clear is refused whatever the rule says
  // [facts jacarta A8, A16 #16].
  if (!laser.secured || !laser.allowed(object.rule(KeyOperation::update))) {
    return sw::security_status_not_satisfied;
  }
  apdu::BerReader reader(value);
  const auto pin = reader.expect(0x81);
  if (!pin || !reader.finish()) return sw::wrong_data;
  if (!PinProperties::of(object).accepts(pin->value, object.size)) return sw::wrong_data;
  PinBody body = laser.pin_body(object);
  body.value = copy_of(pin->value);
  Bytes cell = body.bytes();
  laser.files.update(object.path, 0, cell);
  wipe(cell);
  wipe(body.value);
  return sw::ok;
}

}  // namespace

Reply verify(Laser& laser, const Command& command) {
  if (command.p1_p2() != 0) return sw::wrong_p1_p2;
  const auto pin = selected_pin(laser);
  if (!pin.status.ok()) return pin.status;
  if (command.data.empty()) {
    if (laser.verified.count(pin.object.path.text()) != 0) return sw::ok;
    const auto left = laser.pin_body(pin.object).tries;
    return left == 0 ? sw::authentication_blocked : tries(left);
  }
  if (!laser.allowed(pin.object.rule(KeyOperation::use))) return sw::security_status_not_satisfied;
  return present(laser, pin.object, [&](ByteView value) { return same_pin(value, command.data); });
}

Reply verify_secure(Laser& laser, const Command& command) {
  const Bytes challenge = std::exchange(laser.challenge, {});
  if (command.p1_p2() != 0) return sw::wrong_p1_p2;
  if (command.data.size() != 2 * challenge_size) return sw::wrong_length;
  const auto pin = selected_pin(laser);
  if (!pin.status.ok()) return pin.status;
  // assumed: nothing to prove, no try spent.
  if (!PinProperties::of(pin.object).secure_verify || challenge.size() != challenge_size) {
    return sw::conditions_not_satisfied;
  }
  if (!laser.allowed(pin.object.rule(KeyOperation::use))) return sw::security_status_not_satisfied;
  return present(laser, pin.object,
                 [&](ByteView value) { return proves_pin(value, command.data, challenge); });
}

Reply update_key_object(Laser& laser, const Command& command) {
  if (command.p1_p2() != 0) return sw::wrong_p1_p2;
  const auto object = laser.selected_object(Kind::key_object);
  if (!object) return sw::conditions_not_satisfied;
  Bytes data = laser.chain.joined();
  apdu::BerReader reader(data);
  const auto value = reader.expect(apdu::tag::fcp_template);
  Reply reply = sw::wrong_data;
  if (value && reader.finish()) {
    switch (object->key_kind()) {
      case KeyKind::pin:
        reply = change_pin(laser, *object, value->value);
        break;
      case KeyKind::rsa:
        reply = import_rsa(laser, *object, value->value);
        break;
      case KeyKind::expression:
      case KeyKind::unknown:
        reply = sw::incompatible_file;
    }
  }
  wipe(data);
  return reply;
}

// Counts the unblocks as well; with none left the PIN stays blocked for ever [facts jacarta A7].
Reply reset_retry_counter(Laser& laser, const Command& command) {
  if (command.p1_p2() != 0) return sw::wrong_p1_p2;
  if (!command.data.empty()) return sw::wrong_length;
  const auto pin = selected_pin(laser);
  if (!pin.status.ok()) return pin.status;
  if (!laser.allowed(pin.object.rule(KeyOperation::reset))) {
    return sw::security_status_not_satisfied;
  }
  const auto unblocks = laser.pin_body(pin.object).unblocks;
  if (unblocks == 0) return sw::authentication_blocked;
  const std::uint8_t counters[] = {PinProperties::of(pin.object).max_tries,
                                   static_cast<std::uint8_t>(unblocks - 1)};
  laser.files.update(pin.object.path, 0, counters);
  return sw::ok;
}

// Per PIN `00 00` and its reference. No published program sends it [facts jacarta A16 #5]; that an
// unknown reference is no error is assumed.
Reply log_out(Laser& laser, const Command& command) {
  constexpr std::size_t entry = 4;
  if (command.p1_p2() != 0) return sw::wrong_p1_p2;
  const ByteView data = command.data;
  if (data.empty() || data.size() % entry != 0) return sw::wrong_length;
  for (std::size_t at = 0; at < data.size(); at += entry) {
    if (data[at] != 0 || data[at + 1] != 0) return sw::wrong_data;
  }
  for (std::size_t at = 0; at < data.size(); at += entry) {
    laser.verified.erase(FilePath::mf().child(be16(data[at + 2], data[at + 3])).text());
  }
  return sw::ok;
}

}  // namespace kilt::sim::jacarta
