// SPDX-License-Identifier: Apache-2.0
// What the module writes down: nothing unless asked, and never a PIN.
#include "pkcs11/log.hpp"

#include "tests/openssl.hpp"
#include "tests/pkcs11/module_fixture.hpp"

namespace kilt::test {
namespace {

class Secrets : public Cryptoki {
 protected:
  void TearDown() override {
    Cryptoki::TearDown();
    p11::open_log("");
  }
  TemporaryDirectory directory;
};

TEST_F(Secrets, NeitherLogNorTraceHoldsAPin) {
  ::setenv("KILT_LOG", ("debug:" + directory.file("log")).c_str(), 1);
  ::setenv("KILT_TRACE", directory.file("trace").c_str(), 1);
  const std::string wrong = "wrong-one", fresh = "fresh-one";
  const auto session = user_session();
  generate(session);
  EXPECT_TRUE(
      is(C_SetPIN(session, utf8(user_pin), user_pin.size(), utf8(fresh), fresh.size()), CKR_OK));
  EXPECT_TRUE(is(C_Logout(session), CKR_OK));
  EXPECT_TRUE(is(login(session, wrong), CKR_PIN_INCORRECT));
  EXPECT_TRUE(is(login(session, officer_pin, CKU_SO), CKR_OK));
  EXPECT_TRUE(is(C_InitPIN(session, utf8(user_pin), user_pin.size()), CKR_OK));
  EXPECT_TRUE(is(C_Finalize(nullptr), CKR_OK));
  for (const char* file : {"log", "trace"}) {
    SCOPED_TRACE(file);
    const auto text = as_text(directory.read(file));
    EXPECT_GT(text.size(), 100U);
    std::string hex;  // a trace writes octets with blanks between them
    for (const char c : text) {
      if (c != ' ') hex += c;
    }
    for (const auto& pin : {user_pin, officer_pin, wrong, fresh}) {
      EXPECT_EQ(text.find(pin), std::string::npos) << pin;
      EXPECT_EQ(hex.find(to_hex(as_bytes(pin))), std::string::npos) << pin;
    }
  }
}

TEST_F(Secrets, CallsAreLoggedWithTheirArgumentsAndWithoutContents) {
  ::setenv("KILT_LOG", ("debug:" + directory.file("log")).c_str(), 1);
  const auto session = user_session();
  const auto pair = generate(session, "\x5A", "label-to-be-seen");
  const std::string contents = "contents-of-a-private-paper";
  EXPECT_TRUE(is(sign_once(session, pair.private_key, CKM_SHA256_RSA_PKCS,
                           Bytes(contents.begin(), contents.end())),
                 CKR_OK));
  Attributes data;
  data.number(CKA_CLASS, CKO_DATA).flag(CKA_TOKEN, true).flag(CKA_PRIVATE, true);
  data.add(CKA_VALUE, contents);
  CK_OBJECT_HANDLE handle = 0;
  EXPECT_TRUE(is(C_CreateObject(session, data.data(), data.size(), &handle), CKR_OK));
  // Room that holds something of the caller's, which is nobody's business.
  std::string room = contents;
  CK_ATTRIBUTE asked{CKA_LABEL, room.data(), room.size()};
  EXPECT_TRUE(is(C_GetAttributeValue(session, pair.private_key, &asked, 1), CKR_OK));
  EXPECT_TRUE(is(C_SignInit(session, nullptr, pair.private_key), CKR_ARGUMENTS_BAD));
  EXPECT_TRUE(is(C_Finalize(nullptr), CKR_OK));

  const auto text = as_text(directory.read("log"));
  for (const char* seen :
       {"C_Login: session ", ", user 1, pin given", "C_Login = CKR_OK",
        "C_GenerateKeyPair: session ", "mechanism CKM_RSA_PKCS_KEY_PAIR_GEN",
        "CKA_LABEL \"label-to-be-seen\"", "CKA_ID 5A", "CKA_MODULUS_BITS 1024", "CKA_TOKEN true",
        "mechanism CKM_SHA256_RSA_PKCS, key ", "data (27 octets), answer has room for 256",
        "CKA_VALUE (27 octets)", "mechanism none", "C_SignInit = CKR_ARGUMENTS_BAD"}) {
    EXPECT_NE(text.find(seen), std::string::npos) << seen;
  }
  EXPECT_EQ(text.find(contents), std::string::npos);
  EXPECT_EQ(text.find(to_hex(as_bytes(contents))), std::string::npos);
}

TEST_F(Secrets, ALogLineIsOneLine) {
  const auto path = directory.file("log");
  ASSERT_TRUE(p11::open_log("info:" + path));
  p11::log(p11::LogLevel::info, "one\nforged\r line");
  p11::log(p11::LogLevel::debug, "too fine");
  const auto text = as_text(directory.read("log"));
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 1);
  EXPECT_NE(text.find("one forged  line"), std::string::npos);
  EXPECT_EQ(text.find("too fine"), std::string::npos);
}

TEST_F(Secrets, AWrongLogNameIsRefused) {
  EXPECT_FALSE(p11::open_log("loud"));
  EXPECT_FALSE(p11::open_log("debug:" + directory.file("no/such/place")));
  EXPECT_FALSE(p11::logs(p11::LogLevel::error));
  EXPECT_TRUE(p11::open_log("off"));
  EXPECT_TRUE(p11::open_log(""));
}

}  // namespace
}  // namespace kilt::test
