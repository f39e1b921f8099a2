// SPDX-License-Identifier: Apache-2.0
// VERIFY, CHANGE REFERENCE DATA, RESET RETRY COUNTER, logout [facts kaztoken §3.5, §4.2, §4.3].
#include "firmware-sim/profiles/kaztoken_card.hpp"

namespace kilt::sim::kaztoken {
namespace {

namespace sw = apdu::sw;

constexpr std::uint8_t so_reference = 1;
constexpr std::uint8_t user_reference = 2;
constexpr apdu::StatusWord other_login_active{0x6F86};

Role role_of(std::uint8_t reference) {
  if (reference == so_reference) return Role::so;
  return reference == user_reference ? Role::user : Role::nobody;
}

apdu::StatusWord tries(std::uint8_t left) {
  constexpr std::uint16_t counter = 0x63C0;
  return {static_cast<std::uint16_t>(counter | left)};
}

/// Costs no try, whoever is logged in.
Reply query(const Card& card, std::uint8_t reference) {
  if (card.role != Role::nobody && card.role == role_of(reference)) return sw::ok;
  const auto left = card.pins.tries_left(reference);
  return left == 0 ? sw::authentication_blocked : tries(left);
}

/// The value of `80 02 <length BE> A5 <n> <bytes> ...` over all blocks of a chain. The length byte
/// behind A5 is a plain number, and every block begins with an object [facts kaztoken §4.3]. Empty:
/// malformed.
std::optional<Bytes> collect_value(const std::vector<Bytes>& blocks) {
  constexpr std::size_t header = 4;
  const Bytes& first = blocks.front();
  if (first.size() < header || first[0] != 0x80 || first[1] != 0x02) return std::nullopt;
  const std::size_t total = be16(first[2], first[3]);
  Bytes value;
  bool is_first = true;
  for (const ByteView block : blocks) {
    ByteView rest = block.subspan(std::exchange(is_first, false) ? header : 0);
    if (rest.empty()) return std::nullopt;
    while (!rest.empty()) {
      if (rest.size() < 2 || rest[0] != 0xA5 || rest[1] > rest.size() - 2) return std::nullopt;
      append(value, rest.subspan(2, rest[1]));
      rest = rest.subspan(2 + std::size_t{rest[1]});
    }
  }
  if (value.size() != total) return std::nullopt;
  return value;
}

Reply change_pin(Card& card, std::uint8_t reference, ByteView value) {
  const auto pin = card.pins.find(reference);
  if (!pin) return sw::reference_not_found;
  if (!card.allowed(pin->security, Access::update)) return sw::security_status_not_satisfied;
  // assumed: a PIN of a forbidden length is wrong data; the card keeps the old one.
  if (value.size() < pin->min_length || value.size() > PinStore::max_length) {
    return sw::wrong_data;
  }
  card.pins.set_value(reference, value);
  return sw::ok;
}

}  // namespace

Reply verify(Card& card, const Command& command) {
  if (command.p1 != 0) return sw::wrong_p1_p2;
  const std::uint8_t reference = command.p2;
  if (!card.pins.find(reference)) return sw::reference_not_found;
  if (command.data.empty()) return query(card, reference);
  // Also for the role that is active already, and in the initialisation phase [§10.1 #16].
  if (card.role != Role::nobody) return other_login_active;

  switch (card.pins.check(reference, command.data)) {
    case PinCheck::correct:
      card.role = role_of(reference);
      return sw::ok;
    case PinCheck::wrong:
      // Without the counter, also for the last try: the next query says 6983 [§10.1 #23].
      return sw::verification_failed;
    case PinCheck::blocked:
      return sw::authentication_blocked;
    case PinCheck::no_value:
      break;
  }
  return sw::reference_data_not_usable;  // assumed: a PIN file into which nothing was loaded
}

Reply change_reference_data(Card& card, const Command& command) {
  constexpr std::uint8_t new_value_only = 0x01;
  if (command.p1 != new_value_only) return sw::wrong_p1_p2;
  auto value = collect_value(card.chain.blocks());
  if (!value) return sw::wrong_data;
  Reply reply = command.p2 == 0 ? load_key(card, *value) : change_pin(card, command.p2, *value);
  wipe(*value);
  return reply;
}

Reply reset_retry_counter(Card& card, const Command& command) {
  constexpr std::uint8_t counter_only = 0x03;
  if (command.p1 != counter_only) return sw::wrong_p1_p2;
  if (!command.data.empty()) return sw::wrong_length;
  const auto pin = card.pins.find(command.p2);
  if (!pin) return sw::reference_not_found;
  if (!card.allowed(pin->security, Access::unblock)) return sw::security_status_not_satisfied;
  card.pins.reset_tries(command.p2);
  return sw::ok;
}

Reply log_out(Card& card, const Command& command) {
  if (command.p1_p2() != 0) return sw::wrong_p1_p2;
  card.role = Role::nobody;
  return sw::ok;
}

}  // namespace kilt::sim::kaztoken
