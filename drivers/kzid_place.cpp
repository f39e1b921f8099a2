// SPDX-License-Identifier: Apache-2.0
#include "drivers/kzid_place.hpp"

#include <algorithm>
#include <cstdio>

namespace kilt::card::kzid {
namespace {

std::string name_of(std::uint16_t id) {
  return to_string(FilePath{file::application, id});
}

/// How many bytes the object at the front takes; nothing when its length is not there yet, or makes
/// no sense.
std::optional<std::size_t> object_size(ByteView bytes) {
  if (bytes.size() < 2) return std::nullopt;
  if (bytes[1] < 0x80) return 2 + std::size_t{bytes[1]};
  if (bytes[1] == 0x81 && bytes.size() >= 3) return 3 + std::size_t{bytes[2]};
  if (bytes[1] == 0x82 && bytes.size() >= 4) return 4 + std::size_t{be16(bytes[2], bytes[3])};
  return std::nullopt;
}

/// Whether the 00 that ends a directory has been read. Entries that make no sense never end; the
/// file does.
bool is_ended(ByteView content) {
  while (!content.empty() && content[0] != 0) {
    const auto size = object_size(content);
    if (!size || *size > content.size()) return false;
    content = content.subspan(*size);
  }
  return !content.empty();
}

}  // namespace

bool is_absent(apdu::StatusWord status) {
  return status == apdu::sw::file_not_found || status == apdu::sw::reference_not_found;
}

bool is_not_there(const Error& error) {
  return error.kind == ErrorKind::not_found || error.kind == ErrorKind::unsupported ||
         error.kind == ErrorKind::refused;
}

Result<apdu::ResponseApdu> Place::ask(const Command& command) {
  if (auto entered = enter(); !entered) return entered.take_error();
  auto answer = link_.send(command);
  if (answer && is_absent(answer->status) && !sure_) {
    if (auto entered = enter_surely(); !entered) return entered.take_error();
    answer = link_.send(command);
  }
  if (answer && answer->ok()) sure_ = true;
  return answer;
}

void Place::begin() {
  sure_ = false;
  file_.reset();
}

void Place::forget() {
  begin();
  where_ = Where::unknown;
}

Status Place::select_master() {
  forget();
  ++selections_;
  if (auto status = check(send(command::select_master()), "selecting the MF"); !status)
    return status;
  where_ = Where::master;
  sure_ = true;
  return {};
}

Status Place::stand_in_master() {
  if (where_ == Where::master) return {};
  return select_master();
}

Status Place::enter_surely() {
  if (is_sure()) return {};
  if (auto status = select_master(); !status) return status;
  const auto answer = send(command::select_application());
  if (auto status = check(answer, "selecting the card's signature part (DF 0101)"); !status)
    return status;
  where_ = Where::application;
  return {};
}

/// One SELECT at most where the card stands in the MF or in DF 0101, as it nearly always does.
Status Place::enter() {
  if (where_ == Where::application) return {};
  file_.reset();
  sure_ = false;
  ++selections_;
  const auto answer = send(command::select_application());
  if (answer && is_absent(answer->status)) return enter_surely();
  if (auto status = check(answer, "selecting the card's signature part (DF 0101)"); !status)
    return status;
  where_ = Where::application;
  return {};
}

// ---- files -----------------------------------------------------------------------------------

Status Place::select(std::uint16_t id) {
  if (file_ == id && is_sure()) return {};
  file_.reset();
  const std::string what = "selecting " + name_of(id);
  if (auto status = check(ask(command::select_file(id)), what.c_str()); !status) return status;
  file_ = id;
  return {};
}

Result<Bytes> Place::read_piece(std::size_t offset, std::size_t count) {
  const auto answer = send(command::read(offset, count));
  if (!answer) return answer.error().within("reading a file");
  // What the card answers at the end of a file is not known: each of three customs is taken for it.
  if (answer->status == apdu::sw::offset_outside && offset > 0) return Bytes{};
  if (!answer->ok() && answer->status != apdu::sw::end_of_file)
    return status_error(answer->status, "reading " + name_of(*file_));
  if (answer->data.size() > count) {
    return Error{ErrorKind::protocol, "the card sent more bytes of a file than were asked for"};
  }
  return answer->data;
}

Result<Bytes> Place::read_directory(std::uint16_t id, std::size_t step) {
  if (auto status = select(id); !status) return status.take_error();
  Bytes content;
  while (!is_ended(content)) {
    if (content.size() >= longest_directory) {
      return Error{ErrorKind::protocol, name_of(id) + " has no end"};
    }
    auto piece = read_piece(content.size(), step);
    if (!piece) return piece;
    if (piece->empty()) break;
    append(content, *piece);
  }
  return content;
}

Result<Bytes> Place::read_value(std::uint16_t id) {
  if (auto status = select(id); !status) return status.take_error();
  auto content = read_piece(0, 256);
  if (!content) return content;
  const auto size = object_size(*content);
  if (!size || *size > longest_value) {
    return Error{ErrorKind::protocol, name_of(id) + " holds no value of a length that makes sense"};
  }
  while (content->size() < *size) {
    auto piece = read_piece(content->size(), std::min<std::size_t>(256, *size - content->size()));
    if (!piece) return piece;
    if (piece->empty()) {
      return Error{ErrorKind::protocol, name_of(id) + " ends inside its value"};
    }
    append(*content, *piece);
  }
  content->resize(*size);
  return content;
}

Result<bool> Place::begins_with(std::uint16_t id, ByteView expected) {
  if (auto status = select(id); !status) return status.take_error();
  for (std::size_t at = 0; at < expected.size();) {
    const auto wanted = expected.subspan(at, std::min<std::size_t>(256, expected.size() - at));
    auto piece = read_piece(at, wanted.size());
    if (!piece) return piece.take_error();
    if (piece->empty() || !equal(*piece, wanted.first(piece->size()))) return false;
    at += piece->size();
  }
  return true;
}

Result<std::size_t> Place::capacity(std::uint16_t id) {
  file_.reset();
  const auto answer = ask(command::select_file_control(id));
  const std::string what = "selecting " + name_of(id);
  if (auto status = check(answer, what.c_str()); !status) return status.take_error();
  auto control = parse_file_control(answer->data);
  if (!control) return control.take_error().within(what);
  file_ = id;
  return control->size;
}

Status Place::write(std::uint16_t id, std::size_t offset, ByteView data) {
  if (auto status = select(id); !status) return status;
  while (!data.empty()) {
    const auto piece = data.first(std::min<std::size_t>(data.size(), 255));
    const std::string what = "writing " + name_of(id);
    if (auto status = check(send(command::update(offset, piece)), what.c_str()); !status)
      return status;
    offset += piece.size();
    data = data.subspan(piece.size());
  }
  return {};
}

Status Place::create(std::uint16_t id, std::size_t size) {
  file_.reset();  // whether a new EF becomes the current one is not known
  return check(ask(command::create(id, size)), "creating a file");
}

Status Place::remove(std::uint16_t id) {
  file_.reset();
  return check(ask(command::remove(id)), "deleting a file");
}

Result<Bytes> Place::read_serial() {
  constexpr const char* what = "reading the serial number";
  file_.reset();
  if (auto allowed = allows(command::select_serial()); !allowed) return allowed.take_error();
  if (auto status = stand_in_master(); !status) return status.take_error();
  auto answer = send(command::select_serial());
  if (auto status = check(answer, what); !status) return status.take_error();
  answer = send(command::read_serial());
  if (!answer) return answer.error().within(what);
  if (!answer->ok() && answer->status != apdu::sw::end_of_file)
    return status_error(answer->status, what);
  return answer->data;
}

}  // namespace kilt::card::kzid
