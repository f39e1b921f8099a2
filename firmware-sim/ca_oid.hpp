// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>

#include "apdu/bytes.hpp"

namespace kilt::sim {

/// The content octets of an OBJECT IDENTIFIER [X.690 §8.19] from dotted text, which must be right.
[[nodiscard]] inline Bytes encode_oid(const std::string& dotted) {
  Bytes content;
  std::uint64_t first = 0;
  std::size_t at = 0;
  for (int arc = 0; at < dotted.size(); ++arc) {
    std::size_t used = 0;
    std::uint64_t value = std::stoull(dotted.substr(at), &used);
    at += used + 1;
    if (arc == 0) {
      first = value;
      continue;
    }
    if (arc == 1) value += first * 40;
    Bytes digits{static_cast<std::uint8_t>(value & 0x7F)};
    while ((value >>= 7) != 0)
      digits.push_back(static_cast<std::uint8_t>(0x80 | (value & 0x7F)));
    append(content, reversed(digits));
  }
  return content;
}

}  // namespace kilt::sim
