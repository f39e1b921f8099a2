// SPDX-License-Identifier: Apache-2.0
// A tree of files in NVRAM [7816-4 §8.2]. One file is one cell, head and body together, so to
// create, to delete, to load or to update it once is one write that cannot be torn.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "apdu/bytes.hpp"
#include "apdu/iso7816.hpp"
#include "firmware-sim/nvram.hpp"

namespace kilt::sim {

/// File identifiers from the MF down to a file. The empty path stands above the MF.
class FilePath {
 public:
  static constexpr std::uint16_t mf_id = 0x3F00;
  FilePath() = default;
  static FilePath mf() { return FilePath().child(mf_id); }
  /// The path from the MF, which is not written itself: `below({0x1000, 0x6001})`.
  static FilePath below(std::initializer_list<std::uint16_t> ids);

  [[nodiscard]] FilePath child(std::uint16_t id) const;
  [[nodiscard]] FilePath parent() const;
  [[nodiscard]] std::uint16_t id() const;  ///< of the last; 0 of the empty path
  [[nodiscard]] bool empty() const { return hex_.empty(); }
  [[nodiscard]] bool is_mf() const { return hex_.size() == digits; }
  [[nodiscard]] bool is_inside(const FilePath& df) const;  ///< below `df`, or `df` itself
  [[nodiscard]] const std::string& text() const { return hex_; }
  bool operator==(const FilePath&) const = default;

 private:
  friend class FileSystem;
  static constexpr std::size_t digits = 4;
  std::string hex_;
};

enum class FileType : std::uint8_t {
  df = 1,
  transparent_ef = 2,
  internal_ef = 3,  ///< used by the card itself (a key); not read or updated as bytes
};

struct File {
  FilePath path;
  FileType type = FileType::transparent_ef;
  std::uint16_t size = 0;  ///< of the body; of a DF only a figure that is told again
  Bytes property{};        ///< the card's own, at most 255 bytes
  Bytes security{};        ///< likewise
  bool loaded = false;     ///< an internal EF holds a value

  [[nodiscard]] bool is_df() const { return type == FileType::df; }
};

class FileSystem {
 public:
  /// What a file costs beside its body, bytes. assumed.
  static constexpr std::size_t head_memory = 32;

  /// `memory`: what bodies and heads may take together, in bytes. `cells` begins the names of its
  /// NVRAM cells: two applets of one card have two trees.
  FileSystem(Nvram& nvram, std::size_t memory, std::string cells = "file:")
      : nvram_(nvram), memory_(memory), cells_(std::move(cells)) {}

  [[nodiscard]] std::optional<File> find(const FilePath& path) const;
  /// In the order of their identifiers.
  [[nodiscard]] std::vector<File> children(const FilePath& df) const;
  /// 6A89 exists, 6A84 no memory, 6A82 no such parent DF.
  apdu::StatusWord create(const File& file);
  /// A whole file, new or in place of the old one, in one write; `file.size` is that of `body`.
  /// 6A84 no memory, 6A82 no such parent DF.
  apdu::StatusWord store(File file, ByteView body);
  /// A body of zeros until something was written. Empty for a DF.
  [[nodiscard]] ByteView body(const FilePath& path) const;
  /// Within the body of a file that exists.
  void update(const FilePath& path, std::size_t offset, ByteView part);
  /// The whole value of an internal EF; exactly its size.
  void load(const FilePath& path, ByteView value);
  /// With everything below it, the deepest first.
  void remove(const FilePath& path);
  [[nodiscard]] std::size_t free_memory() const;

 private:
  [[nodiscard]] std::string cell_of(const FilePath& path) const { return cells_ + path.text(); }
  [[nodiscard]] bool has_parent(const FilePath& path) const;

  Nvram& nvram_;
  std::size_t memory_;
  std::string cells_;
};

}  // namespace kilt::sim
