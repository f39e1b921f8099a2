// SPDX-License-Identifier: Apache-2.0
// Slots and their events, tokens and what is told of them.
#include <algorithm>
#include <future>
#include <optional>

#include "pkcs11/module.hpp"
#include "tests/openssl.hpp"
#include "tests/pkcs11/module_fixture.hpp"
#include "tests/pkcs11/test_cards.hpp"

namespace kilt::test {
namespace {

using Slots = Cryptoki;

/// One reader with a card in it that nobody lets us connect to.
struct Door {
  std::optional<ErrorKind> shut{};  ///< what asking for the readers says
  Bytes atr{};
  unsigned knocks = 0;
};
Door* the_door = nullptr;

class DoorSource : public apdu::ReaderSource {
 public:
  Result<std::vector<apdu::ReaderState>> states() override {
    if (the_door->shut) {
      return Error{*the_door->shut, std::string("the door says ") + to_string(*the_door->shut)};
    }
    return std::vector<apdu::ReaderState>{{reader_a, true, the_door->atr, 1, true}};
  }
  Status wait(const std::vector<apdu::ReaderState>&, std::chrono::milliseconds) override {
    return {};
  }
  void cancel() override {}
  Result<std::unique_ptr<apdu::Transport>> connect(const std::string&) override {
    ++the_door->knocks;
    return Error{ErrorKind::busy, "another program holds the reader"};
  }
  [[nodiscard]] bool owns(const std::string& name) const override { return name == reader_a; }
  void abandon() override {}
};

class ShutDoor : public Cryptoki {
 protected:
  ShutDoor() {
    door.atr = card->chip->atr();
    the_door = &door;
    p11::set_readers_factory([](const std::string&) -> Result<std::unique_ptr<apdu::Readers>> {
      std::vector<std::unique_ptr<apdu::ReaderSource>> sources;
      sources.push_back(std::make_unique<DoorSource>());
      return std::make_unique<apdu::Readers>(std::move(sources));
    });
    ::setenv("KILT_LOG", ("warn:" + directory.file("log")).c_str(), 1);
  }
  void TearDown() override {
    Cryptoki::TearDown();
    ::unsetenv("KILT_LOG");
    the_door = nullptr;
  }
  [[nodiscard]] std::string said() const { return as_text(directory.read("log")); }
  TemporaryDirectory directory;
  Door door;
};

class EachCard : public Cryptoki, public testing::WithParamInterface<TestCard> {
 protected:
  EachCard() {
    card = std::make_shared<BenchCard>(7, false, GetParam().profile);
    bench.insert(reader_a, card);
  }
};

std::vector<CK_SLOT_ID> slots(bool with_token) {
  CK_ULONG count = 0;
  EXPECT_TRUE(is(C_GetSlotList(with_token, nullptr, &count), CKR_OK));
  std::vector<CK_SLOT_ID> ids(count);
  EXPECT_TRUE(is(C_GetSlotList(with_token, ids.data(), &count), CKR_OK));
  ids.resize(count);
  return ids;
}

std::shared_ptr<BenchCard> stranger() {
  auto card = std::make_shared<BenchCard>();
  card->chip.reset();
  card->unknown_atr = {0x3B, 0x02, 0x14, 0x50};
  return card;
}

TEST_F(Slots, AreCountedAndListed) {
  bench.add_reader(reader_b);
  initialize();
  EXPECT_EQ(slots(false).size(), 2U);
  EXPECT_EQ(slots(true).size(), 1U);
  CK_ULONG count = 0;
  CK_SLOT_ID id = 0;
  EXPECT_TRUE(is(C_GetSlotList(CK_FALSE, &id, &count), CKR_BUFFER_TOO_SMALL));
  EXPECT_EQ(count, 2U);
  EXPECT_TRUE(is(C_GetSlotList(CK_FALSE, &id, nullptr), CKR_ARGUMENTS_BAD));
}

TEST_F(Slots, KeepTheirIdsAndNeverGoAway) {
  initialize();
  bench.add_reader(reader_b);
  const auto a = slot_of(reader_a), b = slot_of(reader_b);
  EXPECT_NE(a, b);
  EXPECT_LT(b, 1UL << 31);
  bench.remove_reader(reader_a);
  EXPECT_EQ(slots(false).size(), 2U);
  CK_SLOT_INFO info{};
  ASSERT_TRUE(is(C_GetSlotInfo(a, &info), CKR_OK));
  EXPECT_FALSE(info.flags & CKF_TOKEN_PRESENT);
  bench.add_reader(reader_a);
  EXPECT_EQ(slot_of(reader_a), a);
  // Also over C_Finalize, for applications keep them.
  EXPECT_TRUE(is(C_Finalize(nullptr), CKR_OK));
  initialize();
  EXPECT_EQ(slot_of(reader_b), b);
}

TEST_F(Slots, NewReadersAppearWhenTheirNumberIsAsked) {
  initialize();
  EXPECT_EQ(slots(false).size(), 1U);
  bench.add_reader(reader_b);
  CK_SLOT_ID ids[4];
  CK_ULONG count = 4;
  EXPECT_TRUE(is(C_GetSlotList(CK_FALSE, ids, &count), CKR_OK));
  EXPECT_EQ(count, 1U);
  EXPECT_EQ(slots(false).size(), 2U);
}

TEST_F(Slots, TellWhatTheyAreWithoutTheCard) {
  initialize();
  const auto id = slot_of(reader_a);
  CK_SLOT_INFO info{};
  ASSERT_TRUE(is(C_GetSlotInfo(id, &info), CKR_OK));
  std::string description(info.slotDescription, info.slotDescription + 64);
  EXPECT_EQ(description, reader_a + std::string(64 - std::strlen(reader_a), ' '));
  EXPECT_EQ(info.flags, CKF_TOKEN_PRESENT | CKF_REMOVABLE_DEVICE);
  CK_ULONG count = 0;
  EXPECT_TRUE(is(C_GetMechanismList(id, nullptr, &count), CKR_OK));
  CK_MECHANISM_INFO mechanism{};
  EXPECT_TRUE(is(C_GetMechanismInfo(id, CKM_SHA256_RSA_PKCS, &mechanism), CKR_OK));
  EXPECT_EQ(card->exchanges, 0U);
  EXPECT_EQ(bench.connects, 0U);
  EXPECT_TRUE(is(C_GetMechanismInfo(id, CKM_AES_CBC, &mechanism), CKR_MECHANISM_INVALID));
  EXPECT_TRUE(is(C_GetSlotInfo(99, &info), CKR_SLOT_ID_INVALID));
  EXPECT_TRUE(is(C_GetSlotInfo(id, nullptr), CKR_ARGUMENTS_BAD));
}

TEST_F(Slots, ACardThatNobodyKnowsIsGivenUpAtOnce) {
  initialize();
  bench.insert(reader_b, stranger());
  const auto id = slot_of(reader_b);
  CK_SLOT_INFO info{};
  ASSERT_TRUE(is(C_GetSlotInfo(id, &info), CKR_OK));
  EXPECT_TRUE(info.flags & CKF_TOKEN_PRESENT);
  CK_TOKEN_INFO token{};
  EXPECT_TRUE(is(C_GetTokenInfo(id, &token), CKR_TOKEN_NOT_RECOGNIZED));
  const auto connects = bench.connects;
  CK_SESSION_HANDLE session = 0;
  EXPECT_TRUE(is(C_OpenSession(id, CKF_SERIAL_SESSION, nullptr, nullptr, &session),
                 CKR_TOKEN_NOT_RECOGNIZED));
  EXPECT_EQ(bench.connects, connects) << "asked only once";
  EXPECT_EQ(bench.disconnects, connects) << "left to the programs that know it";
  // Another card in its place is looked at anew.
  bench.pull(reader_b);
  EXPECT_TRUE(is(C_GetTokenInfo(id, &token), CKR_TOKEN_NOT_PRESENT));
  bench.insert(reader_b, std::make_shared<BenchCard>(9));
  EXPECT_TRUE(is(C_GetTokenInfo(id, &token), CKR_OK));
}

TEST_F(ShutDoor, AReaderHeldByAnotherProgramIsPassedOver) {
  initialize();
  const auto ids = slots(true);
  ASSERT_EQ(ids.size(), 1U) << "the card is there";
  CK_TOKEN_INFO token{};
  EXPECT_TRUE(is(C_GetTokenInfo(ids[0], &token), CKR_DEVICE_ERROR));
  EXPECT_NE(said().find("another program holds the reader (busy)"), std::string::npos) << said();
  // It is asked again, for the other may be gone by now.
  const auto knocks = door.knocks;
  CK_SESSION_HANDLE session = 0;
  EXPECT_TRUE(
      is(C_OpenSession(ids[0], CKF_SERIAL_SESSION, nullptr, nullptr, &session), CKR_DEVICE_ERROR));
  EXPECT_GT(door.knocks, knocks);
}

TEST_F(ShutDoor, WhyNoReaderCanBeAskedIsInTheLog) {
  for (const auto kind : {ErrorKind::no_permission, ErrorKind::no_service}) {
    door.shut = kind;
    initialize();
    EXPECT_TRUE(slots(false).empty());
    const auto why = std::string("no reader can be asked: the door says ") + to_string(kind);
    EXPECT_NE(said().find(why), std::string::npos) << said();
    // A service that comes or relents later is heard at the next question.
    door.shut.reset();
    EXPECT_EQ(slots(true).size(), 1U);
    EXPECT_TRUE(is(C_Finalize(nullptr), CKR_OK));
  }
}

TEST_P(EachCard, TakesAPinOfEveryLengthThatItNames) {
  start();
  const auto session = open();
  CK_TOKEN_INFO info{};
  ASSERT_TRUE(is(C_GetTokenInfo(slot_of(reader_a), &info), CKR_OK));
  std::string pin = GetParam().user_pin;
  std::vector<std::size_t> taken;
  for (std::size_t length = 1; length <= info.ulMaxPinLen; ++length) {
    SCOPED_TRACE(length);
    const std::string next = std::string("2468135792468135792468135792468135").substr(0, length);
    const CK_RV rv = C_SetPIN(session, utf8(pin), pin.size(), utf8(next), next.size());
    // A new PIN may have to be longer than one that somebody gave the card before.
    if (taken.empty() && rv == CKR_PIN_LEN_RANGE) continue;
    ASSERT_TRUE(is(rv, CKR_OK));
    pin = next;
    taken.push_back(length);
    EXPECT_TRUE(is(login(session, pin), CKR_OK));
    EXPECT_TRUE(is(C_Logout(session), CKR_OK));
  }
  ASSERT_FALSE(taken.empty());
  EXPECT_LE(taken.front(), 8U);
  EXPECT_EQ(taken.size(), info.ulMaxPinLen + 1 - taken.front());
  EXPECT_FALSE(token_flags() & CKF_USER_PIN_COUNT_LOW) << "no try was lost over it";
}

INSTANTIATE_TEST_SUITE_P(Cards, EachCard, testing::ValuesIn(test_cards), name_of_card);

TEST_F(Slots, EventsAreToldOnceEach) {
  start();
  bench.add_reader(reader_b);
  CK_SLOT_ID id = 99;
  EXPECT_TRUE(is(C_WaitForSlotEvent(CKF_DONT_BLOCK, &id, nullptr), CKR_NO_EVENT));
  bench.pull(reader_a);
  ASSERT_TRUE(is(C_WaitForSlotEvent(CKF_DONT_BLOCK, &id, nullptr), CKR_OK));
  EXPECT_EQ(id, slot_of(reader_a));
  EXPECT_TRUE(is(C_WaitForSlotEvent(CKF_DONT_BLOCK, &id, nullptr), CKR_NO_EVENT));
  // Looking at the slots meanwhile eats no event.
  bench.insert(reader_b, std::make_shared<BenchCard>(9));
  EXPECT_EQ(slots(true).size(), 1U);
  ASSERT_TRUE(is(C_WaitForSlotEvent(CKF_DONT_BLOCK, &id, nullptr), CKR_OK));
  EXPECT_EQ(id, slot_of(reader_b));
  EXPECT_TRUE(is(C_WaitForSlotEvent(0, nullptr, nullptr), CKR_ARGUMENTS_BAD));
  EXPECT_TRUE(is(C_WaitForSlotEvent(0, &id, &id), CKR_ARGUMENTS_BAD));
}

TEST_F(Slots, ABlockedWaiterSeesAReaderThatComesLater) {
  start();
  CK_SLOT_ID id = 99;
  auto waiter = std::async(std::launch::async, [&] { return C_WaitForSlotEvent(0, &id, nullptr); });
  // Other calls go on meanwhile.
  const auto session = open();
  EXPECT_EQ(state(session), CKS_RW_PUBLIC_SESSION);
  bench.insert(reader_b, std::make_shared<BenchCard>(9));
  ASSERT_TRUE(is(waiter.get(), CKR_OK));
  EXPECT_EQ(id, slot_of(reader_b));
}

TEST_F(Slots, AFastExchangeOfCardsIsAnEvent) {
  start();
  bench.pull(reader_a);
  bench.insert(reader_a, std::make_shared<BenchCard>(9));
  CK_SLOT_ID id = 99;
  EXPECT_TRUE(is(C_WaitForSlotEvent(CKF_DONT_BLOCK, &id, nullptr), CKR_OK));
}

TEST_F(Slots, TheTokenTellsWhatItIs) {
  start();
  CK_TOKEN_INFO info{};
  ASSERT_TRUE(is(C_GetTokenInfo(slot_of(reader_a), &info), CKR_OK));
  const auto text = [](const CK_UTF8CHAR* field, std::size_t size) {
    return std::string(field, field + size);
  };
  EXPECT_EQ(text(info.manufacturerID, 32), "kilt" + std::string(28, ' '));
  EXPECT_EQ(text(info.model, 16), "KAZTOKEN        ");
  EXPECT_EQ(text(info.serialNumber, 16).find_first_not_of("0123456789ABCDEF "), std::string::npos);
  EXPECT_NE(info.serialNumber[0], ' ');
  EXPECT_EQ(info.flags,
            CKF_RNG | CKF_LOGIN_REQUIRED | CKF_USER_PIN_INITIALIZED | CKF_TOKEN_INITIALIZED);
  EXPECT_GE(info.ulMaxPinLen, 8U);
  EXPECT_EQ(info.ulSessionCount, 0U);
  EXPECT_EQ(info.ulMaxSessionCount, CK_EFFECTIVELY_INFINITE);
  EXPECT_EQ(info.ulFreePublicMemory, CK_UNAVAILABLE_INFORMATION);
  const auto first = open(true);
  static_cast<void>(open(false));
  ASSERT_TRUE(is(C_GetTokenInfo(slot_of(reader_a), &info), CKR_OK));
  EXPECT_EQ(info.ulSessionCount, 2U);
  EXPECT_EQ(info.ulRwSessionCount, 1U);
  EXPECT_TRUE(is(C_CloseSession(first), CKR_OK));
  EXPECT_TRUE(is(C_GetTokenInfo(slot_of(reader_a), nullptr), CKR_ARGUMENTS_BAD));
}

TEST_F(Slots, ABlankTokenSaysSo) {
  initialize();
  bench.insert(reader_b, std::make_shared<BenchCard>(9, true));
  CK_TOKEN_INFO info{};
  ASSERT_TRUE(is(C_GetTokenInfo(slot_of(reader_b), &info), CKR_OK));
  EXPECT_FALSE(info.flags & (CKF_TOKEN_INITIALIZED | CKF_USER_PIN_INITIALIZED));
}

TEST_F(Slots, ADeviceWithTwoTokensHasTwo) {
  bench.insert(reader_a, std::make_shared<BenchCard>(7, false, "jacarta-combined"));
  initialize();
  const auto ids = slots(true);
  ASSERT_EQ(ids.size(), 2U);
  EXPECT_LT(ids[1], 1UL << 31);
  CK_SLOT_INFO about[2]{};
  CK_TOKEN_INFO tokens[2]{};
  for (int i = 0; i < 2; ++i) {
    ASSERT_TRUE(is(C_GetSlotInfo(ids[i], &about[i]), CKR_OK));
    ASSERT_TRUE(is(C_GetTokenInfo(ids[i], &tokens[i]), CKR_OK));
    EXPECT_TRUE(about[i].flags & CKF_TOKEN_PRESENT);
  }
  EXPECT_NE(std::memcmp(about[0].slotDescription, about[1].slotDescription, 64), 0);

  // Each has its own login, keys and sessions, and they take turns on one chip.
  CK_SESSION_HANDLE sessions[2]{};
  CK_OBJECT_HANDLE keys[2]{};
  for (int i = 0; i < 2; ++i) {
    ASSERT_TRUE(is(
        C_OpenSession(ids[i], CKF_SERIAL_SESSION | CKF_RW_SESSION, nullptr, nullptr, &sessions[i]),
        CKR_OK));
    EXPECT_EQ(state(sessions[i]), CKS_RW_PUBLIC_SESSION);
    ASSERT_TRUE(is(login(sessions[i], "1234567890"), CKR_OK));
    keys[i] = generate(sessions[i], "\x01", i == 0 ? "ONE" : "TWO", 2048).private_key;
  }
  for (int round = 0; round < 3; ++round) {
    for (int i = 0; i < 2; ++i)
      EXPECT_TRUE(is(sign_once(sessions[i], keys[i]), CKR_OK)) << i;
  }
  EXPECT_TRUE(is(sign_once(sessions[0], keys[1]), CKR_KEY_HANDLE_INVALID));
  for (int i = 0; i < 2; ++i) {
    EXPECT_EQ(find(sessions[i], Attributes().number(CKA_CLASS, CKO_PRIVATE_KEY)).size(), 1U);
  }
  ASSERT_TRUE(is(C_Logout(sessions[0]), CKR_OK));
  EXPECT_EQ(state(sessions[1]), CKS_RW_USER_FUNCTIONS);
  EXPECT_TRUE(is(sign_once(sessions[1], keys[1]), CKR_OK));

  // Both leave together, and another card in the reader is one token again.
  bench.pull(reader_a);
  for (const auto session : sessions) {
    CK_SESSION_INFO info{};
    EXPECT_TRUE(is(C_GetSessionInfo(session, &info), CKR_DEVICE_REMOVED));
  }
  EXPECT_TRUE(slots(true).empty());
  bench.insert(reader_a, std::make_shared<BenchCard>(9));
  EXPECT_EQ(slots(true).size(), 1U);
  EXPECT_EQ(slots(false).size(), 2U) << "slots never go away";
}

}  // namespace
}  // namespace kilt::test
