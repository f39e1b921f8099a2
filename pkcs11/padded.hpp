// SPDX-License-Identifier: Apache-2.0
// Fixed fields of Cryptoki: filled with blanks, without an end mark [P11 3.1 §3.1].
#pragma once

#include <algorithm>
#include <cstddef>
#include <string>
#include <string_view>

#include "pkcs11/cryptoki.hpp"

namespace kilt::p11 {

/// `text` cut to the field, not within a UTF-8 character.
template <std::size_t N>
void pad(CK_BYTE (&field)[N], std::string_view text) {
  std::size_t size = std::min(N, text.size());
  while (size > 0 && size < text.size() && (static_cast<unsigned char>(text[size]) & 0xC0) == 0x80)
    --size;
  std::fill(std::begin(field), std::end(field), CK_BYTE{' '});
  std::copy_n(text.begin(), size, std::begin(field));
}

/// The last N octets of a longer text: of a serial number the end tells devices apart.
template <std::size_t N>
void pad_end(CK_BYTE (&field)[N], std::string_view text) {
  pad(field, text.substr(text.size() - std::min(N, text.size())));
}

/// The text of a padded field, without the blanks.
[[nodiscard]] inline std::string unpadded(const CK_BYTE* field, std::size_t size) {
  while (size > 0 && (field[size - 1] == ' ' || field[size - 1] == 0))
    --size;
  return {field, field + size};
}

}  // namespace kilt::p11
