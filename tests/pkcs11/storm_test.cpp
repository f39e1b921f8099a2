// SPDX-License-Identifier: Apache-2.0
// Many threads on one token, in each other's sessions, while the card is taken out, put in and
// reset: any answer may come, but no crash, no wait without end and no signature that is none.
//
//   KILT_SEED=N     the choices of an earlier run (the order of threads is the machine's)
#include <atomic>
#include <future>
#include <iostream>
#include <random>

#include "drivers/rsa_check.hpp"
#include "drivers/rsa_padding.hpp"
#include "tests/pkcs11/module_fixture.hpp"
#include "tests/pkcs11/test_cards.hpp"

namespace kilt::test {
namespace {

constexpr int sailors = 6, calls = 250, squalls = 40;

class Storm : public Cryptoki, public testing::WithParamInterface<TestCard> {
 protected:
  Storm() {
    card = std::make_shared<BenchCard>(7, false, GetParam().profile);
    bench.insert(reader_a, card);
  }
  CK_RV log_in(CK_SESSION_HANDLE session) { return login(session, GetParam().user_pin); }

  /// Raw, so that the host can judge it.
  static bool is_signature(const card::PublicKey& key, const Bytes& text, const Bytes& signature) {
    const auto block = card::pkcs1_type1_pad(text, key.modulus.size());
    return block && card::is_private_power(key, *block, signature);
  }

  card::PublicKey key_;
  std::atomic<CK_SESSION_HANDLE> shared_[4] = {};
  std::atomic<unsigned> signatures_{0}, wrong_{0};
  CK_SLOT_ID slot_ = 0;
};

/// One thread's part: a session of its own for what must be right, and everybody's for the rest.
class Sailor {
 public:
  Sailor(CK_SLOT_ID slot, std::atomic<CK_SESSION_HANDLE>* shared, std::string pin,
         unsigned long seed)
      : slot_(slot), shared_(shared), pin_(std::move(pin)), random_(seed) {}

  void act() {
    const auto session = shared_[random_() % 4].load();
    switch (random_() % 10) {
      case 0:
        return open(shared_[random_() % 4]);
      case 1:
        C_CloseSession(session);
        return;
      case 2:
        C_Login(session, CKU_USER, utf8(pin_), pin_.size());
        return;
      case 3:
        if (random_() % 4 == 0) C_Logout(session);
        return;
      case 4:
        if (random_() % 20 == 0) C_CloseAllSessions(slot_);
        return;
      case 5:
        return search(session);
      case 6: {
        CK_TOKEN_INFO info{};
        C_GetTokenInfo(slot_, &info);
        return;
      }
      case 7: {
        CK_BYTE bytes[16];
        C_GenerateRandom(session, bytes, sizeof bytes);
        return;
      }
      case 8:
        C_SessionCancel(session, CKF_SIGN | CKF_DIGEST | CKF_FIND_OBJECTS);
        return;
      default:
        return begin(session);
    }
  }
  /// Empty where something came in between.
  Bytes sign(const Bytes& text) {
    CK_SESSION_INFO info{};
    if (C_GetSessionInfo(own_, &info) != CKR_OK &&
        C_OpenSession(slot_, CKF_SERIAL_SESSION, nullptr, nullptr, &own_) != CKR_OK)
      return {};
    C_Login(own_, CKU_USER, utf8(pin_), pin_.size());
    auto wanted = Attributes().number(CKA_CLASS, CKO_PRIVATE_KEY);
    CK_OBJECT_HANDLE key = 0;
    CK_ULONG count = 0, size = 256;
    if (C_FindObjectsInit(own_, wanted.data(), wanted.size()) != CKR_OK) return {};
    const CK_RV found = C_FindObjects(own_, &key, 1, &count);
    C_FindObjectsFinal(own_);
    CK_MECHANISM mechanism{CKM_RSA_PKCS, nullptr, 0};
    Bytes signature(size);
    if (found != CKR_OK || count == 0 || C_SignInit(own_, &mechanism, key) != CKR_OK ||
        C_Sign(own_, bytes_of(text), text.size(), signature.data(), &size) != CKR_OK)
      return {};
    signature.resize(size);
    return signature;
  }

 private:
  void open(std::atomic<CK_SESSION_HANDLE>& place) {
    CK_SESSION_HANDLE session = 0;
    const CK_FLAGS flags = CKF_SERIAL_SESSION | (random_() % 2 == 0 ? CKF_RW_SESSION : 0);
    if (C_OpenSession(slot_, flags, nullptr, nullptr, &session) == CKR_OK) place = session;
  }
  static void search(CK_SESSION_HANDLE session) {
    CK_OBJECT_HANDLE found[8];
    CK_ULONG count = 0;
    if (C_FindObjectsInit(session, nullptr, 0) != CKR_OK) return;
    C_FindObjects(session, found, 8, &count);
    for (CK_ULONG i = 0; i < count; ++i) {
      CK_BYTE room[512];
      CK_ATTRIBUTE attribute{CKA_LABEL, room, sizeof room};
      C_GetAttributeValue(session, found[i], &attribute, 1);
    }
    C_FindObjectsFinal(session);
  }
  void begin(CK_SESSION_HANDLE session) {
    CK_MECHANISM digest{CKM_SHA256, nullptr, 0};
    CK_BYTE out[64], in[] = {1, 2, 3};
    CK_ULONG size = sizeof out;
    C_DigestInit(session, &digest);
    C_DigestUpdate(session, in, sizeof in);
    C_DigestFinal(session, out, &size);
  }

  CK_SLOT_ID slot_;
  std::atomic<CK_SESSION_HANDLE>* shared_;
  std::string pin_;
  std::mt19937_64 random_;
  CK_SESSION_HANDLE own_ = 0;
};

TEST_P(Storm, LeavesNothingBroken) {
  const char* given = std::getenv("KILT_SEED");
  const auto seed = given ? std::strtoul(given, nullptr, 10) : std::random_device{}();
  std::cout << "KILT_SEED=" << seed << "\n";
  start();
  slot_ = slot_of(reader_a);
  const auto session = open();
  ASSERT_TRUE(is(log_in(session), CKR_OK));
  const auto pair = generate(session, "\x01", "KEY", GetParam().bits);
  key_.modulus = read(session, pair.public_key, CKA_MODULUS);
  key_.exponent = read(session, pair.public_key, CKA_PUBLIC_EXPONENT);

  std::vector<std::future<void>> crew;
  for (unsigned i = 0; i < sailors; ++i) {
    crew.push_back(std::async(std::launch::async, [this, i, seed] {
      Sailor sailor(slot_, shared_, GetParam().user_pin, seed + i);
      for (int call = 0; call < calls; ++call) {
        sailor.act();
        if (call % 10 != 0) continue;
        const Bytes text(20, static_cast<std::uint8_t>(call + static_cast<int>(i)));
        const auto signature = sailor.sign(text);
        if (signature.empty()) continue;
        ++signatures_;
        if (!is_signature(key_, text, signature)) ++wrong_;
      }
    }));
  }
  std::mt19937_64 weather(seed);
  for (int squall = 0; squall < squalls; ++squall) {
    std::this_thread::sleep_for(std::chrono::milliseconds(weather() % 10));
    if (weather() % 3 == 0) {
      bench.pull(reader_a);
      bench.insert(reader_a, card);
    } else {
      bench.reset(*card);
    }
  }
  for (auto& sailor : crew)
    sailor.get();
  EXPECT_EQ(wrong_, 0U);
  std::cout << signatures_ << " signatures\n";

  EXPECT_TRUE(is(C_CloseAllSessions(slot_), CKR_OK));
  const auto after = open();
  EXPECT_TRUE(is(log_in(after), CKR_OK)) << "and no try was spent";
  const auto keys = find(after, Attributes().number(CKA_CLASS, CKO_PRIVATE_KEY));
  ASSERT_EQ(keys.size(), 1U);
  EXPECT_TRUE(is(sign_once(after, keys[0]), CKR_OK));
}

INSTANTIATE_TEST_SUITE_P(All, Storm, testing::ValuesIn(test_cards), name_of_card);

}  // namespace
}  // namespace kilt::test
