// SPDX-License-Identifier: Apache-2.0
// The ID card's driver on the simulated chip: a card's life, its PINs, and what bad input gets.
#include "tests/drivers/kzid_fixture.hpp"

#include <gmock/gmock.h>

namespace kilt::test {
namespace {

using card::ObjectClass;
using card::Role;
using card::Scheme;
using ::testing::HasSubstr;

const Bytes text(51, 0x31);

TEST_F(Kzid, TellsWhatItIsWithoutALogin) {
  const auto info = card->token_info();
  ASSERT_TRUE(info.ok()) << why(info);
  EXPECT_EQ(info->serial, bench.chip->serial());
  EXPECT_EQ(info->label, "KZ ID CARD");
  const auto& model = card->model();
  EXPECT_EQ(model.name, "KZ ID CARD");
  EXPECT_EQ(model.store_name, "AKKZIDCardStore");
  EXPECT_EQ(model.factory.user_pin, "");
  EXPECT_FALSE(model.has_data_objects || model.can_initialise);
  const auto pin = card->pin_status(Role::user);
  ASSERT_TRUE(pin.ok());
  EXPECT_EQ(pin->tries_left, 3);
  EXPECT_EQ(pin->tries_max, 3);
  EXPECT_TRUE(pin->initialized && !pin->blocked && !pin->logged_in);
  EXPECT_EQ(card->pin_status(Role::security_officer)->tries_left, 10);
  EXPECT_TRUE(list().keys.empty());
}

TEST_F(Kzid, FromAnEmptyCardToASignature) {
  login();
  const auto pair = generate("1");
  EXPECT_EQ(pair.public_key.bits(), 2048u);
  EXPECT_TRUE(fits(pair.public_key, text, card->sign(pair.private_key, Scheme::rsa_pkcs1, text)));
  reinsert();
  const auto found = list();
  ASSERT_EQ(found.keys.size(), 1u);
  ASSERT_EQ(found.public_keys.size(), 1u);
  const auto& key = found.keys[0];
  EXPECT_EQ(key.label, "AUTH");
  EXPECT_EQ(key.id, Bytes{'1'});
  EXPECT_TRUE(key.usage.sign && !key.usage.decrypt) << "the card does not decrypt";
  EXPECT_TRUE(key.local && key.sensitive && key.always_sensitive && key.never_extractable);
  EXPECT_EQ(*card->read_public_key(key.ref), pair.public_key);
  EXPECT_EQ(*card->read_public_key(found.public_keys[0].ref), pair.public_key);
  EXPECT_EQ(card->sign(key, Scheme::rsa_pkcs1, text).error().kind, ErrorKind::not_logged_in);
  login();
  EXPECT_TRUE(fits(pair.public_key, text, card->sign(key, Scheme::rsa_pkcs1, text)));
}

TEST_F(Kzid, SignsWhatItCanAndNothingElse) {
  login();
  const auto pair = generate("1");
  for (const std::size_t size : {1, 20, 35, 51, 102}) {
    const Bytes input(size, 0x30);
    EXPECT_TRUE(
        fits(pair.public_key, input, card->sign(pair.private_key, Scheme::rsa_pkcs1, input)))
        << size;
  }
  spent();
  for (const std::size_t size : {0, 103, 245, 256}) {
    EXPECT_EQ(card->sign(pair.private_key, Scheme::rsa_pkcs1, Bytes(size, 1)).error().kind,
              ErrorKind::bad_argument);
  }
  EXPECT_EQ(card->sign(pair.private_key, Scheme::rsa_raw, Bytes(256, 1)).error().kind,
            ErrorKind::unsupported);
  EXPECT_EQ(card->decrypt(pair.private_key, Scheme::rsa_pkcs1, Bytes(256, 1)).error().kind,
            ErrorKind::unsupported);
  auto other = pair.private_key;
  other.ref.token = 6;
  EXPECT_EQ(card->sign(other, Scheme::rsa_pkcs1, text).error().kind, ErrorKind::bad_argument);
  EXPECT_EQ(spent(), 0u);
  other.ref.token = 9;
  EXPECT_EQ(card->sign(other, Scheme::rsa_pkcs1, text).error().kind, ErrorKind::not_found);
}

TEST_F(Kzid, WhatItCannotItSays) {
  login();
  spent();
  card::RsaPrivateKey key;
  EXPECT_EQ(card->import_private_key({}, std::move(key)).error().kind, ErrorKind::unsupported);
  EXPECT_EQ(card->store_public_key({}, {}).error().kind, ErrorKind::unsupported);
  EXPECT_EQ(card->store_data({"d", "a"}, Bytes(3)).error().kind, ErrorKind::unsupported);
  EXPECT_EQ(card->initialise("label", secret(id_puk)).error().kind, ErrorKind::unsupported);
  for (const std::size_t bits : {1024, 4096})
    EXPECT_EQ(card->generate(key_request("x", bits)).error().kind, ErrorKind::unsupported);
  auto request = key_request("x", 2048);
  for (const bool decrypts : {true, false}) {
    request.usage = {};
    request.usage.decrypt = request.usage.unwrap = decrypts;
    const auto made = card->generate(request);
    ASSERT_FALSE(made.ok()) << "a key that is not to sign";
    EXPECT_EQ(made.error().kind, ErrorKind::unsupported);
  }
  EXPECT_EQ(spent(), 0u);
}

TEST_F(Kzid, FillsItsKeyObjectsAndDestroysNone) {
  login();
  std::vector<card::KeyPair> pairs;
  for (const char* id : {"1", "2", "3", "4"})
    pairs.push_back(generate(id, id));
  EXPECT_EQ(card->generate(key_request("1", 2048)).error().kind, ErrorKind::exists);
  const auto full = card->generate(key_request("5", 2048));
  ASSERT_FALSE(full.ok());
  EXPECT_EQ(full.error().kind, ErrorKind::no_space);
  EXPECT_THAT(full.error().message(), HasSubstr("delete a key"));
  reinsert();
  login();
  auto found = list();
  ASSERT_EQ(found.keys.size(), 4u);
  ASSERT_EQ(found.public_keys.size(), 4u);
  for (std::size_t i = 0; i < 4; ++i) {
    EXPECT_EQ(*card->read_public_key(found.keys[i].ref), pairs[i].public_key);
    EXPECT_TRUE(
        fits(pairs[i].public_key, text, card->sign(found.keys[i], Scheme::rsa_pkcs1, text)));
  }
  // An explicit delete makes room, and only there.
  const auto deleted = card->delete_object(found.keys[1].ref);
  ASSERT_TRUE(deleted.ok()) << why(deleted);
  found = list();
  ASSERT_EQ(found.keys.size(), 3u);
  ASSERT_EQ(found.public_keys.size(), 3u);
  EXPECT_EQ(card->delete_object(pairs[1].private_key.ref).error().kind, ErrorKind::not_found);
  EXPECT_EQ(card->delete_object(pairs[1].public_info.ref).error().kind, ErrorKind::not_found);
  const auto renewed = generate("5", "NEW");
  EXPECT_EQ(renewed.private_key.ref, pairs[1].private_key.ref);
  reinsert();
  login();
  EXPECT_TRUE(
      fits(pairs[3].public_key, text, card->sign(pairs[3].private_key, Scheme::rsa_pkcs1, text)));
  EXPECT_EQ(*card->read_public_key(renewed.private_key.ref), renewed.public_key);
}

TEST_F(Kzid, IdOfAKeyNobodyNamedIsItsHash) {
  login();
  const auto pair = generate("");
  EXPECT_EQ(pair.private_key.id, card::default_key_id(pair.public_key));
  EXPECT_EQ(pair.public_info.id, pair.private_key.id);
  reinsert();
  EXPECT_EQ(list().keys[0].id, pair.private_key.id);
  EXPECT_EQ(list().public_keys[0].id, pair.private_key.id);
}

TEST_F(Kzid, PublicHalfDeletedAloneHidesOnlyItself) {
  login();
  const auto pair = generate("1");
  ASSERT_TRUE(card->delete_object(pair.public_info.ref).ok());
  reinsert();
  EXPECT_EQ(list().keys.size(), 1u);
  EXPECT_TRUE(list().public_keys.empty());
  EXPECT_EQ(*card->read_public_key(pair.private_key.ref), pair.public_key);
}

/// An answer that is not "there is none" is no leave to write over what may be there.
TEST_F(Kzid, ARefusalOfItsDirectoriesCostsNone) {
  login();
  generate("1", "ONE");
  const auto pair = generate("2", "TWO");
  ASSERT_TRUE(card->install_certificate({}, certificate_for(pair.public_key, "Somebody")).ok());
  const auto half = list().public_keys.at(0).ref;
  for (const char* refusal : {"6985", "6982", "6700"}) {
    card->forget_objects();
    bool is_odf = false;
    bench.watch = [&](ByteView command, ByteView) {
      is_odf = command.size() > 6 && command[1] == 0xA4 && command[5] == 0x50;
    };
    int left = 1;
    bench.distort = [&](Bytes& answer) {
      if (left > 0 && std::exchange(is_odf, false)) answer = from_hex(refusal).value(), --left;
    };
    (void)card->delete_object(half).ok();
    bench.distort = nullptr;
    bench.watch = nullptr;
    card->forget_objects();
    const auto found = list();
    ASSERT_EQ(found.keys.size(), 2u);
    EXPECT_EQ(found.keys[1].label, "TWO") << refusal;
    EXPECT_EQ(found.certificates.size(), 1u) << refusal;
  }
}

TEST_F(Kzid, ChangesLabelsIdsAndSubjects) {
  login();
  const auto pair = generate("1"), other = generate("2");
  card::AttributeChange change;
  change.label = "a much longer label than before, so that everything behind it moves";
  change.id = from_hex("0102030405").value();
  change.subject = from_hex("3003310130").value();
  const auto changed = card->change_attributes(pair.private_key.ref, change);
  ASSERT_TRUE(changed.ok()) << why(changed);
  EXPECT_EQ(card->change_attributes(pair.public_info.ref, change).error().kind,
            ErrorKind::unsupported);
  change.subject.reset();
  EXPECT_TRUE(card->change_attributes(pair.public_info.ref, change).ok());
  EXPECT_EQ(card->change_attributes({ObjectClass::certificate, 0x4301}, change).error().kind,
            ErrorKind::not_found);
  EXPECT_EQ(card->change_attributes({ObjectClass::private_key, 9}, change).error().kind,
            ErrorKind::not_found);
  reinsert();
  const auto found = list();
  ASSERT_EQ(found.keys.size(), 2u);
  EXPECT_EQ(found.keys[0].label, *change.label);
  EXPECT_EQ(found.keys[0].id, *change.id);
  EXPECT_EQ(found.keys[0].subject, from_hex("3003310130").value());
  EXPECT_TRUE(found.keys[0].local);
  EXPECT_EQ(found.public_keys[0].label, *change.label);
  EXPECT_EQ(found.keys[1].id, other.private_key.id);
}

// ---- certificates ----------------------------------------------------------------------------

TEST_F(Kzid, CertificateFindsItsKeyAndStaysOnTheCard) {
  login();
  const auto first = generate("1", "AUTH"), second = generate("2", "SIGN");
  const Bytes der = certificate_for(second.public_key, "Somebody", 1468);
  reinsert();
  EXPECT_EQ(card->install_certificate({}, der).error().kind, ErrorKind::not_logged_in);
  login();
  const auto installed = card->install_certificate({}, der);
  ASSERT_TRUE(installed.ok()) << why(installed);
  EXPECT_EQ(installed->id, Bytes{'2'});
  EXPECT_EQ(installed->label, "SIGN");
  EXPECT_EQ(installed->kept_in, "");
  EXPECT_EQ(card->install_certificate({}, der).error().kind, ErrorKind::exists);
  reinsert();
  auto found = list();
  ASSERT_EQ(found.certificates.size(), 1u);
  EXPECT_EQ(*card->read_certificate(found.certificates[0].ref), der);
  EXPECT_EQ(found.keys[1].subject, card::Certificate::parse(der)->subject);
  EXPECT_TRUE(found.keys[0].subject.empty());
  EXPECT_NE(run("ls " + directory.file("data")).status, 0) << "no side file";
  login();
  ASSERT_TRUE(card->delete_object(found.certificates[0].ref).ok());
  EXPECT_TRUE(list().certificates.empty());
  EXPECT_EQ(list().keys.size(), 2u);
  EXPECT_EQ(card->delete_object(found.certificates[0].ref).error().kind, ErrorKind::not_found);
}

TEST_F(Kzid, CertificateThatFitsNoKeyIsRefused) {
  login();
  auto stranger = generate("1").public_key;
  stranger.modulus[10] ^= 1;
  const Bytes der = certificate_for(stranger, "Somebody else");
  EXPECT_EQ(card->install_certificate({}, der).error().kind, ErrorKind::key_mismatch);
  EXPECT_EQ(card->install_certificate({}, Bytes(100, 0x30)).error().kind, ErrorKind::bad_data);
  EXPECT_TRUE(list().certificates.empty());
  card::CertificateRequest request;
  request.allow_without_key = request.authority = true;
  request.label = "CA";
  const auto installed = card->install_certificate(request, der);
  ASSERT_TRUE(installed.ok()) << why(installed);
  reinsert();
  EXPECT_TRUE(list().certificates.at(0).authority);
}

TEST_F(Kzid, ManyCertificatesAndOneTakenFromTheMiddle) {
  login();
  const auto pair = generate("1");
  const Bytes der = certificate_for(pair.public_key, "Somebody", 420);
  for (int i = 0; i < 20; ++i) {
    card::CertificateRequest request;
    request.label = "certificate number " + std::to_string(i);
    const auto installed = card->install_certificate(request, der);
    ASSERT_TRUE(installed.ok()) << i << ": " << why(installed);
  }
  auto found = list();
  ASSERT_EQ(found.certificates.size(), 20u);
  ASSERT_TRUE(card->delete_object(found.certificates[3].ref).ok());
  card::AttributeChange change;
  change.label = std::string(200, 'x');
  ASSERT_TRUE(card->change_attributes(found.certificates[0].ref, change).ok());
  ASSERT_TRUE(card->delete_object(found.certificates[10].ref).ok());
  reinsert();
  found = list();
  ASSERT_EQ(found.certificates.size(), 18u);
  EXPECT_EQ(found.certificates[0].label, *change.label);
  EXPECT_EQ(found.certificates[3].label, "certificate number 4");
  for (const auto& certificate : found.certificates)
    EXPECT_EQ(*card->read_certificate(certificate.ref), der);
}

// ---- PINs ------------------------------------------------------------------------------------

TEST_F(Kzid, WrongPinCostsOneTry) {
  const auto wrong = card->login(Role::user, secret("0000"));
  ASSERT_FALSE(wrong.ok());
  EXPECT_EQ(wrong.error().kind, ErrorKind::pin_incorrect);
  EXPECT_EQ(wrong.error().tries_left, 2);
  EXPECT_EQ(card->pin_status(Role::user)->tries_left, 2);
  for (const char* bad : {"", "123456789"}) {
    EXPECT_EQ(card->login(Role::user, secret(bad)).error().kind, ErrorKind::pin_length);
  }
  EXPECT_EQ(card->pin_status(Role::user)->tries_left, 2);
  login();
  EXPECT_TRUE(card->pin_status(Role::user)->logged_in);
  EXPECT_TRUE(card->logout().ok());
  EXPECT_EQ(card->pin_status(Role::user)->tries_left, 3);
}

TEST_F(Kzid, AWrongPinEndsTheLoginItWasToRenew) {
  login();
  EXPECT_EQ(card->login(Role::user, secret("0000")).error().kind, ErrorKind::pin_incorrect);
  spent();
  EXPECT_EQ(card->generate(key_request("1", 2048)).error().kind, ErrorKind::not_logged_in);
  EXPECT_EQ(spent(), 0u);
  EXPECT_FALSE(card->pin_status(Role::user)->logged_in);
}

TEST_F(Kzid, PinIsFilledUpWithZeros) {
  login("12340");
  login("12340000");
  EXPECT_EQ(card->login(Role::user, secret("12341")).error().kind, ErrorKind::pin_incorrect);
}

TEST_F(Kzid, AShortPinIsFilledUpAndANewOneIsNotShort) {
  ASSERT_TRUE(card->change_pin(Role::user, secret(id_pin), secret("5000")).ok());
  for (const char* same : {"5", "50", "500", "5000"})
    login(same);
  EXPECT_EQ(card->login(Role::user, secret("6")).error().tries_left, 2);
  for (const char* shorter : {"5", "500"}) {
    EXPECT_EQ(card->change_pin(Role::user, secret("5000"), secret(shorter)).error().kind,
              ErrorKind::pin_length);
  }
  const auto pin = card->pin_status(Role::user);
  EXPECT_EQ(pin->tries_left, 2);
  EXPECT_EQ(pin->min_length, 1u);
  EXPECT_EQ(pin->new_min_length, 4u);
}

TEST_F(Kzid, LoggedOutMeansLoggedOut) {
  login();
  const auto pair = generate("1");
  ASSERT_TRUE(card->logout().ok());
  EXPECT_FALSE(card->pin_status(Role::user)->logged_in);
  EXPECT_EQ(raw("00A4000C023F00"), "9000");
  EXPECT_EQ(raw("0020000200"), "63C3") << "the card itself says so";
  EXPECT_EQ(card->sign(pair.private_key, Scheme::rsa_pkcs1, text).error().kind,
            ErrorKind::not_logged_in);
  EXPECT_EQ(card->generate(key_request("2", 2048)).error().kind, ErrorKind::not_logged_in);
  EXPECT_EQ(card->delete_object(pair.private_key.ref).error().kind, ErrorKind::not_logged_in);
  EXPECT_TRUE(card->logout().ok());
  login();
  EXPECT_TRUE(fits(pair.public_key, text, card->sign(pair.private_key, Scheme::rsa_pkcs1, text)));
}

TEST_F(Kzid, LogoutOfNobodyDisturbsNobody) {
  const auto other = another();
  ASSERT_TRUE(other->login(Role::user, secret(id_pin)).ok());
  ASSERT_TRUE(card->logout().ok());
  EXPECT_TRUE(other->pin_status(Role::user)->logged_in);
}

TEST_F(Kzid, BlockedPinIsSetAnewWithThePuk) {
  for (int left = 2; left > 0; --left)
    EXPECT_EQ(card->login(Role::user, secret("0000")).error().tries_left, left);
  EXPECT_EQ(card->login(Role::user, secret("0000")).error().kind, ErrorKind::pin_blocked);
  EXPECT_TRUE(card->pin_status(Role::user)->blocked);
  EXPECT_EQ(card->login(Role::user, secret(id_pin)).error().kind, ErrorKind::pin_blocked);
  EXPECT_EQ(card->set_user_pin(secret("5678")).error().kind, ErrorKind::not_logged_in);
  EXPECT_EQ(card->login(Role::security_officer, secret("1234567")).error().kind,
            ErrorKind::pin_length);
  EXPECT_EQ(card->login(Role::security_officer, secret("00000000")).error().tries_left, 9);
  ASSERT_TRUE(card->login(Role::security_officer, secret(id_puk)).ok());
  EXPECT_EQ(card->set_user_pin(secret("567")).error().kind, ErrorKind::pin_length);
  EXPECT_EQ(card->set_user_pin(secret("56a8")).error().kind, ErrorKind::pin_invalid);
  const auto status = card->set_user_pin(secret("5678"));
  ASSERT_TRUE(status.ok()) << why(status);
  login("5678");
  generate("1");
}

TEST_F(Kzid, ChangesItsPinAndItsPuk) {
  const auto wrong = card->change_pin(Role::user, secret("0000"), secret("567890"));
  EXPECT_EQ(wrong.error().kind, ErrorKind::pin_incorrect);
  EXPECT_EQ(wrong.error().tries_left, 2);
  EXPECT_EQ(card->change_pin(Role::user, secret(id_pin), secret("567")).error().kind,
            ErrorKind::pin_length);
  EXPECT_EQ(card->change_pin(Role::user, secret(id_pin), secret("abcd")).error().kind,
            ErrorKind::pin_invalid);
  const auto changed = card->change_pin(Role::user, secret(id_pin), secret("567890"));
  ASSERT_TRUE(changed.ok()) << why(changed);
  ASSERT_TRUE(card->change_pin(Role::security_officer, secret(id_puk), secret("11223344")).ok());
  EXPECT_TRUE(card->logout().ok());
  EXPECT_EQ(raw("0020000200"), "63C3") << "nothing of it is left as a login";
  reinsert();
  login("567890");
  EXPECT_TRUE(card->login(Role::security_officer, secret("11223344")).ok());
}

TEST_F(Kzid, OfAnotherRoleLogsTheFirstOut) {
  login();
  ASSERT_TRUE(card->login(Role::security_officer, secret(id_puk)).ok());
  EXPECT_FALSE(card->pin_status(Role::user)->logged_in);
  EXPECT_EQ(card->generate(key_request("1", 2048)).error().kind, ErrorKind::not_logged_in);
}

TEST_F(Kzid, RandomOfAnyLength) {
  EXPECT_EQ(card->random(0)->size(), 0u);
  EXPECT_EQ(card->random(100)->size(), 100u);
  EXPECT_NE(*card->random(32), *card->random(32));
}

// ---- other cards -----------------------------------------------------------------------------

class KzidTwoObjects : public Kzid {
 protected:
  KzidTwoObjects() : Kzid("kzid-2sdo") {}
};

TEST_F(KzidTwoObjects, AreTwoKeysAndNoMore) {
  login();
  generate("1"), generate("2");
  const auto full = card->generate(key_request("3", 2048));
  ASSERT_FALSE(full.ok());
  EXPECT_EQ(full.error().kind, ErrorKind::no_space);
  EXPECT_THAT(full.error().message(), HasSubstr("no key object 9, A"));
  reinsert();
  EXPECT_EQ(list().keys.size(), 2u);
}

class KzidOf2022 : public Kzid {
 protected:
  static sim::ChipOptions other() {
    auto options = with_seed();
    options.atr = from_hex("3BFA1800FF8031FE45003180739441000090009 0").value();
    return options;
  }
  KzidOf2022() : Kzid("kzid", other()) {}
};

TEST_F(KzidOf2022, SaysThatItsCommandsAreUnproven) {
  EXPECT_THAT(card->token_info()->label, HasSubstr("unproven"));
  login();  // a simulated reader takes guesses
  generate("1");
  bench.simulated = false;
  const auto refused = card->login(Role::user, secret(id_pin));
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().kind, ErrorKind::refused);
  EXPECT_THAT(refused.error().message(), HasSubstr("2022"));
}

}  // namespace
}  // namespace kilt::test
