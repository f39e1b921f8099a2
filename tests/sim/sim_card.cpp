// SPDX-License-Identifier: Apache-2.0
#include "tests/sim/sim_card.hpp"

#include <cstdlib>
#include <filesystem>

namespace kilt::sim::test {

TestCard::TestCard(const char* profile, bool blank, std::size_t memory)
    : own_(std::make_unique<Nvram>()), nvram_(own_.get()) {
  ChipOptions options;
  options.seed = seed;
  options.blank = blank;
  options.memory = memory;
  options.serial = "48E243B5";
  chip_ = find_profile(profile)->make(*nvram_, options);
  chip_->power_on();
}

TestCard::TestCard(Nvram& nvram, const char* profile, const ChipOptions& options)
    : nvram_(&nvram), chip_(find_profile(profile)->make(nvram, options)) {
  chip_->power_on();
}

Bytes TestCard::send_bytes(ByteView command) {
  return chip_->transmit(command).bytes;
}

std::string TestCard::send(const std::string& hex) {
  const auto command = from_hex(hex);
  if (!command) {
    ADD_FAILURE() << "no hex: " << hex;
    return {};
  }
  return to_hex(send_bytes(*command));
}

std::string TestCard::sw(const std::string& hex) {
  const std::string answer = send(hex);
  return answer.size() < 4 ? answer : answer.substr(answer.size() - 4);
}

void TestCard::power_cycle() {
  chip_->power_off();
  chip_->power_on();
}

std::string hex_byte(std::size_t value) {
  const auto byte = static_cast<std::uint8_t>(value);
  return to_hex(ByteView(&byte, 1));
}

std::string hex_be16(std::size_t value) {
  return hex_byte(value >> 8) + hex_byte(value & 0xFF);
}

std::string create(std::size_t size, const std::string& descriptor, std::size_t id,
                   const std::string& property, std::string security) {
  security = to_hex(*from_hex(security));
  security.resize(30, '0');
  std::string body = "8002" + hex_be16(size) + "8202" + descriptor + "8302" + hex_be16(id);
  if (!property.empty()) body += "8506" + property;
  body += "860F" + security;
  const std::size_t length = body.size() / 2;
  return "00E00000" + hex_byte(length + 2) + "6F" + hex_byte(length) + body;
}

void TestCard::create_rsa_files(std::uint8_t rr, unsigned bits) {
  const std::size_t half = bits / 16;
  EXPECT_EQ(send(create(5 * half + 8, "1000", rr, "230000AA0000", "46 00 02 02 00 00 00 02")),
            "9000");
  EXPECT_EQ(send(create(3 * half, "1000", rr, "330000AA0000", "46 00 02 00 00 00 00 02")), "9000");
}

void TestCard::create_gost_files(std::uint8_t rr) {
  EXPECT_EQ(send(create(32, "1000", rr, "032000AA0000", "46 00 02 02 00 00 00 02")), "9000");
  EXPECT_EQ(send(create(64, "1000", rr, "132000AA0000", "46 00 02 00 00 00 00 02")), "9000");
}

TemporaryDirectory::TemporaryDirectory() {
  std::string name = std::filesystem::temp_directory_path() / "kilt-sim-test-XXXXXX";
  if (::mkdtemp(name.data()) == nullptr) ADD_FAILURE() << "no temporary directory";
  path_ = name;
}

TemporaryDirectory::~TemporaryDirectory() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

}  // namespace kilt::sim::test
