// SPDX-License-Identifier: Apache-2.0
#include "firmware-sim/faults.hpp"

#include <gtest/gtest.h>

namespace kilt::sim {
namespace {

class Stub : public Chip {
 public:
  explicit Stub(Nvram& nvram) : nvram_(nvram) {}
  [[nodiscard]] Bytes atr() const override { return {0x3B, 0x00}; }
  [[nodiscard]] Protocol protocol() const override { return Protocol::t1; }
  void power_on() override {}
  void power_off() override { ++offs; }
  void reset() override {}
  Answer transmit(ByteView) override {
    ++executed;
    nvram_.write("first", Bytes{1});
    nvram_.write("second", Bytes{2});
    return {{0x01, 0x02, 0x03, 0x04, 0x90, 0x00}};
  }
  [[nodiscard]] bool is_private(ByteView) const override { return false; }
  int executed = 0, offs = 0;

 private:
  Nvram& nvram_;
};

struct Rig {
  explicit Rig(const char* spec) { arm(spec); }
  void arm(const char* spec) {
    auto plan = FaultPlan::parse(spec);
    ASSERT_TRUE(plan.ok()) << spec;
    faulty.arm(std::move(*plan));
  }
  Outcome send(std::uint8_t ins = 0xA4) {
    const std::uint8_t command[] = {0x00, ins, 0x00, 0x00};
    return faulty.transmit(command);
  }
  Nvram nvram;
  Stub stub{nvram};
  FaultyChip faulty{stub, nvram};
};

using Kind = Outcome::Kind;

TEST(Faults, GrammarIsTakenWhole) {
  for (const char* good :
       {"", "remove@apdu:1", "remove-after@apdu:2", "mute@apdu:10", "slow@apdu:1:500",
        "sw@apdu:3:6F00", "sw@ins:2A:1:6f00", "truncate@apdu:1", "truncate@apdu:1:0",
        "oversize@ins:B0:2", "garbage@apdu:1", "kill@nvram:4", "kill-after@nvram:1", "tear@nvram:2",
        "mute@apdu:1,tear@nvram:2,slow@ins:20:3:10"}) {
    EXPECT_TRUE(FaultPlan::parse(good).ok()) << good;
  }
  EXPECT_EQ(FaultPlan::parse("mute@apdu:1,tear@nvram:2")->faults.size(), 2u);
}

TEST(Faults, NonsenseIsRefusedAndNamed) {
  for (const char* bad : {"remove",        "remove@",        "remove@apdu",
                          "remove@apdu:0", "remove@apdu:-1", "remove@apdu:1:2",
                          "slow@apdu:1",   "slow@apdu:1:x",  "slow@apdu:1:9999999",
                          "sw@apdu:1",     "sw@apdu:1:90",   "sw@apdu:1:9G00",
                          "sw@ins:1:6F00", "mute@ins:100:1", "kill@apdu:1",
                          "mute@nvram:1",  "explode@apdu:1", ",",
                          "mute@apdu:1,",  "mute@apdu: 1",   "tear@nvram:1:1"}) {
    const auto plan = FaultPlan::parse(bad);
    ASSERT_FALSE(plan.ok()) << bad;
    EXPECT_EQ(plan.error().kind, ErrorKind::bad_argument);
    EXPECT_NE(plan.error().what.find('"'), std::string::npos);
  }
}

TEST(Faults, RemovesBeforeAndAfterTheCommand) {
  Rig rig("remove@apdu:2");
  EXPECT_EQ(rig.send().kind, Kind::answered);
  EXPECT_EQ(rig.send().kind, Kind::removed);
  EXPECT_EQ(rig.stub.executed, 1);
  EXPECT_EQ(rig.stub.offs, 1);
  EXPECT_EQ(rig.send().kind, Kind::answered);  // put in again: it strikes once

  rig.arm("remove-after@apdu:1");
  EXPECT_EQ(rig.send().kind, Kind::removed);
  EXPECT_EQ(rig.stub.executed, 3);
}

TEST(Faults, CountsFromTheArming) {
  Rig rig("");
  rig.send();
  rig.send();
  rig.arm("mute@apdu:1");
  EXPECT_EQ(rig.send().kind, Kind::mute);
}

TEST(Faults, CountsByInstruction) {
  Rig rig("sw@ins:2A:2:6F00");
  EXPECT_EQ(rig.send(0x2A).answer.bytes.size(), 6u);
  EXPECT_EQ(rig.send(0xA4).answer.bytes.size(), 6u);
  EXPECT_EQ(rig.send(0x2A).answer.bytes, (Bytes{0x6F, 0x00}));
  EXPECT_EQ(rig.stub.executed, 2);
}

TEST(Faults, SpoilsAnswers) {
  Rig rig("truncate@apdu:1,truncate@apdu:2:3,oversize@apdu:3,garbage@apdu:4,slow@apdu:5:20");
  EXPECT_EQ(rig.send().answer.bytes.size(), 1u);
  EXPECT_EQ(rig.send().answer.bytes, (Bytes{1, 2, 3}));
  EXPECT_GT(rig.send().answer.bytes.size(), 258u);
  const Bytes garbage = rig.send().answer.bytes;
  EXPECT_EQ(garbage.size(), 6u);
  EXPECT_NE(garbage, (Bytes{1, 2, 3, 4, 0x90, 0}));
  const Outcome slow = rig.send();
  EXPECT_EQ(slow.delay.count(), 20);
  EXPECT_EQ(slow.answer.bytes.size(), 6u);
}

TEST(Faults, TearsBetweenTwoWrites) {
  Rig rig("tear@nvram:2");
  EXPECT_EQ(rig.send().kind, Kind::removed);
  EXPECT_NE(rig.nvram.read("first"), nullptr);
  EXPECT_EQ(rig.nvram.read("second"), nullptr);
  EXPECT_EQ(rig.stub.offs, 1);
  EXPECT_EQ(rig.send().kind, Kind::answered);
}

TEST(Faults, KillsTheProcessBeforeOrAfterTheWrite) {
  EXPECT_EXIT({ Rig("kill@nvram:1").send(); }, testing::KilledBySignal(SIGKILL), "");
  EXPECT_EXIT({ Rig("kill-after@nvram:2").send(); }, testing::KilledBySignal(SIGKILL), "");
  Rig rig("kill@nvram:3");
  rig.send();  // only two writes: nobody dies
}

}  // namespace
}  // namespace kilt::sim
