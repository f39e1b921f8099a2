// SPDX-License-Identifier: Apache-2.0
// Power is cut before and after every NVRAM write of every command that writes. The card that is
// found afterwards has the old state or the new one.
#include <functional>

#include "tests/sim/kzid_test_card.hpp"

namespace kilt::sim::test {
namespace {

using namespace kzid_commands;

const char* const new_pin = "00 20 00 02 08 3838383838383838";

ChipOptions seeded() {
  ChipOptions options;
  options.seed = 17;
  return options;
}

using Script = std::vector<std::string>;
using Examine = std::function<void(KzidCard&, bool finished)>;

/// True: power was cut at write `n` of `command`.
bool run_cut(Nvram& nvram, const Script& before, const std::string& command, std::uint64_t n,
             bool after_write) {
  KzidCard card(nvram, "kzid", seeded());
  card.load(7, foreign_key_2048());
  for (const auto& step : before)
    EXPECT_EQ(card.send(step), "9000") << step;
  std::uint64_t writes = 0;
  auto& hook = after_write ? nvram.after_write : nvram.before_write;
  hook = [&](std::uint64_t) {
    if (++writes == n) throw PowerCut{};
  };
  bool cut = false;
  try {
    EXPECT_EQ(card.send(command), "9000") << command;
  } catch (const PowerCut&) {
    cut = true;
  }
  hook = nullptr;
  return cut;
}

/// For each write of `command`, which comes after `before`: cut before it and after it, each on a
/// card of its own; then `examine` the card with power again. Returns how many writes there are.
std::uint64_t sweep(const Script& before, const std::string& command, const Examine& examine) {
  std::uint64_t counted = 0;
  for (const bool after_write : {false, true}) {
    for (std::uint64_t n = 1; n < 20; ++n) {
      SCOPED_TRACE((after_write ? "after write " : "before write ") + std::to_string(n));
      Nvram nvram;
      const bool cut = run_cut(nvram, before, command, n, after_write);
      KzidCard card(nvram, "kzid", seeded());
      examine(card, !cut);
      if (!cut) break;
      counted = n;
    }
  }
  return counted;
}

/// Logs in with the first of these that is right, and says which it was.
std::size_t log_in_with_one_of(KzidCard& card, const Script& candidates) {
  for (std::size_t i = 0; i < candidates.size(); ++i) {
    if (card.send(candidates[i]) == "9000") return i;
  }
  ADD_FAILURE() << "no PIN is right";
  return candidates.size();
}

TEST(KzidPowerCut, GenerationLeavesTheOldPairOrTheNew) {
  const auto& old_key = foreign_key_2048();
  const auto writes =
      sweep({select_mf, verify_user, select_df}, generate(7), [&](KzidCard& card, bool finished) {
        card.enter();
        const Bytes modulus = card.modulus(7);
        if (finished) {
          EXPECT_NE(modulus, old_key.n);
        }
        // Whichever it is, private and public key belong together.
        EXPECT_EQ(recovered_by_openssl(modulus, card.signature(7)), *from_hex(digest_info));
        EXPECT_EQ(card.send(generate(7)), "9000");
      });
  EXPECT_EQ(writes, 1u);
}

TEST(KzidPowerCut, DeletionLeavesAWholeKeyOrNone) {
  const auto writes =
      sweep({verify_user, select_df}, delete_key(7), [&](KzidCard& card, bool finished) {
        card.enter();
        const std::string status = card.send(get_modulus(7));
        if (finished || status == "6A88") {
          EXPECT_EQ(status, "6A88");
          EXPECT_EQ(card.send(set_key(7)), "9000");
          EXPECT_EQ(card.send(sign()), "6985");
        } else {
          EXPECT_EQ(recovered_by_openssl(card.modulus(7), card.signature(7)),
                    *from_hex(digest_info));
        }
      });
  EXPECT_EQ(writes, 1u);
}

TEST(KzidPowerCut, VerificationOfTheRightPinCostsATryAtMost) {
  std::uint64_t full = 0;
  sweep({}, verify_user, [&](KzidCard& card, bool finished) {
    const std::string left = card.send(query_user);
    EXPECT_TRUE(left == "63C3" || left == "63C2") << left;
    if (finished) {
      EXPECT_EQ(left, "63C3");
    }
    if (left == "63C3") ++full;
    card.log_in();
  });
  EXPECT_GT(full, 0u);
}

TEST(KzidPowerCut, AWrongPinIsNeverTriedForNothing) {
  for (const bool after_write : {false, true}) {
    KzidCard card;
    auto& hook = after_write ? card.nvram().after_write : card.nvram().before_write;
    hook = [](std::uint64_t) { throw PowerCut{}; };
    EXPECT_THROW(card.send(verify_wrong), PowerCut);
    hook = nullptr;
    card.power_cycle();
    // Cut before the write nothing was compared; cut after it the try is spent.
    EXPECT_EQ(card.send(query_user), after_write ? "63C2" : "63C3");
  }
}

TEST(KzidPowerCut, AChangeLeavesTheOldPinOrTheNew) {
  const auto writes = sweep({}, "00 24 00 02 10 3132333430303030 3838383838383838",
                            [](KzidCard& card, bool finished) {
                              const auto which = log_in_with_one_of(card, {new_pin, verify_user});
                              if (finished) {
                                EXPECT_EQ(which, 0u);
                              }
                            });
  EXPECT_EQ(writes, 3u);  // the try, the tries again, the value
}

TEST(KzidPowerCut, AnUnblockingIsDoneOrCanBeRepeated) {
  const std::string unblock = "00 2C 02 02 08 3838383838383838";
  const Script blocked{verify_puk};
  std::uint64_t still_blocked = 0;
  for (const bool after_write : {false, true}) {
    for (std::uint64_t n = 1; n <= 2; ++n) {
      Nvram nvram;
      {
        KzidCard card(nvram, "kzid", seeded());
        for (int i = 0; i < 3; ++i)
          card.send(verify_wrong);
      }
      EXPECT_TRUE(run_cut(nvram, blocked, unblock, n, after_write));
      KzidCard card(nvram, "kzid", seeded());
      // The old PIN is never given new tries.
      const std::string left = card.send(query_user);
      if (left == "6983") {
        ++still_blocked;
        card.log_in_puk();
        EXPECT_EQ(card.send(unblock), "9000");
      } else {
        EXPECT_EQ(left, "63C3");
      }
      EXPECT_EQ(card.send(new_pin), "9000");
    }
  }
  EXPECT_EQ(still_blocked, 3u);
}

TEST(KzidPowerCut, ACertificateIsMadeWholeOrNot) {
  const Script in_df{verify_user, select_df};
  sweep(in_df, create_ef(600, 0x4301), [](KzidCard& card, bool finished) {
    card.enter();
    const std::string status = card.send("00 A4 02 0C 02 4301");
    if (finished || status == "9000") {
      EXPECT_EQ(status, "9000");
      EXPECT_EQ(card.data("00 B0 01 F4 64"), Bytes(100));
    } else {
      EXPECT_EQ(status, "6A82");
      EXPECT_EQ(card.send(create_ef(600, 0x4301)), "9000");
    }
  });
}

TEST(KzidPowerCut, AnUpdateIsThereOrNotAndNeverHalf) {
  const Script in_ef{verify_user, select_df, "00 A4 02 0C 02 4404"};
  const std::string update = "00 D6 00 00 C8" + std::string(400, 'A');
  const auto writes = sweep(in_ef, update, [](KzidCard& card, bool finished) {
    EXPECT_EQ(card.send(select_df), "9000");
    EXPECT_EQ(card.send("00 A4 02 0C 02 4404"), "9000");
    const Bytes body = card.data("00 B0 00 00 C8");
    if (finished || body != Bytes(200)) {
      EXPECT_EQ(body, Bytes(200, 0xAA));
    }
  });
  EXPECT_EQ(writes, 1u);
}

TEST(KzidPowerCut, ADeletedFileIsThereOrNot) {
  const Script with_file{verify_user, select_df, create_ef(16, 0x4301), "00 D6 00 00 02 CAFE"};
  sweep(with_file, "00 E4 00 00 02 4301", [](KzidCard& card, bool finished) {
    EXPECT_EQ(card.send(select_df), "9000");
    const std::string status = card.send("00 A4 02 0C 02 4301");
    if (finished || status == "6A82") {
      EXPECT_EQ(status, "6A82");
    } else {
      EXPECT_EQ(card.send("00 B0 00 00 02"), "CAFE9000");
    }
  });
}

TEST(KzidPowerCut, AJournalTornInAGenerationGivesTheOldPair) {
  const TemporaryDirectory directory;
  const std::string path = directory.file("state");
  {
    auto nvram = Nvram::open(path);
    ASSERT_TRUE(nvram.ok());
    KzidCard card(**nvram, "kzid", seeded());
    card.load(7, foreign_key_2048());
    card.enter();
    (*nvram)->before_write = [](std::uint64_t) { throw PowerCut{}; };
    EXPECT_THROW(card.send(generate(7)), PowerCut);
  }
  auto nvram = Nvram::open(path);
  ASSERT_TRUE(nvram.ok());
  KzidCard card(**nvram, "kzid", seeded());
  card.enter();
  EXPECT_EQ(card.modulus(7), foreign_key_2048().n);
  EXPECT_EQ(recovered_by_openssl(card.modulus(7), card.signature(7)), *from_hex(digest_info));
}

}  // namespace
}  // namespace kilt::sim::test
