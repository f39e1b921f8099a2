// SPDX-License-Identifier: Apache-2.0
#include "drivers/etoken72k_files.hpp"

#include <algorithm>

#include "apdu/tlv.hpp"
#include "drivers/etoken72k.hpp"

namespace kilt::card::etoken {
namespace {

/// Whether a card that knows no long pieces would answer so.
bool refuses_length(apdu::StatusWord status) {
  return status == apdu::sw::wrong_length || status == apdu::sw::wrong_data ||
         status == apdu::sw::wrong_p1_p2 || status.wrong_le();
}

}  // namespace

Status Files::select_applet() {
  forget();
  auto status = select_etoken_applet(link_);
  if (status) is_applet_lost_ = false;
  return status;
}

Result<apdu::ResponseApdu> Files::send(const Command& command) {
  auto answer = link_.send(command);
  if (!answer || answer->status != apdu::sw::security_status_not_satisfied || !login_.role())
    return answer;
  // Quirk: on observed tokens a read of a protected file uses up the login [facts etoken §5.4].
  if (auto status = renew_login(); !status) return status.take_error();
  return link_.send(command);
}

Status Files::renew_login() {
  const auto before = current_;
  const auto has_moved = login_.renew();
  if (!has_moved || *has_moved) forget();
  if (!has_moved) return has_moved.error();
  // A SELECT that is to be repeated needs no selection: it forgot it.
  if (!before || current_ == before) return {};
  const auto how = info_ ? apdu::SelectAnswer::fcp : apdu::SelectAnswer::none;
  const std::string what = "selecting " + to_string(*before) + " again";
  auto status = check(link_.send(command::select(*before, how)), what.c_str());
  if (status) current_ = before;
  return status;
}

Result<apdu::ResponseApdu> Files::send_select(const FilePath& path, apdu::SelectAnswer how) {
  const bool is_first = is_stale_ && !is_applet_lost_;
  forget();
  if (auto status = ensure_applet(); !status) return status.take_error();
  auto answer = send(command::select(path, how));
  if (!answer) return answer;
  if (is_first && !answer->ok() && answer->status != apdu::sw::security_status_not_satisfied) {
    // Either there is no such file, or somebody selected another applet since our last operation:
    // then there is no root either. Not at a guess, for selecting the applet ends a login.
    const FilePath root{path.front()};
    auto found = send(command::select(root, apdu::SelectAnswer::none));
    if (!found) return found;
    if (found->ok()) {
      is_stale_ = false;
      current_ = root;
      return answer;
    }
    if (auto status = select_applet(); !status) return status.take_error();
    answer = send(command::select(path, how));
    if (!answer) return answer;
  }
  is_stale_ = false;
  info_.reset();
  if (answer->ok()) current_ = path;
  return answer;
}

Result<FileInfo> Files::select(const FilePath& path) {
  if (!is_stale_ && current_ == path && info_) return *info_;
  const std::string what = "selecting " + to_string(path);
  const auto answer = send_select(path, apdu::SelectAnswer::fcp);
  if (auto status = check(answer, what.c_str()); !status) {
    // [facts etoken §5.9] 6A82, 6A86 and 6A88 were seen for a file that is not there.
    auto error = status.take_error();
    if (error.sw == apdu::sw::wrong_p1_p2.value) error.kind = ErrorKind::not_found;
    return error;
  }
  auto info = parse_file_info(answer->data, path.back());
  if (!info) {
    forget();
    return info.take_error().within(what);
  }
  info_ = *info;
  return *info;
}

Status Files::enter(const FilePath& directory) {
  if (!is_stale_ && current_) {
    if (*current_ == directory) return {};
    const bool is_inside = current_->size() == directory.size() + 1 &&
                           std::equal(directory.begin(), directory.end(), current_->begin());
    if (is_inside && info_ && !info_->is_directory) return {};
  }
  return enter_anew(directory);
}

Status Files::enter_anew(const FilePath& directory) {
  const std::string what = "selecting " + to_string(directory);
  auto status = check(send_select(directory, apdu::SelectAnswer::none), what.c_str());
  if (status || status.error().sw != apdu::sw::wrong_p1_p2.value) return status;
  auto error = status.take_error();
  error.kind = ErrorKind::not_found;
  return error;
}

Result<std::vector<std::uint16_t>> Files::list(const FilePath& directory) {
  if (auto status = enter(directory); !status) return status.take_error();
  const auto answer = send(command::directory());
  if (auto status = check(answer, "listing files"); !status) return status.take_error();
  std::vector<std::uint16_t> ids;
  if (answer->data.empty()) return ids;
  ByteView rest = answer->data;
  auto list = apdu::read_simple_tlv(rest);
  if (!list || list->tag != 0x0A || list->value.size() % 2 != 0) {
    return Error{ErrorKind::protocol, "the card's list of files makes no sense"};
  }
  for (std::size_t i = 0; i < list->value.size(); i += 2) {
    const auto id = be16(list->value[i], list->value[i + 1]);
    if (std::find(ids.begin(), ids.end(), id) == ids.end()) ids.push_back(id);
  }
  return ids;
}

// ---- contents --------------------------------------------------------------------------------

/// Only on a reader that says so: a silent one is tried where there is no other way, not here.
bool Files::long_pieces() const {
  const auto limits = link_.transport().limits();
  constexpr std::size_t frame =
      4 + 3 + 2 + 4 + 4;  // of the APDU, the offset, and the data's header
  return !short_only_ && limits.extended && limits.max_command >= write_extended + frame &&
         limits.max_response >= read_extended + 2 &&
         link_.transport().protocol() == apdu::Protocol::t1;
}

std::size_t Files::write_step() const {
  return long_pieces() ? write_extended : write_short;
}

/// Whether anybody may read the selected file. What not everybody may read, no trace shows.
bool Files::is_open_to_all() const {
  return info_ && info_->acl[0] == Rights::anybody;
}

Result<Bytes> Files::read_piece(std::size_t offset, std::size_t count) {
  const apdu::Channel::Privacy privacy(link_.channel(), !is_open_to_all());
  auto answer = send(command::read(offset, count));
  if (count > read_short) {
    const bool is_refused =
        answer ? refuses_length(answer->status) : answer.error().kind == ErrorKind::refused;
    if (is_refused) {
      short_only_ = true;
      count = read_short;
      answer = send(command::read(offset, count));
    }
  }
  if (auto status = check(answer, "reading a file"); !status) return status.take_error();
  if (answer->data.empty() || answer->data.size() > count) {
    return Error{ErrorKind::protocol, "the card sent another number of bytes than asked for"};
  }
  return std::move(answer->data);
}

Result<Bytes> Files::read(std::size_t size) {
  Bytes content;
  while (content.size() < size) {
    const std::size_t step = long_pieces() ? read_extended : read_short;
    auto piece = read_piece(content.size(), std::min(step, size - content.size()));
    if (!piece) return piece;
    append(content, *piece);
  }
  return content;
}

Result<Bytes> Files::read_file(const FilePath& path) {
  auto info = select(path);
  if (!info) return info.take_error();
  if (info->is_directory || info->size > longest_file) {
    return Error{ErrorKind::protocol, to_string(path) + " is no file that can be read"};
  }
  return read(info->size);
}

Result<bool> Files::holds(const FilePath& path, ByteView content) {
  auto info = select(path);
  if (!info) return info.take_error();
  if (info->is_directory || info->size != content.size()) return false;
  while (!content.empty()) {
    const std::size_t offset = info->size - content.size();
    auto piece = read_piece(offset, std::min(content.size(), read_short));
    if (!piece) return piece.take_error();
    if (!equal(*piece, content.first(piece->size()))) return false;
    content = content.subspan(piece->size());
  }
  return true;
}

Status Files::write_piece(std::size_t offset, ByteView piece) {
  const apdu::Channel::Privacy privacy(link_.channel(), !is_open_to_all());
  return check(send(command::write(offset, piece)), "writing a file");
}

Status Files::write(ByteView content) {
  // From the end on, so that a file whose first byte is not zero is whole.
  std::size_t left = content.size();
  while (left > 0) {
    const std::size_t step = std::min(write_step(), left);
    auto status = write_piece(left - step, content.subspan(left - step, step));
    if (!status && step > write_short) {
      const auto& error = status.error();
      if (error.kind != ErrorKind::refused && !refuses_length({error.sw})) return status;
      short_only_ = true;
      continue;
    }
    if (!status) return status;
    left -= step;
  }
  return {};
}

// ---- making and removing ---------------------------------------------------------------------

Status Files::create(bool is_directory, const FilePath& path, std::size_t size,
                     const Rights& rights) {
  if (auto status = enter(path.parent()); !status) return status;
  const auto answer = send(command::create(is_directory, path.back(), size, rights));
  forget();
  if (auto status = check(answer, "creating a file"); !status) return status;
  current_ = path;
  info_ = FileInfo{is_directory, size, bytes_of(rights)};
  return {};
}

Status Files::create_directory(const FilePath& path, const Rights& rights) {
  return create(true, path, 0, rights);
}

Status Files::create_file(const FilePath& path, std::size_t size, const Rights& rights) {
  return create(false, path, size, rights);
}

Status Files::remove(const FilePath& path) {
  auto info = select(path);
  if (!info) return info.take_error();
  const auto answer = send(command::remove());
  forget();
  return check(answer, "deleting a file");
}

}  // namespace kilt::card::etoken
