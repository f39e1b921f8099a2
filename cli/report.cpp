// SPDX-License-Identifier: Apache-2.0
#include "cli/report.hpp"

#include <fmt/format.h>

#include "cli/text.hpp"

namespace kilt::cli {
namespace {

/// The deepest cause of the reported kind: the most exact sentence about it. Below may be causes of
/// other kinds, as how reading a certificate failed; they are for --verbose.
const Error& innermost(const Error& error) {
  const Error* deepest = &error;
  while (deepest->cause && deepest->cause->kind == error.kind)
    deepest = deepest->cause.get();
  return *deepest;
}

std::optional<int> tries_left(const Error& error) {
  return error.kind == ErrorKind::pin_blocked ? 0 : error.tries_left;
}

std::string reason_of(const Error& error) {
  std::string text(explain(error).reason);
  if (error.tries_left && error.kind == ErrorKind::pin_incorrect) {
    text += *error.tries_left == 1 ? "; one try is left"
                                   : fmt::format("; {} tries are left", *error.tries_left);
  }
  return text;
}

std::string hint_of(const Report& report) {
  return report.hint.empty() ? std::string(explain(*report.error).hint) : report.hint;
}

}  // namespace

Report perhaps_done(Error error, bool begun, const std::string& what) {
  const bool answer_lost = error.kind == ErrorKind::removed || error.kind == ErrorKind::transport ||
                           error.kind == ErrorKind::timeout ||
                           error.kind == ErrorKind::no_service || error.kind == ErrorKind::protocol;
  Report report(std::move(error));
  if (begun && answer_lost) {
    report.hint = what +
                  "; with the token in again, look with `kilt list` before you repeat the "
                  "command.";
  }
  return report;
}

ExitCode Report::exit_code() const {
  if (exit) return *exit;
  return error ? explain(*error).exit : ExitCode::ok;
}

std::string status_word_text(std::uint16_t sw) {
  return fmt::format("{:04X}", sw);
}

Json envelope(const std::string& command, const Report& report,
              const std::vector<std::string>& warnings) {
  Json document;
  document["schema"] = schema;
  document["command"] = command;
  document["ok"] = !report.error.has_value();
  document["data"] = report.data;
  document["warnings"] = warnings;
  document["error"] = nullptr;
  if (!report.error) return document;
  const Error& error = *report.error;
  Json& out = document["error"];
  out["kind"] = to_string(explain(error).kind);
  out["sw"] = error.sw == 0 ? Json(nullptr) : Json(status_word_text(error.sw));
  out["ckr"] = explain(error).ckr;
  out["hint"] = hint_of(report);
  out["reason"] = reason_of(error);
  out["message"] = error.message();
  const auto tries = tries_left(error);
  out["tries_left"] = tries ? Json(*tries) : Json(nullptr);
  out["exit_code"] = static_cast<int>(report.exit_code());
  return document;
}

std::string explain_failure(const std::string& failed, const Report& report, bool verbose) {
  const Error& error = *report.error;
  const Error& deepest = innermost(error);
  std::string codes;
  if (error.sw != 0) codes = status_word_text(error.sw) + ", ";
  codes += explain(error).ckr;
  std::string text =
      fmt::format("kilt: {}\n why: {} [{}]: {}\n  do: {}\n", failed, reason_of(error), codes,
                  sentence(printable(deepest.what)), hint_of(report));
  if (!verbose) return text;
  for (const Error* cause = &error; cause != nullptr; cause = cause->cause.get()) {
    text += fmt::format("from: {}{} ({})\n", printable(cause->what),
                        cause->sw != 0 ? " [" + status_word_text(cause->sw) + "]" : "",
                        to_string(cause->kind));
  }
  return text;
}

}  // namespace kilt::cli
