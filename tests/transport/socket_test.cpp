// SPDX-License-Identifier: Apache-2.0
// The socket transport, against a simulator that behaves and one that does not.
#include <gtest/gtest.h>

#include <future>

#include "tests/transport/contract.hpp"
#include "tests/transport/fake_simulator.hpp"

namespace kilt::test {
namespace {

using namespace std::chrono_literals;
using apdu::Readers;

constexpr auto for_ever = std::chrono::milliseconds::max();

class SocketRig : public Rig {
 public:
  SocketRig() { simulator.start(); }
  FakeCard& card() override { return simulator.card; }
  std::string reader() override { return "kilt simulator test"; }
  std::unique_ptr<apdu::ReaderSource> source() override {
    return apdu::make_socket_source(scratch.file("s"));
  }
  void stop_service() override { simulator.stop(); }
  void start_service() override { simulator.start(); }

  ScratchDirectory scratch;
  FakeSimulator simulator{scratch.file("s"), "kilt simulator test"};
};

INSTANTIATE_TEST_SUITE_P(Socket, TransportContract,
                         testing::Values([] { return std::make_unique<SocketRig>(); }),
                         [](const auto&) { return std::string("Socket"); });

class SocketTransport : public testing::Test {
 protected:
  std::unique_ptr<apdu::Transport> connect() {
    auto made = readers_->connect(rig_.reader());
    EXPECT_TRUE(made) << made.error().message();
    return made ? std::move(*made) : nullptr;
  }
  FakeSimulator& simulator() { return rig_.simulator; }
  static Bytes message(std::uint8_t code, ByteView payload = {}) {
    return FakeSimulator::message(code, payload);
  }

  SocketRig rig_;
  std::unique_ptr<Readers> readers_ = readers_over(rig_.source());
};

TEST_F(SocketTransport, EveryAnswerCodeToEveryRequest) {
  struct Row {
    std::uint8_t code;
    const char* kind;
    bool lives_on;
  };
  for (const Row row :
       {Row{1, "removed", false}, Row{2, "transport", true}, Row{3, "transport", true},
        Row{4, "transport", true}, Row{5, "transport", true}, Row{255, "transport", true}}) {
    for (const char request : {'T', 'R', 'L'}) {
      SCOPED_TRACE(std::string(1, request) + " answered " + std::to_string(row.code));
      auto transport = connect();
      simulator().answer_raw(request, message(row.code, as_bytes("why\n not")));
      const std::string kind = request == 'T'   ? kind_of(transport->transmit(get_challenge))
                               : request == 'R' ? kind_of(transport->reset())
                                                : kind_of(transport->begin());
      EXPECT_EQ(kind, row.kind);
      EXPECT_EQ(kind_of(transport->transmit(get_challenge)), row.lives_on ? "ok" : "removed");
    }
  }
}

TEST_F(SocketTransport, FailureSaysWhyInOneLine) {
  auto transport = connect();
  simulator().answer_raw('T', message(4, as_bytes("power cut\nhere")));
  const auto answer = transport->transmit(get_challenge);
  ASSERT_FALSE(answer);
  EXPECT_NE(answer.error().what.find("power cut here"), std::string::npos);
}

TEST_F(SocketTransport, ConnectionEndsAtAnyPointOfAnAnswer) {
  const Bytes whole = message(0, Bytes{0x90, 0x00});
  for (std::size_t size = 0; size < whole.size(); ++size) {
    SCOPED_TRACE(size);
    auto transport = connect();
    simulator().answer_raw('T', Bytes(whole.begin(), whole.begin() + std::ptrdiff_t(size)), true);
    EXPECT_EQ(kind_of(transport->transmit(get_challenge)), "removed");
    EXPECT_EQ(kind_of(transport->transmit(get_challenge)), "removed");
    EXPECT_EQ(kind_of(transport->begin()), "removed");
    EXPECT_EQ(kind_of(transport->reset()), "removed");
  }
}

TEST_F(SocketTransport, LengthsThatCannotBe) {
  for (const Bytes& head :
       {Bytes{0, 0, 0, 0}, Bytes{0xFF, 0xFF, 0xFF, 0xFF}, Bytes{0, 1, 0x11, 0x71}}) {
    SCOPED_TRACE(to_hex(head));
    auto transport = connect();
    simulator().answer_raw('T', head);
    EXPECT_EQ(kind_of(transport->transmit(get_challenge)), "transport");
    EXPECT_EQ(kind_of(transport->transmit(get_challenge)), "removed") << "out of step: closed";
    simulator().answer_raw('S', head);
    EXPECT_EQ(kind_of(readers_->states()), "transport");
    EXPECT_EQ(kind_of(readers_->states()), "ok") << "and the next call works";
  }
}

TEST_F(SocketTransport, ConnectAnswersThatCannotBe) {
  const Bytes good = simulator().connect_payload();
  const auto with = [&](std::size_t at, std::uint8_t value) {
    Bytes bad = good;
    bad[at] = value;
    return bad;
  };
  Bytes longer = good;
  longer.push_back(0);
  Bytes no_atr(good.begin(), good.begin() + 18);
  Bytes huge_atr = no_atr;
  huge_atr.push_back(34);
  append(huge_atr, Bytes(34, 0x3B));
  for (const Bytes& bad : {Bytes{}, no_atr, Bytes(good.begin(), good.end() - 1), longer, huge_atr,
                           with(8, 2), with(9, 1), with(13, 1), with(17, 2), with(18, 200)}) {
    simulator().answer_raw('C', message(0, bad));
    EXPECT_EQ(kind_of(readers_->connect(rig_.reader())), "transport") << to_hex(bad);
  }
  simulator().answer_raw('C', message(1));
  EXPECT_EQ(kind_of(readers_->connect(rig_.reader())), "no_card");
  simulator().answer_raw('C', message(2));
  EXPECT_EQ(kind_of(readers_->connect(rig_.reader())), "transport");
  simulator().answer_raw('C', {}, true);
  EXPECT_EQ(kind_of(readers_->connect(rig_.reader())), "removed");
  EXPECT_EQ(kind_of(readers_->connect(rig_.reader())), "ok");
}

TEST_F(SocketTransport, StatusAnswersThatCannotBe) {
  const Bytes good{1, 0, 0, 0, 1, 1, 0x3B, 1, 'x'};
  Bytes long_atr{1, 0, 0, 0, 1, 34};
  append(long_atr, Bytes(34, 0x3B));
  append(long_atr, {1, 'x'});
  for (const Bytes& bad :
       {Bytes{}, Bytes{2, 0, 0, 0, 1, 0, 1, 'x'}, Bytes{1, 0, 0, 0, 1, 0, 0},
        Bytes{1, 0, 0, 0, 1, 9, 0x3B, 1, 'x'}, Bytes{1, 0, 0, 0, 1, 0, 1, '\n'}, long_atr,
        Bytes(good.begin(), good.end() - 1), Bytes{1, 0, 0, 0, 1, 1, 0x3B, 1, 'x', 0}}) {
    simulator().answer_raw('S', message(0, bad));
    EXPECT_EQ(kind_of(readers_->states()), "transport") << to_hex(bad);
  }
  simulator().answer_raw('S', message(0, good));
  EXPECT_EQ(readers_->states()->front().name, "x");
  for (const std::uint8_t code : Bytes{2, 3, 4}) {
    simulator().answer_raw('S', message(code));
    EXPECT_FALSE(readers_->states());
  }
  EXPECT_EQ(kind_of(readers_->states()), "ok");
}

TEST_F(SocketTransport, EpochAnswersThatCannotBe) {
  auto transport = connect();
  simulator().answer_raw('L', message(0, Bytes{0, 0, 1}));
  EXPECT_EQ(kind_of(transport->begin()), "transport");
  simulator().answer_raw('R', message(0, Bytes{0, 0, 0, 1, 2}));
  EXPECT_EQ(kind_of(transport->reset()), "transport");
  EXPECT_EQ(kind_of(transport->begin()), "ok");
}

TEST_F(SocketTransport, ExtendedReader) {
  simulator().extended = 1;
  simulator().max_command = 65544;
  simulator().max_response = 65538;
  auto transport = connect();
  EXPECT_TRUE(transport->limits().extended);
  EXPECT_EQ(kind_of(transport->transmit(Bytes(65544, 0))), "ok");
  const auto longest = transport->transmit(Bytes{0x80, 0xEE, 0xFF, 0xFF});
  ASSERT_TRUE(longest) << longest.error().message();
  EXPECT_EQ(longest->size(), 65535U);
}

TEST_F(SocketTransport, T0) {
  simulator().protocol = 0;
  EXPECT_EQ(connect()->protocol(), apdu::Protocol::t0);
}

TEST_F(SocketTransport, CrashedClientLeavesAResetCard) {
  auto transport = connect();
  ASSERT_TRUE(transport->transmit(Bytes{0x80, 0x10, 0x09, 0x00}));
  const auto epoch = simulator().card.epoch();
  transport->abandon();  // in this process: as if it had died
  EXPECT_TRUE(eventually([&] { return simulator().card.epoch() > epoch; }));
}

TEST_F(SocketTransport, HungSimulatorIsGivenUpSoonAfterCancel) {
  auto transport = connect();
  simulator().hang_on('T');
  auto hanging =
      std::async(std::launch::async, [&] { return kind_of(transport->transmit(get_challenge)); });
  EXPECT_EQ(hanging.wait_for(50ms), std::future_status::timeout);
  const auto start = std::chrono::steady_clock::now();
  readers_->cancel();
  EXPECT_EQ(hanging.get(), "cancelled");
  EXPECT_LT(std::chrono::steady_clock::now() - start, 8s);
  EXPECT_EQ(kind_of(transport->transmit(get_challenge)), "removed");
}

TEST_F(SocketTransport, HungSimulatorDoesNotHoldUpCancelOfAWait) {
  const auto known = *readers_->states();
  simulator().hang_on('S');
  auto waiting =
      std::async(std::launch::async, [&] { return kind_of(readers_->wait(known, for_ever)); });
  EXPECT_EQ(waiting.wait_for(50ms), std::future_status::timeout);
  const auto start = std::chrono::steady_clock::now();
  readers_->cancel();
  EXPECT_EQ(waiting.get(), "cancelled");
  EXPECT_LT(std::chrono::steady_clock::now() - start, 2s);
}

TEST_F(SocketTransport, RestartedSimulatorHasAnotherCardEvenIfItCountsAnew) {
  const auto before = *readers_->states();
  simulator().stop();
  simulator().start();
  const auto after = *readers_->states();
  EXPECT_EQ(before.front().name, after.front().name);
  EXPECT_NE(before.front().insertions, after.front().insertions);
  EXPECT_EQ(kind_of(readers_->wait(before, for_ever)), "ok");
}

TEST_F(SocketTransport, NobodyThere) {
  auto readers = readers_over(apdu::make_socket_source(rig_.scratch.file("nobody")));
  EXPECT_EQ(kind_of(readers->states()), "no_service");
  EXPECT_EQ(kind_of(readers->connect("x")), "no_service");
  EXPECT_EQ(kind_of(readers->wait({}, 10ms)), "ok");
}

}  // namespace
}  // namespace kilt::test
