// SPDX-License-Identifier: Apache-2.0
// GET CAPABILITY, GET CHALLENGE, and the key agreement of secure messaging [facts jacarta A4, A5,
// A10, A16].
#include "apdu/tlv.hpp"
#include "firmware-sim/profiles/jacarta_laser.hpp"

namespace kilt::sim::jacarta {
namespace {

namespace sw = apdu::sw;

constexpr std::size_t exponent_size = 32;  // bytes of y

}  // namespace

// Exactly 8, 3 and 5 bytes, or the vendor's driver refuses the card [facts jacarta A16]. What the
// last two mean is not public; assumed.
Reply get_capability(Laser& laser, const Command& command) {
  if (!command.data.empty()) return sw::wrong_length;
  switch (command.p1_p2()) {
    case 0x0114: {
      auto serial = from_hex(laser.configuration.serial);
      return serial ? Reply(std::move(*serial)) : Reply(sw::memory_failure);
    }
    case 0x0180:
      return Bytes{0x00, 0x00, 0x07};
    case 0x0188:
      return Bytes{0x04, 0x00, 0x08, 0x00, 0x10};
    default:
      return sw::reference_not_found;
  }
}

Reply get_challenge(Laser& laser, const Command& command) {
  if (command.p1_p2() != 0) return sw::wrong_p1_p2;
  if (!command.data.empty() || !command.ne) return sw::wrong_length;
  Bytes random = laser.random().bytes(*command.ne);
  laser.challenge = random;
  return random;
}

Reply offer_key_agreement(Laser& laser, const Command& command) {
  constexpr std::uint16_t parameters = 0x0080;
  if (command.p1_p2() != parameters) return sw::wrong_p1_p2;
  if (!command.data.empty()) return sw::wrong_length;
  laser.agreement.emplace(laser.random().bytes(exponent_size));
  laser.spend(timing::key_agreement);
  apdu::BerWriter answer;
  answer.put(0x80, KeyAgreement::generator())
      .put(0x81, KeyAgreement::modulus())
      .put(0x82, laser.agreement->public_value());
  return answer.bytes();
}

Reply open_or_close_channel(Laser& laser, const Command& command) {
  constexpr std::uint16_t close = 0xFFFF;
  if (laser.secured) return sw::conditions_not_satisfied;  // both come in the clear
  if (command.p1_p2() == close) {
    laser.channel.reset();
    return sw::ok;
  }
  if (command.p1_p2() != 0) return sw::wrong_p1_p2;
  // An offer is good for one channel; assumed.
  const auto agreement = std::exchange(laser.agreement, std::nullopt);
  if (!agreement) return sw::conditions_not_satisfied;
  if (command.data.empty() || !command.ne) return sw::wrong_length;
  auto shared = agreement->shared(command.data);
  if (!shared) return sw::wrong_data;
  laser.spend(timing::key_agreement);
  Bytes challenge = laser.random().bytes(SecureChannel::challenge_size);
  laser.channel.emplace(*shared, challenge);
  wipe(*shared);
  return challenge;
}

}  // namespace kilt::sim::jacarta
