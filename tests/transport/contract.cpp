// SPDX-License-Identifier: Apache-2.0
#include "tests/transport/contract.hpp"

#include <sys/wait.h>
#include <unistd.h>

#include <future>
#include <thread>

namespace kilt::test {

using namespace std::chrono_literals;
using apdu::Leave;
using apdu::Readers;
using apdu::ReaderState;
using apdu::Transport;

bool eventually(const std::function<bool()>& holds) {
  const auto deadline = std::chrono::steady_clock::now() + 10s;
  while (!holds()) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    std::this_thread::yield();
  }
  return true;
}

std::unique_ptr<Readers> readers_over(std::unique_ptr<apdu::ReaderSource> source) {
  std::vector<std::unique_ptr<apdu::ReaderSource>> sources;
  sources.push_back(std::move(source));
  return std::make_unique<Readers>(std::move(sources));
}

void TransportContract::SetUp() {
  rig_ = GetParam()();
  readers_ = readers_over(rig_->source());
  wait_for([](const ReaderState& state) { return state.present && !state.atr.empty(); });
}

void TransportContract::TearDown() {
  readers_.reset();
  rig_.reset();
}

std::unique_ptr<Readers> TransportContract::another_program() {
  return readers_over(rig_->source());
}

std::unique_ptr<Transport> TransportContract::connect(Readers& through) {
  auto made = through.connect(rig_->reader());
  EXPECT_TRUE(made) << made.error().message();
  return made ? std::move(*made) : nullptr;
}

ReaderState TransportContract::wait_for(const std::function<bool(const ReaderState&)>& fits) {
  ReaderState last;
  EXPECT_TRUE(eventually([&] {
    const auto states = readers_->states();
    if (!states || states->size() != 1) return false;
    last = states->front();
    return fits(last);
  }));
  return last;
}

void TransportContract::remember(Transport& transport, std::uint8_t value) {
  const auto answer = transport.transmit(Bytes{0x80, 0x10, value, 0x00});
  ASSERT_TRUE(answer) << answer.error().message();
  EXPECT_EQ(to_hex(*answer), "9000");
}

int TransportContract::remembered(Transport& transport) {
  const auto answer = transport.transmit(Bytes{0x80, 0x12, 0x00, 0x00, 0x01});
  EXPECT_TRUE(answer) << answer.error().message();
  return answer && answer->size() == 3 ? (*answer)[0] : -1;
}

// ---- what there is ---------------------------------------------------------------------------

TEST_P(TransportContract, ListsTheReader) {
  const auto states = readers_->states();
  ASSERT_TRUE(states);
  ASSERT_EQ(states->size(), 1U);
  EXPECT_EQ(states->front().name, rig_->reader());
  EXPECT_TRUE(states->front().present);
  EXPECT_TRUE(states->front().simulated);
  EXPECT_EQ(to_hex(states->front().atr), to_hex(FakeCard::plain_atr));
  EXPECT_EQ(*states, *readers_->states()) << "asking changes nothing";
}

TEST_P(TransportContract, Exchanges) {
  auto transport = connect();
  EXPECT_EQ(transport->reader(), rig_->reader());
  EXPECT_EQ(to_hex(transport->atr()), to_hex(FakeCard::plain_atr));
  EXPECT_TRUE(transport->is_simulated());
  EXPECT_EQ(transport->protocol(), apdu::Protocol::t1);
  EXPECT_EQ(transport->limits().max_command, 261U);
  EXPECT_EQ(transport->limits().max_response, 258U);
  EXPECT_FALSE(transport->limits().extended);
  for (int i = 0; i < 50; ++i) {
    const auto answer = transport->transmit(get_challenge);
    ASSERT_TRUE(answer) << answer.error().message();
    EXPECT_EQ(to_hex(*answer), "C5C5C5C5C5C5C5C59000");
  }
  const auto longest = transport->transmit(Bytes{0x00, 0x84, 0x00, 0x00, 0x00});
  ASSERT_TRUE(longest) << longest.error().message();
  EXPECT_EQ(longest->size(), 258U);
}

TEST_P(TransportContract, RefusesWhatTheReaderCannotPass) {
  auto transport = connect();
  const int before = card().apdus();
  EXPECT_EQ(kind_of(transport->transmit(Bytes(262, 0x00))), "bad_argument");
  EXPECT_EQ(kind_of(transport->transmit(Bytes{0x00, 0x84, 0x00})), "bad_argument");
  EXPECT_EQ(card().apdus(), before);
  EXPECT_EQ(kind_of(transport->transmit(Bytes(261, 0x00))), "ok");
}

TEST_P(TransportContract, AnswerWithoutStatusWordIsAProtocolError) {
  auto transport = connect();
  EXPECT_EQ(kind_of(transport->transmit(Bytes{0x80, 0xEE, 0x00, 0x01})), "protocol");
  EXPECT_EQ(kind_of(transport->transmit(Bytes{0x80, 0xEE, 0x00, 0x00})), "protocol");
  EXPECT_EQ(kind_of(transport->transmit(get_challenge)), "ok") << "the connection lives on";
}

TEST_P(TransportContract, AnswerTooLongIsRefusedAndDoesNoHarm) {
  auto transport = connect();
  EXPECT_FALSE(transport->transmit(Bytes{0x80, 0xEE, 0x01, 0x03}));  // 259 bytes
  EXPECT_FALSE(transport->transmit(Bytes{0x80, 0xEE, 0x20, 0x00}));  // 8 KiB
  EXPECT_EQ(kind_of(transport->transmit(get_challenge)), "ok");
}

TEST_P(TransportContract, NoSuchReader) {
  EXPECT_EQ(kind_of(readers_->connect("kilt simulator of another kind")), "no_reader");
}

TEST_P(TransportContract, NoCard) {
  remove_and_see();
  EXPECT_EQ(kind_of(readers_->connect(rig_->reader())), "no_card");
  insert_and_see();
  EXPECT_EQ(kind_of(connect()->transmit(get_challenge)), "ok");
}

// ---- sharing ---------------------------------------------------------------------------------

TEST_P(TransportContract, EpochStaysWhileNobodyResets) {
  auto transport = connect();
  std::uint64_t first = 0;
  for (int i = 0; i < 3; ++i) {
    auto transaction = apdu::Transaction::begin(*transport);
    ASSERT_TRUE(transaction);
    if (i == 0) first = transaction->epoch();
    EXPECT_EQ(transaction->epoch(), first);
    remember(*transport, 7);
  }
  EXPECT_EQ(remembered(*transport), 7);
}

TEST_P(TransportContract, TransactionKeepsOthersOff) {
  auto mine = connect();
  auto program = another_program();
  auto theirs = connect(*program);
  ASSERT_TRUE(mine->begin());
  std::atomic<bool> got_in{false};
  std::promise<void> trying;
  std::thread other([&] {
    trying.set_value();
    EXPECT_EQ(kind_of(theirs->begin()), "ok");
    got_in = true;
    theirs->end();
  });
  trying.get_future().wait();
  for (int i = 0; i < 200; ++i)
    EXPECT_EQ(kind_of(mine->transmit(get_challenge)), "ok");
  EXPECT_FALSE(got_in);
  mine->end();
  other.join();
  EXPECT_TRUE(got_in);
}

TEST_P(TransportContract, ResetByAnotherProgramIsANewEpoch) {
  auto mine = connect();
  auto first = mine->begin();
  ASSERT_TRUE(first);
  remember(*mine, 9);
  mine->end();
  auto program = another_program();
  ASSERT_TRUE(connect(*program)->reset());
  auto second = mine->begin();
  ASSERT_TRUE(second) << second.error().message();
  EXPECT_GT(*second, *first);
  EXPECT_EQ(remembered(*mine), 0);
  mine->end();
  EXPECT_EQ(*mine->begin(), *second) << "one reset, one new epoch";
}

TEST_P(TransportContract, OwnResetIsANewEpoch) {
  auto mine = connect();
  auto first = mine->begin();
  ASSERT_TRUE(first);
  remember(*mine, 9);
  EXPECT_EQ(kind_of(mine->reset()), "ok");
  EXPECT_EQ(remembered(*mine), 0);
  mine->end();
  auto second = mine->begin();
  ASSERT_TRUE(second) << second.error().message();
  EXPECT_GT(*second, *first);
}

TEST_P(TransportContract, LeavesTheCardAsTold) {
  auto program = another_program();
  auto theirs = connect(*program);
  auto mine = connect();
  ASSERT_TRUE(mine->begin());
  remember(*mine, 5);
  mine.reset();  // in the middle of a transaction, which ends with it
  auto began = theirs->begin();
  ASSERT_TRUE(began) << began.error().message();
  EXPECT_EQ(remembered(*theirs), 5);
  theirs->end();

  mine = connect();
  mine->set_leave(Leave::reset);
  mine.reset();
  auto again = theirs->begin();
  ASSERT_TRUE(again) << again.error().message();
  EXPECT_GT(*again, *began);
  EXPECT_EQ(remembered(*theirs), 0);
}

TEST_P(TransportContract, ForkedChildLeavesTheParentsCardAlone) {
  auto transport = connect();
  auto first = transport->begin();
  ASSERT_TRUE(first);
  remember(*transport, 3);
  const pid_t child = ::fork();
  if (child == 0) {
    transport->set_leave(Leave::reset);
    transport->abandon();
    readers_->abandon();
    transport.reset();
    readers_.reset();
    ::_exit(0);
  }
  int status = -1;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
  EXPECT_EQ(remembered(*transport), 3);
  transport->end();
  EXPECT_EQ(*transport->begin(), *first);
  EXPECT_TRUE(readers_->states());
}

TEST_P(TransportContract, ChildThatForgetsToAbandonDoesNoHarm) {
  auto transport = connect();
  transport->set_leave(Leave::reset);
  remember(*transport, 4);
  const pid_t child = ::fork();
  if (child == 0) {
    transport.reset();
    readers_.reset();
    ::_exit(0);
  }
  int status = -1;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
  EXPECT_EQ(remembered(*transport), 4);
  EXPECT_TRUE(readers_->states());
}

// ---- removal ---------------------------------------------------------------------------------

TEST_P(TransportContract, RemovedForGood) {
  auto transport = connect();
  remove_and_see();
  EXPECT_EQ(kind_of(transport->transmit(get_challenge)), "removed");
  EXPECT_EQ(kind_of(transport->begin()), "removed");
  insert_and_see();
  EXPECT_EQ(kind_of(transport->begin()), "removed");
  EXPECT_EQ(kind_of(transport->reset()), "removed");
  EXPECT_EQ(kind_of(transport->transmit(get_challenge)), "removed");
  transport->end();
  EXPECT_EQ(kind_of(connect()->transmit(get_challenge)), "ok");
}

TEST_P(TransportContract, RemovedWhileIdleAndNotYetNoticed) {
  auto transport = connect();
  card().remove();
  auto began = transport->begin();  // pcscd may not have seen it yet
  if (began) {
    EXPECT_EQ(kind_of(transport->transmit(get_challenge)), "removed");
    transport->end();
  } else {
    EXPECT_EQ(kind_of(began), "removed");
  }
  EXPECT_EQ(kind_of(transport->begin()), "removed");
}

TEST_P(TransportContract, RemovedInATransaction) {
  auto transport = connect();
  ASSERT_TRUE(transport->begin());
  ASSERT_TRUE(transport->transmit(get_challenge));
  card().remove();
  EXPECT_EQ(kind_of(transport->transmit(get_challenge)), "removed");
  transport->end();
  EXPECT_EQ(kind_of(transport->begin()), "removed");
}

TEST_P(TransportContract, RemovedDuringACommand) {
  auto transport = connect();
  ASSERT_TRUE(transport->begin());
  card().hold();
  std::thread puller([&] {
    card().wait_until_held();
    card().remove();
  });
  EXPECT_EQ(kind_of(transport->transmit(get_challenge)), "removed");
  puller.join();
}

TEST_P(TransportContract, RemovalFreesWhoWaitsForItsTransaction) {
  auto mine = connect();
  auto program = another_program();
  auto theirs = connect(*program);
  ASSERT_TRUE(mine->begin());
  auto waiting = std::async(std::launch::async, [&] { return kind_of(theirs->begin()); });
  remove_and_see();
  EXPECT_EQ(waiting.get(), "removed");
}

TEST_P(TransportContract, QuickSwapIsNoticed) {
  const auto before = wait_for([](const ReaderState&) { return true; });
  auto transport = connect();
  card().remove();
  ASSERT_TRUE(card().wait_for_looks(rig_->looks_to_notice()));
  card().insert();
  const auto after = wait_for(
      [&](const ReaderState& s) { return s.present && s.insertions != before.insertions; });
  EXPECT_NE(after.insertions, before.insertions);
  EXPECT_EQ(kind_of(transport->begin()), "removed");
}

TEST_P(TransportContract, SwapIsNotHiddenByTheResetOfTheNextUser) {
  auto transport = connect();
  ASSERT_TRUE(transport->transmit(get_challenge));
  remove_and_see();
  insert_and_see();
  auto program = another_program();
  ASSERT_TRUE(connect(*program)->reset());
  EXPECT_EQ(kind_of(transport->begin()), "removed");
}

TEST_P(TransportContract, MuteCardIsATransportError) {
  auto transport = connect();
  card().set_mute(true);
  EXPECT_EQ(kind_of(transport->transmit(get_challenge)), "transport");
  card().set_mute(false);
  EXPECT_EQ(kind_of(transport->transmit(get_challenge)), "ok");
}

// ---- waiting ---------------------------------------------------------------------------------

TEST_P(TransportContract, WaitEndsWithTheTimeout) {
  const auto states = readers_->states();
  EXPECT_EQ(kind_of(readers_->wait(*states, 20ms)), "ok");
  EXPECT_EQ(kind_of(readers_->wait(*states, 0ms)), "ok");
  EXPECT_EQ(kind_of(readers_->wait(*states, -1ms)), "ok");
}

TEST_P(TransportContract, WaitWakesOnRemovalAndInsertion) {
  for (const bool insert : {false, true}) {
    const auto known = *readers_->states();
    auto waiting = std::async(std::launch::async, [&] {
      return kind_of(readers_->wait(known, std::chrono::milliseconds::max()));
    });
    insert ? card().insert() : card().remove();
    EXPECT_EQ(waiting.get(), "ok");
    EXPECT_TRUE(eventually([&] { return readers_->states()->front().present == insert; }));
  }
}

TEST_P(TransportContract, WaitReturnsAtOnceIfTheTruthIsAnotherAlready) {
  EXPECT_EQ(kind_of(readers_->wait({}, std::chrono::milliseconds::max())), "ok");
  auto known = *readers_->states();
  known.front().insertions += 1;
  EXPECT_EQ(kind_of(readers_->wait(known, std::chrono::milliseconds::max())), "ok");
  known.front().name = "some other reader";
  EXPECT_EQ(kind_of(readers_->wait(known, std::chrono::milliseconds::max())), "ok");
}

TEST_P(TransportContract, CancelWakesAndSticks) {
  const auto known = *readers_->states();
  std::vector<std::future<std::string>> waiting;
  for (int i = 0; i < 3; ++i) {
    waiting.push_back(std::async(std::launch::async, [&] {
      return kind_of(readers_->wait(known, std::chrono::milliseconds::max()));
    }));
  }
  readers_->cancel();
  for (auto& one : waiting)
    EXPECT_EQ(one.get(), "cancelled");
  EXPECT_EQ(kind_of(readers_->wait(known, std::chrono::milliseconds::max())), "cancelled");
}

TEST_P(TransportContract, CancelAfterALongSleep) {
  const auto known = *readers_->states();
  std::promise<void> inside;
  auto waiting = std::async(std::launch::async, [&] {
    inside.set_value();
    return kind_of(readers_->wait(known, std::chrono::milliseconds::max()));
  });
  inside.get_future().wait();
  card().wait_for_looks(rig_->looks_to_notice());  // by now it sleeps for certain
  readers_->cancel();
  EXPECT_EQ(waiting.get(), "cancelled");
}

TEST_P(TransportContract, WorksWhileAnotherThreadWaits) {
  const auto known = *readers_->states();
  auto waiting = std::async(std::launch::async, [&] {
    return kind_of(readers_->wait(known, std::chrono::milliseconds::max()));
  });
  for (int i = 0; i < 20; ++i) {
    EXPECT_TRUE(readers_->states());
    EXPECT_EQ(kind_of(connect()->transmit(get_challenge)), "ok");
  }
  readers_->cancel();
  EXPECT_EQ(waiting.get(), "cancelled");
}

TEST_P(TransportContract, OpenConnectionWorksAfterCancel) {
  auto transport = connect();
  readers_->cancel();
  EXPECT_EQ(kind_of(transport->begin()), "ok");
  EXPECT_EQ(kind_of(transport->transmit(get_challenge)), "ok");
  transport->end();
}

// ---- the service goes and comes --------------------------------------------------------------

TEST_P(TransportContract, ServiceDiesAndReturns) {
  const auto before = wait_for([](const ReaderState&) { return true; });
  auto transport = connect();
  ASSERT_TRUE(transport->begin());
  rig_->stop_service();
  EXPECT_EQ(kind_of(transport->transmit(get_challenge)), rig_->service_died());
  transport->end();
  EXPECT_EQ(kind_of(transport->begin()), "removed");
  EXPECT_EQ(kind_of(readers_->states()), "no_service");
  EXPECT_NE(kind_of(readers_->connect(rig_->reader())), "ok");
  rig_->start_service();
  const auto after = wait_for([](const ReaderState& s) { return s.present && !s.atr.empty(); });
  EXPECT_NE(after.insertions, before.insertions);
  EXPECT_EQ(kind_of(transport->begin()), "removed");
  EXPECT_EQ(kind_of(connect()->transmit(get_challenge)), "ok");
}

TEST_P(TransportContract, WaitSeesTheServiceGoAndCome) {
  const auto known = *readers_->states();
  auto waiting = std::async(std::launch::async, [&] {
    return kind_of(readers_->wait(known, std::chrono::milliseconds::max()));
  });
  rig_->stop_service();
  EXPECT_EQ(waiting.get(), "ok");
  auto nothing = std::async(std::launch::async, [&] {
    return kind_of(readers_->wait({}, std::chrono::milliseconds::max()));
  });
  rig_->start_service();
  EXPECT_EQ(nothing.get(), "ok");
  wait_for([](const ReaderState& state) { return state.present; });
}

TEST_P(TransportContract, CancelWhileTheServiceIsAway) {
  rig_->stop_service();
  auto waiting = std::async(std::launch::async, [&] {
    return kind_of(readers_->wait({}, std::chrono::milliseconds::max()));
  });
  EXPECT_EQ(waiting.wait_for(50ms), std::future_status::timeout);
  readers_->cancel();
  EXPECT_EQ(waiting.get(), "cancelled");
}

TEST_P(TransportContract, ServiceDiesDuringACommand) {
  auto transport = connect();
  card().hold();
  std::thread killer([&] {
    card().wait_until_held();
    rig_->stop_service();
  });
  EXPECT_EQ(kind_of(transport->transmit(get_challenge)), rig_->service_died());
  card().let_go();
  killer.join();
}

}  // namespace kilt::test
