// SPDX-License-Identifier: Apache-2.0
// The file system of Aladdin's applet: one remembered selection, whole files in the fewest
// commands, a login that is used up made again, and the applet itself selected again where another
// program (or another applet of the device) took its place.
#pragma once

#include <optional>
#include <vector>

#include "drivers/etoken72k_login.hpp"

namespace kilt::card::etoken {

class Files {
 public:
  Files(Link& link, Login& login) : link_(link), login_(login) {
    link.channel().set_prefer_extended(true);
  }

  /// Sends a command of the applet; on 6982 once more after renewing our login, if we have one,
  /// with the same file selected.
  Result<apdu::ResponseApdu> send(const Command& command);

  /// By path, with control information; no command when it is selected already. not_found.
  Result<FileInfo> select(const FilePath& path);
  /// Makes a directory the current one; no command when it, or a file in it, is.
  Status enter(const FilePath& directory);
  /// The same, with a command in any case.
  Status enter_anew(const FilePath& directory);
  /// Identifiers in a directory, each once. At most some 125: the card's answer ends there.
  Result<std::vector<std::uint16_t>> list(const FilePath& directory);

  /// The first `size` bytes of the selected file. protocol when it has fewer.
  Result<Bytes> read(std::size_t size);
  /// Selects and reads a whole file.
  Result<Bytes> read_file(const FilePath& path);
  /// Whether a file holds exactly this; reads no further than the first piece that differs.
  Result<bool> holds(const FilePath& path, ByteView content);
  /// Into the selected file, from its end to its front: the first byte is written last.
  Status write(ByteView content);
  /// What one WRITE takes on this reader.
  [[nodiscard]] std::size_t write_step() const;

  /// Both leave the new file selected. exists, no_space, not_logged_in.
  Status create_directory(const FilePath& path, const Rights& rights);
  Status create_file(const FilePath& path, std::size_t size, const Rights& rights);
  /// A directory with all in it. not_found.
  Status remove(const FilePath& path);

  /// A new operation begins: what is selected now is not known for sure.
  void begin() { is_stale_ = true; }
  /// The card's selection is unknown.
  void forget() { current_.reset(); }
  /// The card was reset: no applet is selected.
  void forget_applet() {
    forget();
    is_applet_lost_ = true;
  }
  /// Selects the applet if it is known not to be.
  Status ensure_applet() { return is_applet_lost_ ? select_applet() : Status{}; }
  /// Whether this was the last file that we selected, be it in an earlier operation.
  [[nodiscard]] bool was_selected(const FilePath& path) const { return current_ == path; }
  /// Selects the applet (again), which ends a login. removed, transport, unknown_card.
  Status select_applet();

 private:
  Status renew_login();
  Result<apdu::ResponseApdu> send_select(const FilePath& path, apdu::SelectAnswer answer);
  Status create(bool is_directory, const FilePath& path, std::size_t size, const Rights& rights);
  Result<Bytes> read_piece(std::size_t offset, std::size_t count);
  Status write_piece(std::size_t offset, ByteView piece);
  [[nodiscard]] bool long_pieces() const;
  [[nodiscard]] bool is_open_to_all() const;

  Link& link_;
  Login& login_;
  std::optional<FilePath> current_;
  std::optional<FileInfo> info_;  ///< of current_, where the card told it
  bool is_stale_ = true;
  bool is_applet_lost_ = false;
  bool short_only_ = false;  ///< the card refused a long piece, or we may not ask it for one
};

}  // namespace kilt::card::etoken
