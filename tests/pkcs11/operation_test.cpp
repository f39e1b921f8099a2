// SPDX-License-Identifier: Apache-2.0
// Operations as state machines: order of calls, questions for lengths, what ends an operation.
#include <utility>

#include "tests/pkcs11/module_fixture.hpp"

namespace kilt::test {
namespace {

class Operations : public Cryptoki {
 protected:
  void SetUp() override {
    session = user_session();
    pair = generate(session);
  }
  CK_RV sign_init(CK_MECHANISM_TYPE type = CKM_SHA256_RSA_PKCS) {
    mechanism = {type, nullptr, 0};
    return C_SignInit(session, &mechanism, pair.private_key);
  }
  Bytes signed_at_once(CK_MECHANISM_TYPE type) {
    EXPECT_TRUE(is(sign_init(type), CKR_OK));
    Bytes signature(128);
    CK_ULONG size = signature.size();
    EXPECT_TRUE(
        is(C_Sign(session, bytes_of(message), message.size(), signature.data(), &size), CKR_OK));
    return signature;
  }
  CK_RV verify(CK_MECHANISM_TYPE type, const Bytes& text, const Bytes& signature) {
    mechanism = {type, nullptr, 0};
    EXPECT_TRUE(is(C_VerifyInit(session, &mechanism, pair.public_key), CKR_OK));
    return C_Verify(session, bytes_of(text), text.size(), bytes_of(signature), signature.size());
  }
  Bytes encrypted(CK_MECHANISM_TYPE type) {
    mechanism = {type, nullptr, 0};
    EXPECT_TRUE(is(C_EncryptInit(session, &mechanism, pair.public_key), CKR_OK));
    Bytes cryptogram(128);
    CK_ULONG size = cryptogram.size();
    EXPECT_TRUE(is(C_Encrypt(session, bytes_of(message), message.size(), cryptogram.data(), &size),
                   CKR_OK));
    return cryptogram;
  }

  CK_SESSION_HANDLE session = 0;
  Pair pair;
  CK_MECHANISM mechanism{};
  const Bytes message{'m', 'e', 's', 's', 'a', 'g', 'e'};
};

TEST_F(Operations, ASignatureIsVerified) {
  for (const CK_MECHANISM_TYPE type : {CKM_RSA_PKCS, CKM_SHA1_RSA_PKCS, CKM_SHA256_RSA_PKCS}) {
    const auto signature = signed_at_once(type);
    EXPECT_TRUE(is(verify(type, message, signature), CKR_OK));
    EXPECT_TRUE(is(verify(type, Bytes{'x'}, signature), CKR_SIGNATURE_INVALID));
    EXPECT_TRUE(is(verify(type, message, Bytes(127)), CKR_SIGNATURE_LEN_RANGE));
  }
}

TEST_F(Operations, PartsGiveTheSameSignature) {
  for (const CK_MECHANISM_TYPE type : {CKM_SHA256_RSA_PKCS, CKM_RSA_PKCS}) {
    ASSERT_TRUE(is(sign_init(type), CKR_OK));
    for (const auto byte : message) {
      Bytes part{byte};
      EXPECT_TRUE(is(C_SignUpdate(session, part.data(), 1), CKR_OK));
    }
    Bytes signature(128);
    CK_ULONG size = 0;
    EXPECT_TRUE(is(C_SignFinal(session, nullptr, &size), CKR_OK));
    EXPECT_EQ(size, 128U);
    EXPECT_TRUE(is(C_SignFinal(session, signature.data(), &size), CKR_OK));
    EXPECT_EQ(signature, signed_at_once(type));
    ASSERT_TRUE(is(C_VerifyInit(session, &mechanism, pair.public_key), CKR_OK));
    EXPECT_TRUE(is(C_VerifyUpdate(session, bytes_of(message), 3), CKR_OK));
    EXPECT_TRUE(is(C_VerifyUpdate(session, bytes_of(message) + 3, message.size() - 3), CKR_OK));
    EXPECT_TRUE(is(C_VerifyFinal(session, signature.data(), size), CKR_OK));
  }
}

TEST_F(Operations, QuestionsForLengthsCostNothingAndEndNothing) {
  ASSERT_TRUE(is(sign_init(), CKR_OK));
  const auto before = card->exchanges;
  Bytes signature(128);
  CK_ULONG size = 5;
  EXPECT_TRUE(is(C_Sign(session, bytes_of(message), message.size(), nullptr, &size), CKR_OK));
  EXPECT_EQ(size, 128U);
  size = 127;
  EXPECT_TRUE(is(C_Sign(session, bytes_of(message), message.size(), signature.data(), &size),
                 CKR_BUFFER_TOO_SMALL));
  EXPECT_EQ(size, 128U);
  EXPECT_EQ(card->exchanges, before);
  EXPECT_TRUE(
      is(C_Sign(session, bytes_of(message), message.size(), signature.data(), &size), CKR_OK));
  EXPECT_TRUE(is(C_Sign(session, bytes_of(message), message.size(), signature.data(), &size),
                 CKR_OPERATION_NOT_INITIALIZED));
}

TEST_F(Operations, CallsComeInOrder) {
  CK_ULONG size = 128;
  Bytes room(128);
  EXPECT_TRUE(is(C_SignUpdate(session, room.data(), 1), CKR_OPERATION_NOT_INITIALIZED));
  EXPECT_TRUE(is(C_SignFinal(session, room.data(), &size), CKR_OPERATION_NOT_INITIALIZED));
  EXPECT_TRUE(
      is(C_Decrypt(session, room.data(), 128, room.data(), &size), CKR_OPERATION_NOT_INITIALIZED));
  ASSERT_TRUE(is(sign_init(), CKR_OK));
  EXPECT_TRUE(is(sign_init(), CKR_OPERATION_ACTIVE));
  EXPECT_TRUE(is(C_SignUpdate(session, room.data(), 1), CKR_OK));
  EXPECT_TRUE(
      is(C_Sign(session, room.data(), 1, room.data(), &size), CKR_OPERATION_NOT_INITIALIZED));
  EXPECT_TRUE(is(C_SignInit(session, nullptr, 0), CKR_OK)) << "a null mechanism ends it";
  EXPECT_TRUE(is(C_SignInit(session, nullptr, 0), CKR_ARGUMENTS_BAD));
  ASSERT_TRUE(is(sign_init(), CKR_OK));
  EXPECT_TRUE(is(C_SessionCancel(session, CKF_SIGN | CKF_DIGEST), CKR_OK));
  EXPECT_TRUE(is(C_SignUpdate(session, room.data(), 1), CKR_OPERATION_NOT_INITIALIZED));
}

TEST_F(Operations, BadArgumentsEndIt) {
  Bytes room(128);
  CK_ULONG size = room.size();
  // Braces have an order, arguments have none.
  const auto ends = [&](std::pair<CK_RV, CK_RV> calls) {
    EXPECT_TRUE(is(calls.first, CKR_ARGUMENTS_BAD));
    EXPECT_TRUE(is(calls.second, CKR_OPERATION_NOT_INITIALIZED));
  };
  const auto next = [&] { return C_SignUpdate(session, room.data(), 1); };
  ASSERT_TRUE(is(sign_init(), CKR_OK));
  ends({C_Sign(session, nullptr, 5, room.data(), &size), next()});
  ASSERT_TRUE(is(sign_init(), CKR_OK));
  ends({C_Sign(session, room.data(), 5, room.data(), nullptr), next()});
  ASSERT_TRUE(is(sign_init(), CKR_OK));
  ends({C_SignUpdate(session, nullptr, 5), next()});
  ASSERT_TRUE(is(sign_init(), CKR_OK));
  ends({C_SignFinal(session, room.data(), nullptr), next()});
  mechanism = {CKM_RSA_PKCS, nullptr, 0};
  ASSERT_TRUE(is(C_SignRecoverInit(session, &mechanism, pair.private_key), CKR_OK));
  ends({C_SignRecover(session, nullptr, 5, room.data(), &size),
        C_SignRecover(session, room.data(), 5, room.data(), &size)});
  ASSERT_TRUE(is(C_VerifyInit(session, &mechanism, pair.public_key), CKR_OK));
  ends({C_Verify(session, room.data(), 5, nullptr, 128), C_VerifyUpdate(session, room.data(), 1)});
  ASSERT_TRUE(is(C_VerifyRecoverInit(session, &mechanism, pair.public_key), CKR_OK));
  ends({C_VerifyRecover(session, nullptr, 128, room.data(), &size),
        C_VerifyRecover(session, room.data(), 128, room.data(), &size)});
  ASSERT_TRUE(is(C_EncryptInit(session, &mechanism, pair.public_key), CKR_OK));
  ends({C_Encrypt(session, nullptr, 5, room.data(), &size),
        C_EncryptFinal(session, nullptr, &size)});
  ASSERT_TRUE(is(C_DecryptInit(session, &mechanism, pair.private_key), CKR_OK));
  ends({C_DecryptUpdate(session, nullptr, 5, room.data(), &size),
        C_DecryptFinal(session, nullptr, &size)});
  mechanism = {CKM_SHA256, nullptr, 0};
  ASSERT_TRUE(is(C_DigestInit(session, &mechanism), CKR_OK));
  ends(
      {C_Digest(session, nullptr, 5, room.data(), &size), C_DigestUpdate(session, room.data(), 1)});
}

TEST_F(Operations, AQuestionOfAPartNeedsAnOperation) {
  CK_ULONG size = 0;
  CK_BYTE part = 1;
  EXPECT_TRUE(
      is(C_EncryptUpdate(session, &part, 1, nullptr, &size), CKR_OPERATION_NOT_INITIALIZED));
  EXPECT_TRUE(
      is(C_DecryptUpdate(session, &part, 1, nullptr, &size), CKR_OPERATION_NOT_INITIALIZED));
  mechanism = {CKM_RSA_PKCS, nullptr, 0};
  ASSERT_TRUE(is(C_EncryptInit(session, &mechanism, pair.public_key), CKR_OK));
  EXPECT_TRUE(is(C_EncryptUpdate(session, &part, 1, nullptr, &size), CKR_OK));
}

TEST_F(Operations, WrongBeginningsAreTold) {
  mechanism = {CKM_RSA_PKCS, nullptr, 0};
  EXPECT_TRUE(is(C_SignInit(session, &mechanism, 9999), CKR_KEY_HANDLE_INVALID));
  EXPECT_TRUE(is(C_SignInit(session, &mechanism, pair.public_key), CKR_KEY_TYPE_INCONSISTENT));
  EXPECT_TRUE(is(C_VerifyInit(session, &mechanism, pair.private_key), CKR_KEY_TYPE_INCONSISTENT));
  EXPECT_TRUE(is(sign_init(CKM_ECDSA), CKR_MECHANISM_INVALID));
  EXPECT_TRUE(is(sign_init(CKM_RSA_PKCS_PSS), CKR_MECHANISM_PARAM_INVALID));
  auto private_half = private_template("\x05", "no sign");
  private_half.flag(CKA_SIGN, false).flag(CKA_DECRYPT, true);
  auto public_half = public_template();
  CK_MECHANISM generation{CKM_RSA_PKCS_KEY_PAIR_GEN, nullptr, 0};
  Pair other;
  ASSERT_TRUE(is(C_GenerateKeyPair(session, &generation, public_half.data(), public_half.size(),
                                   private_half.data(), private_half.size(), &other.public_key,
                                   &other.private_key),
                 CKR_OK));
  mechanism = {CKM_RSA_PKCS, nullptr, 0};
  EXPECT_TRUE(
      is(C_SignInit(session, &mechanism, other.private_key), CKR_KEY_FUNCTION_NOT_PERMITTED));
  EXPECT_TRUE(is(C_DecryptInit(session, &mechanism, other.private_key), CKR_OK));
}

TEST_F(Operations, InputThatIsTooLongEndsIt) {
  ASSERT_TRUE(is(sign_init(CKM_RSA_PKCS), CKR_OK));
  Bytes room(128), longer(118);
  CK_ULONG size = 128;
  EXPECT_TRUE(
      is(C_Sign(session, longer.data(), longer.size(), room.data(), &size), CKR_DATA_LEN_RANGE));
  ASSERT_TRUE(is(sign_init(CKM_RSA_PKCS), CKR_OK));
  EXPECT_TRUE(is(C_SignUpdate(session, longer.data(), longer.size()), CKR_DATA_LEN_RANGE));
  EXPECT_TRUE(is(C_SignUpdate(session, longer.data(), 1), CKR_OPERATION_NOT_INITIALIZED));
}

TEST_F(Operations, RecoveryGivesTheDataBack) {
  mechanism = {CKM_RSA_PKCS, nullptr, 0};
  ASSERT_TRUE(is(C_SignRecoverInit(session, &mechanism, pair.private_key), CKR_OK));
  Bytes signature(128), data(128);
  CK_ULONG size = 128, length = 128;
  ASSERT_TRUE(is(C_SignRecover(session, bytes_of(message), message.size(), signature.data(), &size),
                 CKR_OK));
  ASSERT_TRUE(is(C_VerifyRecoverInit(session, &mechanism, pair.public_key), CKR_OK));
  length = 2;
  EXPECT_TRUE(is(C_VerifyRecover(session, signature.data(), size, data.data(), &length),
                 CKR_BUFFER_TOO_SMALL));
  EXPECT_EQ(length, message.size());
  ASSERT_TRUE(is(C_VerifyRecover(session, signature.data(), size, data.data(), &length), CKR_OK));
  data.resize(length);
  EXPECT_EQ(data, message);
}

TEST_F(Operations, TheCardDecryptsOnceHoweverOftenItIsAsked) {
  const auto cryptogram = encrypted(CKM_RSA_PKCS);
  ASSERT_TRUE(is(C_DecryptInit(session, &mechanism, pair.private_key), CKR_OK));
  const auto before = card->exchanges;
  CK_ULONG size = 0;
  EXPECT_TRUE(is(C_Decrypt(session, bytes_of(cryptogram), 128, nullptr, &size), CKR_OK));
  EXPECT_GE(size, message.size());
  EXPECT_EQ(card->exchanges, before) << "a question";
  Bytes plain(message.size());
  size = 2;
  EXPECT_TRUE(
      is(C_Decrypt(session, bytes_of(cryptogram), 128, plain.data(), &size), CKR_BUFFER_TOO_SMALL));
  EXPECT_EQ(size, message.size());
  const auto after = card->exchanges;
  EXPECT_TRUE(is(C_Decrypt(session, bytes_of(cryptogram), 128, plain.data(), &size), CKR_OK));
  EXPECT_EQ(card->exchanges, after);
  EXPECT_EQ(plain, message);
  EXPECT_TRUE(is(C_Decrypt(session, bytes_of(cryptogram), 128, plain.data(), &size),
                 CKR_OPERATION_NOT_INITIALIZED));
}

TEST_F(Operations, DecryptionInParts) {
  const auto cryptogram = encrypted(CKM_RSA_PKCS);
  ASSERT_TRUE(is(C_DecryptInit(session, &mechanism, pair.private_key), CKR_OK));
  Bytes plain(128);
  CK_ULONG size = 128;
  EXPECT_TRUE(is(C_DecryptUpdate(session, bytes_of(cryptogram), 100, plain.data(), &size), CKR_OK));
  EXPECT_EQ(size, 0U);
  size = 128;
  EXPECT_TRUE(
      is(C_DecryptUpdate(session, bytes_of(cryptogram) + 100, 28, plain.data(), &size), CKR_OK));
  size = 128;
  EXPECT_TRUE(is(C_DecryptFinal(session, plain.data(), &size), CKR_OK));
  plain.resize(size);
  EXPECT_EQ(plain, message);
}

TEST_F(Operations, WrongCryptogramsAreTold) {
  mechanism = {CKM_RSA_PKCS, nullptr, 0};
  Bytes plain(128);
  CK_ULONG size = 128;
  ASSERT_TRUE(is(C_DecryptInit(session, &mechanism, pair.private_key), CKR_OK));
  EXPECT_TRUE(
      is(C_Decrypt(session, plain.data(), 127, plain.data(), &size), CKR_ENCRYPTED_DATA_LEN_RANGE));
  ASSERT_TRUE(is(C_DecryptInit(session, &mechanism, pair.private_key), CKR_OK));
  Bytes nonsense(128, 0x11);
  EXPECT_TRUE(is(C_Decrypt(session, nonsense.data(), 128, plain.data(), &size),
                 CKR_ENCRYPTED_DATA_INVALID));
}

TEST_F(Operations, DigestsAreTaken) {
  mechanism = {CKM_SHA256, nullptr, 0};
  Bytes one(32), parts(32);
  CK_ULONG size = 0;
  EXPECT_TRUE(is(C_DigestUpdate(session, one.data(), 1), CKR_OPERATION_NOT_INITIALIZED));
  ASSERT_TRUE(is(C_DigestInit(session, &mechanism), CKR_OK));
  EXPECT_TRUE(is(C_DigestInit(session, &mechanism), CKR_OPERATION_ACTIVE));
  EXPECT_TRUE(is(C_Digest(session, bytes_of(message), message.size(), nullptr, &size), CKR_OK));
  EXPECT_EQ(size, 32U);
  EXPECT_TRUE(is(C_Digest(session, bytes_of(message), message.size(), one.data(), &size), CKR_OK));
  ASSERT_TRUE(is(C_DigestInit(session, &mechanism), CKR_OK));
  EXPECT_TRUE(is(C_DigestUpdate(session, bytes_of(message), 3), CKR_OK));
  EXPECT_TRUE(is(C_Digest(session, bytes_of(message), 3, parts.data(), &size),
                 CKR_OPERATION_NOT_INITIALIZED));
  EXPECT_TRUE(is(C_DigestUpdate(session, bytes_of(message) + 3, message.size() - 3), CKR_OK));
  EXPECT_TRUE(is(C_DigestFinal(session, parts.data(), &size), CKR_OK));
  EXPECT_EQ(one, parts);
  ASSERT_TRUE(is(C_DigestInit(session, &mechanism), CKR_OK));
  EXPECT_TRUE(is(C_DigestKey(session, pair.public_key), CKR_KEY_INDIGESTIBLE));
}

TEST_F(Operations, AContextLoginNeedsAnOperation) {
  EXPECT_TRUE(is(login(session, user_pin, CKU_CONTEXT_SPECIFIC), CKR_OPERATION_NOT_INITIALIZED));
  ASSERT_TRUE(is(sign_init(), CKR_OK));
  EXPECT_TRUE(is(login(session, user_pin, CKU_CONTEXT_SPECIFIC), CKR_OK));
  Bytes signature(128);
  CK_ULONG size = 128;
  EXPECT_TRUE(
      is(C_Sign(session, bytes_of(message), message.size(), signature.data(), &size), CKR_OK));
  ASSERT_TRUE(is(sign_init(), CKR_OK));
  EXPECT_TRUE(is(login(session, "99999999", CKU_CONTEXT_SPECIFIC), CKR_PIN_INCORRECT));
}

TEST_F(Operations, ALogoutEndsOperationsWithPrivateKeys) {
  ASSERT_TRUE(is(sign_init(), CKR_OK));
  EXPECT_TRUE(is(C_Logout(session), CKR_OK));
  Bytes signature(128);
  CK_ULONG size = 128;
  EXPECT_TRUE(is(C_Sign(session, bytes_of(message), message.size(), signature.data(), &size),
                 CKR_OPERATION_NOT_INITIALIZED));
  // Also for a login that came meanwhile, and in the way of nothing.
  EXPECT_TRUE(is(login(session), CKR_OK));
  EXPECT_TRUE(is(C_Sign(session, bytes_of(message), message.size(), signature.data(), &size),
                 CKR_OPERATION_NOT_INITIALIZED));
  const auto keys = find(session, Attributes().number(CKA_CLASS, CKO_PRIVATE_KEY));
  EXPECT_TRUE(is(sign_once(session, keys.at(0)), CKR_OK));
}

TEST_F(Operations, LaterSignaturesCostTwoExchanges) {
  const auto big = generate(session, "\x09", "BIG", 2048);
  EXPECT_TRUE(is(sign_once(session, big.private_key), CKR_OK));
  card->exchanges = 0;
  EXPECT_TRUE(is(sign_once(session, big.private_key), CKR_OK));
  EXPECT_EQ(card->exchanges, 2U);
}

}  // namespace
}  // namespace kilt::test
