// SPDX-License-Identifier: Apache-2.0
// VERIFY as observed [facts jacarta B2]; CHANGE REFERENCE DATA and RESET RETRY COUNTER by
// ISO 7816-4 §11.6.7 and §11.6.9, assumed.
#include <algorithm>

#include "firmware-sim/profiles/kzid_card.hpp"

namespace kilt::sim::kzid {
namespace {

namespace sw = apdu::sw;

apdu::StatusWord tries(std::uint8_t left) {
  constexpr std::uint16_t counter = 0x63C0;
  return {static_cast<std::uint16_t>(counter | left)};
}

bool& verified_flag(Card& card, std::uint8_t reference) {
  return reference == puk_reference ? card.verified.puk : card.verified.user;
}

/// Costs no try. assumed.
Reply query(Card& card, std::uint8_t reference) {
  const auto left = card.pins.tries_left(reference);
  if (left == 0) return sw::authentication_blocked;
  return verified_flag(card, reference) ? Reply(sw::ok) : Reply(tries(left));
}

/// Compares, and spends a try when it is wrong. The last wrong one is answered 63C0, every further
/// attempt 6983 [facts jacarta B5]. assumed: a wrong PIN ends the login that there was.
apdu::StatusWord compare(Card& card, std::uint8_t reference, ByteView field) {
  switch (card.pins.check(reference, field)) {
    case PinCheck::correct:
      return sw::ok;
    case PinCheck::wrong:
      verified_flag(card, reference) = false;
      return tries(card.pins.tries_left(reference));
    case PinCheck::blocked:
      return sw::authentication_blocked;
    case PinCheck::no_value:
      break;
  }
  return sw::reference_data_not_usable;
}

/// assumed: a user's PIN is digits, since what is shorter is filled up with '0'; of the PUK only
/// the length matters.
bool acceptable(std::uint8_t reference, ByteView field) {
  return reference == puk_reference ||
         std::all_of(field.begin(), field.end(), [](auto c) { return c >= '0' && c <= '9'; });
}

}  // namespace

// assumed: a field of another length is no attempt, and costs no try.
Reply verify(Card& card, const Command& command) {
  if (command.p1 != 0) return sw::wrong_p1_p2;
  const std::uint8_t reference = command.p2;
  if (!card.pins.find(reference)) return sw::reference_not_found;
  if (command.data.empty()) return query(card, reference);
  if (command.data.size() != pin_field) return sw::wrong_length;
  const auto status = compare(card, reference, command.data);
  if (status.ok()) verified_flag(card, reference) = true;
  return status;
}

// Old and new value one after the other [7816-4 §11.6.7]. assumed: a new value that the card would
// not take costs no try, and success neither logs in nor out.
Reply change_reference_data(Card& card, const Command& command) {
  constexpr std::uint8_t old_and_new = 0x00;
  if (command.p1 != old_and_new) return sw::wrong_p1_p2;
  const std::uint8_t reference = command.p2;
  if (!card.pins.find(reference)) return sw::reference_not_found;
  if (command.data.size() != 2 * pin_field) return sw::wrong_length;
  const ByteView replacement = ByteView(command.data).subspan(pin_field);
  if (!acceptable(reference, replacement)) return sw::wrong_data;
  const auto status = compare(card, reference, ByteView(command.data).first(pin_field));
  if (!status.ok()) return status;
  card.pins.set_value(reference, replacement);
  return sw::ok;
}

// The PUK is verified before, and the new PIN follows in the clear [7816-4 §11.6.9, P1 = 02].
// assumed, like everything about the PUK: nobody resets the PUK's own counter, and the user has to
// log in with the new PIN. The value is written first: a card whose power is cut in between is
// still blocked, and the old PIN is not given new tries.
Reply reset_retry_counter(Card& card, const Command& command) {
  constexpr std::uint8_t new_value_only = 0x02;
  if (command.p1 != new_value_only) return sw::wrong_p1_p2;
  if (command.p2 != user_reference) return sw::reference_not_found;
  if (command.data.size() != pin_field) return sw::wrong_length;
  if (!card.verified.puk) return sw::security_status_not_satisfied;
  if (!acceptable(user_reference, command.data)) return sw::wrong_data;
  card.verified.user = false;
  card.pins.set_value(user_reference, command.data);
  card.pins.reset_tries(user_reference);
  return sw::ok;
}

}  // namespace kilt::sim::kzid
