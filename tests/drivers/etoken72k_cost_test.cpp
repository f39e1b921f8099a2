// SPDX-License-Identifier: Apache-2.0
// What workflows cost in APDUs: one RSA-2048 pair and a certificate of 1468 bytes, in a reader that
// passes extended APDUs.
#include "tests/drivers/etoken72k_fixture.hpp"

namespace kilt::test {
namespace {

using card::Role;
using card::Scheme;

const Bytes text(51, 0x31);
constexpr std::size_t certificate_size = 1468;
constexpr std::size_t data_blocks = (certificate_size + 511) / 512;  // to write

class EtokenCost : public Etoken {
 protected:
  EtokenCost() {
    login();
    pair = generate("E", 2048);
    const auto installed = card->install_certificate(
        {}, certificate_for(pair.public_key, "Somebody", certificate_size));
    EXPECT_TRUE(installed.ok()) << why(installed);
    EXPECT_TRUE(card->logout().ok());
    bench.exchanges = 0;
    reinsert();
  }
  card::KeyPair pair;
};

TEST_F(EtokenCost, EverythingListedAndReadLogInAndSign) {
  // From the first command on: identify() was one.
  EXPECT_EQ(bench.exchanges, 1u);
  ASSERT_TRUE(card->serial().ok());
  auto found = list();
  ASSERT_EQ(found.keys.size(), 1u);
  ASSERT_TRUE(card->read_certificate(found.certificates[0].ref).ok());
  login();
  found = list();
  ASSERT_TRUE(card->read_certificate(found.certificates[0].ref).ok());
  ASSERT_TRUE(card->sign(found.keys[0], Scheme::rsa_pkcs1, text).ok());
  const auto cost = spent();
  // By the certificate every result is known for the key's own.
  for (int i = 0; i < 3; ++i) {
    ASSERT_TRUE(card->sign(found.keys[0], Scheme::rsa_pkcs1, text).ok());
    EXPECT_EQ(spent(), 1u);
  }
  EXPECT_LE(cost, 18u);
}

TEST_F(EtokenCost, WithTheKeysValueReadNothingMoreIsAsked) {
  ASSERT_TRUE(card->serial().ok());
  const auto found = list();
  ASSERT_TRUE(card->read_certificate(found.certificates[0].ref).ok());
  ASSERT_TRUE(card->read_public_key(found.keys[0].ref).ok());
  login();
  ASSERT_TRUE(card->sign(found.keys[0], Scheme::rsa_pkcs1, text).ok());
  EXPECT_LE(spent(), 20u);
  ASSERT_TRUE(card->sign(found.keys[0], Scheme::rsa_pkcs1, text).ok());
  EXPECT_EQ(spent(), 1u);
}

TEST_F(EtokenCost, InOneTransactionNothingIsAskedAgain) {
  auto& transport = card->link().transport();
  const auto transaction = apdu::Transaction::begin(transport);
  ASSERT_TRUE(transaction.ok());
  card->forget_objects();
  login();
  const auto found = list();
  spent();
  ASSERT_TRUE(card->sign(found.keys[0], Scheme::rsa_pkcs1, text).ok());
  EXPECT_EQ(spent(), 2u);
  card::AttributeChange change;
  change.label = "changed";
  ASSERT_TRUE(card->change_attributes(found.keys[0].ref, change).ok());
  EXPECT_LE(spent(), 4u);
  ASSERT_TRUE(card->delete_object(found.keys[0].ref).ok());
  EXPECT_LE(spent(), 4u);
}

TEST_F(EtokenCost, WithTheTokensLabelAndThePinsState) {
  ASSERT_TRUE(card->token_info().ok());
  ASSERT_TRUE(card->pin_status(Role::user).ok());
  auto found = list();
  ASSERT_TRUE(card->read_certificate(found.certificates[0].ref).ok());
  ASSERT_TRUE(card->pin_status(Role::user).ok());
  login();
  ASSERT_TRUE(card->sign(found.keys[0], Scheme::rsa_pkcs1, text).ok());
  const auto cost = spent();
  EXPECT_LE(cost, 21u);
}

TEST_F(EtokenCost, FindKeyByIdLogInAndSign) {
  ASSERT_TRUE(card->serial().ok());
  const auto found = card->list_classes({true, false, false, false});
  ASSERT_EQ(found->keys.size(), 1u);
  ASSERT_TRUE(card->pin_status(Role::user).ok());
  login();
  ASSERT_TRUE(card->sign(found->keys[0], Scheme::rsa_pkcs1, text).ok());
  EXPECT_LE(spent(), 15u);
}

TEST_F(EtokenCost, SecondKeyPair) {
  login();
  spent();
  const auto second = generate("F", 2048, "SIGN");
  EXPECT_LE(spent(), 12u);
  ASSERT_TRUE(card->sign(second.private_key, Scheme::rsa_pkcs1, text).ok());
  EXPECT_EQ(spent(), 2u);
  ASSERT_TRUE(card->sign(second.private_key, Scheme::rsa_pkcs1, text).ok());
  EXPECT_EQ(spent(), 1u);
}

TEST_F(EtokenCost, SecondCertificate) {
  login();
  spent();
  const auto installed = card->install_certificate(
      {}, certificate_for(pair.public_key, "Somebody again", certificate_size));
  ASSERT_TRUE(installed.ok()) << why(installed);
  // Beside the data: the list, the key and its public half, the other certificate of this id, and
  // the new object.
  EXPECT_LE(spent(), 16 + data_blocks);
}

TEST_F(EtokenCost, KeysInTurn) {
  login();
  const auto second = generate("F", 2048, "SIGN");
  ASSERT_TRUE(card->sign(pair.private_key, Scheme::rsa_pkcs1, text).ok());
  spent();
  // Of the one that was there before, two to see that it still is.
  for (int i = 0; i < 2; ++i) {
    ASSERT_TRUE(card->sign(second.private_key, Scheme::rsa_pkcs1, text).ok());
    EXPECT_EQ(spent(), 2u);
    ASSERT_TRUE(card->sign(pair.private_key, Scheme::rsa_pkcs1, text).ok());
    EXPECT_EQ(spent(), 4u);
  }
  ASSERT_TRUE(card->read_public_key(pair.private_key.ref).ok());
  spent();
  for (const auto& key : {second, pair, second}) {
    ASSERT_TRUE(card->sign(key.private_key, Scheme::rsa_pkcs1, text).ok());
    EXPECT_EQ(spent(), 2u);
  }
}

/// Before each write what was read is forgotten, for another program may have changed it.
TEST_F(EtokenCost, WritesAfterAListing) {
  login();
  list();
  spent();
  generate("F", 2048, "SIGN");
  EXPECT_LE(spent(), 12u);  // two for the other key's description
  card::AttributeChange change;
  change.label = "changed";
  list();
  spent();
  ASSERT_TRUE(card->change_attributes(pair.private_key.ref, change).ok());
  EXPECT_LE(spent(), 5u);
  list();
  spent();
  ASSERT_TRUE(card->delete_object(pair.private_key.ref).ok());
  EXPECT_LE(spent(), 6u);
}

TEST_F(EtokenCost, SmallThings) {
  ASSERT_TRUE(card->pin_status(Role::user).ok());
  EXPECT_LE(spent(), 2u);
  ASSERT_TRUE(card->pin_status(Role::user).ok());
  EXPECT_EQ(spent(), 0u);
  for (const auto budget : {1u, 0u}) {
    ASSERT_TRUE(card->pin_status(Role::security_officer).ok());
    EXPECT_EQ(spent(), budget);
  }
  login();
  EXPECT_EQ(spent(), 4u);
  ASSERT_TRUE(card->random(32).ok());
  EXPECT_EQ(spent(), 4u);
  ASSERT_TRUE(card->logout().ok());
  EXPECT_EQ(spent(), 1u);
  ASSERT_TRUE(card->logout().ok());
  EXPECT_EQ(spent(), 0u);
  EXPECT_FALSE(card->login(Role::user, secret("0000000000")).ok());
  EXPECT_EQ(spent(), 5u) << "the serial number, by which the wrong PIN is noted";
  ASSERT_TRUE(card->change_pin(Role::user, secret(etoken_user_pin), secret("87654321")).ok());
  EXPECT_EQ(spent(), 9u);
}

TEST_F(EtokenCost, NothingIsReadTwice) {
  const auto found = list();
  ASSERT_TRUE(card->read_public_key(found.keys[0].ref).ok());
  ASSERT_TRUE(card->token_info().ok());
  spent();
  list();
  ASSERT_TRUE(card->read_public_key(found.public_keys[0].ref).ok());
  ASSERT_TRUE(card->token_info().ok());
  EXPECT_EQ(spent(), 0u);
}

}  // namespace
}  // namespace kilt::test
