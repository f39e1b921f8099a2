// SPDX-License-Identifier: Apache-2.0
#include "cli/text.hpp"

#include <gtest/gtest.h>

namespace kilt::cli {
namespace {

TEST(Printable, leaves_text_as_it_is) {
  EXPECT_EQ(printable("SIGN-1 қол қою 签 🔑"), "SIGN-1 қол қою 签 🔑");
}

TEST(Printable, disarms_what_steers_a_terminal) {
  EXPECT_EQ(printable("a\x1B[2Jb"), "a\\x1B[2Jb");
  EXPECT_EQ(printable("a\r\n\x7F"), "a\\x0D\\x0A\\x7F");
  EXPECT_EQ(printable("\xC2\x9B"), "\\xC2\\x9B");           // CSI as one C1 character
  EXPECT_EQ(printable("\xE2\x80\xAE"), "\\xE2\\x80\\xAE");  // right-to-left override
  EXPECT_EQ(printable(std::string_view("\0x", 2)), "\\x00x");
}

TEST(Printable, disarms_what_is_no_utf8) {
  EXPECT_EQ(printable("\xC3"), "\\xC3");
  EXPECT_EQ(printable("\xC0\x9B"), "\\xC0\\x9B");           // overlong
  EXPECT_EQ(printable("\xED\xA0\x80"), "\\xED\\xA0\\x80");  // a surrogate
  EXPECT_EQ(printable("\xF4\x90\x80\x80"), "\\xF4\\x90\\x80\\x80");
  EXPECT_EQ(printable("\xFFz"), "\\xFFz");
}

TEST(Utf8, is_told_from_what_is_none) {
  EXPECT_TRUE(is_utf8(""));
  EXPECT_TRUE(is_utf8("қол қою 签 🔑\n"));
  EXPECT_FALSE(is_utf8("a\xC3"));
  EXPECT_FALSE(is_utf8("\xED\xA0\x80"));
}

TEST(Sentence, ends_with_one_full_stop) {
  EXPECT_EQ(sentence("It failed"), "It failed.");
  EXPECT_EQ(sentence("Service not available."), "Service not available.");
}

TEST(Time, reads_iso_and_nothing_else) {
  EXPECT_EQ(from_iso_time("1970-01-02T00:00:00Z"), 86400);
  EXPECT_EQ(from_iso_time("2026-11-22T04:11:00Z"), 1795320660);
  EXPECT_FALSE(from_iso_time("2026-11-22"));
  EXPECT_FALSE(from_iso_time("2026-11-22T04:11:00Zx"));
  EXPECT_FALSE(from_iso_time(""));
}

TEST(Time, counts_days) {
  constexpr std::time_t day = 86400;
  EXPECT_EQ(validity(10 * day, 0, 22 * day + 5), "expires in 12 days");
  EXPECT_EQ(validity(10 * day, 0, 11 * day), "expires in 1 day");
  EXPECT_EQ(validity(10 * day, 0, 10 * day), "expires within a day");
  EXPECT_EQ(validity(10 * day, 0, 10 * day - 1), "expired within the last day");
  EXPECT_EQ(validity(10 * day, 0, 7 * day), "expired 3 days ago");
  EXPECT_EQ(validity(10 * day, 12 * day, 20 * day), "not valid for another 2 days");
}

}  // namespace
}  // namespace kilt::cli
