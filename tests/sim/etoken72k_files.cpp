// SPDX-License-Identifier: Apache-2.0
// Files of the eToken: selection, listing, reading and writing, rights [facts etoken §5.2, §5.3,
// §5.6].
#include "tests/sim/etoken72k_host.hpp"

namespace kilt::sim::test {
namespace {

const char* const list = "80 01 00 00 04 09020000 00";

TEST(EtokenFiles, OfAFreshToken) {
  EtokenCard card;
  EXPECT_EQ(card.send(list), "0A0250009000") << "the root is current";
  EXPECT_EQ(card.send(select_path("66665000")), "9000");
  EXPECT_EQ(card.send(list),
            "0A10"
            "0001000200030006000A000E000F0220"
            "9000");
  EXPECT_EQ(card.send(select_path("666650000220")), "9000");
  EXPECT_EQ(card.send(list), "0A009000");
  EXPECT_EQ(card.send(select_path("66665000000A")), "9000");
  EXPECT_EQ(card.send(read_at(0, "09")), "050108000A030000579000");
}

TEST(EtokenFiles, ControlInformationIsSimpleTlv) {
  EtokenCard card;
  // The beginning of this one was seen on a real token.
  EXPECT_EQ(card.send("00 A4 08 04 06 666650000002 00").substr(0, 34),
            "01010202020002030205700408"
            "00FFFFFF");
  EXPECT_EQ(card.send("00 A4 08 04 06 666650000220 00"),
            "01010102020220030200000408"
            "FFFF11FFFFFF2100"
            "9000");
  EXPECT_EQ(card.send("00 A4 08 00 06 666650000220 00").size(), 2 * (21 + 2u));
  EXPECT_EQ(card.send("00 A4 08 0C 06 666650000220"), "9000");
  EXPECT_EQ(card.send("00 A4 08 08 06 666650000220"), "6A86");
}

TEST(EtokenFiles, SelectionByPath) {
  EtokenCard card;
  EXPECT_EQ(card.send(select_path("6666")), "9000");
  EXPECT_EQ(card.send("00 A4 09 0C 04 5000000F"), "9000");
  EXPECT_EQ(card.send("00 A4 09 0C 02 0220"), "9000") << "from the DF that holds the EF";
  EXPECT_EQ(card.send("00 A4 09 0C 02 5000"), "6A82");
  EXPECT_EQ(card.send(select_path("3F006666")), "6A82");
  EXPECT_EQ(card.send(select_path("5000")), "6A82");
  EXPECT_EQ(card.send(select_path("6666500000")), "6700");
  EXPECT_EQ(card.send("00 A4 08 0C"), "6700");
  EXPECT_EQ(card.send("00 A4 01 0C 02 5000"), "6A86");
  EXPECT_EQ(card.send("00 A4 03 0C"), "6A86");
  EXPECT_EQ(card.send(list), "0A009000") << "what failed moved nothing";
}

TEST(EtokenFiles, ReadingIsBounded) {
  EtokenCard card;
  EXPECT_EQ(card.send(read_at(0)), "6986");
  EXPECT_EQ(card.send(select_path("666650000002")), "9000");
  EXPECT_EQ(data_of(card.send(read_at(0))).size(), 256u);
  EXPECT_EQ(data_of(card.send(read_at(0, "F0"))).size(), 240u);
  // By an extended Le as much as 9F65 states, 0212, and the status word.
  EXPECT_EQ(card.send_bytes(*from_hex("80 18 00 00 00 00 04 0E02 0000 0000")).size(), 532u);
  EXPECT_EQ(card.send(read_at(0x056F)), "009000");
  EXPECT_EQ(card.send(read_at(0x056F, "02")), "006282");
  EXPECT_EQ(card.send(read_at(0x0570)), "6B00");
  EXPECT_EQ(card.send(read_at(0, "")), "6700");
  for (const char* body : {"04 0F020000 00", "05 0E02000000 00", "03 0E0100 00", "02 0E02 00"}) {
    EXPECT_EQ(card.send(std::string("80 18 00 00") + body), "6A80") << body;
  }
  EXPECT_EQ(card.send("80 18 00 01 04 0E020000 00"), "6A86");
}

TEST(EtokenFiles, WhatNotEverybodyReadsIsPrivate) {
  EtokenCard card;
  const auto is_private = [&](const std::string& command) {
    return card.chip().is_private(*from_hex(command));
  };
  EXPECT_EQ(card.log_in(), "9000");
  EXPECT_EQ(card.send(select_path("666650000220")), "9000");
  EXPECT_EQ(card.send(create_ef("2001", 4, private_ef)), "9000");
  EXPECT_TRUE(is_private(write_at(0, Bytes{1, 2, 3, 4})));
  EXPECT_TRUE(is_private(read_at(0)));
  EXPECT_TRUE(is_private("80 15 00 00 FF 0E020000 1004 01")) << "broken, but a part of it";
  EXPECT_FALSE(is_private(select_path("666650000220")));
  EXPECT_EQ(card.send(create_ef("2002", 4, user_ef)), "9000");
  EXPECT_FALSE(is_private(write_at(0, Bytes{1, 2, 3, 4})));
  EXPECT_FALSE(is_private(read_at(0)));
}

TEST(EtokenFiles, AProtectedReadUsesTheLoginUp) {
  EtokenCard card;
  EXPECT_EQ(card.log_in(), "9000");
  EXPECT_EQ(card.send(select_path("666650000220")), "9000");
  EXPECT_EQ(card.send(create_ef("2001", 4, private_ef)), "9000");
  EXPECT_EQ(card.send(write_at(0, Bytes{1, 2, 3, 4})), "9000");
  EXPECT_EQ(card.send(read_at(0, "02")), "01029000");
  EXPECT_EQ(card.send(read_at(2, "02")), "6982");
  EXPECT_EQ(card.log_in(), "9000");
  EXPECT_EQ(card.send(read_at(4)), "6B00") << "nothing was read";
  EXPECT_EQ(card.send(read_at(2, "02")), "03049000");
  EXPECT_EQ(card.send(write_at(0, Bytes{9})), "6982");
  EXPECT_EQ(card.log_in(so_pin, so_role), "9000");
  EXPECT_EQ(card.send(select_path("6666500002202001")), "9000");
  EXPECT_EQ(card.send(read_at(0)), "6982") << "the SO is no user";
  // A free file costs nothing.
  EXPECT_EQ(card.log_in(), "9000");
  EXPECT_EQ(card.send(select_path("666650000002")), "9000");
  EXPECT_EQ(card.sw(read_at(0)), "9000");
  EXPECT_EQ(card.send(select_path("6666500002202001")), "9000");
  EXPECT_EQ(card.send(read_at(0)), "010203049000");
}

TEST(EtokenFiles, WritingStaysInside) {
  EtokenCard card;
  EXPECT_EQ(card.log_in(), "9000");
  EXPECT_EQ(card.send(select_path("666650000220")), "9000");
  EXPECT_EQ(card.send(create_ef("2001", 600)), "9000");
  EXPECT_EQ(card.send(write_at(0, Bytes(200, 0xAA))), "9000");
  EXPECT_EQ(card.send(write_at(200, Bytes(400, 0xBB))), "9000") << "extended length";
  EXPECT_EQ(card.send(write_at(599, Bytes(2, 0xCC))), "6A84");
  EXPECT_EQ(card.send(write_at(600, Bytes(1, 0xCC))), "6B00");
  EXPECT_EQ(card.send(read_at(599)), "BB9000") << "nothing was written";
  EXPECT_EQ(card.send(read_at(199, "02")), "AABB9000");
  EXPECT_EQ(card.send(write_at(0, Bytes(523, 0xDD))), "6700") << "530 bytes of data at most";
  EXPECT_EQ(card.send(write_at(0, Bytes(522, 0xDD))), "9000");
  EXPECT_EQ(card.send(write_at(0, {})), "6A80");
  EXPECT_EQ(card.send("80 15 00 00 07 1001AA 0E020000"), "6A80") << "the order is fixed";
  EXPECT_EQ(card.send(select_path("66665000000F")), "9000");
  EXPECT_EQ(card.send(write_at(0, Bytes(20))), "6982");
}

TEST(EtokenFiles, CreationIsStrict) {
  EtokenCard card;
  EXPECT_EQ(card.log_in(), "9000");
  EXPECT_EQ(card.send(create_ef("2001", 4)), "6982") << "not in the root";
  EXPECT_EQ(card.send(select_path("666650000220")), "9000");
  for (const char* id : {"0000", "FFFF", "3FFF", "3F00"}) {
    EXPECT_EQ(card.send(create_ef(id, 4)), "6A80") << id;
  }
  EXPECT_EQ(card.send(create_ef("2001", 0)), "6A80");
  EXPECT_EQ(card.send(create_ef("2001", 4, "0012FF11FFFFFFFF")), "6A80") << "no such right";
  EXPECT_EQ(card.send(create_ef("2001", 4, "0011FF11FFFFFF")), "6A80");
  EXPECT_EQ(card.send(command("80 E0 00 00", "010103 02022001 03020004 0408 00000000000000 00")),
            "6A80");
  EXPECT_EQ(card.send(command("80 E0 00 00", "02022001 010102 03020004 0408 00000000000000 00")),
            "6A80");
  EXPECT_EQ(card.send(create_df("2001")), "9000");
  EXPECT_EQ(card.send(create_ef("0001", 4)), "9000") << "in the DF just made";
  EXPECT_EQ(card.send(create_ef("0001", 4)), "6A89");
  EXPECT_EQ(card.send(select_path("66665000022020010001")), "9000");
  EXPECT_EQ(card.send(select_path("66665000022020010002")), "6A82");
}

TEST(EtokenFiles, DeletionTakesADfWithAllInIt) {
  EtokenCard card;
  EXPECT_EQ(card.send("80 E4 00 00"), "6982") << "the root";
  EXPECT_EQ(card.log_in(), "9000");
  EXPECT_EQ(card.send(select_path("666650000220")), "9000");
  EXPECT_EQ(card.send(create_df("1001")), "9000");
  EXPECT_EQ(card.send(create_ef("0001", 4)), "9000");
  EXPECT_EQ(card.send(create_ef("0002", 4)), "9000");
  EXPECT_EQ(card.send("80 E4 00 00"), "9000") << "what is selected: the last EF";
  EXPECT_EQ(card.send(list), "0A0200019000");
  EXPECT_EQ(card.send("80 E4 00 00 02 1001"), "6700");
  EXPECT_EQ(card.send("80 E4 00 00"), "9000");
  EXPECT_EQ(card.send(list), "0A009000") << "and its parent is current";
  EXPECT_EQ(card.send("80 E4 00 00"), "6982") << "0220 stays";
  EXPECT_EQ(card.send(select_path("666650001001")), "6A82");
}

TEST(EtokenFiles, MemoryIsBounded) {
  EtokenCard card("etoken72k", false, 4096);
  EXPECT_EQ(card.log_in(), "9000");
  EXPECT_EQ(card.send(select_path("666650000220")), "9000");
  EXPECT_EQ(card.send(create_ef("2001", 4000)), "6A84");
  EXPECT_EQ(card.send(create_ef("2001", 1800)), "9000");
  EXPECT_EQ(card.send(create_df("3001")), "9000");
  const auto writes = card.nvram().writes();
  EXPECT_EQ(card.send(generate_2048), "6A84");
  EXPECT_EQ(card.nvram().writes(), writes) << "no half of a key";
}

TEST(EtokenFiles, AListMayBeLong) {
  EtokenCard card;
  EXPECT_EQ(card.log_in(), "9000");
  EXPECT_EQ(card.send(select_path("666650000220")), "9000");
  std::string all;
  for (std::size_t i = 1; i <= 128; ++i) {
    EXPECT_EQ(card.send(select_path("666650000220")), "9000");
    EXPECT_EQ(card.send(create_df(hex_be16(0x2000 + i))), "9000");
    all += hex_be16(0x2000 + i);
  }
  EXPECT_EQ(card.send(select_path("666650000220")), "9000");
  EXPECT_EQ(card.send(list), "6700");
  EXPECT_EQ(card.send("80 01 00 00 00 0004 09020000 0000"), "0AFF0100" + all + "9000");
  EXPECT_EQ(card.send("80 01 00 00 04 09020001 00"), "6A80");
}

TEST(EtokenFiles, StateIsKeptAndBelongsToOneProfile) {
  Nvram nvram;
  ChipOptions options;
  options.seed = 5;
  {
    EtokenCard card(nvram, "etoken72k", options);
    EXPECT_EQ(card.log_in(), "9000");
    EXPECT_EQ(card.send(select_path("666650000220")), "9000");
    EXPECT_EQ(card.send(create_ef("2001", 4)), "9000");
  }
  EXPECT_FALSE(check_state(nvram, *find_profile("etoken5110"), options).ok());
  EXPECT_EQ(find_profile("etoken5110")->make(nvram, options), nullptr);
  EtokenCard card(nvram, "etoken72k", options);
  EXPECT_EQ(card.send(select_path("6666500002202001")), "9000");
}

}  // namespace
}  // namespace kilt::sim::test
