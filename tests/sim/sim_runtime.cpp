// SPDX-License-Identifier: Apache-2.0
// Encodings, T=0 and T=1, without any card: the command set here only says what it was given.
#include <gtest/gtest.h>

#include "firmware-sim/chaining.hpp"
#include "firmware-sim/runtime.hpp"

namespace kilt::sim {
namespace {

/// INS 10: no answer. INS 20: P1 bytes of answer. INS 30: the same, repeatable. INS 40: memory
/// fails. INS 50: P1 bytes more than 256.
class Echo : public CommandSet {
 public:
  Reply execute(const Command& command) override {
    last = command;
    ++executed;
    if (command.ins == 0x40) throw NvramFailure{};
    if (command.ins == 0x10) return apdu::sw::ok;
    const std::size_t beyond = command.ins == 0x50 ? 256 : 0;
    Reply reply(Bytes(command.p1 == 0 ? 256 : beyond + command.p1, 0x77));
    reply.repeatable = command.ins == 0x30;
    return reply;
  }
  void forget() override { ++forgotten; }
  Command last{};
  int executed = 0, forgotten = 0;
};

struct Rig {
  explicit Rig(Protocol protocol) {
    auto set = std::make_unique<Echo>();
    echo = set.get();
    runtime = std::make_unique<CardRuntime>(Identity{"echo", {0x3B, 0x00}, "01"}, protocol,
                                            std::move(set), std::make_shared<Stopwatch>());
    runtime->power_on();
  }
  std::string send(const std::string& hex) {
    return to_hex(runtime->transmit(*from_hex(hex)).bytes);
  }
  std::size_t length(const std::string& hex) {
    return runtime->transmit(*from_hex(hex)).bytes.size();
  }
  Echo* echo;
  std::unique_ptr<CardRuntime> runtime;
};

TEST(RuntimeT1, TakesTheFourShortCases) {
  Rig rig(Protocol::t1);
  EXPECT_EQ(rig.send("00 10 00 00"), "9000");
  EXPECT_EQ(rig.send("00 20 02 00 00"), "77779000");
  EXPECT_EQ(rig.echo->last.ne, 256u);
  EXPECT_EQ(rig.send("00 10 00 00 01 AA"), "9000");
  EXPECT_FALSE(rig.echo->last.ne.has_value());
  EXPECT_EQ(rig.send("00 20 02 00 01 AA 02"), "77779000");
  EXPECT_EQ(rig.echo->last.data, Bytes{0xAA});
}

TEST(RuntimeT1, RefusesExtendedAndBrokenLengthsBeforeTheCard) {
  Rig rig(Protocol::t1);
  for (const char* wire : {"00 10 00 00 00 00 01 AA", "00 20 02 00 00 00 00", "00 10 00 00 02 AA",
                           "00 10 00 00 00 01 00", "00 10 00", "", "00 10 00 00 00 00"}) {
    EXPECT_EQ(rig.send(wire), "6700") << wire;
  }
  EXPECT_EQ(rig.echo->executed, 0);
}

TEST(RuntimeT1, TakesExtendedLengthsWhereTheCardKnowsThem) {
  Rig rig(Protocol::t1);
  rig.echo->extended_length = true;
  EXPECT_EQ(rig.send("00 10 00 00 00 00 01 AA"), "9000");
  EXPECT_EQ(rig.echo->last.data, Bytes{0xAA});
  EXPECT_EQ(rig.send("00 20 02 00 00 00 00"), "77779000");
  EXPECT_EQ(rig.echo->last.ne, 65536u);
  EXPECT_EQ(rig.send("00 10 00 00 00 01 00"), "9000");
  EXPECT_EQ(rig.send("00 10 00 00 00 00 02 AA"), "6700");
  EXPECT_EQ(rig.send("00 20 02 00 01 AA 02"), "77779000");
}

TEST(RuntimeT1, GivesNoDataThatWasNotAskedFor) {
  Rig rig(Protocol::t1);
  EXPECT_EQ(rig.send("00 20 02 00"), "9000");
  EXPECT_EQ(rig.send("00 30 04 00 02"), "6C04");
  EXPECT_EQ(rig.send("00 30 04 00 04"), "777777779000");
  EXPECT_EQ(rig.length("00 30 00 00 00"), 258u);
}

TEST(RuntimeT1, HasNoGetResponse) {
  Rig rig(Protocol::t1);
  rig.send("00 C0 02 00 02");
  EXPECT_EQ(rig.echo->last.ins, 0xC0);  // the card's own business, not the protocol's
}

TEST(RuntimeT0, AnswersByGetResponse) {
  Rig rig(Protocol::t0);
  EXPECT_EQ(rig.send("00 20 05 00 01 AA"), "6105");
  EXPECT_EQ(rig.send("00 C0 00 00 05"), "77777777779000");
  EXPECT_EQ(rig.send("00 C0 00 00 05"), "6985");  // fetched
}

TEST(RuntimeT0, WritesLength256As00) {
  Rig rig(Protocol::t0);
  EXPECT_EQ(rig.send("00 20 00 00 01 AA"), "6100");
  EXPECT_EQ(rig.length("00 C0 00 00 00"), 258u);
}

TEST(RuntimeT0, FetchesInPieces) {
  Rig rig(Protocol::t0);
  EXPECT_EQ(rig.send("00 20 05 00 01 AA"), "6105");
  EXPECT_EQ(rig.send("00 C0 00 00 06"), "6C05");
  EXPECT_EQ(rig.send("00 C0 00 00 02"), "77776103");
  EXPECT_EQ(rig.send("00 C0 00 00 00"), "7777779000");
}

TEST(RuntimeT0, MoreThan256IsAnnouncedAs00ThenTheRest) {
  Rig rig(Protocol::t0);
  EXPECT_EQ(rig.send("00 50 0F 00 01 AA"), "6100");
  const std::string first = rig.send("00 C0 00 00 00");
  EXPECT_EQ(first.size(), 2u * 258);
  EXPECT_TRUE(first.ends_with("610F"));
  EXPECT_EQ(rig.length("00 C0 00 00 0F"), 17u);
  EXPECT_EQ(rig.send("00 50 0F 00 01 AA"), "6100");
  EXPECT_EQ(rig.length("00 C0 00 00 10"), 18u);
  EXPECT_EQ(rig.length("00 C0 00 00 FF"), 257u);
}

TEST(RuntimeT0, P3ZeroIsNoDataForCommandsWithoutAnswer) {
  Rig rig(Protocol::t0);
  EXPECT_EQ(rig.send("00 10 00 00 00"), "9000");
  EXPECT_FALSE(rig.echo->last.ne.has_value());
  EXPECT_EQ(rig.send("00 10 00 00"), "9000");
  EXPECT_EQ(rig.send("00 20 05 00 00"), "6105");
  EXPECT_EQ(rig.length("00 20 00 00 00"), 258u);  // exactly 256: no detour
}

TEST(RuntimeT0, OtherCommandsDropWhatWaits) {
  Rig rig(Protocol::t0);
  EXPECT_EQ(rig.send("00 20 05 00 01 AA"), "6105");
  EXPECT_EQ(rig.send("00 10 00 00 00"), "9000");
  EXPECT_EQ(rig.send("00 C0 00 00 05"), "6985");
  EXPECT_EQ(rig.send("00 20 05 00 01 AA"), "6105");
  rig.runtime->reset();
  EXPECT_EQ(rig.send("00 C0 00 00 05"), "6985");
}

TEST(RuntimeT0, LeBehindDataIsLeftToGetResponse) {
  Rig rig(Protocol::t0);
  EXPECT_EQ(rig.send("00 20 05 00 01 AA 05"), "6105");
}

TEST(RuntimeT0, WrongLeOfARepeatableCommand) {
  Rig rig(Protocol::t0);
  EXPECT_EQ(rig.send("00 30 04 00 02"), "6C04");
  EXPECT_EQ(rig.send("00 30 04 00 04"), "777777779000");
}

TEST(Runtime, FailingMemoryIsAStatusWord) {
  Rig rig(Protocol::t1);
  EXPECT_EQ(rig.send("00 40 00 00"), "6581");
}

TEST(Runtime, PowerAndReset) {
  Rig rig(Protocol::t1);
  const int before = rig.echo->forgotten;
  rig.runtime->reset();
  EXPECT_EQ(rig.echo->forgotten, before + 1);
  rig.runtime->power_off();
  EXPECT_EQ(rig.send("00 10 00 00"), "6F00");
  EXPECT_EQ(rig.echo->executed, 0);
}

Command block(std::uint8_t cla, std::uint8_t p1, Bytes data) {
  return {cla, 0x2A, p1, 0, std::move(data), std::nullopt};
}

TEST(CommandChain, CollectsBlocks) {
  CommandChain chain;
  EXPECT_EQ(chain.take(block(0x10, 1, {1, 2})), CommandChain::Step::more);
  EXPECT_TRUE(chain.open());
  EXPECT_EQ(chain.take(block(0x00, 1, {3})), CommandChain::Step::complete);
  EXPECT_FALSE(chain.open());
  EXPECT_EQ(chain.joined(), (Bytes{1, 2, 3}));
  EXPECT_EQ(chain.blocks().size(), 2u);
  EXPECT_EQ(chain.take(block(0x00, 1, {9})), CommandChain::Step::complete);
  EXPECT_EQ(chain.joined(), Bytes{9});
}

TEST(CommandChain, AnotherCommandBreaksIt) {
  CommandChain chain;
  chain.take(block(0x10, 1, {1}));
  EXPECT_EQ(chain.take(block(0x00, 2, {2})), CommandChain::Step::broken);
  EXPECT_EQ(chain.take(block(0x00, 2, {2})), CommandChain::Step::complete);
  EXPECT_EQ(chain.joined(), Bytes{2});
}

TEST(CommandChain, IsBounded) {
  CommandChain chain;
  CommandChain::Step step = CommandChain::Step::more;
  std::size_t taken = 0;
  while (step == CommandChain::Step::more) {
    step = chain.take(block(0x10, 1, Bytes(255)));
    taken += 255;
    ASSERT_LE(taken, 2 * CommandChain::max_total);
  }
  EXPECT_EQ(step, CommandChain::Step::too_long);
  EXPECT_FALSE(chain.open());
}

}  // namespace
}  // namespace kilt::sim
