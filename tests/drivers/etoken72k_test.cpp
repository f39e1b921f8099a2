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

/// LOGINs that were sent: 80 11 00 <who>.
class EtokenTries : public Etoken {
 protected:
  EtokenTries() {
    bench.watch = [this](ByteView command, ByteView) {
      if (command[0] == 0x80 && command[1] == 0x11) ++logins;
    };
  }
  int logins = 0;
};

TEST_F(EtokenTries, WrongPinCostsOneTry) {
  const auto wrong = card->login(Role::user, secret("0000000000"));
  ASSERT_FALSE(wrong.ok());
  EXPECT_EQ(wrong.error().kind, ErrorKind::pin_incorrect);
  EXPECT_EQ(wrong.error().tries_left, std::nullopt) << "the card does not tell";
  EXPECT_EQ(logins, 1);
  for (const char* bad : {"", "1", "123", "12345678901234567890123456789012"}) {
    EXPECT_EQ(card->login(Role::user, secret(bad)).error().kind, ErrorKind::pin_length);
  }
  for (const char* bad : {"1234567\xFF", "1234567\xC0\x80", "1234567\xF0\x9F\x94\x91",
                          "1234567\xED\xA0\x80", "1234567\xE2\x82"}) {
    EXPECT_EQ(card->login(Role::user, secret(bad)).error().kind, ErrorKind::bad_argument);
  }
  EXPECT_EQ(logins, 1);
  login();
  EXPECT_EQ(logins, 2);
  EXPECT_TRUE(card->pin_status(Role::user)->logged_in);
}

TEST_F(EtokenTries, BlockedPinAndUnblocking) {
  ErrorKind last = ErrorKind::pin_incorrect;
  for (int i = 0; i < 30 && last == ErrorKind::pin_incorrect; ++i)
    last = card->login(Role::user, secret("0000000000")).error().kind;
  EXPECT_EQ(last, ErrorKind::pin_blocked);
  EXPECT_TRUE(card->pin_status(Role::user)->blocked);
  EXPECT_EQ(card->login(Role::user, secret(etoken_user_pin)).error().kind, ErrorKind::pin_blocked);
  EXPECT_EQ(card->set_user_pin(secret("newpin")).error().kind, ErrorKind::not_logged_in);
  officer();
  EXPECT_EQ(card->set_user_pin(secret("short")).error().kind, ErrorKind::pin_length);
  const auto status = card->set_user_pin(secret("newpin"));
  EXPECT_TRUE(status.ok()) << why(status);
  EXPECT_FALSE(card->pin_status(Role::user)->blocked);
  login("newpin");
  reinsert();
  login("newpin");
}

TEST_F(EtokenTries, AnotherRoleTakesOver) {
  login();
  officer();
  EXPECT_EQ(card->generate(key_request("1")).error().kind, ErrorKind::not_logged_in);
  EXPECT_FALSE(card->pin_status(Role::user)->logged_in);
  EXPECT_TRUE(card->pin_status(Role::security_officer)->logged_in);
  login();
  EXPECT_FALSE(card->login(Role::user, secret("0000000000")).ok());
  EXPECT_FALSE(card->pin_status(Role::user)->logged_in);
  EXPECT_EQ(card->generate(key_request("1")).error().kind, ErrorKind::not_logged_in);
  EXPECT_TRUE(card->logout().ok());
  EXPECT_TRUE(card->logout().ok());
}

TEST_F(EtokenTries, LoggedOutMeansLoggedOutOnTheCardToo) {
  login();
  const auto pair = generate("1");
  ASSERT_TRUE(card->logout().ok());
  // As the card sees it, whatever the driver thinks: a signature is refused.
  auto raw = [&](std::string_view command) {
    return to_hex(bench.chip->transmit(from_hex(command).value()).bytes);
  };
  EXPECT_EQ(raw("00A4080C08 6666500002203001"), "9000");
  const std::string block(256, '1');
  EXPECT_EQ(raw("800C033182 1080" + block + "00"), "6982");
  EXPECT_EQ(card->sign(pair.private_key, Scheme::rsa_pkcs1, Bytes(20)).error().kind,
            ErrorKind::not_logged_in);
}

TEST_F(EtokenTries, APinChangedElsewhereCostsOneTryAndNoMore) {
  login();
  const auto pair = generate("1");
  auto other = std::move(*card::identify(std::make_unique<ChipTransport>(bench), nullptr));
  const auto changed =
      other->change_pin(Role::user, secret(etoken_user_pin), secret("another pin"));
  ASSERT_TRUE(changed.ok()) << why(changed);
  ASSERT_TRUE(other->logout().ok());
  logins = 0;
  EXPECT_EQ(card->sign(pair.private_key, Scheme::rsa_pkcs1, Bytes(20)).error().kind,
            ErrorKind::not_logged_in);
  EXPECT_EQ(logins, 1) << "the cached key is tried once";
  EXPECT_EQ(card->sign(pair.private_key, Scheme::rsa_pkcs1, Bytes(20)).error().kind,
            ErrorKind::not_logged_in);
  EXPECT_EQ(logins, 1) << "and then forgotten";
  login("another pin");
  EXPECT_TRUE(verifies(pair.public_key, Bytes(20),
                       card->sign(pair.private_key, Scheme::rsa_pkcs1, Bytes(20))));
}

TEST_F(EtokenTries, AfterAResetNothingIsTriedByItself) {
  login();
  const auto pair = generate("1");
  bench.insert();
  card->forget_state();
  logins = 0;
  EXPECT_EQ(card->sign(pair.private_key, Scheme::rsa_pkcs1, Bytes(20)).error().kind,
            ErrorKind::not_logged_in);
  EXPECT_EQ(logins, 0);
}

TEST_F(EtokenSold, ChangesPins) {
  EXPECT_EQ(card->change_pin(Role::user, secret("0000000000"), secret("abcdefgh")).error().kind,
            ErrorKind::pin_incorrect);
  EXPECT_EQ(card->change_pin(Role::user, secret(etoken_user_pin), secret("abc")).error().kind,
            ErrorKind::pin_length);
  auto status = card->change_pin(Role::user, secret(etoken_user_pin), secret("п/н-код №1"));
  ASSERT_TRUE(status.ok()) << why(status);
  // Still logged in, under the new key.
  EXPECT_TRUE(card->store_data({"d", "a"}, Bytes(3)).ok());
  status =
      card->change_pin(Role::security_officer, secret(etoken_officer_pin), secret("officer123"));
  ASSERT_TRUE(status.ok()) << why(status);
  reinsert();
  login("п/н-код №1");
  EXPECT_TRUE(card->login(Role::security_officer, secret("officer123")).ok());
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
  EXPECT_EQ(list().keys.size(), 1u);
  const auto done = card->initialise("My token", secret(etoken_officer_pin));
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

class Etoken5110 : public Etoken {
 protected:
  Etoken5110() : Etoken("etoken5110") {}
};

TEST_F(Etoken5110, CanBeReadButNotSign) {
  ASSERT_TRUE(card->token_info().ok());
  ASSERT_TRUE(card->login(Role::user, secret(etoken_user_pin)).ok());
  auto found = list();
  if (found.keys.empty()) {
    const auto made = card->generate(key_request("1"));
    if (made) found = list();
  }
  card::KeyInfo key;
  key.ref = {ObjectClass::private_key, 0x3001};
  key.bits = 1024;
  if (!found.keys.empty()) key = found.keys[0];
  const auto signature = card->sign(key, Scheme::rsa_pkcs1, Bytes(20));
  ASSERT_FALSE(signature.ok());
  EXPECT_EQ(signature.error().kind, ErrorKind::unsupported) << why(signature);
  EXPECT_THAT(signature.error().message(), ::testing::HasSubstr("cannot sign"));
  EXPECT_TRUE(card->login(Role::user, secret(etoken_user_pin)).ok()) << "no try was lost";
}

// ---- readers ---------------------------------------------------------------------------------

/// The chip in a reader of another kind.
class OtherReader : public ChipTransport {
 public:
  OtherReader(ChipBench& bench, apdu::Limits limits) : ChipTransport(bench), limits_(limits) {}
  [[nodiscard]] apdu::Limits limits() const override { return limits_; }

 private:
  apdu::Limits limits_;
};

class EtokenReaders : public Etoken {
 protected:
  void connect_through(apdu::Limits limits) {
    auto made = card::identify(std::make_unique<OtherReader>(bench, limits), nullptr);
    ASSERT_TRUE(made.ok()) << why(made);
    card = std::move(*made);
    login();
  }
  const Bytes text = Bytes(20, 5);
};

TEST_F(EtokenReaders, AShortOneSignsWithShortKeysOnly) {
  connect_through({});
  const auto small = generate("1", 1024), large = generate("2", 2048);
  ASSERT_TRUE(
      card->install_certificate({}, certificate_for(large.public_key, "Somebody", 1468)).ok());
  EXPECT_TRUE(
      verifies(small.public_key, text, card->sign(small.private_key, Scheme::rsa_pkcs1, text)));
  const auto refused = card->sign(large.private_key, Scheme::rsa_pkcs1, text);
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().kind, ErrorKind::unsupported);
  EXPECT_THAT(refused.error().message(), ::testing::HasSubstr("extended APDU"));
  EXPECT_EQ(card->read_certificate(list().certificates[0].ref)->size(), 1468u);
}

TEST_F(EtokenReaders, ASilentOneIsTried) {
  apdu::Limits limits;
  limits.silent = true;
  connect_through(limits);
  std::size_t longest = 0, longest_other = 0;
  bench.watch = [&](ByteView command, ByteView) {
    auto& longer = command[1] == 0x0C ? longest : longest_other;
    longer = std::max(longer, command.size());
  };
  const auto pair = generate("2", 2048);
  EXPECT_TRUE(
      verifies(pair.public_key, text, card->sign(pair.private_key, Scheme::rsa_pkcs1, text)));
  EXPECT_EQ(longest, 4u + 3 + 260 + 2);
  EXPECT_LE(longest_other, 261u) << "what fits a short APDU is not tried in a long one";
}

TEST_F(EtokenReaders, ARealOneIsAskedNothingThatNobodyVouchesFor) {
  login();
  const auto pair = generate("1", 2048);
  ASSERT_TRUE(
      card->install_certificate({}, certificate_for(pair.public_key, "Somebody", 1468)).ok());
  reinsert();
  bench.simulated = false;
  std::vector<std::string> sent;
  bench.watch = [&](ByteView command, ByteView) { sent.push_back(to_hex(command.first(4))); };
  login();
  const auto found = list();
  ASSERT_EQ(found.keys.size(), 1u);
  EXPECT_EQ(card->read_certificate(found.certificates[0].ref)->size(), 1468u);
  EXPECT_TRUE(verifies(pair.public_key, text, card->sign(found.keys[0], Scheme::rsa_pkcs1, text)));
  EXPECT_EQ(card->generate(key_request("2")).error().kind, ErrorKind::refused);
  EXPECT_EQ(card->delete_object(found.keys[0].ref).error().kind, ErrorKind::refused);
  EXPECT_EQ(card->store_data({"d", "a"}, Bytes(3)).error().kind, ErrorKind::refused);
  EXPECT_EQ(card->change_pin(Role::user, secret(etoken_user_pin), secret("abcdefgh")).error().kind,
            ErrorKind::refused);
  EXPECT_EQ(card->login(Role::security_officer, secret(etoken_officer_pin)).error().kind,
            ErrorKind::refused);
  EXPECT_EQ(card->initialise("new", secret(etoken_officer_pin)).error().kind, ErrorKind::refused);
  for (const auto& header : sent) {
    for (const char* assumed : {"80E0", "80E4", "8046", "80DB", "8024", "802C", "808E", "80110021"})
      EXPECT_FALSE(header.starts_with(assumed)) << header;
  }
  card::Permissions permissions;
  permissions.allow_assumed = true;
  card->link().set_permissions(permissions);
  login();
  EXPECT_TRUE(card->store_data({"d", "a"}, Bytes(3)).ok());
}

}  // namespace
}  // namespace kilt::test
