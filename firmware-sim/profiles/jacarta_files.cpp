// SPDX-License-Identifier: Apache-2.0
// SELECT, LIST FILES, READ and UPDATE BINARY [facts jacarta A4, A16 #1, #2, #4, #12].
#include <algorithm>

#include "apdu/tlv.hpp"
#include "firmware-sim/profiles/jacarta_laser.hpp"

namespace kilt::sim::jacarta {
namespace {

namespace sw = apdu::sw;
using apdu::SelectMode;
using apdu::StatusWord;

constexpr std::size_t id_size = 2;
constexpr std::size_t longest_offset = 0x7FFF;

/// `path` and the identifiers in `ids`. Empty: not whole identifiers.
std::optional<FilePath> along(FilePath path, ByteView ids) {
  if (ids.empty() || ids.size() % id_size != 0) return std::nullopt;
  for (std::size_t at = 0; at < ids.size(); at += id_size)
    path = path.child(be16(ids[at], ids[at + 1]));
  return path;
}

struct Found {
  StatusWord status = sw::file_not_found;
  std::optional<Object> object{};

  Found(StatusWord failed) : status(failed) {}  // NOLINT(google-explicit-constructor)
  Found(std::optional<Object> found)            // NOLINT(google-explicit-constructor)
      : status(found ? sw::ok : sw::file_not_found), object(std::move(found)) {}
};

Found by_path(const Laser& laser, const FilePath& from, ByteView ids) {
  const auto path = along(from, ids);
  if (!path) return sw::wrong_data;
  return laser.find(*path);
}

// While an EF or key object is selected this is a child of its parent [facts jacarta A16 #2].
Found by_id(const Laser& laser, ByteView data) {
  if (data.empty()) return laser.find(FilePath::mf());
  if (data.size() != id_size) return sw::wrong_data;
  if (be16(data[0], data[1]) == FilePath::mf_id) return laser.find(FilePath::mf());
  return by_path(laser, laser.current_df, data);
}

Found parent(const Laser& laser) {
  if (laser.current_df.is_mf()) return sw::file_not_found;
  return laser.find(laser.current_df.parent());
}

/// The first DF of this name, wherever it is (assumed: the reach is not public).
std::optional<Object> named(const Laser& laser, const FilePath& df, ByteView name) {
  for (const auto& file : laser.files.children(df)) {
    if (!file.is_df()) continue;
    auto object = Object::of(file);
    if (equal(object.name, name)) return object;
    if (auto inside = named(laser, file.path, name)) return inside;
  }
  return std::nullopt;
}

Found look_up(const Laser& laser, const Command& command) {
  const ByteView data = command.data;
  switch (static_cast<SelectMode>(command.p1)) {
    case SelectMode::by_id:
      return by_id(laser, data);
    case SelectMode::parent:
      return data.empty() ? parent(laser) : Found(sw::wrong_data);
    case SelectMode::by_df_name:
      return data.empty() ? Found(sw::wrong_data) : named(laser, FilePath::mf(), data);
    case SelectMode::path_from_mf:
      // Quirk: 3F00 is written in it, unlike in ISO 7816-4.
      return by_path(laser, FilePath(), data);
    case SelectMode::path_from_current:
      return by_path(laser, laser.current_df, data);
    default:
      return sw::wrong_p1_p2;
  }
}

void make_current(Laser& laser, const Object& object) {
  const bool df = object.kind == Kind::df;
  laser.current_df = df ? object.path : object.path.parent();
  laser.current = df ? std::nullopt : std::optional(object.path);
}

struct SelectedEf {
  StatusWord status;
  Object object{};
};

SelectedEf selected_ef(const Laser& laser, EfOperation operation) {
  if (!laser.current) return {sw::no_current_ef};
  auto object = laser.find(*laser.current);
  if (!object) return {sw::no_current_ef};
  if (object->kind != Kind::ef) return {sw::incompatible_file};  // no key is ever read as bytes
  if (!laser.allowed(object->rule(operation))) return {sw::security_status_not_satisfied};
  return {sw::ok, std::move(*object)};
}

}  // namespace

Reply select_file(Laser& laser, const Command& command) {
  // Quirk: 0C asks ISO 7816-4 for no data, and the answer has them all the same.
  if (command.p2 != 0x0C && command.p2 != 0x00) return sw::wrong_p1_p2;
  const Found found = look_up(laser, command);
  if (!found.object) return found.status;
  make_current(laser, *found.object);
  const bool pin = found.object->key_kind() == KeyKind::pin;
  return control_parameters(*found.object,
                            pin ? live_pin_properties(*found.object, laser.pin_body(*found.object))
                                : found.object->properties);
}

Reply select_by_name(Laser& laser, const Command& command) {
  const bool by_name = command.p1 == static_cast<std::uint8_t>(SelectMode::by_df_name);
  return by_name ? select_file(laser, command) : Reply(sw::cla_not_supported);
}

Reply list_files(Laser& laser, const Command& command) {
  const auto kind = static_cast<Kind>(command.p1);
  const bool known = kind == Kind::ef || kind == Kind::df || kind == Kind::key_object;
  if (!known || command.p2 != 0) return sw::wrong_p1_p2;
  if (!command.data.empty()) return sw::wrong_length;
  constexpr std::uint32_t count_tag = 0xD1;
  constexpr std::uint32_t entry_tag = 0xD2;
  apdu::BerWriter entries;
  std::size_t count = 0;
  for (const auto& file : laser.files.children(laser.current_df)) {
    const auto object = Object::of(file);
    if (object.kind != kind) continue;
    Bytes entry;
    append_be16(entry, file.path.id());
    append(entry, object.name);
    entries.put(entry_tag, entry);
    ++count;
  }
  Bytes number;
  append_be16(number, count);
  return apdu::BerWriter().put(count_tag, number).raw(entries.bytes()).bytes();
}

bool Laser::is_private(std::uint8_t instruction) const {
  if (instruction != apdu::ins::read_binary && instruction != apdu::ins::update_binary)
    return false;
  const auto object = selected_object(Kind::ef);
  return object && object->rule(EfOperation::read).key != 0;
}

Reply read_binary(Laser& laser, const Command& command) {
  if (!command.ne || !command.data.empty()) return sw::wrong_length;
  const std::size_t offset = command.p1_p2();
  if (offset > longest_offset) return sw::wrong_p1_p2;
  const auto ef = selected_ef(laser, EfOperation::read);
  if (!ef.status.ok()) return ef.status;
  const ByteView body = laser.files.body(ef.object.path);
  if (offset > body.size()) return sw::offset_outside;
  const auto rest = body.subspan(offset);
  Reply reply(copy_of(rest.first(std::min(rest.size(), *command.ne))));
  // assumed: Le 00 asks for what is there; a driver that asks for more in so many words is told.
  const bool asked_for_more =
      *command.ne > rest.size() && *command.ne != apdu::CommandApdu::le_max_short;
  if (asked_for_more) reply.status = sw::end_of_file;
  return reply;
}

Reply update_binary(Laser& laser, const Command& command) {
  if (command.data.empty()) return sw::wrong_length;
  const std::size_t offset = command.p1_p2();
  if (offset > longest_offset) return sw::wrong_p1_p2;
  const auto ef = selected_ef(laser, EfOperation::write);
  if (!ef.status.ok()) return ef.status;
  if (offset > ef.object.size) return sw::offset_outside;
  if (command.data.size() > ef.object.size - offset) return sw::not_enough_memory;  // assumed
  laser.files.update(ef.object.path, offset, command.data);
  return sw::ok;
}

}  // namespace kilt::sim::jacarta
