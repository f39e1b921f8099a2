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
