// SPDX-License-Identifier: Apache-2.0
// SELECT, READ and UPDATE BINARY [facts kaztoken §4.1, §10.1 #17-#22].
#include <algorithm>

#include "apdu/tlv.hpp"
#include "firmware-sim/profiles/kaztoken_card.hpp"

namespace kilt::sim::kaztoken {
namespace {

namespace sw = apdu::sw;
namespace tag = apdu::tag;
using apdu::SelectMode;
using apdu::StatusWord;

constexpr std::uint8_t next_sibling = 0x02;  // P2; the others are those of SelectAnswer
constexpr std::size_t id_size = 2;

// File descriptor bytes, tag 82 [facts kaztoken §3.2].
Bytes descriptor_of(FileType type) {
  switch (type) {
    case FileType::df:
      return {0x38, 0x00};
    case FileType::transparent_ef:
      return {0x01, 0x00};
    case FileType::internal_ef:
      break;
  }
  return {0x10, 0x00};
}

Bytes two_bytes(std::size_t value) {
  Bytes bytes;
  append_be16(bytes, value);
  return bytes;
}

// assumed: 81 (allocated size) only for an EF, and 8A = 05 in every phase: it is not published
// what the card tells while it is initialised.
Bytes control_information(const File& file, std::uint32_t template_tag) {
  constexpr std::uint8_t operational = 0x05;
  apdu::BerWriter inner;
  inner.put(tag::file_size, two_bytes(file.size));
  if (!file.is_df()) inner.put(tag::allocated_size, two_bytes(file.size));
  inner.put(tag::file_descriptor, descriptor_of(file.type));
  inner.put(tag::file_identifier, two_bytes(file.path.id()));
  if (!file.property.empty()) inner.put(tag::proprietary, file.property);
  inner.put(tag::security_attribute_proprietary, file.security);
  inner.put(tag::life_cycle, {operational});
  return apdu::BerWriter().put(template_tag, inner).bytes();
}

struct Found {
  StatusWord status = sw::file_not_found;
  std::optional<File> file{};

  Found(StatusWord failed) : status(failed) {}  // NOLINT(google-explicit-constructor)
  Found(std::optional<File> found)              // NOLINT(google-explicit-constructor)
      : status(found ? sw::ok : sw::file_not_found), file(std::move(found)) {}
};

std::uint16_t id_at(ByteView bytes, std::size_t at) {
  return be16(bytes[at], bytes[at + 1]);
}

Found first_child(const Card& card) {
  const auto files = card.files.children(card.current_df);
  if (files.empty()) return sw::file_not_found;
  return std::optional(files.front());
}

// assumed: order of identifiers; the published traces do not tell the order.
Found sibling_after(const Card& card, std::uint16_t id) {
  for (auto& file : card.files.children(card.current_df)) {
    if (file.path.id() > id) return std::optional(std::move(file));
  }
  return sw::file_not_found;
}

// assumed: beside the MF only children of the current DF are found by a bare identifier.
Found by_id(const Card& card, std::uint16_t id) {
  if (id == FilePath::mf_id) return card.files.find(FilePath::mf());
  if (card.current_df.empty()) return sw::file_not_found;
  return card.files.find(card.current_df.child(id));
}

Found child_of_kind(const Card& card, ByteView data, bool df) {
  if (data.size() != id_size) return sw::wrong_data;
  if (card.current_df.empty()) return sw::file_not_found;
  auto file = card.files.find(card.current_df.child(id_at(data, 0)));
  if (!file || file->is_df() != df) return sw::file_not_found;
  return file;
}

Found parent(const Card& card) {
  return card.files.find(card.current_df.parent());
}

/// Without 3F00, which is not written in it: the driver of OpenSC cuts it off as well.
Found by_path(const Card& card, ByteView data) {
  if (data.empty() || data.size() % id_size != 0) return sw::wrong_data;
  FilePath path = FilePath::mf();
  for (std::size_t at = 0; at < data.size(); at += id_size)
    path = path.child(id_at(data, at));
  return card.files.find(path);
}

Found look_up(const Card& card, const Command& command) {
  const ByteView data = command.data;
  switch (static_cast<SelectMode>(command.p1)) {
    case SelectMode::by_id:
      if (command.p2 == next_sibling) {
        return data.size() == id_size ? sibling_after(card, id_at(data, 0)) : sw::wrong_data;
      }
      if (data.empty()) return first_child(card);
      return data.size() == id_size ? by_id(card, id_at(data, 0)) : sw::wrong_data;
    case SelectMode::child_df:
      return child_of_kind(card, data, true);
    case SelectMode::child_ef:
      return child_of_kind(card, data, false);
    case SelectMode::parent:
      return data.empty() ? parent(card) : Found(sw::wrong_data);
    case SelectMode::path_from_mf:
      return by_path(card, data);
    default:
      // By DF name there is nothing to be found, and the card has no such selection
      // [facts kaztoken §3.1]; 6A86 is assumed.
      return sw::wrong_p1_p2;
  }
}

void make_current(Card& card, const File& file) {
  if (file.is_df()) {
    card.current_df = file.path;
    card.current_ef.reset();
  } else {
    card.current_df = file.path.parent();
    card.current_ef = file.path;
  }
}

struct CurrentEf {
  StatusWord status;
  std::optional<File> file{};
};

/// The transparent EF that READ and UPDATE work on, with the right to do so.
CurrentEf transparent_ef(const Card& card, Access access) {
  if (!card.current_ef) return {sw::no_current_ef};
  auto file = card.files.find(*card.current_ef);
  if (!file) return {sw::no_current_ef};
  if (!card.allowed(file->security, access)) return {sw::security_status_not_satisfied};
  // assumed: a key file is not readable as bytes even where its attributes would allow it.
  if (file->type != FileType::transparent_ef) return {sw::incompatible_file};
  return {sw::ok, std::move(file)};
}

}  // namespace

Reply select(Card& card, const Command& command) {
  const bool next =
      command.p1 == static_cast<std::uint8_t>(SelectMode::by_id) && command.p2 == next_sibling;
  const auto answer = next ? apdu::SelectAnswer::fci : static_cast<apdu::SelectAnswer>(command.p2);
  if (answer != apdu::SelectAnswer::fci && answer != apdu::SelectAnswer::fcp &&
      answer != apdu::SelectAnswer::none) {
    return sw::wrong_p1_p2;
  }
  // Quirk: over T=0 the card fails a SELECT whose answer is not fetched [facts kaztoken §4.1];
  // which status word it gives is assumed.
  if (card.over_t0 && answer == apdu::SelectAnswer::none) return sw::wrong_p1_p2;

  const Found found = look_up(card, command);
  if (!found.file) return found.status;
  make_current(card, *found.file);
  if (answer == apdu::SelectAnswer::none) return sw::ok;
  return control_information(
      *found.file, answer == apdu::SelectAnswer::fcp ? tag::fcp_template : tag::fci_template);
}

bool Card::is_private(std::uint8_t instruction) const {
  if (instruction != apdu::ins::read_binary && instruction != apdu::ins::update_binary)
    return false;
  const auto file = current_ef ? files.find(*current_ef) : std::nullopt;
  return file && !grants(file->security, Access::read, Role::nobody);
}

Reply read_binary(Card& card, const Command& command) {
  const auto count = card.wanted(command);
  if (!count || !command.data.empty()) return sw::wrong_length;
  const std::size_t offset = command.p1_p2();
  if (offset > 0x7FFF) return sw::wrong_p1_p2;  // no short file identifiers here
  const auto ef = transparent_ef(card, Access::read);
  if (!ef.file) return ef.status;
  const ByteView body = card.files.body(ef.file->path);
  if (offset >= body.size()) return sw::offset_outside;

  const auto rest = body.subspan(offset);
  Reply reply(copy_of(rest.first(std::min(rest.size(), *count))));
  reply.repeatable = true;
  // assumed: reading past the end gives what is there; 6282 where more was asked for in so many
  // words, 9000 for Le = 00. The published drivers never do it [facts kaztoken §10.1 #21].
  const bool asked_for_more = *count > rest.size() && *count != apdu::CommandApdu::le_max_short;
  if (asked_for_more && !card.over_t0) reply.status = sw::end_of_file;
  return reply;
}

Reply update_binary(Card& card, const Command& command) {
  if (command.data.empty()) return sw::wrong_length;
  const std::size_t offset = command.p1_p2();
  if (offset > 0x7FFF) return sw::wrong_p1_p2;
  const auto ef = transparent_ef(card, Access::update);
  if (!ef.file) return ef.status;
  if (offset >= ef.file->size) return sw::offset_outside;
  if (command.data.size() > ef.file->size - offset) return sw::not_enough_memory;  // assumed
  card.files.update(ef.file->path, offset, command.data);
  return sw::ok;
}

}  // namespace kilt::sim::kaztoken
