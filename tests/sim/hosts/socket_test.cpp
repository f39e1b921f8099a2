// SPDX-License-Identifier: Apache-2.0
// The socket protocol of firmware-sim/hosts/README.md, spoken by hand against the real program.
#include <gmock/gmock.h>
#include <sys/stat.h>

#include <atomic>
#include <thread>

#include "tests/sim/hosts/running_sim.hpp"

namespace kilt::sim::test {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

constexpr const char* challenge = "00 84 00 00 08";
constexpr const char* verify_user = "00 20 00 02 08 31 32 33 34 35 36 37 38";  // factory PIN
constexpr const char* verify_wrong = "00 20 00 02 08 30 30 30 30 30 30 30 30";
constexpr const char* user_status = "00 20 00 02";

Bytes seen(bool present, std::uint32_t insertions) {
  return {present, static_cast<std::uint8_t>(insertions >> 24),
          static_cast<std::uint8_t>(insertions >> 16), static_cast<std::uint8_t>(insertions >> 8),
          static_cast<std::uint8_t>(insertions)};
}

class Socket : public ::testing::Test {
 protected:
  Client connected() {
    Client client(sim_.socket());
    EXPECT_EQ(client.ask('C').code, 0);
    return client;
  }
  std::uint32_t epoch() { return Client(sim_.socket()).ask('C').number(4); }

  RunningSim sim_{{"--card", "kaztoken"}};
};

TEST_F(Socket, IsForItsOwnerOnly) {
  struct stat door {};
  ASSERT_EQ(::stat(sim_.socket().c_str(), &door), 0);
  EXPECT_EQ(door.st_mode & 0777, 0600);
  const auto directory = sim_.socket().substr(0, sim_.socket().rfind('/'));
  ASSERT_EQ(::stat(directory.c_str(), &door), 0);
  EXPECT_EQ(door.st_mode & 0777, 0700);
}

TEST_F(Socket, TellsStatusToAnybody) {
  const auto reply = Client(sim_.socket()).ask('S');
  ASSERT_EQ(reply.code, 0);
  EXPECT_EQ(reply.payload[0], 1);
  EXPECT_EQ(reply.number(1), 1);
  EXPECT_EQ(reply.payload[5], 12);
  EXPECT_EQ(to_hex(ByteView(reply.payload).subspan(6, 12)), "3B88014B415A544F4B454E82");
  EXPECT_EQ(as_text(ByteView(reply.payload).subspan(19)), "kilt simulator kaztoken");
}

TEST_F(Socket, ConnectTellsWhatTheReaderTakes) {
  const auto reply = Client(sim_.socket()).ask('C');
  ASSERT_EQ(reply.code, 0);
  EXPECT_EQ(reply.number(0), 1);
  EXPECT_EQ(reply.payload[8], 1) << "the USB token speaks T=1";
  EXPECT_EQ(reply.number(9), 261);
  EXPECT_EQ(reply.number(13), 258);
  EXPECT_EQ(reply.payload[17], 0);
  EXPECT_EQ(reply.payload[18], 12);
}

TEST_F(Socket, RefusesWhatIsNotUnderstood) {
  Client client(sim_.socket());
  for (const char code : {'T', 'L', 'U', 'R', 'D'}) {
    EXPECT_EQ(client.ask(code).code, 3) << code << " before connect";
  }
  EXPECT_EQ(client.ask('?').code, 3);
  EXPECT_EQ(client.ask('W', Bytes{1}).code, 3);
  EXPECT_EQ(client.ask('K', as_bytes("dance")).code, 3);
  EXPECT_EQ(client.ask('S').code, 0) << "and goes on";
}

TEST_F(Socket, BrokenFramingEndsTheConnection) {
  for (const char* frame : {"00000000", "00011171 53", "FFFFFFFF 53"}) {
    Client client(sim_.socket());
    client.send_raw(from_hex(frame).value());
    EXPECT_TRUE(client.ended()) << frame;
  }
  EXPECT_EQ(Client(sim_.socket()).ask('S').code, 0);
}

TEST_F(Socket, AnswersInOrderWhenAskedAhead) {
  auto client = connected();
  client.send('T', from_hex(challenge).value());
  client.send('S');
  client.send('T', from_hex("00 84 00 00 02").value());
  EXPECT_EQ(client.receive().payload.size(), 10);
  EXPECT_EQ(client.receive().payload[0], 1);
  EXPECT_EQ(client.receive().payload.size(), 4);
}

TEST_F(Socket, LockKeepsOthersWaiting) {
  auto a = connected();
  auto b = connected();
  ASSERT_EQ(a.ask('L').code, 0);
  b.send('T', from_hex(challenge).value());
  EXPECT_THAT(a.apdu(challenge), HasSubstr("9000"));
  EXPECT_FALSE(b.has_answer());
  EXPECT_EQ(a.ask('U').code, 0);
  EXPECT_EQ(b.receive().code, 0);
  EXPECT_EQ(a.ask('U').code, 3) << "nothing is locked";
}

TEST_F(Socket, LockGoesRoundInOrderAndPastTheDead) {
  auto a = connected();
  auto b = connected();
  auto c = connected();
  ASSERT_EQ(a.ask('L').code, 0);
  b.send('L');
  ASSERT_EQ(a.ask('S').code, 0);
  c.send('L');
  ASSERT_EQ(a.ask('S').code, 0);
  ASSERT_EQ(a.ask('U').code, 0);
  ASSERT_EQ(b.receive().code, 0);
  EXPECT_FALSE(c.has_answer());
  b.close();
  EXPECT_EQ(c.receive().code, 0);
}

TEST_F(Socket, VanishedClientLeavesNoLoginBehind) {
  auto other = connected();
  const auto before = epoch();
  {
    auto client = connected();
    ASSERT_EQ(client.apdu(verify_user), "9000");
    EXPECT_EQ(client.apdu(user_status), "9000");
  }
  EXPECT_TRUE(soon([&] { return epoch() > before; }));
  EXPECT_NE(other.apdu(user_status), "9000");
}

TEST_F(Socket, DisconnectLeavesOrResetsAsAsked) {
  const auto before = epoch();
  auto client = connected();
  ASSERT_EQ(client.apdu(verify_user), "9000");
  ASSERT_EQ(client.ask('D', Bytes{0}).code, 0);
  EXPECT_EQ(client.ask('D', Bytes{0}).code, 3);
  client.close();
  auto next = connected();
  EXPECT_EQ(next.apdu(user_status), "9000") << "left as it was";
  const auto now = next.ask('L').number(0);
  ASSERT_EQ(next.ask('D', Bytes{1}).code, 0);
  auto last = connected();
  EXPECT_GT(last.ask('L').number(0), now);
  EXPECT_GE(now, before);
  EXPECT_NE(last.apdu(user_status), "9000");
}

TEST_F(Socket, VanishedClientDoesNotDisturbALockedOne) {
  auto holder = connected();
  const auto before = holder.ask('L').number(0);
  ASSERT_EQ(holder.apdu(verify_user), "9000");
  connected().close();
  EXPECT_EQ(holder.apdu(user_status), "9000");
  EXPECT_EQ(holder.ask('S').code, 0);
  EXPECT_EQ(holder.apdu(user_status), "9000");
  ASSERT_EQ(holder.ask('U').code, 0);
  EXPECT_GT(holder.ask('L').number(0), before) << "the reset was only put off";
}

TEST_F(Socket, ResetIsANewEpochForEverybody) {
  auto a = connected();
  auto b = connected();
  const auto before = b.ask('L').number(0);
  ASSERT_EQ(b.ask('U').code, 0);
  const auto reset = a.ask('R');
  ASSERT_EQ(reset.code, 0);
  EXPECT_EQ(reset.number(0), before + 1);
  EXPECT_EQ(b.ask('L').number(0), before + 1);
}

TEST_F(Socket, WatchTellsOfRemovalAndInsertion) {
  Client watcher(sim_.socket());
  EXPECT_EQ(watcher.ask('W', seen(false, 0)).number(1), 1) << "differs already";
  watcher.send('W', seen(true, 1));
  auto user = connected();
  EXPECT_FALSE(watcher.has_answer());
  sim_.control({"remove"});
  const auto gone = watcher.receive();
  EXPECT_EQ(gone.payload[0], 0);
  EXPECT_EQ(gone.payload[5], 0) << "no ATR without a card";
  EXPECT_EQ(user.apdu(challenge), "no card");
  EXPECT_EQ(user.ask('C').code, 1);
  watcher.send('W', seen(false, 1));
  EXPECT_EQ(sim_.control({"insert"})["insertions"], 2);
  EXPECT_EQ(watcher.receive().number(1), 2);
  EXPECT_EQ(user.apdu(challenge), "no card") << "the old connection stays dead";
  EXPECT_EQ(user.ask('C').code, 0);
  EXPECT_THAT(user.apdu(challenge), HasSubstr("9000"));
}

TEST_F(Socket, RemovalFreesTheLockAndTheWaiting) {
  auto a = connected();
  auto b = connected();
  ASSERT_EQ(a.ask('L').code, 0);
  b.send('L');
  ASSERT_EQ(a.ask('S').code, 0);
  sim_.control({"remove"});
  EXPECT_EQ(b.receive().code, 1);
  EXPECT_EQ(a.ask('U').code, 1);
  sim_.control({"insert"});
  EXPECT_EQ(b.ask('C').code, 0);
  EXPECT_EQ(b.ask('L').code, 0);
}

TEST_F(Socket, PulledInTheMiddleOfACommand) {
  auto client = connected();
  sim_.control({"fault", "slow@apdu:1:60000"});
  client.send('T', from_hex(challenge).value());
  sim_.control({"remove"});
  EXPECT_EQ(client.receive().code, 1);
  sim_.control({"insert"});
  EXPECT_EQ(client.ask('C').code, 0);
  EXPECT_THAT(client.apdu(challenge), HasSubstr("9000"));
}

TEST_F(Socket, PulledWhileAnAnswerIsUnderWay) {
  // The answer of a card that just left arrives in the same round of the loop, and is nobody's.
  std::atomic<bool> over{false};
  std::thread busy([&] {
    Client client(sim_.socket());
    while (!over) {
      if (client.ask('T', from_hex(challenge).value()).code != 0) client.ask('C');
    }
  });
  // Not by the command: a process for each would be slower than the answers it is to meet.
  Client hand(sim_.socket());
  for (int round = 0; round < 40; ++round) {
    EXPECT_EQ(hand.ask('K', as_bytes("remove")).code, 0);
    EXPECT_EQ(hand.ask('K', as_bytes("insert")).code, 0);
  }
  over = true;
  busy.join();
  EXPECT_TRUE(lives(sim_.pid()));
  EXPECT_EQ(connected().ask('S').code, 0);
}

TEST_F(Socket, ScriptedFaults) {
  auto client = connected();
  sim_.control({"fault", "mute@apdu:1,remove@apdu:2"});
  EXPECT_EQ(client.apdu(challenge), "mute");
  EXPECT_EQ(client.apdu(challenge), "no card");
  EXPECT_EQ(client.ask('S').payload[0], 0);
  const auto wrong = run({kilt_sim(), "fault", "mute"}, sim_.environment());
  EXPECT_NE(wrong.status, 0) << "no card to arm";
  sim_.control({"insert"});
  EXPECT_EQ(run({kilt_sim(), "fault", "dance@apdu:1"}, sim_.environment()).status, 2);
}

TEST_F(Socket, KilledCardIsARemovedCardThatCanComeBack) {
  auto client = connected();
  const auto tries = client.apdu(user_status);
  sim_.control({"fault", "kill@nvram:1"});
  EXPECT_EQ(client.apdu(verify_wrong), "no card");
  EXPECT_EQ(client.ask('S').payload[0], 0);
  EXPECT_TRUE(lives(sim_.pid()));
  EXPECT_EQ(sim_.control({"insert"})["present"], true);
  ASSERT_EQ(client.ask('C').code, 0);
  EXPECT_EQ(client.apdu(user_status), tries) << "died before the write: no try spent";
  sim_.control({"fault", "kill-after@nvram:1"});
  EXPECT_EQ(client.apdu(verify_wrong), "no card");
  sim_.control({"insert"});
  ASSERT_EQ(client.ask('C').code, 0);
  EXPECT_NE(client.apdu(user_status), tries) << "died after it: one try less";
}

TEST_F(Socket, AnotherCardInTheSameReader) {
  const auto before = sim_.control({"stats"});
  const auto after = sim_.control({"insert", "--fresh"});
  EXPECT_EQ(after["reader"], before["reader"]);
  EXPECT_EQ(after["insertions"], 2);
  EXPECT_NE(after["serial"], before["serial"]);
  auto client = connected();
  EXPECT_THAT(client.apdu("00 CA 01 81 00"), HasSubstr(after["serial"].get<std::string>()));
}

TEST_F(Socket, SecondInsertIsRefused) {
  const auto done = run({kilt_sim(), "insert"}, sim_.environment());
  EXPECT_EQ(done.status, 2);
  EXPECT_THAT(done.err, HasSubstr("a card is in"));
}

TEST(SocketOfTwo, ASlowCardHoldsUpNobodyElse) {
  RunningSim sim({"--card", "kaztoken", "--card", "kaztoken"});
  sim.control({"fault", "--reader", "1", "slow@apdu:1:60000"});
  Client slow(sim.socket(1));
  Client quick(sim.socket(2));
  ASSERT_EQ(slow.ask('C').code, 0);
  ASSERT_EQ(quick.ask('C').code, 0);
  slow.send('T', from_hex(challenge).value());
  EXPECT_THAT(quick.apdu(challenge), HasSubstr("9000"));
  EXPECT_EQ(quick.ask('S').code, 0);
  EXPECT_FALSE(slow.has_answer());
  EXPECT_NE(sim.control({"stats", "--reader", "1"})["serial"],
            sim.control({"stats", "--reader", "2"})["serial"]);
}

TEST(SocketPath, IsTakenOverFromTheDeadOnly) {
  const Scratch scratch;
  const auto path = scratch / "door";
  {
    RunningSim first({"--card", "kaztoken", "--via", "socket:" + path});
    EXPECT_EQ(first.environment().at("KILT_READERS"), "socket:" + path);
    const auto second = run({kilt_sim(), "run", "--card", "kaztoken", "--via", "socket:" + path});
    EXPECT_EQ(second.status, 1);
    EXPECT_THAT(second.err, HasSubstr("another simulator"));
    EXPECT_EQ(Client(path).ask('S').code, 0);
    ::kill(first.pid(), SIGKILL);
    EXPECT_EQ(first.stop(), 137);
  }
  RunningSim third({"--card", "kaztoken", "--via", "socket:" + path});
  EXPECT_EQ(Client(path).ask('S').code, 0);
}

}  // namespace
}  // namespace kilt::sim::test
