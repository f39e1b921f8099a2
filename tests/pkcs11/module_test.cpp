// SPDX-License-Identifier: Apache-2.0
// The library in its process: C_Initialize, C_Finalize, interfaces, fork.
#include <sys/wait.h>
#include <unistd.h>

#include <future>
#include <thread>

#include "tests/pkcs11/module_fixture.hpp"

namespace kilt::test {
namespace {

using Module = Cryptoki;

CK_RV create_mutex(CK_VOID_PTR* out) {
  *out = new std::mutex;
  return CKR_OK;
}
CK_RV destroy_mutex(CK_VOID_PTR mutex) {
  delete static_cast<std::mutex*>(mutex);
  return CKR_OK;
}
std::atomic<unsigned> locked{0};
CK_RV lock_mutex(CK_VOID_PTR mutex) {
  static_cast<std::mutex*>(mutex)->lock();
  ++locked;
  return CKR_OK;
}
CK_RV unlock_mutex(CK_VOID_PTR mutex) {
  static_cast<std::mutex*>(mutex)->unlock();
  return CKR_OK;
}
CK_RV no_mutex(CK_VOID_PTR*) {
  return CKR_HOST_MEMORY;
}

CK_C_INITIALIZE_ARGS arguments() {
  CK_C_INITIALIZE_ARGS args{};
  args.CreateMutex = create_mutex;
  args.DestroyMutex = destroy_mutex;
  args.LockMutex = lock_mutex;
  args.UnlockMutex = unlock_mutex;
  return args;
}

/// What `check` says in a forked child: true is success.
template <class Check>
bool in_child(Check check, pid_t (*make_child)() = ::fork) {
  const pid_t child = make_child();
  if (child == 0) ::_exit(check() ? 0 : 1);
  int status = -1;
  ::waitpid(child, &status, 0);
  return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

TEST_F(Module, IsInitialisedOnce) {
  EXPECT_TRUE(is(C_Finalize(nullptr), CKR_CRYPTOKI_NOT_INITIALIZED));
  initialize();
  EXPECT_TRUE(is(C_Initialize(nullptr), CKR_CRYPTOKI_ALREADY_INITIALIZED));
  int other = 0;
  EXPECT_TRUE(is(C_Finalize(&other), CKR_ARGUMENTS_BAD));
  EXPECT_TRUE(is(C_Finalize(nullptr), CKR_OK));
  EXPECT_TRUE(is(C_Finalize(nullptr), CKR_CRYPTOKI_NOT_INITIALIZED));
  initialize();
}

TEST_F(Module, AsksNoReaderToInitialise) {
  initialize();
  EXPECT_EQ(bench.connects, 0U);
  EXPECT_EQ(card->exchanges, 0U);
}

TEST_F(Module, RefusesReservedAndHalfGivenArguments) {
  auto args = arguments();
  CK_CHAR text[] = "parameters";
  args.LibraryParameters = reinterpret_cast<CK_CHAR_PTR*>(text);
  EXPECT_TRUE(is(C_Initialize(&args), CKR_ARGUMENTS_BAD));
  args = arguments();
  args.UnlockMutex = nullptr;
  EXPECT_TRUE(is(C_Initialize(&args), CKR_ARGUMENTS_BAD));
}

TEST_F(Module, LocksWithTheApplicationsMutexesWhenToldSo) {
  auto args = arguments();
  locked = 0;
  ASSERT_TRUE(is(C_Initialize(&args), CKR_OK));
  const auto session = open();
  EXPECT_TRUE(is(login(session), CKR_OK));
  EXPECT_GT(locked, 0U);
  EXPECT_TRUE(is(C_Finalize(nullptr), CKR_OK));

  args.flags = CKF_OS_LOCKING_OK;
  locked = 0;
  ASSERT_TRUE(is(C_Initialize(&args), CKR_OK));
  static_cast<void>(open());
  EXPECT_EQ(locked, 0U);
  EXPECT_TRUE(is(C_Finalize(nullptr), CKR_OK));

  args = arguments();
  args.CreateMutex = no_mutex;
  EXPECT_TRUE(is(C_Initialize(&args), CKR_HOST_MEMORY));
}

TEST_F(Module, NothingWorksBeforeInitialise) {
  CK_ULONG count = 0;
  CK_INFO info{};
  CK_SLOT_INFO slot{};
  CK_BYTE byte = 0;
  EXPECT_TRUE(is(C_GetInfo(&info), CKR_CRYPTOKI_NOT_INITIALIZED));
  EXPECT_TRUE(is(C_GetSlotList(CK_TRUE, nullptr, &count), CKR_CRYPTOKI_NOT_INITIALIZED));
  EXPECT_TRUE(is(C_GetSlotInfo(0, &slot), CKR_CRYPTOKI_NOT_INITIALIZED));
  EXPECT_TRUE(is(C_CloseSession(1), CKR_CRYPTOKI_NOT_INITIALIZED));
  EXPECT_TRUE(is(C_Sign(1, &byte, 1, &byte, &count), CKR_CRYPTOKI_NOT_INITIALIZED));
  EXPECT_TRUE(is(C_WrapKey(1, nullptr, 1, 1, nullptr, nullptr), CKR_CRYPTOKI_NOT_INITIALIZED));
}

TEST_F(Module, TellsItsNameAndVersion) {
  initialize();
  CK_INFO info{};
  ASSERT_TRUE(is(C_GetInfo(&info), CKR_OK));
  EXPECT_EQ(std::string(info.manufacturerID, info.manufacturerID + 32),
            "kilt" + std::string(28, ' '));
  EXPECT_EQ(info.cryptokiVersion.major, 2);
  EXPECT_EQ(info.cryptokiVersion.minor, 40);
  EXPECT_EQ(info.flags, 0U);
  EXPECT_TRUE(is(C_GetInfo(nullptr), CKR_ARGUMENTS_BAD));
}

TEST_F(Module, OffersBothInterfaces) {
  CK_ULONG count = 0;
  EXPECT_TRUE(is(C_GetInterfaceList(nullptr, nullptr), CKR_ARGUMENTS_BAD));
  ASSERT_TRUE(is(C_GetInterfaceList(nullptr, &count), CKR_OK));
  ASSERT_EQ(count, 2U);
  std::vector<CK_INTERFACE> list(count);
  count = 1;
  EXPECT_TRUE(is(C_GetInterfaceList(list.data(), &count), CKR_BUFFER_TOO_SMALL));
  EXPECT_EQ(count, 2U);
  ASSERT_TRUE(is(C_GetInterfaceList(list.data(), &count), CKR_OK));

  CK_INTERFACE* one = nullptr;
  ASSERT_TRUE(is(C_GetInterface(nullptr, nullptr, &one, 0), CKR_OK));
  EXPECT_EQ(static_cast<CK_VERSION*>(one->pFunctionList)->major, 3);
  CK_VERSION wanted{2, 40};
  ASSERT_TRUE(is(C_GetInterface(utf8("PKCS 11"), &wanted, &one, 0), CKR_OK));
  CK_FUNCTION_LIST* functions = nullptr;
  ASSERT_TRUE(is(C_GetFunctionList(&functions), CKR_OK));
  EXPECT_EQ(one->pFunctionList, functions);
  wanted = {3, 2};
  EXPECT_TRUE(is(C_GetInterface(utf8("PKCS 11"), &wanted, &one, 0), CKR_FUNCTION_FAILED));
  EXPECT_TRUE(is(C_GetInterface(utf8("another"), nullptr, &one, 0), CKR_FUNCTION_FAILED));
  EXPECT_TRUE(
      is(C_GetInterface(nullptr, nullptr, &one, CKF_INTERFACE_FORK_SAFE), CKR_FUNCTION_FAILED));
  EXPECT_TRUE(is(C_GetInterface(nullptr, nullptr, nullptr, 0), CKR_ARGUMENTS_BAD));
}

TEST_F(Module, EveryEntryOfBothListsIsThere) {
  CK_FUNCTION_LIST* list = nullptr;
  ASSERT_TRUE(is(C_GetFunctionList(&list), CKR_OK));
  const auto all_set = [](const void* from, std::size_t size) {
    // After the version and its padding there are only pointers.
    const auto* pointers = static_cast<void* const*>(from);
    for (std::size_t i = 1; i < size / sizeof(void*); ++i) {
      if (pointers[i] == nullptr) return false;
    }
    return true;
  };
  EXPECT_TRUE(all_set(list, sizeof *list));
  CK_INTERFACE* one = nullptr;
  ASSERT_TRUE(is(C_GetInterface(nullptr, nullptr, &one, 0), CKR_OK));
  EXPECT_TRUE(all_set(one->pFunctionList, sizeof(CK_FUNCTION_LIST_3_0)));
}

TEST_F(Module, WorksWithoutAService) {
  bench.set_service(false);
  initialize();
  CK_ULONG count = 7;
  EXPECT_TRUE(is(C_GetSlotList(CK_FALSE, nullptr, &count), CKR_OK));
  EXPECT_EQ(count, 0U);
  bench.set_service(true);
  EXPECT_TRUE(is(C_GetSlotList(CK_TRUE, nullptr, &count), CKR_OK));
  EXPECT_EQ(count, 1U);
}

TEST_F(Module, FinaliseLogsOut) {
  static_cast<void>(user_session());
  EXPECT_TRUE(is(C_Finalize(nullptr), CKR_OK));
  // VERIFY without a body asks: 9000 would mean that somebody is logged in.
  const Bytes ask{0x00, 0x20, 0x00, 0x02};
  EXPECT_NE(bench.foreign(*card, ask), 0x9000);
}

TEST_F(Module, FinaliseWakesAWaiter) {
  start();
  std::promise<void> begun;
  auto waiter = std::async(std::launch::async, [&] {
    begun.set_value();
    CK_SLOT_ID slot = 0;
    return C_WaitForSlotEvent(0, &slot, nullptr);
  });
  begun.get_future().wait();
  EXPECT_TRUE(is(C_Finalize(nullptr), CKR_OK));
  EXPECT_TRUE(is(waiter.get(), CKR_CRYPTOKI_NOT_INITIALIZED));
}

TEST_F(Module, AChildOwnsNothingUntilItInitialises) {
  const auto session = user_session();
  const auto key = generate(session).private_key;
  const auto before = card->exchanges;
  EXPECT_TRUE(in_child([&] {
    CK_SESSION_INFO info{};
    CK_ULONG count = 0;
    return C_GetSessionInfo(session, &info) == CKR_CRYPTOKI_NOT_INITIALIZED &&
           sign_once(session, key) == CKR_CRYPTOKI_NOT_INITIALIZED &&
           C_GetSlotList(CK_TRUE, nullptr, &count) == CKR_CRYPTOKI_NOT_INITIALIZED &&
           C_Finalize(nullptr) == CKR_CRYPTOKI_NOT_INITIALIZED && card->exchanges == before &&
           bench.disconnects == 0;
  }));
  EXPECT_TRUE(is(sign_once(session, key), CKR_OK));
}

// Without the handlers of fork(), as posix_spawn's relatives and bare clone() make children.
TEST_F(Module, AChildMadeWithoutHandlersOwnsNothingEither) {
  const auto session = user_session();
  const auto key = generate(session).private_key;
  const auto before = card->exchanges;
  EXPECT_TRUE(in_child(
      [&] {
        CK_SESSION_INFO info{};
        CK_ULONG count = 0;
        return C_GetSessionInfo(session, &info) == CKR_CRYPTOKI_NOT_INITIALIZED &&
               sign_once(session, key) == CKR_CRYPTOKI_NOT_INITIALIZED &&
               C_GetSlotList(CK_TRUE, nullptr, &count) == CKR_CRYPTOKI_NOT_INITIALIZED &&
               C_Logout(session) == CKR_CRYPTOKI_NOT_INITIALIZED &&
               C_Finalize(nullptr) == CKR_CRYPTOKI_NOT_INITIALIZED && card->exchanges == before &&
               bench.disconnects == 0;
      },
      ::_Fork));
  EXPECT_TRUE(in_child(
      [&] {
        if (C_Initialize(nullptr) != CKR_OK || bench.disconnects != 0) return false;
        if (bench.abandoned != 2 || card->exchanges != before) return false;
        return C_Finalize(nullptr) == CKR_OK;
      },
      ::_Fork));
  EXPECT_TRUE(is(sign_once(session, key), CKR_OK));
}

TEST_F(Module, AChildThatInitialisesBeginsAfreshAndSaysNothingOfTheParents) {
  const auto session = user_session();
  const auto key = generate(session).private_key;
  EXPECT_TRUE(in_child([&] {
    const auto before = card->exchanges;
    if (C_Initialize(nullptr) != CKR_OK) return false;
    // The parent's connection and its readers were let go without a word.
    if (bench.abandoned != 2 || bench.disconnects != 0 || card->exchanges != before) return false;
    CK_SESSION_INFO info{};
    if (C_GetSessionInfo(session, &info) != CKR_SESSION_HANDLE_INVALID) return false;
    const auto own = open();
    return state(own) == CKS_RW_PUBLIC_SESSION && C_Finalize(nullptr) == CKR_OK;
  }));
  EXPECT_TRUE(is(sign_once(session, key), CKR_OK));
}

TEST_F(Module, AChildNumbersItsSlotsAsItsParentDid) {
  bench.add_reader(reader_b);
  start();
  const auto a = slot_of(reader_a), b = slot_of(reader_b);
  EXPECT_NE(a, b);
  const auto same = [&] {
    bench.remove_reader(reader_a);  // whose number the other must not get
    if (C_Initialize(nullptr) != CKR_OK || slot_of(reader_b) != b) return false;
    bench.add_reader(reader_a);
    bench.add_reader("kilt simulator Z");
    const auto added = slot_of("kilt simulator Z");
    return slot_of(reader_a) == a && slot_of(reader_b) == b && added != a && added != b;
  };
  EXPECT_TRUE(in_child(same));
  EXPECT_TRUE(in_child(same, ::_Fork));
  // Nor does a parent in between that does not use the module, or does so no more.
  EXPECT_TRUE(in_child([&] { return in_child(same); }));
  EXPECT_TRUE(is(C_Finalize(nullptr), CKR_OK));
  EXPECT_TRUE(in_child(same));
}

TEST_F(Module, AForkInTheMiddleOfACallHarmsNobody) {
  const auto session = user_session();
  const auto key = generate(session).private_key;
  std::promise<void> inside, go_on;
  bool first = true;
  card->before = [&](ByteView) {
    if (!std::exchange(first, false)) return;
    inside.set_value();
    go_on.get_future().wait();
  };
  auto signing = std::async(std::launch::async, [&] { return sign_once(session, key); });
  inside.get_future().wait();
  // The token's lock is held by a thread that the child does not have.
  EXPECT_TRUE(in_child([&] {
    CK_SESSION_INFO info{};
    if (C_GetSessionInfo(session, &info) != CKR_CRYPTOKI_NOT_INITIALIZED) return false;
    return C_Initialize(nullptr) == CKR_OK && C_Finalize(nullptr) == CKR_OK;
  }));
  go_on.set_value();
  EXPECT_TRUE(is(signing.get(), CKR_OK));
  card->before = nullptr;
}

TEST_F(Module, FinaliseDoesNotWaitForAHungReader) {
  const auto session = user_session();
  const auto key = generate(session).private_key;
  std::promise<void> inside, go_on;
  bool first = true;
  card->before = [&](ByteView) {
    if (!std::exchange(first, false)) return;
    inside.set_value();
    go_on.get_future().wait();
  };
  auto signing = std::async(std::launch::async, [&] { return sign_once(session, key); });
  inside.get_future().wait();
  const auto begin = std::chrono::steady_clock::now();
  EXPECT_TRUE(is(C_Finalize(nullptr), CKR_OK));
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(8));
  go_on.set_value();
  signing.get();
  card->before = nullptr;
  // What was held up logged out when it ended.
  EXPECT_NE(bench.foreign(*card, Bytes{0x00, 0x20, 0x00, 0x02}), 0x9000);
}

TEST_F(Module, ManyThreadsInitialiseAtOnce) {
  std::vector<std::future<CK_RV>> calls;
  for (int i = 0; i < 8; ++i) {
    calls.push_back(std::async(std::launch::async, [] { return C_Initialize(nullptr); }));
  }
  int first = 0;
  for (auto& call : calls) {
    const CK_RV rv = call.get();
    first += rv == CKR_OK;
    EXPECT_TRUE(rv == CKR_OK || rv == CKR_CRYPTOKI_ALREADY_INITIALIZED);
  }
  EXPECT_EQ(first, 1);
}

}  // namespace
}  // namespace kilt::test
