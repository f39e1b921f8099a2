// SPDX-License-Identifier: Apache-2.0
// How an ID card is delivered: options, identity, the encodings of T=0 around its commands.
#include "tests/sim/kzid_test_card.hpp"

namespace kilt::sim::test {
namespace {

using namespace kzid_commands;

ChipOptions seeded(std::uint64_t seed) {
  ChipOptions options;
  options.seed = seed;
  return options;
}

std::string global_data(KzidCard& card) {
  EXPECT_EQ(card.send("00 A4 02 0C 02 2F02"), "9000");
  return to_hex(card.data("00 B0 00 00 00"));
}

TEST(KzidDelivery, SameSeedSameCard) {
  const auto key = [](std::uint64_t seed) {
    Nvram nvram;
    KzidCard card(nvram, "kzid", seeded(seed));
    card.enter();
    EXPECT_EQ(card.send(generate(7)), "9000");
    return card.chip().serial() + to_hex(card.modulus(7));
  };
  EXPECT_EQ(key(5), key(5));
  EXPECT_NE(key(5), key(6));
}

TEST(KzidDelivery, SerialIsDrawnOrGiven) {
  Nvram drawn;
  KzidCard first(drawn, "kzid", seeded(3));
  ASSERT_EQ(first.chip().serial().size(), 8u);
  EXPECT_EQ(global_data(first), "5A04" + first.chip().serial());

  for (const auto& [given, printed, data] :
       {std::tuple{"12ab", "000012AB", "5A04000012AB"},
        {"043210987", "043210987", "5A050043210987"},
        {"0123456789abcdef", "0123456789ABCDEF", "5A080123456789ABCDEF"}}) {
    Nvram nvram;
    ChipOptions options = seeded(3);
    options.serial = given;
    KzidCard card(nvram, "kzid", options);
    EXPECT_EQ(card.chip().serial(), printed);
    EXPECT_EQ(global_data(card), data);
    EXPECT_TRUE(check_state(nvram, *find_profile("kzid"), options).ok());
  }
}

TEST(KzidDelivery, AnotherAtr) {
  Nvram nvram;
  ChipOptions options = seeded(3);
  options.atr = *from_hex("3BFA1800FF8031FE45003180739441000090009 0");
  {
    KzidCard card(nvram, "kzid", options);
    EXPECT_EQ(card.chip().atr(), options.atr);
  }
  KzidCard kept(nvram, "kzid", seeded(3));
  EXPECT_EQ(kept.chip().atr(), options.atr);
}

TEST(KzidDelivery, AStateIsOfOneKind) {
  Nvram nvram;
  { KzidCard card(nvram, "kzid-2sdo", seeded(3)); }
  EXPECT_FALSE(check_state(nvram, *find_profile("kzid"), seeded(3)).ok());
  EXPECT_EQ(find_profile("kzid")->make(nvram, seeded(3)), nullptr);
  EXPECT_TRUE(check_state(nvram, *find_profile("kzid-2sdo"), seeded(3)).ok());
}

TEST(KzidDelivery, PersonalisationThatWasCutOffIsMadeAnew) {
  std::uint64_t all = 0;
  {
    Nvram nvram;
    KzidCard card(nvram, "kzid", seeded(3));
    all = nvram.writes();
  }
  for (std::uint64_t n = 1; n <= all; ++n) {
    Nvram nvram;
    nvram.before_write = [n](std::uint64_t write) {
      if (write == n) throw PowerCut{};
    };
    EXPECT_THROW(find_profile("kzid")->make(nvram, seeded(3)), PowerCut);
    nvram.before_write = nullptr;
    KzidCard card(nvram, "kzid", seeded(3));
    EXPECT_EQ(global_data(card), "5A04" + card.chip().serial());
    card.enter();
    EXPECT_EQ(card.send("00 A4 02 0C 02 4404"), "9000");
    EXPECT_EQ(card.send(get_modulus(7)), "6A88");
  }
}

TEST(KzidDelivery, OnlyPlainClassAndKnownInstructions) {
  KzidCard card;
  for (const char* cla : {"80", "0C", "10", "01", "FF"})
    EXPECT_EQ(card.send(std::string(cla) + "20 00 02"), "6E00") << cla;
  for (const char* ins : {"2A", "82", "86", "47", "DA", "DB", "CA", "44", "04", "E6", "00"})
    EXPECT_EQ(card.send(std::string("00") + ins + "00 00"), "6D00") << ins;
}

TEST(KzidDelivery, RandomEightBytes) {
  KzidCard card;
  const std::string first = card.send("00 84 00 00 08");
  const std::string second = card.send("00 84 00 00 08");
  EXPECT_EQ(first.size(), 20u);
  EXPECT_TRUE(first.ends_with("9000"));
  EXPECT_NE(first, second);
  EXPECT_EQ(card.send("00 84 00 00 10"), "6C08");
  EXPECT_EQ(card.send("00 84 00 00 00"), "6C08");
  EXPECT_EQ(card.send("00 84 00 00 01 00"), "6700");
  EXPECT_EQ(card.send("00 84 00 01 08"), "6A86");
}

TEST(KzidDelivery, AnswersWaitForTheNextCommandOnly) {
  KzidCard card;
  card.load(7, foreign_key_2048());
  card.enter();
  EXPECT_EQ(card.send(get_modulus(7)), "6100");
  EXPECT_EQ(card.send(query_user), "9000");
  EXPECT_EQ(card.send("00 C0 00 00 00"), "6985");
  EXPECT_EQ(card.send(get_modulus(7)), "6100");
  card.reset();
  EXPECT_EQ(card.send("00 C0 00 00 00"), "6985");
}

TEST(KzidDelivery, ShortApdusOnly) {
  KzidCard card;
  card.load(7, foreign_key_2048());
  card.enter();
  EXPECT_EQ(card.send("00 88 02 00 00 00 23" + std::string(digest_info)), "6700");
  EXPECT_EQ(card.send("00 B0 00 00 00 01 00"), "6700");
  EXPECT_EQ(card.send("00 88"), "6700");
}

TEST(KzidDelivery, KeysTakeTheirTime) {
  KzidCard card;
  card.enter();
  const auto generation = card.chip().transmit(*from_hex(generate(7))).duration;
  EXPECT_GT(generation, std::chrono::seconds(1));
  const auto query = card.chip().transmit(*from_hex(query_user)).duration;
  EXPECT_LT(query, std::chrono::milliseconds(100));
}

}  // namespace
}  // namespace kilt::sim::test
