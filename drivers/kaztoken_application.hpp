// SPDX-License-Identifier: Apache-2.0
// The PKCS #15 application of a Kaztoken (DF 5000): its directories, and how they are changed so
// that a power cut at any moment leaves the old state or the new.
#pragma once

#include <map>
#include <optional>
#include <vector>

#include "drivers/kaztoken.hpp"
#include "drivers/pkcs15_update.hpp"

namespace kilt::card::kaztoken {

class Application {
 public:
  explicit Application(IsoFiles& files) : files_(files) {}

  /// Forgets what was read. Writers do it first: another program may have written since, and a
  /// directory that was read before our transaction must never be written back.
  void forget();

  /// Whether the card has an ODF with something in it. Reads it once.
  Result<bool> exists();
  /// The entries of one kind's directory, whole and in order; none where there is no directory.
  Result<std::vector<Bytes>> entries(pkcs15::Kind kind);
  /// Reads a directory that is known once more, with two commands; another program may have written
  /// it since.
  Status reread(pkcs15::Kind kind);
  [[nodiscard]] bool is_read(pkcs15::Kind kind) const { return directories_.contains(kind); }

  /// Makes the directory hold exactly these entries. The switch from old to new is one UPDATE:
  /// in place where the change fits one, from the end to the front for additions, otherwise by a
  /// second directory file and its path in ODF. no_space leaves all as it was.
  Status store(pkcs15::Kind kind, std::vector<Bytes> entries);
  Status add(pkcs15::Kind kind, Bytes entry);
  /// Replaces an entry where that is one write in place; otherwise does nothing, successfully.
  Status replace_if_simple(pkcs15::Kind kind, const Bytes& old, Bytes changed);

  /// Creates a transparent file under the first free identifier from `first` on; `used` are those
  /// that directories name. Files that no directory names are somebody's interrupted work: they are
  /// passed over, and removed only when the card is full.
  Result<FilePath> create_value(std::uint16_t first, const std::vector<std::uint16_t>& used,
                                std::size_t size, const Bytes& security);
  Status write_value(const FilePath& path, ByteView value);

  /// Creates a file inside DF 5000 unless it is there, and writes its content.
  Status ensure_file(std::uint16_t id, std::size_t size, const Bytes& security, ByteView content);

  static constexpr std::size_t directory_size = 2048;
  static constexpr std::size_t odf_size = 128;

 private:
  struct Directory {
    FilePath path;  ///< empty: the card has none yet
    std::vector<Bytes> entries;
    std::size_t size = 0;
  };

  Status read_odf();
  Result<Directory*> directory(pkcs15::Kind kind);
  [[nodiscard]] bool is_named(const FilePath& path) const;
  [[nodiscard]] bool knows_every_directory() const;
  Status create_directory(pkcs15::Kind kind, Directory& directory, std::vector<Bytes> entries);
  Status switch_directory(pkcs15::Kind kind, Directory& directory, std::vector<Bytes> entries);
  Status fill_new_file(std::uint16_t id, std::size_t size, ByteView content);
  Status point_odf(pkcs15::Kind kind, const FilePath& path);

  IsoFiles& files_;
  bool odf_read_ = false;
  std::vector<Bytes> odf_;  ///< its lines
  std::size_t odf_file_size_ = 0;
  std::map<pkcs15::Kind, Directory> directories_;
};

using pkcs15::plan_in_place;
using pkcs15::Write;

}  // namespace kilt::card::kaztoken
