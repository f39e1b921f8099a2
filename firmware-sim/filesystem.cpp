// SPDX-License-Identifier: Apache-2.0
#include "firmware-sim/filesystem.hpp"

#include <algorithm>
#include <cstdlib>

namespace kilt::sim {
namespace {

// A cell: type u8, loaded u8, size u16, property (length u8 + bytes), security likewise, body.
Bytes encode_head(const File& file) {
  Bytes cell{static_cast<std::uint8_t>(file.type), static_cast<std::uint8_t>(file.loaded)};
  append_be16(cell, file.size);
  cell.push_back(static_cast<std::uint8_t>(file.property.size()));
  append(cell, file.property);
  cell.push_back(static_cast<std::uint8_t>(file.security.size()));
  append(cell, file.security);
  return cell;
}

constexpr std::size_t fixed_head = 6;
constexpr std::size_t property_at = 4;

std::size_t head_size(const Bytes& cell) {
  const std::size_t property = cell[property_at];
  return fixed_head + property + cell[property_at + 1 + property];
}

File decode_head(FilePath path, const Bytes& cell) {
  File file;
  file.path = std::move(path);
  file.type = static_cast<FileType>(cell[0]);
  file.loaded = cell[1] != 0;
  file.size = be16(cell[2], cell[3]);
  const ByteView all = cell;
  const std::size_t property = cell[property_at];
  file.property = copy_of(all.subspan(property_at + 1, property));
  file.security = copy_of(all.subspan(fixed_head + property, cell[property_at + 1 + property]));
  return file;
}

std::size_t body_size(const File& file) {
  return file.is_df() ? 0 : file.size;
}

}  // namespace

FilePath FilePath::below(std::initializer_list<std::uint16_t> ids) {
  FilePath path = mf();
  for (auto id : ids)
    path = path.child(id);
  return path;
}

FilePath FilePath::child(std::uint16_t id) const {
  Bytes two;
  append_be16(two, id);
  FilePath path;
  path.hex_ = hex_ + to_hex(two);
  return path;
}

FilePath FilePath::parent() const {
  FilePath path;
  if (!empty()) path.hex_ = hex_.substr(0, hex_.size() - digits);
  return path;
}

std::uint16_t FilePath::id() const {
  if (empty()) return 0;
  return static_cast<std::uint16_t>(std::strtoul(hex_.c_str() + hex_.size() - digits, nullptr, 16));
}

bool FilePath::is_inside(const FilePath& df) const {
  return hex_.compare(0, df.hex_.size(), df.hex_) == 0;
}

std::optional<File> FileSystem::find(const FilePath& path) const {
  const Bytes* cell = nvram_.read(cell_of(path));
  if (cell == nullptr) return std::nullopt;
  return decode_head(path, *cell);
}

std::vector<File> FileSystem::children(const FilePath& df) const {
  const std::string prefix = cell_of(df);
  std::vector<File> files;
  for (const auto& name : nvram_.cells_with_prefix(prefix)) {
    if (name.size() != prefix.size() + FilePath::digits) continue;
    FilePath path;
    path.hex_ = name.substr(cells_.size());
    files.push_back(decode_head(path, *nvram_.read(name)));
  }
  return files;
}

bool FileSystem::has_parent(const FilePath& path) const {
  if (path.is_mf()) return true;
  const auto parent = find(path.parent());
  return parent && parent->is_df();
}

apdu::StatusWord FileSystem::create(const File& file) {
  if (!has_parent(file.path)) return apdu::sw::file_not_found;
  if (find(file.path)) return apdu::sw::file_exists;
  if (body_size(file) + head_memory > free_memory()) return apdu::sw::not_enough_memory;
  Bytes cell = encode_head(file);
  cell.resize(cell.size() + body_size(file));
  nvram_.write(cell_of(file.path), cell);
  return apdu::sw::ok;
}

apdu::StatusWord FileSystem::store(File file, ByteView body) {
  if (!has_parent(file.path)) return apdu::sw::file_not_found;
  const auto old = find(file.path);
  const std::size_t given_back = old ? body_size(*old) + head_memory : 0;
  if (body.size() + head_memory > free_memory() + given_back) return apdu::sw::not_enough_memory;
  file.size = static_cast<std::uint16_t>(body.size());
  Bytes cell = encode_head(file);
  append(cell, body);
  nvram_.write(cell_of(file.path), cell);
  return apdu::sw::ok;
}

ByteView FileSystem::body(const FilePath& path) const {
  const Bytes* cell = nvram_.read(cell_of(path));
  if (cell == nullptr) return {};
  return ByteView(*cell).subspan(head_size(*cell));
}

void FileSystem::update(const FilePath& path, std::size_t offset, ByteView part) {
  const Bytes* cell = nvram_.read(cell_of(path));
  if (cell == nullptr) throw NvramFailure{};
  nvram_.write_at(cell_of(path), head_size(*cell) + offset, part);
}

void FileSystem::load(const FilePath& path, ByteView value) {
  auto file = find(path);
  if (!file || value.size() != file->size) throw NvramFailure{};
  file->loaded = true;
  Bytes cell = encode_head(*file);
  append(cell, value);
  nvram_.write(cell_of(path), cell);
}

void FileSystem::remove(const FilePath& path) {
  auto names = nvram_.cells_with_prefix(cell_of(path));
  // Prefix order lists a DF before what is in it.
  std::reverse(names.begin(), names.end());
  for (const auto& name : names)
    nvram_.erase(name);
}

std::size_t FileSystem::free_memory() const {
  std::size_t used = 0;
  for (const auto& name : nvram_.cells_with_prefix(cells_)) {
    used += head_memory + body_size(decode_head({}, *nvram_.read(name)));
  }
  return used < memory_ ? memory_ - used : 0;
}

}  // namespace kilt::sim
