// SPDX-License-Identifier: Apache-2.0
// A hostile host: mangled commands in any order. The card always answers a status word, and what is
// protected stays as it is, whatever was sent, as long as no PIN was.
#include <array>
#include <random>

#include "tests/sim/kzid_test_card.hpp"

namespace kilt::sim::test {
namespace {

using namespace kzid_commands;

const std::vector<std::string>& sound_commands() {
  static const auto& commands =
      *new std::vector<std::string>{select_mf,
                                    select_df,
                                    "00 A4 02 0C 02 5031",
                                    "00 A4 02 04 02 4404",
                                    "00 B0 00 00 00",
                                    "00 B0 00 10 20",
                                    "00 D6 00 00 04 30023000",
                                    create_ef(64, 0x4301),
                                    "00 E4 00 00 02 5031",
                                    query_user,
                                    "00 24 00 02 10 3030303030303030 3132333435363738",
                                    "00 2C 02 02 08 3132333435363738",
                                    generate(7),
                                    get_modulus(7),
                                    get_modulus_and_exponent(8),
                                    set_key(7),
                                    sign(),
                                    delete_key(7),
                                    "00 84 00 00 08",
                                    "00 C0 00 00 00"};
  return commands;
}

Bytes mangled(Bytes command, std::mt19937& random) {
  const auto pick = [&](std::size_t below) { return random() % below; };
  for (auto changes = pick(4); changes > 0 && !command.empty(); --changes) {
    switch (pick(5)) {
      case 0:
        command[pick(command.size())] = static_cast<std::uint8_t>(random());
        break;
      case 1:
        command.push_back(static_cast<std::uint8_t>(random()));
        break;
      case 2:
        command.resize(pick(command.size()));
        break;
      case 3:
        command[pick(command.size())] ^= static_cast<std::uint8_t>(1u << pick(8));
        break;
      default:
        if (command.size() > 4) command[4] = static_cast<std::uint8_t>(command.size() - 5);
        break;
    }
  }
  return command;
}

/// Every cell but the try counters.
std::map<std::string, Bytes> protected_cells(const Nvram& nvram) {
  std::map<std::string, Bytes> cells;
  for (const auto& name : nvram.cells_with_prefix("")) {
    if (!name.ends_with(":tries")) cells[name] = *nvram.read(name);
  }
  return cells;
}

/// `known`: PINs that a command must not hold by accident.
bool holds_one_of(const Bytes& command, std::initializer_list<const char*> known) {
  const std::string hex = to_hex(command);
  return std::any_of(known.begin(), known.end(), [&](const char* pin) {
    return hex.find(to_hex(as_bytes(pin))) != std::string::npos;
  });
}

TEST(KzidHostile, NothingChangesWithoutAPin) {
  KzidCard card;
  card.load(7, foreign_key_2048());
  const auto before = protected_cells(card.nvram());
  ASSERT_GT(before.size(), 10u);
  std::mt19937 random(7816);
  std::array<int, 256> seen{};
  for (int i = 0; i < 30000; ++i) {
    const auto& commands = sound_commands();
    const Bytes command = mangled(*from_hex(commands[random() % commands.size()]), random);
    if (holds_one_of(command, {"12340000", "87654321"})) continue;
    const Bytes answer = card.send_bytes(command);
    ASSERT_GE(answer.size(), 2u) << to_hex(command);
    ASSERT_LE(answer.size(), 258u) << to_hex(command);
    const std::uint8_t sw1 = answer[answer.size() - 2];
    ASSERT_TRUE((sw1 & 0xF0) == 0x60 || sw1 == 0x90) << to_hex(command) << " " << to_hex(answer);
    ++seen[sw1];
    if (random() % 500 == 0) card.reset();
  }
  EXPECT_EQ(protected_cells(card.nvram()), before);
  // The mangling reaches the commands and not only the parser in front of them.
  for (const std::uint8_t sw1 : {std::uint8_t{0x90}, std::uint8_t{0x61}, std::uint8_t{0x69},
                                 std::uint8_t{0x6A}, std::uint8_t{0x6C}, std::uint8_t{0x67}}) {
    EXPECT_GT(seen[sw1], 50) << hex_byte(sw1);
  }
}

TEST(KzidHostile, TheUserDoesNotReachTheMfOrThePins) {
  KzidCard card;
  card.load(8, foreign_key_2048());
  const auto pins_and_mf = [&] {
    auto cells = protected_cells(card.nvram());
    std::erase_if(cells, [](const auto& cell) {
      return cell.first.starts_with("key:") || cell.first.starts_with("file:3F000101");
    });
    return cells;
  };
  const auto before = pins_and_mf();
  card.enter();
  std::mt19937 random(4);
  for (int i = 0; i < 10000; ++i) {
    const auto& commands = sound_commands();
    Bytes command = mangled(*from_hex(commands[random() % commands.size()]), random);
    const bool generates = command.size() > 1 && command[1] == 0x46;
    if (generates || holds_one_of(command, {"12340000", "87654321"})) continue;
    ASSERT_GE(card.send_bytes(command).size(), 2u) << to_hex(command);
  }
  EXPECT_EQ(pins_and_mf(), before);
}

}  // namespace
}  // namespace kilt::sim::test
