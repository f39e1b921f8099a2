// SPDX-License-Identifier: Apache-2.0
// An append-only file of records that is never seen half written. Each record carries its length
// and a CRC-32; a torn last record is dropped when the file is opened. Compaction writes a new
// file beside the old one and renames it, so a crash leaves the old file or the new one.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "apdu/bytes.hpp"
#include "apdu/result.hpp"

namespace kilt::sim {

class JournalFile {
 public:
  /// Creates the file (mode 0600) if there is none, locks it (flock) for as long as the object
  /// lives, and hands every whole record to `replay` in order. busy: another process holds it;
  /// bad_data: not our format, or `replay` refused a record; bad_argument: the system's reason.
  static Result<JournalFile> open(const std::string& path,
                                  const std::function<bool(ByteView record)>& replay);
  JournalFile(JournalFile&& other) noexcept;
  JournalFile& operator=(JournalFile&&) = delete;
  JournalFile(const JournalFile&) = delete;
  JournalFile& operator=(const JournalFile&) = delete;
  ~JournalFile();

  /// One record, whole. Throws NvramFailure when the system refuses; the file is as before then.
  void append(ByteView record);
  /// Whether the file is several times longer than it was after the last compaction.
  [[nodiscard]] bool has_grown() const;
  /// Replaces everything by `records`. On failure the old file stays in use.
  void compact(const std::vector<Bytes>& records);

 private:
  JournalFile(std::string path, int fd) : path_(std::move(path)), fd_(fd) {}
  std::string path_;
  int fd_;
  std::size_t size_ = 0;
  std::size_t compacted_size_ = 0;
};

}  // namespace kilt::sim
