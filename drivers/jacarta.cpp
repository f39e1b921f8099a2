// SPDX-License-Identifier: Apache-2.0
#include "drivers/jacarta.hpp"

#include <initializer_list>
#include <optional>

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
    made.factory = {"1234567890", "00000000", "11111111"};
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
FilePath signature_key_object(std::uint16_t index) {
  return {0x3000, 0x3002, static_cast<std::uint16_t>(0x0060 | (index + 1))};
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

/// Whose cards have an ATR.
enum class Owner {
  jacarta,
  shared,   ///< JaCarta, and products of other makers
  relative  ///< other products with the LASER applet
};

struct KnownAtr {
  AtrPattern pattern;
  Owner owner;
};

KnownAtr exactly(const char* atr, const char* device, Owner owner) {
  return {{from_hex(atr).value(), {}, device}, owner};
}
KnownAtr masked(const char* atr, const char* mask, const char* device, Owner owner) {
  return {{from_hex(atr).value(), from_hex(mask).value(), device}, owner};
}

/// The DataStore's own ATR.
constexpr const char* lt_atr = "3B DC 18 FF 81 11 FE 80 73 C8 21 13 66 01 06 01 30 80 01 8D";

/// The first that fits counts.
const std::vector<KnownAtr>& known_atrs() {
  static const auto& all = *new std::vector<KnownAtr>{
      exactly("3B DC 18 FF 81 91 FE 1F C3 80 73 C8 21 13 66 01 06 11 59 00 01 28", "JaCarta",
              Owner::jacarta),
      // IAS/ECC "Amos" and IDProtect logon cards have it too.
      exactly("3B DC 18 FF 81 91 FE 1F C3 80 73 C8 21 13 66 01 0B 03 52 00 05 38", "JaCarta",
              Owner::shared),
      exactly("3B 8C 80 01 80 73 C8 21 13 66 01 06 11 59 00 01 2C", "JaCarta PKI/BIO",
              Owner::jacarta),
      // Payment cards have it too.
      exactly("3B 6C 00 FF 80 73 C8 21 13 66 01 06 11 59 00 01", "JaCarta PKI/BIO", Owner::shared),
      exactly("3B 9F 11 81 11 3D 00 11 00 00 00 00 00 00 00 00 00 00 00 00 00 32", "JaCarta-2 PKI",
              Owner::jacarta),
      masked("3B FC 16 00 00 00 73 C8 21 13 66 01 06 11 59 00 01 2C",
             "FF FF FF 00 00 00 FF FF FF FF FF 0F 0F FF FF 00 0F FF", "JaCarta-2 PKI",
             Owner::jacarta),
      exactly("3B FC 13 00 FF 81 31 FE 45 80 73 C8 21 13 66 01 06 11 59 00 01 3A", "JaCarta",
              Owner::jacarta),
      exactly(lt_atr, "JaCarta LT", Owner::jacarta),
      exactly("3B DC 18 FF 81 91 FE 1F C3 80 73 C8 21 13 66 01 06 01 30 04 01 55",
              "IDProtect Key (relative)", Owner::relative),
      // What the maker's driver takes for its own; the shared one above is among it.
      masked("3B DC 18 FF 81 91 FE 1F C3 80 73 C8 21 13 66 01 00 00 50 00 00 08",
             "FF FF FF FF FF FF FF FF FF FF FF FF FF FF FF FF F0 00 F0 FF F0 0F", "JaCarta",
             Owner::shared),
      masked("3B DC 00 FF 80 91 FE 1F C3 80 73 C8 21 10 66 00 00 00 00 00 00 00",
             "FF FF 00 FF F0 FF FF FF FF FF FF FF FF F0 FF 00 00 00 00 00 00 00",
             "IDProtect X (relative)", Owner::relative),
      masked("3B D5 00 FF 80 91 FE 1F C3 80 73 C8 21 10 00",
             "FF FF 00 FF F0 FF FF FF FF FF FF FF FF F0 00", "IDProtect (relative)",
             Owner::relative),
      exactly("3B 9A 00 81 31 FE 45 54 69 63 54 6F 6B 20 31 2E 30 00", "TicTok (relative)",
              Owner::relative),
      masked("3B DA 00 FF 80 B1 FE 00 1F C3 54 69 63 54 6F 6B 20 30 2E 00 00",
             "FF FF 00 FF F0 FF FF 00 FF FF FF FF FF FF FF FF FF FC FF 00 00", "TicTok (relative)",
             Owner::relative),
  };
  return all;
}

Owner owner_of(ByteView atr) {
  for (const auto& known : known_atrs()) {
    if (known.pattern.matches(atr)) return known.owner;
  }
  return Owner::relative;
}

std::vector<AtrPattern> atrs() {
  std::vector<AtrPattern> list;
  for (const auto& known : known_atrs())
    list.push_back(known.pattern);
  return list;
}

}  // namespace

Evidence evidence_of(ByteView atr) {
  return owner_of(atr) == Owner::jacarta ? Evidence::published : Evidence::related;
}

namespace {

enum class Answered { nothing, itself, something_else, oddly };

/// Selects an applet by its name, and says whether it is the one.
Result<Answered> selects(Link& link, Applet applet) {
  if (applet == Applet::pro) {
    auto selected = select_etoken_applet(link);
    if (selected) return Answered::itself;
    const bool is_odd = selected.error().kind == ErrorKind::protocol &&
                        is_no_answer(apdu::StatusWord{selected.error().sw});
    if (is_odd && selected.error().sw != 0) return Answered::oddly;
    if (selected.error().kind != ErrorKind::unknown_card) return selected.take_error();
    const bool is_other = apdu::StatusWord{selected.error().sw}.ok();
    return is_other ? Answered::something_else : Answered::nothing;
  }
  const auto answer = link.send(command::select_applet(applet));
  if (!answer) return answer.error().within("looking for an applet");
  if (is_no_answer(answer->status)) return Answered::oddly;
  if (!answer->ok()) return Answered::nothing;
  // Quirk: LASER answers a template or nothing at all; anything else is another applet
  // [facts jacarta A16 #1].
  const bool is_laser = answer->data.empty() || answer->data[0] == 0x62 || answer->data[0] == 0x6F;
  return applet != Applet::laser || is_laser ? Answered::itself : Answered::something_else;
}

Application application(Applet applet) {
  return {name_of(applet), applet == Applet::laser || applet == Applet::pro};
}

/// What was found on a device, and which applet is selected since; none: not one of these.
struct Survey {
  std::vector<Application> found{};
  std::optional<Applet> selected{};
  bool is_doubtful = false;  ///< the card failed once: an applet may be there all the same
};

Status look_for(Link& link, std::initializer_list<Applet> applets, Survey& survey) {
  for (const auto applet : applets) {
    const auto there = selects(link, applet);
    if (!there) return there.error();
    // A SELECT that failed leaves what is selected.
    if (*there == Answered::nothing) continue;
    if (*there == Answered::oddly) {
      survey.is_doubtful = true;
      continue;
    }
    survey.selected.reset();
    if (*there == Answered::something_else) continue;
    survey.found.push_back(application(applet));
    survey.selected = applet;
  }
  return {};
}

Result<std::vector<Application>> applications(Link& link, LookFor what) {
  const ByteView atr = link.transport().atr();
  const bool is_lt = equal(atr, from_hex(lt_atr).value());
  Survey survey;
  // What the ATR speaks for comes first; a card that has none of the two and whose ATR others have
  // too is left after two commands.
  auto status = is_lt ? look_for(link, {Applet::data_store, Applet::laser}, survey)
                      : look_for(link, {Applet::laser, Applet::pro}, survey);
  const bool is_for_people = what == LookFor::everything && !is_lt;
  const bool is_ours = !survey.found.empty() || owner_of(atr) == Owner::jacarta;
  if (status && is_for_people && is_ours)
    status = look_for(link, {Applet::gost, Applet::data_store}, survey);
  if (!status) return status.take_error();
  // Not unknown_card: that is believed until the card is taken out. A device one applet of which
  // always answers so is used by the others.
  if (survey.found.empty() && survey.is_doubtful) {
    return Error{ErrorKind::protocol, "the card failed when it was asked for JaCarta's applets"};
  }
  if (survey.found.empty()) {
    return Error{ErrorKind::unknown_card, "no applet of JaCarta's answers"};
  }
  // select_application() relies on the only one being selected; something else may have answered
  // behind it.
  const auto& first = survey.found.front();
  if (survey.found.size() == 1 && first.usable && !survey.selected) {
    const bool is_laser = first.name == name_of(Applet::laser);
    const auto back = selects(link, is_laser ? Applet::laser : Applet::pro);
    if (!back) return back.error();
  }
  return std::move(survey.found);
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

/// What is known of the applet was found out on eTokens.
EvidenceFloor pro_floor() {
  return {Evidence::related, "[facts jacarta A13]"};
}

CommandSet pro_commands() {
  return {"jacarta-pro", pro_floor(), etoken_commands()};
}

std::unique_ptr<Card> make_application(std::unique_ptr<Link> link, const Application& which) {
  if (which.name == name_of(Applet::laser)) return std::make_unique<JacartaCard>(std::move(link));
  link->set_floor(pro_floor());
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
                            jacarta::make_application,
                            jacarta::pro_commands};

}  // namespace kilt::card
