// SPDX-License-Identifier: Apache-2.0
// Simulated cards behind a real pcscd, seen by a PC/SC program that is not ours (opensc-tool).
#include <gmock/gmock.h>
#include <signal.h>

#include <filesystem>
#include <fstream>

#include "tests/sim/hosts/running_sim.hpp"

namespace kilt::sim::test {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

constexpr const char* kaztoken_atr = "3b:88:01:4b:41:5a:54:4f:4b:45:4e:82";

struct Host {
  const char* via;
  const char* first_reader;
  const char* second_reader;
};

class PcscHost : public ::testing::TestWithParam<Host> {
 protected:
  static Finished tool(const RunningSim& sim, const std::string& reader,
                       std::vector<std::string> words) {
    words.insert(words.begin(), {"opensc-tool", "--reader", reader});
    return run(words, sim.environment());
  }
};

TEST_P(PcscHost, ShowsEveryCardToAnyProgram) {
  RunningSim sim({"--card", "kaztoken", "--card", "kaztoken", "--via", GetParam().via});
  const auto list = run({"opensc-tool", "--list-readers"}, sim.environment());
  EXPECT_THAT(list.out, HasSubstr(GetParam().first_reader));
  EXPECT_THAT(list.out, HasSubstr(GetParam().second_reader));
  for (const std::size_t number : {1, 2}) {
    const auto* reader = number == 1 ? GetParam().first_reader : GetParam().second_reader;
    EXPECT_THAT(tool(sim, reader, {"--atr"}).out, HasSubstr(kaztoken_atr));
    const std::string serial = sim.control({"stats", "--reader", std::to_string(number)})["serial"];
    std::string spaced;
    for (std::size_t i = 0; i < serial.size(); i += 2)
      spaced += serial.substr(i, 2) + " ";
    EXPECT_THAT(tool(sim, reader, {"--send-apdu", "00:CA:01:81:00"}).out, HasSubstr(spaced))
        << "each reader reaches its own card";
  }
}

TEST_P(PcscHost, RemovalAndInsertionAreSeen) {
  RunningSim sim({"--card", "kaztoken", "--via", GetParam().via});
  const auto card_in = [&] {
    return run({"opensc-tool", "--list-readers"}, sim.environment()).out.find("Yes") !=
           std::string::npos;
  };
  EXPECT_TRUE(card_in()) << "ready means that the card is seen";
  sim.control({"remove"});
  EXPECT_TRUE(soon([&] { return !card_in(); }));
  sim.control({"insert"});
  EXPECT_TRUE(soon(card_in));
  EXPECT_TRUE(soon([&] {
    return tool(sim, GetParam().first_reader, {"--atr"}).out.find(kaztoken_atr) !=
           std::string::npos;
  }));
}

TEST_P(PcscHost, NothingStaysBehind) {
  RunningSim sim({"--card", "kaztoken", "--via", GetParam().via});
  const auto directory = std::filesystem::path(sim.socket()).parent_path();
  const auto children = children_of(sim.pid());
  EXPECT_EQ(children.size(), 2) << "the card and pcscd";
  const auto pcscd = static_cast<pid_t>(std::stol(sim.environment().at("KILT_SIM_PCSCD")));
  EXPECT_THAT(children, ::testing::Contains(pcscd));
  EXPECT_EQ(sim.stop(), 0);
  for (const auto child : children)
    EXPECT_FALSE(lives(child));
  EXPECT_FALSE(std::filesystem::exists(directory));
}

TEST_P(PcscHost, PcscdDoesNotOutliveAKilledSimulator) {
  RunningSim sim({"--card", "kaztoken", "--via", GetParam().via});
  const auto directory = std::filesystem::path(sim.socket()).parent_path();
  const auto children = children_of(sim.pid());
  ::kill(sim.pid(), SIGKILL);
  EXPECT_EQ(sim.stop(), 137);
  for (const auto child : children)
    EXPECT_TRUE(soon([&] { return !lives(child); }));
  std::filesystem::remove_all(directory);
}

INSTANTIATE_TEST_SUITE_P(Pcscd, PcscHost,
                         ::testing::Values(Host{"pcscd", "kilt simulator kaztoken 00 00",
                                                "kilt simulator kaztoken 2 01 00"}));
INSTANTIATE_TEST_SUITE_P(Vpcd, PcscHost,
                         ::testing::Values(Host{"vpcd", "Virtual PCD 1 00 00",
                                                "Virtual PCD 2 00 00"}));

TEST(Vpcd, CardsAreAllowedUnlessGuarded) {
  const Scratch scratch;
  const auto run_with = [&](std::vector<std::string> options,
                            const std::map<std::string, std::string>& environment) {
    options.insert(options.begin(), {kilt_sim(), "run", "--card", "kaztoken", "--serial",
                                     "0A1B2C3D", "--via", "vpcd"});
    options.insert(options.end(), {"--", "/bin/sh", "-c", "cat \"$KILT_CONFIG\""});
    return run(options, environment).out;
  };
  const std::string theirs = "pin_cache = false\n";
  std::ofstream(scratch / "kilt.toml") << theirs;
  const std::map<std::string, std::string> config{{"KILT_CONFIG", scratch / "kilt.toml"}};
  EXPECT_THAT(run_with({}, {}), HasSubstr("allow_assumed = [\"0A1B2C3D\""));
  EXPECT_THAT(run_with({}, config), AllOf(HasSubstr(theirs), HasSubstr("[\"0A1B2C3D\"")));
  EXPECT_EQ(run_with({"--guard"}, config), theirs);
}

TEST(Pcscd, SimulatedCardsAreNamedSo) {
  RunningSim sim({"--card", "kaztoken-sc", "--via", "pcscd"});
  EXPECT_EQ(sim.environment().at("KILT_READERS"), "pcsc");
  EXPECT_EQ(sim.environment().count("KILT_CONFIG"), 0);
  EXPECT_THAT(run({"opensc-tool", "--list-readers"}, sim.environment()).out,
              HasSubstr("kilt simulator kaztoken-sc"));
}

}  // namespace
}  // namespace kilt::sim::test
