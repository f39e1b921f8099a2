// SPDX-License-Identifier: Apache-2.0
// Where an ID card stands (MF, DF 0101, a file in it), and what is asked there. SELECT knows no
// paths on this card, and each one costs an exchange, so a selection made earlier is relied upon
// for looking: when something is not found there, the directory is selected anew from the MF and
// the command is sent once more. Whoever writes calls enter_surely() first.
#pragma once

#include <optional>

#include "drivers/kzid.hpp"

namespace kilt::card::kzid {

class Place {
 public:
  explicit Place(Link& link) : link_(link) {}

  /// Sends a command wherever the card stands.
  Result<apdu::ResponseApdu> send(const Command& command) { return link_.send(command); }
  /// What send() would say of it.
  [[nodiscard]] Status allows(const Command& command) const { return link_.allows(command); }
  /// Sends a command in DF 0101; twice when it was not found there and the selection is an old one.
  Result<apdu::ResponseApdu> ask(const Command& command);

  /// A new operation: another program may have selected something else since the last one.
  void begin();
  /// The card lost its selection.
  void forget();
  Status select_master();
  /// The same unless the MF was selected last by us.
  Status stand_in_master();
  /// Makes DF 0101 the selected directory, relying on an earlier selection.
  Status enter();
  /// Selects DF 0101 from the MF, unless this operation did so or found something there.
  Status enter_surely();
  [[nodiscard]] bool is_sure() const { return where_ == Where::application && sure_; }
  /// Grows with every selection of a directory: the card's security environment may be gone then.
  [[nodiscard]] std::uint64_t selections() const { return selections_; }

  // ---- files in DF 0101, assumed ----
  /// not_found; other errors as status_error says.
  Status select(std::uint16_t id);
  /// The bytes of a directory file up to the 00 that ends it, in READs of `step` bytes.
  Result<Bytes> read_directory(std::uint16_t id, std::size_t step = 256);
  /// A DER object of at most `longest_value` bytes; what stands behind it is not read.
  Result<Bytes> read_value(std::uint16_t id);
  /// Whether the file begins with these bytes. Reads no further than the piece that differs.
  Result<bool> begins_with(std::uint16_t id, ByteView expected);
  /// Bytes that the file can hold.
  Result<std::size_t> capacity(std::uint16_t id);
  Status write(std::uint16_t id, std::size_t offset, ByteView data);
  Status create(std::uint16_t id, std::size_t size);
  Status remove(std::uint16_t id);

  /// EF.GDO, whole.
  Result<Bytes> read_serial();

  static constexpr std::size_t longest_directory = 8192;
  static constexpr std::size_t longest_value = 16384;

 private:
  enum class Where { unknown, master, application };

  Result<Bytes> read_piece(std::size_t offset, std::size_t count);

  Link& link_;
  Where where_ = Where::unknown;
  bool sure_ = false;                    ///< where_ was proven in this operation
  std::optional<std::uint16_t> file_{};  ///< the EF selected in this operation
  std::uint64_t selections_ = 0;
};

/// 6A82 or 6A88: there is no such file, object or reference here.
[[nodiscard]] bool is_absent(apdu::StatusWord status);
/// What the card does not have, or what the guard keeps from it: for optional parts of a card the
/// same. Not any other refusal: who believes that there are no directories may write over them.
[[nodiscard]] bool is_not_there(const Error& error);

}  // namespace kilt::card::kzid
