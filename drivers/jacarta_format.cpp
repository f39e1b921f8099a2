// SPDX-License-Identifier: Apache-2.0
// Setting up a JaCarta's LASER applet, and its PINs' changes. The files, their order and their
// rules are the vendor's [facts jacarta A12, A16], so that its software takes the card for its own;
// what the vendor writes and then writes over is written once.
#include <algorithm>
#include <ctime>

#include "drivers/jacarta_card.hpp"

namespace kilt::card::jacarta {
namespace {

constexpr std::size_t label_size = 32, manufacturer_size = 32, model_size = 16, serial_size = 16;
constexpr std::size_t token_flags_at = 96, empty_map_size = 643;
constexpr std::uint8_t flag_random = 0x04, flag_user_pin = 0x08;

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

}  // namespace

Status JacartaCard::make_file(const FilePath& parent, const NewFile& file, ByteView content) {
  auto status = files_.create(parent, file);
  if (!status || content.empty()) return status;
  FilePath path = parent;
  path.push_back(file.id);
  if (const auto selected = files_.select(path); !selected) return selected.error();
  return files_.write(content);
}

/// What the MF asks for before something is created in it: nothing, the officer, or transport
/// PIN 1.
Status JacartaCard::allow_creation(const FileFacts& master) {
  if (master.rules.size() < 2) return {};
  const std::uint16_t rule = be16(master.rules[0], master.rules[1]);
  if (rule == 0 || (rule == pin::officer.back() && pins_.role() == Role::security_officer))
    return {};
  if (rule == pin::transport.back()) return pins_.login_for_transport();
  return Error{ErrorKind::access_denied,
               "this card lets nobody whose PIN kilt knows create files, so it cannot be set up"};
}

Status JacartaCard::erase() {
  // The vendor's order: what holds objects first, the PINs behind.
  const FilePath files[] = {{0x3000}, {0x1000}, {0x0030}, {0x0032}, {0x0035},
                            {0x0002}, {0x0020}, {0x0010}, {0x5015}};
  for (const auto& path : files) {
    auto status = files_.remove(path, true);
    if (!status && status.error().kind != ErrorKind::not_found)
      return status.take_error().within("erasing " + to_string(path));
  }
  return {};
}

Status JacartaCard::create_all(const std::string& label, const SecretBytes& so_pin) {
  const auto serial = serial_bytes();
  if (!serial) return serial.error();
  // Nobody knows this PIN: it stands for "none" until set_user_pin() makes another, and expressions
  // name an object that exists.
  constexpr std::size_t placeholder_size = 8;
  auto random = pins_.random(placeholder_size);
  if (!random) return random.take_error();
  NewFile user =
      key_object(pin::user.back(), 0x0A, "C0010000A0000000000000000000", rules::user_pin());
  user.pin = SecretBytes::copy_of(*random);
  wipe(*random);
  NewFile second =
      key_object(0x0002, pin::max_length, "800100003004100000000000FFFF", bytes_of(second_rules));
  second.pin = SecretBytes::copy_of(as_bytes("LASER+"));
  const auto expression = [](std::uint16_t id, std::size_t size, const char* content) {
    return key_object(id, size, "00010F0000", bytes_of(second_rules), content);
  };
  struct Made {
    FilePath parent;
    NewFile file;
    Bytes content;
  };
  std::vector<Made> master;
  master.push_back({{}, stored_pin(pin::officer.back(), rules::officer_pin(), so_pin), {}});
  master.push_back({{}, std::move(user), {}});
  master.push_back({{}, std::move(second), {}});
  master.push_back({{}, elementary(0x1000, 1, "Verification", "0000 0000 0000 0000"), Bytes{0x01}});
  master.push_back({{}, expression(0x0035, 0x0E, either_expression), {}});
  master.push_back({{}, expression(0x0030, 0x0E, either_expression), {}});
  master.push_back({{}, expression(0x0032, 0x12, any_expression), {}});
  master.push_back({{}, dedicated(0x3000, "ASEPKCS", "0010 0010 00FF 0010 0000 0010"), {}});
  for (const auto& made : master) {
    auto status = make_file(made.parent, made.file, made.content);
    // Quirk: transport PIN 2 may have survived [facts jacarta A16].
    if (!status && status.error().kind == ErrorKind::exists && made.file.id == 0x0002) continue;
    if (!status) return status;
  }
  if (auto status = pins_.login(Role::security_officer, so_pin); !status) return status;

  Bytes card_id = bytes_of("0010 414C444E534E 0000");
  append(card_id, *serial);
  Bytes date = bytes_of("02C40100 02C708");
  append(date, as_bytes(now("%Y%m%d")));
  const FilePath& application = file::application;
  const FilePath& open = file::open_objects;
  const FilePath& minidriver = file::minidriver;
  std::vector<Made> rest;
  rest.push_back({application, dedicated(0x3001, "PUBLIC", "0000 0000 00FF 0010 0000 0010"), {}});
  rest.push_back({application, dedicated(0x3002, "PRIVATE", "0020 0020 00FF 0010 0000 0010"), {}});
  rest.push_back({application, dedicated(0x3003, "MD", "0030 0030 00FF 0030 0000 00FF"), {}});
  rest.push_back({application, elementary(0xB000, 0x1A, "UserHist", "0030 0030 0030 0030"), {}});
  rest.push_back({application, elementary(0xC000, 0xA1, "TokenInfo", "0000 0030 0030 0030"),
                  token_description(label, *serial)});
  rest.push_back({application, elementary(0xEEED, 4, "EEED", either_pin), bytes_of("02D00164")});
  rest.push_back({application, elementary(0xEEEE, 0xAD, "EEEE", officer_only), policy()});
  rest.push_back({application, elementary(0xEEEF, 0x0F, "EEEF", either_pin), date});
  // The rules are the profile's: no user is there yet who could own it. The first key makes the
  // map anew [facts jacarta A16 #23].
  auto map = container_file(Bytes(empty_map_size));
  if (!map) return map.take_error();
  rest.push_back({open,
                  elementary(file::container_map, map->size(), "cmapfile", "0000 0030 0030 0030"),
                  *map});
  rest.push_back({minidriver, elementary(0x4000, 0x12, "cardid", officer_only), card_id});
  rest.push_back({minidriver, elementary(0x4001, 8, "cardcf", "0000 0032 00FF 0032"),
                  bytes_of("0006000301000100")});
  rest.push_back({minidriver, elementary(0x4002, 0x0A, "cardapps", either_pin),
                  bytes_of("00086D73637000000000")});
  rest.push_back({minidriver, dedicated(0x3005, "mscp", "0030 0030 00FF 0030 0000 00FF"), {}});
  for (const auto& made : rest) {
    if (auto status = make_file(made.parent, made.file, made.content); !status) return status;
  }
  return {};
}

Status JacartaCard::initialise(const std::string& label, const SecretBytes& so_pin) {
  const char* const what = "initialising the card";
  if (label.empty() || label.size() > label_size) {
    return Error{ErrorKind::bad_argument, "a label has 1 to 32 bytes"};
  }
  begin();
  if (auto length = Pins::check_length(Role::security_officer, so_pin.size()); !length)
    return length;
  auto state = pins_.status(Role::security_officer);
  if (!state) return state.take_error().within(what);
  if (state->info.initialized) {
    if (auto status = pins_.login(Role::security_officer, so_pin); !status) return status;
  }
  // Before anything is lost: erasing needs the officer alone, setting up the transport PIN too
  // [facts jacarta A16 #20].
  const auto master = files_.select({});
  if (!master) return master.error().within(what);
  if (auto status = allow_creation(*master); !status) return status;
  token_info_.reset();
  auto status = erase();
  if (status) status = create_all(label, so_pin);
  pins_.forget();
  objects_.forget();
  if (!status) {
    return status.take_error().within(std::string(what) +
                                      "; it is erased in part, and has to be initialised again");
  }
  return {};
}

// ---- PINs ------------------------------------------------------------------------------------

Status JacartaCard::change_pin(Role role, const SecretBytes& old_pin, const SecretBytes& new_pin) {
  begin();
  if (auto length = Pins::check_length(role, new_pin.size()); !length) return length;
  if (auto status = pins_.login(role, old_pin); !status) return status;
  return pins_.store(role, new_pin);
}

/// TokenInfo then says that there is a user PIN [facts jacarta A16 #22].
Status JacartaCard::mark_user_pin() {
  auto content = token_info_file();
  if (!content) return content.take_error();
  if (content->size() <= token_flags_at || ((*content)[token_flags_at] & flag_user_pin) != 0)
    return {};
  (*content)[token_flags_at] |= flag_user_pin;
  if (const auto selected = files_.select(file::token_info); !selected) return selected.error();
  token_info_.reset();
  return files_.update(token_flags_at, ByteView(*content).subspan(token_flags_at, 1));
}

/// In the place of the PIN that initialisation left, or of none after a power cut. The PIN comes
/// last: until then the card says that there is none.
Status JacartaCard::create_user_pin(const SecretBytes& new_pin) {
  const auto master = files_.select({});
  if (!master) return master.error();
  if (auto status = allow_creation(*master); !status) return status;
  auto removed = files_.remove(pin::user);
  if (!removed && removed.error().kind != ErrorKind::not_found) return removed;
  if (auto status = mark_user_pin(); !status) return status;
  return make_file({}, stored_pin(pin::user.back(), rules::user_pin(), new_pin), {});
}

Status JacartaCard::set_user_pin(const SecretBytes& new_pin) {
  const char* const what = "setting the user PIN";
  if (auto length = Pins::check_length(Role::user, new_pin.size()); !length) return length;
  if (pins_.role() != Role::security_officer) {
    return Error{ErrorKind::not_logged_in, "setting the user PIN needs the officer's login"};
  }
  const auto state = pin_status(Role::user);
  if (!state) return state.error().within(what);
  if (state->initialized) {
    if (auto status = pins_.reset_user_counter(); !status) return status.take_error().within(what);
    return pins_.store(Role::user, new_pin);
  }
  if (auto status = objects_.prepare_write(); !status) return status.take_error().within(what);
  auto status = create_user_pin(new_pin);
  if (status) status = objects_.count(1);
  if (!status) return status.take_error().within(what);
  return {};
}

}  // namespace kilt::card::jacarta
