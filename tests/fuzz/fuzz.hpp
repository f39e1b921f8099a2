// SPDX-License-Identifier: Apache-2.0
// What a fuzz target is made of: one function that takes any bytes, aborts when something that
// must always hold does not, and is done within microseconds.
#pragma once

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <vector>

#include "apdu/bytes.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace kilt::fuzz {

/// A target may define this: inputs of the right shape, from which mutations start.
[[gnu::weak]] std::vector<Bytes> seeds();

inline void check(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "does not hold: %s\n", what);
  std::abort();
}

/// Reads numbers and strings off the front of an input; zeros and nothing once it is used up.
class Input {
 public:
  Input(const std::uint8_t* data, std::size_t size) : rest_(data, size) {}
  [[nodiscard]] bool empty() const { return rest_.empty(); }
  std::uint8_t u8() {
    if (rest_.empty()) return 0;
    const std::uint8_t value = rest_[0];
    rest_ = rest_.subspan(1);
    return value;
  }
  std::size_t u16() {
    const std::size_t high = u8();
    return high << 8 | u8();
  }
  ByteView take(std::size_t count) {
    const ByteView taken = rest_.first(count < rest_.size() ? count : rest_.size());
    rest_ = rest_.subspan(taken.size());
    return taken;
  }

 private:
  ByteView rest_;
};

}  // namespace kilt::fuzz
