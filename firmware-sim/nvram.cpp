// SPDX-License-Identifier: Apache-2.0
#include "firmware-sim/nvram.hpp"

#include "firmware-sim/journal.hpp"

namespace kilt::sim {
namespace {

enum class Operation : std::uint8_t { write = 1, write_at = 2, erase = 3, erase_all = 4 };

// A record: operation u8, cell name (length u8 + text), then for write the value, for write_at
// the offset u32 (big-endian) and the part.
Bytes record_of(Operation operation, const std::string& cell) {
  Bytes record{static_cast<std::uint8_t>(operation), static_cast<std::uint8_t>(cell.size())};
  append(record, as_bytes(cell));
  return record;
}

using Cells = std::map<std::string, Bytes>;

/// False for a record that no version of ours wrote.
bool apply_write_at(Bytes& cell, ByteView rest) {
  if (rest.size() < 4) return false;
  std::size_t offset = 0;
  for (auto byte : rest.first(4))
    offset = offset << 8 | byte;
  const auto part = rest.subspan(4);
  if (offset > cell.size() || part.size() > cell.size() - offset) return false;
  std::copy(part.begin(), part.end(), cell.begin() + static_cast<std::ptrdiff_t>(offset));
  return true;
}

bool apply(Cells& cells, ByteView record) {
  if (record.size() < 2 || record[1] > record.size() - 2) return false;
  const auto name = as_text(record.subspan(2, record[1]));
  const auto rest = record.subspan(2 + name.size());
  switch (static_cast<Operation>(record[0])) {
    case Operation::write:
      cells[name] = copy_of(rest);
      return true;
    case Operation::write_at: {
      const auto found = cells.find(name);
      return found != cells.end() && apply_write_at(found->second, rest);
    }
    case Operation::erase:
      cells.erase(name);
      return true;
    case Operation::erase_all:
      cells.clear();
      return true;
  }
  return false;
}

}  // namespace

struct Nvram::Journal {
  JournalFile file;
};

Nvram::Nvram() = default;
Nvram::Nvram(std::unique_ptr<Journal> journal) : journal_(std::move(journal)) {}
Nvram::~Nvram() = default;

Result<std::unique_ptr<Nvram>> Nvram::open(const std::string& path) {
  Cells cells;
  auto file = JournalFile::open(path, [&cells](ByteView record) { return apply(cells, record); });
  if (!file) return file.take_error();
  auto journal = std::make_unique<Journal>(Journal{std::move(*file)});
  std::unique_ptr<Nvram> nvram(new Nvram(std::move(journal)));
  nvram->cells_ = std::move(cells);
  return nvram;
}

const Bytes* Nvram::read(const std::string& cell) const {
  const auto found = cells_.find(cell);
  return found == cells_.end() ? nullptr : &found->second;
}

std::vector<std::string> Nvram::cells_with_prefix(const std::string& prefix) const {
  std::vector<std::string> names;
  for (auto at = cells_.lower_bound(prefix); at != cells_.end(); ++at) {
    if (at->first.compare(0, prefix.size(), prefix) != 0) break;
    names.push_back(at->first);
  }
  return names;
}

void Nvram::write(const std::string& cell, ByteView value) {
  Bytes record = record_of(Operation::write, cell);
  append(record, value);
  commit(record);
}

void Nvram::write_at(const std::string& cell, std::size_t offset, ByteView part) {
  const Bytes* value = read(cell);
  if (value == nullptr || offset > value->size() || part.size() > value->size() - offset) {
    throw NvramFailure{};
  }
  Bytes record = record_of(Operation::write_at, cell);
  append_be16(record, offset >> 16);
  append_be16(record, offset & 0xFFFF);
  append(record, part);
  commit(record);
}

void Nvram::erase(const std::string& cell) {
  commit(record_of(Operation::erase, cell));
}
void Nvram::erase_all() {
  commit(record_of(Operation::erase_all, ""));
}

void Nvram::commit(ByteView record) {
  const auto n = writes_ + 1;
  if (before_write) before_write(n);
  if (journal_) journal_->file.append(record);
  apply(cells_, record);
  writes_ = n;
  if (journal_ && journal_->file.has_grown()) {
    std::vector<Bytes> records;
    for (const auto& [name, value] : cells_) {
      records.push_back(record_of(Operation::write, name));
      append(records.back(), value);
    }
    journal_->file.compact(records);
  }
  if (after_write) after_write(n);
}

}  // namespace kilt::sim
