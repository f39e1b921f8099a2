// SPDX-License-Identifier: Apache-2.0
// The card is pulled: before every kind of call, and at every exchange of a workflow. Another token
// in the same slot never answers for the old one.
#include "tests/pkcs11/module_fixture.hpp"

namespace kilt::test {
namespace {

using Removal = Cryptoki;

/// A call on a session with a token that was taken out, and with a key of it.
struct CallOnDeadToken {
  const char* name;
  CK_RV (*call)(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE key);
  /// Brings the session where the call makes sense, while the token is still in.
  void (*prepare)(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE key) = nullptr;
};

CK_MECHANISM signing{CKM_SHA256_RSA_PKCS, nullptr, 0};
CK_MECHANISM decrypting{CKM_RSA_PKCS, nullptr, 0};
CK_MECHANISM digesting{CKM_SHA256, nullptr, 0};

void begin_signing(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE key) {
  ASSERT_TRUE(is(C_SignInit(session, &signing, key), CKR_OK));
}
void begin_parts(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE key) {
  begin_signing(session, key);
  CK_BYTE byte = 0;
  ASSERT_TRUE(is(C_SignUpdate(session, &byte, 1), CKR_OK));
}
void begin_decrypting(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE key) {
  ASSERT_TRUE(is(C_DecryptInit(session, &decrypting, key), CKR_OK));
}

const CallOnDeadToken calls[] = {
    {"C_GetSessionInfo",
     [](CK_SESSION_HANDLE session, CK_OBJECT_HANDLE) {
       CK_SESSION_INFO info{};
       return C_GetSessionInfo(session, &info);
     }},
    {"C_Login",
     [](CK_SESSION_HANDLE session, CK_OBJECT_HANDLE) {
       return C_Login(session, CKU_USER, utf8(user_pin), user_pin.size());
     }},
    {"C_Logout", [](CK_SESSION_HANDLE session, CK_OBJECT_HANDLE) { return C_Logout(session); }},
    {"C_SetPIN",
     [](CK_SESSION_HANDLE session, CK_OBJECT_HANDLE) {
       return C_SetPIN(session, utf8(user_pin), user_pin.size(), utf8(user_pin), user_pin.size());
     }},
    {"C_InitPIN",
     [](CK_SESSION_HANDLE session, CK_OBJECT_HANDLE) {
       return C_InitPIN(session, utf8(user_pin), user_pin.size());
     }},
    {"C_FindObjectsInit", [](CK_SESSION_HANDLE session,
                             CK_OBJECT_HANDLE) { return C_FindObjectsInit(session, nullptr, 0); }},
    {"C_GetAttributeValue",
     [](CK_SESSION_HANDLE session, CK_OBJECT_HANDLE key) {
       CK_ATTRIBUTE attribute{CKA_LABEL, nullptr, 0};
       return C_GetAttributeValue(session, key, &attribute, 1);
     }},
    {"C_SetAttributeValue",
     [](CK_SESSION_HANDLE session, CK_OBJECT_HANDLE key) {
       auto change = Attributes().add(CKA_LABEL, "x");
       return C_SetAttributeValue(session, key, change.data(), change.size());
     }},
    {"C_CreateObject",
     [](CK_SESSION_HANDLE session, CK_OBJECT_HANDLE) {
       auto from = Attributes().number(CKA_CLASS, CKO_DATA).flag(CKA_TOKEN, true);
       CK_OBJECT_HANDLE out = 0;
       return C_CreateObject(session, from.data(), from.size(), &out);
     }},
    {"C_DestroyObject",
     [](CK_SESSION_HANDLE session, CK_OBJECT_HANDLE key) { return C_DestroyObject(session, key); }},
    {"C_GetObjectSize",
     [](CK_SESSION_HANDLE session, CK_OBJECT_HANDLE key) {
       CK_ULONG size = 0;
       return C_GetObjectSize(session, key, &size);
     }},
    {"C_SignInit", [](CK_SESSION_HANDLE session,
                      CK_OBJECT_HANDLE key) { return C_SignInit(session, &signing, key); }},
    {"C_Sign",
     [](CK_SESSION_HANDLE session, CK_OBJECT_HANDLE) {
       CK_BYTE room[256];
       CK_ULONG size = sizeof room;
       return C_Sign(session, room, 1, room, &size);
     },
     begin_signing},
    {"C_SignFinal",
     [](CK_SESSION_HANDLE session, CK_OBJECT_HANDLE) {
       CK_BYTE room[256];
       CK_ULONG size = sizeof room;
       return C_SignFinal(session, room, &size);
     },
     begin_parts},
    {"C_Decrypt",
     [](CK_SESSION_HANDLE session, CK_OBJECT_HANDLE) {
       CK_BYTE room[256] = {};
       CK_ULONG size = sizeof room;
       return C_Decrypt(session, room, 128, room, &size);
     },
     begin_decrypting},
    {"C_DigestInit",
     [](CK_SESSION_HANDLE session, CK_OBJECT_HANDLE) { return C_DigestInit(session, &digesting); }},
    {"C_GenerateRandom",
     [](CK_SESSION_HANDLE session, CK_OBJECT_HANDLE) {
       CK_BYTE room[8];
       return C_GenerateRandom(session, room, sizeof room);
     }},
    {"C_GenerateKeyPair",
     [](CK_SESSION_HANDLE session, CK_OBJECT_HANDLE) {
       CK_MECHANISM mechanism{CKM_RSA_PKCS_KEY_PAIR_GEN, nullptr, 0};
       auto half = Attributes().number(CKA_MODULUS_BITS, 1024);
       CK_OBJECT_HANDLE one = 0, other = 0;
       return C_GenerateKeyPair(session, &mechanism, half.data(), half.size(), nullptr, 0, &one,
                                &other);
     }},
};

TEST_F(Removal, EveryCallNoticesIt) {
  for (const auto& one : calls) {
    SCOPED_TRACE(one.name);
    const auto session = user_session(), other = open(false);
    const auto key = generate(session).private_key;
    if (one.prepare) one.prepare(session, key);
    bench.pull(reader_a);
    EXPECT_TRUE(is(one.call(session, key), CKR_DEVICE_REMOVED));
    EXPECT_TRUE(is(one.call(session, key), CKR_SESSION_HANDLE_INVALID)) << "and stays so";
    CK_SESSION_INFO info{};
    EXPECT_TRUE(is(C_GetSessionInfo(other, &info), CKR_SESSION_HANDLE_INVALID));
    // The same card again is a new token: the next call works.
    bench.insert(reader_a, card);
    EXPECT_TRUE(is(one.call(session, key), CKR_SESSION_HANDLE_INVALID));
    const auto fresh = open();
    EXPECT_EQ(state(fresh), CKS_RW_PUBLIC_SESSION);
    EXPECT_TRUE(is(login(fresh), CKR_OK));
    for (const auto object : find(fresh, Attributes().number(CKA_CLASS, CKO_PRIVATE_KEY)))
      EXPECT_TRUE(is(C_DestroyObject(fresh, object), CKR_OK));
    for (const auto object : find(fresh))
      EXPECT_TRUE(is(C_DestroyObject(fresh, object), CKR_OK));
    EXPECT_TRUE(is(C_Finalize(nullptr), CKR_OK));
  }
}

TEST_F(Removal, AnotherTokenNeverAnswersForTheOld) {
  const auto session = user_session();
  const auto key = generate(session).private_key;
  // The other token has the same PIN and a key of the same name, and comes in unseen.
  const auto twin = std::make_shared<BenchCard>(7);
  bench.pull(reader_a);
  bench.insert(reader_a, twin);
  EXPECT_TRUE(is(sign_once(session, key), CKR_DEVICE_REMOVED));
  EXPECT_TRUE(is(sign_once(session, key), CKR_SESSION_HANDLE_INVALID));
  const auto fresh = open();
  EXPECT_EQ(state(fresh), CKS_RW_PUBLIC_SESSION);
  EXPECT_TRUE(is(sign_once(fresh, key), CKR_KEY_HANDLE_INVALID));
}

TEST_F(Removal, AtEveryExchangeOfAWorkflow) {
  static_cast<void>(user_session());
  std::uint64_t pull_at = 1;
  for (bool through = false; !through; ++pull_at) {
    ASSERT_LT(pull_at, 200U) << "the workflow never ends";
    SCOPED_TRACE("pulled at exchange " + std::to_string(pull_at));
    EXPECT_TRUE(is(C_Finalize(nullptr), CKR_OK));
    bench.insert(reader_a, card);
    start();
    card->exchanges = 0;
    card->pull_at = pull_at;
    CK_RV rv = CKR_OK;
    CK_SESSION_HANDLE session = 0;
    rv = C_OpenSession(slot_of(reader_a), CKF_SERIAL_SESSION | CKF_RW_SESSION, nullptr, nullptr,
                       &session);
    if (rv == CKR_OK) rv = login(session);
    if (rv == CKR_OK) rv = C_FindObjectsInit(session, nullptr, 0);
    CK_OBJECT_HANDLE keys[4];
    CK_ULONG count = 0;
    if (rv == CKR_OK) rv = C_FindObjects(session, keys, 4, &count);
    if (rv == CKR_OK) rv = C_FindObjectsFinal(session);
    CK_BYTE random[8];
    if (rv == CKR_OK) rv = C_GenerateRandom(session, random, 8);
    through = rv == CKR_OK;
    EXPECT_TRUE(through || rv == CKR_DEVICE_REMOVED || rv == CKR_TOKEN_NOT_PRESENT)
        << p11::name_of_code(rv);
  }
  EXPECT_GT(pull_at, 5U);
}

TEST_F(Removal, OfTheReaderOrTheServiceIsTheSame) {
  auto session = user_session();
  bench.remove_reader(reader_a);
  CK_SESSION_INFO info{};
  EXPECT_TRUE(is(C_GetSessionInfo(session, &info), CKR_DEVICE_REMOVED));
  bench.insert(reader_a, card);
  session = open();
  EXPECT_TRUE(is(login(session), CKR_OK));
  bench.set_service(false);
  EXPECT_TRUE(is(C_GetSessionInfo(session, &info), CKR_DEVICE_REMOVED));
  bench.set_service(true);
  EXPECT_EQ(state(open()), CKS_RW_PUBLIC_SESSION);
}

TEST_F(Removal, OfOneTokenLeavesTheOtherAlone) {
  const auto session = user_session();
  bench.insert(reader_b, std::make_shared<BenchCard>(9));
  const auto other = open(true, reader_b);
  EXPECT_TRUE(is(login(other), CKR_OK));
  bench.pull(reader_a);
  CK_SESSION_INFO info{};
  EXPECT_TRUE(is(C_GetSessionInfo(session, &info), CKR_DEVICE_REMOVED));
  EXPECT_EQ(state(other), CKS_RW_USER_FUNCTIONS);
}

}  // namespace
}  // namespace kilt::test
