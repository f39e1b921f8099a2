// SPDX-License-Identifier: Apache-2.0
// What workflows cost in APDUs, on the card that the vendor's software was measured on: one
// RSA-2048 pair and a certificate of 486 bytes [facts jacarta A16, baseline]. The vendor needs 36
// to start and list, 3 to log in, 2 per signature, 64 for a key pair, 50 for a certificate.
#include "tests/drivers/jacarta_fixture.hpp"

namespace kilt::test {
namespace {

using card::Role;
using card::Scheme;

const Bytes text(51, 0x31);
constexpr std::size_t certificate_size = 486;

/// Blocks of 255 bytes that a certificate's file takes, attributes and all.
std::size_t data_blocks(std::size_t file_size) {
  return (file_size + 254) / 255;
}

class JacartaCost : public Jacarta {
 protected:
  JacartaCost() {
    login();
    pair = generate("K1", 2048, "Key One");
    const auto installed = card->install_certificate(
        {}, certificate_for(pair.public_key, "Somebody", certificate_size));
    EXPECT_TRUE(installed.ok()) << why(installed);
    EXPECT_TRUE(card->logout().ok());
    spent();
    reinsert();
  }
  card::KeyPair pair;
};

TEST_F(JacartaCost, EverythingListedAndReadLogInAndSign) {
  auto found = list();
  ASSERT_EQ(found.keys.size(), 1u);
  ASSERT_EQ(found.certificates.size(), 1u);
  ASSERT_TRUE(card->read_public_key(found.keys[0].ref).ok());
  ASSERT_TRUE(card->read_public_key(found.public_keys[0].ref).ok());
  ASSERT_TRUE(card->read_certificate(found.certificates[0].ref).ok());
  ASSERT_TRUE(card->read_certificate(found.certificates[0].ref).ok());
  {
    const auto transaction = apdu::Transaction::begin(card->link().transport());
    ASSERT_TRUE(card->pin_status(Role::user).ok());
    login();
  }
  found = list();
  ASSERT_TRUE(card->sign(found.keys[0], Scheme::rsa_pkcs1, text).ok());
  EXPECT_LE(spent(), 22u) << "26 with a certificate of 1468 bytes";
  for (int i = 0; i < 3; ++i) {
    ASSERT_TRUE(card->sign(found.keys[0], Scheme::rsa_pkcs1, text).ok());
    EXPECT_EQ(spent(), 1u);
  }
}

TEST_F(JacartaCost, EverythingOfABigCertificate) {
  login();
  ASSERT_TRUE(card->delete_object(list().certificates[0].ref).ok());
  ASSERT_TRUE(
      card->install_certificate({}, certificate_for(pair.public_key, "Somebody", 1468)).ok());
  spent();
  reinsert();
  const auto found = list();
  ASSERT_TRUE(card->read_certificate(found.certificates[0].ref).ok());
  ASSERT_TRUE(card->read_public_key(found.keys[0].ref).ok());
  {
    const auto transaction = apdu::Transaction::begin(card->link().transport());
    ASSERT_TRUE(card->pin_status(Role::user).ok());
    login();
  }
  ASSERT_TRUE(card->sign(found.keys[0], Scheme::rsa_pkcs1, text).ok());
  EXPECT_LE(spent(), 26u);
}

TEST_F(JacartaCost, TokenInfoAndOtherAppletsOnTop) {
  ASSERT_TRUE(card->token_info().ok());
  EXPECT_EQ(spent(), 2u + 1u + 2u) << "two applets looked for, serial, description";
  const auto all = card::identify(std::make_unique<ChipTransport>(bench), nullptr);
  ASSERT_TRUE(all.ok());
  EXPECT_LE(spent(), 5u) << "four applets looked for, and the first selected again";
}

TEST_F(JacartaCost, FindAKeyByItsIdLogInAndSign) {
  const auto found = card->list_classes({true, false, false, false});
  ASSERT_EQ(found->keys.size(), 1u);
  ASSERT_TRUE(card->pin_status(Role::user).ok());
  login();
  ASSERT_TRUE(card->sign(found->keys[0], Scheme::rsa_pkcs1, text).ok());
  EXPECT_LE(spent(), 17u) << "the counters again: another key may have its place by now";
  // And reads the public key, because another program may have made a key since, and selected it.
  ASSERT_TRUE(card->sign(found->keys[0], Scheme::rsa_pkcs1, text).ok());
  EXPECT_LE(spent(), 9u);
  ASSERT_TRUE(card->sign(found->keys[0], Scheme::rsa_pkcs1, text).ok());
  EXPECT_EQ(spent(), 1u);
}

TEST_F(JacartaCost, TheCountersAreReadOnceInATransaction) {
  const auto transaction = apdu::Transaction::begin(card->link().transport());
  ASSERT_TRUE(transaction.ok());
  const auto found = card->list_classes({true, false, false, false});
  ASSERT_EQ(found->keys.size(), 1u);
  login();
  spent();
  ASSERT_TRUE(card->sign(found->keys[0], Scheme::rsa_pkcs1, text).ok());
  EXPECT_EQ(spent(), 2u);
}

TEST_F(JacartaCost, KeyPairsAndCertificates) {
  list();
  login();
  spent();
  const auto second = generate("K2", 2048, "Key Two");
  EXPECT_LE(spent(), 30u);
  ASSERT_TRUE(card->sign(second.private_key, Scheme::rsa_pkcs1, text).ok());
  EXPECT_EQ(spent(), 2u);
  ASSERT_TRUE(card->sign(second.private_key, Scheme::rsa_pkcs1, text).ok());
  EXPECT_EQ(spent(), 1u);
  ASSERT_TRUE(card->install_certificate(
                      {}, certificate_for(second.public_key, "Somebody", certificate_size))
                  .ok());
  EXPECT_LE(spent(), 16u + data_blocks(certificate_size + 177));
}

TEST_F(JacartaCost, ACertificateForAKeyThatWasOnlyListed) {
  const auto first = list().certificates[0];
  login();
  ASSERT_TRUE(card->delete_object(first.ref).ok());
  reinsert();
  list();
  login();
  spent();
  ASSERT_TRUE(
      card->install_certificate({}, certificate_for(pair.public_key, "Another", certificate_size))
          .ok());
  EXPECT_LE(spent(), 16u + data_blocks(certificate_size + 177));
}

TEST_F(JacartaCost, TheFirstKeyPairOfANewCard) {
  ChipBench fresh("jacarta", options(false));
  const auto made = card::identify(std::make_unique<ChipTransport>(fresh), nullptr);
  auto& other = **made;
  ASSERT_TRUE(other.list().ok());
  ASSERT_TRUE(other.login(Role::user, secret(jacarta_user_pin)).ok());
  fresh.exchanges = 0;
  ASSERT_TRUE(other.generate(key_request("1", 2048)).ok());
  EXPECT_LE(fresh.exchanges, 30u);
}

TEST_F(JacartaCost, KeysInTurn) {
  login();
  const auto second = generate("K2", 2048, "Key Two");
  list();  // what it tells of public keys is enough to check results with
  spent();
  for (const auto& key : {pair, second, pair}) {
    ASSERT_TRUE(card->sign(key.private_key, Scheme::rsa_pkcs1, text).ok());
    EXPECT_EQ(spent(), 2u);
  }
}

TEST_F(JacartaCost, SmallThings) {
  ASSERT_TRUE(card->pin_status(Role::user).ok());
  EXPECT_EQ(spent(), 2u + 1u) << "identification is part of it";
  login();
  EXPECT_EQ(spent(), 3u);
  ASSERT_TRUE(card->random(32).ok());
  EXPECT_EQ(spent(), 1u);
  ASSERT_TRUE(card->logout().ok());
  EXPECT_EQ(spent(), 1u);
  EXPECT_FALSE(card->login(Role::user, secret("99999999")).ok());
  EXPECT_EQ(spent(), 3u);
  ASSERT_TRUE(card->change_pin(Role::user, secret(jacarta_user_pin), secret("87654321")).ok());
  EXPECT_EQ(spent(), 7u);
}

TEST_F(JacartaCost, FilesAreReadAgainOnlyWhenTheCountersMoved) {
  auto found = list();
  ASSERT_TRUE(card->read_certificate(found.certificates[0].ref).ok());
  spent();
  list();
  EXPECT_EQ(spent(), 0u);
  card->forget_objects();
  list();
  EXPECT_EQ(spent(), 2u) << "the counters alone";
  ASSERT_TRUE(card->read_certificate(found.certificates[0].ref).ok());
  EXPECT_EQ(spent(), 0u);
  // Another program puts a key on the card.
  auto other = std::move(*card::identify(std::make_unique<ChipTransport>(bench), nullptr));
  ASSERT_TRUE(other->login(Role::user, secret(jacarta_user_pin)).ok());
  ASSERT_TRUE(other->generate(key_request("K2", 1024, "Key Two")).ok());
  spent();
  card->forget_objects();
  EXPECT_EQ(list().keys.size(), 2u);
  EXPECT_GT(spent(), 10u);
}

}  // namespace
}  // namespace kilt::test
