// SPDX-License-Identifier: Apache-2.0
// Key objects, security environment, signatures [facts jacarta B2, B5]; judged by OpenSSL.
#include "tests/sim/kzid_test_card.hpp"

namespace kilt::sim::test {
namespace {

using namespace kzid_commands;

TEST(KzidKeys, EmptyObjectsAsTheOwnerGetsThem) {
  KzidCard card;
  card.enter();
  for (std::uint8_t key = 0x07; key <= 0x0A; ++key) {
    SCOPED_TRACE(hex_byte(key));
    EXPECT_EQ(card.send(get_modulus(key)), "6A88");
    EXPECT_EQ(card.send(set_key(key)), "9000");
    EXPECT_EQ(card.send(sign()), "6985");
    EXPECT_EQ(card.send(delete_key(key)), "6A88");
  }
}

TEST(KzidKeys, TwoObjectsOnTheOtherKind) {
  KzidCard card("kzid-2sdo");
  card.enter();
  EXPECT_EQ(card.send(get_modulus(8)), "6A88");
  for (std::uint8_t key = 0x09; key <= 0x0A; ++key) {
    SCOPED_TRACE(hex_byte(key));
    EXPECT_EQ(card.send(get_modulus(key)), "6A82");
    EXPECT_EQ(card.send(generate(key)), "6900");
    EXPECT_EQ(card.send(set_key(key)), "9000");
    EXPECT_EQ(card.send(sign()), "6A82");
    EXPECT_EQ(card.send(delete_key(key)), "6A82");
  }
}

TEST(KzidKeys, ObjectsAreLocalToTheDf) {
  KzidCard card;
  card.load(7, foreign_key_2048());
  card.log_in();
  EXPECT_EQ(card.send(get_modulus(7)), "6A82");
  EXPECT_EQ(card.send(generate(7)), "6900");
  EXPECT_EQ(card.send(delete_key(7)), "6A82");
  EXPECT_EQ(card.send(set_key(7)), "9000");
  EXPECT_EQ(card.send(sign()), "6A82");
  EXPECT_EQ(card.send(select_df), "9000");
  EXPECT_EQ(card.modulus(7), foreign_key_2048().n);
}

TEST(KzidKeys, WithoutThePinKeysAreReadOnly) {
  KzidCard card;
  card.load(7, foreign_key_2048());
  EXPECT_EQ(card.send(select_df), "9000");
  EXPECT_EQ(card.send(generate(7)), "6982");
  EXPECT_EQ(card.send(generate(8)), "6982");
  EXPECT_EQ(card.send(delete_key(7)), "6982");
  EXPECT_EQ(card.send(set_key(7)), "9000");
  EXPECT_EQ(card.send(sign()), "6982");
  EXPECT_EQ(card.modulus(7), foreign_key_2048().n);
  card.log_in();
  EXPECT_EQ(card.send(sign()), "6100");  // the environment is still set
}

TEST(KzidKeys, PublicKeyWithExponent) {
  KzidCard card;
  card.load(8, foreign_key_2048());
  EXPECT_EQ(card.send(select_df), "9000");
  const std::string modulus = to_hex(foreign_key_2048().n);
  EXPECT_EQ(to_hex(card.data(get_modulus(8))), "FFA0088201097F4982010481820100" + modulus);
  EXPECT_EQ(to_hex(card.data(get_modulus_and_exponent(8))),
            "FFA00882010E7F4982010981820100" + modulus + "8203010001");
  EXPECT_EQ(card.exchange("00 CB 3F FF 0B 4D 09 FF A0 08 05 7F 49 02 82 00"),
            "FFA008087F49058203010001"
            "9000");
  // A Le behind the list changes nothing over T=0.
  EXPECT_EQ(card.send(get_modulus(8) + "00"), "6100");
}

TEST(KzidKeys, ListsThatAskForNothingOrSomethingElse) {
  KzidCard card;
  card.load(7, foreign_key_2048());
  EXPECT_EQ(card.send(select_df), "9000");
  for (const char* list :
       {"0B 5C 09 FFA007 05 7F49 02 8100",       // no extended header list
        "0B 4D 09 FF9007 05 7F49 02 8100",       // the private half
        "0B 4D 09 BFA007 05 7F49 02 8100",       // as IAS-ECC writes it
        "0B 4D 09 FFA007 05 7F48 02 8100",       // the template of private keys
        "0C 4D 0A FFA007 06 7F49 03 810155",     // a value where a wish belongs
        "0D 4D 0B FFA007 07 7F49 04 8100 8100",  // twice the same
        "0D 4D 0B FFA007 07 7F49 04 8200 8100",  // another order
        "0D 4D 0B FFA007 07 7F49 04 8100 9200",  // a private part
        "0D 4D 0B FFA007 07 7F49 02 8100 8200",  // the exponent beside the template
        "09 4D 07 FFA007 03 7F49 00",            // no wish
        "06 4D 04 FFA007 00",                    // no template
        "0B 4D 0A FFA007 05 7F49 02 8100",       // longer than it is
        "0C 4D 09 FFA007 05 7F49 02 8100 00",    // something behind the list
        "0C 4D 0A FFA007 05 7F49 02 8100 00",    // and in it
        "02 4D 00", "01 4D", "04 4D 02 FFA0", "05 4D 03 FFA007"}) {
    EXPECT_EQ(card.send(std::string("00 CB 3F FF") + list), "6A80") << list;
  }
  EXPECT_EQ(card.send("00 CB 3F FF"), "6A80");
  EXPECT_EQ(card.send("00 CB 00 FF 0B 4D 09 FF A0 07 05 7F 49 02 81 00"), "6A86");
  EXPECT_EQ(card.send("00 CA 9F 7F 00"), "6D00");
}

TEST(KzidKeys, GenerationReplacesThePairAndSaysNothing) {
  KzidCard card;
  card.load(7, foreign_key_2048());
  card.load(8, foreign_key_2048());
  card.enter();
  EXPECT_EQ(card.send(generate(7)), "9000");
  EXPECT_EQ(card.send("00 C0 00 00 00"), "6985");  // no data wait
  const Bytes modulus = card.modulus(7);
  EXPECT_NE(modulus, foreign_key_2048().n);
  EXPECT_EQ(recovered_by_openssl(modulus, card.signature(7)), *from_hex(digest_info));
  EXPECT_EQ(recovered_by_openssl(foreign_key_2048().n, card.signature(7)), Bytes{});
  EXPECT_EQ(card.modulus(8), foreign_key_2048().n);  // the neighbour is untouched
  EXPECT_EQ(recovered_by_openssl(foreign_key_2048().n, card.signature(8)), *from_hex(digest_info));
}

TEST(KzidKeys, GenerationIsOneWrite) {
  KzidCard card;
  card.enter();
  const auto before = card.nvram().writes();
  EXPECT_EQ(card.send(generate(9)), "9000");
  EXPECT_EQ(card.nvram().writes(), before + 1);
}

TEST(KzidKeys, MalformedGenerations) {
  KzidCard card;
  card.enter();
  for (const char* body : {"03 840187", "05 A603840187", "06 A40384018700", "05 A403830187",
                           "05 A402840187", "08 A40684018780010200"}) {
    EXPECT_EQ(card.send(std::string("00 46 02 00") + body), "6A80") << body;
  }
  EXPECT_EQ(card.send("00 46 02 00"), "6A80");
  EXPECT_EQ(card.send("00 46 00 00 05 A403840187"), "6A86");
  EXPECT_EQ(card.send("00 46 02 00 05 A403840107"), "6900");  // not of this DF
  EXPECT_EQ(card.send("00 47 00 00 05 A403840187"), "6D00");
  EXPECT_EQ(card.send(get_modulus(7)), "6A88");
}

TEST(KzidKeys, SecurityEnvironment) {
  KzidCard card;
  card.load(7, foreign_key_2048());
  card.enter();
  EXPECT_EQ(card.send(sign()), "6985");
  for (const char* body : {"06 840187 800102", "09 950180 840187 800102", "09 950140 840187 800142",
                           "09 840187 950140 800102", "08 950140 840187 8001", "03 840187",
                           "0A 950140 840187 800102 00"}) {
    EXPECT_EQ(card.send(std::string("00 22 41 A4") + body), "6A80") << body;
  }
  EXPECT_EQ(card.send("00 22 41 B6 09 950140 840187 800102"), "6A86");
  EXPECT_EQ(card.send("00 22 81 A4 09 950140 840187 800102"), "6A86");
  EXPECT_EQ(card.send("00 22 41 A4"), "6A80");
  EXPECT_EQ(card.send(sign()), "6985");  // none of them set anything

  EXPECT_EQ(card.send("00 22 41 A4 09 950140 840107 800102"), "9000");  // never checks the key
  EXPECT_EQ(card.send(sign()), "6A82");                                 // not of this DF
  EXPECT_EQ(card.send(set_key(7)), "9000");
  EXPECT_EQ(card.send(sign()), "6100");
  EXPECT_EQ(card.send(sign()), "6100");  // again without MSE
  EXPECT_EQ(card.send("00 A4 02 0C 02 5031"), "9000");
  EXPECT_EQ(card.send(sign()), "6100");  // an EF does not drop it
  EXPECT_EQ(card.send(select_mf), "9000");
  EXPECT_EQ(card.send(select_df), "9000");
  EXPECT_EQ(card.send(sign()), "6985");  // another DF does
  EXPECT_EQ(card.send(set_key(7)), "9000");
  card.reset();
  EXPECT_EQ(card.send(sign()), "6985");  // nor does it outlive a reset
}

TEST(KzidKeys, DigestInfoIsPaddedAndNotLookedAt) {
  KzidCard card;
  card.load(7, foreign_key_2048());
  card.enter();
  const std::string sha256 = "3031300D060960864801650304020105000420" + std::string(64, '5');
  const std::string sha512 = "3051300D060960864801650304020305000440" + std::string(128, '7');
  for (const auto& input :
       {sha256, sha512, std::string("00"), std::string(2 * 102, 'F'), std::string(2 * 40, '0')}) {
    EXPECT_EQ(recovered_by_openssl(foreign_key_2048().n, card.signature(7, input)),
              *from_hex(input));
  }
  EXPECT_EQ(card.send(sign(std::string(2 * 103, 'F'))), "6700");
  EXPECT_EQ(card.send(sign(std::string(2 * 255, 'F'))), "6700");
  EXPECT_EQ(card.send("00 88 02 00"), "6700");
  EXPECT_EQ(card.send("00 88 00 00 01 00"), "6A86");
  EXPECT_EQ(card.send("00 2A 9E 9A 01 00"), "6D00");  // the proven path only
}

TEST(KzidKeys, DeletionEmptiesTheObjectOnly) {
  KzidCard card;
  card.load(7, foreign_key_2048());
  card.enter();
  EXPECT_EQ(card.send(set_key(7)), "9000");
  EXPECT_EQ(card.send(delete_key(7)), "9000");
  EXPECT_EQ(card.send(sign()), "6985");
  EXPECT_EQ(card.send(get_modulus(7)), "6A88");
  EXPECT_EQ(card.send(delete_key(7)), "6A88");
  EXPECT_EQ(card.send(generate(7)), "9000");
  EXPECT_EQ(recovered_by_openssl(card.modulus(7), card.signature(7)), *from_hex(digest_info));
  for (const char* body : {"05 4D03FF9007", "05 5C03FFA007", "03 FFA007", "06 4D04FFA00700",
                           "05 4D04FFA007", "05 4D03BFA007"}) {
    EXPECT_EQ(card.send(std::string("00 EE 3F FF") + body), "6A80") << body;
  }
  EXPECT_EQ(card.send("00 EE 00 FF 05 4D03FFA007"), "6A86");
  EXPECT_EQ(card.send("00 EE 3F FF"), "6A80");
}

TEST(KzidKeys, OutliveThePower) {
  Nvram nvram;
  ChipOptions options;
  options.seed = TestCard::seed;
  Bytes modulus;
  {
    KzidCard card(nvram, "kzid", options);
    card.enter();
    EXPECT_EQ(card.send(generate(0x0A)), "9000");
    modulus = card.modulus(0x0A);
  }
  KzidCard again(nvram, "kzid", options);
  again.enter();
  EXPECT_EQ(again.modulus(0x0A), modulus);
  EXPECT_EQ(recovered_by_openssl(modulus, again.signature(0x0A)), *from_hex(digest_info));
  EXPECT_EQ(again.send(generate(9)), "9000");
  EXPECT_NE(again.modulus(9), modulus);  // the second run draws other numbers
}

TEST(KzidKeys, PartsThatAreNoKeyAreAFailureOfMemory) {
  KzidCard card;
  ForeignRsaKey broken = foreign_key_2048();
  broken.p[0] ^= 1;
  card.load(7, broken);
  card.enter();
  EXPECT_EQ(card.send(set_key(7)), "9000");
  EXPECT_EQ(card.send(sign()), "6581");
}

}  // namespace
}  // namespace kilt::sim::test
