// SPDX-License-Identifier: Apache-2.0
// Initialisation, command by command as the vendor's driver does it [facts jacarta A9, A11, A12,
// A16 "Initialise a blank card"]. The applet executes them: so the files of a delivered card are
// those that the commands make, rights included.
#include "firmware-sim/profiles/jacarta_delivery.hpp"

#include <algorithm>

#include "apdu/tlv.hpp"

namespace kilt::sim::jacarta {
namespace {

constexpr const char* transport_key = "3F000001";
constexpr const char* so_key = "3F000010";
constexpr const char* user_key = "3F000020";
constexpr const char* mf = "3F00";
constexpr const char* application = "3F003000";
constexpr const char* public_df = "3F0030003001";
constexpr const char* minidriver_df = "3F0030003003";
constexpr std::string_view transport_pin = "1234";
constexpr std::string_view first_so_pin = "00000000";

// assumed: a card knows no date; initialised on the day that the profile was written.
constexpr std::string_view date = "20261122";
constexpr std::string_view date_time = "20261122000000Z ";

/// Sends commands to the applet as a host would, and remembers whether one was refused.
class Host {
 public:
  explicit Host(Laser& laser) : laser_(laser) {}

  void select(const std::string& path) { send(0x80, 0xA4, 0x08, 0x0C, *from_hex(path)); }
  void verify(const char* key, std::string_view pin) {
    select(key);
    send(0x00, 0x20, 0x00, 0x00, copy_of(as_bytes(pin)));
  }
  /// An object of this kind in `df`; `fcp` is the content of 62.
  void create(const std::string& df, Kind kind, ByteView fcp) {
    select(df);
    send(0x00, 0xE0, static_cast<std::uint8_t>(kind), 0x00,
         apdu::BerWriter().put(apdu::tag::fcp_template, fcp).bytes());
  }
  void create(const std::string& df, Kind kind, const char* fcp) {
    create(df, kind, *from_hex(fcp));
  }
  void remove(const std::string& path) {
    select(path);
    send(0x00, 0xE4, 0x00, 0x00, {});
  }
  void write(const std::string& path, ByteView content) {
    constexpr std::size_t step = 0xFF;
    select(path);
    for (std::size_t at = 0; at < content.size(); at += step) {
      send(0x00, 0xD6, static_cast<std::uint8_t>(at >> 8), static_cast<std::uint8_t>(at),
           copy_of(content.subspan(at, std::min(step, content.size() - at))));
    }
  }
  [[nodiscard]] bool accepted() const { return accepted_; }

 private:
  void send(std::uint8_t cla, std::uint8_t ins, std::uint8_t p1, std::uint8_t p2, Bytes data) {
    const Reply reply = laser_.execute({cla, ins, p1, p2, std::move(data), std::nullopt});
    accepted_ = accepted_ && reply.status.ok();
  }

  Laser& laser_;
  bool accepted_ = true;
};

// ---- contents

void append_text(Bytes& to, std::string_view text, std::size_t size) {
  append(to, as_bytes(text));
  to.insert(to.end(), size - text.size(), ' ');
}

std::string lower(std::string text) {
  for (char& digit : text) {
    if (digit >= 'A' && digit <= 'F') digit = static_cast<char>(digit - 'A' + 'a');
  }
  return text;
}

/// PKCS#15 flags: 04 random numbers, 08 user PIN stored. 01 would make the vendor's module
/// read-only [facts jacarta A16 #22].
Bytes token_info(const std::string& serial, std::uint8_t flags) {
  Bytes info;
  append_text(info, "JaCarta", 32);
  append_text(info, "Aladdin R.D.", 32);
  append_text(info, "JaCarta PKI", 16);
  append_text(info, lower(serial), 16);
  append(info, {flags, 0, 0, 0});
  info.resize(info.size() + 16);  // session counts
  // Longest and shortest PIN; memory, public and private, total unknown and free 0; versions.
  append(info, *from_hex("0A000000 04000000 FFFFFFFF 00000000 FFFFFFFF 00000000 0100 0101"));
  append(info, as_bytes(date_time));
  info.push_back(0);
  return info;
}

Bytes policies() {
  Bytes content = *from_hex(
      "02C00700000A000A0001 02C10100 02C20A00041000000000000000 02C30A00041000000000000000"
      "02C50400000000 02C60400000000 02C80100 02C90133 02CA04000346DC 02CB0100 02CC0100 02CD0100"
      "02CF0100 02D1021010 02D2021010 02D33F");
  content.resize(content.size() + 0x3F);
  append(content, *from_hex("02D50100 02D60101 02D70100"));
  return content;
}

Bytes initialisation_date() {
  Bytes content = *from_hex("02C40100 02C708");
  append(content, as_bytes(date));
  return content;
}

Bytes card_id(const std::string& serial) {
  Bytes content = *from_hex("0010 414C444E534E 0000");
  append(content, *from_hex(serial));
  return content;
}

/// A data object whose value, the container map, holds no container yet [facts jacarta A11, A16
/// #23]: header, attributes, and a stamp of zeros; at 0C the SHA-1 of it all without that.
Bytes container_map() {
  constexpr std::size_t first_value = 643;
  constexpr std::size_t hash_at = 0x0C;
  constexpr std::size_t stamp = 4;
  Bytes attributes = *from_hex("8013 10 0014");
  attributes.resize(attributes.size() + 20);
  append(attributes, *from_hex("0000 00 0004 00000000  0001 00 0001 01  0002 00 0001 00"
                               "0003 10 0008 636D617066696C65  0010 10 0003 435350  0011 10 0283"));
  attributes.resize(attributes.size() + first_value);
  append(attributes, *from_hex("0012 10 0040"));
  attributes.resize(attributes.size() + 0x40, 0xFF);
  append(attributes, *from_hex("0170 00 0001 01  8010 00 0001 00"));
  Bytes file = *from_hex("00 86 867F");
  append_be16(file, 7 + attributes.size());
  file.push_back(10);  // attributes
  append(file, attributes);
  file.resize(file.size() + stamp);
  const Bytes hash = sha1(file);
  std::copy(hash.begin(), hash.end(), file.begin() + hash_at);
  return file;
}

// ---- key objects of PINs

Bytes pin_object(const char* head_and_rules, std::string_view pin) {
  Bytes fcp = *from_hex(head_and_rules);
  append(fcp, apdu::BerWriter().put(0x81, as_bytes(pin)).bytes());
  return fcp;
}

constexpr const char* so_first =
    "8A0104 83020010 80020010 850EC001000033000000000000000000 860E00FF001000FF001000FF00FF0000";
constexpr const char* user_first =
    "8A0104 83020020 8002000A 850EC0010000A0000000000000000000 860E00FF003000FF001000FF00100000";
constexpr const char* so_final =
    "8A0104 83020010 80020010 850EC0010000AA041000000000001010 860E00FF001000FF001000FF00FF0000";
constexpr const char* user_final =
    "8A0104 83020020 80020010 850EC0010000AA041000000000001010 860E00FF003000FF001000FF00100000";

void make_keys(Host& host) {
  host.verify(transport_key, transport_pin);
  host.create(mf, Kind::key_object, pin_object(so_first, first_so_pin));
  host.create(mf, Kind::key_object, pin_object(user_first, "11111111"));
  host.create(mf, Kind::key_object,
              "8A0104 83020002 80020010 850E800100003004100000000000FFFF"
              "860E000000FF00FF0010000000000000 81064C415345522B");
  host.create(mf, Kind::ef,
              "8A0104 83021000 80020001 840C566572696669636174696F6E 86080000000000000000");
  host.write("3F001000", Bytes{0x01});
  host.create(mf, Kind::key_object,
              "8A0104 83020035 8002000E 850500010F0000 860E000000FF00FF0010000000000000"
              "810CE30A89020010890200208800");
  host.create(mf, Kind::key_object,
              "8A0104 83020030 8002000E 850500010F0000 860E000000FF00FF0010000000000000"
              "810CE30A89020010890200208800");
  host.create(mf, Kind::key_object,
              "8A0104 83020032 80020012 850500010F0000 860E000000FF00FF0010000000000000"
              "8112E31089020010890200208902000288008800");
}

void make_directories(Host& host) {
  host.create(mf, Kind::df,
              "8A0104 83023000 80020000 8407415345504B4353 860C0010001000FF001000000010");
  host.verify(so_key, first_so_pin);
  host.create(application, Kind::df,
              "8A0104 83023001 80020000 84065055424C4943 860C0000000000FF001000000010");
  host.create(application, Kind::df,
              "8A0104 83023002 80020000 840750524956415445 860C0020002000FF001000000010");
  host.create(application, Kind::df,
              "8A0104 83023003 80020000 84024D44 860C0030003000FF0030000000FF");
}

void make_files(Host& host, const std::string& serial) {
  host.create(application, Kind::ef,
              "8A0104 8302B000 8002001A 84085573657248697374 86080030003000300030");
  host.create(application, Kind::ef,
              "8A0104 8302C000 800200A1 8409546F6B656E496E666F 86080000003000300030");
  host.create(application, Kind::ef, "8A0104 8302EEED 80020004 840445454544 86080000003000FF0030");
  host.write("3F003000EEED", *from_hex("02D00164"));
  host.create(application, Kind::ef, "8A0104 8302EEEE 800200AD 840445454545 86080000001000FF0010");
  host.write("3F003000EEEE", policies());
  host.create(application, Kind::ef, "8A0104 8302EEEF 8002000F 840445454546 86080000003000FF0030");
  host.write("3F003000EEEF", initialisation_date());
  host.create(minidriver_df, Kind::ef,
              "8A0104 83024000 80020012 8406636172646964 86080000001000FF0010");
  host.write("3F00300030034000", card_id(serial));
  host.create(minidriver_df, Kind::ef,
              "8A0104 83024001 80020008 8406636172646366 86080000003200FF0032");
  host.write("3F00300030034001", *from_hex("0006000301000100"));
  host.create(minidriver_df, Kind::ef,
              "8A0104 83024002 8002000A 84086361726461707073 86080000003000FF0030");
  host.write("3F00300030034002", *from_hex("00086D73637000000000"));
  host.create(minidriver_df, Kind::df,
              "8A0104 83023005 80020000 84046D736370 860C0030003000FF0030000000FF");
}

/// The vendor's driver replaces the key objects whole. Deleting one takes the SO's PIN, and an SO
/// who was deleted must present the new one.
void store_pins(Host& host, const std::string& serial, const DeliveryPins& pins) {
  host.remove(so_key);
  host.verify(transport_key, transport_pin);
  host.create(mf, Kind::key_object, pin_object(so_final, pins.so));
  host.verify(so_key, pins.so);
  host.write("3F003000C000", token_info(serial, 0x04));
  host.remove(user_key);
  host.create(mf, Kind::key_object, pin_object(user_final, pins.user));
  host.write("3F003000C000", token_info(serial, 0x0C));
  host.write("3F00300030034001", *from_hex("0006000302000200"));
}

/// The map is made with rules for the user, who must therefore have a PIN.
void make_map(Host& host, std::string_view user_pin) {
  host.verify(user_key, user_pin);
  host.create(public_df, Kind::ef,
              "8A0104 8302867F 80020327 8408636D617066696C65 86080000002000200020");
  host.write("3F0030003001867F", container_map());
}

}  // namespace

void make_blank(Laser& laser) {
  // assumed: the rules of the MF but for its first, which is known to name KO 01
  // [facts jacarta A16 #20]; and all of the transport PIN but its value.
  Object root;
  root.path = FilePath::mf();
  root.kind = Kind::df;
  root.life_cycle = 0x05;
  root.rules = *from_hex("0001 0001 00FF 00FF 00FF 00FF");
  laser.files.store(root.file(), {});

  auto transport = parse_new_object(
      Kind::key_object,
      apdu::BerWriter()
          .put(apdu::tag::fcp_template,
               pin_object("8A0105 83020001 80020010 850E80010000AA041000000000001010"
                          "860E00FF000100FF00FF00FF00FF0000",
                          transport_pin))
          .bytes());
  if (!transport) return;
  transport->object.path = FilePath::mf().child(transport->id);
  laser.files.store(transport->object.file(), transport->body);
}

bool initialise(Laser& laser, const DeliveryPins& pins) {
  const std::string& serial = laser.configuration.serial;
  Host host(laser);
  make_keys(host);
  make_directories(host);
  make_files(host, serial);
  store_pins(host, serial, pins);
  make_map(host, pins.user);
  laser.forget();
  return host.accepted();
}

}  // namespace kilt::sim::jacarta
