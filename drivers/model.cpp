// SPDX-License-Identifier: Apache-2.0
#include "drivers/model.hpp"

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

}  // namespace kilt::card
