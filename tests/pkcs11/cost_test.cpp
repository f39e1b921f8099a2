// SPDX-License-Identifier: Apache-2.0
// What workflows cost on the card, in exchanges: one RSA-2048 pair and a certificate of 1468
// octets, as in the baseline of OpenSC [facts kaztoken §10.5]. A failure shows the commands.
#include "tests/pkcs11/create_helpers.hpp"
#include "tests/pkcs11/module_fixture.hpp"

namespace kilt::test {
namespace {

class Cost : public Cryptoki {
 protected:
  void SetUp() override {
    const auto session = user_session();
    const auto pair = generate(session, "\x45", "AUTH", 2048);
    auto from = certificate_template(certificate_of(session, pair.public_key), "\x45");
    CK_OBJECT_HANDLE out = 0;
    ASSERT_TRUE(is(C_CreateObject(session, from.data(), from.size(), &out), CKR_OK));
    ASSERT_TRUE(is(C_Finalize(nullptr), CKR_OK));
    card->before = [this](ByteView command) { commands += to_hex(command.first(4)) + "\n"; };
  }
  Bytes certificate_of(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE key) {
    card::PublicKey public_key;
    public_key.modulus = read(session, key, CKA_MODULUS);
    public_key.exponent = read(session, key, CKA_PUBLIC_EXPONENT);
    return certificate_for(public_key, "Owner", 1468);
  }
  void measure() {
    commands.clear();
    card->exchanges = 0;
  }
  std::uint64_t spent() {
    const auto spent = card->exchanges;
    std::cout << "[ COST     ] " << spent << " exchanges\n";
    return spent;
  }
  static CK_OBJECT_HANDLE key_of(CK_SESSION_HANDLE session) {
    const auto keys =
        find(session, Attributes().number(CKA_CLASS, CKO_PRIVATE_KEY).add(CKA_ID, "\x45"));
    EXPECT_EQ(keys.size(), 1U);
    return keys.empty() ? 0 : keys[0];
  }
  static void read_everything(CK_SESSION_HANDLE session) {
    for (const auto object : find(session)) {
      for (const CK_ATTRIBUTE_TYPE type :
           {CKA_CLASS, CKA_LABEL, CKA_ID, CKA_KEY_TYPE, CKA_MODULUS, CKA_MODULUS_BITS,
            CKA_PUBLIC_EXPONENT, CKA_VALUE, CKA_SUBJECT, CKA_ISSUER, CKA_SERIAL_NUMBER, CKA_SIGN,
            CKA_DECRYPT, CKA_CERTIFICATE_TYPE}) {
        Bytes room(4096);
        CK_ATTRIBUTE attribute{type, room.data(), room.size()};
        static_cast<void>(C_GetAttributeValue(session, object, &attribute, 1));
      }
    }
  }
  std::string commands;
};

TEST_F(Cost, TheFirstSignature) {
  measure();
  const auto session = user_session();
  EXPECT_TRUE(is(sign_once(session, key_of(session)), CKR_OK));
  EXPECT_LE(spent(), 12U) << commands;
}

TEST_F(Cost, TheFirstSignatureAfterLookingAtEverything) {
  measure();
  start();
  const auto session = open();
  read_everything(session);
  EXPECT_TRUE(is(login(session), CKR_OK));
  const auto key = key_of(session);
  read_everything(session);
  EXPECT_TRUE(is(sign_once(session, key), CKR_OK));
  EXPECT_LE(spent(), 27U) << commands;
  measure();
  EXPECT_TRUE(is(sign_once(session, key), CKR_OK));
  EXPECT_EQ(spent(), 2U) << commands;
}

TEST_F(Cost, AKeyPair) {
  const auto session = user_session();
  read_everything(session);
  measure();
  generate(session, "\x46", "SIGN", 2048);
  EXPECT_LE(spent(), 20U) << commands;
}

TEST_F(Cost, ACertificate) {
  const auto session = user_session();
  const auto pair = generate(session, "\x46", "SIGN", 2048);
  auto from = certificate_template(certificate_of(session, pair.public_key), "\x46");
  read_everything(session);
  measure();
  CK_OBJECT_HANDLE out = 0;
  EXPECT_TRUE(is(C_CreateObject(session, from.data(), from.size(), &out), CKR_OK));
  const std::uint64_t data_blocks = 1468 / 255 + 1;
  EXPECT_LE(spent(), 16U + data_blocks) << commands;
}

TEST_F(Cost, WhatNeedsNoCard) {
  const auto session = user_session();
  const auto slot = slot_of(reader_a);
  measure();
  CK_SLOT_INFO info{};
  CK_MECHANISM_INFO mechanism{};
  EXPECT_TRUE(is(C_GetSlotInfo(slot, &info), CKR_OK));
  EXPECT_TRUE(is(C_GetMechanismInfo(slot, CKM_RSA_PKCS, &mechanism), CKR_OK));
  EXPECT_EQ(state(session), CKS_RW_USER_FUNCTIONS);
  static_cast<void>(open(false));
  EXPECT_EQ(spent(), 0U) << commands;
  CK_TOKEN_INFO token{};
  EXPECT_TRUE(is(C_GetTokenInfo(slot, &token), CKR_OK));
  measure();
  EXPECT_TRUE(is(C_GetTokenInfo(slot, &token), CKR_OK));
  EXPECT_LE(spent(), 2U) << commands;
}

}  // namespace
}  // namespace kilt::test
