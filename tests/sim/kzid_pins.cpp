// SPDX-License-Identifier: Apache-2.0
// The user's PIN and the PUK [facts jacarta B2, B3, B5].
#include "tests/sim/kzid_test_card.hpp"

namespace kilt::sim::test {
namespace {

using namespace kzid_commands;

// 12345678, 98765432 as digits.
const char* const change_to_12345678 = "00 24 00 02 10 3132333430303030 3132333435363738";
const char* const verify_12345678 = "00 20 00 02 08 3132333435363738";
const char* const change_with_wrong_old = "00 24 00 02 10 3939393939393939 3132333435363738";
const char* const unblock_to_12345678 = "00 2C 02 02 08 3132333435363738";
const char* const verify_wrong_puk = "00 20 00 01 08 3030303030303030";
const char* const change_puk = "00 24 00 01 10 3837363534333231 4142434445464748";

void block_user(KzidCard& card) {
  for (const char* answer : {"63C2", "63C1", "63C0"})
    EXPECT_EQ(card.send(verify_wrong), answer);
}

TEST(KzidPin, ThreeTriesAndThenBlocked) {
  KzidCard card;
  EXPECT_EQ(card.send(query_user), "63C3");
  block_user(card);
  EXPECT_EQ(card.send(verify_wrong), "6983");
  EXPECT_EQ(card.send(verify_user), "6983");
  EXPECT_EQ(card.send(query_user), "6983");
  card.power_cycle();
  EXPECT_EQ(card.send(verify_user), "6983");
  EXPECT_EQ(card.send(query_puk), "63CA");  // the PUK is another matter
}

TEST(KzidPin, TheRightOneGivesTheTriesBack) {
  KzidCard card;
  EXPECT_EQ(card.send(verify_wrong), "63C2");
  EXPECT_EQ(card.send(verify_wrong), "63C1");
  EXPECT_EQ(card.send(query_user), "63C1");
  card.log_in();
  EXPECT_EQ(card.send(query_user), "9000");
  card.reset();
  EXPECT_EQ(card.send(query_user), "63C3");
}

TEST(KzidPin, TheQueryCostsNothingInAnyEncoding) {
  KzidCard card;
  for (int i = 0; i < 5; ++i) {
    EXPECT_EQ(card.send("00 20 00 02"), "63C3");
    EXPECT_EQ(card.send("00 20 00 02 00"), "63C3");  // T=0 has no case 1 of four bytes
  }
}

TEST(KzidPin, TheLoginSurvivesEverySelectionAndNoReset) {
  KzidCard card;
  card.enter();
  EXPECT_EQ(card.send(query_user), "9000");
  EXPECT_EQ(card.send(select_mf), "9000");
  EXPECT_EQ(card.send(query_user), "9000");
  EXPECT_EQ(card.send("00 A4 02 0C 02 2F02"), "9000");
  EXPECT_EQ(card.send(query_user), "9000");
  card.reset();
  EXPECT_EQ(card.send(query_user), "63C3");
  card.log_in();
  card.power_cycle();
  EXPECT_EQ(card.send(query_user), "63C3");
}

TEST(KzidPin, CanBeVerifiedInTheDfToo) {
  KzidCard card;
  EXPECT_EQ(card.send(select_df), "9000");
  card.log_in();
  EXPECT_EQ(card.send(query_user), "9000");
}

TEST(KzidPin, AWrongOneEndsTheLogin) {
  KzidCard card;
  card.log_in();
  card.log_in();  // twice is no error
  EXPECT_EQ(card.send(verify_wrong), "63C2");
  EXPECT_EQ(card.send(query_user), "63C2");
}

TEST(KzidPin, OnlyAFieldOfEightIsAnAttempt) {
  KzidCard card;
  for (const char* field : {"01 31", "04 31323334", "07 31323334303030", "09 313233343030303030"})
    EXPECT_EQ(card.send(std::string("00 20 00 02") + field), "6700") << field;
  EXPECT_EQ(card.send("00 20 00 03 08 3132333430303030"), "6A88");
  EXPECT_EQ(card.send("00 20 00 82 08 3132333430303030"), "6A88");
  EXPECT_EQ(card.send("00 20 01 02 08 3132333430303030"), "6A86");
  EXPECT_EQ(card.send("00 20 00 00"), "6A88");
  EXPECT_EQ(card.send(query_user), "63C3");
}

TEST(KzidPin, IsChangedByWhoKnowsTheOldOne) {
  KzidCard card;
  EXPECT_EQ(card.send(change_to_12345678), "9000");
  EXPECT_EQ(card.send(query_user), "63C3");  // a change is no login
  EXPECT_EQ(card.send(verify_user), "63C2");
  EXPECT_EQ(card.send(verify_12345678), "9000");
  card.power_cycle();
  EXPECT_EQ(card.send(verify_12345678), "9000");
}

TEST(KzidPin, AWrongOldOneCostsATryAndTheLogin) {
  KzidCard card;
  card.log_in();
  EXPECT_EQ(card.send(change_with_wrong_old), "63C2");
  EXPECT_EQ(card.send(query_user), "63C2");
  EXPECT_EQ(card.send(change_with_wrong_old), "63C1");
  EXPECT_EQ(card.send(change_with_wrong_old), "63C0");
  EXPECT_EQ(card.send(change_to_12345678), "6983");
  EXPECT_EQ(card.send(verify_user), "6983");
}

TEST(KzidPin, ASuccessfulChangeLeavesALoginAlone) {
  KzidCard card;
  card.log_in();
  EXPECT_EQ(card.send(change_to_12345678), "9000");
  EXPECT_EQ(card.send(query_user), "9000");
}

TEST(KzidPin, AChangeThatCannotBeMeantCostsNoTry) {
  KzidCard card;
  EXPECT_EQ(card.send("00 24 00 02 10 3132333430303030 313233343536373A"), "6A80");  // no digit
  EXPECT_EQ(card.send("00 24 00 02 10 3939393939393939 4142434445464748"), "6A80");
  EXPECT_EQ(card.send("00 24 00 02 10 3132333430303030 31323334FFFFFFFF"), "6A80");
  EXPECT_EQ(card.send("00 24 00 02 08 3132333435363738"), "6700");
  EXPECT_EQ(card.send("00 24 00 02 11 3132333430303030 313233343536373839"), "6700");
  EXPECT_EQ(card.send("00 24 00 02"), "6700");
  EXPECT_EQ(card.send("00 24 01 02 08 3132333435363738"), "6A86");
  EXPECT_EQ(card.send("00 24 00 05 10 3132333430303030 3132333435363738"), "6A88");
  EXPECT_EQ(card.send(query_user), "63C3");
  card.log_in();
}

TEST(KzidPin, ThePukUnblocksWithANewPin) {
  KzidCard card;
  block_user(card);
  EXPECT_EQ(card.send(unblock_to_12345678), "6982");
  card.log_in_puk();
  EXPECT_EQ(card.send(unblock_to_12345678), "9000");
  EXPECT_EQ(card.send(query_user), "63C3");
  EXPECT_EQ(card.send(verify_user), "63C2");
  EXPECT_EQ(card.send(verify_12345678), "9000");
}

TEST(KzidPin, UnblockingEndsTheUsersLogin) {
  KzidCard card;
  card.log_in();
  card.log_in_puk();
  EXPECT_EQ(card.send(query_user), "9000");  // both at the same time
  EXPECT_EQ(card.send(unblock_to_12345678), "9000");
  EXPECT_EQ(card.send(query_user), "63C3");
}

TEST(KzidPin, TheUserUnblocksNothing) {
  KzidCard card;
  card.log_in();
  EXPECT_EQ(card.send(unblock_to_12345678), "6982");
  EXPECT_EQ(card.send(query_puk), "63CA");
}

TEST(KzidPin, UnblockingIsOneForm) {
  KzidCard card;
  card.log_in_puk();
  EXPECT_EQ(card.send("00 2C 00 02 10 3837363534333231 3132333435363738"), "6A86");
  EXPECT_EQ(card.send("00 2C 03 02"), "6A86");
  EXPECT_EQ(card.send("00 2C 02 01 08 3132333435363738"), "6A88");  // nobody resets the PUK
  EXPECT_EQ(card.send("00 2C 02 02 04 31323334"), "6700");
  EXPECT_EQ(card.send("00 2C 02 02"), "6700");
  EXPECT_EQ(card.send("00 2C 02 02 08 4142434445464748"), "6A80");
  card.log_in();  // the PIN is what it was
}

TEST(KzidPin, ThePukHasTenTriesAndIsChangedLikeThePin) {
  KzidCard card;
  EXPECT_EQ(card.send(change_puk), "9000");
  EXPECT_EQ(card.send(verify_puk), "63C9");
  EXPECT_EQ(card.send("00 20 00 01 08 4142434445464748"), "9000");
  EXPECT_EQ(card.send(query_puk), "9000");
  card.reset();
  for (int left = 9; left >= 0; --left)
    EXPECT_EQ(card.send(verify_wrong_puk), "63C" + std::to_string(left));
  EXPECT_EQ(card.send("00 20 00 01 08 4142434445464748"), "6983");
  EXPECT_EQ(card.send(query_puk), "6983");
  card.log_in();  // the user is not concerned
}

TEST(KzidPin, ThePukIsNoUser) {
  KzidCard card;
  EXPECT_EQ(card.send(select_df), "9000");
  card.log_in_puk();
  EXPECT_EQ(card.send(generate(7)), "6982");
  EXPECT_EQ(card.send(create_ef(16, 0x4301)), "6982");
}

TEST(KzidPin, ATryIsSpentBeforeTheComparison) {
  KzidCard card;
  std::uint64_t writes = 0;
  card.nvram().before_write = [&](std::uint64_t) {
    if (++writes == 2) throw PowerCut{};
  };
  EXPECT_THROW(card.send(verify_user), PowerCut);  // right, but cut before the try is given back
  card.nvram().before_write = nullptr;
  card.power_cycle();
  EXPECT_EQ(card.send(query_user), "63C2");

  card.nvram().before_write = [](std::uint64_t) { throw PowerCut{}; };
  EXPECT_THROW(card.send(verify_wrong), PowerCut);  // cut before anything was told
  card.nvram().before_write = nullptr;
  card.power_cycle();
  EXPECT_EQ(card.send(query_user), "63C2");
}

TEST(KzidPin, WithoutMemoryForTheTryNothingIsCompared) {
  KzidCard card;
  card.nvram().before_write = [](std::uint64_t) { throw NvramFailure{}; };
  EXPECT_EQ(card.send(verify_user), "6581");
  EXPECT_EQ(card.send(query_user), "63C3");
  card.nvram().before_write = nullptr;
  card.log_in();
}

}  // namespace
}  // namespace kilt::sim::test
