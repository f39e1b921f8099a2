// SPDX-License-Identifier: Apache-2.0
// The life of a PIN [facts kaztoken §4.2, §10.1 #4, #5, #14, #16, #23, #24].
#include "tests/sim/sim_card.hpp"

namespace kilt::sim::test {
namespace {

const char* const query_user = "00 20 00 02";
const char* const query_so = "00 20 00 01";
const char* const wrong_user = "00 20 00 02 08 3939393939393939";
const char* const wrong_so = "00 20 00 01 08 3939393939393939";
const char* const unblock = "00 2C 03 02";
const char* const change_to_abcdefgh = "00 24 01 02 0E 80020008 A508 4142434445464748";

void block_user(TestCard& card) {
  for (int i = 0; i < 10; ++i)
    EXPECT_EQ(card.send(wrong_user), "6300");
}

TEST(Pin, FactoryPinsAndCounters) {
  TestCard card;
  EXPECT_EQ(card.send(query_user), "63CA");
  EXPECT_EQ(card.send(query_so), "63CA");
  card.log_in_user();
  EXPECT_EQ(card.send(query_user), "9000");
  EXPECT_EQ(card.send(query_so), "63CA");
  card.log_out();
  EXPECT_EQ(card.send(query_user), "63CA");
  card.log_in_so();
  EXPECT_EQ(card.send(query_so), "9000");
  EXPECT_EQ(card.send("00 20 00 03"), "6A88");
  EXPECT_EQ(card.send("00 20 01 02"), "6A86");
}

TEST(Pin, WrongIs6300AndTheQueryCounts) {
  TestCard card;
  EXPECT_EQ(card.send(wrong_user), "6300");
  EXPECT_EQ(card.send(query_user), "63C9");
  EXPECT_EQ(card.send("00 20 00 02 01 31"), "6300");  // of another length: a wrong PIN as well
  EXPECT_EQ(card.send("00 20 00 02 09 313233343536373839"), "6300");
  EXPECT_EQ(card.send("00 20 00 02 28" + std::string(80, '3')), "6300");
  EXPECT_EQ(card.send(query_user), "63C6");
  card.log_in_user();
  card.log_out();
  EXPECT_EQ(card.send(query_user), "63CA");  // success restores the counter
  EXPECT_EQ(card.send(query_so), "63CA");
}

TEST(Pin, BlocksAfterTheLastTry) {
  TestCard card;
  block_user(card);
  EXPECT_EQ(card.send(query_user), "6983");
  EXPECT_EQ(card.send("00 20 00 02 08 3132333435363738"), "6983");
  card.power_cycle();
  EXPECT_EQ(card.send(query_user), "6983");
  card.log_in_so();  // the other one is not concerned
}

TEST(Pin, AnActiveLoginIs6F86AndCostsNothing) {
  TestCard card;
  card.log_in_user();
  EXPECT_EQ(card.send("00 20 00 02 08 3132333435363738"), "6F86");  // the same role
  EXPECT_EQ(card.send(wrong_user), "6F86");
  EXPECT_EQ(card.send("00 20 00 01 08 3837363534333231"), "6F86");
  EXPECT_EQ(card.send(wrong_so), "6F86");
  card.log_out();
  EXPECT_EQ(card.send(query_user), "63CA");
  EXPECT_EQ(card.send(query_so), "63CA");
}

TEST(Pin, LoginEndsWithResetPowerAndLogout) {
  TestCard card;
  card.log_in_user();
  card.reset();
  EXPECT_EQ(card.send(query_user), "63CA");
  card.log_in_user();
  card.power_cycle();
  EXPECT_EQ(card.send(query_user), "63CA");
  card.log_out();
  card.log_out();  // nothing to end: no error
  EXPECT_EQ(card.send("80 40 00 01"), "6A86");
}

TEST(Pin, TheOwnerChangesIt) {
  TestCard card;
  EXPECT_EQ(card.send(change_to_abcdefgh), "6982");
  card.log_in_user();
  EXPECT_EQ(card.send(change_to_abcdefgh), "9000");
  EXPECT_EQ(card.send(query_user), "9000");
  card.power_cycle();
  EXPECT_EQ(card.send("00 20 00 02 08 3132333435363738"), "6300");
  EXPECT_EQ(card.send("00 20 00 02 08 4142434445464748"), "9000");
}

TEST(Pin, LengthLimits) {
  TestCard card;
  card.log_in_user();
  EXPECT_EQ(card.send("00 24 01 02 0B 80020005 A505 3132333435"), "6A80");
  EXPECT_EQ(card.send("00 24 01 02 0C 80020006 A506 313233343536"), "9000");
  EXPECT_EQ(card.send("00 24 01 02 26 80020020 A520" + std::string(64, '3')), "9000");
  EXPECT_EQ(card.send("00 24 01 02 27 80020021 A521" + std::string(66, '3')), "6A80");
  card.log_out();
  EXPECT_EQ(card.send("00 20 00 02 20" + std::string(64, '3')), "9000");
}

TEST(Pin, MalformedChangesChangeNothing) {
  TestCard card;
  card.log_in_user();
  for (const char* body : {"0E 80020009 A508 4142434445464748",  // another total
                           "0D 80020008 A508 41424344454647",    // A5 longer than the rest
                           "0A A508 4142434445464748",           // no total
                           "04 80020000", "01 80", "0F 80020008 A508 4142434445464748 00",
                           "0E 80020008 A608 4142434445464748"}) {
    EXPECT_EQ(card.send(std::string("00 24 01 02 ") + body), "6A80") << body;
  }
  EXPECT_EQ(card.send("00 24 00 02 0E 80020008 A508 4142434445464748"), "6A86");
  EXPECT_EQ(card.send("00 24 01 07 0E 80020008 A508 4142434445464748"), "6A88");
  card.log_out();
  card.log_in_user();
}

TEST(Pin, InPiecesOrInAChain) {
  TestCard card;
  card.log_in_user();
  EXPECT_EQ(card.send("00 24 01 02 10 80020008 A504 41424344 A504 45464748"), "9000");
  EXPECT_EQ(card.send("10 24 01 02 0A 80020008 A504 51525354"), "9000");
  EXPECT_EQ(card.send("00 24 01 02 06 A504 55565758"), "9000");
  card.log_out();
  EXPECT_EQ(card.send("00 20 00 02 08 5152535455565758"), "9000");
}

TEST(Pin, TheSoUnblocksAndSetsTheUsers) {
  TestCard card;
  block_user(card);
  EXPECT_EQ(card.send(unblock), "6982");
  card.log_in_so();
  EXPECT_EQ(card.send("00 2C 00 02"), "6A86");
  EXPECT_EQ(card.send("00 2C 03 05"), "6A88");
  EXPECT_EQ(card.send("00 2C 03 02 01 00"), "6700");
  EXPECT_EQ(card.send(unblock), "9000");
  EXPECT_EQ(card.send(query_user), "63CA");
  EXPECT_EQ(card.send(change_to_abcdefgh), "9000");
  card.log_out();
  EXPECT_EQ(card.send("00 20 00 02 08 4142434445464748"), "9000");
}

TEST(Pin, NobodyUnblocksTheSo) {
  TestCard card;
  for (int i = 0; i < 10; ++i)
    EXPECT_EQ(card.send(wrong_so), "6300");
  EXPECT_EQ(card.send(query_so), "6983");
  card.log_in_user();
  EXPECT_EQ(card.send("00 2C 03 01"), "6982");
}

class OwnPin : public testing::Test {
 public:
  void SetUp() override {
    EXPECT_EQ(card.send("80 8A 00 00"), "9000");
    EXPECT_EQ(card.send(create(0, "3800", 0x3F00, "", "47 02 02 01 00 00 00 FF")), "9000");
  }
  TestCard card{"kaztoken", true};
};

TEST_F(OwnPin, IsMadeAsAnInternalFile) {
  const auto file = create(8, "1000", 2, "010401550000", "43 01 03 000000 00 FF");
  EXPECT_EQ(card.send(file), "9000");
  EXPECT_EQ(card.send(file), "6A89");
  EXPECT_EQ(card.send(query_user), "63C5");
  EXPECT_EQ(card.send(wrong_user), "6984");  // nothing loaded
  EXPECT_EQ(card.send(query_user), "63C5");
  EXPECT_EQ(card.send("00 24 01 02 0A 80020004 A504 31323334"), "9000");
  EXPECT_EQ(card.send("00 20 00 02 04 31323334"), "9000");  // works in this phase
  EXPECT_EQ(card.send("00 20 00 02 04 31323334"), "6F86");  // and so does this
  // Its file's size is the first PIN's length, no limit [§10.1 #14].
  EXPECT_EQ(card.send("00 24 01 02 0F 80020009 A509 313233343536373839"), "9000");
  card.log_out();
  EXPECT_EQ(card.send("00 20 00 02 09 313233343536373839"), "9000");
  EXPECT_EQ(card.send("00 A4 00 00 00"), "6A82");  // in no listing
}

TEST_F(OwnPin, PropertyMakesSenseOrIsRefused) {
  for (const char* property :
       {"010001550000", "012101550000", "010600550000", "010601050000", "010601560000",
        "010601500000", "010601550100", "010601550001", "020601550000"}) {
    EXPECT_EQ(card.send(create(8, "1000", 2, property, "43 01 03 000000 00 FF")), "6A80")
        << property;
  }
  EXPECT_EQ(card.send(create(8, "1000", 2, "010601530000", "43 01 03 000000 00 FF")), "9000");
  EXPECT_EQ(card.send(query_user), "63C3");  // five at most, three left
}

TEST(Pin, ATryIsSpentBeforeTheComparison) {
  TestCard card;
  // Power is cut between the write that spends the try and the one that would give it back.
  std::uint64_t writes = 0;
  card.nvram().before_write = [&](std::uint64_t) {
    if (++writes == 2) throw PowerCut{};
  };
  EXPECT_THROW(card.send("00 20 00 02 08 3132333435363738"), PowerCut);
  card.nvram().before_write = nullptr;
  card.power_cycle();
  EXPECT_EQ(card.send(query_user), "63C9");

  // And where it is cut before, nothing is told about the PIN and nothing is lost.
  card.nvram().before_write = [](std::uint64_t) { throw PowerCut{}; };
  EXPECT_THROW(card.send(wrong_user), PowerCut);
  card.nvram().before_write = nullptr;
  card.power_cycle();
  EXPECT_EQ(card.send(query_user), "63C9");
}

}  // namespace
}  // namespace kilt::sim::test
