// SPDX-License-Identifier: Apache-2.0
// The card is not ours alone: resets and logouts by others, and what comes back after them.
#include "tests/openssl.hpp"
#include "tests/pkcs11/create_helpers.hpp"
#include "tests/pkcs11/elsewhere.hpp"
#include "tests/pkcs11/module_fixture.hpp"
#include "tests/pkcs11/test_cards.hpp"

namespace kilt::test {
namespace {

class Sharing : public Cryptoki {
 protected:
  void other_logs_out() { bench.foreign(*card, Bytes{0x80, 0x40, 0x00, 0x00}); }
  /// Another program comes, logs in, does `work` and resets the card, as each does that logged in.
  template <class Work>
  void other_program(Work&& work) {
    const auto other = somebody_else(bench, *card, user_pin);
    ASSERT_NE(other, nullptr);
    work(*other);
    bench.reset(*card);
  }
  TemporaryDirectory directory;
};

TEST_F(Sharing, AForeignResetCostsNothingButALogin) {
  const auto session = user_session();
  const auto key = generate(session).private_key;
  for (int i = 0; i < 3; ++i) {
    bench.reset(*card);
    EXPECT_TRUE(is(sign_once(session, key), CKR_OK));
    EXPECT_EQ(state(session), CKS_RW_USER_FUNCTIONS);
  }
}

TEST_F(Sharing, AForeignLogoutCostsNothingButALogin) {
  const auto session = user_session();
  const auto key = generate(session).private_key;
  other_logs_out();
  EXPECT_TRUE(is(sign_once(session, key), CKR_OK));
}

TEST_F(Sharing, ALoginIsNotRestoredAfterALostTry) {
  const auto session = user_session();
  const auto key = generate(session).private_key;
  other_logs_out();
  bench.foreign(*card, Bytes{0x00, 0x20, 0x00, 0x02, 0x08, 'w', 'r', 'o', 'n', 'g', '0', '0', '0'});
  const auto tries = bench.foreign(*card, Bytes{0x00, 0x20, 0x00, 0x02});
  EXPECT_TRUE(is(sign_once(session, key), CKR_USER_NOT_LOGGED_IN));
  EXPECT_EQ(state(session), CKS_RW_PUBLIC_SESSION);
  EXPECT_EQ(bench.foreign(*card, Bytes{0x00, 0x20, 0x00, 0x02}), tries);
  EXPECT_TRUE(is(login(session), CKR_OK));
}

TEST_F(Sharing, WithoutPinCacheALoginIsNotRestored) {
  const auto path = directory.write("kilt.toml", as_bytes("pin_cache = false\n"));
  ::setenv("KILT_CONFIG", path.c_str(), 1);
  const auto session = user_session();
  const auto key = generate(session).private_key;
  bench.reset(*card);
  EXPECT_TRUE(is(sign_once(session, key), CKR_USER_NOT_LOGGED_IN));
  EXPECT_EQ(state(session), CKS_RW_PUBLIC_SESSION);
}

TEST_F(Sharing, AfterOurLogoutNothingIsRestored) {
  const auto session = user_session();
  const auto key = generate(session).private_key;
  EXPECT_TRUE(is(C_Logout(session), CKR_OK));
  bench.reset(*card);
  EXPECT_TRUE(is(sign_once(session, key), CKR_KEY_HANDLE_INVALID));
  EXPECT_NE(bench.foreign(*card, Bytes{0x00, 0x20, 0x00, 0x02}), 0x9000);
}

TEST_F(Sharing, TransactionsLastOneOperation) {
  const auto session = user_session();
  generate(session);
  EXPECT_FALSE(card->held);
  CK_MECHANISM mechanism{CKM_RSA_PKCS, nullptr, 0};
  const auto keys = find(session, Attributes().number(CKA_CLASS, CKO_PRIVATE_KEY));
  ASSERT_EQ(keys.size(), 1U);
  EXPECT_TRUE(is(C_SignInit(session, &mechanism, keys[0]), CKR_OK));
  EXPECT_FALSE(card->held);
}

TEST_F(Sharing, ObjectsOfOthersAreSeenByTheNextFirstSession) {
  start();
  const auto session = open();
  EXPECT_TRUE(find(session).empty());
  EXPECT_TRUE(is(login(session), CKR_OK));
  generate(session);
  EXPECT_EQ(find(session).size(), 2U);
  EXPECT_TRUE(is(C_CloseSession(session), CKR_OK));
  EXPECT_EQ(find(open()).size(), 1U) << "the public half only";
}

TEST_F(Sharing, ObjectsOfOthersAreSeenByAProgramThatStays) {
  const auto session = user_session();
  const auto mine = generate(session).private_key;
  EXPECT_EQ(find(session).size(), 2U);
  other_program([](card::Card& other) {
    card::GenerateRequest request;
    request.bits = 1024;
    request.id = {0x02};
    request.private_label = request.public_label = "SIGN";
    request.usage.sign = true;
    ASSERT_TRUE(other.generate(request).ok());
  });
  EXPECT_EQ(find(session).size(), 4U);
  const auto theirs =
      find(session, Attributes().number(CKA_CLASS, CKO_PRIVATE_KEY).add(CKA_ID, "\x02"));
  ASSERT_EQ(theirs.size(), 1U);
  EXPECT_TRUE(is(sign_once(session, theirs[0]), CKR_OK));
  EXPECT_TRUE(is(sign_once(session, mine), CKR_OK)) << "its handle stays";
}

TEST_F(Sharing, WhatOthersDeletedIsNotFoundByAProgramThatStays) {
  const auto session = user_session();
  const auto mine = generate(session).private_key;
  EXPECT_EQ(find(session).size(), 2U);
  other_program([](card::Card& other) {
    for (auto all = other.list(); all && !all->keys.empty(); all = other.list())
      ASSERT_TRUE(other.delete_object(all->keys[0].ref).ok());
    for (auto all = other.list(); all && !all->public_keys.empty(); all = other.list())
      ASSERT_TRUE(other.delete_object(all->public_keys[0].ref).ok());
  });
  EXPECT_TRUE(find(session).empty());
  EXPECT_TRUE(is(sign_once(session, mine), CKR_KEY_HANDLE_INVALID));
}

TEST_F(Sharing, ARenewedCertificateIsNotTheOldOne) {
  const auto session = user_session();
  const auto pair = generate(session);
  card::PublicKey key;
  key.modulus = read(session, pair.public_key, CKA_MODULUS);
  key.exponent = read(session, pair.public_key, CKA_PUBLIC_EXPONENT);
  const Bytes old = certificate_for(key, "Owner", 700), fresh = certificate_for(key, "Owner", 900);
  auto from = certificate_template(old, "\x01");
  CK_OBJECT_HANDLE made = 0;
  ASSERT_TRUE(is(C_CreateObject(session, from.data(), from.size(), &made), CKR_OK));
  EXPECT_EQ(read(session, made, CKA_VALUE), old);
  other_program([&](card::Card& other) {
    const auto all = other.list();
    ASSERT_TRUE(all.ok());
    ASSERT_EQ(all->certificates.size(), 1U);
    ASSERT_TRUE(other.delete_object(all->certificates[0].ref).ok());
    ASSERT_TRUE(other.install_certificate({{0x01}, "AUTH"}, fresh).ok());
  });
  const auto found = find(session, Attributes().number(CKA_CLASS, CKO_CERTIFICATE));
  ASSERT_EQ(found.size(), 1U);
  EXPECT_EQ(read(session, found[0], CKA_VALUE), fresh);
}

TEST_F(Sharing, ALoginOfAnotherProgramIsNotOurs) {
  const auto session = user_session();
  generate(session);
  EXPECT_TRUE(is(C_Logout(session), CKR_OK));
  const Bytes right{0x00, 0x20, 0x00, 0x02, 0x08, '1', '2', '3', '4', '5', '6', '7', '8'};
  ASSERT_EQ(bench.foreign(*card, right), 0x9000);
  EXPECT_EQ(state(session), CKS_RW_PUBLIC_SESSION);
  EXPECT_TRUE(find(session, Attributes().number(CKA_CLASS, CKO_PRIVATE_KEY)).empty());
  EXPECT_TRUE(is(login(session, ""), CKR_PIN_INCORRECT));
  EXPECT_TRUE(is(login(session, "99999999"), CKR_PIN_INCORRECT));
  EXPECT_EQ(state(session), CKS_RW_PUBLIC_SESSION);
  EXPECT_TRUE(is(login(session), CKR_OK));
}

// ---- a PIN that another program changed -------------------------------------------------------

class ChangedPin : public Cryptoki, public testing::WithParamInterface<TestCard> {
 protected:
  ChangedPin() {
    card = std::make_shared<BenchCard>(7, false, GetParam().profile);
    bench.insert(reader_a, card);
  }
  [[nodiscard]] std::string theirs() const {
    return GetParam().profile == std::string("kzid") ? "87654321" : "another pin";
  }
  /// What is missing from the counter, or noted as wrong.
  int spent() {
    const auto pin = other->pin_status(card::Role::user);
    EXPECT_TRUE(pin.ok());
    return pin->tries_left ? full - *pin->tries_left : pin->failures;
  }
  void SetUp() override {
    start();
    session = open();
    ASSERT_TRUE(is(login(session, GetParam().user_pin), CKR_OK));
    other = somebody_else(bench, *card, GetParam().user_pin);
    ASSERT_NE(other, nullptr);
    const auto secret = [](std::string_view text) { return SecretBytes::copy_of(as_bytes(text)); };
    const auto changed =
        other->change_pin(card::Role::user, secret(GetParam().user_pin), secret(theirs()));
    ASSERT_TRUE(changed.ok()) << changed.error().message();
    ASSERT_TRUE(other->logout().ok());
    const auto pin = other->pin_status(card::Role::user);
    full = std::max(pin->tries_left.value_or(0), pin->tries_max.value_or(0));
  }
  std::unique_ptr<card::Card> other;
  CK_SESSION_HANDLE session = 0;
  int full = 0;
};

TEST_P(ChangedPin, TheOldOneCostsOneTryAndNotTwo) {
  std::string old = GetParam().user_pin, fresh = theirs();
  EXPECT_TRUE(
      is(C_SetPIN(session, utf8(old), old.size(), utf8(fresh), fresh.size()), CKR_PIN_INCORRECT));
  EXPECT_EQ(spent(), 1);
}

INSTANTIATE_TEST_SUITE_P(All, ChangedPin, testing::ValuesIn(test_cards), name_of_card);

}  // namespace
}  // namespace kilt::test
