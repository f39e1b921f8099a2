// SPDX-License-Identifier: Apache-2.0
// Sessions on cards unlike Kaztoken: a PIN before every use, counters that nobody tells, no
// security officer, and answers that make no sense.
#include <gtest/gtest.h>

#include "pkcs11/function.hpp"
#include "pkcs11/session.hpp"
#include "tests/pkcs11/fake_card.hpp"

namespace kilt::test {
namespace {

using p11::Output;
using p11::Template;
using p11::Use;

::testing::AssertionResult is(CK_RV got, CK_RV wanted) {
  if (got == wanted) return ::testing::AssertionSuccess();
  return ::testing::AssertionFailure()
         << p11::name_of_code(got) << " instead of " << p11::name_of_code(wanted);
}

class OtherCards : public ::testing::Test {
 protected:
  OtherCards() {
    card::Capability rsa;
    rsa.min_bits = 1024;
    rsa.max_bits = 2048;
    rsa.bits_step = 1024;
    rsa.generate = true;
    rsa.sign = rsa.decrypt = {card::Scheme::rsa_pkcs1, card::Scheme::rsa_raw};
    state->model.name = "FAKE";
    state->model.capabilities = {rsa};
    card::KeyInfo key;
    key.ref = {card::ObjectClass::private_key, 1};
    key.label = "key";
    key.id = {1};
    key.bits = 1024;
    key.usage.sign = key.usage.decrypt = true;
    state->directory.keys = {key};
    state->tries = 3;
  }
  void start(p11::PinPolicy policy = {}) {
    token = std::make_shared<p11::Token>(std::make_unique<FakeCard>(state), policy, p11::Locking{},
                                         1, handles);
    ASSERT_TRUE(is(token->enter(true), CKR_OK));
    session = std::make_unique<p11::Session>(1, 0, token, true, p11::Locking{});
  }
  CK_RV login(const std::string& pin, CK_USER_TYPE type = CKU_USER) {
    const auto secret = SecretBytes::copy_of(as_bytes(pin));
    return session->login(type, &secret);
  }
  CK_OBJECT_HANDLE key(CK_OBJECT_CLASS object_class = CKO_PRIVATE_KEY) {
    auto found = token->with_objects([&](p11::ObjectStore& objects) {
      const CK_ATTRIBUTE its_class{CKA_CLASS, &object_class, sizeof object_class};
      Template wanted;
      EXPECT_TRUE(is(Template::read(&its_class, 1, wanted), CKR_OK));
      return objects.search(wanted);
    });
    EXPECT_TRUE(found.ok());
    return found && !found->empty() ? found->front() : 0;
  }
  CK_RV sign(CK_OBJECT_HANDLE key) {
    CK_MECHANISM mechanism{CKM_RSA_PKCS, nullptr, 0};
    if (const CK_RV rv = session->begin(Use::sign, &mechanism, key); rv != CKR_OK) return rv;
    return finish_signing();
  }
  CK_RV finish_signing() {
    CK_BYTE room[256];
    CK_ULONG size = sizeof room;
    const Bytes message{1, 2, 3};
    return session->sign(message, Output(room, &size));
  }

  std::shared_ptr<FakeState> state = std::make_shared<FakeState>();
  std::atomic<CK_ULONG> handles{1};
  std::shared_ptr<p11::Token> token;
  std::unique_ptr<p11::Session> session;
};

TEST_F(OtherCards, APinBeforeEveryUse) {
  state->directory.keys[0].always_authenticate = true;
  start();
  ASSERT_TRUE(is(login("1234"), CKR_OK));
  const auto handle = key();
  EXPECT_TRUE(is(sign(handle), CKR_USER_NOT_LOGGED_IN));
  EXPECT_TRUE(is(finish_signing(), CKR_OPERATION_NOT_INITIALIZED)) << "a failure ends it";
  for (int i = 0; i < 2; ++i) {
    CK_MECHANISM mechanism{CKM_RSA_PKCS, nullptr, 0};
    ASSERT_TRUE(is(session->begin(Use::sign, &mechanism, handle), CKR_OK));
    EXPECT_TRUE(is(login("1234", CKU_CONTEXT_SPECIFIC), CKR_OK));
    EXPECT_TRUE(is(finish_signing(), CKR_OK));
  }
  EXPECT_EQ(state->logins, 3U);
}

TEST_F(OtherCards, WhereNobodyTellsTheCounterTwoFailuresAreEnough) {
  state->tries.reset();
  start();
  const auto flags = [&] {
    CK_TOKEN_INFO info{};
    EXPECT_TRUE(is(token->info(info), CKR_OK));
    return info.flags & (CKF_USER_PIN_COUNT_LOW | CKF_USER_PIN_FINAL_TRY);
  };
  EXPECT_EQ(flags(), 0U);
  // A slip, and right.
  EXPECT_TRUE(is(login("0000"), CKR_PIN_INCORRECT));
  EXPECT_EQ(flags(), CKF_USER_PIN_COUNT_LOW | CKF_USER_PIN_FINAL_TRY);
  EXPECT_TRUE(is(login("1234"), CKR_OK));
  EXPECT_EQ(flags(), 0U);
  EXPECT_TRUE(is(session->logout(), CKR_OK));
  // Two wrong ones, and nothing is sent any more.
  EXPECT_TRUE(is(login("0000"), CKR_PIN_INCORRECT));
  EXPECT_TRUE(is(login("0000"), CKR_PIN_INCORRECT));
  EXPECT_TRUE(is(login("0000"), CKR_FUNCTION_FAILED));
  EXPECT_TRUE(is(login("1234"), CKR_FUNCTION_FAILED));
  EXPECT_EQ(state->logins, 4U);
  EXPECT_EQ(flags(), CKF_USER_PIN_COUNT_LOW | CKF_USER_PIN_FINAL_TRY);
  start({true, true});
  EXPECT_TRUE(is(login("0000"), CKR_PIN_INCORRECT));
  EXPECT_TRUE(is(login("1234"), CKR_OK));
}

TEST_F(OtherCards, WhereNobodyTellsTheCounterOtherProcessesCountToo) {
  state->tries.reset();
  state->failures = 3;
  start();
  EXPECT_TRUE(is(login("1234"), CKR_OK)) << "a person may still be right";
  EXPECT_TRUE(is(session->logout(), CKR_OK));
  state->failures = 4;
  EXPECT_TRUE(is(login("1234"), CKR_FUNCTION_FAILED));
  EXPECT_EQ(state->logins, 1U);
  start({true, true});
  EXPECT_TRUE(is(login("1234"), CKR_OK));
}

TEST_F(OtherCards, NobodyLogsInWithoutASession) {
  start();
  token->leave(1, true);  // closed by another thread when the PIN was on its way
  EXPECT_TRUE(is(login("1234"), CKR_SESSION_HANDLE_INVALID));
  EXPECT_EQ(state->logins, 0U);
  ASSERT_TRUE(is(token->enter(true), CKR_OK));
}

TEST_F(OtherCards, AChangeOfAPinWhoseEndNobodyKnowsSendsNoneAgain) {
  const auto change = [&](std::string_view old = "1234") {
    return session->set_pin(SecretBytes::copy_of(as_bytes(old)),
                            SecretBytes::copy_of(as_bytes("5678")));
  };
  start();
  ASSERT_TRUE(is(login("1234"), CKR_OK));
  // A wrong old PIN: that on the card is what it was, and so is the login.
  state->failure = Error{ErrorKind::pin_incorrect, "wrong", 0x63C2};
  state->logged_in = false;
  EXPECT_TRUE(is(change("9999"), CKR_PIN_INCORRECT));
  EXPECT_EQ(state->logins, 2U);
  EXPECT_EQ(token->role(), card::Role::user);
  state->failure = Error{ErrorKind::protocol, "an answer that makes no sense"};
  state->logged_in = false;
  EXPECT_TRUE(is(change(), CKR_DEVICE_ERROR));
  EXPECT_EQ(state->logins, 2U) << "the old PIN may be a wrong one by now";
  EXPECT_EQ(token->role(), std::nullopt);
}

TEST_F(OtherCards, AContextPinThatIsWrongDoesNotEndTheLogin) {
  state->directory.keys[0].always_authenticate = true;
  start();
  ASSERT_TRUE(is(login("1234"), CKR_OK));
  const auto handle = key();
  CK_MECHANISM mechanism{CKM_RSA_PKCS, nullptr, 0};
  ASSERT_TRUE(is(session->begin(Use::sign, &mechanism, handle), CKR_OK));
  EXPECT_TRUE(is(login("0000", CKU_CONTEXT_SPECIFIC), CKR_PIN_INCORRECT));
  EXPECT_TRUE(is(login("1234", CKU_CONTEXT_SPECIFIC), CKR_OK));
  EXPECT_TRUE(is(finish_signing(), CKR_OK));
}

TEST_F(OtherCards, WhereNobodyTellsTheCounterALoginReturnsAtTheRiskOfOneTry) {
  // An eToken resets with every program that ends [facts etoken §5.4: stop after one 6300].
  start();
  ASSERT_TRUE(is(login("1234"), CKR_OK));
  const auto handle = key();
  state->tries.reset();
  state->login_lost = true;
  state->logged_in = false;
  EXPECT_TRUE(is(sign(handle), CKR_OK));
  EXPECT_EQ(state->logins, 2U);
  // The PIN is another one now: one try, and not one more.
  state->pin = "another";
  state->login_lost = true;
  state->logged_in = false;
  EXPECT_TRUE(is(sign(handle), CKR_USER_NOT_LOGGED_IN));
  EXPECT_EQ(state->logins, 3U);
  EXPECT_FALSE(token->role().has_value());
  EXPECT_TRUE(is(sign(handle), CKR_KEY_HANDLE_INVALID));
  EXPECT_EQ(state->logins, 3U);
}

TEST_F(OtherCards, APinThatChangedMeanwhileCostsOneTry) {
  state->tries = 10;
  start();
  ASSERT_TRUE(is(login("1234"), CKR_OK));
  const auto handle = key();
  state->pin = "another";
  state->login_lost = true;
  state->logged_in = false;
  EXPECT_TRUE(is(sign(handle), CKR_USER_NOT_LOGGED_IN));
  EXPECT_TRUE(is(sign(handle), CKR_KEY_HANDLE_INVALID));
  EXPECT_EQ(state->tries, 9);
}

TEST_F(OtherCards, WithoutASecurityOfficer) {
  state->model.has_so = false;
  start();
  EXPECT_TRUE(is(login("1234", CKU_SO), CKR_USER_TYPE_INVALID));
  EXPECT_EQ(state->logins, 0U);
  CK_TOKEN_INFO info{};
  ASSERT_TRUE(is(token->info(info), CKR_OK));
  EXPECT_FALSE(info.flags & (CKF_SO_PIN_COUNT_LOW | CKF_SO_PIN_LOCKED));
  EXPECT_EQ(std::string(info.serialNumber, info.serialNumber + 16), "2233445566778899")
      << "the end tells devices apart";
  EXPECT_EQ(std::string(info.label, info.label + 32), "a label of more than thirty-two ");
}

TEST_F(OtherCards, WhoseAttributesAreFixed) {
  state->model.can_set_attributes = false;
  start();
  ASSERT_TRUE(is(login("1234"), CKR_OK));
  CK_BYTE label[] = {'x'};
  CK_ATTRIBUTE attribute{CKA_LABEL, label, 1};
  Template change;
  ASSERT_TRUE(is(Template::read(&attribute, 1, change), CKR_OK));
  EXPECT_TRUE(is(session->set_attributes(key(), change), CKR_ACTION_PROHIBITED));
  CK_BBOOL modifiable = CK_TRUE;
  attribute = {CKA_MODIFIABLE, &modifiable, 1};
  EXPECT_TRUE(is(session->get_attributes(key(), &attribute, 1), CKR_OK));
  EXPECT_EQ(modifiable, CK_FALSE);
}

TEST_F(OtherCards, ThatAreFull) {
  start();
  ASSERT_TRUE(is(login("1234"), CKR_OK));
  state->failure = Error{ErrorKind::no_space, "the card is full", 0x6A84};
  CK_MECHANISM mechanism{CKM_RSA_PKCS_KEY_PAIR_GEN, nullptr, 0};
  CK_ULONG bits = 1024;
  CK_ATTRIBUTE attribute{CKA_MODULUS_BITS, &bits, sizeof bits};
  Template half, none;
  ASSERT_TRUE(is(Template::read(&attribute, 1, half), CKR_OK));
  CK_OBJECT_HANDLE one = 0, other = 0;
  EXPECT_TRUE(is(session->generate(&mechanism, half, none, one, other), CKR_DEVICE_MEMORY));
}

TEST_F(OtherCards, ThatAnswerNonsense) {
  card::CertificateInfo broken;
  broken.ref = {card::ObjectClass::certificate, 2};
  broken.label = "broken";
  broken.id = {1};
  state->directory.certificates = {broken};
  start();
  // A certificate that is none is still an object, of octets.
  const auto handle = key(CKO_CERTIFICATE);
  ASSERT_NE(handle, 0U);
  CK_BYTE room[16];
  CK_ATTRIBUTE list[] = {{CKA_VALUE, room, sizeof room}, {CKA_SUBJECT, nullptr, 0}};
  EXPECT_TRUE(is(session->get_attributes(handle, list, 2), CKR_OK));
  EXPECT_EQ(list[0].ulValueLen, 3U);
  EXPECT_EQ(list[1].ulValueLen, 0U);
  CK_ATTRIBUTE subject{CKA_SUBJECT, room, 3};
  Template wanted;
  ASSERT_TRUE(is(Template::read(&subject, 1, wanted), CKR_OK));
  EXPECT_TRUE(is(session->find_begin(wanted), CKR_OK));
  state->random_short_by = 1;
  EXPECT_TRUE(is(session->random(room, 8), CKR_DEVICE_ERROR));
  state->failure = Error{ErrorKind::unsupported, "no random numbers"};
  EXPECT_TRUE(is(session->random(room, 8), CKR_RANDOM_NO_RNG));
}

TEST_F(OtherCards, ASignatureOfAnotherLengthIsNone) {
  start();
  ASSERT_TRUE(is(login("1234"), CKR_OK));
  const auto handle = key();
  for (const std::size_t size : {0, 127, 129, 4000}) {
    state->signature_size = size;
    EXPECT_TRUE(is(sign(handle), CKR_DEVICE_ERROR)) << size;
  }
  state->signature_size = 128;
  EXPECT_TRUE(is(sign(handle), CKR_OK));
}

}  // namespace
}  // namespace kilt::test
