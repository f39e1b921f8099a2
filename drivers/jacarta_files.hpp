// SPDX-License-Identifier: Apache-2.0
// The LASER applet's files: one selection that is remembered, and the way back into the applet when
// somebody selected another one.
#pragma once

#include <optional>
#include <vector>

#include "drivers/jacarta.hpp"

namespace kilt::card::jacarta {

/// What SELECT tells of a file [facts jacarta A6].
struct FileFacts {
  FileType type = FileType::ef;
  std::size_t size = 0;  ///< bytes; of an RSA key object: of its modulus
  Bytes properties{};    ///< of a key object
  Bytes rules{};         ///< two bytes per operation
};
/// protocol for anything that is no such template.
Result<FileFacts> parse_file_facts(ByteView answer);

class Files {
 public:
  explicit Files(Link& link) : link_(link) {}

  Result<apdu::ResponseApdu> send(const Command& command) { return link_.send(command); }
  /// Where a private file's content goes over the wire.
  [[nodiscard]] apdu::Channel& channel() { return link_.channel(); }

  /// A new operation begins: somebody else may have selected another file, or another applet.
  void begin() { stale_ = true; }
  /// Nothing is known of the card's selection.
  void forget() { current_.reset(); }
  /// The card was reset: the applet is selected before anything else.
  void forget_applet() {
    forget();
    applet_is_known_ = false;
  }
  /// The file, key object or DF that commands without a name work on. No command when this
  /// operation selected it already. not_found, protocol.
  Result<FileFacts> select(const FilePath& path);
  /// Whether this was the last one selected, now or in an earlier operation.
  [[nodiscard]] bool was_selected(const FilePath& path) const { return current_ == path; }
  /// Whether what is known of the selection is from an earlier operation.
  [[nodiscard]] bool is_stale() const { return stale_; }

  /// Of the selected file: `count` bytes, 256 at most, or fewer at its end.
  Result<Bytes> read(std::size_t offset, std::size_t count);
  Result<Bytes> read_file(const FilePath& path);
  /// Into the selected file, the last bytes first: what stands at the front makes the rest valid.
  Status write(ByteView content);
  /// Into the selected file, one command.
  Status update(std::size_t offset, ByteView data);
  /// exists, no_space, not_logged_in.
  Status create(const FilePath& parent, const NewFile& file);
  /// not_found.
  Status remove(const FilePath& path, bool erasing = false);
  /// Identifiers of the files of one type in a DF, in the card's order.
  Result<std::vector<std::uint16_t>> list(const FilePath& df, FileType type);

  /// Selects the applet anew, which ends every login.
  Status select_applet();
  /// How often that happened: who relies on a login compares.
  [[nodiscard]] std::uint64_t applet_selections() const { return applet_selections_; }

  static constexpr std::size_t longest_file = 32767;

 private:
  Result<apdu::ResponseApdu> send_select(const FilePath& path);
  Result<bool> is_applet_lost();

  Link& link_;
  std::optional<FilePath> current_;
  FileFacts facts_;
  bool stale_ = true;
  bool applet_is_known_ = true;
  std::uint64_t applet_selections_ = 0;
};

}  // namespace kilt::card::jacarta
