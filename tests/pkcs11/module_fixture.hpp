// SPDX-License-Identifier: Apache-2.0
// The module as an application sees it, on simulated cards.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include "pkcs11/cryptoki.hpp"
#include "pkcs11/function.hpp"
#include "tests/openssl.hpp"
#include "tests/pkcs11/bench.hpp"

namespace kilt::test {

inline const char* const reader_a = "kilt simulator A";
inline const char* const reader_b = "kilt simulator B";
inline const std::string user_pin = "12345678";
inline const std::string officer_pin = "87654321";

/// An attribute with its value.
class Attributes {
 public:
  Attributes& add(CK_ATTRIBUTE_TYPE type, const std::string& text) {
    values_.push_back(Bytes(text.begin(), text.end()));
    types_.push_back(type);
    return *this;
  }
  Attributes& add(CK_ATTRIBUTE_TYPE type, const Bytes& bytes) {
    values_.push_back(bytes);
    types_.push_back(type);
    return *this;
  }
  Attributes& number(CK_ATTRIBUTE_TYPE type, CK_ULONG value) {
    Bytes bytes(sizeof value);
    std::memcpy(bytes.data(), &value, sizeof value);
    return add(type, bytes);
  }
  Attributes& flag(CK_ATTRIBUTE_TYPE type, bool value) {
    return add(type, Bytes{static_cast<std::uint8_t>(value)});
  }
  Attributes without(CK_ATTRIBUTE_TYPE type) const {
    Attributes rest;
    for (std::size_t i = 0; i < types_.size(); ++i) {
      if (types_[i] != type) rest.add(types_[i], values_[i]);
    }
    return rest;
  }
  CK_ATTRIBUTE* data() {
    list_.clear();
    for (std::size_t i = 0; i < types_.size(); ++i)
      list_.push_back({types_[i], values_[i].data(), values_[i].size()});
    return list_.data();
  }
  [[nodiscard]] CK_ULONG size() const { return types_.size(); }

 private:
  std::vector<CK_ATTRIBUTE_TYPE> types_;
  std::vector<Bytes> values_;
  std::vector<CK_ATTRIBUTE> list_;
};

inline CK_UTF8CHAR* utf8(const std::string& text) {
  return reinterpret_cast<CK_UTF8CHAR*>(const_cast<char*>(text.data()));
}
inline CK_BYTE* bytes_of(const Bytes& bytes) {
  return const_cast<CK_BYTE*>(bytes.data());
}

inline ::testing::AssertionResult is(CK_RV got, CK_RV wanted) {
  if (got == wanted) return ::testing::AssertionSuccess();
  return ::testing::AssertionFailure()
         << p11::name_of_code(got) << " instead of " << p11::name_of_code(wanted);
}

class Cryptoki : public ::testing::Test {
 protected:
  Cryptoki() {
    ::setenv("KILT_CONFIG", "", 1);  // the machine's own configuration is not tested here
    ::setenv("XDG_DATA_HOME", kept_.file("data").c_str(), 1);
    ::unsetenv("KILT_LOG");
    ::unsetenv("KILT_TRACE");
    CK_FUNCTION_LIST* functions = nullptr;
    EXPECT_EQ(C_GetFunctionList(&functions), CKR_OK);
    bench.add_reader(reader_a);
    bench.insert(reader_a, card);
  }
  /// While the test's own members are still there, for cards may talk to them.
  void TearDown() override { C_Finalize(nullptr); }

  void initialize() { ASSERT_TRUE(is(C_Initialize(nullptr), CKR_OK)); }
  /// Initialised, with slots known.
  void start() {
    initialize();
    CK_ULONG count = 0;
    ASSERT_TRUE(is(C_GetSlotList(CK_FALSE, nullptr, &count), CKR_OK));
  }
  [[nodiscard]] CK_SLOT_ID slot_of(const std::string& reader) const {
    CK_ULONG count = 0;
    C_GetSlotList(CK_FALSE, nullptr, &count);
    std::vector<CK_SLOT_ID> ids(count);
    C_GetSlotList(CK_FALSE, ids.data(), &count);
    for (const auto id : ids) {
      CK_SLOT_INFO info{};
      C_GetSlotInfo(id, &info);
      if (std::string(info.slotDescription, info.slotDescription + reader.size()) == reader) {
        return id;
      }
    }
    ADD_FAILURE() << "no slot for " << reader;
    return ~0UL;
  }
  [[nodiscard]] CK_SESSION_HANDLE open(bool read_write = true,
                                       const char* reader = reader_a) const {
    CK_SESSION_HANDLE session = 0;
    const CK_FLAGS flags = CKF_SERIAL_SESSION | (read_write ? CKF_RW_SESSION : 0);
    EXPECT_TRUE(is(C_OpenSession(slot_of(reader), flags, nullptr, nullptr, &session), CKR_OK));
    return session;
  }
  static CK_RV login(CK_SESSION_HANDLE session, const std::string& pin = user_pin,
                     CK_USER_TYPE type = CKU_USER) {
    return C_Login(session, type, utf8(pin), pin.size());
  }
  /// A read/write session of the user.
  [[nodiscard]] CK_SESSION_HANDLE user_session() {
    start();
    const auto session = open();
    EXPECT_TRUE(is(login(session), CKR_OK));
    return session;
  }
  static CK_STATE state(CK_SESSION_HANDLE session) {
    CK_SESSION_INFO info{};
    EXPECT_TRUE(is(C_GetSessionInfo(session, &info), CKR_OK));
    return info.state;
  }
  [[nodiscard]] CK_FLAGS token_flags() const {
    CK_TOKEN_INFO info{};
    EXPECT_TRUE(is(C_GetTokenInfo(slot_of(reader_a), &info), CKR_OK));
    return info.flags;
  }

  static Attributes public_template(CK_ULONG bits = 1024) {
    Attributes half;
    half.flag(CKA_TOKEN, true).number(CKA_MODULUS_BITS, bits).flag(CKA_VERIFY, true);
    return half;
  }
  static Attributes private_template(const std::string& id = "\x01",
                                     const std::string& label = "AUTH") {
    Attributes half;
    half.flag(CKA_TOKEN, true).flag(CKA_PRIVATE, true).add(CKA_ID, id).add(CKA_LABEL, label);
    return half;
  }
  struct Pair {
    CK_OBJECT_HANDLE public_key = 0, private_key = 0;
  };
  static Pair generate(CK_SESSION_HANDLE session, const std::string& id = "\x01",
                       const std::string& label = "AUTH", CK_ULONG bits = 1024) {
    CK_MECHANISM mechanism{CKM_RSA_PKCS_KEY_PAIR_GEN, nullptr, 0};
    auto public_half = public_template(bits);
    auto private_half = private_template(id, label);
    Pair pair;
    EXPECT_TRUE(is(C_GenerateKeyPair(session, &mechanism, public_half.data(), public_half.size(),
                                     private_half.data(), private_half.size(), &pair.public_key,
                                     &pair.private_key),
                   CKR_OK));
    return pair;
  }
  static std::vector<CK_OBJECT_HANDLE> find(CK_SESSION_HANDLE session, Attributes wanted = {}) {
    EXPECT_TRUE(is(C_FindObjectsInit(session, wanted.data(), wanted.size()), CKR_OK));
    std::vector<CK_OBJECT_HANDLE> all(64);
    CK_ULONG count = 0;
    EXPECT_TRUE(is(C_FindObjects(session, all.data(), all.size(), &count), CKR_OK));
    EXPECT_TRUE(is(C_FindObjectsFinal(session), CKR_OK));
    all.resize(count);
    return all;
  }
  static Bytes read(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE object, CK_ATTRIBUTE_TYPE type) {
    CK_ATTRIBUTE attribute{type, nullptr, 0};
    EXPECT_TRUE(is(C_GetAttributeValue(session, object, &attribute, 1), CKR_OK)) << type;
    Bytes value(attribute.ulValueLen);
    attribute.pValue = value.data();
    EXPECT_TRUE(is(C_GetAttributeValue(session, object, &attribute, 1), CKR_OK)) << type;
    return value;
  }
  static CK_RV sign_once(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE key,
                         CK_MECHANISM_TYPE type = CKM_SHA256_RSA_PKCS,
                         const Bytes& message = {'h', 'i'}) {
    CK_MECHANISM mechanism{type, nullptr, 0};
    if (const CK_RV rv = C_SignInit(session, &mechanism, key); rv != CKR_OK) return rv;
    Bytes signature(256);
    CK_ULONG size = signature.size();
    return C_Sign(session, bytes_of(message), message.size(), signature.data(), &size);
  }

  TemporaryDirectory kept_;  ///< for what kilt keeps beside cards
  Bench bench;
  std::shared_ptr<BenchCard> card = std::make_shared<BenchCard>();
};

}  // namespace kilt::test
