// SPDX-License-Identifier: Apache-2.0
// The guard between guesses and real cards, and the choice of a driver.
#include "drivers/link.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <iterator>

#include "drivers/kaztoken.hpp"
#include "drivers/registry.hpp"
#include "tests/apdu/scripted_transport.hpp"

namespace kilt::card {
namespace {

using ::testing::HasSubstr;

class Reader : public test::ScriptedTransport {
 public:
  Reader(bool simulated, Bytes atr = {})
      : ScriptedTransport([](ByteView) -> Result<Bytes> {
          return Bytes{0x90, 0x00};
        }),
        simulated_(simulated),
        atr_(std::move(atr)) {}
  [[nodiscard]] bool is_simulated() const override { return simulated_; }
  [[nodiscard]] ByteView atr() const override { return atr_; }

 private:
  bool simulated_;
  Bytes atr_;
};

struct Bench {
  explicit Bench(bool simulated) {
    auto transport = std::make_unique<Reader>(simulated);
    reader = transport.get();
    link = std::make_unique<Link>(std::move(transport), nullptr);
    link->set_card_name("Examplecard");
  }
  Status send(Evidence evidence, bool destroys) {
    const Command command{{0x80, 0x01, 0, 0}, evidence, "do something", "[somewhere §1]", destroys};
    auto answer = link->send(command);
    if (!answer) return answer.take_error();
    return {};
  }
  Reader* reader;
  std::unique_ptr<Link> link;
};

TEST(LinkGuard, LetsEverythingThroughToASimulatedCard) {
  Bench bench(true);
  EXPECT_TRUE(bench.send(Evidence::assumed, true).ok());
}

TEST(LinkGuard, KeepsGuessesOffARealCard) {
  Bench bench(false);
  EXPECT_TRUE(bench.send(Evidence::published, false).ok());
  EXPECT_TRUE(bench.send(Evidence::observed, true).ok());
  EXPECT_TRUE(bench.send(Evidence::related, false).ok());
  const auto sent = bench.reader->sent.size();
  const auto guess = bench.send(Evidence::assumed, false);
  ASSERT_FALSE(guess.ok());
  EXPECT_EQ(guess.error().kind, ErrorKind::refused);
  for (const char* part :
       {"Examplecard", "do something", "[somewhere §1]", "kilt trace record", "allow_assumed"}) {
    EXPECT_THAT(guess.error().message(), HasSubstr(part));
  }
  EXPECT_EQ(bench.send(Evidence::related, true).error().kind, ErrorKind::refused);
  EXPECT_EQ(bench.reader->sent.size(), sent) << "nothing was sent";
}

TEST(LinkGuard, YieldsToPermissions) {
  Bench bench(false);
  bench.link->set_permissions({false, true});
  EXPECT_TRUE(bench.send(Evidence::related, true).ok());
  EXPECT_FALSE(bench.send(Evidence::assumed, false).ok());
  EXPECT_FALSE(bench.send(Evidence::assumed, true).ok());
  bench.link->set_permissions({true, false});
  EXPECT_TRUE(bench.send(Evidence::assumed, true).ok());
  EXPECT_TRUE(bench.send(Evidence::related, true).ok());
}

TEST(LinkGuard, NothingIsKnownBetterThanTheCard) {
  Bench bench(false);
  bench.link->set_floor({Evidence::related, "[relatives §2]"});
  EXPECT_TRUE(bench.send(Evidence::published, false).ok());
  const auto erase = bench.send(Evidence::published, true);
  EXPECT_EQ(erase.error().kind, ErrorKind::refused);
  EXPECT_THAT(erase.error().message(), HasSubstr("[relatives §2]"));
  EXPECT_THAT(bench.send(Evidence::assumed, false).error().message(), HasSubstr("[somewhere §1]"))
      << "a guess stays the guess it was";

  bench.link->set_floor({Evidence::assumed, "[strangers §3]"});
  const auto sent = bench.reader->sent.size();
  EXPECT_EQ(bench.send(Evidence::published, false).error().kind, ErrorKind::refused);
  EXPECT_EQ(bench.reader->sent.size(), sent);
}

TEST(LinkGuard, HoldsForEveryCommandOfEveryDriver) {
  std::size_t guesses = 0;
  for (const auto* driver : drivers()) {
    for (const auto& command : driver->commands()) {
      if (command.evidence != Evidence::assumed) continue;
      SCOPED_TRACE(std::string(driver->name) + ": " + command.operation);
      ++guesses;
      Bench bench(false);
      const auto refused = bench.link->send(command);
      ASSERT_FALSE(refused.ok());
      EXPECT_EQ(refused.error().kind, ErrorKind::refused);
      EXPECT_THAT(refused.error().message(), HasSubstr(command.operation));
      EXPECT_TRUE(bench.reader->sent.empty()) << "nothing was sent";
      bench.link->set_permissions({true, false});
      EXPECT_TRUE(bench.link->send(command).ok());
      EXPECT_FALSE(bench.reader->sent.empty());
    }
  }
  EXPECT_GE(guesses, 20u) << "eToken and ID card have many";
}

TEST(LinkTransaction, HasANumberWhileItIsOpen) {
  Bench bench(true);
  auto& transport = bench.link->transport();
  EXPECT_EQ(transport.transaction(), std::nullopt);
  std::optional<std::uint64_t> first;
  {
    const auto transaction = apdu::Transaction::begin(transport);
    ASSERT_TRUE(transaction.ok());
    first = transport.transaction();
    EXPECT_TRUE(first.has_value());
    EXPECT_TRUE(bench.send(Evidence::published, false).ok());
    EXPECT_EQ(transport.transaction(), first);
  }
  EXPECT_EQ(transport.transaction(), std::nullopt);
  const auto transaction = apdu::Transaction::begin(transport);
  EXPECT_TRUE(transport.transaction().has_value());
  EXPECT_NE(transport.transaction(), first);
}

TEST(Registry, NoAtrBelongsToTwoDrivers) {
  for (const auto* driver : drivers()) {
    for (const auto& pattern : driver->atrs()) {
      EXPECT_TRUE(pattern.mask.empty() || pattern.mask.size() == pattern.atr.size())
          << pattern.device;
      const auto found = candidates(pattern.atr);
      ASSERT_EQ(found.size(), 1u) << pattern.device;
      EXPECT_EQ(found.front(), driver) << pattern.device;
    }
  }
}

std::string driver_of(std::string_view atr) {
  const auto found = candidates(from_hex(atr).value());
  return found.empty() ? "" : found.front()->name;
}

TEST(Registry, KnowsKaztokenInBothForms) {
  EXPECT_EQ(driver_of("3B 88 01 4B 41 5A 54 4F 4B 45 4E 82"), "kaztoken");
  EXPECT_EQ(driver_of("3B 98 96 00 4B 41 5A 54 4F 4B 45 4E"), "kaztoken");
  EXPECT_EQ(driver_of("3B 98 11 00 4B 41 5A 54 4F 4B 45 4E"), "kaztoken")
      << "other interface bytes";
  EXPECT_EQ(driver_of("3B 8B 01 52 75 74 6F 6B 65 6E 20 45 43 50 A0"), "kaztoken") << "a relative";
  EXPECT_EQ(driver_of("3B 88 01 4B 41 5A 54 4F 4B 45 4F 83"), "");
  EXPECT_EQ(driver_of("3B 6F 00 FF 00 56 72 75 54 6F 6B 6E 73 30 20 00 00 90 00"), "")
      << "Rutoken S";
  EXPECT_EQ(driver_of(""), "");
}

TEST(Registry, NamesTheAtrOfAnUnknownCard) {
  const auto made = identify(std::make_unique<Reader>(true, from_hex("3B0102").value()), nullptr);
  ASSERT_FALSE(made.ok());
  EXPECT_EQ(made.error().kind, ErrorKind::unknown_card);
  EXPECT_THAT(made.error().message(), HasSubstr("3B0102"));
}

TEST(Registry, ACardThatIsOneTokenHasNoSecond) {
  const Bytes kaztoken = from_hex("3B 88 01 4B 41 5A 54 4F 4B 45 4E 82").value();
  const auto first = identify(std::make_unique<Reader>(true, kaztoken), nullptr, 0);
  ASSERT_TRUE(first.ok());
  EXPECT_TRUE((*first)->applications().empty());
  const auto second = identify(std::make_unique<Reader>(true, kaztoken), nullptr, 1);
  ASSERT_FALSE(second.ok());
  EXPECT_EQ(second.error().kind, ErrorKind::not_found);
}

/// The README with the drivers' table in place of the one behind the mark.
std::string renewed(const std::string& readme) {
  const auto mark = readme.find("<!-- evidence: ");
  const auto begin = readme.find("| card |", mark);
  const auto end = readme.find("\n\n", begin);
  if (end == std::string::npos) return {};
  return readme.substr(0, begin) + evidence_table() + readme.substr(end + 1);
}

// KILT_WRITE_README=1 puts the table in.
TEST(Evidence, ReadmeSaysWhatTheDriversSay) {
  constexpr const char* path = KILT_SOURCE_DIR "/README.md";
  std::ifstream in(path);
  const std::string readme{std::istreambuf_iterator<char>(in), {}};
  const std::string expected = renewed(readme);
  ASSERT_FALSE(expected.empty()) << "README.md has no place for the table";
  if (std::getenv("KILT_WRITE_README") != nullptr) {
    std::ofstream(path) << expected;
  } else {
    EXPECT_EQ(readme, expected) << "KILT_WRITE_README=1 link_test renews the table";
  }
}

TEST(Evidence, AnAppletInAnotherDeviceIsARelative) {
  const std::string table = evidence_table();
  EXPECT_THAT(table, HasSubstr("| etoken72k | log in the user | published |"));
  EXPECT_THAT(table,
              HasSubstr("| jacarta-pro | log in the user | related | [facts jacarta A13] of ["));
}

TEST(Evidence, EveryCommandHasAPedigree) {
  for (const auto* driver : drivers()) {
    ASSERT_FALSE(driver->commands().empty()) << driver->name;
    for (const auto& command : driver->commands()) {
      EXPECT_STRNE(command.operation, "");
      const std::string source = command.source;
      const bool is_guess =
          command.evidence == Evidence::assumed && source.rfind("assumed", 0) == 0;
      EXPECT_TRUE(source[0] == '[' || is_guess) << command.operation << ": " << source;
    }
  }
}

TEST(Model, BitsOfAModulus) {
  PublicKey key;
  key.modulus = Bytes(128, 0xFF);
  EXPECT_EQ(key.bits(), 1024u);
  key.modulus[0] = 0x01;
  EXPECT_EQ(key.bits(), 1017u);
  key.modulus.insert(key.modulus.begin(), 0);
  EXPECT_EQ(key.bits(), 1017u);
  key.modulus = Bytes(4);
  EXPECT_EQ(key.bits(), 0u);
  EXPECT_EQ((PublicKey{KeyType::gost_256, {}, {}, Bytes(64), {}}.bits()), 256u);
}

TEST(Model, SizesThatACardOffers) {
  Capability steps;
  steps.min_bits = 1024;
  steps.max_bits = 2048;
  steps.bits_step = 256;
  EXPECT_TRUE(steps.has_size(1024) && steps.has_size(1280) && steps.has_size(2048));
  EXPECT_FALSE(steps.has_size(1100) || steps.has_size(768) || steps.has_size(2304));
  steps.bits_step = 0;
  EXPECT_TRUE(steps.has_size(1024) && steps.has_size(2048));
  EXPECT_FALSE(steps.has_size(1536));
  steps.max_bits = 4096;
  steps.sizes = {1024, 2048, 4096};
  EXPECT_TRUE(steps.has_size(1024) && steps.has_size(2048) && steps.has_size(4096));
  EXPECT_FALSE(steps.has_size(3072) || steps.has_size(0));
}

}  // namespace
}  // namespace kilt::card
