// SPDX-License-Identifier: Apache-2.0
// The card's non-volatile memory: named cells, kept in a journal that survives a power cut (or
// kill -9) at any write. One write = one record: it is there whole or not at all, as in a chip
// that writes a page with its checksum. Several writes of one command can be torn apart, and that
// is what a driver must live with.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "apdu/bytes.hpp"
#include "apdu/result.hpp"

namespace kilt::sim {

class Nvram {
 public:
  /// In memory only; forgotten at the end.
  Nvram();
  /// On `path`: replays the journal, drops a torn last record, compacts when it has grown.
  /// bad_data when the file is no journal of ours; busy when another process holds it (flock).
  static Result<std::unique_ptr<Nvram>> open(const std::string& path);
  ~Nvram();
  Nvram(const Nvram&) = delete;
  Nvram& operator=(const Nvram&) = delete;

  [[nodiscard]] bool empty() const { return cells_.empty(); }
  [[nodiscard]] const Bytes* read(const std::string& cell) const;
  [[nodiscard]] std::vector<std::string> cells_with_prefix(const std::string& prefix) const;
  /// Each of these is one NVRAM write: when it returns it outlives this process. (What a crash of
  /// the whole machine may take is the newest writes, never an older one or a part of one.)
  void write(const std::string& cell, ByteView value);
  /// Replaces part of a cell that exists and is long enough.
  void write_at(const std::string& cell, std::size_t offset, ByteView part);
  void erase(const std::string& cell);
  void erase_all();

  /// Writes since the object was made.
  [[nodiscard]] std::uint64_t writes() const { return writes_; }
  /// Called before the n-th write reaches the journal, with n from 1. For faults: it may end the
  /// process, or throw PowerCut, and then the write never happened.
  std::function<void(std::uint64_t n)> before_write;
  /// Called after it reached the journal.
  std::function<void(std::uint64_t n)> after_write;

 private:
  struct Journal;
  explicit Nvram(std::unique_ptr<Journal> journal);
  void commit(ByteView record);
  std::map<std::string, Bytes> cells_;
  std::unique_ptr<Journal> journal_;
  std::uint64_t writes_ = 0;
};

/// Thrown out of Chip::transmit by a tear fault: the card lost power in the middle of a command.
struct PowerCut {};

/// Thrown by a write that could not be made durable (the host's disk is full, an impossible
/// offset). Nothing was written; the runtime answers 6581 for it.
struct NvramFailure {};

}  // namespace kilt::sim
