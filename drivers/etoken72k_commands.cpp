// SPDX-License-Identifier: Apache-2.0
#include "drivers/etoken72k_commands.hpp"

#include <algorithm>

#include "apdu/tlv.hpp"

namespace kilt::card::etoken {

FilePath object_directory(std::uint16_t id) {
  FilePath path = file::objects;
  path.push_back(id);
  return path;
}

FilePath object_file(std::uint16_t id, std::uint16_t inside) {
  FilePath path = object_directory(id);
  path.push_back(inside);
  return path;
}

Rights rights_of_directory() {
  return {Rights::anybody, Rights::user, Rights::user,    Rights::user,
          Rights::user,    Rights::user, Rights::officer, Rights::anybody};
}

Rights rights_of_file(bool is_private) {
  return {is_private ? Rights::user : Rights::anybody,
          Rights::user,
          Rights::nobody,
          Rights::user,
          Rights::nobody,
          Rights::nobody,
          Rights::officer,
          Rights::anybody};
}

std::array<std::uint8_t, 8> bytes_of(const Rights& rights) {
  return {rights.read, rights.write,    rights.create, rights.remove,
          rights.use,  rights.generate, rights.admin,  rights.list};
}

Result<FileInfo> parse_file_info(ByteView answer, std::uint16_t id) {
  constexpr std::uint8_t elementary = 0x02;
  FileInfo info{};
  bool has_type = false, has_id = false;
  while (!answer.empty()) {
    auto object = apdu::read_simple_tlv(answer);
    if (!object) return object.take_error().within("reading file control information");
    const ByteView value = object->value;
    if (object->tag == 0x01 && value.size() == 1) {
      has_type = true;
      info.is_directory = value[0] != elementary;
    } else if (object->tag == 0x02 && value.size() == 2) {
      has_id = be16(value[0], value[1]) == id;
    } else if (object->tag == 0x03 && value.size() == 2) {
      info.size = be16(value[0], value[1]);
    } else if (object->tag == 0x04 && value.size() == info.acl.size()) {
      std::copy(value.begin(), value.end(), info.acl.begin());
    }
  }
  if (!has_type || !has_id) {
    return Error{ErrorKind::protocol, "the card describes another file than the one selected"};
  }
  return info;
}

namespace command {
namespace {

// Instructions of the applet, class 80 [facts etoken §5.2].
namespace ins {
constexpr std::uint8_t directory = 0x01;
constexpr std::uint8_t compute = 0x0C;
constexpr std::uint8_t login = 0x11;
constexpr std::uint8_t write = 0x15;
constexpr std::uint8_t challenge = 0x17;
constexpr std::uint8_t read = 0x18;
// assumed: ISO's instruction codes, since no public source knows the applet's.
constexpr std::uint8_t change_pin = 0x24;
constexpr std::uint8_t set_pin = 0x2C;
constexpr std::uint8_t generate = 0x46;
constexpr std::uint8_t initialise = 0x8E;
constexpr std::uint8_t import = 0xDB;
constexpr std::uint8_t create = 0xE0;
constexpr std::uint8_t remove = 0xE4;
}  // namespace ins

/// Tags of parameters.
namespace tag {
constexpr std::uint8_t list = 0x09, offset = 0x0E, salt = 0x0F, data = 0x10, label = 0x21;
}

/// P2 of a command on an RSA key.
constexpr std::uint8_t rsa_key = 0x31;
/// Bytes of the block whose form is public: RSA-2048's [facts etoken §5.5].
constexpr std::size_t published_block = 256;

constexpr const char* assumed_edge = "assumed: ISO's instruction, the applet's way of parameters";

apdu::CommandApdu applet(std::uint8_t ins, std::uint8_t p1 = 0, std::uint8_t p2 = 0) {
  return {apdu::cla::proprietary, ins, p1, p2};
}

Command published(apdu::CommandApdu apdu, const char* operation,
                  const char* source = "[facts etoken §5.2]") {
  return {std::move(apdu), Evidence::published, operation, source};
}

Command assumed(apdu::CommandApdu apdu, const char* operation, const char* source = assumed_edge) {
  return {std::move(apdu), Evidence::assumed, operation, source};
}

Bytes be(std::size_t value) {
  Bytes bytes;
  append_be16(bytes, value);
  return bytes;
}

/// `0F 14 salt 10 18 key`: the body of whatever sets a PIN.
SecretBytes new_pin(ByteView salt, ByteView encrypted_key, ByteView label = {}) {
  SecretBytes body(4 + salt.size() + encrypted_key.size() + 2 + label.size());
  body.append({tag::salt, static_cast<std::uint8_t>(salt.size())});
  body.append(salt);
  body.append({tag::data, static_cast<std::uint8_t>(encrypted_key.size())});
  body.append(encrypted_key);
  if (label.empty()) return body;
  body.append({tag::label, static_cast<std::uint8_t>(label.size())});
  body.append(label);
  return body;
}

}  // namespace

Command select_applet() {
  const Bytes aid{0xA0, 0x00, 0x00, 0x03, 0x12, 0x02, 0x02};
  return published(apdu::select(apdu::SelectMode::by_df_name, aid, apdu::SelectAnswer::fci),
                   "select the applet", "[facts etoken §5.1]");
}

Command select(const FilePath& path, apdu::SelectAnswer answer) {
  Bytes ids;
  for (const auto id : path)
    append_be16(ids, id);
  return published(apdu::select(apdu::SelectMode::path_from_mf, ids, answer), "select a file");
}

Command directory() {
  auto apdu = applet(ins::directory);
  apdu.data({tag::list, 0x02, 0x00, 0x00}).expect(apdu::CommandApdu::le_max_short);
  return published(std::move(apdu), "list files");
}

Command read(std::size_t offset, std::size_t count) {
  Bytes body;
  apdu::append_simple_tlv(body, tag::offset, be(offset));
  auto apdu = applet(ins::read);
  apdu.data(std::move(body)).expect(count);
  if (count <= read_short) return published(std::move(apdu), "read a file");
  // Public traces have short ones only; that the applet's buffer is longer is public.
  return assumed(std::move(apdu), "read a file in long pieces",
                 "assumed: READ of [facts etoken §5.2] as an extended APDU, as signatures go");
}

Command write(std::size_t offset, ByteView data) {
  Bytes body;
  apdu::append_simple_tlv(body, tag::offset, be(offset));
  apdu::append_simple_tlv(body, tag::data, data);
  auto apdu = applet(ins::write);
  apdu.data(std::move(body));
  return published(std::move(apdu), "write a file");
}

Command serial() {
  return published(apdu::get_data(0x0107, apdu::CommandApdu::le_max_short),
                   "read the serial number");
}

Command challenge() {
  auto apdu = applet(ins::challenge);
  apdu.expect(pin::challenge_size);
  return published(std::move(apdu), "get a challenge");
}

Command login(Role role, ByteView response) {
  SecretBytes body(2 + response.size());
  body.append({tag::data, static_cast<std::uint8_t>(response.size())});
  body.append(response);
  auto apdu = applet(ins::login, 0x00, pin::reference(role));
  apdu.secret(std::move(body));
  if (role == Role::user)
    return published(std::move(apdu), "log in the user", "[facts etoken §5.4]");
  // P2 is public (one source says 15 in place of 21), but where the salt is, is our own choice.
  return assumed(std::move(apdu), "log in the security officer",
                 "assumed: the user's way [facts etoken §5.4] with P2 21 and a salt of its own");
}

Command compute(ByteView block, bool decrypts) {
  Bytes body;
  apdu::append_simple_tlv(body, tag::data, block);
  const bool is_long = body.size() > 255;
  auto apdu = applet(ins::compute, 0x03, rsa_key);
  apdu.data(std::move(body));
  apdu.expect(is_long ? apdu::CommandApdu::le_max_extended : apdu::CommandApdu::le_max_short);
  // One public source signed with it, with a key of 2048 bits; nobody is known to have done more.
  if (decrypts) {
    apdu.hide_answer();
    return assumed(
        std::move(apdu), "decrypt with a private RSA key",
        "assumed: signing [facts etoken §5.5] is the bare power, which decrypts as well");
  }
  if (block.size() == published_block)
    return published(std::move(apdu), "compute with a private RSA key", "[facts etoken §5.5]");
  return assumed(std::move(apdu), "compute with a private RSA key of another size than 2048 bits",
                 "assumed: by analogy with RSA-2048 [facts etoken §5.5]");
}

Command create(bool is_directory, std::uint16_t id, std::size_t size, const Rights& rights) {
  constexpr std::uint8_t directory_type = 0x01, elementary_type = 0x02;
  Bytes body;
  apdu::append_simple_tlv(body, 0x01, Bytes{is_directory ? directory_type : elementary_type});
  apdu::append_simple_tlv(body, 0x02, be(id));
  apdu::append_simple_tlv(body, 0x03, be(size));
  apdu::append_simple_tlv(body, 0x04, bytes_of(rights));
  auto apdu = applet(ins::create);
  apdu.data(std::move(body));
  return assumed(std::move(apdu), "create a file");
}

Command remove() {
  return assumed(applet(ins::remove), "delete a file");
}

Command generate(std::size_t bits) {
  Bytes body;
  apdu::append_simple_tlv(body, 0x03, be(bits));
  apdu::append_simple_tlv(body, static_cast<std::uint8_t>(KeyPart::exponent),
                          Bytes{0x01, 0x00, 0x01});
  auto apdu = applet(ins::generate, 0x00, rsa_key);
  apdu.data(std::move(body));
  return assumed(std::move(apdu), "generate a key pair");
}

Command import_part(KeyPart part, ByteView value, bool is_last) {
  SecretBytes body(2 + value.size());
  body.append({static_cast<std::uint8_t>(part), static_cast<std::uint8_t>(value.size())});
  body.append(value);
  auto apdu = applet(ins::import, is_last ? 0x01 : 0x00, rsa_key);
  apdu.secret(std::move(body));
  return assumed(std::move(apdu), "import a private key");
}

Command change_pin(Role role, ByteView salt, ByteView encrypted_key) {
  auto apdu = applet(ins::change_pin, 0x00, pin::reference(role));
  apdu.secret(new_pin(salt, encrypted_key));
  return assumed(std::move(apdu), "change a PIN");
}

Command set_user_pin(ByteView salt, ByteView encrypted_key) {
  auto apdu = applet(ins::set_pin, 0x00, pin::reference(Role::user));
  apdu.secret(new_pin(salt, encrypted_key));
  return assumed(std::move(apdu), "set or unblock the user PIN");
}

Command initialise(ByteView salt, ByteView encrypted_key, ByteView label) {
  auto apdu = applet(ins::initialise);
  apdu.secret(new_pin(salt, encrypted_key, label));
  auto command = assumed(std::move(apdu), "erase and set up the token");
  command.destroys = true;
  return command;
}

}  // namespace command
}  // namespace kilt::card::etoken
