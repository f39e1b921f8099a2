// SPDX-License-Identifier: Apache-2.0
// The card is not ours alone: resets and logouts by others, and what comes back after them.
#include "tests/openssl.hpp"
#include "tests/pkcs11/module_fixture.hpp"

namespace kilt::test {
namespace {

class Sharing : public Cryptoki {
 protected:
  void other_logs_out() { bench.foreign(*card, Bytes{0x80, 0x40, 0x00, 0x00}); }
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

}  // namespace
}  // namespace kilt::test
