// SPDX-License-Identifier: Apache-2.0
// The applet's own files, credentials, information, initialisation [facts etoken §5.2, §5.6-§5.8].
#include <algorithm>

#include "firmware-sim/profiles/etoken72k_commands.hpp"
#include "firmware-sim/profiles/etoken72k_crypto.hpp"

namespace kilt::sim::etoken72k {
namespace {

namespace sw = apdu::sw;

constexpr std::uint8_t max_tries = 10;  // assumed, for both roles

/// What is under way and must be finished after a power cut: kind u8, then the path in hex or the
/// objects of the initialisation.
constexpr const char* unfinished_cell = "etoken:unfinished";
enum class Unfinished : std::uint8_t { removal = 1, initialisation = 2 };

std::string tries_cell(Role role) {
  return role == Role::user ? "etoken:tries:user" : "etoken:tries:so";
}

constexpr auto open = Acl::free;
constexpr auto user = Acl::by_user;
constexpr auto so = Acl::by_so;
constexpr auto never = Acl::never;

// assumed, all of them: only that there is such an ACL is public.
constexpr Acl root_acl({never, never, never, never, never, never, never, open});
constexpr Acl file_system_acl({never, never, so, never, never, never, so, open});
constexpr Acl objects_acl({never, never, user, never, never, never, so, open});
constexpr Acl service_acl({open, never, never, never, never, never, never, never});
constexpr Acl label_acl({open, so, never, never, never, never, never, never});

constexpr std::uint16_t label_id = 0x0001;
constexpr std::uint16_t policy_id = 0x000A;
constexpr std::uint16_t so_salt_id = 0x000E;  // assumed
constexpr std::uint16_t user_salt_id = 0x000F;
/// As found on a real token; meaning unknown.
constexpr std::array<std::uint8_t, 9> policy{0x05, 0x01, 0x08, 0x00, 0x0A, 0x03, 0x00, 0x00, 0x57};

/// Of a card that was never initialised; assumed.
constexpr std::array<std::uint8_t, key_size> transport_key{};

void make_df(Applet& applet, const FilePath& at, const Acl& acl) {
  File df;
  df.path = at;
  df.type = FileType::df;
  df.security = acl.bytes();
  applet.files.create(df);
}

void make_ef(Applet& applet, std::uint16_t id, const Acl& acl, ByteView body) {
  File ef;
  ef.path = path::file_system().child(id);
  ef.security = acl.bytes();
  applet.files.store(ef, body);
}

Bytes label_file(ByteView text) {
  Bytes body;
  apdu::append_simple_tlv(body, tag::label, text);
  return body;
}

}  // namespace

namespace path {

FilePath root() {
  return FilePath().child(root_id);
}
FilePath file_system() {
  return root().child(0x5000);
}
FilePath objects() {
  return file_system().child(0x0220);
}
FilePath salt_of(Role role) {
  return file_system().child(role == Role::user ? user_salt_id : so_salt_id);
}
FilePath private_key_of(const FilePath& key_object) {
  constexpr std::uint16_t never_given = 0xFFFF;
  return key_object.child(never_given);
}

}  // namespace path

// ---- credentials

// The key is a property of the salt's file that no FCI shows: so both are one cell.
std::optional<Credential> Applet::credential(Role whose) const {
  if (whose == Role::nobody) return std::nullopt;
  const auto file = files.find(path::salt_of(whose));
  if (!file || file->property.size() != key_size) return std::nullopt;
  return Credential{copy_of(files.body(file->path)), SecretBytes::copy_of(file->property)};
}

apdu::StatusWord Applet::set_credential(Role whose, ByteView salt, ByteView key) {
  File file;
  file.path = path::salt_of(whose);
  file.security = service_acl.bytes();
  file.property = copy_of(key);
  return files.store(std::move(file), salt);
}

std::uint8_t Applet::tries_left(Role whose) const {
  const Bytes* cell = nvram_.read(tries_cell(whose));
  return cell == nullptr || cell->empty() ? max_tries : (*cell)[0];
}

void Applet::set_tries(Role whose, std::uint8_t left) {
  nvram_.write(tries_cell(whose), ByteView(&left, 1));
}

void Applet::reset_tries(Role whose) {
  set_tries(whose, max_tries);
}

// ---- what takes several writes

void Applet::remove(const File& file) {
  Bytes unfinished{static_cast<std::uint8_t>(Unfinished::removal)};
  append(unfinished, as_bytes(file.path.text()));
  nvram_.write(unfinished_cell, unfinished);
  finish_what_was_cut();
}

void Applet::lay_anew(ByteView salt, ByteView key, ByteView label) {
  Bytes unfinished{static_cast<std::uint8_t>(Unfinished::initialisation)};
  apdu::append_simple_tlv(unfinished, tag::salt, salt);
  apdu::append_simple_tlv(unfinished, tag::payload, key);
  apdu::append_simple_tlv(unfinished, tag::label, label);
  nvram_.write(unfinished_cell, unfinished);
  wipe(unfinished);
  finish_what_was_cut();
}

void Applet::finish_what_was_cut() {
  const Bytes* cell = nvram_.read(unfinished_cell);
  if (cell == nullptr || cell->empty()) return;
  Bytes unfinished = *cell;
  ByteView rest = ByteView(unfinished).subspan(1);
  if (static_cast<Unfinished>(unfinished[0]) == Unfinished::removal) {
    FilePath doomed;
    const Bytes ids = from_hex(as_text(rest)).value_or(Bytes{});
    for (std::size_t at = 0; at + 1 < ids.size(); at += 2)
      doomed = doomed.child(be16(ids[at], ids[at + 1]));
    if (!doomed.empty()) files.remove(doomed);
  } else {
    const auto salt = take(rest, tag::salt);
    const auto key = take(rest, tag::payload);
    const auto label = take(rest, tag::label);
    if (salt && key && label) lay(*salt, *key, *label);
  }
  wipe(unfinished);
  nvram_.erase(unfinished_cell);
}

// Can be cut anywhere and begun again.
void Applet::lay(ByteView salt, ByteView key, ByteView label) {
  files.remove(path::file_system());
  reset_tries(Role::user);
  reset_tries(Role::so);
  make_df(*this, path::file_system(), file_system_acl);
  make_ef(*this, label_id, label_acl, label_file(label));
  make_ef(*this, policy_id, service_acl, policy);
  make_df(*this, path::objects(), objects_acl);
  set_credential(Role::so, salt, key);
}

// The NCA's guides tell owners the user PIN 1234567890 [facts etoken §1.3]. Nobody public knows an
// SO PIN (normally none is set): 00000000 is assumed. So are label, sizes and zeros of the service
// files, but for the size of 0002, which a trace shows [facts etoken §5.3].
void Applet::personalise(bool blank) {
  make_df(*this, path::root(), root_acl);
  if (blank) return;
  const Bytes so_salt = random_->bytes(salt_size);
  const Bytes user_salt = random_->bytes(salt_size);
  lay(so_salt, derive_key("00000000", so_salt).view(), as_bytes("eToken"));
  set_credential(Role::user, user_salt, derive_key("1234567890", user_salt).view());
  make_ef(*this, 0x0002, service_acl, Bytes(0x0570));
  make_ef(*this, 0x0003, service_acl, Bytes(16));
  make_ef(*this, 0x0006, service_acl, Bytes(16));
}

// ---- commands

// Sixteen bytes whose meaning is unknown; hardware 4.30 and firmware 1.01 in front are assumed from
// what the vendor's module reports [facts etoken §5.8].
Reply get_information(Applet&, const Command& command) {
  if (command.p1_p2() != 0) return sw::wrong_p1_p2;
  if (!command.data.empty() || !command.ne) return sw::wrong_length;
  Bytes information{0x04, 0x1E, 0x01, 0x01};
  information.resize(16);
  Bytes answer;
  apdu::append_simple_tlv(answer, tag::payload, information);
  return answer;
}

// Only the serial number; CPLC belongs to the card manager [facts etoken §5.2]. Of the template
// only the inside is public, its tag is assumed. Four bytes, unless a longer serial was ordered.
Reply get_data(Applet& applet, const Command& command) {
  constexpr std::uint16_t serial_number = 0x0107;
  constexpr std::uint32_t template_tag = 0xE1;
  if (command.p1_p2() != serial_number) return sw::reference_not_found;
  if (!command.data.empty() || !command.ne) return sw::wrong_length;
  std::string digits = applet.configuration.serial;
  if (digits.size() % 2 != 0) digits.insert(0, 1, '0');
  apdu::BerWriter inner;
  inner.put(0x01, from_hex(digits).value_or(Bytes(4)));
  return apdu::BerWriter().put(template_tag, inner).bytes();
}

// assumed: `0F 14 <salt> 10 18 <wrapped key> 21 <label>` of the new SO, the key wrapped under the
// present one (a blank card: the transport key, and no login), the IV a challenge. The user PIN is
// set afterwards, by the SO.
Reply initialise(Applet& applet, const Command& command) {
  if (command.p1_p2() != 0) return sw::wrong_p1_p2;
  ByteView rest = command.data;
  const auto salt = take(rest, tag::salt, salt_size);
  const auto wrapped = take(rest, tag::payload, key_size);
  const auto label = take(rest, tag::label);
  if (!salt || !wrapped || !label || label->size() > longest_label || !rest.empty()) {
    return sw::wrong_data;
  }
  const auto present = applet.find(path::file_system());
  if (present && !applet.allowed(*present, Access::administer)) {
    return sw::security_status_not_satisfied;
  }
  const Bytes iv = std::exchange(applet.challenge, {});
  if (iv.empty()) return sw::conditions_not_satisfied;
  const auto own = applet.credential(Role::so);
  const SecretBytes key = unwrap_key(*wrapped, own ? own->key.view() : ByteView(transport_key), iv);
  applet.current_df = path::root();
  applet.current_ef.reset();
  applet.role = Role::nobody;
  applet.lay_anew(*salt, key.view(), *label);
  return sw::ok;
}

}  // namespace kilt::sim::etoken72k
