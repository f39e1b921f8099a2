// SPDX-License-Identifier: Apache-2.0
// Files and the rules of their operations [facts jacarta A4, A6, A16 #1-#4, #12].
#include "tests/sim/jacarta_card.hpp"

namespace kilt::sim::test {
namespace {

/// CREATE of an EF of `size` bytes.
std::string create_ef(std::size_t id, std::size_t size, const std::string& rules,
                      const std::string& name = "") {
  std::string fcp = "8A01048302" + hex_be16(id) + "8002" + hex_be16(size);
  if (!name.empty()) fcp += "84" + hex_byte(name.size()) + to_hex(as_bytes(name));
  fcp += "8608" + rules;
  return "00E00100" + hex_byte(fcp.size() / 2 + 2) + "62" + hex_byte(fcp.size() / 2) + fcp;
}

const char* const open_rules = "0000000000000000";

TEST(LaserFiles, SelectionByEveryMode) {
  LaserCard card;
  const std::string public_fcp = card.send(select_path(public_df));
  const auto is_public = [&](const std::string& answer) { return answer == public_fcp; };
  EXPECT_EQ(card.sw("80A4000C00"), "9000");  // MF
  EXPECT_EQ(card.sw("80A4000C02300000"), "9000");
  EXPECT_TRUE(is_public(card.send("80A4000C02300100")));
  EXPECT_EQ(card.sw("80A4000C02867F00"), "9000");
  EXPECT_EQ(card.sw("80A4000C02300200"), "6A82");  // beside 867F, not beside 3001
  EXPECT_EQ(card.sw("80A4030C00"), "9000");
  EXPECT_EQ(card.sw("80A4090C023001"
                    "00"),
            "9000");
  EXPECT_EQ(card.sw("80A4000C023F0000"), "9000");
  EXPECT_EQ(card.sw("80A4090C0430003001"
                    "00"),
            "9000");
  EXPECT_EQ(card.sw("80A4090C04300030FF"
                    "00"),
            "6A82");
  EXPECT_TRUE(is_public(card.send("80A4040C065055424C494300")));  // "PUBLIC"
  EXPECT_EQ(card.sw("80A4040C065055424C494400"), "6A82");
  EXPECT_EQ(card.send("80A4000C00").size(), card.send("80A4000C023F0000").size());
  EXPECT_EQ(card.sw("80A4030C00"), "6A82");  // nothing is above the MF
  EXPECT_EQ(card.sw("80A4080C023000"
                    "00"),
            "6A82");  // without 3F00
  EXPECT_EQ(card.sw("80A4080C033F00"
                    "3000"),
            "6A80");
  EXPECT_EQ(card.sw("80A4080400"), "6A86");
  EXPECT_EQ(card.sw("80A4010C023000"
                    "00"),
            "6A86");
  EXPECT_EQ(card.sw("00A4080C043F00300000"), "6E00");
  EXPECT_EQ(card.send("80A4080C043F003000"), "9000");  // no Le, no data
}

TEST(LaserFiles, WhatNotEverybodyReadsIsPrivate) {
  LaserCard card;
  const auto is_private = [&](const char* command) {
    return card.card().chip().is_private(*from_hex(command));
  };
  card.log_in_user();
  card.select(private_df);
  EXPECT_EQ(card.send(create_ef(0x0600, 4, "0020002000200020")), "9000");
  EXPECT_EQ(card.send(create_ef(0x0601, 4, open_rules)), "9000");
  EXPECT_FALSE(is_private("00B0000004"));
  card.select(std::string(private_df) + "0600");
  for (const char* command : {"00B0000004", "00D6000002AABB", "00D60000FFAA"})
    EXPECT_TRUE(is_private(command)) << command;
  EXPECT_FALSE(is_private("80A4000C020601"));
  card.select(std::string(private_df) + "0601");
  EXPECT_FALSE(is_private("00B0000004"));
}

TEST(LaserFiles, AFailedSelectionChangesNothing) {
  LaserCard card;
  card.select("3F003000EEED");
  EXPECT_EQ(card.sw(select_path("3F003000EEE0")), "6A82");
  EXPECT_EQ(card.send("00B0000004"), "02D001649000");
}

TEST(LaserFiles, Listings) {
  LaserCard card;
  card.select("3F00");
  EXPECT_EQ(card.send("8030380000"),
            "D1020001D209300041534550"
            "4B4353"
            "9000");
  EXPECT_EQ(card.send("8030010000"), "D1020001D20E1000566572696669636174696F6E9000");
  const std::string keys = card.send("8030080000");
  EXPECT_EQ(keys, "D1020007D2020001D2020002D2020010D2020020D2020030D2020032D20200359000");
  card.select("3F003000EEED");  // beside the selected EF
  EXPECT_EQ(card.sw("8030380000"), "9000");
  EXPECT_EQ(card.send("8030380000").substr(0, 8), "D1020003");
  EXPECT_EQ(card.send("8030020000"), "6A86");
  EXPECT_EQ(card.send("8030010100"), "6A86");
}

TEST(LaserFiles, ALongListingWaitsForGetResponse) {
  LaserCard card;
  for (std::size_t i = 0; i < 70; ++i) {
    card.select(public_df);
    ASSERT_EQ(card.send(create_ef(0x0600 + i, 1, open_rules)), "9000");
  }
  card.select(public_df);
  const std::string first = card.send("8030010000");
  EXPECT_EQ(first.size(), 2u * 258);
  EXPECT_EQ(first.substr(0, 8), "D1020047");
  // 4 + 70 * 4 and 12 for the map with its name: 296 bytes.
  EXPECT_EQ(first.substr(512), "6128");
  EXPECT_EQ(card.send("00C0000010").substr(32), "6118");
  EXPECT_EQ(card.send("00C0000019"), "6C18");
  EXPECT_EQ(card.send("00C0000000").size(), 2u * (0x18 + 2));
  EXPECT_EQ(card.send("00C0000000"), "6985");
  EXPECT_EQ(card.sw("8030010000"), "6128");
  EXPECT_EQ(card.sw("80CB011400"), "9000");
  EXPECT_EQ(card.send("00C0000000"), "6985");  // another command came between
}

TEST(LaserFiles, ReadAndUpdateWithinTheFile) {
  LaserCard card;
  card.select(public_df);
  EXPECT_EQ(card.send(create_ef(0x0601, 10, open_rules, "data")), "9000");
  EXPECT_EQ(card.send("00B0000001"), "6986");  // what was created is not selected
  card.select("3F00300030010601");
  EXPECT_EQ(card.send("00B000000A"), std::string(20, '0') + "9000");
  EXPECT_EQ(card.send("00D6000802AABB"), "9000");
  EXPECT_EQ(card.send("00B0000800"), "AABB9000");
  EXPECT_EQ(card.send("00B0000803"), "AABB6282");
  EXPECT_EQ(card.send("00B0000B01"), "6B00");
  EXPECT_EQ(card.send("00B0800001"), "6A86");
  EXPECT_EQ(card.send("00D6000902AABB"), "6A84");
  EXPECT_EQ(card.send("00D6000B01AA"), "6B00");
  EXPECT_EQ(card.send("00D60000"), "6700");
  EXPECT_EQ(card.send("00B00000"), "6700");
  EXPECT_EQ(card.send("00B0000A00"), "9000");  // nothing is left
}

TEST(LaserFiles, RulesOfAnEf) {
  LaserCard card;
  card.log_in_user();
  card.select(public_df);
  EXPECT_EQ(card.send(create_ef(0x0601, 4, "0000002000FF0010")), "9000");
  EXPECT_EQ(card.send(create_ef(0x0602, 4, "00FF00FF00FF00FF")), "9000");
  EXPECT_EQ(card.send(create_ef(0x0603, 4, "0030003200FF0035")), "9000");
  EXPECT_EQ(card.send(create_ef(0x0604, 4, "8000400000FF4010")), "9000");
  EXPECT_EQ(card.send(create_ef(0x0605, 4, "0023000000FF0000")), "9000");  // no such KO
  EXPECT_EQ(card.send(create_ef(0x0606, 4, "2000000000000000")), "6A80");  // no such bit
  card.reset();
  const auto path = [](const char* id) { return std::string(public_df) + id; };
  const auto answers = [&](const char* id) {
    card.select(path(id));
    return card.sw("00B0000004") + " " + card.sw("00D6000001AA");
  };
  EXPECT_EQ(answers("0601"), "9000 6982");
  EXPECT_EQ(answers("0602"), "6982 6982");
  EXPECT_EQ(answers("0603"), "6982 6982");
  EXPECT_EQ(answers("0605"), "6982 9000");
  EXPECT_EQ(card.present("3F000002", "LASER+"), "9000");
  EXPECT_EQ(answers("0603"), "6982 9000");  // 32: SO, user, or transport PIN 2
  card.log_in_user();
  EXPECT_EQ(answers("0601"), "9000 9000");
  EXPECT_EQ(answers("0603"), "9000 9000");
  EXPECT_EQ(card.sw("00E40000"), "9000");  // 35: SO or user
  card.select(path("0601"));
  EXPECT_EQ(card.sw("00E40000"), "6982");
  card.log_in_so();
  card.select(path("0601"));
  EXPECT_EQ(card.sw("00E40000"), "9000");
  card.select(path("0602"));
  EXPECT_EQ(card.sw("00E40000"), "6982");
}

TEST(LaserFiles, RulesThatAskForSecureMessaging) {
  LaserCard card;
  card.select(public_df);
  EXPECT_EQ(card.send(create_ef(0x0604, 4, "8000400000FF4010")), "9000");
  card.select(std::string(public_df) + "0604");
  EXPECT_EQ(card.sw("00B0000004"), "6982");
  EXPECT_EQ(card.sw("00D6000001AA"), "6982");
  SmHost host = card.open_channel();
  EXPECT_EQ(host.unwrap(card.send(host.wrap("00D6000001AA"))), "9000");
  EXPECT_EQ(host.unwrap(card.send(host.wrap("00B0000004"))), "AA0000009000");
  EXPECT_EQ(card.sw("00B0000004"), "6982");
  EXPECT_EQ(host.unwrap(card.send(host.wrap("00E40000"))), "6982");  // and the SO
  EXPECT_EQ(card.present(so_ko, "00000000"), "9000");
  card.select(std::string(public_df) + "0604");
  EXPECT_EQ(card.sw("00E40000"), "6982");
  EXPECT_EQ(host.unwrap(card.send(host.wrap("00E40000"))), "9000");
}

TEST(LaserFiles, RulesOfADf) {
  LaserCard card;
  card.select(private_df);
  EXPECT_EQ(card.send(create_ef(0x0601, 4, open_rules)), "6982");
  card.select("3F003000");
  EXPECT_EQ(card.send(create_ef(0x0601, 4, open_rules)), "6982");
  card.log_in_user();
  card.select(private_df);
  EXPECT_EQ(card.send(create_ef(0x0601, 4, open_rules)), "9000");
  card.select("3F003000");
  EXPECT_EQ(card.send(create_ef(0x0601, 4, open_rules)), "6982");  // the SO's
  EXPECT_EQ(card.sw("00E40100"), "6982");
  card.log_in_so();
  card.select("3F003000");
  EXPECT_EQ(card.sw("00E40000"), "6986");  // P1 says "no DF"
  EXPECT_EQ(card.sw("00E40100"), "9000");
  EXPECT_EQ(card.sw(select_path("3F0030003001")), "6A82");
  card.select("3F00");
  EXPECT_EQ(card.sw("00E40100"), "6985");  // not the MF
}

TEST(LaserFiles, MalformedCreationsCreateNothing) {
  LaserCard card;
  card.log_in_user();
  card.select(private_df);
  const std::string good =
      "8A0104"
      "83020601"
      "80020004"
      "8608"
      "0000000000000000";
  const auto create = [&](const std::string& fcp, const char* p1 = "01") {
    return card.send(std::string("00E0") + p1 + "00" + hex_byte(fcp.size() / 2 + 2) + "62" +
                     hex_byte(fcp.size() / 2) + fcp);
  };
  EXPECT_EQ(create("83020601"
                   "80020004"
                   "86080000000000000000"),
            "6A80");  // no 8A
  EXPECT_EQ(create("8A0104"
                   "80020004"
                   "83020601"
                   "86080000000000000000"),
            "6A80");  // order
  EXPECT_EQ(create("8A0104"
                   "83020601"
                   "80020004"
                   "8606000000000000"),
            "6A80");
  EXPECT_EQ(create("8A0104"
                   "83020601"
                   "80020004"),
            "6A80");
  EXPECT_EQ(create("8A0104"
                   "83023F00"
                   "80020004"
                   "86080000000000000000"),
            "6A80");
  EXPECT_EQ(create(good + "7100"), "6A80");
  EXPECT_EQ(create("8A0104"
                   "83020601"
                   "80020004"
                   "8411" +
                   std::string(34, '4') + "86080000000000000000"),
            "6A80");
  EXPECT_EQ(create(good, "39"), "6A86");  // data objects have no command that reads them
  EXPECT_EQ(create(good, "08"), "6A80");
  EXPECT_EQ(create(good), "9000");
  EXPECT_EQ(create(good), "6A89");
  EXPECT_EQ(card.send("8030010000"), "D1020001D20206019000");
}

TEST(LaserFiles, MalformedKeyObjectsAreRefused) {
  LaserCard card;
  card.log_in_user();
  const auto create = [&](const std::string& properties, const std::string& size,
                          const std::string& content) {
    card.select(private_df);
    const std::string fcp =
        "8A0104"
        "83020041"
        "8002" +
        size + "85" + hex_byte(properties.size() / 2) + properties +
        "860E0000002000FF0000002000200020" + content;
    return card.send("00E00800" + hex_byte(fcp.size() / 2 + 2) + "62" + hex_byte(fcp.size() / 2) +
                     fcp);
  };
  const std::string pin = "C0010000AA041000000000001010";
  EXPECT_EQ(create("050C2000A3", "0060", "7100"), "6A80");  // 768 bits
  EXPECT_EQ(create("030C3000A3", "0080", "7100"), "6A80");  // ECC
  EXPECT_EQ(create("01011000A3", "0018", "7100"), "6A80");  // 3DES
  EXPECT_EQ(create("050C2000A3", "0080", ""), "6A80");
  EXPECT_EQ(create("050C2000A3", "0080",
                   "7105"
                   "9003010001"),
            "6A80");
  EXPECT_EQ(create(pin, "0010", ""), "6A80");
  EXPECT_EQ(create(pin, "0010", "8103313233"), "6A80");
  EXPECT_EQ(create(pin, "0004", "81053132333435"), "6A80");
  EXPECT_EQ(create("C00100000A041000000000001010", "0010", "810431323334"), "6A80");
  EXPECT_EQ(create("00010F0000", "000E", "810CE30A89020010890200208900"), "6A80");
  EXPECT_EQ(create("00010F0000", "000E",
                   "8108E30689020010"
                   "8800"),
            "6A80");
  EXPECT_EQ(create("00010F0000", "000E",
                   "810AE308"
                   "8902001089020020"),
            "6A80");
  EXPECT_EQ(create("00010F0000", "000E", "8102E300"), "6A80");
  EXPECT_EQ(create("00010F0000", "000E", "810CE30A89020010890200208800"), "9000");
}

TEST(LaserFiles, MemoryIsFinite) {
  ChipOptions options = LaserCard::options();
  options.memory = 8 * 1024;
  LaserCard card(options);
  card.select(public_df);
  EXPECT_EQ(card.send(create_ef(0x0601, 8 * 1024, open_rules)), "6A84");
  EXPECT_EQ(card.send(create_ef(0x0601, 1024, open_rules)), "9000");
  options.memory = 1024;
  Nvram nvram;
  EXPECT_EQ(find_profile("jacarta")->make(nvram, options), nullptr);
}

TEST(LaserFiles, DirectoriesDoNotNestForEver) {
  LaserCard card;
  std::string path = public_df;
  const std::string df =
      "00E038001B"
      "62198A0104"
      "83020700"
      "80020000"
      "860C000000000000000000000000";
  for (int level = 4; level <= 8; ++level) {
    card.select(path);
    EXPECT_EQ(card.send(df), "9000") << level;
    path += "0700";
  }
  card.select(path);
  EXPECT_EQ(card.send(df), "6A84");
}

TEST(LaserFiles, NoKeyObjectIsReadAsBytes) {
  LaserCard card;
  card.log_in_so();
  for (const char* ko : {user_ko, so_ko, transport_ko, "3F000002", "3F000030"}) {
    card.select(ko);
    EXPECT_EQ(card.send("00B0000010"), "6981") << ko;
    EXPECT_EQ(card.send("00D6000001AA"), "6981") << ko;
  }
}

TEST(LaserFiles, ClassesAndInstructions) {
  LaserCard card;
  EXPECT_EQ(card.send("8084000008"), "6E00");
  EXPECT_EQ(card.send("0030010000"), "6E00");
  EXPECT_EQ(card.send("0184000008"), "6E00");  // no logical channels
  EXPECT_EQ(card.send("0484000008"), "6E00");
  EXPECT_EQ(card.send("002241B6"), "6D00");
  EXPECT_EQ(card.send("1084000008"), "6884");
  EXPECT_EQ(card.send("80CB011500"), "6A88");
  EXPECT_EQ(card.send("80CB01140100"), "6700");
  EXPECT_EQ(card.send("00840000000100"), "6700");  // extended length
  EXPECT_EQ(card.send("0084000000").size(), 2u * 258);
}

TEST(LaserFiles, AnotherCommandInsideAChainEndsIt) {
  LaserCard card;
  card.log_in_user();
  card.select(private_df);
  const std::string fcp = private_key_fcp(1, 1024);
  EXPECT_EQ(card.send("10E0080010" + fcp.substr(0, 32)), "9000");
  EXPECT_EQ(card.send("80CB011400"), "6883");
  EXPECT_EQ(card.send("00E0080016" + fcp.substr(32)), "6A80");
  EXPECT_EQ(card.send("10E0080010" + fcp.substr(0, 32)), "9000");
  EXPECT_EQ(card.send("00E0010016" + fcp.substr(32)), "6883");  // of another kind
  EXPECT_EQ(card.send("10E0080010" + fcp.substr(0, 32)), "9000");
  EXPECT_EQ(card.send("00E0080016" + fcp.substr(32)), "9000");
  for (int i = 0; i < 16; ++i)
    EXPECT_EQ(card.send("90240000FF" + std::string(510, '0')), "9000");
  EXPECT_EQ(card.send("90240000FF" + std::string(510, '0')), "6700");
}

}  // namespace
}  // namespace kilt::sim::test
