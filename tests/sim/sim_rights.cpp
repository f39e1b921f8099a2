// SPDX-License-Identifier: Apache-2.0
// Who may do what: the table of the 15 bytes [facts kaztoken §3.3], and what it means for commands.
#include "firmware-sim/profiles/kaztoken_rights.hpp"

#include "tests/sim/sim_card.hpp"

namespace kilt::sim::test {
namespace {

using kaztoken::Access;
using kaztoken::Role;
using kaztoken::SecurityAttributes;

SecurityAttributes attributes(std::uint8_t mask, std::uint8_t condition) {
  Bytes bytes(SecurityAttributes::size);
  bytes[0] = mask;
  std::fill(bytes.begin() + 1, bytes.begin() + 8, condition);
  return *SecurityAttributes::parse(bytes);
}

struct Row {
  std::uint8_t condition;
  bool nobody, so, user;
};

TEST(Rights, ConditionsOfEveryAccess) {
  for (const Row& row :
       {Row{0x00, true, true, true}, Row{0x01, false, true, false}, Row{0x02, false, false, true},
        Row{0x03, false, true, true}, Row{0xFF, false, false, false}}) {
    const auto all = attributes(0x7F, row.condition);
    for (auto access : {Access::read, Access::update, Access::use, Access::remove}) {
      EXPECT_EQ(all.grants(access, Role::nobody), row.nobody);
      EXPECT_EQ(all.grants(access, Role::so), row.so);
      EXPECT_EQ(all.grants(access, Role::user), row.user);
    }
  }
}

TEST(Rights, AnAccessWithoutItsBitIsAllowedToNobody) {
  const auto none = attributes(0x00, 0x00);
  for (auto access : {Access::read, Access::update, Access::use, Access::remove}) {
    for (auto role : {Role::nobody, Role::so, Role::user})
      EXPECT_FALSE(none.grants(access, role));
  }
}

TEST(Rights, MalformedAttributesAreNone) {
  EXPECT_FALSE(SecurityAttributes::parse(Bytes(14)).has_value());
  EXPECT_FALSE(SecurityAttributes::parse(Bytes(16)).has_value());
  Bytes reserved(15);
  reserved[14] = 1;
  EXPECT_FALSE(SecurityAttributes::parse(reserved).has_value());
  Bytes condition(15);
  condition[7] = 0x04;
  EXPECT_FALSE(SecurityAttributes::parse(condition).has_value());
}

/// Tries a command as nobody, SO and user, on a card as sold.
class Enforced : public testing::Test {
 public:
  /// The status words in that order; `prepare` runs before each, `undo` after one that worked.
  std::string tried(const std::string& prepare, const std::string& command,
                    const std::string& undo_select = "", const std::string& undo = "") {
    std::string words;
    for (Role role : {Role::nobody, Role::so, Role::user}) {
      if (role == Role::so) card.log_in_so();
      if (role == Role::user) card.log_in_user();
      EXPECT_EQ(card.sw(prepare), "9000");
      const std::string word = card.sw(command);
      words += (words.empty() ? "" : " ") + word;
      if (word == "9000" && !undo.empty()) {
        EXPECT_EQ(card.sw(undo_select), "9000");
        EXPECT_EQ(card.sw(undo), "9000");
      }
      card.log_out();
    }
    return words;
  }
  TestCard card;
};

TEST_F(Enforced, TheUserCreatesBelowTheMf) {
  EXPECT_EQ(tried("00 A4 00 0C 02 3F00", create(16, "0100", 0x0300, "", "43 00 00 000000 00 02"),
                  "00 A4 08 0C 02 0300", "00 E4 00 00 02 0300"),
            "6982 6982 9000");
}

TEST_F(Enforced, WhatNotEverybodyReadsIsPrivate) {
  const auto is_private = [this](const char* command) {
    return card.chip().is_private(*from_hex(command));
  };
  const char *read = "00B0000004", *broken_write = "00D60000FFAA", *select = "00A4080C020501";
  card.log_in_user();
  EXPECT_EQ(card.sw("00 A4 00 0C 02 3F00"), "9000");
  EXPECT_FALSE(is_private(read)) << "nothing is selected that could be read";
  EXPECT_EQ(card.send(create(4, "0100", 0x0501, "", "43 02 02 000000 00 02")), "9000");
  EXPECT_EQ(card.send(create(4, "0100", 0x0502, "", "43 00 02 000000 00 02")), "9000");
  EXPECT_EQ(card.sw(select), "9000");
  for (const char* command : {read, broken_write})
    EXPECT_TRUE(is_private(command)) << command;
  EXPECT_FALSE(is_private(select));
  card.log_out();
  EXPECT_TRUE(is_private(broken_write)) << "refused, but the body may be a secret all the same";
  EXPECT_EQ(card.sw("00A4080C020502"), "9000");
  for (const char* command : {read, broken_write})
    EXPECT_FALSE(is_private(command)) << command;
}

TEST_F(Enforced, SystemFilesAreNeverDeleted) {
  EXPECT_EQ(tried("00 A4 08 0C 02 1000", "00 E4 00 00"), "6982 6982 6982");
}

TEST_F(Enforced, ReadUpdateDelete) {
  card.log_in_user();
  EXPECT_EQ(card.sw("00 A4 00 0C 02 3F00"), "9000");
  EXPECT_EQ(card.send(create(4, "0100", 0x0501, "", "43 02 01 000000 00 03")), "9000");
  card.log_out();
  const std::string select = "00 A4 08 0C 02 0501";
  EXPECT_EQ(tried(select, "00 B0 00 00 04"), "6982 6982 9000");
  EXPECT_EQ(tried(select, "00 D6 00 00 01 AA"), "6982 9000 6982");
  EXPECT_EQ(card.sw(select), "9000");
  EXPECT_EQ(card.send("00 E4 00 00 02 0501"), "6982");
  card.log_in_so();
  EXPECT_EQ(card.send("00 E4 00 00 02 0501"), "9000");
}

TEST_F(Enforced, SelectingAndListingIsFree) {
  EXPECT_EQ(tried("00 A4 00 0C 02 3F00", "00 A4 00 00 00"), "9000 9000 9000");
}

TEST_F(Enforced, KeyFilesAreTheUsers) {
  EXPECT_EQ(
      tried("00 A4 00 0C 02 3F00", create(64, "1000", 1, "132000AA0000", "46 00 02 00 00 00 00 02"),
            "00 A4 08 0C 08 1000100060010001", "00 E4 00 00 02 0001"),
      "6982 6982 9000");
}

TEST_F(Enforced, NobodyReadsAKey) {
  card.log_in_user();
  card.create_gost_files(1);
  card.log_out();
  EXPECT_EQ(tried("00 A4 08 0C 08 1000100060020001", "00 B0 00 00 01"), "6982 6982 6982");
  EXPECT_EQ(tried("00 A4 08 0C 08 1000100060010001", "00 B0 00 00 01"), "6982 6982 6982");
  EXPECT_EQ(tried("00 A4 08 0C 08 1000100060020001", "00 D6 00 00 01 00"), "6982 6982 6981");
}

TEST_F(Enforced, GenerationUseAndDeletionNeedTheUser) {
  card.log_in_user();
  card.create_gost_files(1);
  EXPECT_EQ(card.sw("00 46 80 01 00"), "9000");
  card.log_out();
  EXPECT_EQ(tried("00 84 00 00 01", "00 46 80 01 00"), "6982 6982 9000");
  EXPECT_EQ(card.send("00 22 41 B6 03 840101"), "9000");
  EXPECT_EQ(tried("00 84 00 00 01", "00 2A 9E 9A 20" + std::string(64, '1') + "00"),
            "6982 6982 9000");
  EXPECT_EQ(tried("00 A4 08 0C 08 1000100060020001", "00 E4 00 00 02 0001"), "6982 6982 9000");
}

TEST_F(Enforced, NoRulesBetweenEraseAndFinalize) {
  EXPECT_EQ(card.send("80 8A 00 00"), "9000");
  EXPECT_EQ(card.send(create(0, "3800", 0x3F00, "", "47 FF FF FF 00 00 00 FF")), "9000");
  EXPECT_EQ(card.send(create(4, "0100", 0x0301, "", "43 FF FF 000000 00 FF")), "9000");
  EXPECT_EQ(card.sw("00 B0 00 00 04"), "9000");
  EXPECT_EQ(card.send("80 84 4E 19"), "9000");
  EXPECT_EQ(card.send("80 84 4E 19"), "6985");
  EXPECT_EQ(card.sw("00 B0 00 00 04"), "6982");
  EXPECT_EQ(card.sw("00 D6 00 00 01 00"), "6982");
  EXPECT_EQ(card.sw("00 E4 00 00"), "6982");
  EXPECT_EQ(card.send(create(4, "0100", 0x0302, "", "43")), "6982");
}

}  // namespace
}  // namespace kilt::sim::test
