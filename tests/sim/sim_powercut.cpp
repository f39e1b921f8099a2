// SPDX-License-Identifier: Apache-2.0
// kill -9 of the whole process before and after every NVRAM write of an operation. The card that
// is found afterwards has everything that was finished before, and the operation can be repeated.
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <functional>

#include "firmware-sim/faults.hpp"
#include "tests/sim/sim_card.hpp"
#include "tests/sim/witness.hpp"

namespace kilt::sim::test {
namespace {

const char* const verify_user = "00 20 00 02 08 3132333435363738";
const char* const generate_first = "00 46 80 01 00";
const char* const generate_second = "00 46 80 02 00";

std::unique_ptr<Nvram> open(const std::string& path) {
  auto nvram = Nvram::open(path);
  EXPECT_TRUE(nvram.ok()) << (nvram.ok() ? "" : nvram.error().message());
  return nvram.ok() ? std::move(*nvram) : nullptr;
}

ChipOptions seeded() {
  ChipOptions options;
  options.seed = 11;
  return options;
}

using Script = std::vector<std::string>;

/// Runs `script` on the card in `path` in a process of its own with this fault. True: it was
/// killed by it; false: the fault never struck and the script ended.
bool run_killed(const std::string& path, const Script& script, const std::string& fault) {
  const pid_t child = ::fork();
  if (child == 0) {
    auto nvram = Nvram::open(path);
    if (!nvram) ::_exit(3);
    const auto chip = find_profile("kaztoken")->make(**nvram, seeded());
    FaultyChip faulty(*chip, **nvram);
    auto plan = FaultPlan::parse(fault);
    if (!plan) ::_exit(4);
    faulty.arm(std::move(*plan));
    chip->power_on();
    for (const auto& command : script) {
      const auto outcome = faulty.transmit(*from_hex(command));
      const auto& bytes = outcome.answer.bytes;
      if (bytes.size() < 2 || bytes[bytes.size() - 2] != 0x90) ::_exit(5);
    }
    ::_exit(0);
  }
  int status = 0;
  EXPECT_EQ(::waitpid(child, &status, 0), child);
  if (WIFSIGNALED(status)) {
    EXPECT_EQ(WTERMSIG(status), SIGKILL);
    return true;
  }
  EXPECT_EQ(WEXITSTATUS(status), 0);
  return false;
}

/// For each write of `script`: kill before it and kill after it, each on a fresh copy of the card
/// in `original`; then `examine` the copy.
void sweep(const std::string& original, const Script& script,
           const std::function<void(TestCard&, bool finished)>& examine) {
  std::uint64_t writes = 0;
  for (const char* action : {"kill@nvram:", "kill-after@nvram:"}) {
    for (std::uint64_t n = 1;; ++n) {
      ASSERT_LT(n, 1000u);
      const std::string copy = original + ".copy";
      std::filesystem::copy_file(original, copy, std::filesystem::copy_options::overwrite_existing);
      const bool killed = run_killed(copy, script, action + std::to_string(n));
      SCOPED_TRACE(action + std::to_string(n));
      const auto nvram = open(copy);
      ASSERT_NE(nvram, nullptr);
      TestCard card(*nvram, "kaztoken", seeded());
      examine(card, !killed);
      if (testing::Test::HasFailure()) return;
      if (!killed) {
        writes = n - 1;
        break;
      }
    }
  }
  EXPECT_GT(writes, 0u);
}

struct Prepared {
  Prepared() {
    const auto nvram = open(path);
    TestCard card(*nvram, "kaztoken", seeded());
    card.log_in_user();
    card.create_gost_files(1);
    first_public = card.send(generate_first);
    EXPECT_EQ(card.send("00 A4 00 0C 02 3F00"), "9000");
    EXPECT_EQ(card.send(create(64, "0100", 0x0301, "", "43 00 02 00 00 00 00 02")), "9000");
    EXPECT_EQ(card.send("00 D6 00 00 08 0102030405060708"), "9000");
  }
  TemporaryDirectory directory;
  std::string path = directory.file("state");
  std::string first_public;
};

/// Everything that Prepared made is there and works.
void expect_intact(TestCard& card, const std::string& first_public) {
  EXPECT_EQ(card.sw("00 A4 08 0C 02 0301"), "9000");
  EXPECT_EQ(card.send("00 B0 00 00 08"), "01020304050607089000");
  if (card.send(verify_user) != "9000") {
    ADD_FAILURE() << "the PIN is lost";
    return;
  }
  EXPECT_EQ(card.send("00 22 41 B6 03 840101"), "9000");
  const std::string digest = "0102030405060708090A0B0C0D0E0F101112131415161718191A1B1C1D1E1F20";
  const Bytes signature = *from_hex(card.send("00 2A 9E 9A 20" + digest + "00"));
  ASSERT_EQ(signature.size(), 66u);
  const Bytes open = *from_hex(first_public.substr(0, 128));
  EXPECT_TRUE(
      gost_engine_verifies(open, *from_hex(digest), reversed(ByteView(signature).first(64))));
}

TEST(PowerCut, AtAnyWriteOfAKeyGeneration) {
  Prepared prepared;
  const std::string private_file =
      create(168, "1000", 2, "230000AA0000", "46 00 02 02 00 00 00 02");
  const std::string public_file = create(96, "1000", 2, "330000AA0000", "46 00 02 00 00 00 00 02");
  sweep(prepared.path, {verify_user, private_file, public_file, generate_second},
        [&](TestCard& card, bool) {
          expect_intact(card, prepared.first_public);
          // The operation can be repeated: what is there already says so.
          for (const auto& file : {private_file, public_file}) {
            const std::string word = card.sw(file);
            EXPECT_TRUE(word == "9000" || word == "6A89") << word;
          }
          const Bytes made = *from_hex(card.send(generate_second));
          ASSERT_EQ(made.size(), 66u);
          EXPECT_EQ(card.send("00 22 41 B6 03 840102"), "9000");
          const Bytes block(64, 0x11);
          const Bytes signature = *from_hex(card.send("00 2A 9E 9A 40" + to_hex(block) + "00"));
          ASSERT_EQ(signature.size(), 66u);
          EXPECT_EQ(rsa_public_operation(reversed(ByteView(made).first(64)), Bytes{1, 0, 1},
                                         reversed(ByteView(signature).first(64))),
                    block);
        });
}

TEST(PowerCut, AGeneratedPrivateKeyAlwaysHasItsPublicOne) {
  Prepared prepared;
  const auto before = prepared.first_public;
  sweep(prepared.path, {verify_user, generate_first}, [&](TestCard& card, bool finished) {
    // The old private key is there until the new one is: nobody finds half of one.
    if (!finished) {
      card.log_in_user();
      EXPECT_EQ(card.send("00 22 41 B6 03 840101"), "9000");
      EXPECT_EQ(card.sw("00 2A 9E 9A 20" + std::string(64, '1') + "00"), "9000");
    }
  });
}

TEST(PowerCut, AtAnyWriteOfACertificate) {
  Prepared prepared;
  Script script{verify_user, "00 A4 00 0C 02 3F00",
                create(600, "0100", 0x0302, "", "43 00 02 00 00 00 00 02")};
  for (const char* offset : {"0000", "00FF", "01FE"}) {
    script.push_back(std::string("00 D6 ") + offset + "5A" + std::string(180, 'C'));
  }
  sweep(prepared.path, script,
        [&](TestCard& card, bool) { expect_intact(card, prepared.first_public); });
}

TEST(PowerCut, AtAnyWriteOfAPinChangeTheOldOrTheNewPinWorks) {
  Prepared prepared;
  sweep(prepared.path, {verify_user, "00 24 01 02 0E 80020008 A508 4142434445464748"},
        [&](TestCard& card, bool finished) {
          const bool is_new = card.send("00 20 00 02 08 4142434445464748") == "9000";
          if (finished) {
            EXPECT_TRUE(is_new);
          } else if (!is_new) {
            EXPECT_EQ(card.send(verify_user), "9000");
          }
        });
}

TEST(PowerCut, ATryIsSpentWhateverHappensAfterTheComparisonBegan) {
  Prepared prepared;
  EXPECT_TRUE(run_killed(prepared.path, {verify_user}, "kill-after@nvram:1"));
  {
    const auto nvram = open(prepared.path);
    TestCard card(*nvram, "kaztoken", seeded());
    EXPECT_EQ(card.send("00 20 00 02"), "63C9");
  }
  EXPECT_TRUE(run_killed(prepared.path, {verify_user}, "kill@nvram:2"));
  const auto nvram = open(prepared.path);
  TestCard card(*nvram, "kaztoken", seeded());
  EXPECT_EQ(card.send("00 20 00 02"), "63C8");
}

TEST(PowerCut, AnEraseIsFinishedWhenPowerIsBack) {
  Prepared prepared;
  sweep(prepared.path, {"80 8A 00 00"}, [&](TestCard& card, bool) {
    const std::string mf = card.sw("00 A4 00 00 02 3F00 00");
    if (mf == "9000") {  // cut before its first write: nothing happened
      expect_intact(card, prepared.first_public);
      return;
    }
    EXPECT_EQ(mf, "6A82");
    EXPECT_EQ(card.send("00 20 00 02"), "6A88");
    EXPECT_EQ(card.send(create(0, "3800", 0x3F00, "", "47 02 02 01 00 00 00 FF")), "9000");
    EXPECT_EQ(card.send("00 A4 00 00 00"), "6A82");  // nothing of old is left
  });
}

TEST(PowerCut, InTheSameProcessTheCardGoesOnWhenItIsPutInAgain) {
  for (std::uint64_t n = 1;; ++n) {
    TestCard card;
    FaultyChip faulty(card.chip(), card.nvram());
    faulty.arm(*FaultPlan::parse("tear@nvram:" + std::to_string(n)));
    const auto outcome = faulty.transmit(*from_hex("808A0000"));
    if (outcome.kind == Outcome::Kind::answered) {
      EXPECT_GT(n, 10u);
      break;
    }
    ASSERT_EQ(outcome.kind, Outcome::Kind::removed);
    card.chip().power_on();
    const auto answer = faulty.transmit(*from_hex("00A40000023F0000")).answer.bytes;
    if (n == 1) {
      EXPECT_GT(answer.size(), 2u);
    } else {
      EXPECT_EQ(to_hex(answer), "6A82") << n;
    }
  }
}

}  // namespace
}  // namespace kilt::sim::test
