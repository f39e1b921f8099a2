// SPDX-License-Identifier: Apache-2.0
#include "drivers/model.hpp"

#include <algorithm>
#include <bit>

namespace kilt::card {

const char* to_string(Evidence evidence) {
  switch (evidence) {
    case Evidence::published:
      return "published";
    case Evidence::observed:
      return "observed";
    case Evidence::related:
      return "related";
    case Evidence::assumed:
      return "assumed";
  }
  return "unknown";
}

std::size_t PublicKey::bits() const {
  // A GOST point is two coordinates of the key's size.
  if (type != KeyType::rsa) return point.size() * 4;
  std::size_t start = 0;
  while (start < modulus.size() && modulus[start] == 0)
    ++start;
  if (start == modulus.size()) return 0;
  return (modulus.size() - start - 1) * 8 +
         static_cast<std::size_t>(std::bit_width(modulus[start]));
}

bool Capability::has_size(std::size_t bits) const {
  if (!sizes.empty()) return std::find(sizes.begin(), sizes.end(), bits) != sizes.end();
  if (bits < min_bits || bits > max_bits) return false;
  if (bits_step == 0) return bits == min_bits || bits == max_bits;
  return (bits - min_bits) % bits_step == 0;
}

bool FactoryDefaults::has(Role role, const SecretBytes& pin) const {
  const auto is = [&](const std::string& known) {
    return !known.empty() && pin.equals(as_bytes(known));
  };
  return role == Role::user ? is(user_pin) || is(other_user_pin) : is(so_pin);
}

}  // namespace kilt::card
