// SPDX-License-Identifier: Apache-2.0
// What cards with an ISO 7816-4 file system share: one current file that is remembered, whole
// files in the fewest commands, and status words as errors.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "apdu/iso7816.hpp"
#include "drivers/file_path.hpp"
#include "drivers/link.hpp"

namespace kilt::card {

/// File control information [7816-4 §7.4.3], as far as drivers need it.
struct FileControl {
  std::uint16_t id = 0;
  std::size_t size = 0;         ///< bytes
  std::uint8_t descriptor = 0;  ///< [7816-4 table 14]
  Bytes properties{};           ///< tag 85, proprietary
  Bytes security{};             ///< tag 86, proprietary
  [[nodiscard]] bool is_df() const { return (descriptor & 0x38) == 0x38; }
};

/// Template 6F or 62; protocol for anything else. Missing fields stay empty.
Result<FileControl> parse_file_control(ByteView answer);

/// The error a status word stands for [7816-4 §5.6], as far as the standard says it. `what` is what
/// was being done. 63xx is `protocol` and 6983 access_denied: they speak of a PIN only where one
/// was sent, and who sends one looks for that.
[[nodiscard]] Error status_error(apdu::StatusWord status, std::string what);
[[nodiscard]] Status check(const Result<apdu::ResponseApdu>& answer, const char* what);
/// The same for a command that carries a PIN, or is about one: 63xx is pin_incorrect, with the
/// tries left of 63Cx, 6983 pin_blocked, 6984 pin_not_set.
[[nodiscard]] Error pin_error(apdu::StatusWord status, std::string what);
[[nodiscard]] Status check_pin(const Result<apdu::ResponseApdu>& answer, const char* what);

/// Random bytes from the card, by as many commands as it takes: `ask` makes the one for `step`
/// bytes or fewer.
[[nodiscard]] Result<Bytes> gather_random(Link& link, std::size_t count, std::size_t step,
                                          Command (*ask)(std::size_t count));

/// How a card knows the plain file commands: goes into each Command.
struct Pedigree {
  Evidence evidence = Evidence::assumed;
  const char* source = "";
};

/// The file system of one card. Remembers what is selected, so that nothing is selected twice;
/// forget() whenever somebody else may have used the card.
class IsoFiles {
 public:
  IsoFiles(Link& link, Pedigree pedigree) : link_(link), pedigree_(pedigree) {}

  /// [7816-4 §11.2.2] by path from the MF, with FCI. No command when it is selected already.
  /// not_found, protocol.
  Result<FileControl> select(const FilePath& path);
  /// Makes a DF the current one; no command when it, or an EF in it, is known to be selected.
  Status enter(const FilePath& df);

  /// [7816-4 §11.3.3] The first `size` bytes of the selected file, fewer if the card has no more.
  Result<Bytes> read(std::size_t size);
  /// Whether the selected file has these bytes at `offset`. Reads no further than the piece that
  /// differs.
  Result<bool> holds(std::size_t offset, ByteView expected);
  /// Selects and reads a whole transparent file. protocol when it claims to be over 32 KiB.
  Result<Bytes> read_file(const FilePath& path);

  struct Entries {
    Bytes content;         ///< whole BER-TLV objects, up to the first 00 or the end of the file
    std::size_t size = 0;  ///< of the file
  };
  /// Selects and reads a file of BER-TLV entries that a first byte 00 ends [7816-15 §6.3]; what
  /// stands behind is not read. protocol for entries that do not add up.
  Result<Entries> read_entries(const FilePath& path);

  /// [7816-4 §11.3.5] Writes into the selected file, in steps of 255 bytes.
  Status update(std::size_t offset, ByteView data);
  /// [7816-9 §9.2] Creates a file in the current DF. exists, no_space, not_logged_in.
  Status create(ByteView fci, const char* operation);
  /// [7816-9 §9.4] Selects a file and deletes it by its own identifier.
  Status remove(const FilePath& path);

  /// A new operation begins: somebody else may have selected another file since the last one, so
  /// the next select() or enter() sends its command.
  void begin() { stale_ = true; }
  /// What is known of the selection is from an earlier operation.
  [[nodiscard]] bool is_stale() const { return stale_; }
  /// The card's selection is unknown from now on.
  void forget();
  /// The card moved to this file by itself (after CREATE, or while listing).
  void moved_to_df(const FilePath& df);
  /// Whether this file was the last one we selected, now or in an earlier operation.
  [[nodiscard]] bool was_selected(const FilePath& path) const {
    return is_known_ && current_ == path;
  }

  static constexpr std::size_t update_step = 255;
  static constexpr std::size_t longest_file = 32768;

 private:
  Command command(apdu::CommandApdu apdu, const char* operation) const;
  Result<Bytes> read_piece(std::size_t offset, std::size_t count);

  Link& link_;
  Pedigree pedigree_;
  std::optional<FilePath> current_;
  bool current_is_ef_ = false;
  bool stale_ = false;
  bool is_known_ = false;  ///< control_ is that of current_
  FileControl control_;
};

}  // namespace kilt::card
