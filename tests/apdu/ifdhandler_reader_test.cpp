// SPDX-License-Identifier: Apache-2.0
// The reader driver's inside, on a reader that the test moves by hand.
#include "apdu/transport/ifdhandler_reader.hpp"

#include <gtest/gtest.h>

#include <condition_variable>
#include <future>
#include <thread>

namespace kilt::apdu {
namespace {

using namespace std::chrono_literals;

/// What the hand moves and the driver sees.
struct Bench {
  std::mutex mutex;
  std::condition_variable changed;
  bool running = true;  ///< the simulator's process
  bool present = true;
  std::uint64_t insertions = 1;
  int resets = 0;  ///< warm resets
  std::vector<Leave> left;
  std::vector<std::string> sent;
  std::optional<Error> next_error;

  void move(auto action) {
    const std::lock_guard lock(mutex);
    action();
    changed.notify_all();
  }
  std::vector<ReaderState> look() const {
    if (!running) return {};
    return {{"bench", present, present ? Bytes{0x3B, 0x00} : Bytes{}, insertions, true}};
  }
};

class BenchTransport : public Transport {
 public:
  explicit BenchTransport(Bench& bench) : bench_(bench), insertions_(bench.insertions) {}
  ~BenchTransport() override { bench_.left.push_back(leave_); }
  [[nodiscard]] const std::string& reader() const override { return reader_; }
  [[nodiscard]] ByteView atr() const override { return atr_; }
  [[nodiscard]] Protocol protocol() const override { return Protocol::t1; }
  [[nodiscard]] Limits limits() const override { return {}; }
  [[nodiscard]] bool is_simulated() const override { return true; }
  Result<Bytes> transmit(ByteView command) override {
    if (!alive()) return Error{ErrorKind::removed, "out"};
    if (bench_.next_error) return *std::exchange(bench_.next_error, std::nullopt);
    bench_.sent.push_back(to_hex(command));
    return Bytes{0x90, 0x00};
  }
  Status reset() override {
    if (!alive()) return Error{ErrorKind::removed, "out"};
    ++bench_.resets;
    return {};
  }
  Result<std::uint64_t> begin() override { return std::uint64_t{1}; }
  void end() override {}
  void set_leave(Leave leave) override { leave_ = leave; }
  void abandon() override {}

 private:
  [[nodiscard]] bool alive() const {
    return bench_.running && bench_.present && bench_.insertions == insertions_;
  }
  Bench& bench_;
  std::uint64_t insertions_;
  Leave leave_ = Leave::as_it_is;
  std::string reader_ = "bench";
  Bytes atr_{0x3B, 0x00};
};

class BenchSource : public ReaderSource {
 public:
  explicit BenchSource(Bench& bench) : bench_(bench) {}
  Result<std::vector<ReaderState>> states() override {
    const std::lock_guard lock(bench_.mutex);
    if (!bench_.running) return Error{ErrorKind::no_service, "nobody listens"};
    return bench_.look();
  }
  Status wait(const std::vector<ReaderState>& known, std::chrono::milliseconds timeout) override {
    return wait_or_stop(known, timeout, WakeFlag());
  }
  Status wait_or_stop(const std::vector<ReaderState>& known, std::chrono::milliseconds timeout,
                      const WakeFlag& stop) override {
    std::unique_lock lock(bench_.mutex);
    bench_.changed.wait_for(lock, timeout, [&] { return stop.raised() || bench_.look() != known; });
    return {};
  }
  void nudge() override {
    bench_.move([] {});
  }
  void cancel() override {}
  Result<std::unique_ptr<Transport>> connect(const std::string&) override {
    return std::unique_ptr<Transport>(std::make_unique<BenchTransport>(bench_));
  }
  [[nodiscard]] bool owns(const std::string&) const override { return true; }
  void abandon() override {}

 private:
  Bench& bench_;
};

class InTheReader : public testing::Test {
 protected:
  Bench bench_;
  IfdReader reader_{std::make_unique<BenchSource>(bench_)};
  const Bytes command_{0x00, 0x84, 0x00, 0x00, 0x08};
};

TEST_F(InTheReader, PowerExchangePowerDown) {
  EXPECT_TRUE(reader_.present());
  EXPECT_FALSE(reader_.powered());
  EXPECT_EQ(reader_.protocol(), std::nullopt);
  EXPECT_EQ(reader_.transmit(command_).error().kind, ErrorKind::removed) << "not powered up";
  ASSERT_TRUE(reader_.power_up().ok());
  EXPECT_EQ(reader_.atr(), (Bytes{0x3B, 0x00}));
  EXPECT_EQ(reader_.protocol(), Protocol::t1);
  EXPECT_TRUE(reader_.transmit(command_).ok());
  reader_.power_down();
  EXPECT_EQ(bench_.left, std::vector{Leave::reset}) << "login and selection are lost";
  EXPECT_TRUE(reader_.atr().empty());
  EXPECT_EQ(bench_.sent.size(), 1U);
}

TEST_F(InTheReader, PoweringUpTwiceLeavesTheCardAlone) {
  ASSERT_TRUE(reader_.power_up().ok());
  ASSERT_TRUE(reader_.power_up().ok());
  EXPECT_TRUE(bench_.left.empty());
  EXPECT_EQ(bench_.resets, 0);
}

TEST_F(InTheReader, AWarmResetKeepsTheConnection) {
  ASSERT_TRUE(reader_.power_up().ok());
  ASSERT_TRUE(reader_.reset().ok());
  EXPECT_EQ(bench_.resets, 1);
  EXPECT_TRUE(bench_.left.empty());
}

TEST_F(InTheReader, AResetOfACardThatIsOffPowersItUp) {
  ASSERT_TRUE(reader_.reset().ok());
  EXPECT_EQ(bench_.resets, 0);
  EXPECT_TRUE(reader_.powered());
}

TEST_F(InTheReader, ALongCommandIsRefusedAsARealShortReaderDoes) {
  ASSERT_TRUE(reader_.power_up().ok());
  EXPECT_EQ(reader_.transmit(Bytes(262)).error().kind, ErrorKind::bad_argument);
  EXPECT_TRUE(bench_.sent.empty());
  EXPECT_TRUE(reader_.transmit(Bytes(261)).ok());
}

TEST_F(InTheReader, RemovalIsRemovalUntilTheNextPowerUp) {
  ASSERT_TRUE(reader_.power_up().ok());
  bench_.move([&] { bench_.present = false; });
  EXPECT_EQ(reader_.transmit(command_).error().kind, ErrorKind::removed);
  EXPECT_FALSE(reader_.present());
  EXPECT_EQ(reader_.power_up().error().kind, ErrorKind::no_card);
  EXPECT_EQ(reader_.reset().error().kind, ErrorKind::no_card);
  bench_.move([&] { bench_.present = true, ++bench_.insertions; });
  EXPECT_TRUE(reader_.present());
  EXPECT_EQ(reader_.transmit(command_).error().kind, ErrorKind::removed);
  ASSERT_TRUE(reader_.power_up().ok());
  EXPECT_TRUE(reader_.transmit(command_).ok());
}

TEST_F(InTheReader, AnExchangedCardIsAbsentOnce) {
  EXPECT_TRUE(reader_.present());
  bench_.move([&] { ++bench_.insertions; });
  EXPECT_FALSE(reader_.present());
  EXPECT_TRUE(reader_.present());
}

TEST_F(InTheReader, AnExchangedCardIsNotTakenForTheOldOne) {
  ASSERT_TRUE(reader_.power_up().ok());
  bench_.move([&] { ++bench_.insertions; });
  ASSERT_TRUE(reader_.reset().ok());
  EXPECT_EQ(bench_.resets, 0) << "the new card is powered up, the old one was not reset";
  EXPECT_TRUE(reader_.transmit(command_).ok());
  bench_.move([&] { ++bench_.insertions; });
  ASSERT_TRUE(reader_.power_up().ok());
  EXPECT_TRUE(reader_.transmit(command_).ok());
}

TEST_F(InTheReader, ASimulatorThatIsNotRunningIsAnEmptyReader) {
  bench_.move([&] { bench_.running = false; });
  EXPECT_FALSE(reader_.present());
  EXPECT_EQ(reader_.power_up().error().kind, ErrorKind::no_card);
  bench_.move([&] { bench_.running = true; });
  EXPECT_TRUE(reader_.present());
}

TEST_F(InTheReader, AnErrorBelowTheCardDoesNotEndTheConnection) {
  ASSERT_TRUE(reader_.power_up().ok());
  bench_.next_error = Error{ErrorKind::transport, "mute"};
  EXPECT_EQ(reader_.transmit(command_).error().kind, ErrorKind::transport);
  EXPECT_TRUE(reader_.transmit(command_).ok());
}

TEST_F(InTheReader, WatchingEndsWithAChange) {
  EXPECT_TRUE(reader_.present());
  auto watching = std::async(std::launch::async, [&] { return reader_.watch(60s).ok(); });
  bench_.move([&] { bench_.present = false; });
  ASSERT_EQ(watching.wait_for(30s), std::future_status::ready);
  EXPECT_TRUE(watching.get());
  EXPECT_FALSE(reader_.present());
}

TEST_F(InTheReader, WatchingAfterAnExchangeReturnsAtOnce) {
  EXPECT_TRUE(reader_.present());
  bench_.move([&] { ++bench_.insertions; });
  EXPECT_FALSE(reader_.present());
  const auto begin = Clock::now();
  EXPECT_TRUE(reader_.watch(60s).ok());
  EXPECT_LT(Clock::now() - begin, 30s);
}

TEST_F(InTheReader, WatchingCanBeStoppedAgainAndAgain) {
  EXPECT_TRUE(reader_.present());
  for (int i = 0; i < 20; ++i) {
    auto watching = std::async(std::launch::async, [&] { return reader_.watch(60s).ok(); });
    reader_.stop_watching();  // before the watch began, or during it
    ASSERT_EQ(watching.wait_for(30s), std::future_status::ready);
    EXPECT_TRUE(watching.get());
  }
  const auto begin = Clock::now();
  EXPECT_TRUE(reader_.watch(20ms).ok());
  EXPECT_GE(Clock::now() - begin, 20ms) << "an old stop does not end a new watch";
}

TEST(DeviceNames, OnlySocketsAreKnown) {
  EXPECT_NE(source_of_device("socket:/run/kilt/card"), nullptr);
  EXPECT_EQ(source_of_device("socket:"), nullptr);
  EXPECT_EQ(source_of_device("/dev/null"), nullptr);
  EXPECT_EQ(source_of_device(""), nullptr);
}

}  // namespace
}  // namespace kilt::apdu
