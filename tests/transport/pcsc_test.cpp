// SPDX-License-Identifier: Apache-2.0
// The pcsc transport in a real pcscd of the test's own, with a reader whose card the test pulls.
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <winscard.h>

#include <csignal>
#include <future>
#include <iostream>

#include "tests/transport/contract.hpp"
#include "tests/transport/ifd_host.hpp"
#include "tests/transport/private_pcscd.hpp"

namespace kilt::test {
namespace {

using namespace std::chrono_literals;
using apdu::ReaderState;

constexpr auto for_ever = std::chrono::milliseconds::max();
constexpr const char* first_reader = "kilt simulator test";
constexpr const char* second_reader = "Some Token";

class PcscRig : public Rig {
 public:
  PcscRig() {
    add_first_reader();
    pcscd.start();
  }
  ~PcscRig() override {
    pcscd.stop(SIGKILL);  // before the card that it asks for
    if (testing::Test::HasFailure()) std::cerr << pcscd.log();
  }
  void add_first_reader() {
    pcscd.add_reader(first_reader, KILT_TEST_IFD, "test:" + scratch.file("first"));
  }
  FakeCard& card() override { return host.card; }
  std::string reader() override { return name; }
  std::unique_ptr<apdu::ReaderSource> source() override { return apdu::make_pcsc_source(); }
  void stop_service() override { pcscd.stop(SIGKILL); }
  std::string service_died() override { return "no_service"; }
  void start_service() override { pcscd.start(); }
  // One look may have begun before the change.
  int looks_to_notice() override { return 2; }

  std::string name = std::string(first_reader) + " 00 00";
  ScratchDirectory scratch;
  IfdHost host{scratch.file("first")};
  PrivatePcscd pcscd;
};

INSTANTIATE_TEST_SUITE_P(Pcscd, TransportContract,
                         testing::Values([] { return std::make_unique<PcscRig>(); }),
                         [](const auto&) { return std::string("Pcscd"); });

class PcscTransport : public testing::Test {
 protected:
  std::unique_ptr<apdu::Transport> connect(const std::string& name) {
    auto made = readers_->connect(name);
    EXPECT_TRUE(made) << made.error().message();
    return made ? std::move(*made) : nullptr;
  }
  std::unique_ptr<apdu::Transport> connect() { return connect(rig_->reader()); }
  std::vector<ReaderState> wait_for_readers(std::size_t count) {
    std::vector<ReaderState> last;
    EXPECT_TRUE(eventually([&] {
      const auto states = readers_->states();
      if (states) last = *states;
      return states && states->size() == count;
    }));
    return last;
  }

  std::unique_ptr<PcscRig> rig_ = std::make_unique<PcscRig>();
  std::unique_ptr<apdu::Readers> readers_ = readers_over(rig_->source());
};

/// A program that uses PC/SC as others do.
class Foreigner {
 public:
  explicit Foreigner(DWORD share, const std::string& reader) {
    EXPECT_EQ(SCardEstablishContext(SCARD_SCOPE_SYSTEM, nullptr, nullptr, &context_), 0);
    DWORD active = 0;
    code = SCardConnect(context_, reader.c_str(), share, SCARD_PROTOCOL_T0 | SCARD_PROTOCOL_T1,
                        &card, &active);
  }
  ~Foreigner() {
    if (card != 0) SCardDisconnect(card, SCARD_LEAVE_CARD);
    SCardReleaseContext(context_);
  }
  LONG code = 0;
  SCARDHANDLE card = 0;

 private:
  SCARDCONTEXT context_ = 0;
};

TEST_F(PcscTransport, HeldExclusivelyIsBusy) {
  wait_for_readers(1);
  {
    Foreigner foreigner(SCARD_SHARE_EXCLUSIVE, rig_->reader());
    ASSERT_EQ(foreigner.code, SCARD_S_SUCCESS);
    EXPECT_EQ(kind_of(readers_->connect(rig_->reader())), "busy");
  }
  EXPECT_EQ(kind_of(readers_->connect(rig_->reader())), "ok");
}

TEST_F(PcscTransport, ForeignResetOutsideATransactionIsNotRepairedBehindTheCaller) {
  auto transport = connect();
  const auto first = transport->begin();
  ASSERT_TRUE(first);
  transport->end();
  {
    Foreigner foreigner(SCARD_SHARE_SHARED, rig_->reader());
    ASSERT_EQ(foreigner.code, SCARD_S_SUCCESS);
    DWORD active = 0;
    ASSERT_EQ(SCardReconnect(foreigner.card, SCARD_SHARE_SHARED, SCARD_PROTOCOL_T1,
                             SCARD_RESET_CARD, &active),
              SCARD_S_SUCCESS);
  }
  const int apdus = rig_->card().apdus();
  EXPECT_EQ(kind_of(transport->transmit(get_challenge)), "transport");
  EXPECT_EQ(rig_->card().apdus(), apdus) << "nothing reached the card";
  const auto second = transport->begin();
  ASSERT_TRUE(second);
  EXPECT_GT(*second, *first);
  EXPECT_EQ(kind_of(transport->transmit(get_challenge)), "ok");
}

TEST_F(PcscTransport, ForeignDisconnectWithResetIsANewEpoch) {
  auto transport = connect();
  const auto first = transport->begin();
  ASSERT_TRUE(first);
  transport->end();
  {
    Foreigner foreigner(SCARD_SHARE_SHARED, rig_->reader());
    ASSERT_EQ(SCardDisconnect(std::exchange(foreigner.card, 0), SCARD_RESET_CARD), SCARD_S_SUCCESS);
  }
  const auto second = transport->begin();
  ASSERT_TRUE(second);
  EXPECT_GT(*second, *first);
}

TEST_F(PcscTransport, OneErrorWhateverTheDriverSaysOfARemoval) {
  // 'k': success without a byte, as vpcd's driver has it.
  for (const char answer : {'n', 'e', 'g', 't', 'k'}) {
    SCOPED_TRACE(answer);
    rig_->host.removed_answer = answer;
    ASSERT_TRUE(eventually([&] { return kind_of(readers_->connect(rig_->reader())) == "ok"; }));
    auto transport = connect();
    ASSERT_TRUE(transport->begin());
    ASSERT_TRUE(transport->transmit(get_challenge));
    rig_->card().remove();
    EXPECT_EQ(kind_of(transport->transmit(get_challenge)), "removed");
    transport->end();
    // A card that returns before pcscd missed it is never seen again after SCARD_E_NO_SMARTCARD:
    // pcscd 1.9 then believes the reader empty, and sees no change.
    ASSERT_TRUE(rig_->card().wait_for_looks(rig_->looks_to_notice()));
    rig_->card().insert();
  }
}

TEST_F(PcscTransport, FailedExchangeWithTheCardStillInIsATransportError) {
  for (const char answer : {'e', 't'}) {
    SCOPED_TRACE(answer);
    rig_->host.mute_answer = answer;
    auto transport = connect();
    rig_->card().set_mute(true);
    EXPECT_EQ(kind_of(transport->transmit(get_challenge)), "transport");
    rig_->card().set_mute(false);
    EXPECT_EQ(kind_of(transport->transmit(get_challenge)), "ok");
  }
}

TEST_F(PcscTransport, MuteFromTheStart) {
  wait_for_readers(1);
  rig_->card().remove();
  ASSERT_TRUE(eventually([&] { return !readers_->states()->front().present; }));
  rig_->card().set_mute(true);
  rig_->card().insert();
  ASSERT_TRUE(eventually([&] { return readers_->states()->front().present; }));
  EXPECT_TRUE(readers_->states()->front().atr.empty());
  const auto made = readers_->connect(rig_->reader());
  EXPECT_EQ(kind_of(made), "transport");
}

TEST_F(PcscTransport, ReaderUnplugged) {
  auto transport = connect();
  const auto before = wait_for_readers(1);
  auto waiting =
      std::async(std::launch::async, [&] { return kind_of(readers_->wait(before, for_ever)); });
  rig_->host.unplugged = true;
  EXPECT_EQ(waiting.get(), "ok");
  EXPECT_EQ(kind_of(transport->transmit(get_challenge)), "removed");
  EXPECT_EQ(kind_of(transport->begin()), "removed");
  rig_->host.unplugged = false;
  ASSERT_TRUE(eventually([&] { return kind_of(readers_->connect(rig_->reader())) == "ok"; }));
  EXPECT_NE(readers_->states()->front().insertions, before.front().insertions);
}

TEST_F(PcscTransport, ServiceReturnsWithoutTheReader) {
  auto transport = connect();
  const auto before = wait_for_readers(1);
  rig_->pcscd.remove_reader(first_reader);
  rig_->pcscd.restart();
  wait_for_readers(0);
  EXPECT_EQ(kind_of(transport->begin()), "no_service");
  EXPECT_EQ(kind_of(transport->begin()), "removed");
  EXPECT_EQ(kind_of(readers_->connect(rig_->reader())), "no_reader");
  // An empty list is waited on as well.
  EXPECT_EQ(kind_of(readers_->wait({}, 20ms)), "ok");
  auto nothing =
      std::async(std::launch::async, [&] { return kind_of(readers_->wait({}, for_ever)); });
  rig_->add_first_reader();
  rig_->pcscd.restart();
  EXPECT_EQ(nothing.get(), "ok");
  const auto after = wait_for_readers(1);
  EXPECT_NE(after.front().insertions, before.front().insertions);
  ASSERT_TRUE(eventually([&] { return kind_of(readers_->connect(rig_->reader())) == "ok"; }));
}

TEST_F(PcscTransport, CancelWithoutAnyReader) {
  wait_for_readers(1);
  rig_->pcscd.remove_reader(first_reader);
  rig_->pcscd.restart();
  wait_for_readers(0);
  auto waiting =
      std::async(std::launch::async, [&] { return kind_of(readers_->wait({}, for_ever)); });
  EXPECT_EQ(waiting.wait_for(30ms), std::future_status::timeout);
  readers_->cancel();
  EXPECT_EQ(waiting.get(), "cancelled");
}

TEST_F(PcscTransport, TwoReadersAtOnce) {
  IfdHost other(rig_->scratch.file("second"));
  rig_->pcscd.add_reader(second_reader, KILT_TEST_IFD, "test:" + rig_->scratch.file("second"));
  rig_->pcscd.restart();
  std::string other_name;
  for (const auto& state : wait_for_readers(2)) {
    // pcscd numbers them in the order of the directory, which is anybody's guess.
    (state.name.starts_with(first_reader) ? rig_->name : other_name) = state.name;
  }
  ASSERT_TRUE(eventually([&] { return kind_of(readers_->connect(other_name)) == "ok"; }));
  auto one = connect();
  auto two = connect(other_name);
  EXPECT_TRUE(one->is_simulated());
  EXPECT_FALSE(two->is_simulated()) << "only a reader of the right name counts as simulated";
  // A long command on one card holds up neither the other card nor a look at the readers.
  rig_->card().hold();
  auto slow = std::async(std::launch::async, [&] { return kind_of(one->transmit(get_challenge)); });
  rig_->card().wait_until_held();
  ASSERT_TRUE(two->begin());
  for (int i = 0; i < 100; ++i)
    EXPECT_EQ(kind_of(two->transmit(get_challenge)), "ok");
  two->end();
  EXPECT_TRUE(readers_->states());
  EXPECT_EQ(kind_of(readers_->wait(*readers_->states(), 10ms)), "ok");
  EXPECT_EQ(slow.wait_for(0ms), std::future_status::timeout);
  rig_->card().let_go();
  EXPECT_EQ(slow.get(), "ok");
  two.reset();
  rig_->pcscd.stop(SIGKILL);
}

TEST_F(PcscTransport, ExtendedOnlyIfTheReaderSaysSo) {
  struct Row {
    std::uint32_t told;
    bool extended;
    std::size_t command, response;
  };
  for (const Row row : {Row{0, false, 261, 258}, Row{256, false, 261, 258},
                        Row{2048, true, 2057, 2050}, Row{65536, true, 65544, 65538}}) {
    SCOPED_TRACE(row.told);
    rig_->host.max_data = row.told;
    auto transport = connect();
    EXPECT_EQ(transport->limits().extended, row.extended);
    EXPECT_EQ(transport->limits().max_command, row.command);
    EXPECT_EQ(transport->limits().max_response, row.response);
    if (!row.extended) continue;
    EXPECT_EQ(kind_of(transport->transmit(Bytes(row.command, 0))), "ok");
    const auto answer = transport->transmit(Bytes{0x80, 0xEE, 0x08, 0x02});
    ASSERT_TRUE(answer) << answer.error().message();
    EXPECT_EQ(answer->size(), 2050U);
  }
}

TEST_F(PcscTransport, AReaderThatDoesNotTellItsLimitIsTried) {
  rig_->host.silent = true;
  auto transport = connect();
  EXPECT_TRUE(transport->limits().silent);
  EXPECT_FALSE(transport->limits().extended);
  EXPECT_EQ(kind_of(transport->transmit(Bytes(2057, 0))), "ok");
  const auto answer = transport->transmit(Bytes{0x80, 0xEE, 0x08, 0x02});
  ASSERT_TRUE(answer) << answer.error().message();
  EXPECT_EQ(answer->size(), 2050U);
  rig_->host.silent = false;
  EXPECT_FALSE(connect()->limits().silent);
}

TEST_F(PcscTransport, NoExtendedOverT0) {
  wait_for_readers(1);
  rig_->host.max_data = 65536;
  rig_->card().remove();
  ASSERT_TRUE(eventually([&] { return !readers_->states()->front().present; }));
  rig_->card().set_atr(Bytes{0x3B, 0x02, 0x14, 0x50});  // no TD1: T=0 [7816-3 §8.2.3]
  rig_->card().insert();
  ASSERT_TRUE(eventually([&] { return readers_->states()->front().present; }));
  auto transport = connect();
  EXPECT_EQ(transport->protocol(), apdu::Protocol::t0);
  EXPECT_FALSE(transport->limits().extended);
  EXPECT_EQ(kind_of(transport->transmit(get_challenge)), "ok");
}

TEST_F(PcscTransport, ManyThreads) {
  wait_for_readers(1);
  std::vector<std::future<void>> threads;
  const auto known = *readers_->states();
  for (int t = 0; t < 4; ++t) {
    threads.push_back(std::async(std::launch::async, [&] {
      for (int i = 0; i < 5; ++i) {
        auto transport = connect();
        auto transaction = apdu::Transaction::begin(*transport);
        EXPECT_EQ(kind_of(transport->transmit(get_challenge)), "ok");
        EXPECT_TRUE(readers_->states());
      }
    }));
  }
  auto waiting =
      std::async(std::launch::async, [&] { return kind_of(readers_->wait(known, for_ever)); });
  for (auto& thread : threads)
    thread.get();
  readers_->cancel();
  EXPECT_EQ(waiting.get(), "cancelled");
}

TEST_F(PcscTransport, RefusedByTheSocketsPermissions) {
  if (::geteuid() == 0) {
    // Root is refused nowhere; another user asks from a process of its own.
    ::chmod(PrivatePcscd::socket_path().c_str(), 0600);
    const pid_t child = ::fork();
    if (child == 0) {
      if (::setuid(65534) != 0) ::_exit(9);
      const auto states = apdu::make_pcsc_source()->states();
      ::_exit(!states && states.error().kind == ErrorKind::no_permission ? 0 : 1);
    }
    int status = -1;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    EXPECT_EQ(status, 0);
  } else {
    ::chmod(PrivatePcscd::socket_path().c_str(), 0);
    EXPECT_EQ(kind_of(readers_->states()), "no_permission");
  }
}

}  // namespace
}  // namespace kilt::test
