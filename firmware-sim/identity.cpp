// SPDX-License-Identifier: Apache-2.0
#include "firmware-sim/identity.hpp"

#include <algorithm>
#include <cctype>

#include "firmware-sim/chip.hpp"

namespace kilt::sim {
namespace {

constexpr const char* identity_cell = "identity";
constexpr const char* starts_cell = "starts";

/// One length byte and the field, three times.
std::optional<ByteView> take_field(ByteView& rest) {
  if (rest.empty() || rest[0] > rest.size() - 1) return std::nullopt;
  const auto field = rest.subspan(1, rest[0]);
  rest = rest.subspan(1 + field.size());
  return field;
}

void put_field(Bytes& cell, ByteView field) {
  cell.push_back(static_cast<std::uint8_t>(field.size()));
  append(cell, field);
}

}  // namespace

std::optional<Identity> Identity::load(const Nvram& nvram) {
  const Bytes* cell = nvram.read(identity_cell);
  if (cell == nullptr) return std::nullopt;
  ByteView rest = *cell;
  const auto profile = take_field(rest);
  const auto atr = take_field(rest);
  const auto serial = take_field(rest);
  if (!profile || !atr || !serial) return std::nullopt;
  return Identity{as_text(*profile), copy_of(*atr), as_text(*serial)};
}

void Identity::store(Nvram& nvram) const {
  Bytes cell;
  put_field(cell, as_bytes(profile));
  put_field(cell, atr);
  put_field(cell, as_bytes(serial));
  nvram.write(identity_cell, cell);
}

std::string normal_serial(const std::string& digits) {
  constexpr std::size_t printed = 8;
  std::string serial(digits.size() < printed ? printed - digits.size() : 0, '0');
  for (char digit : digits) {
    serial.push_back(static_cast<char>(std::toupper(static_cast<unsigned char>(digit))));
  }
  return serial;
}

std::uint32_t count_start(Nvram& nvram) {
  std::uint32_t starts = 0;
  if (const Bytes* cell = nvram.read(starts_cell)) {
    for (auto byte : *cell)
      starts = starts << 8 | byte;
  }
  ++starts;
  Bytes cell;
  append_be16(cell, starts >> 16);
  append_be16(cell, starts & 0xFFFF);
  nvram.write(starts_cell, cell);
  return starts;
}

namespace {

Status check_factory(const Profile& profile, const ChipOptions& options) {
  if (options.factory.empty()) return {};
  if (options.blank) {
    return Error{ErrorKind::bad_argument, "a blank card has no factory PINs: give one of both"};
  }
  const auto& known = profile.factories;
  if (std::find(known.begin(), known.end(), options.factory) != known.end()) return {};
  return Error{ErrorKind::bad_argument, std::string("the card ") + profile.name +
                                            " is not delivered the way of " + options.factory};
}

}  // namespace

Status check_state(const Nvram& nvram, const Profile& profile, const ChipOptions& options) {
  if (auto delivery = check_factory(profile, options); !delivery) return delivery;
  constexpr std::size_t longest_serial = 16;
  constexpr std::size_t longest_atr = 33;  // [7816-3 §8.2]
  if (options.serial.size() > longest_serial ||
      options.serial.find_first_not_of("0123456789ABCDEFabcdef") != std::string::npos) {
    return Error{ErrorKind::bad_argument,
                 "a card's serial is at most 16 hex digits, not \"" + options.serial + "\""};
  }
  if (options.atr.size() == 1 || options.atr.size() > longest_atr) {
    return Error{ErrorKind::bad_argument, "an ATR has 2 to 33 bytes"};
  }
  const auto identity = Identity::load(nvram);
  if (!identity) return {};  // empty, or cut off while it was personalised: made anew
  if (identity->profile != profile.name) {
    return Error{ErrorKind::bad_argument, "the state file holds a card of the kind " +
                                              identity->profile + ", not " + profile.name};
  }
  if (!options.serial.empty() && normal_serial(options.serial) != identity->serial) {
    return Error{ErrorKind::bad_argument, "the state file holds the card with serial " +
                                              identity->serial + ", not " + options.serial};
  }
  return {};
}

}  // namespace kilt::sim
