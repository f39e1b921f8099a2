// SPDX-License-Identifier: Apache-2.0
// Public keys by GET DATA as observed [facts jacarta B2]; DELETE DATA and random numbers, assumed.
#include "apdu/tlv.hpp"
#include "firmware-sim/profiles/kzid_card.hpp"

namespace kilt::sim::kzid {
namespace {

namespace sw = apdu::sw;

constexpr std::uint16_t current_df = 0x3FFF;           // P1 P2 [facts jacarta B2]
constexpr std::uint32_t extended_header_list = 0x4D;   // [7816-4]
constexpr std::uint32_t public_key_template = 0x7F49;  // [7816-8]
constexpr std::uint32_t modulus_tag = 0x81;
constexpr std::uint32_t exponent_tag = 0x82;

/// `FF A0 rr` = the public half of key object rr. Quirk: IAS-ECC writes BF A0 rr inside a template
/// 70 [facts jacarta B2].
constexpr std::uint32_t public_object = 0xFFA000;

std::optional<std::uint8_t> reference_in(std::uint32_t tag) {
  constexpr std::uint32_t reference_bits = 0x7F;
  if ((tag & ~reference_bits) != public_object) return std::nullopt;
  return static_cast<std::uint8_t>(tag & reference_bits);
}

struct Wish {
  std::uint8_t reference = 0;
  std::vector<std::uint32_t> elements{};  ///< in the order of the answer
};

/// `4D L { FF A0 rr L { 7F 49 L { 81 00 [82 00] } } }`. Quirk: 00 asks for the whole element, where
/// ISO 7816-4 and IAS-ECC would say 80 [facts jacarta B2]. That 82 asks for the exponent is
/// assumed.
std::optional<Wish> parse_wish(ByteView data) {
  apdu::BerReader outer(data);
  auto list = outer.enter(extended_header_list);
  if (!list || !outer.finish()) return std::nullopt;
  const auto reference = reference_in(list->peek());
  if (!reference) return std::nullopt;
  auto object = list->enter(list->peek());
  if (!object || !list->finish()) return std::nullopt;
  auto key = object->enter(public_key_template);
  if (!key || !object->finish()) return std::nullopt;
  Wish wish{*reference};
  for (const auto tag : {modulus_tag, exponent_tag}) {
    const auto element = key->optional(tag);
    if (!element || (*element && !(*element)->value.empty())) return std::nullopt;
    if (*element) wish.elements.push_back(tag);
  }
  if (!key->finish() || wish.elements.empty()) return std::nullopt;
  return wish;
}

/// The object in `4D 03 FF A0 rr`.
std::optional<std::uint8_t> object_to_delete(ByteView data) {
  constexpr std::size_t size = 5;
  if (data.size() != size || data[0] != extended_header_list || data[1] != size - 2) {
    return std::nullopt;
  }
  return reference_in(std::uint32_t{data[2]} << 16 | be16(data[3], data[4]));
}

}  // namespace

// Without a login (assumed: it was seen after one only).
Reply get_data(Card& card, const Command& command) {
  if (command.p1_p2() != current_df) return sw::wrong_p1_p2;
  const auto wish = parse_wish(command.data);
  if (!wish) return sw::wrong_data;
  if (!card.has_key_object(wish->reference)) return sw::file_not_found;
  const auto key = card.keys.public_key(wish->reference);
  if (!key) return sw::reference_not_found;  // an empty object; assumed
  apdu::BerWriter elements;
  for (const auto tag : wish->elements)
    elements.put(tag, tag == modulus_tag ? key->modulus : key->exponent);
  apdu::BerWriter object;
  object.put(public_key_template, elements);
  return apdu::BerWriter().put(public_object | wish->reference, object).bytes();
}

// Empties a key object; the object itself stays (DELETE DATA of ISO 7816-9). assumed.
Reply delete_data(Card& card, const Command& command) {
  if (command.p1_p2() != current_df) return sw::wrong_p1_p2;
  const auto reference = object_to_delete(command.data);
  if (!reference) return sw::wrong_data;
  if (!card.has_key_object(*reference)) return sw::file_not_found;
  if (!card.verified.user) return sw::security_status_not_satisfied;
  if (!card.keys.public_key(*reference)) return sw::reference_not_found;
  card.keys.clear(*reference);
  return sw::ok;
}

// assumed: eight bytes at a time, as in IAS-ECC; another length is told so.
Reply get_challenge(Card& card, const Command& command) {
  constexpr std::size_t size = 8;
  if (command.p1_p2() != 0) return sw::wrong_p1_p2;
  if (!command.data.empty()) return sw::wrong_length;
  Reply reply(card.random.bytes(size));
  reply.repeatable = true;
  return reply;
}

}  // namespace kilt::sim::kzid
