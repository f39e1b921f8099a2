// SPDX-License-Identifier: Apache-2.0
// A hostile host: mangled commands in any order. The card always answers with a status word, and
// what is protected stays as it is, whatever was sent, as long as no PIN was.
#include <algorithm>
#include <random>

#include "tests/sim/etoken72k_host.hpp"

namespace kilt::sim::test {
namespace {

const std::vector<std::string>& sound_commands() {
  static const auto& commands = *new std::vector<std::string>{
      select_applet,
      select_path("6666"),
      select_path("666650000220"),
      select_path("6666500002203001"),
      "00 A4 08 04 0A 66665000022030010002 00",
      "00 A4 09 0C 02 3001",
      "80 01 00 00 04 09020000 00",
      read_at(0),
      read_at(16, "20"),
      write_at(0, Bytes{1, 2, 3}),
      "80 1C 00 00 00",
      "00 CA 01 07 00",
      "00 CA 9F 7F 00",
      "80 17 00 00 08",
      "80 11 00 11 0A 1008 0102030405060708",
      command("80 0C 03 31", simple_tlv("10", Bytes(128, 0x11))) + "00",
      command("80 0C 03 31", simple_tlv("10", Bytes(256, 0x11))) + "0000",
      create_df("3002"),
      create_ef("2001", 16),
      "80 E4 00 00",
      command("80 24 00 11", "0F14" + std::string(40, '1') + "1018" + std::string(48, '2')),
      command("80 2C 00 11", "0F14" + std::string(40, '1') + "1018" + std::string(48, '2')),
      command("80 8E 00 00",
              "0F14" + std::string(40, '1') + "1018" + std::string(48, '2') + "210161"),
      generate_1024,
      command("80 DB 00 31", simple_tlv("13", Bytes(64, 0x77))),
      command("80 DB 01 31", simple_tlv("17", Bytes(64, 0x77)))};
  return commands;
}

Bytes mangled(Bytes bytes, std::mt19937& random) {
  const auto pick = [&](std::size_t below) { return random() % below; };
  for (auto changes = pick(4); changes > 0 && !bytes.empty(); --changes) {
    switch (pick(4)) {
      case 0:
        bytes[pick(bytes.size())] = static_cast<std::uint8_t>(random());
        break;
      case 1:
        bytes.push_back(static_cast<std::uint8_t>(random()));
        break;
      case 2:
        bytes.resize(pick(bytes.size()));
        break;
      default:
        bytes[pick(bytes.size())] ^= static_cast<std::uint8_t>(1u << pick(8));
        break;
    }
  }
  return bytes;
}

/// Everything but the counters of tries.
std::map<std::string, Bytes> cells(const Nvram& nvram) {
  std::map<std::string, Bytes> all;
  for (const auto& name : nvram.cells_with_prefix("")) {
    if (name.find("tries") == std::string::npos) all[name] = *nvram.read(name);
  }
  return all;
}

TEST(EtokenHostile, WithoutAPinNothingChanges) {
  EtokenCard card;
  EXPECT_EQ(card.log_in(), "9000");
  card.generate("3001");
  const auto before = cells(card.nvram());
  card.reset();
  std::mt19937 random(2026);
  std::size_t executed = 0;
  for (int i = 0; i < 30000; ++i) {
    const auto& sound = sound_commands()[random() % sound_commands().size()];
    const Bytes sent = mangled(*from_hex(sound), random);
    const Bytes answer = card.send_bytes(sent);
    ASSERT_GE(answer.size(), 2u) << to_hex(sent);
    ASSERT_LE(answer.size(), 2u + 260u) << to_hex(sent);
    if (answer[answer.size() - 2] == 0x90) ++executed;
    if (i % 1000 == 999) card.reset();
  }
  EXPECT_GT(executed, 3000u) << "the commands were too broken to tell anything";
  EXPECT_EQ(cells(card.nvram()), before);
}

TEST(EtokenHostile, WithAPinTheCardStaysACard) {
  EtokenCard card;
  card.salt(user_role);
  std::mt19937 random(72);
  int executed = 0;
  for (int i = 0; i < 20000; ++i) {
    if (i % 50 == 0) {
      card.send(select_applet);
      ASSERT_EQ(card.log_in(), "9000") << i;
    }
    const auto& sound = sound_commands()[random() % sound_commands().size()];
    if (sound.starts_with("80 24")) continue;             // sets a PIN that nobody knows
    if (sound == generate_1024 && i % 10 != 0) continue;  // takes its time
    const Bytes sent = mangled(*from_hex(sound), random);
    const Bytes answer = card.send_bytes(sent);
    ASSERT_GE(answer.size(), 2u) << to_hex(sent);
    if (answer[answer.size() - 2] == 0x90) ++executed;
  }
  EXPECT_GT(executed, 1000);
  card.power_cycle();
  EXPECT_EQ(card.sw(select_applet), "9000");
  EXPECT_EQ(card.send(select_path("666650000220")), "9000");
  EXPECT_EQ(card.sw("80 01 00 00 00 0004 09020000 0000"), "9000");
  EXPECT_EQ(card.log_in(so_pin, so_role), "9000");
}

}  // namespace
}  // namespace kilt::sim::test
