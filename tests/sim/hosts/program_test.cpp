// SPDX-License-Identifier: Apache-2.0
// kilt-sim as a program: options, COMMAND, files, signals, and that nothing stays behind.
#include <gmock/gmock.h>
#include <signal.h>

#include <filesystem>

#include "tests/sim/hosts/running_sim.hpp"

namespace kilt::sim::test {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;
using Words = std::vector<std::string>;

constexpr const char* verify_user = "00 20 00 02 08 31 32 33 34 35 36 37 38";

Finished sim(Words words, const std::map<std::string, std::string>& environment = {}) {
  words.insert(words.begin(), kilt_sim());
  return run(words, environment);
}

Finished sim_command(Words options, const std::string& shell) {
  options.insert(options.begin(), "run");
  options.insert(options.end(), {"--", "/bin/sh", "-c", shell});
  return sim(options);
}

TEST(Options, HelpIsThere) {
  for (const Words& words :
       {Words{"--help"}, Words{"run", "--help"}, Words{"ca", "issue", "--help"}}) {
    const auto done = sim(words);
    EXPECT_EQ(done.status, 0);
    EXPECT_THAT(done.out, HasSubstr("Usage"));
  }
  EXPECT_THAT(sim({"run", "--help"}).out, AllOf(HasSubstr("kaztoken-sc"), HasSubstr("--via")));
}

TEST(Options, MistakesAreExplained) {
  const std::vector<std::pair<Words, std::string>> mistakes = {
      {{}, "subcommand"},
      {{"dance"}, "dance"},
      {{"run"}, "--card"},
      {{"run", "--card", "visa"}, "kaztoken-sc"},
      {{"run", "--card", "kaztoken", "--via", "usb"}, "vpcd:PORT"},
      {{"run", "--card", "kaztoken", "--via", "vpcd:0"}, "vpcd:PORT"},
      {{"run", "--card", "kaztoken", "--via", "vpcd:65536"}, "vpcd:PORT"},
      {{"run", "--card", "kaztoken", "--timing", "fast"}, "real"},
      {{"run", "--card", "kaztoken", "--atr", "3B8"}, "hex"},
      {{"run", "--card", "kaztoken", "--fault", "dance"}, "dance"},
      {{"run", "--card", "kaztoken", "--factory", "aladdin", "--", "true"}, "aladdin"},
      {{"run", "--card", "kaztoken", "--serial", "1", "--serial", "2"}, "--serial"},
      {{"run", "--card", "kaztoken", "opensc-tool"}, "after --"},
      {{"run", "--card", "kaztoken", "--"}, "COMMAND"},
      {{"stats"}, "KILT_SIM"},
      {{"ca"}, "subcommand"},
  };
  for (const auto& [words, hint] : mistakes) {
    const auto done = sim(words);
    EXPECT_EQ(done.status, 2) << testing::PrintToString(words);
    EXPECT_THAT(done.err, HasSubstr(hint)) << testing::PrintToString(words);
  }
  const auto lost = sim({"stats", "--socket", "/nowhere"});
  EXPECT_EQ(lost.status, 1);
  EXPECT_THAT(lost.err, HasSubstr("no simulator answers"));
}

TEST(Command, StatusIsHandedOn) {
  EXPECT_EQ(sim_command({"--card", "kaztoken"}, "exit 7").status, 7);
  EXPECT_EQ(sim_command({"--card", "kaztoken"}, "kill -9 $$").status, 137);
  EXPECT_EQ(sim({"run", "--card", "kaztoken", "--", "/nonexistent"}).status, 127);
  EXPECT_EQ(sim({"run", "--card", "kaztoken", "--", "/etc/passwd"}).status, 126);
}

TEST(Command, FindsTheCardsByItsEnvironment) {
  const auto done =
      sim_command({"--card", "kaztoken", "--card", "kaztoken-sc"},
                  "echo $KILT_READERS; echo $KILT_SIM; " + kilt_sim() + " stats --reader 2");
  EXPECT_EQ(done.status, 0) << done.err;
  EXPECT_THAT(done.out, AllOf(HasSubstr("socket:"), HasSubstr(",socket:"),
                              HasSubstr("\"card\":\"kaztoken-sc\"")));
}

TEST(Command, OutlivesAKilledCard) {
  const auto done = sim_command({"--card", "kaztoken", "--fault", "remove@apdu:1"},
                                kilt_sim() + " remove && exit 5");
  EXPECT_EQ(done.status, 5) << done.err;
}

TEST(Command, GetsTheSignalsThatWeGet) {
  const Scratch scratch;
  const pid_t pid = ::fork();
  if (pid == 0) {
    const auto script =
        "trap 'exit 3' TERM; touch " + (scratch / "up") + "; while :; do sleep 0.01; done";
    ::execl(kilt_sim().c_str(), "kilt-sim", "run", "--card", "kaztoken", "--", "/bin/sh", "-c",
            script.c_str(), nullptr);
    ::_exit(99);
  }
  ASSERT_TRUE(soon([&] { return std::filesystem::exists(scratch / "up"); }));
  ::kill(pid, SIGTERM);
  int status = 0;
  ASSERT_EQ(::waitpid(pid, &status, 0), pid);
  EXPECT_EQ(WEXITSTATUS(status), 3);
}

TEST(End, NothingStaysBehind) {
  RunningSim running({"--card", "kaztoken", "--card", "kaztoken"});
  const auto directory = std::filesystem::path(running.socket()).parent_path();
  const auto cards = children_of(running.pid());
  EXPECT_EQ(cards.size(), 2);
  EXPECT_EQ(running.stop(), 0);
  for (const auto card : cards)
    EXPECT_FALSE(lives(card));
  EXPECT_FALSE(std::filesystem::exists(directory));
}

TEST(End, CardsDoNotOutliveAKilledSimulator) {
  RunningSim running({"--card", "kaztoken"});
  const auto directory = std::filesystem::path(running.socket()).parent_path();
  const auto cards = children_of(running.pid());
  ASSERT_EQ(cards.size(), 1);
  ::kill(running.pid(), SIGKILL);
  EXPECT_EQ(running.stop(), 137);
  EXPECT_TRUE(soon([&] { return !lives(cards[0]); }));
  std::filesystem::remove_all(directory);
}

TEST(State, IsKeptAndBelongsToOne) {
  const Scratch scratch;
  const auto state = scratch / "card";
  std::string serial;
  {
    RunningSim first({"--card", "kaztoken", "--state", state});
    serial = first.control({"stats"})["serial"];
    const auto second = sim({"run", "--card", "kaztoken", "--state", state, "--", "true"});
    EXPECT_EQ(second.status, 1) << "held by the first";
    EXPECT_THAT(second.err, HasSubstr(state));
  }
  RunningSim again({"--card", "kaztoken", "--state", state});
  EXPECT_EQ(again.control({"stats"})["serial"], serial);
}

TEST(State, FreshCardLeavesTheFileAlone) {
  const Scratch scratch;
  const auto state = scratch / "card";
  std::string serial;
  {
    RunningSim first({"--card", "kaztoken", "--state", state});
    serial = first.control({"stats"})["serial"];
    EXPECT_NE(first.control({"insert", "--fresh"})["serial"], serial);
  }
  RunningSim again({"--card", "kaztoken", "--state", state});
  EXPECT_EQ(again.control({"stats"})["serial"], serial);
}

TEST(State, NoCardIsARefusal) {
  const auto done = sim({"run", "--card", "kaztoken", "--state", "/etc/passwd", "--", "true"});
  EXPECT_NE(done.status, 0);
  EXPECT_THAT(done.err, HasSubstr("/etc/passwd"));
}

TEST(CardOptions, ReachTheCard) {
  RunningSim running(
      {"--card", "kaztoken", "--atr", "3B8B015275746F6B656E20454350A0", "--serial", "0A1B2C3D"});
  EXPECT_EQ(running.control({"stats"})["serial"], "0A1B2C3D");
  const auto status = Client(running.socket()).ask('S');
  EXPECT_EQ(to_hex(ByteView(status.payload).subspan(6, 15)), "3B8B015275746F6B656E20454350A0");
}

TEST(CardOptions, SeedRepeatsTheRandomNumbers) {
  const auto challenge = [](const char* seed) {
    RunningSim running({"--card", "kaztoken", "--seed", seed});
    Client client(running.socket());
    client.ask('C');
    return client.apdu("00 84 00 00 08");
  };
  const auto first = challenge("7");
  EXPECT_EQ(challenge("7"), first);
  EXPECT_NE(challenge("8"), first);
}

TEST(Files, CountAndTrace) {
  const Scratch scratch;
  {
    RunningSim running(
        {"--card", "kaztoken", "--count", scratch / "count", "--trace", scratch / "trace"});
    Client client(running.socket());
    ASSERT_EQ(client.ask('C').code, 0);
    EXPECT_EQ(client.apdu("00 84 00 00 08").size(), 20);
    EXPECT_EQ(client.apdu(verify_user), "9000");
    client.apdu("00 20 00 02");
    ASSERT_EQ(client.ask('R').code, 0);
    const auto live = running.control({"stats"});
    EXPECT_EQ(live["apdus"], 3);
    EXPECT_EQ(live["to_card"], 5 + 13 + 4);
  }
  const auto count = nlohmann::json::parse(read_text(scratch / "count"));
  EXPECT_EQ(count["apdus"], 3);
  EXPECT_EQ(count["to_card"], 5 + 13 + 4);
  EXPECT_EQ(count["from_card"], 10 + 2 + 2);
  EXPECT_EQ(count["ins"]["20"], 2);
  EXPECT_EQ(count["ins"]["84"], 1);
  EXPECT_EQ(count["readers"].size(), 1);
  const auto trace = read_text(scratch / "trace");
  EXPECT_THAT(trace,
              AllOf(HasSubstr("card: kaztoken\n"), HasSubstr("> 00 84 00 00 08\n< "),
                    HasSubstr("> 00 20 00 02 {pin}\n< 90 00\n"), HasSubstr("> 00 20 00 02\n"),
                    HasSubstr("! reset\n"), Not(HasSubstr("31 32 33 34"))));
}

TEST(Files, TheTraceHidesWhatIsPrivate) {
  const Scratch scratch;
  {
    RunningSim running({"--card", "kaztoken", "--trace", scratch / "trace"});
    Client client(running.socket());
    ASSERT_EQ(client.ask('C').code, 0);
    EXPECT_EQ(client.apdu(verify_user), "9000");
    EXPECT_EQ(client.apdu("00 A4 00 0C 02 3F00"), "9000");
    EXPECT_EQ(client.apdu("00 E0 00 00 1F 6F1D 80020004 82020100 83020501 "
                          "860F 4302020000000002 00000000000000"),
              "9000");
    EXPECT_EQ(client.apdu("00 A4 08 0C 02 0501"), "9000");
    EXPECT_EQ(client.apdu("00 D6 00 00 04 A1A2A3A4"), "9000");
    EXPECT_EQ(client.apdu("00 B0 00 00 04"), "A1A2A3A49000");
    running.control({"fault", "mute@apdu:1"});
    EXPECT_EQ(client.apdu("00 D6 00 00 04 A1A2A3A4"), "mute");
  }
  const auto trace = read_text(scratch / "trace");
  EXPECT_THAT(trace, AllOf(HasSubstr("> 00 D6 00 00 04 {any:4}\n< 90 00\n"),
                           HasSubstr("> 00 B0 00 00 04\n< {any:4} 90 00\n"),
                           HasSubstr("; no answer (mute) to 00 D6 00 00 04 {any:4}\n"),
                           Not(HasSubstr("A1 A2"))));
}

}  // namespace
}  // namespace kilt::sim::test
