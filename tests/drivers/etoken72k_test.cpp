// SPDX-License-Identifier: Apache-2.0
// The driver of Aladdin's applet on the simulated chip: a token's life, and what bad input gets.
#include "tests/drivers/etoken72k_fixture.hpp"

#include <gmock/gmock.h>

namespace kilt::test {
namespace {

using card::ObjectClass;
using card::Role;
using card::Scheme;

class EtokenSold : public Etoken {};

TEST_F(EtokenSold, TellsWhatItIsWithoutALogin) {
  const auto info = card->token_info();
  ASSERT_TRUE(info.ok()) << why(info);
  EXPECT_EQ(info->serial, bench.chip->serial());
  EXPECT_TRUE(info->initialized);
  EXPECT_EQ(card->model().name, "ETOKEN PRO 72K");
  EXPECT_EQ(card->model().store_name, "AKEToken72KStore");
  EXPECT_EQ(card->model().factory.user_pin, etoken_user_pin);
  const auto pin = card->pin_status(Role::user);
  ASSERT_TRUE(pin.ok()) << why(pin);
  EXPECT_EQ(pin->tries_left, std::nullopt);
  EXPECT_TRUE(pin->initialized && !pin->blocked && !pin->logged_in);
  EXPECT_TRUE(list().keys.empty());
}

TEST_F(EtokenSold, GeneratesAndSigns) {
  login();
  const auto pair = generate("1", 2048);
  EXPECT_EQ(pair.public_key.bits(), 2048u);
  reinsert();
  const auto found = list();
  ASSERT_EQ(found.keys.size(), 1u);
  ASSERT_EQ(found.public_keys.size(), 1u);
  const auto& key = found.keys[0];
  EXPECT_EQ(key.label, "AUTH");
  EXPECT_EQ(key.id, Bytes{'1'});
  EXPECT_EQ(key.bits, 2048u);
  EXPECT_EQ(key.usage, sign_and_decrypt());
  EXPECT_TRUE(key.local && key.sensitive && key.always_sensitive && key.never_extractable);
  EXPECT_EQ(*card->read_public_key(key.ref), pair.public_key);
  EXPECT_EQ(*card->read_public_key(found.public_keys[0].ref), pair.public_key);
  login();
  const Bytes text(51, 0x31);
  EXPECT_TRUE(verifies(pair.public_key, text, card->sign(key, Scheme::rsa_pkcs1, text)));
}

TEST_F(EtokenSold, KeySizes) {
  login();
  for (const std::size_t bits : {1024, 2048}) {
    const auto pair = generate("id" + std::to_string(bits), bits);
    const Bytes text(20, 7);
    EXPECT_TRUE(
        verifies(pair.public_key, text, card->sign(pair.private_key, Scheme::rsa_pkcs1, text)));
  }
  for (const std::size_t bits : {0, 512, 1000, 1536, 3072, 4096}) {
    EXPECT_EQ(card->generate(key_request("x", bits)).error().kind, ErrorKind::unsupported);
  }
  auto gost = key_request("x");
  gost.type = card::KeyType::gost_256;
  EXPECT_EQ(card->generate(gost).error().kind, ErrorKind::unsupported);
  EXPECT_EQ(list().keys.size(), 2u);
}

TEST_F(EtokenSold, IdOfAKeyNobodyNamedIsItsHash) {
  login();
  const auto pair = generate("");
  EXPECT_EQ(pair.private_key.id, card::default_key_id(pair.public_key));
  EXPECT_EQ(card->generate(key_request(as_text(pair.private_key.id))).error().kind,
            ErrorKind::exists);
}

TEST_F(EtokenSold, DecryptsBothWays) {
  login();
  const auto pair = generate("1", 1024);
  Bytes block{0x00, 0x02};
  block.resize(128 - 6, 0x55);
  append(block, {0x00, 'h', 'e', 'l', 'l', 'o'});
  const auto raw = card->sign(pair.private_key, Scheme::rsa_raw, block);
  ASSERT_TRUE(raw.ok()) << why(raw);
  EXPECT_TRUE(card::is_private_power(pair.public_key, block, *raw));
  const auto plain = card->decrypt(pair.private_key, Scheme::rsa_raw, *raw);
  ASSERT_TRUE(plain.ok()) << why(plain);
  EXPECT_TRUE(card::is_private_power(pair.public_key, *raw, *plain));
  EXPECT_EQ(card->decrypt(pair.private_key, Scheme::rsa_pkcs1, Bytes(128, 1)).error().kind,
            ErrorKind::bad_data);
  EXPECT_EQ(card->decrypt(pair.private_key, Scheme::rsa_pkcs1, Bytes(127, 1)).error().kind,
            ErrorKind::bad_argument);
  EXPECT_EQ(card->sign(pair.private_key, Scheme::rsa_raw, Bytes(129, 1)).error().kind,
            ErrorKind::bad_argument);
  EXPECT_EQ(card->sign(pair.private_key, Scheme::rsa_pkcs1, Bytes(118, 1)).error().kind,
            ErrorKind::bad_argument);
  EXPECT_EQ(card->sign(pair.private_key, Scheme::gost_34_10_2004_256, Bytes(32)).error().kind,
            ErrorKind::bad_argument);
}

TEST_F(EtokenSold, CertificateFindsItsKey) {
  login();
  const auto first = generate("1", 1024, "AUTH"), second = generate("2", 1024, "SIGN");
  const Bytes der = certificate_for(second.public_key, "Somebody", 700);
  reinsert();
  login();
  const auto installed = card->install_certificate({}, der);
  ASSERT_TRUE(installed.ok()) << why(installed);
  EXPECT_EQ(installed->id, Bytes{'2'});
  EXPECT_EQ(installed->label, "SIGN");
  EXPECT_EQ(card->install_certificate({}, der).error().kind, ErrorKind::exists);
  reinsert();
  const auto found = list();
  ASSERT_EQ(found.certificates.size(), 1u);
  EXPECT_EQ(*card->read_certificate(found.certificates[0].ref), der);
  EXPECT_EQ(found.keys[1].subject, card::Certificate::parse(der)->subject);
  EXPECT_TRUE(found.keys[0].subject.empty());
}

TEST_F(EtokenSold, CertificateThatFitsNoKeyIsRefused) {
  login();
  auto stranger = generate("1").public_key;
  stranger.modulus[10] ^= 1;
  const Bytes der = certificate_for(stranger, "Somebody else");
  EXPECT_EQ(card->install_certificate({}, der).error().kind, ErrorKind::key_mismatch);
  EXPECT_EQ(card->install_certificate({}, Bytes(100, 0x30)).error().kind, ErrorKind::bad_data);
  EXPECT_TRUE(list().certificates.empty());
  card::CertificateRequest request;
  request.allow_without_key = request.authority = true;
  request.label = "stray";
  const auto installed = card->install_certificate(request, der);
  ASSERT_TRUE(installed.ok()) << why(installed);
  EXPECT_EQ(installed->id, card::default_key_id(stranger));
  reinsert();
  ASSERT_EQ(list().certificates.size(), 1u);
  EXPECT_TRUE(list().certificates[0].authority);
}

TEST_F(EtokenSold, WritesNeedTheUsersLogin) {
  EXPECT_EQ(card->generate(key_request("1")).error().kind, ErrorKind::not_logged_in);
  EXPECT_EQ(card->store_data({"d", "a"}, Bytes(3)).error().kind, ErrorKind::not_logged_in);
  EXPECT_EQ(card->delete_object({ObjectClass::certificate, 0x1001}).error().kind,
            ErrorKind::not_logged_in);
  login();
  const auto pair = generate("1");
  ASSERT_TRUE(card->logout().ok());
  EXPECT_EQ(card->sign(pair.private_key, Scheme::rsa_pkcs1, Bytes(20)).error().kind,
            ErrorKind::not_logged_in);
}

TEST_F(EtokenSold, DataObjectsPublicAndPrivate) {
  login();
  const Bytes open(1300, 0x11), hidden(600, 0x22);
  ASSERT_TRUE(card->store_data({"open", "app", from_hex("0603550403").value(), false}, open).ok());
  ASSERT_TRUE(card->store_data({"hidden", "app", {}, true}, hidden).ok());
  ASSERT_EQ(list().data.size(), 2u);
  const auto secret_ref = list().data[1].ref;
  EXPECT_EQ(*card->read_data(secret_ref), hidden);
  reinsert();
  auto found = list();
  ASSERT_EQ(found.data.size(), 1u);
  EXPECT_EQ(found.data[0].label, "open");
  EXPECT_EQ(found.data[0].object_id, from_hex("0603550403").value());
  EXPECT_EQ(*card->read_data(found.data[0].ref), open);
  EXPECT_FALSE(card->read_data(secret_ref).ok());
  login();
  found = list();
  ASSERT_EQ(found.data.size(), 2u);
  EXPECT_EQ(*card->read_data(found.data[1].ref), hidden);
  ASSERT_TRUE(card->logout().ok());
  EXPECT_EQ(list().data.size(), 1u);
  EXPECT_FALSE(card->read_data(secret_ref).ok());
  EXPECT_EQ(card->store_data({"e", "a"}, {}).error().kind, ErrorKind::bad_argument);
}

TEST_F(EtokenSold, DeletesWhatItIsToldAndNothingElse) {
  login();
  const auto a = generate("a", 1024, "A"), b = generate("b", 1024, "B");
  ASSERT_TRUE(card->install_certificate({}, certificate_for(a.public_key, "A")).ok());
  ASSERT_TRUE(card->install_certificate({}, certificate_for(b.public_key, "B")).ok());
  ASSERT_TRUE(card->delete_object(b.public_info.ref).ok());
  EXPECT_EQ(list().public_keys.size(), 1u);
  EXPECT_EQ(card->delete_object(b.public_info.ref).error().kind, ErrorKind::not_found);
  const auto deleted = card->delete_object(a.private_key.ref);
  ASSERT_TRUE(deleted.ok()) << why(deleted);
  auto found = list();
  EXPECT_EQ(found.keys.size(), 1u);
  EXPECT_EQ(found.public_keys.size(), 0u);
  ASSERT_EQ(found.certificates.size(), 2u);
  ASSERT_TRUE(card->delete_object(found.certificates[0].ref).ok());
  reinsert();
  login();
  found = list();
  ASSERT_EQ(found.keys.size(), 1u);
  EXPECT_EQ(found.keys[0].label, "B");
  ASSERT_EQ(found.certificates.size(), 1u);
  EXPECT_EQ(found.certificates[0].label, "B");
  const Bytes text(20, 9);
  EXPECT_TRUE(verifies(b.public_key, text, card->sign(found.keys[0], Scheme::rsa_pkcs1, text)));
  EXPECT_EQ(card->delete_object(a.private_key.ref).error().kind, ErrorKind::not_found);
  EXPECT_EQ(card->delete_object({ObjectClass::data, found.certificates[0].ref.token}).error().kind,
            ErrorKind::not_found)
      << "a reference of another class names nothing";
}

TEST_F(EtokenSold, ChangesLabelsIdsAndSubjects) {
  login();
  const auto pair = generate("1");
  const auto other = generate("2");
  card::AttributeChange change;
  change.label = std::string(200, 'l');
  change.id = from_hex("0102030405").value();
  change.subject = from_hex("3003310130").value();
  // The second does not fit the file any more, the third goes back.
  for (const std::size_t length : {5, 255, 3, 250}) {
    change.label = std::string(length, 'l');
    const auto changed = card->change_attributes(pair.private_key.ref, change);
    ASSERT_TRUE(changed.ok()) << why(changed);
    reinsert();
    const auto found = list();
    ASSERT_EQ(found.keys.size(), 2u);
    EXPECT_EQ(found.keys[0].label, *change.label);
    EXPECT_EQ(found.keys[0].id, *change.id);
    EXPECT_EQ(found.keys[0].subject, *change.subject);
    EXPECT_TRUE(found.keys[0].local);
    EXPECT_EQ(found.public_keys[0].label, "AUTH");
    EXPECT_EQ(found.keys[1].id, other.private_key.id);
    login();
  }
  EXPECT_EQ(card->change_attributes(pair.public_info.ref, change).error().kind,
            ErrorKind::unsupported);
  change.subject.reset();
  EXPECT_TRUE(card->change_attributes(pair.public_info.ref, change).ok());
  EXPECT_EQ(list().public_keys[0].label, *change.label);
  EXPECT_EQ(card->change_attributes({ObjectClass::certificate, 0x1001}, change).error().kind,
            ErrorKind::not_found);
  change.label = std::string(256, 'x');
  EXPECT_EQ(card->change_attributes(pair.private_key.ref, change).error().kind,
            ErrorKind::bad_argument);
}

TEST_F(EtokenSold, PublicKeysThatStandAlone) {
  login();
  auto stranger = generate("1").public_key;
  stranger.modulus[10] ^= 1;
  card::ImportRequest request;
  request.id = {9};
  request.label = "somebody's";
  const auto stored = card->store_public_key(request, stranger);
  ASSERT_TRUE(stored.ok()) << why(stored);
  reinsert();
  ASSERT_EQ(list().public_keys.size(), 2u);
  EXPECT_EQ(*card->read_public_key(list().public_keys[1].ref), stranger);
  login();
  EXPECT_TRUE(card->delete_object(list().public_keys[1].ref).ok());
  EXPECT_EQ(list().public_keys.size(), 1u);
}

TEST_F(EtokenSold, RandomOfAnyLength) {
  EXPECT_EQ(card->random(0)->size(), 0u);
  EXPECT_EQ(card->random(100)->size(), 100u);
  EXPECT_NE(*card->random(32), *card->random(32));
}

TEST_F(EtokenSold, InitialisationNeedsTheOfficersPin) {
  login();
  generate("1");
  EXPECT_EQ(card->initialise("new", secret("11111111")).error().kind, ErrorKind::pin_incorrect);
  EXPECT_EQ(card->initialise("new", secret("1")).error().kind, ErrorKind::pin_length);
  EXPECT_EQ(card->initialise("", secret(etoken_officer_pin)).error().kind, ErrorKind::bad_argument);
  spent();
  const auto too_long = card->initialise(std::string(33, 'x'), secret(etoken_officer_pin));
  EXPECT_EQ(too_long.error().kind, ErrorKind::bad_argument);
  EXPECT_THAT(too_long.error().message(), ::testing::HasSubstr("1 to 32 bytes"));
  EXPECT_EQ(spent(), 0u);
  EXPECT_EQ(list().keys.size(), 1u);
  auto done = card->initialise(std::string(32, 'x'), secret(etoken_officer_pin));
  ASSERT_TRUE(done.ok()) << why(done);
  EXPECT_EQ(card->token_info()->label, std::string(32, 'x'));
  done = card->initialise("My token", secret(etoken_officer_pin));
  ASSERT_TRUE(done.ok()) << why(done);
  EXPECT_TRUE(list().keys.empty());
  EXPECT_EQ(card->token_info()->label, "My token");
  EXPECT_FALSE(card->pin_status(Role::user)->initialized);
  EXPECT_EQ(card->login(Role::user, secret(etoken_user_pin)).error().kind, ErrorKind::pin_not_set);
}

class EtokenBlank : public Etoken {
 protected:
  EtokenBlank() : Etoken("etoken72k", true) {}
};

TEST_F(EtokenBlank, FromBlankToASignature) {
  const auto info = card->token_info();
  ASSERT_TRUE(info.ok()) << why(info);
  EXPECT_FALSE(info->initialized);
  EXPECT_TRUE(list().keys.empty());
  EXPECT_EQ(card->login(Role::user, secret(etoken_user_pin)).error().kind, ErrorKind::pin_not_set);
  auto status = card->initialise("My token", secret("officer1"));
  ASSERT_TRUE(status.ok()) << why(status);
  reinsert();
  EXPECT_TRUE(card->token_info()->initialized);
  EXPECT_EQ(card->token_info()->label, "My token");
  ASSERT_TRUE(card->login(Role::security_officer, secret("officer1")).ok());
  status = card->set_user_pin(secret("user pin"));
  ASSERT_TRUE(status.ok()) << why(status);
  reinsert();
  login("user pin");
  const auto pair = generate("1", 2048);
  const Bytes text(20, 1);
  EXPECT_TRUE(
      verifies(pair.public_key, text, card->sign(pair.private_key, Scheme::rsa_pkcs1, text)));
}

}  // namespace
}  // namespace kilt::test
