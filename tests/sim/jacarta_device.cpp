// SPDX-License-Identifier: Apache-2.0
// Several applets on one device [facts jacarta A1, A8, A13, A14].
#include "tests/sim/jacarta_card.hpp"

namespace kilt::sim::test {
namespace {

const char* const select_pro = "00A4040007A000000312020200";
const char* const select_gost = "00A404000AA000000448010101060200";
const char* const jacarta_atr = "3BDC18FF8191FE1FC38073C82113660106115900 0128";

TEST(JacartaDevice, AllShowTheAtrOfJacarta) {
  for (const char* name : {"jacarta", "jacarta-pro", "jacarta-combined"}) {
    TestCard card(name);
    EXPECT_EQ(card.chip().atr(), *from_hex(jacarta_atr)) << name;
    EXPECT_EQ(card.chip().protocol(), Protocol::t1);
  }
}

TEST(JacartaDevice, NothingIsSelectedAfterReset) {
  TestCard card("jacarta");
  EXPECT_EQ(card.send("80CB011400"), "6D00");
  EXPECT_EQ(card.send("80A4080C023F0000"), "6A82");
  EXPECT_EQ(card.send("00A4040C07A000000312020200"), "6A82");
  EXPECT_EQ(card.send("00A4040C0BA0000001644C4153455200"
                      "00"),
            "6A82");  // not the whole name
  EXPECT_EQ(card.send("00A404040CA0000001644C41534552000100"), "6A86");
  EXPECT_EQ(card.sw("00A404000CA0000001644C41534552000100"), "9000");
  EXPECT_EQ(card.sw("80CB011400"), "9000");
}

TEST(JacartaDevice, TheGostAppletIsThereAndDoesNothing) {
  TestCard card("jacarta");
  EXPECT_EQ(card.send(select_gost), "9000");
  for (const char* command : {"80CB011400",
                              "0020000008"
                              "3131313131313131",
                              "00CA010000", "8010000000"}) {
    EXPECT_EQ(card.send(command), "6D00");
  }
  EXPECT_EQ(card.send("00A4000C023F0000"), "6A82");
  EXPECT_EQ(card.sw(select_laser), "9000");
  EXPECT_EQ(card.sw("80CB011400"), "9000");
}

TEST(JacartaDevice, SelectingAnotherAppletEndsALogin) {
  LaserCard laser(LaserCard::options(), "jacarta-combined");
  laser.log_in_user();
  EXPECT_EQ(laser.status(user_ko), "9000");
  EXPECT_EQ(laser.sw("00A4040C0AA000000448010101060200"), "6A82");  // not on this device
  EXPECT_EQ(laser.status(user_ko), "9000");                         // and LASER stayed selected
  SmHost host = laser.open_channel();
  EXPECT_EQ(laser.sw(select_pro), "9000");
  EXPECT_EQ(laser.sw("80CB011400"), "6D00");
  EXPECT_EQ(laser.sw(select_laser), "9000");
  EXPECT_EQ(laser.status(user_ko), "63CA");
  EXPECT_EQ(laser.send(host.wrap("80CB011400")), "6985");
}

TEST(JacartaDevice, TheProAppletIsTheETokens) {
  for (const char* name : {"jacarta-pro", "jacarta-combined"}) {
    TestCard card(name);
    TestCard etoken("etoken72k");
    EXPECT_EQ(card.send(select_pro), etoken.send(select_pro)) << name;
    const std::string challenge = card.send("8017000008");
    EXPECT_EQ(challenge.size(), 20u) << name;
    EXPECT_EQ(challenge.substr(16), "9000") << name;
  }
}

TEST(JacartaDevice, BothAppletsKeepTheirFilesOnOneChip) {
  Nvram nvram;
  {
    TestCard card(nvram, "jacarta-combined", LaserCard::options());
    EXPECT_EQ(card.sw(select_laser), "9000");
    EXPECT_EQ(card.sw(select_path("3F003000C000")), "9000");
    EXPECT_EQ(card.sw(select_pro), "9000");
  }
  TestCard again(nvram, "jacarta-combined", LaserCard::options());
  EXPECT_EQ(again.sw(select_laser), "9000");
  EXPECT_EQ(again.sw(select_path("3F003000C000")), "9000");
  EXPECT_EQ(again.sw(select_pro), "9000");
  EXPECT_EQ(find_profile("jacarta")->make(nvram, LaserCard::options()), nullptr);
}

TEST(JacartaDevice, LaserKnowsNoExtendedLengthBesideAnAppletThatDoes) {
  TestCard card("jacarta-combined");
  EXPECT_EQ(card.sw(select_laser), "9000");
  EXPECT_EQ(card.send("00840000000101"), "6700");
  EXPECT_EQ(card.send("0084000000000101"
                      "00"),
            "6700");
  EXPECT_EQ(card.sw("0084000008"), "9000");
}

}  // namespace
}  // namespace kilt::sim::test
