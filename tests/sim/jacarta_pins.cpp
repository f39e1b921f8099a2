// SPDX-License-Identifier: Apache-2.0
// The life of a PIN [facts jacarta A7, A8, A16 #5, #6, #14, #16].
#include "tests/sim/jacarta_card.hpp"

namespace kilt::sim::test {
namespace {

TEST(LaserPin, AWrongOneCostsOneTryInBothForms) {
  LaserCard card;
  EXPECT_EQ(card.status(user_ko), "63CA");
  EXPECT_EQ(card.present(user_ko, "1234567891"), "63C9");
  EXPECT_EQ(card.present_secure(user_ko, "1234567891"), "63C8");
  EXPECT_EQ(card.present(user_ko, "1"), "63C7");
  EXPECT_EQ(card.present(user_ko, std::string(40, '1')), "63C6");
  EXPECT_EQ(card.status(user_ko), "63C6");
  EXPECT_EQ(card.status(so_ko), "63CA");
  EXPECT_NE(card.send(select_path(user_ko)).find("C00100006AAA0410"), std::string::npos);
  EXPECT_EQ(card.present_secure(user_ko, "1234567890"), "9000");
  card.reset();
  EXPECT_EQ(card.status(user_ko), "63CA");
}

TEST(LaserPin, BlocksForBothFormsAndSurvivesPower) {
  LaserCard card;
  for (int left = 9; left >= 0; --left) {
    EXPECT_EQ(card.present_secure(so_ko, "1111"), "63C" + std::to_string(left));
  }
  EXPECT_EQ(card.status(so_ko), "6983");
  EXPECT_EQ(card.present(so_ko, "00000000"), "6983");
  EXPECT_EQ(card.present_secure(so_ko, "00000000"), "6983");
  card.card().power_cycle();
  EXPECT_EQ(card.sw(select_laser), "9000");
  EXPECT_EQ(card.status(so_ko), "6983");
  EXPECT_EQ(card.send("802C0000"), "6982");  // the SO's rule is never
  card.log_in_user();
}

TEST(LaserPin, AWrongOneEndsThePresentation) {
  LaserCard card;
  card.log_in_user();
  EXPECT_EQ(card.status(user_ko), "9000");
  EXPECT_EQ(card.present(user_ko, "0000"), "63C9");
  EXPECT_EQ(card.status(user_ko), "63C9");
}

TEST(LaserPin, SecureFormTakesAFreshChallengeOfEight) {
  LaserCard card;
  card.select(user_ko);
  const std::string proof = "8020000010" + std::string(32, '5');
  EXPECT_EQ(card.send(proof), "6985");
  EXPECT_EQ(card.sw("0084000010"), "9000");
  EXPECT_EQ(card.send(proof), "6985");  // of sixteen
  EXPECT_EQ(card.sw("0084000008"), "9000");
  EXPECT_EQ(card.sw("80CB011400"), "9000");
  EXPECT_EQ(card.send(proof), "6985");  // another command came between
  EXPECT_EQ(card.send("0084000008").size(), 20u);
  EXPECT_EQ(card.send("8020000008" + std::string(16, '5')), "6700");
  EXPECT_EQ(card.status(user_ko), "63CA");  // none of these spent a try
  // A proof is good once.
  card.select(user_ko);
  Bytes text(8);
  append(text, ByteView(*from_hex(card.send("0084000008"))).first(8));
  Bytes key = openssl_sha1(as_bytes("1234567890"));
  key.resize(16);
  const std::string right = "8020000010" + to_hex(openssl_des3(key, text, true));
  EXPECT_EQ(card.send(right), "9000");
  EXPECT_EQ(card.send(right), "6985");
  EXPECT_EQ(card.sw("0084000008"), "9000");
  EXPECT_EQ(card.send(right), "63C9");
}

TEST(LaserPin, TransportPinsArePlainOnly) {
  LaserCard card;
  EXPECT_EQ(card.present_secure(transport_ko, "1234"), "6985");
  EXPECT_EQ(card.present(transport_ko, "1234"), "9000");
  EXPECT_EQ(card.present_secure("3F000002", "LASER+"), "6985");
  EXPECT_EQ(card.present("3F000002", "LASER+"), "9000");
  EXPECT_EQ(card.present("3F000002", "LASER-"), "63C2");  // three tries
}

TEST(LaserPin, ThereIsOneToVerifyOnlyWhereAPinIsSelected) {
  LaserCard card;
  card.select("3F00");
  EXPECT_EQ(card.send(verify_plain("1234567890")), "6985");
  card.select("3F000030");  // an expression has no value
  EXPECT_EQ(card.send(verify_plain("1234567890")), "6981");
  card.select("3F001000");
  EXPECT_EQ(card.send("00200000"), "6985");
  card.select(user_ko);
  EXPECT_EQ(card.send("0020000101"
                      "31"),
            "6A86");
  EXPECT_EQ(card.send("0020010001"
                      "31"),
            "6A86");
  EXPECT_EQ(card.status(user_ko), "63CA");
}

TEST(LaserPin, PresentationEndsWithSelectionOfTheAppletResetAndLogout) {
  LaserCard card;
  card.log_in_user();
  EXPECT_EQ(card.sw(select_laser), "9000");
  EXPECT_EQ(card.status(user_ko), "63CA");
  card.log_in_user();
  card.reset();
  EXPECT_EQ(card.status(user_ko), "63CA");
  card.log_in_user();
  card.log_in_so();
  EXPECT_EQ(card.status(user_ko), "9000");  // both at once
  EXPECT_EQ(card.send("80280000"
                      "04"
                      "00000020"),
            "9000");
  EXPECT_EQ(card.status(user_ko), "63CA");
  EXPECT_EQ(card.status(so_ko), "9000");
  card.log_in_user();
  EXPECT_EQ(card.send("80280000"
                      "08"
                      "0000002000000010"),
            "9000");
  EXPECT_EQ(card.status(user_ko), "63CA");
  EXPECT_EQ(card.status(so_ko), "63CA");
  EXPECT_EQ(card.send("80280000"), "6700");
  EXPECT_EQ(card.send("80280000"
                      "03"
                      "000000"),
            "6700");
  EXPECT_EQ(card.send("80280000"
                      "04"
                      "01000020"),
            "6A80");
}

TEST(LaserPin, ANewValueComesUnderSecureMessagingOnly) {
  LaserCard card;
  card.log_in_user();
  card.select(user_ko);
  EXPECT_EQ(card.send("802400000C620A81083837363534333231"), "6982");
  EXPECT_EQ(card.change_pin("87654321"), "9000");
  EXPECT_EQ(card.status(user_ko), "9000");  // stays presented
  card.reset();
  card.select(user_ko);
  EXPECT_EQ(card.change_pin("1234567890"), "6982");  // nobody was presented
  EXPECT_EQ(card.present(user_ko, "87654321"), "9000");
}

TEST(LaserPin, TheSoMayChangeBothTheUserTheirOwn) {
  LaserCard card;
  card.log_in_so();
  card.select(user_ko);
  EXPECT_EQ(card.change_pin("4321"), "9000");
  card.select(so_ko);
  EXPECT_EQ(card.change_pin("99999999"), "9000");
  card.reset();
  EXPECT_EQ(card.present(user_ko, "4321"), "9000");
  card.select(so_ko);
  EXPECT_EQ(card.change_pin("00000000"), "6982");
  EXPECT_EQ(card.present_secure(so_ko, "99999999"), "9000");
}

TEST(LaserPin, LengthsAreThoseOfThePolicy) {
  LaserCard card;
  card.log_in_user();
  card.select(user_ko);
  EXPECT_EQ(card.change_pin("123"), "6A80");
  EXPECT_EQ(card.change_pin(std::string(17, '1')), "6A80");
  EXPECT_EQ(card.change_pin(std::string(16, '1')), "9000");
  EXPECT_EQ(card.change_pin("1234"), "9000");
  for (const char* body : {"0A"
                           "62088104"
                           "31323334"
                           "8100",
                           "08"
                           "6306810431323334",
                           "06"
                           "810431323334",
                           "02"
                           "6200",
                           "07"
                           "62048104313233"}) {
    SmHost host = card.open_channel();
    EXPECT_EQ(host.unwrap(card.send(host.wrap(std::string("80240000") + body))), "6A80") << body;
  }
  SmHost host = card.open_channel();
  EXPECT_EQ(host.unwrap(card.send(host.wrap("8024001008"
                                            "6206810431323335"))),
            "6A86");
  EXPECT_EQ(card.present(user_ko, "1234"), "9000");
}

TEST(LaserPin, UnblocksAreCounted) {
  LaserCard card;
  card.log_in_so();
  card.select(user_ko);
  for (int i = 0; i < 10; ++i)
    EXPECT_EQ(card.send("802C0000"), "9000");
  EXPECT_EQ(card.send("802C0000"), "6983");
  EXPECT_NE(card.send(select_path(user_ko)).find("C0010000AA0A0410"), std::string::npos);
  EXPECT_EQ(card.send("802C0001"), "6A86");
  EXPECT_EQ(card.send("802C000001"
                      "31"),
            "6700");
}

TEST(LaserPin, ACreatedPinHasItsOwnCounters) {
  LaserCard card;
  EXPECT_EQ(card.present(transport_ko, "1234"), "9000");
  card.select("3F00");
  // 3 tries, 3 unblocks, no policy.
  EXPECT_EQ(card.send("00E0080033"
                      "6231"
                      "8A0104"
                      "83020023"
                      "80020010"
                      "850EC001000033000000000000000000"
                      "860E00FF001000FF001000FF00100000"
                      "810431323334"),
            "9000");
  EXPECT_NE(card.send(select_path("3F000023")).find("850FC00100003333000000"), std::string::npos);
  EXPECT_EQ(card.present("3F000023", "1235"), "63C2");
  EXPECT_EQ(card.present("3F000023", "1234"), "9000");
  card.log_in_so();
  card.select("3F000023");
  EXPECT_EQ(card.sw("00E40000"), "9000");
  EXPECT_EQ(card.sw(select_path("3F000023")), "6A82");
}

TEST(LaserPin, ADeletedPinWasNotPresentedToItsSuccessor) {
  LaserCard card;
  card.log_in_user();
  card.log_in_so();
  card.select(user_ko);
  EXPECT_EQ(card.sw("00E40000"), "9000");
  EXPECT_EQ(card.present(transport_ko, "1234"), "9000");
  card.select("3F00");
  EXPECT_EQ(card.send("00E0080033"
                      "6231"
                      "8A0104"
                      "83020020"
                      "80020010"
                      "850EC0010000AA041000000000001010"
                      "860E00FF003000FF001000FF00100000"
                      "810431313131"),
            "9000");
  EXPECT_EQ(card.status(user_ko), "63CA");
}

}  // namespace
}  // namespace kilt::sim::test
