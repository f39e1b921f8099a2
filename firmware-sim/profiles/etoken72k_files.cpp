// SPDX-License-Identifier: Apache-2.0
// SELECT, DIRECTORY, READ, WRITE [facts etoken §5.2, §5.3].
#include <algorithm>

#include "firmware-sim/profiles/etoken72k_commands.hpp"

namespace kilt::sim::etoken72k {
namespace {

namespace sw = apdu::sw;
using apdu::SelectAnswer;
using apdu::SelectMode;
using apdu::StatusWord;

// 6F { 84: the AID, A5 { 9F65: at most 0212 bytes of data } } [facts etoken §5.1].
constexpr std::array<std::uint8_t, 18> applet_fci{0x6F, 0x10, 0x84, 0x07, 0xA0, 0x00,
                                                  0x00, 0x03, 0x12, 0x02, 0x02, 0xA5,
                                                  0x05, 0x9F, 0x65, 0x02, 0x02, 0x12};

constexpr std::uint8_t type_of_df = 0x01;  // assumed: public is only that it is not 02
constexpr std::uint8_t type_of_ef = 0x02;
constexpr std::size_t id_size = 2;

Bytes two_bytes(std::size_t value) {
  Bytes bytes;
  append_be16(bytes, value);
  return bytes;
}

Bytes control_information(const File& file) {
  const std::uint8_t type[] = {file.is_df() ? type_of_df : type_of_ef};
  Bytes fci;
  apdu::append_simple_tlv(fci, tag::file_type, type);
  apdu::append_simple_tlv(fci, tag::file_id, two_bytes(file.path.id()));
  apdu::append_simple_tlv(fci, tag::size, two_bytes(file.size));
  apdu::append_simple_tlv(fci, tag::acl, file.security);
  return fci;
}

std::optional<File> follow(const Applet& applet, FilePath path, ByteView ids) {
  for (std::size_t at = 0; at < ids.size(); at += id_size)
    path = path.child(be16(ids[at], ids[at + 1]));
  return applet.find(path);
}

struct CurrentEf {
  StatusWord status;
  std::optional<File> file{};
};

CurrentEf selected_ef(const Applet& applet, Access access) {
  if (!applet.current_ef) return {sw::no_current_ef};
  auto file = applet.find(*applet.current_ef);
  if (!file) return {sw::no_current_ef};
  if (!applet.allowed(*file, access)) return {sw::security_status_not_satisfied};
  return {sw::ok, std::move(file)};
}

}  // namespace

std::optional<ByteView> take(ByteView& rest, std::uint8_t tag) {
  const auto object = apdu::read_simple_tlv(rest);
  if (!object || object->tag != tag) return std::nullopt;
  return object->value;
}

std::optional<ByteView> take(ByteView& rest, std::uint8_t tag, std::size_t size) {
  const auto value = take(rest, tag);
  if (!value || value->size() != size) return std::nullopt;
  return value;
}

std::optional<std::uint16_t> take_be16(ByteView& rest, std::uint8_t tag) {
  const auto value = take(rest, tag, 2);
  if (!value) return std::nullopt;
  return be16((*value)[0], (*value)[1]);
}

Reply select_applet(Applet&, const Command& command) {
  switch (static_cast<SelectAnswer>(command.p2)) {
    case SelectAnswer::fci:
      return copy_of(applet_fci);
    case SelectAnswer::none:
      return sw::ok;
    default:
      return sw::wrong_p1_p2;
  }
}

// By path from the root, which is written too (3F00 is not), or from the current DF. By a bare
// identifier: 6A86, also of 3F00 [facts etoken §5.1].
Reply select_file(Applet& applet, const Command& command) {
  const auto mode = static_cast<SelectMode>(command.p1);
  const auto answer = static_cast<SelectAnswer>(command.p2);
  if (mode != SelectMode::path_from_mf && mode != SelectMode::path_from_current) {
    return sw::wrong_p1_p2;
  }
  // assumed: 00 answers as 04 does.
  if (answer != SelectAnswer::fci && answer != SelectAnswer::fcp && answer != SelectAnswer::none) {
    return sw::wrong_p1_p2;
  }
  const ByteView ids = command.data;
  if (ids.empty() || ids.size() % id_size != 0) return sw::wrong_length;
  const auto start = mode == SelectMode::path_from_mf ? FilePath() : applet.current_df;
  const auto file = follow(applet, start, ids);
  if (!file) return sw::file_not_found;
  applet.make_current(*file);
  if (answer == SelectAnswer::none) return sw::ok;
  return control_information(*file);
}

// The meaning of `09 02 0000` is not public. assumed: the entry to begin with, and all of them are
// wanted; in the order of their identifiers.
Reply list_directory(Applet& applet, const Command& command) {
  if (command.p1_p2() != 0) return sw::wrong_p1_p2;
  ByteView rest = command.data;
  const auto first = take_be16(rest, tag::first_entry);
  if (!first || *first != 0 || !rest.empty()) return sw::wrong_data;
  const auto df = applet.find(applet.current_df);
  if (!df) return sw::file_not_found;
  if (!applet.allowed(*df, Access::list)) return sw::security_status_not_satisfied;
  Bytes ids;
  for (const auto& file : applet.children(df->path))
    append_be16(ids, file.path.id());
  Bytes list;
  apdu::append_simple_tlv(list, tag::entries, ids);
  if (!command.ne || *command.ne < list.size()) return sw::wrong_length;
  return list;
}

// assumed: past the end there is what there is; 6282 where more was asked for in so many words,
// 9000 for Le = 00. An extended Le gets as much as 9F65 states for an APDU; the hosts that were
// watched never asked for more than 256 [facts etoken §5.1, §5.2].
Reply read_file(Applet& applet, const Command& command) {
  if (command.p1_p2() != 0) return sw::wrong_p1_p2;
  ByteView rest = command.data;
  const auto offset = take_be16(rest, tag::offset);
  if (!offset || !rest.empty()) return sw::wrong_data;
  if (!command.ne) return sw::wrong_length;
  const auto ef = selected_ef(applet, Access::read);
  if (!ef.file) return ef.status;
  const auto body = applet.files.body(ef.file->path);
  if (*offset >= body.size()) return sw::offset_outside;

  constexpr std::size_t whatever_there_is = apdu::CommandApdu::le_max_short;
  const auto left = body.subspan(*offset);
  Reply reply(copy_of(left.first(std::min({left.size(), *command.ne, max_data}))));
  if (*command.ne > left.size() && *command.ne != whatever_there_is) reply.status = sw::end_of_file;
  // Quirk: a read that needed a login uses it up [facts etoken §5.4].
  if (!Acl::parse(ef.file->security)->is_free(Access::read)) applet.role = Role::nobody;
  return reply;
}

Reply write_file(Applet& applet, const Command& command) {
  if (command.p1_p2() != 0) return sw::wrong_p1_p2;
  ByteView rest = command.data;
  const auto offset = take_be16(rest, tag::offset);
  const auto part = take(rest, tag::payload);
  if (!offset || !part || part->empty() || !rest.empty()) return sw::wrong_data;
  const auto ef = selected_ef(applet, Access::write);
  if (!ef.file) return ef.status;
  // assumed: what does not fit is not written at all.
  const std::size_t size = ef.file->size;
  if (*offset >= size) return sw::offset_outside;
  if (part->size() > size - *offset) return sw::not_enough_memory;
  applet.files.update(ef.file->path, *offset, *part);
  return sw::ok;
}

}  // namespace kilt::sim::etoken72k
