// SPDX-License-Identifier: Apache-2.0
// What a command hands back: data for programs, text for people, or an error. Printing is done in
// one place, so that no command can forget --json.
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "apdu/result.hpp"
#include "cli/exit_code.hpp"

namespace kilt::cli {

using Json = nlohmann::ordered_json;

/// Version of the envelope and of every command's data. Fields are only ever added under it.
inline constexpr const char* schema = "kilt/1";

struct Report {
  Json data = Json::object();
  std::string text{};  ///< for stdout, whole lines
  std::optional<Error> error{};
  std::string hint{};              ///< instead of the usual one of the error's kind
  std::optional<ExitCode> exit{};  ///< instead of the usual one of the error's kind

  Report() = default;
  Report(Json result, std::string lines) : data(std::move(result)), text(std::move(lines)) {}
  Report(Error failure) : error(std::move(failure)) {}  // NOLINT(google-explicit-constructor)

  /// The same failure with advice of its own.
  Report&& advise(std::string advice) && {
    hint = std::move(advice);
    return std::move(*this);
  }
  [[nodiscard]] ExitCode exit_code() const;
};

/// A failure of work on the card that had `begun`. Where the answer was lost, the card may have
/// done it all the same, and the advice says so: `what` is "The key pair may be on the token all
/// the same".
[[nodiscard]] Report perhaps_done(Error error, bool begun, const std::string& what);

/// {"schema", "command", "ok", "data", "warnings", "error": null or {kind, sw, ckr, hint, ...}}
[[nodiscard]] Json envelope(const std::string& command, const Report& report,
                            const std::vector<std::string>& warnings);

/// The three lines: what failed, why, what to do; with `verbose` the causes, one to a line.
[[nodiscard]] std::string explain_failure(const std::string& failed, const Report& report,
                                          bool verbose);

/// "9000" style, upper case.
[[nodiscard]] std::string status_word_text(std::uint16_t sw);

}  // namespace kilt::cli
