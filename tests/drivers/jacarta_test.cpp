// SPDX-License-Identifier: Apache-2.0
// The JaCarta driver on the simulated chip: a token's life, and what bad input gets.
#include <gmock/gmock.h>

#include "tests/drivers/jacarta_fixture.hpp"

namespace kilt::test {
namespace {

using card::ObjectClass;
using card::Role;
using card::Scheme;

class JacartaLife : public Jacarta {};

TEST_F(JacartaLife, TellsWhatItIsWithoutALogin) {
  const auto info = card->token_info();
  ASSERT_TRUE(info.ok()) << why(info);
  EXPECT_EQ(info->serial, bench.chip->serial());
  EXPECT_TRUE(info->initialized);
  EXPECT_EQ(info->manufacturer, "Aladdin R.D.");
  EXPECT_EQ(card->model().name, "JACARTA");
  const auto pin = card->pin_status(Role::user);
  ASSERT_TRUE(pin.ok());
  EXPECT_EQ(pin->tries_left, 10);
  EXPECT_TRUE(pin->initialized && !pin->blocked && !pin->logged_in);
  EXPECT_TRUE(list().keys.empty());
}

TEST_F(JacartaLife, MakesAKeyAndSigns) {
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
  EXPECT_EQ(key.usage, sign_and_decrypt());
  EXPECT_TRUE(key.local && key.sensitive && key.always_sensitive && key.never_extractable);
  EXPECT_EQ(*card->read_public_key(key.ref), pair.public_key);
  login();
  const Bytes text(51, 0x31);
  EXPECT_TRUE(is_signature(pair.public_key, text, card->sign(key, Scheme::rsa_pkcs1, text)));
}

TEST_F(JacartaLife, EveryKeySize) {
  login();
  for (const std::size_t bits : {1024, 2048, 4096}) {
    const auto pair = generate("id" + std::to_string(bits), bits);
    const Bytes text(20, 7);
    EXPECT_TRUE(
        is_signature(pair.public_key, text, card->sign(pair.private_key, Scheme::rsa_pkcs1, text)));
  }
  for (const std::size_t bits : {0, 512, 1000, 1280, 1536, 3072, 8192}) {
    EXPECT_EQ(card->generate(key_request("x", bits)).error().kind, ErrorKind::unsupported);
  }
  EXPECT_EQ(list().keys.size(), 3u);
}

TEST_F(JacartaLife, IdOfAKeyNobodyNamedIsItsHash) {
  login();
  const auto pair = generate("");
  EXPECT_EQ(pair.private_key.id, card::default_key_id(pair.public_key));
  EXPECT_EQ(pair.public_info.id, pair.private_key.id);
  EXPECT_EQ(card->generate(key_request(as_text(pair.private_key.id))).error().kind,
            ErrorKind::exists);
}

TEST_F(JacartaLife, DecryptsBothWays) {
  login();
  const auto pair = generate("1", 1024);
  const Bytes block = [] {
    Bytes made{0x00, 0x02};
    made.resize(128 - 6, 0x55);
    append(made, {0x00, 'h', 'e', 'l', 'l', 'o'});
    return made;
  }();
  // The public power, by the same check that judges signatures: c = m^e.
  card::PublicKey swapped = pair.public_key;
  const auto raw = card->sign(pair.private_key, Scheme::rsa_raw, block);
  ASSERT_TRUE(raw.ok()) << why(raw);
  EXPECT_TRUE(card::is_private_power(swapped, block, *raw));
  const auto plain = card->decrypt(pair.private_key, Scheme::rsa_raw, *raw);
  ASSERT_TRUE(plain.ok()) << why(plain);
  EXPECT_TRUE(card::is_private_power(swapped, *raw, *plain));
  EXPECT_EQ(card->decrypt(pair.private_key, Scheme::rsa_pkcs1, Bytes(128, 1)).error().kind,
            ErrorKind::bad_data);
  EXPECT_EQ(card->decrypt(pair.private_key, Scheme::rsa_pkcs1, Bytes(127, 1)).error().kind,
            ErrorKind::bad_argument);
  EXPECT_EQ(card->sign(pair.private_key, Scheme::rsa_raw, Bytes(129, 1)).error().kind,
            ErrorKind::bad_argument);
  EXPECT_EQ(card->sign(pair.private_key, Scheme::rsa_pkcs1, Bytes(118, 1)).error().kind,
            ErrorKind::bad_argument);
}

TEST_F(JacartaLife, WrongPinCostsOneTry) {
  const auto wrong = card->login(Role::user, secret("99999999"));
  ASSERT_FALSE(wrong.ok());
  EXPECT_EQ(wrong.error().kind, ErrorKind::pin_incorrect);
  EXPECT_EQ(wrong.error().tries_left, 9);
  EXPECT_EQ(card->pin_status(Role::user)->tries_left, 9);
  for (const char* bad : {"", "1", "123", "12345678901234567"}) {
    EXPECT_EQ(card->login(Role::user, secret(bad)).error().kind, ErrorKind::pin_length);
  }
  EXPECT_EQ(card->pin_status(Role::user)->tries_left, 9);
  login();
  EXPECT_TRUE(card->pin_status(Role::user)->logged_in);
}

TEST_F(JacartaLife, BlockedPinAndUnblocking) {
  for (int left = 9; left > 0; --left) {
    EXPECT_EQ(card->login(Role::user, secret("99999999")).error().tries_left, left);
  }
  EXPECT_EQ(card->login(Role::user, secret("99999999")).error().kind, ErrorKind::pin_blocked);
  EXPECT_TRUE(card->pin_status(Role::user)->blocked);
  EXPECT_EQ(card->login(Role::user, secret(jacarta_user_pin)).error().kind, ErrorKind::pin_blocked);
  EXPECT_EQ(card->set_user_pin(secret("newpin")).error().kind, ErrorKind::not_logged_in);
  ASSERT_TRUE(card->login(Role::security_officer, secret(jacarta_officer_pin)).ok());
  EXPECT_EQ(card->set_user_pin(secret("123")).error().kind, ErrorKind::pin_length);
  const auto status = card->set_user_pin(secret("newpin"));
  EXPECT_TRUE(status.ok()) << why(status);
  EXPECT_TRUE(card->login(Role::user, secret("newpin")).ok());
}

TEST_F(JacartaLife, LoginWhileSomebodyIsLoggedIn) {
  login();
  EXPECT_TRUE(card->login(Role::security_officer, secret(jacarta_officer_pin)).ok());
  card->forget_state();  // as another program that does not know
  EXPECT_TRUE(card->login(Role::user, secret(jacarta_user_pin)).ok());
  EXPECT_EQ(card->login(Role::user, secret("99999999")).error().tries_left, 9);
  EXPECT_FALSE(card->pin_status(Role::user)->logged_in);
  EXPECT_TRUE(card->logout().ok());
  EXPECT_TRUE(card->logout().ok());
}

TEST_F(JacartaLife, ChangesPins) {
  EXPECT_EQ(card->change_pin(Role::user, secret("99999999"), secret("abcdefgh")).error().kind,
            ErrorKind::pin_incorrect);
  EXPECT_EQ(card->change_pin(Role::user, secret(jacarta_user_pin), secret("abc")).error().kind,
            ErrorKind::pin_length);
  ASSERT_TRUE(card->change_pin(Role::user, secret(jacarta_user_pin), secret("abcdefghi")).ok());
  ASSERT_TRUE(
      card->change_pin(Role::security_officer, secret(jacarta_officer_pin), secret("officer123"))
          .ok());
  reinsert();
  EXPECT_TRUE(card->login(Role::user, secret("abcdefghi")).ok());
  EXPECT_TRUE(card->login(Role::security_officer, secret("officer123")).ok());
}

TEST_F(JacartaLife, CertificateFindsItsKey) {
  login();
  const auto first = generate("1", 1024, "AUTH"), second = generate("2", 1024, "SIGN");
  const Bytes der = certificate_for(second.public_key, "Somebody", 700);
  reinsert();
  login();
  const auto installed = card->install_certificate({}, der);
  ASSERT_TRUE(installed.ok()) << why(installed);
  EXPECT_EQ(installed->id, Bytes{'2'});
  EXPECT_EQ(installed->label, "SIGN");
  reinsert();
  const auto found = list();
  ASSERT_EQ(found.certificates.size(), 1u);
  EXPECT_EQ(*card->read_certificate(found.certificates[0].ref), der);
  EXPECT_TRUE(found.keys[0].subject.empty()) << "the vendor's placeholder is no subject";
  EXPECT_EQ(found.certificates[0].ref.token, 0x8401u) << "beside its key";
}

TEST_F(JacartaLife, CertificateThatFitsNoKeyIsRefused) {
  login();
  auto stranger = generate("1").public_key;
  stranger.modulus[10] ^= 1;
  const Bytes der = certificate_for(stranger, "Somebody else");
  EXPECT_EQ(card->install_certificate({}, der).error().kind, ErrorKind::key_mismatch);
  EXPECT_EQ(card->install_certificate({}, Bytes(100, 0x30)).error().kind, ErrorKind::bad_data);
  EXPECT_EQ(card->install_certificate({}, {}).error().kind, ErrorKind::bad_data);
  EXPECT_TRUE(list().certificates.empty());
  card::CertificateRequest request;
  request.allow_without_key = true;
  request.label = "stray";
  const auto installed = card->install_certificate(request, der);
  ASSERT_TRUE(installed.ok()) << why(installed);
  EXPECT_EQ(installed->id, card::default_key_id(stranger));
}

TEST_F(JacartaLife, ACertificateThatIsThereIsNotInstalledTwice) {
  login();
  const auto pair = generate("1", 1024, "AUTH");
  const Bytes der = certificate_for(pair.public_key, "Somebody", 700);
  ASSERT_TRUE(card->install_certificate({}, der).ok());
  reinsert();
  login();
  const auto writes = bench.nvram.writes();
  const auto again = card->install_certificate({}, der);
  ASSERT_FALSE(again.ok());
  EXPECT_EQ(again.error().kind, ErrorKind::exists) << why(again);
  EXPECT_NE(again.error().message().find("AUTH"), std::string::npos) << why(again);
  card::CertificateRequest request;
  request.label = "AUTH";
  EXPECT_EQ(card->install_certificate(request, der).error().kind, ErrorKind::exists);
  request.id = {'1'};
  EXPECT_EQ(card->install_certificate(request, der).error().kind, ErrorKind::exists);
  EXPECT_EQ(bench.nvram.writes(), writes);
  EXPECT_EQ(list().certificates.size(), 1u);
  // What can be told from it is another object: a renewed one, and one that was given a name.
  ASSERT_TRUE(
      card->install_certificate({}, certificate_for(pair.public_key, "Somebody", 701)).ok());
  request.label = "a copy";
  ASSERT_TRUE(card->install_certificate(request, der).ok());
  EXPECT_EQ(list().certificates.size(), 3u);
  EXPECT_EQ(card->install_certificate({}, der).error().kind, ErrorKind::exists);
}

TEST_F(JacartaLife, AModulusIsComparedToItsLastByte) {
  login();
  auto stranger = generate("1", 2048).public_key;
  stranger.modulus.back() ^= 2;
  reinsert();
  login();
  EXPECT_EQ(card->install_certificate({}, certificate_for(stranger, "Somebody else")).error().kind,
            ErrorKind::key_mismatch);
}

TEST_F(JacartaLife, WritesNeedTheUsersLogin) {
  EXPECT_EQ(card->generate(key_request("1")).error().kind, ErrorKind::not_logged_in);
  EXPECT_EQ(card->store_data({"d", "a"}, Bytes(3)).error().kind, ErrorKind::not_logged_in);
  EXPECT_EQ(card->delete_object({ObjectClass::certificate, 0x300}).error().kind,
            ErrorKind::not_logged_in);
  login();
  const auto pair = generate("1");
  ASSERT_TRUE(card->logout().ok());
  EXPECT_EQ(card->sign(pair.private_key, Scheme::rsa_pkcs1, Bytes(20)).error().kind,
            ErrorKind::not_logged_in);
}

TEST_F(JacartaLife, DataObjectsPublicAndPrivate) {
  login();
  const Bytes open(300, 0x11), hidden(20, 0x22);
  ASSERT_TRUE(card->store_data({"open", "app", from_hex("0603550403").value(), false}, open).ok());
  ASSERT_TRUE(card->store_data({"hidden", "app", {}, true}, hidden).ok());
  ASSERT_EQ(list().data.size(), 2u);
  EXPECT_EQ(*card->read_data(list().data[1].ref), hidden);
  const auto secret_ref = list().data[1].ref;
  reinsert();
  const auto found = list();
  ASSERT_EQ(found.data.size(), 1u);
  EXPECT_EQ(found.data[0].label, "open");
  EXPECT_EQ(found.data[0].object_id, from_hex("0603550403").value());
  EXPECT_EQ(*card->read_data(found.data[0].ref), open);
  EXPECT_EQ(card->read_data(secret_ref).error().kind, ErrorKind::not_logged_in);
  EXPECT_EQ(card->store_data({"e", "a"}, {}).error().kind, ErrorKind::bad_argument);
}

TEST_F(JacartaLife, DeletesWhatItIsToldAndNothingElse) {
  login();
  const auto a = generate("a", 1024, "A"), b = generate("b", 1024, "B");
  ASSERT_TRUE(card->install_certificate({}, certificate_for(a.public_key, "A")).ok());
  ASSERT_TRUE(card->install_certificate({}, certificate_for(b.public_key, "B")).ok());
  const auto deleted = card->delete_object(a.private_key.ref);
  ASSERT_TRUE(deleted.ok()) << why(deleted);
  auto found = list();
  EXPECT_EQ(found.keys.size(), 1u);
  EXPECT_EQ(found.public_keys.size(), 2u);
  EXPECT_EQ(found.certificates.size(), 2u);
  EXPECT_EQ(*card->read_public_key(a.public_info.ref), a.public_key);
  ASSERT_TRUE(card->delete_object(found.certificates[0].ref).ok());
  ASSERT_TRUE(card->delete_object(a.public_info.ref).ok());
  reinsert();
  login();
  found = list();
  ASSERT_EQ(found.keys.size(), 1u);
  EXPECT_EQ(found.keys[0].label, "B");
  ASSERT_EQ(found.certificates.size(), 1u);
  EXPECT_EQ(found.certificates[0].label, "B");
  const Bytes text(20, 9);
  EXPECT_TRUE(is_signature(b.public_key, text, card->sign(found.keys[0], Scheme::rsa_pkcs1, text)));
  EXPECT_EQ(card->delete_object(a.private_key.ref).error().kind, ErrorKind::not_found);
}

TEST_F(JacartaLife, ChangesLabelsIdsAndSubjects) {
  login();
  const auto pair = generate("1");
  const auto other = generate("2");
  card::AttributeChange change;
  change.label = "a much longer label than before, so that everything behind it moves";
  change.id = from_hex("0102030405").value();
  change.subject = from_hex("3003310130").value();
  const auto changed = card->change_attributes(pair.private_key.ref, change);
  ASSERT_TRUE(changed.ok()) << why(changed);
  reinsert();
  const auto found = list();
  ASSERT_EQ(found.keys.size(), 2u);
  EXPECT_EQ(found.keys[0].label, *change.label);
  EXPECT_EQ(found.keys[0].id, *change.id);
  EXPECT_EQ(found.keys[0].subject, *change.subject);
  EXPECT_TRUE(found.keys[0].local);
  EXPECT_EQ(found.keys[1].id, other.private_key.id);
  login();
  EXPECT_EQ(card->change_attributes(found.public_keys[0].ref, change).error().kind,
            ErrorKind::unsupported);
  change.subject.reset();
  EXPECT_TRUE(card->change_attributes(found.public_keys[0].ref, change).ok());
  EXPECT_EQ(card->change_attributes({ObjectClass::certificate, 0x300}, change).error().kind,
            ErrorKind::not_found);
}

TEST_F(JacartaLife, ManyCertificatesAndOneTakenFromTheMiddle) {
  login();
  const auto pair = generate("1");
  const Bytes der = certificate_for(pair.public_key, "Somebody", 300);
  for (int i = 0; i < 40; ++i) {
    card::CertificateRequest request;
    request.label = "certificate " + std::to_string(i);
    const auto installed = card->install_certificate(request, der);
    ASSERT_TRUE(installed.ok()) << i << ": " << why(installed);
  }
  auto found = list();
  ASSERT_EQ(found.certificates.size(), 40u);
  EXPECT_EQ(found.certificates[39].label, "certificate 0") << "beside the key, whose id is higher";
  EXPECT_EQ(found.certificates[3].label, "certificate 4");
  ASSERT_TRUE(card->delete_object(found.certificates[3].ref).ok());
  card::AttributeChange change;
  change.label = std::string(200, 'x');
  ASSERT_TRUE(card->change_attributes(found.certificates[0].ref, change).ok());
  ASSERT_TRUE(card->delete_object(found.certificates[10].ref).ok());
  reinsert();
  found = list();
  ASSERT_EQ(found.certificates.size(), 38u);
  EXPECT_EQ(found.certificates[0].label, *change.label);
  EXPECT_EQ(found.certificates[3].label, "certificate 5");
  for (const auto& certificate : found.certificates)
    EXPECT_EQ(*card->read_certificate(certificate.ref), der);
}

TEST_F(JacartaLife, RandomOfAnyLength) {
  EXPECT_EQ(card->random(0)->size(), 0u);
  EXPECT_EQ(card->random(100)->size(), 100u);
  EXPECT_NE(*card->random(32), *card->random(32));
}

TEST_F(JacartaLife, InitialisationNeedsTheOfficersPin) {
  login();
  generate("1");
  const auto refused = card->initialise("new", secret("99999999"));
  EXPECT_EQ(refused.error().kind, ErrorKind::pin_incorrect);
  EXPECT_EQ(refused.error().tries_left, 9);
  EXPECT_EQ(card->initialise("new", secret("1")).error().kind, ErrorKind::pin_length);
  EXPECT_EQ(list().keys.size(), 1u);
  const auto done = card->initialise("My token", secret(jacarta_officer_pin));
  ASSERT_TRUE(done.ok()) << why(done);
  EXPECT_TRUE(list().keys.empty());
  EXPECT_EQ(card->token_info()->label, "My token");
  EXPECT_FALSE(card->pin_status(Role::user)->initialized);
  EXPECT_EQ(card->login(Role::user, secret(jacarta_user_pin)).error().kind, ErrorKind::pin_not_set);
}

class JacartaBlank : public Jacarta {
 protected:
  JacartaBlank() : Jacarta(true) {}
};

TEST_F(JacartaBlank, FromBlankToASignature) {
  EXPECT_FALSE(card->token_info()->initialized);
  EXPECT_TRUE(list().keys.empty());
  EXPECT_EQ(card->login(Role::user, secret(jacarta_user_pin)).error().kind, ErrorKind::pin_not_set);
  auto status = card->initialise("My token", secret(jacarta_officer_pin));
  ASSERT_TRUE(status.ok()) << why(status);
  reinsert();
  EXPECT_TRUE(card->token_info()->initialized);
  ASSERT_TRUE(card->login(Role::security_officer, secret(jacarta_officer_pin)).ok());
  status = card->set_user_pin(secret(jacarta_user_pin));
  ASSERT_TRUE(status.ok()) << why(status);
  reinsert();
  EXPECT_EQ(card->pin_status(Role::user)->tries_left, 10);
  EXPECT_EQ(card->generate(key_request("1")).error().kind, ErrorKind::not_logged_in);
  login();
  const auto pair = generate("1", 2048);
  const Bytes text(20, 1);
  EXPECT_TRUE(
      is_signature(pair.public_key, text, card->sign(pair.private_key, Scheme::rsa_pkcs1, text)));
  EXPECT_TRUE(card->logout().ok());
  // The officer can set the user's PIN again, now that rules are in force.
  ASSERT_TRUE(card->login(Role::security_officer, secret(jacarta_officer_pin)).ok());
  status = card->set_user_pin(secret("another"));
  ASSERT_TRUE(status.ok()) << why(status);
  EXPECT_TRUE(card->login(Role::user, secret("another")).ok());
  EXPECT_EQ(list().keys.size(), 1u);
}

TEST_F(JacartaBlank, TheLastTriesOfTheTransportPinAreLeftAlone) {
  ASSERT_TRUE(raw("80A4080C043F00000100").ends_with("9000"));
  for (int left = 9; left >= 2; --left)
    ASSERT_EQ(raw("0020000004 39393939"), "63C" + std::to_string(left));
  reinsert();
  for (int i = 0; i < 3; ++i) {
    const auto refused = card->initialise("new", secret(jacarta_officer_pin));
    ASSERT_FALSE(refused.ok());
    EXPECT_EQ(refused.error().kind, ErrorKind::access_denied) << why(refused);
    EXPECT_THAT(refused.error().message(), ::testing::HasSubstr("2 tries left"));
  }
  ASSERT_TRUE(raw("80A4080C043F00000100").ends_with("9000"));
  EXPECT_EQ(raw("00200000"), "63C2") << "nothing was sent";
}

}  // namespace
}  // namespace kilt::test
