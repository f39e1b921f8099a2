// SPDX-License-Identifier: Apache-2.0
#include "drivers/kaztoken.hpp"

#include <algorithm>

#include "apdu/tlv.hpp"
#include "drivers/kaztoken_card.hpp"
#include "drivers/registry.hpp"

namespace kilt::card {
namespace kaztoken {

const CardModel& model() {
  static const CardModel& sheet = *new CardModel([] {
    CardModel made;
    made.name = "KAZTOKEN";
    made.store_name = "AKKaztokenStore";
    made.factory = {"12345678", "87654321"};
    Capability rsa;
    rsa.type = KeyType::rsa;
    rsa.min_bits = 1024;
    rsa.max_bits = 2048;
    rsa.bits_step = 256;
    rsa.generate = rsa.import = true;
    rsa.sign = rsa.decrypt = {Scheme::rsa_raw, Scheme::rsa_pkcs1};
    made.capabilities = {rsa};
    return made;
  }());
  return sheet;
}

// ---- files -----------------------------------------------------------------------------------

std::uint16_t directory_id(pkcs15::Kind kind) {
  switch (kind) {
    case pkcs15::Kind::private_keys:
      return 0x6002;
    case pkcs15::Kind::public_keys:
      return 0x6001;
    case pkcs15::Kind::certificates:
      return 0x6004;
    case pkcs15::Kind::data:
      return 0x6006;
    case pkcs15::Kind::authentication:
      return 0x6005;
  }
  return 0;
}

Bytes path_bytes(const FilePath& path) {
  Bytes bytes{0x3F, 0x00};
  for (auto id : path)
    append_be16(bytes, id);
  return bytes;
}

Result<FilePath> parse_path(ByteView bytes) {
  constexpr std::size_t longest = 16;
  if (bytes.empty() || bytes.size() % 2 != 0 || bytes.size() > longest) {
    return Error{ErrorKind::protocol, "a path in a directory that no file can have"};
  }
  const bool is_absolute = be16(bytes[0], bytes[1]) == 0x3F00;
  FilePath path = is_absolute ? FilePath{} : file::application;
  for (std::size_t i = is_absolute ? 2 : 0; i < bytes.size(); i += 2)
    path.push_back(be16(bytes[i], bytes[i + 1]));
  if (path.empty()) return Error{ErrorKind::protocol, "a path in a directory that names the MF"};
  return path;
}

FilePath in_application(std::uint16_t id) {
  return {file::application[0], id};
}

FilePath private_key_file(std::uint8_t reference) {
  FilePath path = file::private_keys;
  path.push_back(reference);
  return path;
}

FilePath public_key_file(std::uint8_t reference) {
  FilePath path = file::public_keys;
  path.push_back(reference);
  return path;
}

// ---- security attributes ---------------------------------------------------------------------

namespace rights {
namespace {

/// Byte 0 says which of the next seven are valid; bytes 8..14 are zero.
Bytes attributes(std::initializer_list<std::uint8_t> first) {
  Bytes bytes(first);
  bytes.resize(15);
  return bytes;
}

}  // namespace

Bytes of_file(Who read, Who update, Who remove) {
  return attributes({0x43, static_cast<std::uint8_t>(read), static_cast<std::uint8_t>(update), 0, 0,
                     0, 0, static_cast<std::uint8_t>(remove)});
}
Bytes users_file() {
  return of_file(Who::anybody, Who::user, Who::user);
}
Bytes users_secret_file() {
  return of_file(Who::user, Who::user, Who::user);
}
Bytes master_file() {
  return attributes({0x47, 0x02, 0x02, 0x01, 0, 0, 0, 0xFF});
}
Bytes private_key() {
  return attributes({0x46, 0x00, 0x02, 0x02, 0, 0, 0, 0x02});
}
Bytes public_key() {
  return attributes({0x46, 0x00, 0x02, 0x00, 0, 0, 0, 0x02});
}
Bytes user_pin() {
  return of_file(Who::officer, Who::either, Who::nobody);
}
Bytes officer_pin() {
  return of_file(Who::nobody, Who::officer, Who::nobody);
}

}  // namespace rights

namespace {

Bytes file_template(std::uint16_t id, std::size_t size, std::uint8_t descriptor,
                    ByteView properties, const Bytes& security) {
  const auto two = [](std::size_t value) {
    Bytes bytes;
    append_be16(bytes, value);
    return bytes;
  };
  apdu::BerWriter inside;
  inside.put(apdu::tag::file_size, two(size));
  inside.put(apdu::tag::file_descriptor, {descriptor, 0x00});
  inside.put(apdu::tag::file_identifier, two(id));
  if (!properties.empty()) inside.put(apdu::tag::proprietary, properties);
  inside.put(apdu::tag::security_attribute_proprietary, security);
  apdu::BerWriter writer;
  writer.put(apdu::tag::fci_template, inside);
  return std::move(writer).bytes();
}

}  // namespace

Bytes transparent_file(std::uint16_t id, std::size_t size, const Bytes& security) {
  return file_template(id, size, 0x01, {}, security);
}
Bytes directory_file(std::uint16_t id, std::size_t size, const Bytes& security) {
  return file_template(id, size, 0x38, {}, security);
}
Bytes internal_file(std::uint16_t id, std::size_t size, ByteView properties,
                    const Bytes& security) {
  return file_template(id, size, 0x10, properties, security);
}

Bytes properties::pin(std::size_t min_length, unsigned tries) {
  return {0x01, static_cast<std::uint8_t>(min_length),
          0x01, static_cast<std::uint8_t>(tries * 0x11),
          0,    0};
}

// ---- commands --------------------------------------------------------------------------------

namespace command {
namespace {

Command related(apdu::CommandApdu apdu, const char* operation, const char* source) {
  return {std::move(apdu), Evidence::related, operation, source};
}

constexpr std::uint8_t logout_ins = 0x40;
constexpr std::uint8_t begin_format_ins = 0x8A;
constexpr std::uint8_t end_format_ins = 0x84;

}  // namespace

Command first_child() {
  apdu::CommandApdu apdu(apdu::cla::interindustry, apdu::ins::select, 0x00, 0x00);
  apdu.expect(apdu::CommandApdu::le_max_short);
  return related(std::move(apdu), "list files", "[facts kaztoken §4.1]");
}

Command next_sibling(std::uint16_t previous) {
  apdu::CommandApdu apdu(apdu::cla::interindustry, apdu::ins::select, 0x00, 0x02);
  Bytes id;
  append_be16(id, previous);
  apdu.data(std::move(id)).expect(apdu::CommandApdu::le_max_short);
  return related(std::move(apdu), "list files", "[facts kaztoken §4.1]");
}

Command verify(std::uint8_t reference, const SecretBytes& pin) {
  return related(apdu::verify(reference, pin.clone()), "log in", "[facts kaztoken §4.2]");
}

Command verify_from_pad(Role role) {
  auto command = verify(pin::reference(role), SecretBytes());
  command.from_pad = apdu::PinEntry{pin::officer_min, pin::max_length, true};
  if (role == Role::user) command.from_pad->min_length = pin::user_min;
  return command;
}

Command verify_status(std::uint8_t reference) {
  return related(apdu::verify_status(reference), "ask for the PIN's state",
                 "[facts kaztoken §4.2]");
}

Command logout() {
  return related({apdu::cla::proprietary, logout_ins, 0x00, 0x00}, "log out",
                 "[facts kaztoken §4.2]");
}

Command load_value(std::uint8_t reference, ByteView value) {
  SecretBytes body(value.size() + 6);
  body.append({0x80, 0x02, static_cast<std::uint8_t>(value.size() >> 8),
               static_cast<std::uint8_t>(value.size()), 0xA5,
               static_cast<std::uint8_t>(value.size())});
  body.append(value);
  return related(apdu::change_reference_data(0x01, reference, std::move(body)), "set the PIN",
                 "[facts kaztoken §4.2]");
}

Command reset_counter(std::uint8_t reference) {
  // [7816-4 §11.6.9] RESET RETRY COUNTER without a body, under the officer's login.
  return related({apdu::cla::interindustry, 0x2C, 0x03, reference}, "unblock the PIN",
                 "[facts kaztoken §4.2, §10.1 #24]");
}

Command generate_rsa(std::uint8_t reference) {
  apdu::CommandApdu apdu(apdu::cla::interindustry, apdu::ins::generate_asymmetric_key_pair, 0x80,
                         reference);
  // The exponent, little-endian; the card makes 65537 in any case [facts kaztoken §10.1 #3].
  apdu.data({0xA6, 0x06, 0x94, 0x04, 0x01, 0x00, 0x01, 0x00});
  apdu.expect(apdu::CommandApdu::le_max_short);
  return related(std::move(apdu), "generate a key pair", "[facts kaztoken §4.4]");
}

Command set_environment(Purpose purpose, std::uint8_t reference) {
  const auto which = purpose == Purpose::sign ? apdu::ControlTemplate::digital_signature
                                              : apdu::ControlTemplate::confidentiality;
  // The key's reference only: newer firmware refuses a file reference here [facts kaztoken §10.1
  // #25].
  const Bytes reference_object{static_cast<std::uint8_t>(apdu::tag::key_reference_private), 0x01,
                               reference};
  return related(apdu::mse_set(which, reference_object), "choose the key", "[facts kaztoken §4.5]");
}

Command compute(Purpose purpose, ByteView block) {
  // No padding indicator in front of a cryptogram; Le 00 always [facts kaztoken §4.5, §10.1 #34].
  constexpr auto ne = apdu::CommandApdu::le_max_short;
  if (purpose == Purpose::sign) {
    return related(apdu::pso_compute_digital_signature(block, ne), "sign", "[facts kaztoken §4.5]");
  }
  return related(apdu::pso_decipher(block, ne), "decrypt", "[facts kaztoken §4.5]");
}

Command random(std::size_t count) {
  return related(apdu::get_challenge(count), "get random bytes", "[facts kaztoken §4.6]");
}

Command serial() {
  return related(apdu::get_data(0x0181, apdu::CommandApdu::le_max_short), "read the serial number",
                 "[facts kaztoken §4.7]");
}

Command device_information() {
  return related(apdu::get_data(0x0189, 12), "read the device's version", "[facts kaztoken §4.7]");
}

Command begin_format() {
  auto made = related({apdu::cla::proprietary, begin_format_ins, 0x00, 0x00}, "erase the card",
                      "[facts kaztoken §4.8]");
  made.destroys = true;
  return made;
}

Command end_format() {
  return related({apdu::cla::proprietary, end_format_ins, 0x4E, 0x19}, "end formatting",
                 "[facts kaztoken §4.8]");
}

}  // namespace command

namespace {

Command load_block(SecretBytes body, bool is_last) {
  auto apdu = apdu::change_reference_data(0x01, 0x00, std::move(body));
  if (!is_last) apdu.set_cla(apdu::cla::interindustry | apdu::cla::chaining);
  return {std::move(apdu), Evidence::related, "load a key", "[facts kaztoken §4.3]"};
}

}  // namespace

Status load_long_value(Link& link, const SecretBytes& value) {
  constexpr std::size_t first_block = 249, next_block = 253;
  ByteView rest = value.view();
  for (bool first = true; first || !rest.empty(); first = false) {
    const auto block = rest.first(std::min(rest.size(), first ? first_block : next_block));
    rest = rest.subspan(block.size());
    SecretBytes body(block.size() + 6);
    if (first) {
      body.append({0x80, 0x02, static_cast<std::uint8_t>(value.size() >> 8),
                   static_cast<std::uint8_t>(value.size())});
    }
    body.append({0xA5, static_cast<std::uint8_t>(block.size())});
    body.append(block);
    const Command load = load_block(std::move(body), rest.empty());
    if (auto status = check(link.send(load), "loading a key"); !status) return status;
  }
  return {};
}

// ---- identification [facts kaztoken §1.1, §1.2] ----------------------------------------------

namespace {

AtrPattern exactly(const char* atr, const char* device) {
  return {from_hex(atr).value(), {}, device};
}

std::vector<AtrPattern> atrs() {
  std::vector<AtrPattern> list{
      exactly("3B 88 01 4B 41 5A 54 4F 4B 45 4E 82", "Kaztoken (USB token)"),
      // Interface bytes depend on how the card was ordered; its name does not.
      {from_hex("3B 98 96 00 4B 41 5A 54 4F 4B 45 4E").value(),
       from_hex("FF 0F 00 00 FF FF FF FF FF FF FF FF").value(), "Kaztoken SC (card)"},
      exactly("3B 8B 01 52 75 74 6F 6B 65 6E 20 45 43 50 A0", "Rutoken ECP (relative)"),
      exactly("3B 8B 01 52 75 74 6F 6B 65 6E 20 44 53 20 C1", "Rutoken ECP DS (relative)"),
      exactly("3B 8B 01 52 75 74 6F 6B 65 6E 44 53 42 54 D7", "Rutoken ECP BT (relative)"),
      exactly("3B 8B 01 52 75 74 6F 6B 65 6E 6C 69 74 65 C2",
              "Rutoken Lite (relative, storage only)"),
      exactly("3B 8B 00 52 75 74 6F 6B 65 6E 6C 74 53 44 E3",
              "Rutoken Lite SD (relative, storage only)"),
      exactly("3B 8B 01 52 74 50 49 4E 50 61 64 20 20 32 9C", "Rutoken PINPad (relative)"),
      exactly("3B 8C 80 01 50 5C 4B 71 A1 52 74 53 43 77 81 83 D9", "Rutoken ECP 3.0 (relative)"),
      exactly("3B 88 80 01 52 74 4D 43 00 81 C1 00 61", "Rutoken 2151 (relative)"),
      exactly("3B 9C 96 00 52 75 74 6F 6B 65 6E 45 43 50 73 63", "Rutoken ECP SC, T=0 (relative)"),
      exactly("3B 9C 94 80 11 40 52 75 74 6F 6B 65 6E 45 43 50 73 63 C3",
              "Rutoken ECP SC, T=1 (relative)"),
      exactly("3B 9C 97 80 11 40 52 75 74 6F 6B 65 6E 45 43 50 73 63 C0",
              "Rutoken ECP 3.0 NFC (relative)"),
      {from_hex("3B 88 80 01 52 74 53 43 77 81 83 20 6A").value(),
       from_hex("FF FF FF FF FF FF FF FF 00 00 00 00 00").value(),
       "Rutoken ECP SC, contactless (relative)"},
      exactly("3B 9E 96 00 52 75 74 6F 6B 65 6E 4C 69 74 65 53 43 32",
              "Rutoken Lite SC 2 (relative, storage only)"),
  };
  return list;
}

std::unique_ptr<Card> make(std::unique_ptr<Link> link) {
  return std::make_unique<KaztokenCard>(std::move(link));
}

std::vector<Command> commands() {
  const auto file = [](apdu::CommandApdu apdu, const char* operation) {
    return Command{std::move(apdu), file_commands.evidence, operation, file_commands.source};
  };
  std::vector<Command> all;
  all.push_back(command::serial());
  all.push_back(command::device_information());
  all.push_back(file(apdu::select(apdu::SelectMode::path_from_mf, {}, apdu::SelectAnswer::fci),
                     "select a file"));
  all.push_back(command::first_child());
  all.push_back(file(apdu::read_binary(0, 1), "read a file"));
  all.push_back(file(apdu::update_binary(0, {}), "write a file"));
  all.push_back(file(apdu::create_file({}), "create a file"));
  all.push_back(file(apdu::delete_file(0), "delete a file"));
  all.push_back(command::verify_status(pin::user));
  all.push_back(command::verify(pin::user, SecretBytes(0)));
  all.push_back(command::logout());
  all.push_back(command::load_value(pin::user, {}));
  all.push_back(command::reset_counter(pin::user));
  all.push_back(command::generate_rsa(1));
  all.push_back(load_block(SecretBytes(0), true));
  all.push_back(command::set_environment(Purpose::sign, 1));
  all.push_back(command::compute(Purpose::sign, {}));
  all.push_back(command::compute(Purpose::decipher, {}));
  all.push_back(command::random(1));
  all.push_back(command::begin_format());
  all.push_back(command::end_format());
  return all;
}

}  // namespace
}  // namespace kaztoken

extern const Driver kaztoken_driver;
const Driver kaztoken_driver{"kaztoken", kaztoken::model, kaztoken::atrs,
                             nullptr,    kaztoken::make,  kaztoken::commands};

}  // namespace kilt::card
