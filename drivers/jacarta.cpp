// SPDX-License-Identifier: Apache-2.0
#include "drivers/jacarta.hpp"

#include "apdu/tlv.hpp"
#include "drivers/etoken72k.hpp"
#include "drivers/jacarta_card.hpp"
#include "drivers/registry.hpp"

namespace kilt::card {

extern const Driver etoken72k_driver;

namespace jacarta {

const CardModel& model() {
  static const auto& sheet = *new CardModel([] {
    CardModel made;
    made.name = "JACARTA";
    made.store_name = "AKJaCartaStore";
    // As the NCA's guides tell owners; Aladdin ships 11111111 and 00000000.
    made.factory = {"1234567890", "00000000"};
    Capability rsa;
    rsa.type = KeyType::rsa;
    rsa.sizes = {1024, 2048, 4096};
    rsa.min_bits = rsa.sizes.front();
    rsa.max_bits = rsa.sizes.back();
    rsa.generate = rsa.import = true;
    rsa.sign = rsa.decrypt = {Scheme::rsa_raw, Scheme::rsa_pkcs1};
    made.capabilities = {rsa};
    return made;
  }());
  return sheet;
}

const char* name_of(Applet applet) {
  switch (applet) {
    case Applet::laser:
      return "JaCarta PKI (LASER)";
    case Applet::pro:
      return "JaCarta PRO (eToken PRO Java)";
    case Applet::gost:
      return "JaCarta GOST (Cryptotoken)";
    case Applet::data_store:
      return "JaCarta LT (DataStore)";
  }
  return "";
}

FilePath private_key_object(std::uint16_t index) {
  return {0x3000, 0x3002, static_cast<std::uint16_t>(0x0040 | (index + 1))};
}
FilePath public_key_object(std::uint16_t index) {
  return {0x3000, 0x3001, static_cast<std::uint16_t>(0x0080 | (index + 1))};
}

Status check_subject(ByteView subject) {
  constexpr std::size_t longest = 2048;
  if (subject.size() > longest) {
    return Error{ErrorKind::bad_argument, "a subject may have 2048 bytes at most"};
  }
  return {};
}

// ---- files made ------------------------------------------------------------------------------

namespace {

Bytes two(std::size_t value) {
  Bytes bytes;
  append_be16(bytes, value);
  return bytes;
}

Bytes bytes_of(const char* hex) {
  return from_hex(hex).value();
}

}  // namespace

SecretBytes file_template(const NewFile& file) {
  apdu::BerWriter inside;
  inside.put(apdu::tag::life_cycle, {0x04});
  inside.put(apdu::tag::file_identifier, two(file.id));
  inside.put(apdu::tag::file_size, two(file.size));
  if (!file.name.empty()) inside.put(apdu::tag::df_name, as_bytes(file.name));
  if (!file.properties.empty()) inside.put(apdu::tag::proprietary, file.properties);
  inside.put(apdu::tag::security_attribute_proprietary, file.rules);
  inside.raw(file.content);
  const std::size_t pin_size = file.pin.empty() ? 0 : 2 + file.pin.size();
  const std::size_t size = inside.bytes().size() + pin_size;
  SecretBytes whole(size + 5);
  whole.append({static_cast<std::uint8_t>(apdu::tag::fcp_template)});
  if (size > 0xFF) {
    whole.append({0x82, static_cast<std::uint8_t>(size >> 8)});
  } else if (size > 0x7F) {
    whole.append({0x81});
  }
  whole.append({static_cast<std::uint8_t>(size)});
  whole.append(inside.bytes());
  if (!file.pin.empty()) {
    whole.append({0x81, static_cast<std::uint8_t>(file.pin.size())});
    whole.append(file.pin.view());
  }
  return whole;
}

Bytes rules::private_key() {
  return bytes_of("0000 0020 00FF 0020 0020 0020 0020");
}
Bytes rules::public_key() {
  return bytes_of("0000 00FF 00FF 0000 0000 0000 0000");
}
Bytes rules::attributes() {
  return bytes_of("0000 0020 00FF 0020");
}
Bytes rules::open_data() {
  return bytes_of("0000 0000 00FF 0000");
}
Bytes rules::hidden_data() {
  return bytes_of("0020 0020 0020 0020");
}
Bytes rules::container_map() {
  return bytes_of("0000 0020 0020 0020");
}
Bytes rules::officer_pin() {
  return bytes_of("00FF 0010 00FF 0010 00FF 00FF 0000");
}
Bytes rules::user_pin() {
  return bytes_of("00FF 0030 00FF 0010 00FF 0010 0000");
}

Bytes rsa_properties() {
  return {0x05, 0x0C, 0x20, 0x00, 0xA3};
}

Bytes stored_pin_properties() {
  return bytes_of("C0010000 AA 04 10 00 00 00 00 00 10 10");
}

// ---- identification [facts jacarta A1, A2] ---------------------------------------------------

namespace {

AtrPattern exactly(const char* atr, const char* device) {
  return {from_hex(atr).value(), {}, device};
}
AtrPattern masked(const char* atr, const char* mask, const char* device) {
  return {from_hex(atr).value(), from_hex(mask).value(), device};
}

/// The DataStore's own ATR.
constexpr const char* lt_atr = "3B DC 18 FF 81 11 FE 80 73 C8 21 13 66 01 06 01 30 80 01 8D";

std::vector<AtrPattern> atrs() {
  std::vector<AtrPattern> list{
      exactly("3B DC 18 FF 81 91 FE 1F C3 80 73 C8 21 13 66 01 06 11 59 00 01 28", "JaCarta"),
      exactly("3B DC 18 FF 81 91 FE 1F C3 80 73 C8 21 13 66 01 0B 03 52 00 05 38", "JaCarta"),
      exactly("3B 8C 80 01 80 73 C8 21 13 66 01 06 11 59 00 01 2C", "JaCarta PKI/BIO"),
      exactly("3B 6C 00 FF 80 73 C8 21 13 66 01 06 11 59 00 01", "JaCarta PKI/BIO"),
      exactly("3B 9F 11 81 11 3D 00 11 00 00 00 00 00 00 00 00 00 00 00 00 00 32", "JaCarta-2 PKI"),
      masked("3B FC 16 00 00 00 73 C8 21 13 66 01 06 11 59 00 01 2C",
             "FF FF FF 00 00 00 FF FF FF FF FF 0F 0F FF FF 00 0F FF", "JaCarta-2 PKI"),
      exactly("3B FC 13 00 FF 81 31 FE 45 80 73 C8 21 13 66 01 06 11 59 00 01 3A", "JaCarta"),
      exactly(lt_atr, "JaCarta LT"),
      exactly("3B DC 18 FF 81 91 FE 1F C3 80 73 C8 21 13 66 01 06 01 30 04 01 55",
              "IDProtect Key (relative)"),
      // What the maker's driver takes for its own.
      masked("3B DC 18 FF 81 91 FE 1F C3 80 73 C8 21 13 66 01 00 00 50 00 00 08",
             "FF FF FF FF FF FF FF FF FF FF FF FF FF FF FF FF F0 00 F0 FF F0 0F", "JaCarta"),
      masked("3B DC 00 FF 80 91 FE 1F C3 80 73 C8 21 10 66 00 00 00 00 00 00 00",
             "FF FF 00 FF F0 FF FF FF FF FF FF FF FF F0 FF 00 00 00 00 00 00 00",
             "IDProtect X (relative)"),
      masked("3B D5 00 FF 80 91 FE 1F C3 80 73 C8 21 10 00",
             "FF FF 00 FF F0 FF FF FF FF FF FF FF FF F0 00", "IDProtect (relative)"),
      exactly("3B 9A 00 81 31 FE 45 54 69 63 54 6F 6B 20 31 2E 30 00", "TicTok (relative)"),
      masked("3B DA 00 FF 80 B1 FE 00 1F C3 54 69 63 54 6F 6B 20 30 2E 00 00",
             "FF FF 00 FF F0 FF FF 00 FF FF FF FF FF FF FF FF FF FC FF 00 00", "TicTok (relative)"),
  };
  return list;
}

enum class Answered { nothing, itself, something_else };

/// Selects an applet by its name, and says whether it is the one.
Result<Answered> selects(Link& link, Applet applet) {
  if (applet == Applet::pro) {
    auto selected = select_etoken_applet(link);
    if (selected) return Answered::itself;
    if (selected.error().kind != ErrorKind::unknown_card) return selected.take_error();
    const bool is_other = apdu::StatusWord{selected.error().sw}.ok();
    return is_other ? Answered::something_else : Answered::nothing;
  }
  const auto answer = link.send(command::select_applet(applet));
  if (!answer) return answer.error().within("looking for an applet");
  if (!answer->ok()) return Answered::nothing;
  // Quirk: LASER answers a template or nothing at all; anything else is another applet
  // [facts jacarta A16 #1].
  const bool is_laser = answer->data.empty() || answer->data[0] == 0x62 || answer->data[0] == 0x6F;
  return applet != Applet::laser || is_laser ? Answered::itself : Answered::something_else;
}

Application application(Applet applet) {
  return {name_of(applet), applet == Applet::laser || applet == Applet::pro};
}

Result<std::vector<Application>> applications(Link& link, LookFor what) {
  const bool is_lt = equal(link.transport().atr(), from_hex(lt_atr).value());
  // What the ATR speaks for comes first; a card that has none of the two is left after two
  // commands.
  const Applet likely = is_lt ? Applet::data_store : Applet::laser;
  const Applet other = is_lt ? Applet::laser : Applet::pro;
  std::vector<Application> found;
  for (const auto applet : {likely, other}) {
    auto there = selects(link, applet);
    if (!there) return there.take_error();
    if (*there != Answered::itself) continue;
    found.push_back(application(applet));
    if (applet == likely && !is_lt) break;
  }
  if (found.empty()) {
    return Error{ErrorKind::unknown_card,
                 "neither the LASER applet nor another one that kilt looks for first"};
  }
  if (is_lt || found.front().name != name_of(Applet::laser)) return found;
  bool is_selected = true;
  for (const auto applet : {Applet::pro, Applet::gost, Applet::data_store}) {
    if (applet != Applet::pro && what == LookFor::tokens) break;
    auto there = selects(link, applet);
    if (!there) return there.take_error();
    if (*there == Answered::itself) found.push_back(application(applet));
    // A SELECT that failed leaves what is selected.
    if (*there != Answered::nothing) is_selected = false;
  }
  if (!is_selected && found.size() == 1) {
    if (auto back = selects(link, Applet::laser); !back) return back.take_error();
  }
  return found;
}

Status select_application(Link& link, const std::vector<Application>& all, std::size_t which) {
  // The one that is there is selected.
  if (all.size() == 1) return {};
  const bool is_laser = all[which].name == name_of(Applet::laser);
  auto selected = selects(link, is_laser ? Applet::laser : Applet::pro);
  if (!selected) return selected.take_error();
  if (*selected != Answered::itself) {
    return Error{ErrorKind::protocol, "an applet is gone all at once"};
  }
  return {};
}

/// The same applet as eToken PRO 72K has, in a device that owners know by another name.
const CardModel& pro_model() {
  static const auto& sheet = *new CardModel([] {
    CardModel made = etoken72k_driver.model();
    made.name = model().name;
    made.store_name = model().store_name;
    return made;
  }());
  return sheet;
}

std::unique_ptr<Card> make_application(std::unique_ptr<Link> link, const Application& which) {
  if (which.name == name_of(Applet::laser)) return std::make_unique<JacartaCard>(std::move(link));
  return make_etoken_card(std::move(link), pro_model());
}

std::unique_ptr<Card> make(std::unique_ptr<Link> link) {
  return std::make_unique<JacartaCard>(std::move(link));
}

std::vector<Command> commands() {
  std::vector<Command> all;
  all.push_back(command::select_applet(Applet::laser));
  all.push_back(command::serial());
  all.push_back(command::select({}));
  all.push_back(command::list_files(FileType::ef));
  all.push_back(command::read_binary(0, 1));
  all.push_back(command::update_binary(0, {}));
  all.push_back(command::create({}));
  all.push_back(command::remove(false));
  all.push_back(command::challenge(1));
  all.push_back(command::verify_secure({}));
  all.push_back(command::verify(SecretBytes(0)));
  all.push_back(command::logout());
  all.push_back(command::dh_parameters());
  all.push_back(command::open_channel({}));
  all.push_back(command::update_pin(SecretBytes(0)));
  all.push_back(command::close_channel());
  all.push_back(command::reset_counter());
  all.push_back(command::generate_rsa(2048));
  all.push_back(command::import_rsa(SecretBytes(0)));
  all.push_back(command::sign({}));
  all.push_back(command::raw({}));
  all.push_back(command::decipher({}));
  all.push_back(command::erase(true));
  return all;
}

}  // namespace
}  // namespace jacarta

extern const Driver jacarta_driver;
const Driver jacarta_driver{"jacarta",
                            jacarta::model,
                            jacarta::atrs,
                            nullptr,
                            jacarta::make,
                            jacarta::commands,
                            jacarta::applications,
                            jacarta::select_application,
                            jacarta::make_application};

}  // namespace kilt::card
