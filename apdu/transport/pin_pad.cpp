// SPDX-License-Identifier: Apache-2.0
#include "apdu/transport/pin_pad.hpp"

#include <algorithm>
#include <string>

namespace kilt::apdu {
namespace {

constexpr std::uint8_t seconds = 30;
/// Bytes as units, position 0 after the header, left-justified, ASCII.
constexpr std::uint8_t ascii_at_the_beginning = 0x82;
constexpr std::uint8_t key_pressed = 0x02;  ///< the person says that the PIN is complete
constexpr std::uint16_t english = 0x0409;
constexpr std::size_t fixed_size = 19;
constexpr std::size_t header = 5;  ///< CLA INS P1 P2 Lc

void append_le(Bytes& to, std::uint32_t value, std::size_t size) {
  for (std::size_t i = 0; i < size; ++i)
    to.push_back(static_cast<std::uint8_t>(value >> 8 * i));
}

Error odd(const char* what) {
  return {ErrorKind::bad_argument, std::string("PIN_VERIFY_STRUCTURE: ") + what};
}

}  // namespace

Bytes pin_verify_structure(ByteView command, const PinEntry& entry) {
  // A block's size fits four bits; 0 makes the reader fit Lc to what was typed.
  const std::size_t block = entry.is_whole_body ? 0 : command.size() - header;
  Bytes out{seconds, seconds, ascii_at_the_beginning, static_cast<std::uint8_t>(block & 0x0F), 0};
  append_le(out, static_cast<std::uint32_t>(entry.min_length << 8 | entry.max_length), 2);
  append(out, {key_pressed, 1});
  append_le(out, english, 2);
  append(out, {0, 0, 0, 0});  // message 0; the prologue of T=1 is the reader's affair
  append_le(out, static_cast<std::uint32_t>(command.size()), 4);
  append(out, command);
  return out;
}

Result<PinVerification> parse_pin_verify_structure(ByteView structure) {
  if (structure.size() < fixed_size + header) return odd("it is too short");
  const std::size_t size = structure[15] | structure[16] << 8 | std::size_t{structure[17]} << 16 |
                           std::size_t{structure[18]} << 24;
  const ByteView command = structure.subspan(fixed_size);
  if (size != command.size() || command[4] != command.size() - header) {
    return odd("its lengths do not agree");
  }
  if (structure[2] != ascii_at_the_beginning) {
    return odd("only ASCII at the beginning of the body is done here");
  }
  const std::uint8_t block = structure[3];
  if ((block & 0xF0) != 0 || structure[4] != 0) return odd("lengths in the command are not done");
  if (block > command.size() - header) return odd("its block is longer than the command");
  PinVerification asked;
  asked.command = copy_of(command);
  asked.entry = {structure[6], structure[5], block == 0};
  if (asked.entry.min_length > asked.entry.max_length) return odd("its lengths are impossible");
  return asked;
}

Result<SecretBytes> command_with_pin(const PinVerification& asked, ByteView pin) {
  const auto& entry = asked.entry;
  const std::size_t room = asked.command.size() - header;
  if (pin.size() < entry.min_length || pin.size() > entry.max_length ||
      (!entry.is_whole_body && pin.size() > room)) {
    return Error{ErrorKind::bad_argument, "what was typed is too short or too long"};
  }
  const std::size_t body = entry.is_whole_body ? pin.size() : room;
  SecretBytes whole(header + body);
  whole.append(ByteView(asked.command).first(header - 1));
  whole.append({static_cast<std::uint8_t>(body)});
  whole.append(pin);
  whole.append(ByteView(asked.command).subspan(header + std::min(room, pin.size())));
  return whole;
}

}  // namespace kilt::apdu
