// SPDX-License-Identifier: Apache-2.0
#include "firmware-sim/profiles/etoken72k_acl.hpp"

#include <algorithm>

namespace kilt::sim::etoken72k {
namespace {

bool is_condition(std::uint8_t value) {
  return value == Acl::free || value == Acl::by_user || value == Acl::by_so || value == Acl::never;
}

}  // namespace

// assumed: a value that nobody could satisfy by accident is refused when the file is made.
std::optional<Acl> Acl::parse(ByteView bytes) {
  if (bytes.size() != size || !std::all_of(bytes.begin(), bytes.end(), is_condition)) {
    return std::nullopt;
  }
  std::array<std::uint8_t, size> copy{};
  std::copy(bytes.begin(), bytes.end(), copy.begin());
  return Acl(copy);
}

bool Acl::grants(Access access, Role role) const {
  const std::uint8_t condition = bytes_[static_cast<std::size_t>(access)];
  if (condition == free) return true;
  return condition != never && condition == static_cast<std::uint8_t>(role);
}

bool Acl::is_free(Access access) const {
  return bytes_[static_cast<std::size_t>(access)] == free;
}

}  // namespace kilt::sim::etoken72k
