// SPDX-License-Identifier: Apache-2.0
#include "drivers/kzid.hpp"

#include "apdu/tlv.hpp"
#include "drivers/kzid_card.hpp"
#include "drivers/registry.hpp"

namespace kilt::card {
namespace kzid {

const CardModel& model() {
  static const CardModel& sheet = *[] {
    auto* made = new CardModel;
    made->name = "KZ ID CARD";
    made->store_name = "AKKZIDCardStore";
    // No factory PINs: the service centre sets the PIN with its owner present.
    Capability rsa;
    rsa.type = KeyType::rsa;
    rsa.min_bits = rsa.max_bits = rsa.bits_step = key::bits;
    rsa.generate = true;
    rsa.sign = {Scheme::rsa_pkcs1};
    made->capabilities = {rsa};
    made->has_data_objects = false;
    made->can_initialise = false;
    return made;
  }();
  return sheet;
}

// ---- generations [facts kzid B1] -------------------------------------------------------------

namespace {

struct Generation {
  AtrPattern pattern;
  Evidence evidence;
};

const std::vector<Generation>& generations() {
  const auto exactly = [](const char* atr, const char* device, Evidence evidence) {
    return Generation{{from_hex(atr).value(), {}, device}, evidence};
  };
  static const auto& all = *new std::vector<Generation>{
      exactly("3B 3E 95 00 53 4F 4D 41 2D 63 30 30 37 2D 44 53 31 61",
              "Kazakh ID card (SOMA-c007-DS1a)", Evidence::observed),
      exactly("3B 3E 95 00 53 4F 4D 41 2D 63 30 30 37 2D 44 53 31 62",
              "Kazakh ID card (SOMA-c007-DS1b)", Evidence::observed),
      exactly("3B 39 19 00 53 4F 4D 41 44 53 33 30 31", "Kazakh ID card (SOMADS301)",
              Evidence::related),
      exactly("3B 39 19 00 53 4F 4D 41 44 53 33 30 33", "Kazakh ID card (SOMADS303)",
              Evidence::related),
      exactly("3B 77 18 00 00 4B 41 53 41 4B 49 44",
              "Kazakh ID card of 2009, whose commands are not known", Evidence::assumed),
      exactly("3B FA 18 00 FF 80 31 FE 45 00 31 80 73 94 41 00 00 90 00 90",
              "Kazakh ID card of 2022, whose commands are not known", Evidence::assumed),
      // ISO 14443 type B: the four bytes of the PUPI differ at every touch, and with them the last.
      {{from_hex("3B 8C 80 01 50 00 00 00 00 E1 F3 5E 11 33 81 C7 00").value(),
        from_hex("FF FF FF FF FF 00 00 00 00 FF FF FF FF FF FF FF 00").value(),
        "Kazakh ID card without contact, whose commands are not known"},
       Evidence::assumed},
  };
  return all;
}

}  // namespace

Evidence evidence_of(ByteView atr) {
  for (const auto& generation : generations()) {
    if (generation.pattern.matches(atr)) return generation.evidence;
  }
  return Evidence::assumed;
}

std::string label_of(ByteView atr) {
  return model().name + (evidence_of(atr) == Evidence::assumed ? " (commands unproven)" : "");
}

// ---- files -----------------------------------------------------------------------------------

std::uint16_t directory_id(pkcs15::Kind kind) {
  switch (kind) {
    case pkcs15::Kind::private_keys:
      return 0x4402;
    case pkcs15::Kind::public_keys:
      return 0x4403;
    case pkcs15::Kind::certificates:
      return 0x4404;
    case pkcs15::Kind::data:
      return 0x4405;
    case pkcs15::Kind::authentication:
      return 0x4401;
  }
  return 0;
}

Bytes path_bytes(std::optional<std::uint16_t> id) {
  Bytes bytes;
  append_be16(bytes, file::master);
  append_be16(bytes, file::application);
  if (id) append_be16(bytes, *id);
  return bytes;
}

std::optional<std::uint16_t> parse_path(ByteView bytes) {
  const Bytes here = path_bytes();
  if (bytes.size() == here.size() + 2 && equal(bytes.first(here.size()), here)) {
    bytes = bytes.subspan(here.size());
  }
  if (bytes.size() != 2) return std::nullopt;
  const auto id = be16(bytes[0], bytes[1]);
  if (id == file::master || id == 0) return std::nullopt;
  return id;
}

// ---- PINs ------------------------------------------------------------------------------------

SecretBytes pin::padded(const SecretBytes& pin) {
  SecretBytes whole(std::max(field, pin.size()));
  whole.append(pin.view());
  while (whole.size() < field)
    whole.append({'0'});
  return whole;
}

// ---- commands --------------------------------------------------------------------------------

namespace command {
namespace {

using apdu::CommandApdu;

constexpr const char* protocol = "[facts kzid B2]";

Command observed(CommandApdu apdu, const char* operation) {
  return {std::move(apdu), Evidence::observed, operation, protocol};
}

Command assumed(CommandApdu apdu, const char* operation, const char* source) {
  return {std::move(apdu), Evidence::assumed, operation, source};
}

Bytes id_bytes(std::uint16_t id) {
  Bytes bytes;
  append_be16(bytes, id);
  return bytes;
}

/// INTERNAL AUTHENTICATE with the algorithm that P1 names [facts kzid B2].
constexpr std::uint8_t rsa_pkcs1 = 0x02;
constexpr std::uint8_t delete_data_ins = 0xEE;  ///< [7816-9]
constexpr std::uint8_t current_df_high = 0x3F, current_df_low = 0xFF;

}  // namespace

Command select_master() {
  return observed(
      apdu::select(apdu::SelectMode::by_id, id_bytes(file::master), apdu::SelectAnswer::none),
      "select a directory");
}

Command select_application() {
  return observed(
      apdu::select(apdu::SelectMode::by_id, id_bytes(file::application), apdu::SelectAnswer::none),
      "select a directory");
}

Command select_file(std::uint16_t id) {
  return assumed(apdu::select(apdu::SelectMode::child_ef, id_bytes(id), apdu::SelectAnswer::none),
                 "select a file", "[7816-4 §11.2.2]");
}

Command select_file_control(std::uint16_t id) {
  return assumed(apdu::select(apdu::SelectMode::child_ef, id_bytes(id), apdu::SelectAnswer::fcp),
                 "select a file", "[7816-4 §11.2.2]");
}

Command read(std::size_t offset, std::size_t count) {
  return assumed(apdu::read_binary(offset, count), "read a file", "[7816-4 §11.3.3]");
}

Command update(std::size_t offset, ByteView data) {
  return assumed(apdu::update_binary(offset, data), "write a file", "[7816-4 §11.3.5]");
}

Command create(std::uint16_t id, std::size_t size) {
  Bytes length;
  append_be16(length, size);
  apdu::BerWriter inside;
  inside.put(apdu::tag::file_size, length);
  inside.put(apdu::tag::file_descriptor, {0x01});  // working EF, transparent [7816-4 table 14]
  inside.put(apdu::tag::file_identifier, id_bytes(id));
  apdu::BerWriter control;
  control.put(apdu::tag::fcp_template, inside);
  return assumed(apdu::create_file(control.bytes()), "create a file", "[7816-9 §9.2]");
}

Command remove(std::uint16_t id) {
  return assumed(apdu::delete_file(id), "delete a file", "[7816-9 §9.4]");
}

// Where EF.GDO stands is the standard's word; that this card has it is assumed.
constexpr const char* global_data = "[7816-4 §12.2.1 EF.GDO; facts kzid B3]";

Command select_serial() {
  return assumed(
      apdu::select(apdu::SelectMode::child_ef, id_bytes(file::serial), apdu::SelectAnswer::none),
      "read the serial number", global_data);
}

Command read_serial() {
  return assumed(apdu::read_binary(0, CommandApdu::le_max_short), "read the serial number",
                 global_data);
}

Command verify(Role role, const SecretBytes& pin) {
  auto apdu = apdu::verify(pin::reference(role), pin::padded(pin));
  if (role == Role::user) return observed(std::move(apdu), "log in");
  return assumed(std::move(apdu), "log in as security officer", "[7816-4 §11.6.6]");
}

Command verify_from_pad(Role role) {
  auto command = verify(role, SecretBytes());
  const std::size_t least = role == Role::user ? pin::user_min : pin::field;
  command.from_pad = apdu::PinEntry{least, pin::field, false};
  return command;
}

Command verify_status(Role role) {
  return assumed(apdu::verify_status(pin::reference(role)), "ask for the PIN's state",
                 "[7816-4 §11.6.6; facts kzid B3]");
}

Command change_pin(Role role, const SecretBytes& old_pin, const SecretBytes& new_pin) {
  SecretBytes both(2 * pin::field);
  both.append(pin::padded(old_pin).view());
  both.append(pin::padded(new_pin).view());
  return assumed(apdu::change_reference_data(0x00, pin::reference(role), std::move(both)),
                 "change the PIN", "[7816-4 §11.6.7; facts kzid B3]");
}

Command reset_counter(const SecretBytes& new_pin) {
  // RESET RETRY COUNTER with the new value alone (P1 02), under the officer's login.
  CommandApdu apdu(apdu::cla::interindustry, apdu::ins::reset_retry_counter, 0x02, pin::user);
  apdu.secret(pin::padded(new_pin));
  return assumed(std::move(apdu), "unblock the PIN", "[7816-4 §11.6.9; facts kzid B3]");
}

Command generate(std::uint8_t number) {
  CommandApdu apdu(apdu::cla::interindustry, apdu::ins::generate_asymmetric_key_pair, 0x02, 0x00);
  apdu.data({0xA4, 0x03, 0x84, 0x01, key::reference(number)});
  // The Le was seen, an answer never.
  apdu.expect(CommandApdu::le_max_short);
  auto made = observed(std::move(apdu), "generate a key pair");
  made.destroys = true;  // what the object held
  return made;
}

Command generate_unsurely(std::uint8_t number) {
  auto made = generate(number);
  made.evidence = Evidence::assumed;
  made.operation = "generate a key pair where the card neither shows a key nor denies one";
  made.source = "[facts kzid B5]";
  return made;
}

namespace {

/// A public key's object of the current DF [facts kzid B2]: FF, then class 20 | local 80, number.
CommandApdu with_object(std::uint8_t ins, std::uint8_t number,
                        std::initializer_list<std::uint8_t> elements) {
  Bytes list{0xFF, 0xA0, number};
  append(list, elements);
  apdu::BerWriter header;
  header.put(0x4D, list);
  CommandApdu apdu(apdu::cla::interindustry, ins, current_df_high, current_df_low);
  apdu.data(header.bytes());
  return apdu;
}

}  // namespace

Command read_public_key(std::uint8_t number) {
  // Of the template 7F49 the modulus. Quirk: case 3, although data is wanted; 61xx announces it.
  return observed(
      with_object(apdu::ins::get_data_odd, number, {0x05, 0x7F, 0x49, 0x02, 0x81, 0x00}),
      "read a public key");
}

Command free_object(std::uint8_t number) {
  auto made = assumed(with_object(delete_data_ins, number, {}), "delete a key", "[7816-9]");
  made.destroys = true;
  return made;
}

Command set_environment(std::uint8_t number) {
  // Internal authentication, key, RSA with PKCS #1 padding.
  return observed(apdu::mse_set(apdu::ControlTemplate::authentication,
                                Bytes{0x95, 0x01, 0x40, 0x84, 0x01, key::reference(number), 0x80,
                                      0x01, rsa_pkcs1}),
                  "choose the key");
}

Command sign(ByteView input) {
  CommandApdu apdu(apdu::cla::interindustry, apdu::ins::internal_authenticate, rsa_pkcs1, 0x00);
  apdu.data(copy_of(input));  // case 3, as seen; 61xx announces the signature
  return observed(std::move(apdu), "sign");
}

Command random() {
  return assumed(apdu::get_challenge(random_step), "get random bytes",
                 "[7816-4 §11.6.3; facts kzid B3]");
}

}  // namespace command

// ---- the driver ------------------------------------------------------------------------------

namespace {

std::vector<AtrPattern> atrs() {
  std::vector<AtrPattern> list;
  for (const auto& generation : generations())
    list.push_back(generation.pattern);
  return list;
}

std::unique_ptr<Card> make(std::unique_ptr<Link> link) {
  return std::make_unique<KzidCard>(std::move(link), SideFiles::of_this_user());
}

std::vector<Command> commands() {
  const SecretBytes none(0);
  std::vector<Command> all;
  all.push_back(command::select_serial());
  all.push_back(command::select_application());
  all.push_back(command::verify_status(Role::user));
  all.push_back(command::verify(Role::user, none));
  all.push_back(command::generate(key::first));
  all.push_back(command::generate_unsurely(key::first));
  all.push_back(command::read_public_key(key::first));
  all.push_back(command::set_environment(key::first));
  all.push_back(command::sign({}));
  all.push_back(command::free_object(key::first));
  all.push_back(command::select_file(file::odf));
  all.push_back(command::read(0, 1));
  all.push_back(command::update(0, {}));
  all.push_back(command::create(file::certificate, 1));
  all.push_back(command::remove(file::certificate));
  all.push_back(command::change_pin(Role::user, none, none));
  all.push_back(command::verify(Role::security_officer, none));
  all.push_back(command::reset_counter(none));
  all.push_back(command::random());
  return all;
}

}  // namespace
}  // namespace kzid

extern const Driver kzid_driver;
const Driver kzid_driver{"kzid", kzid::model, kzid::atrs, nullptr, kzid::make, kzid::commands};

}  // namespace kilt::card
