// SPDX-License-Identifier: Apache-2.0
#include "drivers/jacarta_files.hpp"

#include <algorithm>

#include "apdu/tlv.hpp"

namespace kilt::card::jacarta {
namespace {

constexpr std::size_t read_step = 256, update_step = 255;
constexpr std::uint32_t descriptor_tag = 0x87, properties_constructed_tag = 0xA5, count_tag = 0xD1,
                        entry_tag = 0xD2;

std::size_t number(ByteView bytes) {
  std::size_t value = 0;
  for (const auto byte : bytes.first(std::min<std::size_t>(bytes.size(), 4)))
    value = value << 8 | byte;
  return value;
}

FileType type_of(std::uint8_t descriptor) {
  switch (descriptor >> 3 & 7) {
    case 0:
      return FileType::ef;
    case 1:
      return FileType::ko;
    default:
      return FileType::df;
  }
}

}  // namespace

Result<FileFacts> parse_file_facts(ByteView answer) {
  auto inside = apdu::find_tag(answer, apdu::tag::fcp_template);
  if (!inside) inside = apdu::find_tag(answer, apdu::tag::fci_template);
  if (!inside) return Error{ErrorKind::protocol, "the answer to SELECT describes no file"};
  FileFacts facts;
  bool has_descriptor = false;
  apdu::BerReader reader(*inside);
  while (!reader.done()) {
    auto object = reader.next();
    if (!object) return object.take_error().within("reading what SELECT tells of a file");
    const ByteView value = object->value;
    switch (object->tag) {
      case apdu::tag::file_size:
      case apdu::tag::allocated_size:
        facts.size = number(value);
        break;
      case descriptor_tag:
        if (value.empty()) break;
        facts.type = type_of(value[0]);
        has_descriptor = true;
        break;
      case apdu::tag::proprietary:
      case properties_constructed_tag:
        facts.properties = copy_of(value);
        break;
      case apdu::tag::security_attribute_proprietary:
        facts.rules = copy_of(value);
        break;
      default:
        break;
    }
  }
  if (!has_descriptor) {
    return Error{ErrorKind::protocol, "the answer to SELECT does not say what kind of file it is"};
  }
  return facts;
}

Status Files::select_applet() {
  forget();
  ++applet_selections_;
  applet_is_known_ = true;
  return check(send(command::select_applet(Applet::laser)), "selecting the LASER applet");
}

/// After a SELECT that failed: whether another applet answers, as after somebody else's SELECT.
Result<bool> Files::is_applet_lost() {
  constexpr std::size_t serial_size = 8;
  const auto answer = send(command::serial());
  if (!answer) return answer.error();
  return !answer->ok() || answer->data.size() != serial_size;
}

Result<apdu::ResponseApdu> Files::send_select(const FilePath& path) {
  if (!applet_is_known_) {
    if (auto back = select_applet(); !back) return back.take_error();
    stale_ = false;
  }
  auto answer = send(command::select(path));
  if (!answer || answer->ok() || !std::exchange(stale_, false)) return answer;
  const auto lost = is_applet_lost();
  if (!lost) return lost.error();
  if (!*lost) return answer;
  if (auto back = select_applet(); !back) return back.take_error();
  return send(command::select(path));
}

Result<FileFacts> Files::select(const FilePath& path) {
  if (!stale_ && current_ == path) return facts_;
  forget();
  const std::string what = "selecting " + to_string(path);
  const auto answer = send_select(path);
  if (auto status = check(answer, what.c_str()); !status) return status.take_error();
  auto facts = parse_file_facts(answer->data);
  if (!facts) return facts.take_error().within(what);
  facts_ = *facts;
  current_ = path;
  stale_ = false;
  return facts_;
}

Result<Bytes> Files::read(std::size_t offset, std::size_t count) {
  const auto answer = send(command::read_binary(offset, count));
  if (!answer) return answer.error().within("reading a file");
  if (!answer->ok() && answer->status != apdu::sw::end_of_file)
    return status_error(answer->status, "reading " + (current_ ? to_string(*current_) : "a file"));
  if (answer->data.size() > count) {
    return Error{ErrorKind::protocol, "the card sent more bytes of a file than were asked for"};
  }
  return answer->data;
}

Result<Bytes> Files::read_file(const FilePath& path) {
  const auto facts = select(path);
  if (!facts) return facts.error();
  if (facts->type != FileType::ef || facts->size > longest_file) {
    return Error{ErrorKind::protocol, to_string(path) + " is no file that can be read"};
  }
  Bytes content;
  while (content.size() < facts->size) {
    auto piece = read(content.size(), std::min(read_step, facts->size - content.size()));
    if (!piece) return piece;
    if (piece->empty()) break;
    append(content, *piece);
  }
  return content;
}

Status Files::update(std::size_t offset, ByteView data) {
  return check(send(command::update_binary(offset, data)), "writing a file");
}

Status Files::write(ByteView content) {
  // The vendor's steps, but from the end to the front: without its header a file is not valid.
  std::size_t at = content.empty() ? 0 : (content.size() - 1) / update_step * update_step;
  for (;;) {
    const auto piece = content.subspan(at, std::min(update_step, content.size() - at));
    if (auto status = update(at, piece); !status) return status;
    if (at == 0) return {};
    at -= update_step;
  }
}

Status Files::create(const FilePath& parent, const NewFile& file) {
  if (auto selected = select(parent); !selected) return selected.take_error();
  forget();
  return check(send(command::create(file)), "creating a file");
}

Status Files::remove(const FilePath& path, bool erasing) {
  auto selected = select(path);
  if (!selected) return selected.take_error();
  const bool is_df = selected->type == FileType::df;
  forget();
  return check(send(erasing ? command::erase(is_df) : command::remove(is_df)), "deleting a file");
}

Result<std::vector<std::uint16_t>> Files::list(const FilePath& df, FileType type) {
  const std::string what = "listing " + to_string(df);
  if (auto selected = select(df); !selected) return selected.take_error();
  const auto answer = send(command::list_files(type));
  if (auto status = check(answer, what.c_str()); !status) return status.take_error();
  std::vector<std::uint16_t> ids;
  apdu::BerReader reader(answer->data);
  // The count is known by its low byte only, so the entries speak for themselves.
  if (auto count = reader.expect(count_tag); !count) return count.take_error().within(what);
  while (!reader.done()) {
    auto entry = reader.expect(entry_tag);
    if (!entry) return entry.take_error().within(what);
    if (entry->value.size() < 2) return Error{ErrorKind::protocol, what + ": a file without id"};
    ids.push_back(be16(entry->value[0], entry->value[1]));
  }
  return ids;
}

}  // namespace kilt::card::jacarta
