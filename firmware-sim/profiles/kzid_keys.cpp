// SPDX-License-Identifier: Apache-2.0
// GENERATE, MSE and INTERNAL AUTHENTICATE as observed [facts jacarta B2, B5].
#include <algorithm>
#include <array>

#include "firmware-sim/profiles/kzid_card.hpp"

namespace kilt::sim::kzid {
namespace {

namespace sw = apdu::sw;

// What generation answers for an object that the card does not have [facts jacarta B2].
constexpr apdu::StatusWord command_not_allowed{0x6900};
// The bit of a reference that says "of this DF" [facts jacarta B2].
constexpr std::uint8_t local = 0x80;

bool begins_with(ByteView data, ByteView front) {
  return data.size() >= front.size() && std::equal(front.begin(), front.end(), data.begin());
}

/// The key reference in `A4 03 84 01 rr`, local bit and all.
std::optional<std::uint8_t> key_to_generate(ByteView data) {
  constexpr std::array<std::uint8_t, 4> front{0xA4, 0x03, 0x84, 0x01};
  if (data.size() != front.size() + 1 || !begins_with(data, front)) return std::nullopt;
  return data[front.size()];
}

/// In `95 01 40 84 01 rr 80 01 02`: usage internal authentication, algorithm RSA PKCS#1
/// [facts jacarta B2, C2]. assumed: no other order, usage or algorithm.
std::optional<std::uint8_t> key_to_use(ByteView data) {
  constexpr std::array<std::uint8_t, 5> front{0x95, 0x01, 0x40, 0x84, 0x01};
  constexpr std::array<std::uint8_t, 3> back{0x80, 0x01, 0x02};
  if (data.size() != front.size() + 1 + back.size() || !begins_with(data, front) ||
      !begins_with(data.subspan(front.size() + 1), back)) {
    return std::nullopt;
  }
  return data[front.size()];
}

bool has_key_object(const Card& card, std::uint8_t reference) {
  return (reference & local) != 0 &&
         card.has_key_object(static_cast<std::uint8_t>(reference & ~local));
}

/// EMSA-PKCS1-v1_5 [RFC 8017 §9.2] around exactly the bytes that were sent: the card pads and does
/// not hash [facts jacarta B2].
Bytes padded(ByteView digest_info) {
  constexpr std::size_t size = KeyObjects::bits / 8;
  Bytes block{0x00, 0x01};
  block.resize(size - digest_info.size() - 1, 0xFF);
  block.push_back(0x00);
  append(block, digest_info);
  return block;
}

}  // namespace

// Overwrites the pair that was there, and answers without data [facts jacarta B2].
Reply generate_key_pair(Card& card, const Command& command) {
  constexpr std::uint16_t into_object = 0x0200;
  if (command.p1_p2() != into_object) return sw::wrong_p1_p2;
  const auto reference = key_to_generate(command.data);
  if (!reference) return sw::wrong_data;
  // assumed: that there is no such object is said to anyone, as GET DATA does.
  if (!has_key_object(card, *reference)) return command_not_allowed;
  if (!card.verified.user) return sw::security_status_not_satisfied;
  auto key = RsaKey::generate(card.random, KeyObjects::bits);
  if (!key) return sw::execution_error;
  card.spend(timing::rsa_2048_generation);
  card.keys.store(static_cast<std::uint8_t>(*reference & ~local),
                  {key->modulus(), key->public_exponent()}, key->primes());
  return sw::ok;
}

// Never looks whether there is such a key [facts jacarta B2].
Reply manage_security_environment(Card& card, const Command& command) {
  constexpr std::uint8_t set_for_computation = 0x41;
  if (command.p1 != set_for_computation ||
      command.p2 != static_cast<std::uint8_t>(apdu::ControlTemplate::authentication)) {
    return sw::wrong_p1_p2;
  }
  const auto reference = key_to_use(command.data);
  if (!reference) return sw::wrong_data;
  card.authentication_key = *reference;
  return sw::ok;
}

// assumed: at most 40 % of the modulus, the rule of IAS-ECC [facts jacarta C2]; whether the bytes
// are a DigestInfo is not looked at.
Reply internal_authenticate(Card& card, const Command& command) {
  constexpr std::uint16_t with_current_key = 0x0200;
  constexpr std::size_t longest_digest_info = 102;
  if (command.p1_p2() != with_current_key) return sw::wrong_p1_p2;
  if (command.data.empty() || command.data.size() > longest_digest_info) return sw::wrong_length;
  if (!card.authentication_key) return sw::conditions_not_satisfied;
  if (!has_key_object(card, *card.authentication_key)) return sw::file_not_found;
  if (!card.verified.user) return sw::security_status_not_satisfied;
  const auto reference = static_cast<std::uint8_t>(*card.authentication_key & ~local);
  if (!card.keys.public_key(reference)) return sw::conditions_not_satisfied;  // empty; assumed
  const auto key = card.keys.private_key(reference);
  if (!key) return sw::memory_failure;
  card.spend(timing::rsa_2048_private);
  auto signature = key->private_operation(padded(command.data), card.random);
  if (!signature) return sw::memory_failure;
  return std::move(*signature);
}

}  // namespace kilt::sim::kzid
