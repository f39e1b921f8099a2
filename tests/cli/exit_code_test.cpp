// SPDX-License-Identifier: Apache-2.0
#include "cli/exit_code.hpp"

#include <gtest/gtest.h>

#include <set>

namespace kilt::cli {
namespace {

TEST(ExitCode, every_kind_of_error_is_explained_by_its_own_row) {
  std::set<std::string_view> reasons;
  for (int i = 0; i <= static_cast<int>(ErrorKind::internal); ++i) {
    const auto kind = static_cast<ErrorKind>(i);
    const Explanation& row = explain(kind);
    EXPECT_EQ(row.kind, kind) << to_string(kind);
    EXPECT_NE(row.exit, ExitCode::ok) << to_string(kind);
    EXPECT_TRUE(row.ckr.starts_with("CKR_")) << to_string(kind);
    EXPECT_FALSE(row.reason.empty() || row.reason.ends_with('.')) << to_string(kind);
    EXPECT_TRUE(row.hint.ends_with('.')) << to_string(kind);
    EXPECT_TRUE(reasons.insert(row.reason).second) << to_string(kind);
  }
}

TEST(ExitCode, the_documented_numbers) {
  const auto exit_of = [](ErrorKind kind) { return static_cast<int>(explain(kind).exit); };
  EXPECT_EQ(exit_of(ErrorKind::internal), 1);
  EXPECT_EQ(exit_of(ErrorKind::bad_argument), 2);
  EXPECT_EQ(exit_of(ErrorKind::no_service), 3);
  EXPECT_EQ(exit_of(ErrorKind::no_permission), 3);
  EXPECT_EQ(exit_of(ErrorKind::no_reader), 4);
  EXPECT_EQ(exit_of(ErrorKind::no_card), 4);
  EXPECT_EQ(exit_of(ErrorKind::removed), 4);
  EXPECT_EQ(exit_of(ErrorKind::unknown_card), 5);
  EXPECT_EQ(exit_of(ErrorKind::unsupported), 5);
  EXPECT_EQ(exit_of(ErrorKind::refused), 5);
  EXPECT_EQ(exit_of(ErrorKind::pin_incorrect), 6);
  EXPECT_EQ(exit_of(ErrorKind::pin_last_try), 6);
  EXPECT_EQ(exit_of(ErrorKind::pin_length), 6);
  EXPECT_EQ(exit_of(ErrorKind::pin_blocked), 7);
  EXPECT_EQ(exit_of(ErrorKind::verify_failed), 8);
  EXPECT_EQ(static_cast<int>(ExitCode::partial), 9);
}

TEST(ExitCode, what_a_card_calls_wrong_is_no_mistake_of_the_user) {
  EXPECT_EQ(explain(Error{ErrorKind::bad_argument, "--id is not hexadecimal"}).exit,
            ExitCode::usage);
  const Error from_card{ErrorKind::bad_argument, "reading a certificate", 0x6A80};
  EXPECT_EQ(explain(from_card).kind, ErrorKind::protocol);
  EXPECT_EQ(explain(from_card.within("listing the objects")).exit, ExitCode::failure);
  EXPECT_EQ(explain(Error{ErrorKind::pin_incorrect, "verifying", 0x63C2}).kind,
            ErrorKind::pin_incorrect);
}

}  // namespace
}  // namespace kilt::cli
