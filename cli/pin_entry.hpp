// SPDX-License-Identifier: Apache-2.0
// Where a PIN comes from: the terminal, a file, a file descriptor, a named environment variable.
// Never an argument. Its bytes live in SecretBytes from the first read on.
#pragma once

#include <CLI/App.hpp>
#include <optional>
#include <string>

#include "apdu/result.hpp"
#include "cli/console.hpp"

namespace kilt::cli {

inline constexpr std::size_t longest_pin = 128;

/// One PIN's options; at most one of the three is given.
struct PinOptions {
  std::string file;
  std::optional<int> fd;
  std::string variable;

  [[nodiscard]] bool given() const { return !file.empty() || fd || !variable.empty(); }
};

/// Adds --NAME-file, --NAME-fd and --NAME-env, where NAME is "pin", "new-pin", "so-pin" ...;
/// `whose` ends the help sentences: "the user PIN".
void add_pin_options(CLI::App& command, PinOptions& options, const std::string& name,
                     const std::string& whose);

/// The PIN from where the options say. Errors: bad_argument (no such file, variable, descriptor),
/// pin_length. An environment variable is overwritten and removed, so that no child inherits it.
Result<SecretBytes> read_pin(const PinOptions& options, Console& console);

/// A PIN on its way: read at once where the options say from where, so that a missing file is told
/// before any card is touched; otherwise asked for when it is wanted.
class PinSource {
 public:
  /// Errors of read_pin().
  static Result<PinSource> open(const PinOptions& options, Console& console);
  /// The PIN that was read, once; where none was, what a person types. `twice` for a new PIN: both
  /// entries must agree.
  Result<SecretBytes> take(const std::string& prompt, bool twice);

 private:
  PinSource() = default;
  std::optional<SecretBytes> read_;
};

}  // namespace kilt::cli
