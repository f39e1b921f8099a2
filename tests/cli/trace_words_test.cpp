// SPDX-License-Identifier: Apache-2.0
#include "cli/trace_words.hpp"

#include <gtest/gtest.h>

namespace kilt::cli {
namespace {

TracedStep explain(const std::string& command, const std::string& answer) {
  const auto file = apdu::VectorFile::parse("card: x\n> " + command + "\n< " + answer + "\n");
  EXPECT_TRUE(file);
  return explain_step(file->steps.at(0));
}

TEST(TraceWords, names_the_standards_commands) {
  EXPECT_EQ(explain("00 A4 08 04 02 50 00", "90 00").command, "SELECT, path from the MF");
  EXPECT_EQ(explain("00 B0 01 04 10", "{any} 90 00").command, "READ BINARY, offset 260");
  EXPECT_EQ(explain("00 2A 9E 9A 01 00 00", "{any:256} 90 00").command,
            "PERFORM SECURITY OPERATION, COMPUTE DIGITAL SIGNATURE");
  EXPECT_EQ(explain("10 2A 80 86 01 00", "90 00").command,
            "PERFORM SECURITY OPERATION, DECIPHER, more follows");
}

TEST(TraceWords, tells_a_question_from_a_try) {
  EXPECT_EQ(explain("00 20 00 02", "63 CA").command,
            "VERIFY, reference 02, state only, spends no try");
  EXPECT_EQ(explain("00 20 00 02 {pin}", "63 C9").command, "VERIFY, reference 02");
}

TEST(TraceWords, a_makers_command_is_not_taken_for_the_standards) {
  EXPECT_EQ(explain("80 A4 00 00", "90 00").command,
            "command 80 A4 of the card's maker (the standard's SELECT)");
  EXPECT_EQ(explain("80 8A 00 00", "90 00").command, "command 80 8A of the card's maker");
}

TEST(TraceWords, reads_the_status_word_after_a_placeholder) {
  const auto step = explain("00 84 00 00 08", "{rnd:8} 90 00");
  ASSERT_TRUE(step.status);
  EXPECT_EQ(step.status->value, 0x9000);
  EXPECT_EQ(step.meaning, "success");
  EXPECT_FALSE(explain("00 84 00 00 08", "{any}").status);
}

}  // namespace
}  // namespace kilt::cli
