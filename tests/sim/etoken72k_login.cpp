// SPDX-License-Identifier: Apache-2.0
// Selection, identification and login of the eToken: the published bytes as they stand in the
// facts, the derivation judged by OpenSSL [facts etoken §5.1-§5.4].
#include "firmware-sim/profiles/etoken72k_crypto.hpp"
#include "tests/sim/etoken72k_host.hpp"

namespace kilt::sim::test {
namespace {

const char* const salt_00_to_13 = "000102030405060708090A0B0C0D0E0F10111213";

TEST(EtokenDerivation, MeetsThePublishedVector) {
  const auto key = etoken72k::derive_key("public-test", *from_hex(salt_00_to_13));
  EXPECT_EQ(to_hex(key.view()), "914E419E89810EDEA2F6D8C9E68507F53FEA14B0520FDA70");
  EXPECT_EQ(to_hex(etoken72k::response_to(*from_hex("0011223344556677"), key.view())),
            "E53775610CAF052C");
}

TEST(EtokenDerivation, AgreesWithOpenssl) {
  EXPECT_EQ(to_hex(openssl_login_key("public-test", *from_hex(salt_00_to_13))),
            "914E419E89810EDEA2F6D8C9E68507F53FEA14B0520FDA70");
  const Bytes salt = *from_hex("FFEE00112233445566778899AABBCCDDEEFF0001");
  for (const char* pin : {"1", "1234567890", "a longer one of 31 characters.."}) {
    const auto key = etoken72k::derive_key(pin, salt);
    EXPECT_EQ(to_hex(key.view()), to_hex(openssl_login_key(pin, salt))) << pin;
    const Bytes iv = *from_hex("8877665544332211");
    const Bytes wrapped = openssl_des3_cbc(key.view(), iv, Bytes(24, 0x3C));
    EXPECT_EQ(copy_of(etoken72k::unwrap_key(wrapped, key.view(), iv).view()), Bytes(24, 0x3C));
  }
}

TEST(EtokenSelection, PublishedExchanges) {
  TestCard card("etoken72k");
  EXPECT_EQ(to_hex(card.chip().atr()), "3BD518008131FE7D8073C82110F4");
  EXPECT_EQ(card.send(select_applet), "6F108407A0000003120202A5059F650202129000");
  EXPECT_EQ(card.send("00 A4 00 00 02 3F00 00"), "6A86");
  // PKCS #15, PIV, card manager, and the applet's name cut short or too long.
  for (const char* name : {"0C A000000063504B43532D3135", "05 A000000308", "08 A000000151000000",
                           "06 A00000031202", "08 A000000312020200", "00"}) {
    const std::string with_le = std::string("00 A4 04 00") + name + (name[1] == '0' ? "" : "00");
    EXPECT_EQ(card.send(with_le), "6A82") << name;
  }
  EXPECT_EQ(card.sw("80 1C 00 00 00"), "9000") << "the applet stays selected";
  EXPECT_EQ(TestCard("etoken5110").chip().atr(), *from_hex("3BD5180081313A7D8073C8211030"));
}

TEST(EtokenSelection, NothingWorksWithoutTheApplet) {
  TestCard card("etoken72k");
  for (const char* command :
       {"80 17 00 00 08", "80 1C 00 00 00", "80 01 00 00 04 09020000 00",
        "80 11 00 11 0A 1008 0000000000000000", "80 18 00 00 04 0E020000 00", "80 E4 00 00"}) {
    EXPECT_EQ(card.send(command), "6D00") << command;
  }
  EXPECT_EQ(card.send("00 A4 08 0C 02 6666"), "6A86");
  EXPECT_EQ(card.send("00 CA 01 07 00"), "6A88");
  EXPECT_EQ(card.send("A0 17 00 00 08"), "6E00");
  EXPECT_EQ(card.send(select_applet).size(), 40u);
  card.reset();
  EXPECT_EQ(card.send("80 17 00 00 08"), "6D00") << "a reset deselects";
}

TEST(EtokenSelection, OnlyTheCardManagerTellsTheProductionData) {
  TestCard card("etoken72k");
  const std::string cplc = card.send("00 CA 9F 7F 00");
  EXPECT_EQ(cplc.size(), 2 * (3 + 42 + 2u));
  EXPECT_EQ(cplc.substr(0, 6), "9F7F2A");
  EXPECT_EQ(cplc.substr(2 * (3 + 12), 8), "48E243B5");
  card.send(select_applet);
  EXPECT_EQ(card.send("00 CA 9F 7F 00"), "6A88");
}

TEST(EtokenInformation, SerialStandsAtOffsetFour) {
  EtokenCard card;
  const Bytes answer = data_of(card.send("00 CA 01 07 00"));
  ASSERT_EQ(answer.size(), 8u);
  EXPECT_EQ(answer[1], 6);
  EXPECT_EQ(answer[2], 0x01);
  EXPECT_EQ(answer[3], 4);
  EXPECT_EQ(to_hex(ByteView(answer).subspan(4)), "48E243B5");
  EXPECT_EQ(card.chip().serial(), "48E243B5");
  const std::string information = card.send("80 1C 00 00 00");
  EXPECT_EQ(information.substr(0, 4), "1010");
  EXPECT_EQ(information.size(), 2 * (18 + 2u));
}

TEST(EtokenInformation, AnOrderedSerialAndAtrAreTold) {
  Nvram nvram;
  ChipOptions options;
  options.serial = "1234567890abcdef";
  options.atr = *from_hex("3B00");
  EtokenCard card(nvram, "etoken72k", options);
  EXPECT_EQ(to_hex(card.chip().atr()), "3B00");
  EXPECT_EQ(card.send("00 CA 01 07 00").substr(4), "01081234567890ABCDEF9000");
}

TEST(EtokenInformation, ClassesAndInstructionsOfOthers) {
  EtokenCard card;
  EXPECT_EQ(card.send("80 07 00 00"), "6D00");
  EXPECT_EQ(card.send("80 1B 00 00"), "6D00");
  EXPECT_EQ(card.send("00 20 00 01 08 3132333435363738"), "6D00");
  EXPECT_EQ(card.send("00 B0 00 00 00"), "6D00");
  EXPECT_EQ(card.send("84 0C 12 31"), "6E00");
}

// ---- login

TEST(EtokenLogin, ByTheResponseThatOpensslComputes) {
  EtokenCard card;
  EXPECT_EQ(card.log_in(), "9000");
  EXPECT_EQ(card.log_in(so_pin, so_role), "9000");
}

TEST(EtokenLogin, ChallengesAreEightBytesAndNeverTheSame) {
  EtokenCard card;
  EXPECT_EQ(card.challenge().size(), 8u);
  EXPECT_NE(card.challenge(), card.challenge());
  for (const char* wrong : {"80 17 00 00", "80 17 00 00 09", "80 17 00 00 00", "80 17 00 00 07"}) {
    EXPECT_EQ(card.send(wrong), "6700") << wrong;
  }
  EXPECT_EQ(card.send("80 17 01 00 08"), "6A86");
  EtokenCard sc("etoken5110");
  EXPECT_EQ(sc.sw("80 17 01 00 08"), "9000");
}

TEST(EtokenLogin, AChallengeServesOneAttempt) {
  EtokenCard card;
  const Bytes key = card.login_key(user_pin, user_role);
  const std::string body = "0A 1008" + to_hex(openssl_des3_ecb(key, card.challenge()));
  EXPECT_EQ(card.send("80 11 00 11" + body), "9000");
  EXPECT_EQ(card.send("80 11 00 11" + body), "6985");
  EXPECT_EQ(card.send("80 11 00 11 0A 1008 0000000000000000"), "6985") << "costs no try";
  // Only the newest counts.
  const std::string old = "0A 1008" + to_hex(openssl_des3_ecb(key, card.challenge()));
  card.challenge();
  EXPECT_EQ(card.send("80 11 00 11" + old), "6300");
  EXPECT_EQ(card.log_in(), "9000");
}

TEST(EtokenLogin, ParametersAreReadStrictly) {
  EtokenCard card;
  card.challenge();
  for (const char* body :
       {"0A 1108 0000000000000000", "09 1007 00000000000000", "0B 1008 0000000000000000 00",
        "0A 1009 0000000000000000", "0C 10FF0008 0000000000000000 ", "02 1000"}) {
    const std::string word = card.send(std::string("80 11 00 11") + body);
    // The long form of a length is a length too: a wrong response, which costs a try.
    EXPECT_EQ(word, std::string(body).starts_with("0C") ? "6300" : "6A80") << body;
  }
  EXPECT_EQ(card.send("80 11 00 15 0A 1008 0000000000000000"), "6A86");
  EXPECT_EQ(card.send("80 11 01 11 0A 1008 0000000000000000"), "6A86");
}

TEST(EtokenLogin, TenWrongOnesBlockAndARightOneGivesTheTriesBack) {
  EtokenCard card;
  EXPECT_EQ(card.log_in("1234567891"), "6300");
  for (int i = 0; i < 8; ++i)
    EXPECT_EQ(card.log_in_wrongly(), "6300") << i;
  EXPECT_EQ(card.log_in(), "9000") << "the tenth";
  for (int i = 0; i < 10; ++i)
    EXPECT_EQ(card.log_in_wrongly(), "6300") << i;
  EXPECT_EQ(card.log_in_wrongly(), "6983");
  EXPECT_EQ(card.log_in(), "6983");
  card.power_cycle();
  EXPECT_EQ(card.sw(select_applet), "9000");
  EXPECT_EQ(card.log_in(), "6983") << "survives";
  EXPECT_EQ(card.log_in(so_pin, so_role), "9000") << "a counter for each";
}

TEST(EtokenLogin, EndsWithASelectionOfTheAppletAResetAndAFailedAttempt) {
  EtokenCard card;
  const auto may_create = [&card] {
    EXPECT_EQ(card.send(select_path("666650000220")), "9000");
    if (card.send(create_ef("2001", 8)) != "9000") return false;
    EXPECT_EQ(card.send("80 E4 00 00"), "9000");
    return true;
  };
  EXPECT_FALSE(may_create());
  EXPECT_EQ(card.log_in(), "9000");
  EXPECT_TRUE(may_create());
  card.send(select_applet);
  EXPECT_FALSE(may_create());
  EXPECT_EQ(card.log_in(), "9000");
  EXPECT_EQ(card.log_in_wrongly(), "6300");
  EXPECT_FALSE(may_create());
  EXPECT_EQ(card.log_in(), "9000");
  card.reset();
  card.send(select_applet);
  EXPECT_FALSE(may_create());
  EXPECT_EQ(card.log_in(so_pin, so_role), "9000");
  EXPECT_FALSE(may_create()) << "the SO is no user";
}

// ---- change, unblock, initialise

TEST(EtokenPins, AChangeReplacesSaltAndKey) {
  EtokenCard card;
  EXPECT_EQ(card.log_in(), "9000");
  const Bytes old_key = card.login_key(user_pin, user_role);
  const Bytes salt(20, 0x5A);
  const std::string body = card.new_credential(salt, "new secret", old_key);
  const auto writes = card.nvram().writes();
  EXPECT_EQ(card.send(command("80 24 00 11", body)), "9000");
  EXPECT_EQ(card.nvram().writes(), writes + 1) << "cannot be torn";
  card.forget_salts();
  EXPECT_EQ(card.salt(user_role), salt);
  EXPECT_EQ(card.log_in(user_pin), "6300");
  EXPECT_EQ(card.log_in("new secret"), "9000");
}

TEST(EtokenPins, AChangeNeedsItsRoleAndAChallenge) {
  EtokenCard card;
  const Bytes key = card.login_key(user_pin, user_role);
  const Bytes salt(20, 0x5A);
  EXPECT_EQ(card.send(command("80 24 00 11", card.new_credential(salt, "x", key))), "6982");
  EXPECT_EQ(card.log_in(so_pin, so_role), "9000");
  EXPECT_EQ(card.send(command("80 24 00 11", card.new_credential(salt, "x", key))), "6982");
  EXPECT_EQ(card.log_in(), "9000");
  EXPECT_EQ(card.send(command("80 24 00 21", card.new_credential(salt, "x", key))), "6982");
  const std::string body = card.new_credential(salt, user_pin, key);
  EXPECT_EQ(card.send(command("80 24 00 11", body + "00")), "6A80");
  EXPECT_EQ(card.send(command("80 24 00 11", body.substr(44))), "6A80");
  EXPECT_EQ(card.log_in(), "9000");
  EXPECT_EQ(card.send(command("80 24 00 11", body)), "6985") << "the challenge is used up";
  EXPECT_EQ(card.log_in(), "9000");
}

TEST(EtokenPins, TheSoChangesHisOwn) {
  EtokenCard card;
  EXPECT_EQ(card.log_in(so_pin, so_role), "9000");
  const Bytes key = card.login_key(so_pin, so_role);
  EXPECT_EQ(card.send(command("80 24 00 21", card.new_credential(Bytes(20, 7), "98765432", key))),
            "9000");
  card.forget_salts();
  EXPECT_EQ(card.log_in("98765432", so_role), "9000");
}

TEST(EtokenPins, TheSoUnblocks) {
  EtokenCard card;
  for (int i = 0; i < 11; ++i)
    card.log_in_wrongly();
  EXPECT_EQ(card.log_in(), "6983");
  EXPECT_EQ(card.log_in(so_pin, so_role), "9000");
  const Bytes key = card.login_key(so_pin, so_role);
  const std::string body = card.new_credential(Bytes(20, 9), "fresh", key);
  EXPECT_EQ(card.send(command("80 2C 00 21", body)), "6A86");
  EXPECT_EQ(card.send(command("80 2C 00 11", body)), "9000");
  card.forget_salts();
  for (int i = 0; i < 9; ++i)
    EXPECT_EQ(card.log_in_wrongly(), "6300");
  EXPECT_EQ(card.log_in("fresh"), "9000");
  EXPECT_EQ(card.send(command("80 2C 00 11", body)), "6982") << "not for the user";
}

const Bytes transport_key(24);

TEST(EtokenInitialisation, OfABlankCard) {
  EtokenCard card("etoken72k", true);
  EXPECT_EQ(card.send("80 01 00 00 04 09020000 00"), "0A009000");
  EXPECT_EQ(card.send(select_path("66665000")), "6A82");
  EXPECT_EQ(card.log_in_wrongly(user_role), "6984");
  EXPECT_EQ(card.log_in_wrongly(so_role), "6984");
  const Bytes salt(20, 0x11);
  const std::string label = "2108" + to_hex(as_bytes("my token"));
  EXPECT_EQ(card.send(command("80 8E 00 00",
                              card.new_credential(salt, "so secret", transport_key) + label)),
            "9000");
  EXPECT_EQ(card.log_in("so secret", so_role), "9000");
  EXPECT_EQ(card.log_in_wrongly(user_role), "6984") << "no user PIN yet";
  EXPECT_EQ(card.send(select_path("66665000000F")), "6A82");
  const Bytes key = card.login_key("so secret", so_role);
  EXPECT_EQ(card.log_in("so secret", so_role), "9000");
  EXPECT_EQ(card.send(command("80 2C 00 11", card.new_credential(Bytes(20, 2), "mine", key))),
            "9000");
  EXPECT_EQ(card.log_in("mine"), "9000");
  EXPECT_EQ(card.send(select_path("666650000001")), "9000");
  EXPECT_EQ(card.send(read_at(0)), "2108" + to_hex(as_bytes("my token")) + "9000");
}

TEST(EtokenInitialisation, ErasesAndNeedsTheSo) {
  EtokenCard card;
  EXPECT_EQ(card.log_in(), "9000");
  card.generate("3001");
  const Bytes key = card.login_key(so_pin, so_role);
  const Bytes salt(20, 0x22);
  const auto body = [&] { return card.new_credential(salt, "other", key) + "2100"; };
  EXPECT_EQ(card.send(command("80 8E 00 00", body())), "6982");
  EXPECT_EQ(card.log_in(), "9000");
  EXPECT_EQ(card.send(command("80 8E 00 00", body())), "6982");
  EXPECT_EQ(card.log_in(so_pin, so_role), "9000");
  EXPECT_EQ(card.send(command("80 8E 00 00", "2100" + body())), "6A80");
  EXPECT_EQ(card.send(command("80 8E 00 00", card.new_credential(salt, "other", key) + "2121" +
                                                 std::string(66, '4'))),
            "6A80")
      << "33 bytes";
  EXPECT_EQ(card.send(command("80 8E 00 00", body())), "9000");
  card.forget_salts();
  EXPECT_EQ(card.send(select_path("666650000220")), "9000");
  EXPECT_EQ(card.send("80 01 00 00 04 09020000 00"), "0A009000");
  EXPECT_EQ(card.log_in("other", so_role), "9000");
}

}  // namespace
}  // namespace kilt::sim::test
