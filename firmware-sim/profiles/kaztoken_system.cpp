// SPDX-License-Identifier: Apache-2.0
// Random numbers, card information, life cycle [facts kaztoken §4.6-§4.8, §10.1 #27, #28].
#include "firmware-sim/profiles/kaztoken_card.hpp"

namespace kilt::sim::kaztoken {
namespace {

namespace sw = apdu::sw;

enum class DataObject : std::uint16_t { serial = 0x0181, information = 0x0189, memory = 0x018C };

Bytes serial_number(const Card& card) {
  constexpr std::size_t digits = 16;
  std::string text = card.configuration.serial;
  text.insert(0, digits - std::min(digits, text.size()), '0');
  return from_hex(text).value_or(Bytes(digits / 2));
}

// Type 01 (ECP), hardware 3.3, memory in units of 8 KiB, protocol 1, firmware 18.0; then the
// versions again. The shape is published for relatives, the figures of a Kaztoken are assumed.
Bytes information(const Card& card) {
  constexpr std::size_t unit = std::size_t{8} * 1024;
  const auto memory = static_cast<std::uint8_t>(card.configuration.memory / unit);
  return {0x01, 0x33, memory, 0x01, 0x12, 0x00, 0x03, 0x12, 0x00, 0x01, 0x00, 0x00};
}

// The beginning is that of a published sample, whose meaning is unknown; that free memory follows
// as four bytes is assumed.
Bytes memory(const Card& card) {
  Bytes answer{0x9F, 0x00, 0x41, 0x00, 0xB0, 0x02, 0x02, 0x00};
  const std::size_t free = card.files.free_memory();
  append_be16(answer, free >> 16);
  append_be16(answer, free & 0xFFFF);
  return answer;
}

std::optional<Bytes> data_object(const Card& card, std::uint16_t which) {
  switch (static_cast<DataObject>(which)) {
    case DataObject::serial:
      return serial_number(card);
    case DataObject::information:
      return information(card);
    case DataObject::memory:
      return memory(card);
  }
  return std::nullopt;
}

}  // namespace

Reply get_challenge(Card& card, const Command& command) {
  if (command.p1_p2() != 0) return sw::wrong_p1_p2;
  const auto count = card.wanted(command);
  if (!count || !command.data.empty()) return sw::wrong_length;
  return card.random.bytes(*count);
}

Reply get_data(Card& card, const Command& command) {
  if (!card.wanted(command) || !command.data.empty()) return sw::wrong_length;
  auto object = data_object(card, command.p1_p2());
  if (!object) return sw::reference_not_found;
  Reply reply(std::move(*object));
  reply.repeatable = true;
  return reply;
}

// Unprotected and destructive: drivers send it without any login to a card in use [§10.1 #27].
Reply begin_initialisation(Card& card, const Command& command) {
  if (command.p1_p2() != 0) return sw::wrong_p1_p2;
  if (!command.data.empty()) return sw::wrong_length;
  card.erase();
  return sw::ok;
}

Reply end_initialisation(Card& card, const Command& command) {
  constexpr std::uint16_t magic = 0x4E19;
  if (command.p1_p2() != magic) return sw::wrong_p1_p2;
  if (!command.data.empty()) return sw::wrong_length;
  // assumed: only in that phase, and only where there is something to protect.
  if (card.phase() != Phase::initialisation || !card.files.find(FilePath::mf())) {
    return sw::conditions_not_satisfied;
  }
  card.set_phase(Phase::operational);
  card.role = Role::nobody;  // assumed: OpenSC passes with either reading [§10.1 #28]
  return sw::ok;
}

}  // namespace kilt::sim::kaztoken
