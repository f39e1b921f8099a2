// SPDX-License-Identifier: Apache-2.0
// Every simulated card for tests of the whole module, with the PINs that it is delivered with.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <string>

namespace kilt::test {

struct TestCard {
  const char* profile;
  const char* user_pin;
  const char* officer_pin;  ///< of the ID card: the PUK
  unsigned long bits;       ///< of the shortest key that it makes
};

inline constexpr TestCard test_cards[] = {
    {"kaztoken", "12345678", "87654321", 1024},
    {"etoken72k", "1234567890", "00000000", 2048},
    {"jacarta", "1234567890", "00000000", 1024},
    {"kzid", "1234", "87654321", 2048},
};

inline std::string name_of_card(const ::testing::TestParamInfo<TestCard>& info) {
  return info.param.profile;
}

}  // namespace kilt::test
