// SPDX-License-Identifier: Apache-2.0
// Sessions and logins as states [P11 3.1 §5.6].
#include "tests/pkcs11/module_fixture.hpp"

namespace kilt::test {
namespace {

using Sessions = Cryptoki;

TEST_F(Sessions, MustBeSerialAndOnAToken) {
  start();
  const auto slot = slot_of(reader_a);
  CK_SESSION_HANDLE session = 0;
  EXPECT_TRUE(is(C_OpenSession(slot, CKF_RW_SESSION, nullptr, nullptr, &session),
                 CKR_SESSION_PARALLEL_NOT_SUPPORTED));
  EXPECT_TRUE(
      is(C_OpenSession(99, CKF_SERIAL_SESSION, nullptr, nullptr, &session), CKR_SLOT_ID_INVALID));
  EXPECT_TRUE(
      is(C_OpenSession(slot, CKF_SERIAL_SESSION, nullptr, nullptr, nullptr), CKR_ARGUMENTS_BAD));
  bench.pull(reader_a);
  EXPECT_TRUE(is(C_OpenSession(slot, CKF_SERIAL_SESSION, nullptr, nullptr, &session),
                 CKR_TOKEN_NOT_PRESENT));
}

TEST_F(Sessions, ShareOneLogin) {
  start();
  const auto writer = open(true), reader = open(false);
  EXPECT_EQ(state(writer), CKS_RW_PUBLIC_SESSION);
  EXPECT_EQ(state(reader), CKS_RO_PUBLIC_SESSION);
  EXPECT_TRUE(is(login(reader), CKR_OK));
  EXPECT_EQ(state(writer), CKS_RW_USER_FUNCTIONS);
  EXPECT_EQ(state(reader), CKS_RO_USER_FUNCTIONS);
  EXPECT_TRUE(is(login(writer), CKR_USER_ALREADY_LOGGED_IN));
  EXPECT_TRUE(is(login(writer, officer_pin, CKU_SO), CKR_USER_ANOTHER_ALREADY_LOGGED_IN));
  EXPECT_TRUE(is(C_Logout(writer), CKR_OK));
  EXPECT_EQ(state(reader), CKS_RO_PUBLIC_SESSION);
  EXPECT_TRUE(is(C_Logout(writer), CKR_USER_NOT_LOGGED_IN));
}

TEST_F(Sessions, OfASecurityOfficerAreNeverReadOnly) {
  start();
  const auto reader = open(false);
  const auto writer = open(true);
  EXPECT_TRUE(is(login(writer, officer_pin, CKU_SO), CKR_SESSION_READ_ONLY_EXISTS));
  EXPECT_TRUE(is(C_CloseSession(reader), CKR_OK));
  EXPECT_TRUE(is(login(writer, officer_pin, CKU_SO), CKR_OK));
  EXPECT_EQ(state(writer), CKS_RW_SO_FUNCTIONS);
  CK_SESSION_HANDLE session = 0;
  EXPECT_TRUE(is(C_OpenSession(slot_of(reader_a), CKF_SERIAL_SESSION, nullptr, nullptr, &session),
                 CKR_SESSION_READ_WRITE_SO_EXISTS));
  EXPECT_TRUE(is(login(writer), CKR_USER_ANOTHER_ALREADY_LOGGED_IN));
}

TEST_F(Sessions, RefuseUsersThatDoNotExist) {
  start();
  const auto session = open();
  EXPECT_TRUE(is(login(session, user_pin, 77), CKR_USER_TYPE_INVALID));
  EXPECT_TRUE(is(login(session, user_pin, CKU_CONTEXT_SPECIFIC), CKR_OPERATION_NOT_INITIALIZED));
  EXPECT_TRUE(is(login(77, user_pin), CKR_SESSION_HANDLE_INVALID));
}

TEST_F(Sessions, AUserHasNoName) {
  start();
  const auto session = open();
  const std::string name = "somebody";
  EXPECT_TRUE(
      is(C_LoginUser(session, CKU_USER, utf8(user_pin), user_pin.size(), utf8(name), name.size()),
         CKR_ARGUMENTS_BAD));
  EXPECT_EQ(state(session), CKS_RW_PUBLIC_SESSION);
  EXPECT_TRUE(
      is(C_LoginUser(session, CKU_USER, utf8(user_pin), user_pin.size(), nullptr, 0), CKR_OK));
  EXPECT_EQ(state(session), CKS_RW_USER_FUNCTIONS);
}

TEST_F(Sessions, APinThatIsNotThereNeedsKeysOnTheReader) {
  start();
  const auto session = open();
  EXPECT_TRUE(is(C_Login(session, CKU_USER, nullptr, 0), CKR_ARGUMENTS_BAD));
  EXPECT_EQ(token_flags() & CKF_PROTECTED_AUTHENTICATION_PATH, 0U);
  // An empty PIN is a PIN, and a wrong one: it is not sent.
  CK_UTF8CHAR nothing[1] = {0};
  EXPECT_TRUE(is(C_Login(session, CKU_USER, nothing, 0), CKR_PIN_INCORRECT));
}

TEST_F(Sessions, TheLastOneLogsOut) {
  const auto first = user_session();
  const auto second = open(false);
  EXPECT_TRUE(is(C_CloseSession(first), CKR_OK));
  EXPECT_EQ(state(second), CKS_RO_USER_FUNCTIONS);
  EXPECT_TRUE(is(C_CloseSession(second), CKR_OK));
  EXPECT_TRUE(is(C_CloseSession(second), CKR_SESSION_HANDLE_INVALID));
  EXPECT_NE(bench.foreign(*card, Bytes{0x00, 0x20, 0x00, 0x02}), 0x9000);
  EXPECT_EQ(state(open()), CKS_RW_PUBLIC_SESSION);
}

TEST_F(Sessions, AreClosedTogetherPerSlot) {
  const auto first = user_session();
  bench.insert(reader_b, std::make_shared<BenchCard>(9));
  const auto other = open(true, reader_b);
  EXPECT_TRUE(is(C_CloseAllSessions(slot_of(reader_a)), CKR_OK));
  EXPECT_TRUE(is(C_CloseSession(first), CKR_SESSION_HANDLE_INVALID));
  EXPECT_EQ(state(other), CKS_RW_PUBLIC_SESSION);
  EXPECT_TRUE(is(C_CloseAllSessions(99), CKR_SLOT_ID_INVALID));
  EXPECT_NE(bench.foreign(*card, Bytes{0x00, 0x20, 0x00, 0x02}), 0x9000);
}

TEST_F(Sessions, TellThemselvesWithoutTheCard) {
  const auto session = user_session();
  const auto before = card->exchanges;
  CK_SESSION_INFO info{};
  ASSERT_TRUE(is(C_GetSessionInfo(session, &info), CKR_OK));
  EXPECT_EQ(info.slotID, slot_of(reader_a));
  EXPECT_EQ(info.flags, CKF_SERIAL_SESSION | CKF_RW_SESSION);
  EXPECT_EQ(card->exchanges, before);
  EXPECT_TRUE(is(C_GetSessionInfo(session, nullptr), CKR_ARGUMENTS_BAD));
  EXPECT_TRUE(is(C_GetSessionInfo(session + 50, &info), CKR_SESSION_HANDLE_INVALID));
}

TEST_F(Sessions, WhatIsNotThereSaysSo) {
  start();
  const auto session = open();
  CK_ULONG size = 0;
  CK_BYTE byte = 0;
  CK_OBJECT_HANDLE object = 0;
  CK_MECHANISM mechanism{CKM_AES_KEY_GEN, nullptr, 0};
  EXPECT_TRUE(is(C_GetOperationState(session, nullptr, &size), CKR_FUNCTION_NOT_SUPPORTED));
  EXPECT_TRUE(
      is(C_GenerateKey(session, &mechanism, nullptr, 0, &object), CKR_FUNCTION_NOT_SUPPORTED));
  EXPECT_TRUE(is(C_WrapKey(session, &mechanism, 1, 1, &byte, &size), CKR_FUNCTION_NOT_SUPPORTED));
  EXPECT_TRUE(is(C_MessageSignInit(session, &mechanism, 1), CKR_FUNCTION_NOT_SUPPORTED));
  EXPECT_TRUE(is(C_GetFunctionStatus(session), CKR_FUNCTION_NOT_PARALLEL));
  EXPECT_TRUE(is(C_CancelFunction(session), CKR_FUNCTION_NOT_PARALLEL));
  EXPECT_TRUE(is(C_SeedRandom(session, &byte, 1), CKR_RANDOM_SEED_NOT_SUPPORTED));
}

TEST_F(Sessions, GiveRandomNumbersOfAnyLength) {
  start();
  const auto session = open();
  for (const std::size_t size :
       {std::size_t{0}, std::size_t{1}, std::size_t{33}, std::size_t{5000}}) {
    Bytes one(size), other(size);
    EXPECT_TRUE(is(C_GenerateRandom(session, one.data(), size), CKR_OK)) << size;
    EXPECT_TRUE(is(C_GenerateRandom(session, other.data(), size), CKR_OK)) << size;
    EXPECT_TRUE(size <= 8 || one != other);
  }
  EXPECT_TRUE(is(C_GenerateRandom(session, nullptr, 8), CKR_ARGUMENTS_BAD));
}

}  // namespace
}  // namespace kilt::test
