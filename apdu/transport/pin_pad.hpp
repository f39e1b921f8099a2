// SPDX-License-Identifier: Apache-2.0
// A PIN typed on the reader's own keys: the structure in which a reader is told where in a command
// it goes [PC/SC part 10 §2.5.2, PIN_VERIFY_STRUCTURE]. Numbers in it are little-endian.
#pragma once

#include <cstdint>

#include "apdu/bytes.hpp"
#include "apdu/result.hpp"

namespace kilt::apdu {

/// What a person may type, and where it goes. The PIN travels as ASCII, left-justified.
struct PinEntry {
  std::size_t min_length = 4, max_length = 8;  ///< characters
  /// The command's body is the PIN alone, as long as it was typed. Otherwise the PIN is laid over
  /// the beginning of the body that the command has, which is filler.
  bool is_whole_body = true;

  bool operator==(const PinEntry&) const = default;
};

/// `command`: case 3, its body empty (Lc 0) or filler.
[[nodiscard]] Bytes pin_verify_structure(ByteView command, const PinEntry& entry);

struct PinVerification {
  Bytes command;
  PinEntry entry;
};
/// The other way round, for a reader. bad_argument for a structure that asks for what we cannot do:
/// BCD, lengths inside the command, another justification.
Result<PinVerification> parse_pin_verify_structure(ByteView structure);
/// The command that a reader sends when `pin` was typed. bad_argument if its length is not allowed.
Result<SecretBytes> command_with_pin(const PinVerification& asked, ByteView pin);

/// What readers answer by themselves, in place of the card [PC/SC part 10 §2.5.2].
namespace pad_status {
inline constexpr std::uint16_t timed_out = 0x6400, cancelled = 0x6401, wrong_length = 0x6403;
}

}  // namespace kilt::apdu
