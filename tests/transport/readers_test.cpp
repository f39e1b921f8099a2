// SPDX-License-Identifier: Apache-2.0
// Several sources as one: the specification, shared names, waiting on all of them.
#include <gtest/gtest.h>

#include <filesystem>
#include <future>

#include "tests/transport/contract.hpp"
#include "tests/transport/fake_simulator.hpp"

namespace kilt::test {
namespace {

using namespace std::chrono_literals;
using apdu::Readers;
using apdu::ReaderSource;
using apdu::ReaderState;

constexpr auto for_ever = std::chrono::milliseconds::max();

TEST(ReadersSpec, Accepts) {
  EXPECT_EQ(kind_of(Readers::open("")), "ok");
  EXPECT_EQ(kind_of(Readers::open("  ")), "ok");
  EXPECT_EQ(kind_of(Readers::open("pcsc")), "ok");
  EXPECT_EQ(kind_of(Readers::open(" pcsc , socket:/tmp/a b,socket:relative")), "ok");
}

TEST(ReadersSpec, Refuses) {
  for (const char* bad : {"psc", "PCSC", "socket", "socket:", "pcsc,", ",pcsc", "pcsc,,socket:/a",
                          "pcsc,pcsc", "socket:/a, socket:/a", "vpcd:1234"}) {
    EXPECT_EQ(kind_of(Readers::open(bad)), "bad_argument") << bad;
  }
  EXPECT_EQ(kind_of(Readers::open("socket:/" + std::string(107, 'a'))), "bad_argument");
  EXPECT_EQ(kind_of(Readers::open("socket:/" + std::string(106, 'a'))), "ok");
  EXPECT_EQ(kind_of(Readers::open("usb")), "unsupported");
}

class SeveralSockets : public testing::Test {
 protected:
  std::string path(const char* name) const { return scratch_.file(name); }
  std::vector<std::string> names() {
    std::vector<std::string> all;
    const auto states = readers_->states();
    if (!states) return {to_string(states.error().kind)};
    for (const auto& state : *states)
      all.push_back(state.name);
    return all;
  }

  ScratchDirectory scratch_;
  FakeSimulator a_{path("a"), "card"};
  FakeSimulator b_{path("b"), "card"};
  FakeSimulator c_{path("c"), "other"};
  std::unique_ptr<Readers> readers_ = std::move(
      *Readers::open("socket:" + path("a") + ",socket:" + path("b") + ",socket:" + path("c")));
};

TEST_F(SeveralSockets, AnErrorOnlyIfNobodyAnswers) {
  EXPECT_EQ(names(), std::vector<std::string>{"no_service"});
  c_.start();
  EXPECT_EQ(names(), std::vector<std::string>{"other"});
}

TEST_F(SeveralSockets, SharedNameIsToldApartAndStable) {
  using Names = std::vector<std::string>;
  const std::string second = "card (" + path("b") + ")";
  a_.start();
  b_.start();
  c_.start();
  EXPECT_EQ(names(), (Names{"card", second, "other"}));
  a_.stop();
  EXPECT_EQ(names(), (Names{second, "other"})) << "a name does not move to another reader";
  EXPECT_NE(kind_of(readers_->connect("card")), "ok");
  auto transport = readers_->connect(second);
  ASSERT_TRUE(transport) << transport.error().message();
  EXPECT_EQ((*transport)->reader(), second);
  EXPECT_EQ(kind_of((*transport)->transmit(get_challenge)), "ok");
  EXPECT_EQ(b_.card.apdus(), 1);
  a_.start();
  EXPECT_EQ(names(), (Names{"card", second, "other"}));
}

TEST_F(SeveralSockets, ConnectWithoutLookingFirst) {
  a_.start();
  b_.start();
  EXPECT_EQ(kind_of(readers_->connect("card")), "ok");
  EXPECT_EQ(kind_of(readers_->connect("none")), "no_reader");
}

TEST_F(SeveralSockets, WaitWakesWhicheverChanges) {
  a_.start();
  b_.start();
  c_.start();
  for (FakeSimulator* simulator : {&a_, &b_, &c_}) {
    const auto known = *readers_->states();
    auto waiting =
        std::async(std::launch::async, [&] { return kind_of(readers_->wait(known, for_ever)); });
    simulator->card.remove();
    EXPECT_EQ(waiting.get(), "ok");
    EXPECT_NE(*readers_->states(), known);
  }
}

TEST_F(SeveralSockets, WaitSeesASimulatorComeAndGo) {
  a_.start();
  const auto one = *readers_->states();
  auto waiting =
      std::async(std::launch::async, [&] { return kind_of(readers_->wait(one, for_ever)); });
  c_.start();
  EXPECT_EQ(waiting.get(), "ok");
  const auto two = *readers_->states();
  EXPECT_EQ(two.size(), 2U);
  auto again =
      std::async(std::launch::async, [&] { return kind_of(readers_->wait(two, for_ever)); });
  c_.stop();
  EXPECT_EQ(again.get(), "ok");
}

int threads_now() {
  int count = 0;
  for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator("/proc/self/task"))
    ++count;
  return count;
}

TEST_F(SeveralSockets, WaitLeavesNoThreadAndCancelSticks) {
  a_.start();
  c_.start();
  const auto known = *readers_->states();
  const int before = threads_now();
  EXPECT_EQ(kind_of(readers_->wait(known, 30ms)), "ok");
  // The simulators' threads of connections that ended are still there for a moment.
  EXPECT_TRUE(eventually([&] { return threads_now() <= before; }));
  auto waiting =
      std::async(std::launch::async, [&] { return kind_of(readers_->wait(known, for_ever)); });
  readers_->cancel();
  EXPECT_EQ(waiting.get(), "cancelled");
  EXPECT_EQ(kind_of(readers_->wait(known, for_ever)), "cancelled");
}

/// A source written by someone who knows only the old half of the interface.
class PlainSource : public ReaderSource {
 public:
  Result<std::vector<ReaderState>> states() override {
    if (quit_.raised()) return Error{ErrorKind::cancelled, "quit"};
    ReaderState state;
    state.name = "plain";
    state.insertions = insertions;
    return std::vector<ReaderState>{state};
  }
  Status wait(const std::vector<ReaderState>&, std::chrono::milliseconds timeout) override {
    ++waits;
    if (quit_.wait_until(apdu::deadline_after(timeout))) return Error{ErrorKind::cancelled, "quit"};
    return {};
  }
  void cancel() override { quit_.raise(); }
  Result<std::unique_ptr<apdu::Transport>> connect(const std::string&) override {
    return Error{ErrorKind::no_card, "plain"};
  }
  [[nodiscard]] bool owns(const std::string& name) const override { return name == "plain"; }
  void abandon() override {}

  std::atomic<std::uint64_t> insertions{1};
  std::atomic<int> waits{0};

 private:
  apdu::WakeFlag quit_;
};

TEST(ReadersOverPlainSources, WaitAndCancel) {
  auto first = std::make_unique<PlainSource>();
  auto second = std::make_unique<PlainSource>();
  PlainSource& changing = *second;
  std::vector<std::unique_ptr<ReaderSource>> sources;
  sources.push_back(std::move(first));
  sources.push_back(std::move(second));
  Readers readers(std::move(sources));
  const auto known = *readers.states();
  ASSERT_EQ(known.size(), 2U);
  EXPECT_EQ(known[1].name, "plain (other)");
  EXPECT_EQ(kind_of(readers.wait(known, 10ms)), "ok");
  auto waiting =
      std::async(std::launch::async, [&] { return kind_of(readers.wait(known, for_ever)); });
  changing.insertions = 2;
  EXPECT_EQ(waiting.get(), "ok");
  const auto now = *readers.states();
  EXPECT_NE(now, known);
  auto cancelled =
      std::async(std::launch::async, [&] { return kind_of(readers.wait(now, for_ever)); });
  readers.cancel();
  EXPECT_EQ(cancelled.get(), "cancelled");
}

}  // namespace
}  // namespace kilt::test
