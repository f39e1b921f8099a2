// SPDX-License-Identifier: Apache-2.0
#include "firmware-sim/profiles/kaztoken_rights.hpp"

#include <algorithm>

namespace kilt::sim::kaztoken {
namespace {

// Conditions [facts kaztoken §3.3].
constexpr std::uint8_t always = 0x00;
constexpr std::uint8_t by_so = 0x01;
constexpr std::uint8_t by_user = 0x02;
constexpr std::uint8_t by_either = 0x03;
constexpr std::uint8_t never = 0xFF;

constexpr std::size_t first_condition = 1;
constexpr std::size_t first_reserved = 8;

bool is_condition(std::uint8_t value) {
  return value <= by_either || value == never;
}

}  // namespace

// assumed: a card that takes malformed attributes would leave a file nobody can judge, so 6A80.
std::optional<SecurityAttributes> SecurityAttributes::parse(ByteView bytes) {
  if (bytes.size() != size) return std::nullopt;
  const auto conditions = bytes.subspan(first_condition, first_reserved - first_condition);
  const auto reserved = bytes.subspan(first_reserved);
  if (!std::all_of(conditions.begin(), conditions.end(), is_condition)) return std::nullopt;
  if (std::any_of(reserved.begin(), reserved.end(), [](auto b) { return b != 0; })) {
    return std::nullopt;
  }
  SecurityAttributes attributes;
  std::copy(bytes.begin(), bytes.end(), attributes.bytes_.begin());
  return attributes;
}

bool SecurityAttributes::grants(Access access, Role role) const {
  const auto bit = static_cast<unsigned>(access);
  if ((bytes_[0] >> bit & 1) == 0) return false;
  switch (bytes_[first_condition + bit]) {
    case always:
      return true;
    case by_so:
      return role == Role::so;
    case by_user:
      return role == Role::user;
    case by_either:
      return role != Role::nobody;
    default:
      return false;
  }
}

bool grants(ByteView attributes, Access access, Role role) {
  const auto parsed = SecurityAttributes::parse(attributes);
  return parsed && parsed->grants(access, role);
}

}  // namespace kilt::sim::kaztoken
