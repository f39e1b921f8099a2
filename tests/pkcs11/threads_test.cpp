// SPDX-License-Identifier: Apache-2.0
// Threads: many on one token, two tokens at the same time, and calls that never wait for a card.
#include <future>
#include <thread>

#include "tests/pkcs11/module_fixture.hpp"

namespace kilt::test {
namespace {

using Threads = Cryptoki;

/// The next exchange with the card waits inside it until it is let go.
class HeldExchange {
 public:
  explicit HeldExchange(BenchCard& card) : card_(card) {
    card.before = [this, once = true](ByteView) mutable {
      if (!std::exchange(once, false)) return;
      inside_.set_value();
      released_.wait();
    };
  }
  HeldExchange(const HeldExchange&) = delete;
  ~HeldExchange() { card_.before = nullptr; }
  void wait_inside() { inside_.get_future().wait(); }
  void let_go() { go_on_.set_value(); }

 private:
  BenchCard& card_;
  std::promise<void> inside_, go_on_;
  std::future<void> released_ = go_on_.get_future();
};

TEST_F(Threads, EightUseOneToken) {
  const auto session = user_session();
  const auto pair = generate(session);
  std::vector<std::future<bool>> workers;
  for (int i = 0; i < 8; ++i) {
    workers.push_back(std::async(std::launch::async, [&] {
      CK_SESSION_HANDLE own = 0;
      bool good =
          C_OpenSession(slot_of(reader_a), CKF_SERIAL_SESSION, nullptr, nullptr, &own) == CKR_OK;
      for (int round = 0; round < 5 && good; ++round) {
        CK_MECHANISM mechanism{CKM_SHA256_RSA_PKCS, nullptr, 0};
        Bytes message{'m'}, signature(128);
        CK_ULONG size = 128;
        good = C_SignInit(own, &mechanism, pair.private_key) == CKR_OK &&
               C_Sign(own, message.data(), 1, signature.data(), &size) == CKR_OK &&
               C_VerifyInit(own, &mechanism, pair.public_key) == CKR_OK &&
               C_Verify(own, message.data(), 1, signature.data(), size) == CKR_OK &&
               C_FindObjectsInit(own, nullptr, 0) == CKR_OK && C_FindObjectsFinal(own) == CKR_OK;
      }
      return C_CloseSession(own) == CKR_OK && good;
    }));
  }
  for (auto& worker : workers)
    EXPECT_TRUE(worker.get());
  EXPECT_EQ(state(session), CKS_RW_USER_FUNCTIONS);
}

TEST_F(Threads, TwoTokensWorkAtTheSameTime) {
  const auto session = user_session();
  const auto key = generate(session).private_key;
  const auto second = std::make_shared<BenchCard>(9);
  bench.insert(reader_b, second);
  const auto other = open(true, reader_b);
  EXPECT_TRUE(is(login(other), CKR_OK));
  const auto other_key = generate(other).private_key;
  // Each card answers only after the other was asked as well: one lock over both would hang.
  std::promise<void> first_asked, second_asked;
  auto first_seen = first_asked.get_future(), second_seen = second_asked.get_future();
  bool first_once = true, second_once = true, first_met = false, second_met = false;
  card->before = [&](ByteView) {
    if (!std::exchange(first_once, false)) return;
    first_asked.set_value();
    first_met = second_seen.wait_for(std::chrono::seconds(20)) == std::future_status::ready;
  };
  second->before = [&](ByteView) {
    if (!std::exchange(second_once, false)) return;
    second_asked.set_value();
    second_met = first_seen.wait_for(std::chrono::seconds(20)) == std::future_status::ready;
  };
  auto signing = std::async(std::launch::async, [&] { return sign_once(session, key); });
  EXPECT_TRUE(is(sign_once(other, other_key), CKR_OK));
  EXPECT_TRUE(is(signing.get(), CKR_OK));
  EXPECT_TRUE(first_met);
  EXPECT_TRUE(second_met);
  card->before = second->before = nullptr;
}

TEST_F(Threads, ABusyCardHoldsUpNobodyWhoNeedsItNot) {
  const auto session = user_session(), other = open(false);
  const auto key = generate(session).private_key;
  const auto slot = slot_of(reader_a);
  HeldExchange held(*card);
  auto signing = std::async(std::launch::async, [&] { return sign_once(session, key); });
  held.wait_inside();
  EXPECT_EQ(state(other), CKS_RO_USER_FUNCTIONS);
  EXPECT_EQ(state(session), CKS_RW_USER_FUNCTIONS);
  CK_SLOT_INFO info{};
  EXPECT_TRUE(is(C_GetSlotInfo(slot, &info), CKR_OK));
  CK_ULONG count = 0;
  EXPECT_TRUE(is(C_GetSlotList(CK_TRUE, nullptr, &count), CKR_OK));
  EXPECT_TRUE(is(C_GetMechanismList(slot, nullptr, &count), CKR_OK));
  CK_MECHANISM digest{CKM_SHA256, nullptr, 0};
  EXPECT_TRUE(is(C_DigestInit(other, &digest), CKR_OK));
  CK_SLOT_ID id = 0;
  EXPECT_TRUE(is(C_WaitForSlotEvent(CKF_DONT_BLOCK, &id, nullptr), CKR_NO_EVENT));
  held.let_go();
  EXPECT_TRUE(is(signing.get(), CKR_OK));
}

/// The call that is under way has its session to its end; every later one finds it closed.
TEST_F(Threads, ClosingAllSessionsLetsTheCallUnderWayEnd) {
  const auto session = user_session(), other = open(false);
  const auto key = generate(session).private_key;
  CK_MECHANISM mechanism{CKM_SHA256_RSA_PKCS, nullptr, 0};
  ASSERT_TRUE(is(C_SignInit(session, &mechanism, key), CKR_OK));
  CK_MECHANISM digest{CKM_SHA256, nullptr, 0};
  ASSERT_TRUE(is(C_DigestInit(other, &digest), CKR_OK));
  HeldExchange held(*card);
  Bytes message{'m'}, signature(128);
  auto signing = std::async(std::launch::async, [&] {
    CK_ULONG size = signature.size();
    return C_Sign(session, message.data(), 1, signature.data(), &size);
  });
  held.wait_inside();
  auto closing =
      std::async(std::launch::async, [&] { return C_CloseAllSessions(slot_of(reader_a)); });
  held.let_go();
  EXPECT_TRUE(is(signing.get(), CKR_OK));
  EXPECT_TRUE(is(closing.get(), CKR_OK));

  CK_ULONG size = 0;
  EXPECT_TRUE(is(C_Sign(session, message.data(), 1, nullptr, &size), CKR_SESSION_HANDLE_INVALID));
  EXPECT_TRUE(is(C_DigestFinal(other, nullptr, &size), CKR_SESSION_HANDLE_INVALID));
  const auto next = open();
  EXPECT_EQ(state(next), CKS_RW_PUBLIC_SESSION) << "the last session logs out";
  EXPECT_TRUE(is(login(next), CKR_OK));
  const auto keys = find(next, Attributes().number(CKA_CLASS, CKO_PRIVATE_KEY));
  ASSERT_EQ(keys.size(), 1u);
  EXPECT_TRUE(is(sign_once(next, keys[0]), CKR_OK));
}

TEST_F(Threads, SessionsComeAndGoFromManyThreads) {
  start();
  std::vector<std::future<bool>> workers;
  for (int i = 0; i < 8; ++i) {
    workers.push_back(std::async(std::launch::async, [&] {
      bool good = true;
      for (int round = 0; round < 10; ++round) {
        CK_SESSION_HANDLE own = 0;
        good = good && C_OpenSession(0, CKF_SERIAL_SESSION | CKF_RW_SESSION, nullptr, nullptr,
                                     &own) == CKR_OK;
        const CK_RV rv = login(own);
        // The last session of another thread may log out in between.
        good = good && (rv == CKR_OK || rv == CKR_USER_ALREADY_LOGGED_IN);
        good = good && C_CloseSession(own) == CKR_OK;
      }
      return good;
    }));
  }
  for (auto& worker : workers)
    EXPECT_TRUE(worker.get());
  EXPECT_NE(bench.foreign(*card, Bytes{0x00, 0x20, 0x00, 0x02}), 0x9000);
}

}  // namespace
}  // namespace kilt::test
