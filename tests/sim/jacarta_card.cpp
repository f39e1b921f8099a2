// SPDX-License-Identifier: Apache-2.0
#include "tests/sim/jacarta_card.hpp"

#include <algorithm>

namespace kilt::sim::test {
namespace {

std::string hex_of(const std::string& text) {
  return to_hex(as_bytes(text));
}

std::string without_status(const std::string& answer) {
  return answer.substr(0, answer.size() - 4);
}

}  // namespace

std::string select_path(const std::string& path) {
  return "80A4080C" + hex_byte(path.size() / 2) + path + "00";
}

std::string verify_plain(const std::string& pin) {
  return "00200000" + hex_byte(pin.size()) + hex_of(pin);
}

std::vector<std::string> chained(const std::string& header, const std::string& body,
                                 const std::string& le) {
  constexpr std::size_t step = 2 * 0xFF;
  std::vector<std::string> commands;
  for (std::size_t at = 0; at < body.size(); at += step) {
    const std::string part = body.substr(at, step);
    const bool last = at + step >= body.size();
    Bytes head = *from_hex(header);
    if (!last) head[0] = static_cast<std::uint8_t>(head[0] | 0x10);
    commands.push_back(to_hex(head) + hex_byte(part.size() / 2) + part + (last ? le : ""));
  }
  return commands;
}

ChipOptions LaserCard::options(std::uint64_t seed) {
  ChipOptions options;
  options.seed = seed;
  options.serial = laser_serial;
  return options;
}

LaserCard::LaserCard(const ChipOptions& with, const char* profile)
    : own_(std::make_unique<Nvram>()), card_(*own_, profile, with) {
  EXPECT_EQ(sw(select_laser), "9000");
}

LaserCard::LaserCard(Nvram& nvram, const ChipOptions& with) : card_(nvram, "jacarta", with) {
  EXPECT_EQ(sw(select_laser), "9000");
}

void LaserCard::reset() {
  card_.reset();
  EXPECT_EQ(sw(select_laser), "9000");
}

std::string LaserCard::whole(const std::vector<std::string>& commands) {
  std::string answer;
  for (const auto& command : commands)
    answer = send(command);
  while (answer.size() >= 4 && answer.substr(answer.size() - 4, 2) == "61") {
    const std::string length = answer.substr(answer.size() - 2);
    const std::string more = send("00C00000" + length);
    if (more.size() <= 4) {
      ADD_FAILURE() << "GET RESPONSE: " << more;
      break;
    }
    answer = without_status(answer) + more;
  }
  return answer;
}

void LaserCard::select(const std::string& path) {
  EXPECT_EQ(sw(select_path(path)), "9000") << path;
}

std::string LaserCard::present(const std::string& ko, const std::string& pin) {
  select(ko);
  return send(verify_plain(pin));
}

std::string LaserCard::present_secure(const std::string& ko, const std::string& pin) {
  select(ko);
  Bytes text(8, 0x10);
  append(text, ByteView(*from_hex(send("0084000008"))).first(8));
  Bytes key = openssl_sha1(as_bytes(pin));
  key.resize(16);
  return send("8020000010" + to_hex(openssl_des3(key, text, true)));
}

std::string LaserCard::status(const std::string& ko) {
  select(ko);
  return send("00200000");
}

SmHost LaserCard::open_channel(const Bytes& exponent) {
  const Bytes parameters = *from_hex(send("8048008000"));
  constexpr std::size_t icc_public_at = 3 + 98 + 2;
  EXPECT_EQ(parameters.size(), 3u + 98 + 98 + 2);
  const Bytes mine = modp_768_power(Bytes{2}, exponent);
  const Bytes challenge = *from_hex(send("80860000" + hex_byte(mine.size()) + to_hex(mine) + "20"));
  EXPECT_EQ(challenge.size(), 34u);
  const auto theirs = ByteView(parameters).subspan(icc_public_at, 96);
  return {modp_768_power(theirs, exponent), ByteView(challenge).first(32)};
}

std::string LaserCard::change_pin(const std::string& pin) {
  SmHost host = open_channel();
  const std::string value = "81" + hex_byte(pin.size()) + hex_of(pin);
  const std::string body = "62" + hex_byte(value.size() / 2) + value;
  const std::string answer =
      host.unwrap(send(host.wrap("80240000" + hex_byte(body.size() / 2) + body)));
  EXPECT_EQ(send("8086FFFF"), "9000");
  return answer;
}

std::string key_path(unsigned rr) {
  return std::string(private_df) + "00" + hex_byte(0x40 | rr);
}

std::string private_key_fcp(unsigned rr, unsigned bits) {
  return "62248A0104830200" + hex_byte(0x40 | rr) + "8002" + hex_be16(bits / 8) +
         "8505050C2000A3860E0000002000FF00000020002000207100";
}

std::string generate_command(unsigned bits) {
  const std::string algorithm = bits == 1024 ? "06" : bits == 2048 ? "07" : "08";
  return "004700000BAC098001" + algorithm + "81810301000100";
}

void LaserCard::create_private_key(unsigned rr, unsigned bits) {
  select(private_df);
  EXPECT_EQ(send("00E0080026" + private_key_fcp(rr, bits)), "9000");
}

void LaserCard::select_key(unsigned rr) {
  select(key_path(rr));
}

Bytes LaserCard::generate(unsigned rr, unsigned bits) {
  select_key(rr);
  const Bytes answer = *from_hex(whole(generate_command(bits)));
  const std::size_t size = bits / 8;
  constexpr std::size_t behind = 5 + 2;  // 82 03 010001 and the status word
  EXPECT_GT(answer.size(), size + behind);
  return copy_of(ByteView(answer).subspan(answer.size() - behind - size, size));
}

}  // namespace kilt::sim::test
