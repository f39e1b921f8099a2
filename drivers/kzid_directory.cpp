// SPDX-License-Identifier: Apache-2.0
#include "drivers/kzid_directory.hpp"

#include <algorithm>

#include "drivers/pkcs15_update.hpp"

namespace kilt::card::kzid {
namespace {

using pkcs15::ended;
using pkcs15::joined;

constexpr std::size_t directory_size = 1024;
/// A card's list of directories is short; a larger READ would only be answered 6Cxx.
constexpr std::size_t odf_step = 128;
constexpr std::uint16_t most_values = 0x40;

std::size_t rounded(std::size_t size) {
  return std::max(directory_size, (size + 256) / 256 * 256);
}

}  // namespace

void Directories::forget() {
  odf_.reset();
  exists_ = false;
  directories_.clear();
}

Status Directories::read_odf() {
  if (odf_) return {};
  auto content = place_.read_directory(file::odf, odf_step);
  if (!content) {
    if (!is_not_there(content.error())) return content.take_error().within("reading ODF");
    odf_.emplace();
    exists_ = false;
    return {};
  }
  auto lines = pkcs15::split(*content);
  if (!lines) return lines.take_error().within("reading ODF");
  odf_ = std::move(*lines);
  exists_ = true;
  return {};
}

Result<bool> Directories::exist() {
  if (auto status = read_odf(); !status) return status.take_error();
  return exists_;
}

Result<Directories::Directory*> Directories::directory(pkcs15::Kind kind) {
  if (const auto known = directories_.find(kind); known != directories_.end())
    return &known->second;
  if (auto status = read_odf(); !status) return status.take_error();
  auto pointers = pkcs15::parse_odf(joined(*odf_));
  if (!pointers) return pointers.take_error();
  Directory made{directory_id(kind), false, {}};
  for (const auto& pointer : *pointers) {
    const auto id = parse_path(pointer.path);
    if (pointer.tag != static_cast<std::uint8_t>(kind) || !id) continue;
    made.id = *id;
    made.named = true;
    auto content = place_.read_directory(*id);
    if (!content && content.error().kind != ErrorKind::not_found) return content.take_error();
    if (content) {
      auto entries = pkcs15::split(*content);
      if (!entries) return entries.take_error().within("reading a directory of the card");
      made.entries = std::move(*entries);
    }
    break;
  }
  return &directories_.emplace(kind, std::move(made)).first->second;
}

Result<std::vector<Bytes>> Directories::entries(pkcs15::Kind kind) {
  auto found = directory(kind);
  if (!found) return found.take_error();
  return (*found)->entries;
}

Status Directories::store(pkcs15::Kind kind, std::vector<Bytes> entries) {
  auto found = directory(kind);
  if (!found) return found.take_error();
  Directory& target = **found;
  if (entries == target.entries) return {};
  if (!exists_) return Error{ErrorKind::unsupported, "this ID card has no directories"};
  if (!target.named) return begin_directory(kind, target, std::move(entries));
  auto size = place_.capacity(target.id);
  if (!size && size.error().kind == ErrorKind::not_found) size = std::size_t{0};
  if (!size) return size.take_error();
  const auto writes = pkcs15::plan_in_place(joined(target.entries), joined(entries), *size);
  if (!writes) return switch_directory(kind, target, std::move(entries), *size);
  for (const auto& write : *writes) {
    if (auto status = place_.write(target.id, write.offset, write.data); !status) return status;
  }
  target.entries = std::move(entries);
  return {};
}

Status Directories::add(pkcs15::Kind kind, Bytes entry) {
  auto all = entries(kind);
  if (!all) return all.take_error();
  all->push_back(std::move(entry));
  return store(kind, std::move(*all));
}

/// A file with this content that nothing names yet. One that is there is taken if it is large
/// enough: it is the card's own empty one, or was left by an interrupted change.
Status Directories::make_file(std::uint16_t id, ByteView content, std::size_t size) {
  auto there = place_.capacity(id);
  if (there && *there < content.size()) {
    if (auto removed = place_.remove(id); !removed) return removed;
    there = Error{ErrorKind::not_found, ""};
  }
  if (!there && there.error().kind != ErrorKind::not_found) return there.take_error();
  if (!there) {
    if (auto made = place_.create(id, size); !made) return made;
    there = size;
  }
  return place_.write(id, 0, ended(content, *there));
}

Status Directories::begin_directory(pkcs15::Kind kind, Directory& directory,
                                    std::vector<Bytes> entries) {
  const Bytes content = joined(entries);
  if (auto status = make_file(directory.id, content, rounded(content.size())); !status)
    return status;
  if (auto status = point_odf(kind, directory.id); !status) return status;
  directory.named = true;
  directory.entries = std::move(entries);
  return {};
}

Status Directories::switch_directory(pkcs15::Kind kind, Directory& directory,
                                     std::vector<Bytes> entries, std::size_t size) {
  const auto other = static_cast<std::uint16_t>(directory.id ^ 0x10);
  if (is_named(other)) {
    return Error{ErrorKind::no_space, "the directory cannot be changed: its spare file is in use"};
  }
  const Bytes content = joined(entries);
  if (auto status = make_file(other, content, std::max(size, rounded(content.size()))); !status)
    return status;
  if (auto status = point_odf(kind, other); !status) return status;
  (void)place_.remove(directory.id);  // no longer named; a failure only leaves it lying there
  directory = {other, true, std::move(entries)};
  return {};
}

Status Directories::point_odf(pkcs15::Kind kind, std::uint16_t id) {
  const auto tag = static_cast<std::uint8_t>(kind);
  const Bytes line = pkcs15::encode(pkcs15::DirectoryPointer{tag, path_bytes(id)});
  std::vector<Bytes> lines = *odf_;
  const auto old =
      std::find_if(lines.begin(), lines.end(), [&](const Bytes& l) { return l[0] == tag; });
  if (old != lines.end()) {
    *old = line;
  } else {
    lines.push_back(line);
  }
  auto size = place_.capacity(file::odf);
  if (!size) return size.take_error();
  const auto writes = pkcs15::plan_in_place(joined(*odf_), joined(lines), *size);
  if (!writes || writes->size() > 1) {
    return Error{ErrorKind::no_space, "the list of directories (ODF) is full"};
  }
  for (const auto& write : *writes) {
    if (auto status = place_.write(file::odf, write.offset, write.data); !status) return status;
  }
  odf_ = std::move(lines);
  return {};
}

bool Directories::is_named(std::uint16_t id) const {
  const auto pointers = pkcs15::parse_odf(joined(*odf_));
  if (!pointers) return true;
  return std::any_of(pointers->begin(), pointers->end(),
                     [&](const auto& pointer) { return parse_path(pointer.path) == id; });
}

Result<std::uint16_t> Directories::create_value(std::uint16_t first,
                                                const std::vector<std::uint16_t>& used,
                                                std::size_t size) {
  std::vector<std::uint16_t> orphans;
  for (std::uint16_t id = first; id < first + most_values; ++id) {
    if (std::find(used.begin(), used.end(), id) != used.end() || is_named(id)) continue;
    auto status = place_.create(id, size);
    if (status) return id;
    if (status.error().kind == ErrorKind::exists) {
      orphans.push_back(id);
      continue;
    }
    if (status.error().kind != ErrorKind::no_space || orphans.empty()) return status.take_error();
    for (auto orphan : orphans)
      (void)place_.remove(orphan);
    orphans.clear();
    --id;
  }
  return Error{ErrorKind::no_space, "the card has no free file number left"};
}

Status Directories::describe_token(const std::string& label, const std::string& serial) {
  auto there = place_.read_directory(file::token_info, odf_step);
  if (!there && there.error().kind != ErrorKind::not_found) return there.take_error();
  if (there && !there->empty() && there->front() != 0) return {};
  pkcs15::TokenInformation info;
  info.label = label;
  info.serial = from_hex(serial).value_or(Bytes{});
  return make_file(file::token_info, pkcs15::encode(info), odf_step);
}

}  // namespace kilt::card::kzid
