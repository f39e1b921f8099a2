// SPDX-License-Identifier: Apache-2.0
// The PKCS #15 directories in DF 0101 of an ID card (assumed), and how they are changed so that a
// power cut at any moment leaves the old state or the new. A card may have none at all: then its
// keys have no labels, and its certificates are kept beside it.
#pragma once

#include <map>
#include <optional>
#include <vector>

#include "drivers/kzid_place.hpp"

namespace kilt::card::kzid {

class Directories {
 public:
  explicit Directories(Place& place) : place_(place) {}

  /// Forgets what was read. Writers do it first: another program may have written since.
  void forget();

  /// Whether the card has an ODF, be it empty. Reads it once. A card that does not know the file
  /// commands, or may not be asked, has none.
  Result<bool> exist();
  /// The entries of one kind's directory, whole and in order; none where ODF names no directory.
  Result<std::vector<Bytes>> entries(pkcs15::Kind kind);
  [[nodiscard]] bool is_read(pkcs15::Kind kind) const { return directories_.contains(kind); }

  /// Makes the directory hold exactly these entries. The switch from old to new is one UPDATE: in
  /// place where that is possible, otherwise by a second file and its path in ODF. no_space leaves
  /// all as it was.
  Status store(pkcs15::Kind kind, std::vector<Bytes> entries);
  Status add(pkcs15::Kind kind, Bytes entry);

  /// Creates a file under the first identifier from `first` on that is in no directory (`used`) and
  /// does not exist. Files that no directory names are somebody's interrupted work: they are passed
  /// over, and removed only when the card is full.
  Result<std::uint16_t> create_value(std::uint16_t first, const std::vector<std::uint16_t>& used,
                                     std::size_t size);
  /// ODF was read, and names nothing yet.
  [[nodiscard]] bool is_empty() const { return odf_ && odf_->empty(); }
  /// Writes TokenInfo where the card's is empty.
  Status describe_token(const std::string& label, const std::string& serial);

 private:
  struct Directory {
    std::uint16_t id = 0;
    bool named = false;  ///< in ODF
    std::vector<Bytes> entries{};
  };

  Status read_odf();
  Result<Directory*> directory(pkcs15::Kind kind);
  Status make_file(std::uint16_t id, ByteView content, std::size_t size);
  Status begin_directory(pkcs15::Kind kind, Directory& directory, std::vector<Bytes> entries);
  Status switch_directory(pkcs15::Kind kind, Directory& directory, std::vector<Bytes> entries,
                          std::size_t size);
  Status point_odf(pkcs15::Kind kind, std::uint16_t id);
  [[nodiscard]] bool is_named(std::uint16_t id) const;

  Place& place_;
  std::optional<std::vector<Bytes>> odf_;  ///< its lines, once read
  bool exists_ = false;
  std::map<pkcs15::Kind, Directory> directories_;
};

}  // namespace kilt::card::kzid
