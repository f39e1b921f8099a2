// SPDX-License-Identifier: Apache-2.0
// Power is cut before each NVRAM write of a command or a sequence; the card that is found
// afterwards has everything that was finished before, and what was begun can be done again.
#include "firmware-sim/faults.hpp"
#include "tests/sim/jacarta_card.hpp"
#include "tests/sim/witness.hpp"

namespace kilt::sim::test {
namespace {

using Script = std::vector<std::string>;

/// A copy of all cells.
std::unique_ptr<Nvram> copy(const Nvram& nvram) {
  auto made = std::make_unique<Nvram>();
  for (const auto& cell : nvram.cells_with_prefix(""))
    made->write(cell, *nvram.read(cell));
  return made;
}

/// Whether power was cut, at the n-th write of `script`.
bool run_cut(Nvram& nvram, const Script& script, std::uint64_t n) {
  const auto chip = find_profile("jacarta")->make(nvram, LaserCard::options());
  chip->power_on();
  FaultyChip faulty(*chip, nvram);
  faulty.arm(*FaultPlan::parse("tear@nvram:" + std::to_string(n)));
  for (const auto& command : script) {
    const auto outcome = faulty.transmit(*from_hex(command));
    if (outcome.kind != Outcome::Kind::answered) return true;
    EXPECT_EQ(outcome.answer.bytes[outcome.answer.bytes.size() - 2], 0x90) << command;
  }
  return false;
}

/// `script` on a copy of `original` with power cut at each of its writes; then `examine` the card.
/// The number of writes that the whole script makes.
std::uint64_t sweep(const Nvram& original, const Script& script,
                    const std::function<void(LaserCard&, bool finished)>& examine) {
  for (std::uint64_t n = 1; n < 200; ++n) {
    const auto nvram = copy(original);
    const bool cut = run_cut(*nvram, script, n);
    SCOPED_TRACE("cut at write " + std::to_string(n));
    LaserCard card(*nvram, LaserCard::options());
    examine(card, !cut);
    if (!cut) return n - 1;
    if (testing::Test::HasFailure()) return 0;
  }
  ADD_FAILURE() << "it never ends";
  return 0;
}

struct Prepared {
  Prepared() {
    LaserCard card(nvram, LaserCard::options());
    card.log_in_user();
    card.create_private_key(1, 1024);
    modulus = card.generate(1, 1024);
  }
  Nvram nvram;
  Bytes modulus;
};

void expect_key_works(LaserCard& card, const Bytes& modulus) {
  card.log_in_user();
  card.select_key(1);
  const std::string signature = card.send("002A9E8A0380013100");
  ASSERT_EQ(signature.size(), 2u * 130);
  const Bytes block =
      rsa_public_operation(modulus, Bytes{1, 0, 1}, ByteView(*from_hex(signature)).first(128));
  EXPECT_EQ(to_hex(ByteView(block).last(2)), "0031");
}

const std::string log_in[] = {select_laser, select_path(user_ko), verify_plain("1234567890")};

TEST(LaserPowerCut, ATryIsSpentBeforeTheComparison) {
  Prepared prepared;
  const auto writes =
      sweep(prepared.nvram, {log_in[0], log_in[1], log_in[2]}, [](LaserCard& card, bool finished) {
        const std::string status = card.status(user_ko);
        EXPECT_TRUE(status == "63CA" || (status == "63C9" && !finished)) << status;
      });
  EXPECT_EQ(writes, 2u);  // spent, given back
  // Cut after the try was spent: whatever was presented, one is gone.
  const auto nvram = copy(prepared.nvram);
  EXPECT_TRUE(run_cut(*nvram, {log_in[0], log_in[1], log_in[2]}, 2));
  LaserCard card(*nvram, LaserCard::options());
  EXPECT_EQ(card.status(user_ko), "63C9");
}

TEST(LaserPowerCut, KeyPairAndCertificateOfBefore) {
  Prepared prepared;
  const std::string attributes = "621C8A0104830202018002000884056B7873303186080000002000FF0020";
  sweep(prepared.nvram,
        {log_in[0], log_in[1], log_in[2], select_path(private_df),
         "00E0080026" + private_key_fcp(2, 1024), select_path(key_path(2)), generate_command(1024),
         select_path(private_df), "00E001001E" + attributes,
         select_path(std::string(private_df) + "0201"),
         "00D6000008"
         "0102030405060708"},
        [&](LaserCard& card, bool finished) {
          expect_key_works(card, prepared.modulus);
          if (finished) return;
          // Taken up again, whatever is there already.
          card.select(private_df);
          const std::string word = card.sw("00E0080026" + private_key_fcp(2, 1024));
          EXPECT_TRUE(word == "9000" || word == "6A89") << word;
          EXPECT_EQ(card.generate(2, 1024).size(), 128u);
          EXPECT_EQ(card.sw("002A9E8A0380013100"), "9000");
        });
}

TEST(LaserPowerCut, AKeyThatIsReplacedIsTheOldOneOrTheNew) {
  Prepared prepared;
  sweep(prepared.nvram,
        {log_in[0], log_in[1], log_in[2], select_path(key_path(1)), generate_command(1024)},
        [&](LaserCard& card, bool finished) {
          if (!finished) expect_key_works(card, prepared.modulus);
        });
}

TEST(LaserPowerCut, AFileThatIsReplacedIsAbsentWholeOrNew) {
  Prepared prepared;
  const std::string map = select_path("3F0030003001867F");
  sweep(prepared.nvram,
        {log_in[0], log_in[1], log_in[2], map, "00E40000", select_path(public_df),
         "00E0010021621F8A01048302867F800202668408636D617066696C6586080000002000200020", map,
         "00D6000004"
         "AABBCCDD"},
        [&](LaserCard& card, bool finished) {
          expect_key_works(card, prepared.modulus);
          const std::string found = card.send(map);
          const bool absent = found == "6A82";
          const bool old_size = found.find("80020327") != std::string::npos;
          const bool new_size = found.find("80020266") != std::string::npos;
          EXPECT_TRUE(finished ? new_size : absent || old_size || new_size) << found;
        });
}

TEST(LaserPowerCut, ADfThatIsDeletedCanBeDeletedAgain) {
  Prepared prepared;
  const auto writes = sweep(prepared.nvram,
                            {select_laser, select_path(so_ko), verify_plain("00000000"),
                             select_path("3F003000"), "00E40100"},
                            [&](LaserCard& card, bool finished) {
                              card.log_in_so();
                              const std::string word = card.sw(select_path("3F003000"));
                              EXPECT_EQ(word, finished ? "6A82" : "9000");
                              if (finished) return;
                              EXPECT_EQ(card.sw("00E40100"), "9000");
                              EXPECT_EQ(card.sw(select_path("3F003000")), "6A82");
                              card.log_in_user();  // the PINs are not in it
                            });
  EXPECT_GT(writes, 14u);
}

TEST(LaserPowerCut, APinChangeLeavesTheOldOrTheNew) {
  // Secure messaging draws random numbers: the script is made while it runs.
  for (std::uint64_t n = 1; n < 10; ++n) {
    Nvram nvram;
    bool cut = false;
    {
      LaserCard card(nvram, LaserCard::options());
      card.log_in_user();
      card.select(user_ko);
      SmHost host = card.open_channel();
      FaultyChip faulty(card.card().chip(), nvram);
      faulty.arm(*FaultPlan::parse("tear@nvram:" + std::to_string(n)));
      const auto wire = *from_hex(host.wrap("802400000C620A81083837363534333231"));
      cut = faulty.transmit(wire).kind == Outcome::Kind::removed;
    }
    LaserCard card(nvram, LaserCard::options());
    EXPECT_EQ(card.present(user_ko, cut ? "1234567890" : "87654321"), "9000");
    if (!cut) {
      EXPECT_EQ(n, 2u);  // one write: value and counters together
      return;
    }
  }
  FAIL() << "it never ends";
}

TEST(LaserPowerCut, APersonalisationThatWasCutOffIsDoneAnew) {
  for (std::uint64_t n = 1; n < 200; n += 7) {
    Nvram nvram;
    nvram.before_write = [n](std::uint64_t write) {
      if (write == n) throw PowerCut{};
    };
    bool cut = false;
    try {
      const auto chip = find_profile("jacarta")->make(nvram, LaserCard::options());
    } catch (const PowerCut&) {
      cut = true;
    }
    nvram.before_write = nullptr;
    LaserCard card(nvram, LaserCard::options());
    card.log_in_user();
    EXPECT_EQ(card.sw(select_path("3F003000C000")), "9000");
    if (!cut) {
      EXPECT_GT(n, 40u);
      return;
    }
  }
  FAIL() << "it never ends";
}

}  // namespace
}  // namespace kilt::sim::test
