// SPDX-License-Identifier: Apache-2.0
#include "drivers/jacarta_layout.hpp"

#include <algorithm>
#include <ctime>

#include "drivers/jacarta_objects.hpp"

namespace kilt::card::jacarta {
namespace {

constexpr std::size_t label_size = 32, manufacturer_size = 32, model_size = 16, serial_size = 16;
constexpr std::size_t empty_map_size = 643;
constexpr std::uint8_t flag_random = 0x04;

Bytes bytes_of(const char* hex) {
  return from_hex(hex).value();
}

std::string now(const char* format) {
  const std::time_t seconds = std::time(nullptr);
  std::tm parts{};
  gmtime_r(&seconds, &parts);
  char text[20];
  std::strftime(text, sizeof text, format, &parts);
  return text;
}

void append_blank_padded(Bytes& to, std::string_view text, std::size_t size) {
  const std::string padded = std::string(text.substr(0, size));
  append(to, as_bytes(padded));
  to.resize(to.size() + size - padded.size(), ' ');
}

/// EF TokenInfo: 160 bytes and one more that stays 00 [facts jacarta A9, A16 #22]. Flag 01 would
/// make the vendor's module take the card for write-protected.
Bytes token_description(const std::string& label, ByteView serial) {
  std::string serial_text = to_hex(serial);
  std::transform(serial_text.begin(), serial_text.end(), serial_text.begin(), [](char c) {
    return c >= 'A' && c <= 'F' ? static_cast<char>(c - 'A' + 'a') : c;
  });
  Bytes info;
  append_blank_padded(info, label, label_size);
  append_blank_padded(info, "Aladdin R.D.", manufacturer_size);
  append_blank_padded(info, "JaCarta PKI", model_size);
  append_blank_padded(info, serial_text, serial_size);
  append(info, {flag_random, 0x00, 0x00, 0x00});
  append(info, Bytes(16));                      // session counts
  append(info, bytes_of("0A000000 04000000"));  // PIN lengths, as the vendor writes
  append(info, bytes_of("FFFFFFFF 00000000 FFFFFFFF 00000000"));  // memory: unknown
  append(info, bytes_of("0100 0101"));                            // versions
  append(info, as_bytes(now("%Y%m%d%H%M%SZ") + " "));
  info.push_back(0x00);
  return info;
}

/// EF EEEE: what the vendor's software knows of PIN policies [facts jacarta A16, one complete set].
Bytes policy() {
  Bytes content = bytes_of(
      "02C00700000A000A0001 02C10100 02C20A00041000000000000000 02C30A00041000000000000000"
      "02C50400000000 02C60400000000 02C80100 02C90133 02CA04000346DC 02CB0100 02CC0100 02CD0100"
      "02CF0100 02D1021010 02D2021010 02D33F");
  append(content, Bytes(0x3F));
  append(content, bytes_of("02D50100 02D60101 02D70100"));
  return content;
}

NewFile elementary(std::uint16_t id, std::size_t size, const char* name, const char* rules) {
  NewFile file;
  file.id = id;
  file.size = size;
  file.name = name;
  file.rules = bytes_of(rules);
  return file;
}

NewFile dedicated(std::uint16_t id, const char* name, const char* rules) {
  NewFile file = elementary(id, 0, name, rules);
  file.type = FileType::df;
  return file;
}

NewFile key_object(std::uint16_t id, std::size_t size, const char* properties, Bytes rules,
                   const char* content = "") {
  NewFile file;
  file.type = FileType::ko;
  file.id = id;
  file.size = size;
  file.properties = bytes_of(properties);
  file.rules = std::move(rules);
  file.content = bytes_of(content);
  return file;
}

constexpr const char* second_rules = "0000 00FF 00FF 0010 0000 0000 0000";
constexpr const char* either_expression = "810CE30A89020010890200208800";
constexpr const char* any_expression = "8112E31089020010890200208902000288008800";

constexpr const char* officer_only = "0000 0010 00FF 0010";
constexpr const char* either_pin = "0000 0030 00FF 0030";

}  // namespace

NewFile stored_pin(std::uint16_t id, Bytes rules, const SecretBytes& pin) {
  NewFile file;
  file.type = FileType::ko;
  file.id = id;
  file.size = pin::max_length;
  file.properties = stored_pin_properties();
  file.rules = std::move(rules);
  file.pin = pin.clone();
  return file;
}

std::vector<MadeFile> master_files(const SecretBytes& so_pin, const SecretBytes& placeholder) {
  NewFile user =
      key_object(pin::user.back(), 0x0A, "C0010000A0000000000000000000", rules::user_pin());
  user.pin = placeholder.clone();
  NewFile second = key_object(second_transport_pin, pin::max_length, "800100003004100000000000FFFF",
                              bytes_of(second_rules));
  second.pin = SecretBytes::copy_of(as_bytes("LASER+"));
  const auto expression = [](std::uint16_t id, std::size_t size, const char* content) {
    return key_object(id, size, "00010F0000", bytes_of(second_rules), content);
  };
  std::vector<MadeFile> master;
  master.push_back({{}, stored_pin(pin::officer.back(), rules::officer_pin(), so_pin), {}});
  master.push_back({{}, std::move(user), {}});
  master.push_back({{}, std::move(second), {}});
  master.push_back({{}, elementary(0x1000, 1, "Verification", "0000 0000 0000 0000"), Bytes{0x01}});
  master.push_back({{}, expression(0x0035, 0x0E, either_expression), {}});
  master.push_back({{}, expression(0x0030, 0x0E, either_expression), {}});
  master.push_back({{}, expression(0x0032, 0x12, any_expression), {}});
  master.push_back({{}, dedicated(0x3000, "ASEPKCS", "0010 0010 00FF 0010 0000 0010"), {}});
  return master;
}

Result<std::vector<MadeFile>> application_files(const std::string& label, ByteView serial) {
  Bytes card_id = bytes_of("0010 414C444E534E 0000");
  append(card_id, serial);
  Bytes date = bytes_of("02C40100 02C708");
  append(date, as_bytes(now("%Y%m%d")));
  const FilePath& application = file::application;
  const FilePath& minidriver = file::minidriver;
  std::vector<MadeFile> rest;
  rest.push_back({application, dedicated(0x3001, "PUBLIC", "0000 0000 00FF 0010 0000 0010"), {}});
  rest.push_back({application, dedicated(0x3002, "PRIVATE", "0020 0020 00FF 0010 0000 0010"), {}});
  rest.push_back({application, dedicated(0x3003, "MD", "0030 0030 00FF 0030 0000 00FF"), {}});
  rest.push_back({application, elementary(0xB000, 0x1A, "UserHist", "0030 0030 0030 0030"), {}});
  rest.push_back({application, elementary(0xC000, 0xA1, "TokenInfo", "0000 0030 0030 0030"),
                  token_description(label, serial)});
  rest.push_back({application, elementary(0xEEED, 4, "EEED", either_pin), bytes_of("02D00164")});
  rest.push_back({application, elementary(0xEEEE, 0xAD, "EEEE", officer_only), policy()});
  rest.push_back({application, elementary(0xEEEF, 0x0F, "EEEF", either_pin), date});
  rest.push_back({minidriver, elementary(0x4000, 0x12, "cardid", officer_only), card_id});
  return rest;
}

Result<std::vector<MadeFile>> users_files(const Freshness& counters) {
  auto map = container_file(Bytes(empty_map_size));
  if (!map) return map.take_error();
  NewFile map_file = elementary(file::container_map, map->size(), "cmapfile", "");
  map_file.rules = rules::container_map();
  Bytes freshness = bytes_of("00060003");
  for (const auto counter : {counters.containers, counters.files})
    append(freshness,
           {static_cast<std::uint8_t>(counter), static_cast<std::uint8_t>(counter >> 8)});
  const FilePath& minidriver = file::minidriver;
  std::vector<MadeFile> rest;
  rest.push_back({file::open_objects, std::move(map_file), std::move(*map)});
  rest.push_back(
      {minidriver, elementary(0x4001, 8, "cardcf", "0000 0032 00FF 0032"), std::move(freshness)});
  rest.push_back({minidriver, elementary(0x4002, 0x0A, "cardapps", either_pin),
                  bytes_of("00086D73637000000000")});
  rest.push_back({minidriver, dedicated(0x3005, "mscp", "0030 0030 00FF 0030 0000 00FF"), {}});
  return rest;
}

}  // namespace kilt::card::jacarta
