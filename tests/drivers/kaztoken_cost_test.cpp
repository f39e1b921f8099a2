// SPDX-License-Identifier: Apache-2.0
// What workflows cost in APDUs, on the card that OpenSC was measured on: one RSA-2048 pair and a
// certificate of 1468 bytes [facts kaztoken §10.5].
#include "tests/drivers/kaztoken_fixture.hpp"

namespace kilt::test {
namespace {

using card::Role;
using card::Scheme;

const Bytes text(51, 0x31);
constexpr std::size_t certificate_size = 1468;
constexpr std::size_t data_blocks = (certificate_size + 254) / 255;

class KaztokenCost : public Kaztoken {
 protected:
  KaztokenCost() {
    login();
    pair = generate("E", 2048);
    const auto installed = card->install_certificate(
        {}, certificate_for(pair.public_key, "Somebody", certificate_size));
    EXPECT_TRUE(installed.ok()) << why(installed);
    EXPECT_TRUE(card->logout().ok());
    reinsert();
    spent();
  }
  card::KeyPair pair;
};

TEST_F(KaztokenCost, FindKeyByIdLogInAndSign) {
  ASSERT_TRUE(card->serial().ok());
  card::ObjectClasses private_keys{true, false, false, false};
  const auto found = card->list_classes(private_keys);
  ASSERT_EQ(found->keys.size(), 1u);
  ASSERT_TRUE(card->pin_status(Role::user).ok());
  login();
  ASSERT_TRUE(card->sign(found->keys[0], Scheme::rsa_pkcs1, text).ok());
  EXPECT_LE(spent(), 13u) << "one of them for the serial number";
  // Before the driver relies on what is set, it reads the public key: another program may have made
  // a key since, and set it. Until then it looks each time whether the key is still this one.
  ASSERT_TRUE(card->sign(found->keys[0], Scheme::rsa_pkcs1, text).ok());
  EXPECT_LE(spent(), 11u);
  for (int i = 0; i < 3; ++i) {
    ASSERT_TRUE(card->sign(found->keys[0], Scheme::rsa_pkcs1, text).ok());
    EXPECT_EQ(spent(), 2u);
  }
}

TEST_F(KaztokenCost, EverythingListedAndReadLogInAndSign) {
  ASSERT_TRUE(card->token_info().ok());
  auto found = list();
  ASSERT_EQ(found.keys.size(), 1u);
  ASSERT_TRUE(card->read_public_key(found.keys[0].ref).ok());
  ASSERT_TRUE(card->read_public_key(found.public_keys[0].ref).ok());
  ASSERT_TRUE(card->read_certificate(found.certificates[0].ref).ok());
  ASSERT_TRUE(card->read_certificate(found.certificates[0].ref).ok());
  login();
  found = list();
  ASSERT_TRUE(card->sign(found.keys[0], Scheme::rsa_pkcs1, text).ok());
  EXPECT_LE(spent(), 27u);
  ASSERT_TRUE(card->sign(found.keys[0], Scheme::rsa_pkcs1, text).ok());
  EXPECT_EQ(spent(), 2u);
}

TEST_F(KaztokenCost, SecondKeyPair) {
  login();
  spent();
  const auto second = generate("F", 2048, "SIGN");
  EXPECT_LE(spent(), 20u);
  ASSERT_TRUE(card->sign(second.private_key, Scheme::rsa_pkcs1, text).ok());
  EXPECT_EQ(spent(), 4u);
  ASSERT_TRUE(card->sign(second.private_key, Scheme::rsa_pkcs1, text).ok());
  EXPECT_EQ(spent(), 2u);
}

TEST_F(KaztokenCost, RenewedCertificate) {
  login();
  spent();
  const Bytes der = certificate_for(pair.public_key, "Somebody", certificate_size - 1);
  const auto installed = card->install_certificate({}, der);
  ASSERT_TRUE(installed.ok()) << why(installed);
  EXPECT_LE(spent(), 16 + data_blocks);
}

TEST_F(KaztokenCost, SecondCertificate) {
  login();
  card::CertificateRequest request;
  request.id = {'F'};
  spent();
  const Bytes der = certificate_for(pair.public_key, "Somebody again", certificate_size);
  const auto installed = card->install_certificate(request, der);
  ASSERT_TRUE(installed.ok()) << why(installed);
  EXPECT_LE(spent(), 16 + data_blocks);
}

TEST_F(KaztokenCost, SecondCertificateThatMayBeTheFirst) {
  login();
  spent();
  const Bytes der = certificate_for(pair.public_key, "Somebody again", certificate_size);
  const auto installed = card->install_certificate({}, der);
  ASSERT_TRUE(installed.ok()) << why(installed);
  EXPECT_LE(spent(), 18 + data_blocks);  // two to see that it is another, two for the new subject
}

TEST_F(KaztokenCost, CertificateForOneOfTwoKeysNamedByItsId) {
  login();
  const auto second = generate("F", 2048, "SIGN");
  reinsert();
  login();
  spent();
  card::CertificateRequest request;
  request.id = {'F'};
  ASSERT_TRUE(card->install_certificate(
                      request, certificate_for(second.public_key, "Somebody", certificate_size))
                  .ok());
  EXPECT_LE(spent(), 16 + data_blocks);
}

TEST_F(KaztokenCost, KeysInTurn) {
  login();
  const auto second = generate("F", 2048, "SIGN");
  for (const auto& key : {pair, second, pair, second})
    ASSERT_TRUE(card->sign(key.private_key, Scheme::rsa_pkcs1, text).ok());
  spent();
  for (const auto& key : {pair, second, pair}) {
    ASSERT_TRUE(card->sign(key.private_key, Scheme::rsa_pkcs1, text).ok());
    EXPECT_EQ(spent(), 4u);
  }
}

TEST_F(KaztokenCost, SmallThings) {
  ASSERT_TRUE(card->pin_status(Role::user).ok());
  EXPECT_EQ(spent(), 1u);
  login();
  EXPECT_EQ(spent(), 1u);
  ASSERT_TRUE(card->random(32).ok());
  EXPECT_EQ(spent(), 1u);
  ASSERT_TRUE(card->logout().ok());
  EXPECT_EQ(spent(), 1u);
  EXPECT_FALSE(card->login(Role::user, secret("00000000")).ok());
  EXPECT_EQ(spent(), 2u);
  ASSERT_TRUE(card->change_pin(Role::user, secret(user_pin), secret("87654321")).ok());
  EXPECT_EQ(spent(), 2u);
}

TEST_F(KaztokenCost, NothingIsReadTwice) {
  const auto found = list();
  ASSERT_TRUE(card->read_public_key(found.keys[0].ref).ok());
  ASSERT_TRUE(card->token_info().ok());
  spent();
  list();
  ASSERT_TRUE(card->read_public_key(found.public_keys[0].ref).ok());
  EXPECT_EQ(spent(), 0u);
}

}  // namespace
}  // namespace kilt::test
