// SPDX-License-Identifier: Apache-2.0
// CREATE FILE and DELETE FILE [facts kaztoken §3.2, §3.4, §10.1 #11-#18, §10.3].
#include "apdu/tlv.hpp"
#include "firmware-sim/profiles/kaztoken_card.hpp"
#include "firmware-sim/profiles/kaztoken_rsf.hpp"

namespace kilt::sim::kaztoken {
namespace {

namespace sw = apdu::sw;
namespace tag = apdu::tag;
using apdu::StatusWord;

struct Request {
  std::uint16_t id = 0;
  File file{};  ///< all but its path
  std::optional<RsfProperty> rsf{};
};

std::optional<std::uint16_t> two_byte_field(apdu::BerReader& reader, std::uint32_t tag) {
  const auto object = reader.expect(tag);
  if (!object || object->value.size() != 2) return std::nullopt;
  return be16(object->value[0], object->value[1]);
}

std::optional<FileType> type_of(std::uint16_t descriptor) {
  switch (descriptor) {
    case 0x3800:
      return FileType::df;
    case 0x0100:
      return FileType::transparent_ef;
    case 0x1000:
      return FileType::internal_ef;
    default:
      return std::nullopt;
  }
}

/// Reserved in ISO 7816-4 §8.2.1.1.
bool reserved_id(std::uint16_t id) {
  return id == 0x0000 || id == 0x3FFF || id == 0xFFFF;
}

/// Template 6F with 80, 82, 83, [85], 86, in that order; 85 for internal files and only there.
std::optional<Request> parse(ByteView data) {
  apdu::BerReader outer(data);
  auto fci = outer.enter(tag::fci_template);
  if (!fci || !outer.finish()) return std::nullopt;
  Request request;
  const auto size = two_byte_field(*fci, tag::file_size);
  const auto descriptor = two_byte_field(*fci, tag::file_descriptor);
  const auto id = two_byte_field(*fci, tag::file_identifier);
  const auto property = fci->optional(tag::proprietary);
  const auto security = fci->expect(tag::security_attribute_proprietary);
  if (!size || !descriptor || !id || !property || !security || !fci->finish()) {
    return std::nullopt;
  }
  const auto type = type_of(*descriptor);
  if (!type || reserved_id(*id) || !SecurityAttributes::parse(security->value)) {
    return std::nullopt;
  }
  request.id = *id;
  request.file.type = *type;
  request.file.size = *size;
  request.file.security = copy_of(security->value);
  if ((*type == FileType::internal_ef) != property->has_value()) return std::nullopt;
  if (*type == FileType::transparent_ef && *size == 0) return std::nullopt;
  if (property->has_value()) {
    request.file.property = copy_of((*property)->value);
    request.rsf = RsfProperty::parse((*property)->value);
    if (!request.rsf || !fits(request.rsf->kind, *size)) return std::nullopt;
    constexpr std::uint16_t largest_reference = 0xFF;
    if (*id > largest_reference) return std::nullopt;
  }
  return request;
}

Reply create_pin(Card& card, const Request& request) {
  const auto mf = card.files.find(FilePath::mf());
  // assumed: the global PINs belong to the MF, so its attributes say who may add one.
  if (!card.allowed(mf->security, Access::create_internal)) {
    return sw::security_status_not_satisfied;
  }
  const auto reference = static_cast<std::uint8_t>(request.id);
  if (card.pins.find(reference)) return sw::file_exists;
  card.pins.create(reference,
                   {request.rsf->min_length, request.rsf->max_tries, request.file.security},
                   request.rsf->tries_left);
  return sw::ok;
}

// The card sorts key files into the DF of their kind, whichever DF is current [§10.1 #13]; the
// selection is left alone (assumed: OpenSC passes with any reading).
Reply create_key(Card& card, Request& request) {
  const auto home = card.files.find(home_of(request.rsf->kind));
  if (!home) return sw::file_not_found;  // assumed
  if (!card.allowed(home->security, Access::create_internal)) {
    return sw::security_status_not_satisfied;
  }
  request.file.path = home->path.child(request.id);
  return card.files.create(request.file);
}

Reply create_plain(Card& card, Request& request) {
  const auto parent = card.files.find(card.current_df);
  if (!parent) return sw::file_not_found;
  if (request.id == FilePath::mf_id) return sw::file_exists;
  if (!card.allowed(parent->security, Access::create_file)) {
    return sw::security_status_not_satisfied;
  }
  request.file.path = parent->path.child(request.id);
  const StatusWord status = card.files.create(request.file);
  if (!status.ok()) return status;
  // The new file is current [§10.1 #18]: OpenSC creates inside a new DF without a SELECT.
  if (request.file.is_df()) {
    card.current_df = request.file.path;
    card.current_ef.reset();
  } else {
    card.current_ef = request.file.path;
  }
  return sw::ok;
}

Reply create_mf(Card& card, Request& request) {
  if (request.id != FilePath::mf_id || !request.file.is_df() ||
      card.phase() != Phase::initialisation) {
    return sw::conditions_not_satisfied;  // assumed
  }
  request.file.path = FilePath::mf();
  const StatusWord status = card.files.create(request.file);
  if (!status.ok()) return status;
  card.current_df = FilePath::mf();
  card.current_ef.reset();
  return sw::ok;
}

/// The file that DELETE means: in the DF that holds the selected EF [§10.1 #17]. assumed: the
/// current DF itself when it bears that identifier and nothing in it does.
std::optional<File> file_to_delete(const Card& card, ByteView data) {
  if (data.empty()) return card.files.find(card.current_ef.value_or(card.current_df));
  const auto id = be16(data[0], data[1]);
  if (auto child = card.files.find(card.current_df.child(id))) return child;
  if (card.current_df.id() == id) return card.files.find(card.current_df);
  return std::nullopt;
}

}  // namespace

Reply create_file(Card& card, const Command& command) {
  if (command.p1_p2() != 0) return sw::wrong_p1_p2;
  auto request = parse(command.data);
  if (!request) return sw::wrong_data;
  if (!card.files.find(FilePath::mf())) return create_mf(card, *request);
  if (!request->rsf) return create_plain(card, *request);
  return request->rsf->is_pin() ? create_pin(card, *request) : create_key(card, *request);
}

Reply delete_file(Card& card, const Command& command) {
  if (command.p1_p2() != 0) return sw::wrong_p1_p2;
  if (!command.data.empty() && command.data.size() != 2) return sw::wrong_length;
  if (card.current_df.empty()) return sw::file_not_found;
  const auto file = file_to_delete(card, command.data);
  if (!file) return sw::file_not_found;
  // assumed: the MF goes with 80 8A only, in every phase.
  if (file->path.is_mf()) return sw::conditions_not_satisfied;
  if (!card.allowed(file->security, Access::remove)) return sw::security_status_not_satisfied;
  card.files.remove(file->path);
  if (card.current_ef && card.current_ef->is_inside(file->path)) card.current_ef.reset();
  if (card.current_df.is_inside(file->path)) card.current_df = file->path.parent();
  return sw::ok;
}

}  // namespace kilt::sim::kaztoken
