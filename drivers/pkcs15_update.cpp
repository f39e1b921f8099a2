// SPDX-License-Identifier: Apache-2.0
#include "drivers/pkcs15_update.hpp"

#include <algorithm>

namespace kilt::card::pkcs15 {

std::optional<std::vector<Write>> plan_in_place(ByteView now, ByteView wanted, std::size_t size) {
  constexpr std::size_t step = 255;  // what one UPDATE BINARY of short length carries
  if (wanted.size() > size) return std::nullopt;
  const auto first = static_cast<std::size_t>(
      std::mismatch(now.begin(), now.end(), wanted.begin(), wanted.end()).first - now.begin());
  if (first == now.size() && first == wanted.size()) return std::vector<Write>{};

  Bytes change = copy_of(wanted.subspan(first));
  if (now.size() == wanted.size()) {
    while (change.back() == now[first + change.size() - 1])
      change.pop_back();
  } else if (wanted.size() < size) {
    change.push_back(0x00);  // ends the directory whatever stood behind it
  }
  // What is no longer needed is blanked as far as the one write reaches.
  const std::size_t old_end = now.size() > first ? now.size() - first : 0;
  if (wanted.size() < now.size() && change.size() < std::min(old_end, step)) {
    change.resize(std::min(old_end, step));
  }
  if (change.size() <= step) return std::vector<Write>{{first, std::move(change)}};

  // An addition stays unseen until its first byte, which is still the 00 that ends the directory.
  if (first != now.size()) return std::nullopt;
  std::vector<Write> writes;
  for (std::size_t at = step; at < change.size(); at += step) {
    const auto end = std::min(at + step, change.size());
    writes.push_back({first + at, Bytes(change.begin() + static_cast<std::ptrdiff_t>(at),
                                        change.begin() + static_cast<std::ptrdiff_t>(end))});
  }
  change.resize(step);
  writes.push_back({first, std::move(change)});
  return writes;
}

Bytes joined(const std::vector<Bytes>& entries) {
  Bytes all;
  for (const auto& entry : entries)
    append(all, entry);
  return all;
}

Bytes ended(ByteView content, std::size_t size) {
  Bytes all = copy_of(content);
  if (all.size() < size) all.push_back(0x00);
  return all;
}

}  // namespace kilt::card::pkcs15
