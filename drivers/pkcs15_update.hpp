// SPDX-License-Identifier: Apache-2.0
// How a directory of ISO/IEC 7816-15 changes in place, so that a power cut at any moment leaves the
// old one or the new. Pure functions.
#pragma once

#include <optional>
#include <vector>

#include "apdu/bytes.hpp"

namespace kilt::card::pkcs15 {

/// One step of a change in place.
struct Write {
  std::size_t offset = 0;
  Bytes data;
};
/// How to change a directory file of `size` bytes, in order; only the last write is seen by a
/// reader. Nothing when that cannot be done in place.
[[nodiscard]] std::optional<std::vector<Write>> plan_in_place(ByteView now, ByteView wanted,
                                                              std::size_t size);

/// Entries one behind the other, as a directory file holds them.
[[nodiscard]] Bytes joined(const std::vector<Bytes>& entries);
/// With the 00 that ends a directory, where there is room for it: a new file is empty as far as we
/// know, and this way it need not be.
[[nodiscard]] Bytes ended(ByteView content, std::size_t size);

}  // namespace kilt::card::pkcs15
