// SPDX-License-Identifier: Apache-2.0
// CREATE FILE and DELETE FILE, for EFs, DFs and key objects [facts jacarta A4, A6, A7, A16 #3].
#include "apdu/tlv.hpp"
#include "firmware-sim/profiles/jacarta_laser.hpp"

namespace kilt::sim::jacarta {
namespace {

namespace sw = apdu::sw;

constexpr std::uint8_t delete_df = 0x01;
// assumed: eight levels with the MF; the vendor's files take five.
constexpr std::size_t deepest_path = std::size_t{8} * 4;

// That a key object is created by the rule for EFs is inferred: the vendor's rules for EFs and DFs
// are equal in every DF [facts jacarta A6, A16].
Rule creation_rule(const Object& df, Kind kind) {
  return df.rule(kind == Kind::df ? DfOperation::create_df : DfOperation::create_ef);
}

Rule removal_rule(const Object& object) {
  switch (object.kind) {
    case Kind::df:
      return object.rule(DfOperation::remove);
    case Kind::ef:
      return object.rule(EfOperation::remove);
    case Kind::key_object:
      break;
  }
  return object.rule(KeyOperation::remove);
}

/// Whoever presented a PIN that is gone has presented nothing to its successor.
void forget_pins_below(Laser& laser, const FilePath& gone) {
  for (auto at = laser.verified.begin(); at != laser.verified.end();) {
    const bool below = at->compare(0, gone.text().size(), gone.text()) == 0;
    at = below ? laser.verified.erase(at) : std::next(at);
  }
}

/// What `62 L` holds: nothing of it is a PIN.
bool is_open_template(ByteView body) {
  constexpr std::uint32_t value_tag = 0x81;
  apdu::BerReader whole(body);
  const auto fcp = whole.expect(apdu::tag::fcp_template);
  if (!fcp || !whole.finish()) return false;
  apdu::BerReader inside(fcp->value);
  while (!inside.done()) {
    const auto object = inside.next();
    if (!object || object->tag == value_tag) return false;
  }
  return true;
}

}  // namespace

// A PIN object is created with its PIN in the clear, `81 L PIN` in the template [facts jacarta A7].
// What cannot be read for sure (a block of a chain, a protected or a broken command) may be one.
// The other secrets of the applet are in ISO's instructions.
Secrets secrets(ByteView command) {
  const bool creates_key_object = command.size() > 5 && command[1] == apdu::ins::create_file &&
                                  command[2] == static_cast<std::uint8_t>(Kind::key_object);
  if (!creates_key_object) return {};
  const auto parsed = apdu::CommandApdu::parse(command);
  const bool is_plain = command[0] == apdu::cla::interindustry;
  return {.body = !parsed || !is_plain || !is_open_template(parsed->body()), .answer = false};
}

// The new object is not selected: the vendor's driver always selects it by its path, so nothing
// public says what a card does; assumed, so that nobody comes to rely on it.
Reply create_file(Laser& laser, const Command& command) {
  const auto kind = static_cast<Kind>(command.p1);
  const bool known = kind == Kind::ef || kind == Kind::df || kind == Kind::key_object;
  if (!known || command.p2 != 0) return sw::wrong_p1_p2;
  const auto df = laser.find(laser.current_df);
  if (!df) return sw::conditions_not_satisfied;
  if (!laser.allowed(creation_rule(*df, kind))) return sw::security_status_not_satisfied;
  Bytes data = laser.chain.joined();
  auto made = parse_new_object(kind, data);
  wipe(data);
  if (!made) return sw::wrong_data;
  made->object.path = laser.current_df.child(made->id);
  if (laser.find(made->object.path)) return sw::file_exists;
  if (made->object.path.text().size() > deepest_path) return sw::not_enough_memory;
  const auto status = laser.files.store(made->object.file(), made->body);
  wipe(made->body);
  laser.current.reset();
  return status;
}

Reply delete_file(Laser& laser, const Command& command) {
  if (command.p2 != 0 || command.p1 > delete_df) return sw::wrong_p1_p2;
  if (!command.data.empty()) return sw::wrong_length;
  const bool df = command.p1 == delete_df;
  // assumed: P1 must fit what is selected.
  if (df == laser.current.has_value()) {
    return laser.current ? sw::wrong_p1_p2 : sw::no_current_ef;
  }
  const auto path = df ? laser.current_df : *laser.current;
  const auto object = laser.find(path);
  if (!object || path.is_mf()) return sw::conditions_not_satisfied;
  if (!laser.allowed(removal_rule(*object))) return sw::security_status_not_satisfied;
  laser.files.remove(path);
  forget_pins_below(laser, path);
  laser.current.reset();
  laser.current_df = path.parent();
  return sw::ok;
}

}  // namespace kilt::sim::jacarta
