// SPDX-License-Identifier: Apache-2.0
#include "drivers/iso_card.hpp"

#include <algorithm>
#include <cstdio>

#include "apdu/tlv.hpp"

namespace kilt::card {
namespace {

constexpr std::uint16_t master_file = 0x3F00;

std::size_t number(ByteView bytes) {
  std::size_t value = 0;
  for (auto byte : bytes.first(std::min<std::size_t>(bytes.size(), 4)))
    value = value << 8 | byte;
  return value;
}

/// Where the entries at the front of `bytes` end, and whether that is the end of the directory.
struct EntryScan {
  std::size_t end = 0;    ///< end of the last entry that is whole, or begun
  bool complete = false;  ///< a 00 stands at `end`
};

/// Length of tag and length field, and of the whole entry; nothing when more bytes are needed.
Result<std::optional<std::size_t>> entry_length(ByteView bytes) {
  if (bytes.size() < 2) return std::optional<std::size_t>{};
  const Error broken{ErrorKind::protocol,
                     "a directory entry with a tag or length that makes no sense"};
  if ((bytes[0] & 0x1F) == 0x1F) return broken;
  if (bytes[1] < 0x80) return std::optional<std::size_t>{2 + bytes[1]};
  const std::size_t count = bytes[1] & 0x7F;
  if (count == 0 || count > 2) return broken;
  if (bytes.size() < 2 + count) return std::optional<std::size_t>{};
  return std::optional<std::size_t>{2 + count + number(bytes.subspan(2, count))};
}

Result<EntryScan> scan_entries(ByteView bytes, std::size_t file_size) {
  EntryScan scan;
  while (scan.end < bytes.size()) {
    if (bytes[scan.end] == 0) {
      scan.complete = true;
      return scan;
    }
    auto length = entry_length(bytes.subspan(scan.end));
    if (!length) return length.take_error();
    if (!*length) return scan;
    if (**length > file_size - scan.end) {
      return Error{ErrorKind::protocol, "a directory entry is longer than its file"};
    }
    scan.end += **length;
  }
  return scan;
}

}  // namespace

std::string to_string(const FilePath& path) {
  std::string text = "3F00";
  for (auto id : path) {
    char part[8];
    std::snprintf(part, sizeof part, "/%04X", id);
    text += part;
  }
  return text;
}

Result<FileControl> parse_file_control(ByteView answer) {
  auto inside = apdu::find_tag(answer, apdu::tag::fci_template);
  if (!inside) inside = apdu::find_tag(answer, apdu::tag::fcp_template);
  if (!inside)
    return Error{ErrorKind::protocol, "the answer to SELECT holds no file control information"};
  FileControl control;
  apdu::BerReader reader(*inside);
  while (!reader.done()) {
    auto object = reader.next();
    if (!object) return object.take_error().within("reading file control information");
    const ByteView value = object->value;
    switch (object->tag) {
      case apdu::tag::file_size:
        control.size = number(value);
        break;
      case apdu::tag::file_descriptor:
        control.descriptor = value.empty() ? 0 : value[0];
        break;
      case apdu::tag::file_identifier:
        control.id = static_cast<std::uint16_t>(number(value));
        break;
      case apdu::tag::proprietary:
        control.properties = copy_of(value);
        break;
      case apdu::tag::security_attribute_proprietary:
        control.security = copy_of(value);
        break;
      default:
        break;
    }
  }
  return control;
}

namespace {

ErrorKind kind_of(apdu::StatusWord status) {
  switch (status.value) {
    case 0x6982:
      return ErrorKind::not_logged_in;
    case 0x6983:
      return ErrorKind::access_denied;
    case 0x6984:
    case 0x6985:
    case 0x6986:
      return ErrorKind::card_state;
    case 0x6700:
    case 0x6A80:
      return ErrorKind::bad_argument;
    case 0x6A82:
    case 0x6A88:
      return ErrorKind::not_found;
    case 0x6A84:
      return ErrorKind::no_space;
    case 0x6A89:
      return ErrorKind::exists;
    case 0x6A81:
    case 0x6A86:
    case 0x6D00:
    case 0x6E00:
      return ErrorKind::unsupported;
    default:
      return ErrorKind::protocol;
  }
}

}  // namespace

Error status_error(apdu::StatusWord status, std::string what) {
  return {kind_of(status), std::move(what) + ": " + apdu::meaning(status), status.value};
}

Status check(const Result<apdu::ResponseApdu>& answer, const char* what) {
  if (!answer) return answer.error().within(what);
  if (!answer->ok()) return status_error(answer->status, what);
  return {};
}

Error pin_error(apdu::StatusWord status, std::string what) {
  auto error = status_error(status, std::move(what));
  if (status.sw1() == 0x63) {
    error.kind = ErrorKind::pin_incorrect;
    error.tries_left = status.tries_left();
  }
  if (error.sw == 0x6983) error.kind = ErrorKind::pin_blocked;
  if (error.sw == 0x6984) error.kind = ErrorKind::pin_not_set;
  return error;
}

Status check_pin(const Result<apdu::ResponseApdu>& answer, const char* what) {
  if (!answer) return answer.error().within(what);
  return answer->ok() ? Status{} : Status(pin_error(answer->status, what));
}

Result<Bytes> gather_random(Link& link, std::size_t count, std::size_t step,
                            Command (*ask)(std::size_t count)) {
  Bytes bytes;
  while (bytes.size() < count) {
    const std::size_t wanted = std::min(step, count - bytes.size());
    const auto answer = link.send(ask(wanted));
    if (auto status = check(answer, "getting random bytes"); !status) return status.take_error();
    if (answer->data.size() != wanted) {
      return Error{ErrorKind::protocol,
                   "the card sent another number of random bytes than asked for"};
    }
    append(bytes, answer->data);
  }
  return bytes;
}

Command IsoFiles::command(apdu::CommandApdu apdu, const char* operation) const {
  return {std::move(apdu), pedigree_.evidence, operation, pedigree_.source};
}

Result<FileControl> IsoFiles::select(const FilePath& path) {
  if (!stale_ && is_known_ && current_ == path) return control_;
  Bytes ids;
  for (auto id : path)
    append_be16(ids, id);
  const bool is_mf = path.empty();
  if (is_mf) append_be16(ids, master_file);
  forget();
  const auto mode = is_mf ? apdu::SelectMode::by_id : apdu::SelectMode::path_from_mf;
  const auto answer =
      link_.send(command(apdu::select(mode, ids, apdu::SelectAnswer::fci), "select a file"));
  const std::string what = "selecting " + to_string(path);
  if (auto status = check(answer, what.c_str()); !status) return status.take_error();
  auto control = parse_file_control(answer->data);
  if (!control) return control.take_error().within(what);
  control_ = *control;
  current_ = path;
  current_is_ef_ = !is_mf && !control->is_df();
  is_known_ = true;
  stale_ = false;
  return control_;
}

void IsoFiles::forget() {
  current_.reset();
  current_is_ef_ = false;
  is_known_ = false;
}

Status IsoFiles::enter(const FilePath& df) {
  if (current_ && !stale_) {
    if ((current_is_ef_ ? current_->parent() : *current_) == df) return {};
  }
  auto selected = select(df);
  if (!selected) return selected.take_error();
  if (!selected->is_df()) return Error{ErrorKind::protocol, to_string(df) + " is no directory"};
  return {};
}

void IsoFiles::moved_to_df(const FilePath& df) {
  current_ = df;
  current_is_ef_ = false;
  is_known_ = false;
  stale_ = false;
}

Result<Bytes> IsoFiles::read_piece(std::size_t offset, std::size_t count) {
  const auto answer = link_.send(command(apdu::read_binary(offset, count), "read a file"));
  if (!answer) return answer.error().within("reading a file");
  const auto status = answer->status;
  // Quirk: what a card answers at the end of a file is not known here, so each of the three
  // customs is taken for the end [facts kaztoken §10.1 #21].
  if (status == apdu::sw::offset_outside && offset > 0) return Bytes{};
  if (!status.ok() && status != apdu::sw::end_of_file) {
    return status_error(status, "reading " + (current_ ? to_string(*current_) : "a file"));
  }
  if (answer->data.size() > count) {
    return Error{ErrorKind::protocol, "the card sent more bytes of a file than were asked for"};
  }
  return answer->data;
}

Result<Bytes> IsoFiles::read(std::size_t size) {
  Bytes content;
  while (content.size() < size) {
    const std::size_t count = std::min<std::size_t>(256, size - content.size());
    auto piece = read_piece(content.size(), count);
    if (!piece) return piece;
    if (piece->empty()) break;
    append(content, *piece);
  }
  return content;
}

Result<bool> IsoFiles::holds(std::size_t offset, ByteView expected) {
  if (is_known_ && control_.size < offset + expected.size()) return false;
  while (!expected.empty()) {
    auto piece = read_piece(offset, std::min<std::size_t>(256, expected.size()));
    if (!piece) return piece.take_error();
    if (piece->empty() || !equal(*piece, expected.first(piece->size()))) return false;
    offset += piece->size();
    expected = expected.subspan(piece->size());
  }
  return true;
}

Result<Bytes> IsoFiles::read_file(const FilePath& path) {
  auto selected = select(path);
  if (!selected) return selected.take_error();
  if (selected->is_df() || selected->size > longest_file) {
    return Error{ErrorKind::protocol, to_string(path) + " is no file that can be read"};
  }
  return read(selected->size);
}

Result<IsoFiles::Entries> IsoFiles::read_entries(const FilePath& path) {
  auto selected = select(path);
  if (!selected) return selected.take_error();
  const std::size_t size = selected->size;
  if (selected->is_df() || size > longest_file) {
    return Error{ErrorKind::protocol, to_string(path) + " is no directory file"};
  }
  Bytes content;
  for (;;) {
    auto scan = scan_entries(content, size);
    if (!scan) return scan.take_error().within("reading " + to_string(path));
    if (scan->complete || content.size() == size) {
      if (scan->end > content.size()) {
        return Error{ErrorKind::protocol, to_string(path) + " ends inside an entry"};
      }
      content.resize(scan->end);
      return Entries{std::move(content), size};
    }
    auto piece = read_piece(content.size(), std::min<std::size_t>(256, size - content.size()));
    if (!piece) return piece.take_error();
    if (piece->empty()) {
      return Error{ErrorKind::protocol, to_string(path) + " is shorter than it says"};
    }
    append(content, *piece);
  }
}

Status IsoFiles::update(std::size_t offset, ByteView data) {
  while (!data.empty()) {
    const auto piece = data.first(std::min(data.size(), update_step));
    if (auto status = check(link_.send(command(apdu::update_binary(offset, piece), "write a file")),
                            "writing a file");
        !status) {
      return status;
    }
    offset += piece.size();
    data = data.subspan(piece.size());
  }
  return {};
}

Status IsoFiles::create(ByteView fci, const char* operation) {
  // Whether a new EF becomes current is not known; the DF that holds it stays the current one.
  if (current_ && current_is_ef_) {
    current_ = current_->parent();
    current_is_ef_ = false;
  }
  is_known_ = false;
  return check(link_.send(command(apdu::create_file(fci), operation)), operation);
}

Status IsoFiles::remove(const FilePath& path) {
  auto selected = select(path);
  if (!selected) return selected.take_error();
  forget();
  return check(link_.send(command(apdu::delete_file(path.back()), "delete a file")),
               "deleting a file");
}

}  // namespace kilt::card
