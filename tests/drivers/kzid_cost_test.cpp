// SPDX-License-Identifier: Apache-2.0
// What workflows cost in exchanges over T=0, each GET RESPONSE counted: one RSA-2048 pair and a
// certificate of 1468 bytes.
#include <cstdio>

#include "tests/drivers/kzid_fixture.hpp"

namespace kilt::test {
namespace {

using card::Role;
using card::Scheme;

const Bytes text(51, 0x31);
constexpr std::size_t certificate_size = 1468;
constexpr std::size_t data_blocks = (certificate_size + 254) / 255;

class KzidCost : public Kzid {
 protected:
  KzidCost() {
    login();
    pair = generate("E");
    const auto installed = card->install_certificate(
        {}, certificate_for(pair.public_key, "Somebody", certificate_size));
    EXPECT_TRUE(installed.ok()) << why(installed);
    EXPECT_TRUE(card->logout().ok());
    reinsert();
    spent();
  }
  card::KeyPair pair;
};

TEST_F(KzidCost, FindKeyByIdLogInAndSign) {
  connect();  // identification is part of it
  const auto found = card->list_classes({true, false, false, false});
  ASSERT_TRUE(found.ok()) << why(found);
  ASSERT_EQ(found->keys.size(), 1u);
  ASSERT_TRUE(card->pin_status(Role::user).ok());
  login();
  ASSERT_TRUE(card->sign(found->keys[0], Scheme::rsa_pkcs1, text).ok());
  EXPECT_LE(spent(), 12u);
  // Once: whether the key is still this one, and its public half, by which later results are known.
  ASSERT_TRUE(card->sign(found->keys[0], Scheme::rsa_pkcs1, text).ok());
  EXPECT_LE(spent(), 9u);
  for (int i = 0; i < 3; ++i) {
    ASSERT_TRUE(card->sign(found->keys[0], Scheme::rsa_pkcs1, text).ok());
    EXPECT_EQ(spent(), 2u);
  }
}

TEST_F(KzidCost, SerialNumberFindKeyLogInAndSign) {
  connect();
  ASSERT_TRUE(card->token_info().ok());
  const auto found = card->list_classes({true, false, false, false});
  ASSERT_TRUE(found.ok()) << why(found);
  ASSERT_TRUE(card->pin_status(Role::user).ok());
  login();
  ASSERT_TRUE(card->sign(found->keys[0], Scheme::rsa_pkcs1, text).ok());
  EXPECT_LE(spent(), 16u)
      << "the serial number takes four: the MF, SELECT, READ, READ of the right length";
}

TEST_F(KzidCost, OfTwoKeysTheSecondSignatureLearnsThePublicKey) {
  login();
  const auto second = generate("F", "SIGN");
  reinsert();
  spent();
  const auto found = card->list_classes({true, false, false, false});
  login();
  ASSERT_TRUE(card->sign(found->keys[1], Scheme::rsa_pkcs1, text).ok());
  EXPECT_LE(spent(), 11u);
  ASSERT_TRUE(card->sign(found->keys[1], Scheme::rsa_pkcs1, text).ok());
  EXPECT_LE(spent(), 9u);
  for (int i = 0; i < 3; ++i) {
    ASSERT_TRUE(card->sign(found->keys[1], Scheme::rsa_pkcs1, text).ok());
    EXPECT_EQ(spent(), 2u);
  }
}

TEST_F(KzidCost, AfterAnothersResetTheDirectoryIsReadAgain) {
  const auto found = card->list_classes({true, false, false, false});
  login();
  ASSERT_TRUE(card->sign(found->keys[0], Scheme::rsa_pkcs1, text).ok());
  bench.insert();
  card->forget_state();
  card->forget_objects();
  login();
  spent();
  ASSERT_TRUE(card->sign(found->keys[0], Scheme::rsa_pkcs1, text).ok());
  EXPECT_LE(spent(), 9u);
  ASSERT_TRUE(card->sign(found->keys[0], Scheme::rsa_pkcs1, text).ok());
  EXPECT_LE(spent(), 9u);
  ASSERT_TRUE(card->sign(found->keys[0], Scheme::rsa_pkcs1, text).ok());
  EXPECT_EQ(spent(), 2u);
}

TEST_F(KzidCost, WholeListAndBodies) {
  const auto found = list();
  const auto listed = spent();
  ASSERT_EQ(found.keys.size(), 1u);
  ASSERT_EQ(found.certificates.size(), 1u);
  ASSERT_TRUE(card->read_public_key(found.keys[0].ref).ok());
  ASSERT_TRUE(card->read_public_key(found.public_keys[0].ref).ok());
  EXPECT_EQ(spent(), 0u) << "listing looks into the key objects";
  ASSERT_TRUE(card->read_certificate(found.certificates[0].ref).ok());
  const auto body = spent();
  std::printf("whole list of an ID card: %d exchanges; its certificate: %d\n",
              static_cast<int>(listed), static_cast<int>(body));
  EXPECT_LE(listed, 15u);
  EXPECT_LE(body, 7u);
}

TEST_F(KzidCost, NothingIsReadTwice) {
  const auto found = list();
  ASSERT_TRUE(card->read_certificate(found.certificates[0].ref).ok());
  ASSERT_TRUE(card->token_info().ok());
  spent();
  list();
  ASSERT_TRUE(card->read_certificate(found.certificates[0].ref).ok());
  ASSERT_TRUE(card->token_info().ok());
  EXPECT_EQ(spent(), 0u);
}

TEST_F(KzidCost, KeysInTurn) {
  login();
  const auto second = generate("F", "SIGN");
  spent();
  for (const auto& key : {pair, second, pair}) {
    ASSERT_TRUE(card->sign(key.private_key, Scheme::rsa_pkcs1, text).ok());
    EXPECT_EQ(spent(), 3u);
  }
}

TEST_F(KzidCost, SecondPairAndCertificate) {
  login();
  spent();
  const auto second = generate("F", "SIGN");
  const auto made = spent();
  const auto installed = card->install_certificate(
      {}, certificate_for(second.public_key, "Somebody again", certificate_size));
  ASSERT_TRUE(installed.ok()) << why(installed);
  const auto put = spent();
  std::printf("second pair on an ID card: %d exchanges; its certificate: %d\n",
              static_cast<int>(made), static_cast<int>(put));
  EXPECT_LE(made, 24u);
  EXPECT_LE(put, 22 + data_blocks);
}

TEST_F(KzidCost, SmallThings) {
  ASSERT_TRUE(card->pin_status(Role::user).ok());
  EXPECT_EQ(spent(), 1u);
  login();
  EXPECT_EQ(spent(), 2u) << "the MF first: nobody knows where the card stands";
  login();
  EXPECT_EQ(spent(), 1u);
  ASSERT_TRUE(card->random(8).ok());
  EXPECT_EQ(spent(), 1u);
  ASSERT_TRUE(card->logout().ok());
  EXPECT_EQ(spent(), 0u);
  EXPECT_FALSE(card->login(Role::user, secret("0000")).ok());
  EXPECT_EQ(spent(), 2u);
  ASSERT_TRUE(card->change_pin(Role::user, secret(id_pin), secret("87654321")).ok());
  EXPECT_EQ(spent(), 1u);
}

}  // namespace
}  // namespace kilt::test
