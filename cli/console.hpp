// SPDX-License-Identifier: Apache-2.0
// The person at the other end: warnings, progress, prompts without echo. Everything here goes to
// stderr or /dev/tty; stdout belongs to results.
#pragma once

#include <string>
#include <vector>

#include "apdu/bytes.hpp"
#include "apdu/result.hpp"

namespace kilt::cli {

class Console {
 public:
  bool quiet = false;
  bool json = false;
  int verbosity = 0;

  /// Something that went on but should be known. Kept for the JSON envelope as well.
  void warn(const std::string& sentence);
  /// One line of progress for people; nothing with --quiet or --json.
  void step(const std::string& sentence) const;
  /// Only with -v.
  void detail(const std::string& sentence) const;
  [[nodiscard]] const std::vector<std::string>& warnings() const { return warnings_; }

  /// Whether stderr takes colour: a terminal, NO_COLOR unset [no-color.org].
  [[nodiscard]] static bool error_colour();
  [[nodiscard]] static bool output_colour();

 private:
  std::vector<std::string> warnings_;
};

/// `text` in bold where `colour`.
[[nodiscard]] std::string bold(const std::string& text, bool colour);

/// Whether /dev/tty can be opened: somebody can be asked.
[[nodiscard]] bool has_terminal();
/// One line from /dev/tty without echo. cancelled on Ctrl-C (the terminal is as it was before);
/// bad_argument where there is no terminal, or for a line longer than `capacity`.
Result<SecretBytes> prompt_secret(const std::string& prompt, std::size_t capacity);
/// One line from /dev/tty with echo. Errors as above.
Result<std::string> prompt_line(const std::string& prompt);

}  // namespace kilt::cli
