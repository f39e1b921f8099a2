// SPDX-License-Identifier: Apache-2.0
// SELECT of MF and DF as observed [facts jacarta B2]; EFs by ISO 7816-4 and -9, assumed: reading is
// free, all else needs the user's PIN, and files are made and deleted in the signature DF only.
#include <algorithm>

#include "apdu/tlv.hpp"
#include "firmware-sim/profiles/kzid_card.hpp"

namespace kilt::sim::kzid {
namespace {

namespace sw = apdu::sw;
namespace tag = apdu::tag;
using apdu::SelectAnswer;
using apdu::SelectMode;
using apdu::StatusWord;

constexpr std::size_t id_size = 2;
constexpr std::size_t longest_offset = 0x7FFF;  // a P1 above would name a short identifier

Bytes two_bytes(std::size_t value) {
  Bytes bytes;
  append_be16(bytes, value);
  return bytes;
}

/// 80 size (of an EF), 82 descriptor, 83 identifier.
Bytes control_parameters(const File& file) {
  apdu::BerWriter inner;
  if (!file.is_df()) inner.put(tag::file_size, two_bytes(file.size));
  const std::uint8_t descriptor = file.is_df() ? 0x38 : 0x01;
  inner.put(tag::file_descriptor, {descriptor});
  inner.put(tag::file_identifier, two_bytes(file.path.id()));
  return apdu::BerWriter().put(tag::fcp_template, inner).bytes();
}

/// The MF, or a child of the current DF. assumed: no farther; the NCA's program, too, comes from
/// the MF.
std::optional<File> find_by_id(const Card& card, std::uint16_t id) {
  if (id == FilePath::mf_id) return card.files.find(FilePath::mf());
  return card.files.find(card.current_df.child(id));
}

void make_current(Card& card, const File& file) {
  if (file.is_df()) {
    if (file.path != card.current_df) card.authentication_key.reset();
    card.current_df = file.path;
    card.current_ef.reset();
  } else {
    card.current_ef = file.path;
  }
}

/// The selected EF; 6986 when there is none.
std::optional<File> current_ef(const Card& card) {
  return card.current_ef ? card.files.find(*card.current_ef) : std::nullopt;
}

/// assumed: nobody changes anything outside the signature DF.
bool may_change(const Card& card, const FilePath& path) {
  return card.verified.user && path.parent() == signature_df();
}

/// Reserved in ISO 7816-4 §8.2.1.1.
bool reserved_id(std::uint16_t id) {
  return id == FilePath::mf_id || id == 0x0000 || id == 0x3FFF || id == 0xFFFF;
}

/// `62 L { 80 02 size, 82 01 01, 83 02 fid }`, all but the parent of the path. assumed: in that
/// order and nothing else; a size that READ BINARY can reach.
std::optional<File> parse_control_parameters(const Card& card, ByteView data) {
  constexpr std::uint8_t transparent = 0x01;
  apdu::BerReader outer(data);
  auto fcp = outer.enter(tag::fcp_template);
  if (!fcp || !outer.finish()) return std::nullopt;
  const auto size = fcp->expect(tag::file_size);
  const auto descriptor = fcp->expect(tag::file_descriptor);
  const auto id = fcp->expect(tag::file_identifier);
  if (!size || !descriptor || !id || !fcp->finish()) return std::nullopt;
  if (size->value.size() != 2 || id->value.size() != id_size || descriptor->value.size() != 1 ||
      descriptor->value[0] != transparent) {
    return std::nullopt;
  }
  File file;
  file.size = be16(size->value[0], size->value[1]);
  const auto identifier = be16(id->value[0], id->value[1]);
  if (reserved_id(identifier) || file.size == 0 || file.size > longest_offset) return std::nullopt;
  file.path = card.current_df.child(identifier);
  return file;
}

}  // namespace

Reply select(Card& card, const Command& command) {
  const auto mode = static_cast<SelectMode>(command.p1);
  const auto answer = static_cast<SelectAnswer>(command.p2);
  // assumed: nothing here has a DF name that is public.
  if (mode == SelectMode::by_df_name) return sw::file_not_found;
  if (mode != SelectMode::by_id && mode != SelectMode::child_ef) return sw::wrong_p1_p2;
  if (answer != SelectAnswer::none && answer != SelectAnswer::fcp) return sw::wrong_p1_p2;
  if (command.data.size() != id_size) return sw::wrong_length;

  const auto file = find_by_id(card, be16(command.data[0], command.data[1]));
  if (!file || (mode == SelectMode::child_ef && file->is_df())) return sw::file_not_found;
  make_current(card, *file);
  if (answer == SelectAnswer::none) return sw::ok;
  return control_parameters(*file);
}

// Up to 256 bytes, what a Le of 00 asks for; reading past the end is told by 6Cxx (assumed).
Reply read_binary(Card& card, const Command& command) {
  if (!command.data.empty()) return sw::wrong_length;
  const std::size_t offset = command.p1_p2();
  if (offset > longest_offset) return sw::wrong_p1_p2;
  const auto file = current_ef(card);
  if (!file) return sw::no_current_ef;
  const auto body = card.files.body(file->path);
  if (offset >= body.size()) return sw::offset_outside;
  const auto rest = body.subspan(offset);
  Reply reply(copy_of(rest.first(std::min(rest.size(), Card::wanted(command)))));
  reply.repeatable = true;
  return reply;
}

Reply update_binary(Card& card, const Command& command) {
  if (command.data.empty()) return sw::wrong_length;
  const std::size_t offset = command.p1_p2();
  if (offset > longest_offset) return sw::wrong_p1_p2;
  const auto file = current_ef(card);
  if (!file) return sw::no_current_ef;
  if (!may_change(card, file->path)) return sw::security_status_not_satisfied;
  if (offset >= file->size) return sw::offset_outside;
  if (command.data.size() > file->size - offset) return sw::not_enough_memory;
  card.files.update(file->path, offset, command.data);
  return sw::ok;
}

// The new file is current [7816-9 §9.2].
Reply create_file(Card& card, const Command& command) {
  if (command.p1_p2() != 0) return sw::wrong_p1_p2;
  const auto file = parse_control_parameters(card, command.data);
  if (!file) return sw::wrong_data;
  if (!may_change(card, file->path)) return sw::security_status_not_satisfied;
  const StatusWord status = card.files.create(*file);
  if (status.ok()) card.current_ef = file->path;
  return status;
}

// An EF of the current DF, named by its identifier without a tag.
Reply delete_file(Card& card, const Command& command) {
  if (command.p1_p2() != 0) return sw::wrong_p1_p2;
  if (command.data.size() != id_size) return sw::wrong_length;
  const auto path = card.current_df.child(be16(command.data[0], command.data[1]));
  if (!card.files.find(path)) return sw::file_not_found;
  if (!may_change(card, path)) return sw::security_status_not_satisfied;
  card.files.remove(path);
  if (card.current_ef == path) card.current_ef.reset();
  return sw::ok;
}

}  // namespace kilt::sim::kzid
