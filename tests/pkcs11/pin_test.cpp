// SPDX-License-Identifier: Apache-2.0
// PINs: what a wrong one costs, what is never sent, flags, C_InitToken, C_InitPIN, C_SetPIN.
#include "tests/openssl.hpp"
#include "tests/pkcs11/module_fixture.hpp"

namespace kilt::test {
namespace {

class Pins : public Cryptoki {
 protected:
  /// Tries left as the card tells a stranger; nobody is logged in.
  unsigned tries(std::uint8_t reference = 2) {
    const auto status = bench.foreign(*card, Bytes{0x00, 0x20, 0x00, reference});
    return (status & 0xFFF0) == 0x63C0 ? status & 0xF : 0;
  }
  void spend(unsigned left) {
    Bytes wrong{0x00, 0x20, 0x00, 0x02, 0x08, 'w', 'r', 'o', 'n', 'g', '0', '0', '0'};
    while (tries() > left)
      bench.foreign(*card, wrong);
  }
  void configure(const std::string& text) {
    ::setenv("KILT_CONFIG", directory.write("kilt.toml", as_bytes(text)).c_str(), 1);
  }
  static CK_RV set_pin(CK_SESSION_HANDLE session, const std::string& from, const std::string& to) {
    return C_SetPIN(session, utf8(from), from.size(), utf8(to), to.size());
  }
  CK_RV init_token(const std::string& pin, std::string label = "a new label") {
    label.resize(32, ' ');
    return C_InitToken(slot_of(reader_a), utf8(pin), pin.size(), utf8(label));
  }
  TemporaryDirectory directory;
};

TEST_F(Pins, AWrongOneCostsOneTry) {
  start();
  const auto session = open();
  const auto full = tries();
  EXPECT_TRUE(is(login(session, "99999999"), CKR_PIN_INCORRECT));
  EXPECT_EQ(tries(), full - 1);
  EXPECT_TRUE(token_flags() & CKF_USER_PIN_COUNT_LOW);
  EXPECT_FALSE(token_flags() & CKF_USER_PIN_FINAL_TRY);
  EXPECT_TRUE(is(login(session), CKR_OK));
  EXPECT_FALSE(token_flags() & CKF_USER_PIN_COUNT_LOW);
  EXPECT_TRUE(is(C_Logout(session), CKR_OK));
  EXPECT_EQ(tries(), full);
}

TEST_F(Pins, WhatCannotBeRightIsNotSent) {
  start();
  const auto session = open();
  const auto full = tries();
  EXPECT_TRUE(is(login(session, ""), CKR_PIN_INCORRECT));
  EXPECT_TRUE(is(login(session, "1"), CKR_PIN_INCORRECT));
  EXPECT_TRUE(is(login(session, std::string(100, '1')), CKR_PIN_INCORRECT));
  EXPECT_TRUE(is(login(session, std::string(10000, '1')), CKR_PIN_INCORRECT));
  EXPECT_TRUE(is(C_Login(session, CKU_USER, nullptr, 0), CKR_ARGUMENTS_BAD));
  EXPECT_EQ(tries(), full);
}

TEST_F(Pins, TheLastTryIsKept) {
  start();
  const auto session = open();
  spend(1);
  EXPECT_TRUE(token_flags() & CKF_USER_PIN_FINAL_TRY);
  EXPECT_TRUE(is(login(session, "99999999"), CKR_FUNCTION_FAILED));
  EXPECT_TRUE(is(login(session), CKR_FUNCTION_FAILED)) << "the right one as well: nobody knows";
  EXPECT_TRUE(is(set_pin(session, "99999999", "another-pin"), CKR_FUNCTION_FAILED));
  EXPECT_EQ(tries(), 1U);
  EXPECT_FALSE(token_flags() & CKF_USER_PIN_LOCKED);
}

TEST_F(Pins, TheLastTryIsSpentWhereTheConfigurationSaysSo) {
  configure("spend_last_try = true\n");
  start();
  const auto session = open();
  spend(1);
  EXPECT_TRUE(is(login(session), CKR_OK));
  EXPECT_TRUE(is(C_Logout(session), CKR_OK));
  spend(1);
  const CK_RV last = login(session, "99999999");
  EXPECT_TRUE(last == CKR_PIN_INCORRECT || last == CKR_PIN_LOCKED);
  const auto flags = token_flags();
  EXPECT_TRUE(flags & CKF_USER_PIN_LOCKED);
  EXPECT_FALSE(flags & CKF_USER_PIN_FINAL_TRY);
  EXPECT_TRUE(is(login(session), CKR_PIN_LOCKED));
}

TEST_F(Pins, FlagsFollowWhatOthersSpend) {
  start();
  static_cast<void>(open());
  EXPECT_FALSE(token_flags() & CKF_USER_PIN_COUNT_LOW);
  spend(2);
  EXPECT_EQ(token_flags() & (CKF_USER_PIN_COUNT_LOW | CKF_USER_PIN_FINAL_TRY | CKF_USER_PIN_LOCKED),
            CKF_USER_PIN_COUNT_LOW);
  spend(0);
  EXPECT_EQ(token_flags() & (CKF_USER_PIN_FINAL_TRY | CKF_USER_PIN_LOCKED), CKF_USER_PIN_LOCKED);
}

TEST_F(Pins, TheMakersPinIsToBeChanged) {
  const auto session = user_session();
  EXPECT_TRUE(token_flags() & CKF_USER_PIN_TO_BE_CHANGED);
  EXPECT_TRUE(is(set_pin(session, user_pin, "my own pin"), CKR_OK));
  EXPECT_FALSE(token_flags() & CKF_USER_PIN_TO_BE_CHANGED);
  EXPECT_EQ(state(session), CKS_RW_USER_FUNCTIONS);
  EXPECT_TRUE(is(C_Logout(session), CKR_OK));
  EXPECT_TRUE(is(login(session), CKR_PIN_INCORRECT));
  EXPECT_TRUE(is(login(session, "my own pin"), CKR_OK));
}

TEST_F(Pins, AreChangedWithoutALoginAndLeaveNone) {
  start();
  const auto session = open();
  EXPECT_TRUE(is(set_pin(session, "99999999", "my own pin"), CKR_PIN_INCORRECT));
  EXPECT_TRUE(is(set_pin(session, user_pin, "1"), CKR_PIN_LEN_RANGE));
  EXPECT_TRUE(is(set_pin(session, user_pin, "my own pin"), CKR_OK));
  EXPECT_EQ(state(session), CKS_RW_PUBLIC_SESSION);
  EXPECT_NE(tries(), 0U) << "logged in";
  EXPECT_TRUE(is(C_SetPIN(session, nullptr, 0, nullptr, 0), CKR_ARGUMENTS_BAD));
  const auto reader = open(false);
  EXPECT_TRUE(is(set_pin(reader, "my own pin", user_pin), CKR_SESSION_READ_ONLY));
}

TEST_F(Pins, ASecurityOfficerChangesTheirOwn) {
  start();
  const auto session = open();
  EXPECT_TRUE(is(login(session, officer_pin, CKU_SO), CKR_OK));
  EXPECT_TRUE(token_flags() & CKF_SO_PIN_TO_BE_CHANGED);
  EXPECT_TRUE(is(set_pin(session, officer_pin, "officers pin"), CKR_OK));
  EXPECT_EQ(state(session), CKS_RW_SO_FUNCTIONS);
  EXPECT_TRUE(is(C_Logout(session), CKR_OK));
  EXPECT_TRUE(is(login(session, officer_pin, CKU_SO), CKR_PIN_INCORRECT));
  EXPECT_TRUE(is(login(session, "officers pin", CKU_SO), CKR_OK));
}

TEST_F(Pins, OfTheUserAreSetByTheSecurityOfficer) {
  start();
  const auto session = open();
  const std::string fresh = "fresh pin";
  EXPECT_TRUE(is(C_InitPIN(session, utf8(fresh), fresh.size()), CKR_USER_NOT_LOGGED_IN));
  spend(0);
  EXPECT_TRUE(is(login(session), CKR_PIN_LOCKED));
  EXPECT_TRUE(is(login(session, officer_pin, CKU_SO), CKR_OK));
  EXPECT_TRUE(is(C_InitPIN(session, nullptr, 0), CKR_ARGUMENTS_BAD));
  EXPECT_TRUE(is(C_InitPIN(session, utf8("1"), 1), CKR_PIN_LEN_RANGE));
  EXPECT_TRUE(is(C_InitPIN(session, utf8(fresh), fresh.size()), CKR_OK));
  EXPECT_TRUE(is(C_Logout(session), CKR_OK));
  EXPECT_TRUE(is(login(session, fresh), CKR_OK));
}

TEST_F(Pins, ABlockedOneIsUnblockedBySetPinWithTheOfficersPin) {
  start();
  const auto session = open();
  spend(0);
  const auto officer_tries = tries(1);
  // What is not the officer's PIN costs one of its tries, and not one more: a program that repeats
  // the user's PIN must not block the officer's as well.
  for (int i = 0; i < 3; ++i)
    EXPECT_TRUE(is(set_pin(session, "not officer", "fresh pin"), CKR_PIN_LOCKED));
  EXPECT_EQ(tries(1), officer_tries - 1);
  bench.pull(reader_a);
  bench.insert(reader_a, card);
  const auto again = open();
  EXPECT_TRUE(is(set_pin(again, officer_pin, "fresh pin"), CKR_OK));
  EXPECT_EQ(state(again), CKS_RW_PUBLIC_SESSION);
  EXPECT_TRUE(is(login(again, "fresh pin"), CKR_OK));
}

TEST_F(Pins, ProgramsThatRepeatAUsersPinLeaveTheOfficerTriesEnough) {
  spend(0);
  for (int process = 0; process < 12; ++process) {
    start();
    EXPECT_TRUE(is(set_pin(open(), user_pin, "fresh pin"), CKR_PIN_LOCKED));
    EXPECT_TRUE(is(C_Finalize(nullptr), CKR_OK));
  }
  EXPECT_EQ(tries(1), 3U);
}

TEST_F(Pins, AFailedLogoutLeavesNoLoginBehind) {
  const auto session = user_session();
  card->fail_next = 0x40;
  EXPECT_TRUE(is(C_Logout(session), CKR_DEVICE_ERROR));
  EXPECT_TRUE(is(C_Finalize(nullptr), CKR_OK));
  EXPECT_NE(bench.foreign(*card, Bytes{0x00, 0x20, 0x00, 0x02}), 0x9000);
}

TEST_F(Pins, AWrongOldOneDoesNotEndTheLogin) {
  const auto session = user_session();
  const auto key = generate(session).private_key;
  EXPECT_TRUE(is(set_pin(session, "not the PIN", "fresh pin"), CKR_PIN_INCORRECT));
  EXPECT_EQ(state(session), CKS_RW_USER_FUNCTIONS);
  EXPECT_TRUE(is(sign_once(session, key), CKR_OK));
}

TEST_F(Pins, InitTokenWithAWrongPinLeavesEverything) {
  const auto session = user_session();
  generate(session);
  EXPECT_TRUE(is(init_token(officer_pin), CKR_SESSION_EXISTS));
  EXPECT_TRUE(is(C_CloseSession(session), CKR_OK));
  EXPECT_TRUE(is(init_token("99999999"), CKR_PIN_INCORRECT));
  EXPECT_TRUE(is(C_InitToken(slot_of(reader_a), nullptr, 0, utf8(std::string(32, ' '))),
                 CKR_ARGUMENTS_BAD));
  const auto again = open();
  EXPECT_TRUE(is(login(again), CKR_OK));
  EXPECT_EQ(find(again).size(), 2U);
}

TEST_F(Pins, InitTokenErasesAndNames) {
  const auto session = user_session();
  const auto pair = generate(session);
  EXPECT_TRUE(is(C_CloseSession(session), CKR_OK));
  ASSERT_TRUE(is(init_token(officer_pin), CKR_OK));
  CK_TOKEN_INFO info{};
  ASSERT_TRUE(is(C_GetTokenInfo(slot_of(reader_a), &info), CKR_OK));
  EXPECT_EQ(std::string(info.label, info.label + 12), "a new label ");
  EXPECT_FALSE(info.flags & CKF_USER_PIN_INITIALIZED);
  const auto again = open();
  EXPECT_TRUE(is(login(again), CKR_USER_PIN_NOT_INITIALIZED));
  EXPECT_TRUE(is(login(again, officer_pin, CKU_SO), CKR_OK));
  EXPECT_TRUE(is(C_InitPIN(again, utf8("fresh pin"), 9), CKR_OK));
  EXPECT_TRUE(is(C_Logout(again), CKR_OK));
  EXPECT_TRUE(is(login(again, "fresh pin"), CKR_OK));
  EXPECT_TRUE(find(again).empty());
  CK_ULONG size = 0;
  EXPECT_TRUE(is(C_GetObjectSize(again, pair.public_key, &size), CKR_OBJECT_HANDLE_INVALID));
}

TEST_F(Pins, ABlankTokenTakesTheFirstOfficersPin) {
  card = std::make_shared<BenchCard>(9, true);
  bench.insert(reader_a, card);
  start();
  ASSERT_TRUE(is(init_token("first officer"), CKR_OK));
  const auto session = open();
  EXPECT_TRUE(is(login(session, "first officer", CKU_SO), CKR_OK));
}

}  // namespace
}  // namespace kilt::test
