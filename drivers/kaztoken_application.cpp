// SPDX-License-Identifier: Apache-2.0
#include "drivers/kaztoken_application.hpp"

#include <algorithm>

#include "drivers/refusals.hpp"

namespace kilt::card::kaztoken {

using pkcs15::ended;
using pkcs15::joined;

void Application::forget() {
  odf_read_ = false;
  odf_.clear();
  directories_.clear();
}

Status Application::read_odf() {
  if (odf_read_) return {};
  auto read = files_.read_entries(file::odf);
  if (!read) {
    if (read.error().kind != ErrorKind::not_found) return read.take_error().within("reading ODF");
    odf_read_ = true;
    odf_.clear();
    return {};
  }
  auto lines = pkcs15::split(read->content);
  if (!lines) return lines.take_error().within("reading ODF");
  odf_ = std::move(*lines);
  odf_file_size_ = read->size;
  odf_read_ = true;
  return {};
}

Result<bool> Application::exists() {
  if (auto status = read_odf(); !status) return status.take_error();
  return !odf_.empty();
}

Result<Application::Directory*> Application::directory(pkcs15::Kind kind) {
  if (const auto known = directories_.find(kind); known != directories_.end())
    return &known->second;
  if (auto status = read_odf(); !status) return status.take_error();
  auto pointers = pkcs15::parse_odf(joined(odf_));
  if (!pointers) return pointers.take_error();
  Directory made;
  for (const auto& pointer : *pointers) {
    if (pointer.tag != static_cast<std::uint8_t>(kind)) continue;
    auto path = parse_path(pointer.path);
    if (!path) return path.take_error().within("reading ODF");
    auto read = files_.read_entries(*path);
    if (!read && read.error().kind == ErrorKind::not_found) {
      // A change whose end nobody saw can leave ODF naming a file that is gone. Its spare file, if
      // there, has the state before; without one the directory begins anew, and keys are found in
      // the chip (kaztoken_keys).
      const auto spare = in_application(path->back() ^ 0x10);
      read = files_.read_entries(spare);
      if (!read && read.error().kind == ErrorKind::not_found) break;
      path = spare;
    }
    if (!read) return read.take_error();
    auto entries = pkcs15::split(read->content);
    if (!entries) return entries.take_error().within("reading " + to_string(*path));
    made = {*path, std::move(*entries), read->size};
    break;
  }
  return &directories_.emplace(kind, std::move(made)).first->second;
}

Result<std::vector<Bytes>> Application::entries(pkcs15::Kind kind) {
  auto found = directory(kind);
  if (!found) return found.take_error();
  return (*found)->entries;
}

Status Application::reread(pkcs15::Kind kind) {
  const auto known = directories_.find(kind);
  if (known == directories_.end() || known->second.path.empty()) return {};
  auto read = files_.read_entries(known->second.path);
  if (!read && read.error().kind != ErrorKind::not_found) return read.take_error();
  auto entries = read ? pkcs15::split(read->content) : Result<std::vector<Bytes>>(Error{});
  if (entries) {
    known->second.entries = std::move(*entries);
    known->second.size = read->size;
  } else {
    forget();  // it was moved, or spoiled: looked for from the start
  }
  return {};
}

Status Application::store(pkcs15::Kind kind, std::vector<Bytes> entries) {
  auto found = directory(kind);
  if (!found) return found.take_error();
  Directory& target = **found;
  if (target.path.empty()) {
    if (entries.empty()) return {};
    return create_directory(kind, target, std::move(entries));
  }
  const auto writes = plan_in_place(joined(target.entries), joined(entries), target.size);
  if (!writes) return switch_directory(kind, target, std::move(entries));
  if (!writes->empty()) {
    if (auto selected = files_.select(target.path); !selected) return selected.take_error();
  }
  for (const auto& write : *writes) {
    if (auto status = files_.update(write.offset, write.data); !status) return status;
  }
  target.entries = std::move(entries);
  return {};
}

Status Application::add(pkcs15::Kind kind, Bytes entry) {
  auto all = entries(kind);
  if (!all) return all.take_error();
  all->push_back(std::move(entry));
  return store(kind, std::move(*all));
}

Status Application::replace_if_simple(pkcs15::Kind kind, const Bytes& old, Bytes changed) {
  auto found = directory(kind);
  if (!found) return found.take_error();
  std::vector<Bytes> wanted = (*found)->entries;
  const auto at = std::find(wanted.begin(), wanted.end(), old);
  if (at == wanted.end()) return {};
  *at = std::move(changed);
  const auto writes = plan_in_place(joined((*found)->entries), joined(wanted), (*found)->size);
  if (!writes || writes->size() > 1) return {};
  return store(kind, std::move(wanted));
}

bool Application::is_named(const FilePath& path) const {
  const auto pointers = pkcs15::parse_odf(joined(odf_));
  if (!pointers) return true;
  return std::any_of(pointers->begin(), pointers->end(), [&](const auto& pointer) {
    const auto named = parse_path(pointer.path);
    return named && *named == path;
  });
}

bool Application::knows_every_directory() const {
  return std::all_of(odf_.begin(), odf_.end(), [](const Bytes& line) {
    switch (static_cast<pkcs15::Kind>(line[0])) {
      case pkcs15::Kind::private_keys:
      case pkcs15::Kind::public_keys:
      case pkcs15::Kind::certificates:
      case pkcs15::Kind::data:
      case pkcs15::Kind::authentication:
        return true;
    }
    return false;
  });
}

Status Application::fill_new_file(std::uint16_t id, std::size_t size, ByteView content) {
  const FilePath path = in_application(id);
  const Bytes made = transparent_file(id, size, rights::users_file());
  if (auto status = files_.enter(file::application); !status) return status;
  auto status = files_.create(made, "create a directory");
  if (!status && status.error().kind == ErrorKind::exists) {
    // Left by an interrupted change: ODF does not name it, so nothing is in it that counts.
    if (auto removed = files_.remove(path); !removed) return removed;
    if (auto entered = files_.enter(file::application); !entered) return entered;
    status = files_.create(made, "create a directory");
  }
  if (!status) return status;
  if (auto written = write_value(path, ended(content, size)); !written) {
    (void)files_.remove(path);
    return written;
  }
  return {};
}

Status Application::create_directory(pkcs15::Kind kind, Directory& directory,
                                     std::vector<Bytes> entries) {
  const std::uint16_t id = directory_id(kind);
  const Bytes content = joined(entries);
  const std::size_t size = std::max(directory_size, (content.size() + 1023) / 1024 * 1024);
  if (auto status = fill_new_file(id, size, content); !status) return status;
  if (auto status = point_odf(kind, in_application(id)); !status) {
    if (did_nothing(status.error())) (void)files_.remove(in_application(id));
    forget();
    return status;
  }
  directory = {in_application(id), std::move(entries), size};
  return {};
}

Status Application::switch_directory(pkcs15::Kind kind, Directory& directory,
                                     std::vector<Bytes> entries) {
  const Bytes content = joined(entries);
  const std::uint16_t standard = directory_id(kind);
  const auto other = static_cast<std::uint16_t>(standard | 0x10);
  const std::uint16_t id = directory.path == in_application(standard) ? other : standard;
  if (is_named(in_application(id))) {
    return Error{ErrorKind::no_space, "the directory cannot be changed: its spare file is in use"};
  }
  std::size_t size = std::max(directory.size, (content.size() + 1023) / 1024 * 1024);
  auto filled = fill_new_file(id, size, content);
  if (!filled && filled.error().kind == ErrorKind::no_space && size > content.size()) {
    size = (content.size() + 127) / 128 * 128;  // a nearly full card still can be tidied up
    filled = fill_new_file(id, size, content);
  }
  if (!filled) return filled;
  const FilePath old = directory.path;
  if (auto status = point_odf(kind, in_application(id)); !status) {
    if (did_nothing(status.error())) (void)files_.remove(in_application(id));
    forget();
    return status;
  }
  directory = {in_application(id), std::move(entries), size};
  (void)files_.remove(old);  // no longer named; a failure only leaves it lying there
  return {};
}

Status Application::point_odf(pkcs15::Kind kind, const FilePath& path) {
  const auto tag = static_cast<std::uint8_t>(kind);
  const Bytes line = pkcs15::encode(pkcs15::DirectoryPointer{tag, path_bytes(path)});
  std::vector<Bytes> lines = odf_;
  const auto old =
      std::find_if(lines.begin(), lines.end(), [&](const Bytes& l) { return l[0] == tag; });
  if (old != lines.end()) {
    *old = line;
  } else {
    lines.push_back(line);
  }
  const auto writes = plan_in_place(joined(odf_), joined(lines), odf_file_size_);
  if (!writes || writes->size() > 1)
    return Error{ErrorKind::no_space, "the list of directories (ODF) is full"};
  if (auto selected = files_.select(file::odf); !selected) return selected.take_error();
  for (const auto& write : *writes) {
    if (auto status = files_.update(write.offset, write.data); !status) return status;
  }
  odf_ = std::move(lines);
  return {};
}

Result<FilePath> Application::create_value(std::uint16_t first,
                                           const std::vector<std::uint16_t>& used, std::size_t size,
                                           const Bytes& security) {
  if (auto status = files_.enter(file::application); !status) return status.take_error();
  std::vector<std::uint16_t> orphans;
  for (std::uint16_t id = first; id <= (first | 0xFF); ++id) {
    if (std::find(used.begin(), used.end(), id) != used.end()) continue;
    auto status = files_.create(transparent_file(id, size, security), "create a file");
    if (status) return in_application(id);
    if (status.error().kind == ErrorKind::exists) {
      orphans.push_back(id);
      continue;
    }
    if (status.error().kind != ErrorKind::no_space || orphans.empty() || !knows_every_directory()) {
      return status.take_error();
    }
    for (auto orphan : orphans)
      (void)files_.remove(in_application(orphan));
    orphans.clear();
    if (auto entered = files_.enter(file::application); !entered) return entered.take_error();
    --id;
  }
  return Error{ErrorKind::no_space, "the card has no free file number left"};
}

Status Application::write_value(const FilePath& path, ByteView value) {
  auto selected = files_.select(path);
  if (!selected) return selected.take_error();
  return files_.update(0, value);
}

Status Application::ensure_file(std::uint16_t id, std::size_t size, const Bytes& security,
                                ByteView content) {
  if (auto status = files_.enter(file::application); !status) return status;
  auto status = files_.create(transparent_file(id, size, security), "create a file");
  if (!status && status.error().kind != ErrorKind::exists) return status;
  return write_value(in_application(id), ended(content, size));
}

}  // namespace kilt::card::kaztoken
