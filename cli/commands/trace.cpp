// SPDX-License-Identifier: Apache-2.0
// kilt trace record and show: what goes over the wire, without the PINs.
#include <fmt/format.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <memory>
#include <optional>
#include <string>

#include "cli/commands/commands.hpp"
#include "cli/objects.hpp"
#include "cli/text.hpp"
#include "cli/trace_words.hpp"

namespace kilt::cli {
namespace {

struct Options {
  std::string file;
  std::vector<std::string> command;
};

/// Runs the command and hands back how it ended, as a shell would say it.
Result<int> run_command(const std::vector<std::string>& command) {
  std::vector<char*> arguments;
  arguments.reserve(command.size() + 1);
  for (const std::string& word : command)
    arguments.push_back(const_cast<char*>(word.c_str()));
  arguments.push_back(nullptr);
  const pid_t child = fork();
  if (child < 0) return Error{ErrorKind::internal, std::strerror(errno)};
  if (child == 0) {
    for (const int number : {SIGINT, SIGTERM, SIGHUP, SIGPIPE})
      std::signal(number, SIG_DFL);
    execvp(arguments[0], arguments.data());
    fmt::print(stderr, "kilt: {} cannot be run: {}\n", command[0], std::strerror(errno));
    _exit(127);
  }
  int state = 0;
  while (waitpid(child, &state, 0) < 0) {
    if (errno != EINTR) return Error{ErrorKind::internal, std::strerror(errno)};
  }
  return WIFEXITED(state) ? WEXITSTATUS(state) : 128 + WTERMSIG(state);
}

std::string absolute(const std::string& path) {
  if (path.starts_with('/')) return path;
  char* here = getcwd(nullptr, 0);
  std::string full = (here != nullptr ? std::string(here) + "/" : "") + path;
  std::free(here);
  return full;
}

/// Exchanges in the trace file, those that failed among them. Nothing where nobody can say: a pipe.
std::optional<std::size_t> exchanges_in(const std::string& path) {
  std::error_code unknown;
  if (!std::filesystem::is_regular_file(path, unknown)) return std::nullopt;
  std::ifstream file(path);
  std::size_t count = 0;
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with("> ") || line.starts_with("; > ")) ++count;
  }
  return count;
}

Report record_command(Context& context, const Options& options) {
  if (context.console.json) {
    return Error{ErrorKind::bad_argument, "--json cannot be used with a command to run"};
  }
  const std::string file = absolute(options.file);
  // Opened here as well: a file that cannot be written is told before the command runs.
  if (auto recorder = apdu::Recorder::open(file); !recorder) return recorder.take_error();
  setenv("KILT_TRACE", file.c_str(), 1);
  auto ended = run_command(options.command);
  if (!ended) return ended.take_error();
  context.console.step(fmt::format("The trace is in {}; PINs are not in it.", options.file));
  Report report;
  report.exit = static_cast<ExitCode>(*ended);
  return report;
}

/// First contact: everything that reading without a PIN tells. A failure ends the reading of this
/// card, and is itself worth recording.
Status read_all(Session& session) {
  return session.with_card([](card::Card& card) -> Status {
    for (const card::Role role : {card::Role::user, card::Role::security_officer}) {
      if (role == card::Role::security_officer && !card.model().has_so) continue;
      if (auto pin = card.pin_status(role); !pin) return pin.take_error();
    }
    auto objects = card.list();
    if (!objects) return objects.take_error();
    for (const auto& key : objects->keys) {
      if (auto read = card.read_public_key(key.ref); !read) return read.take_error();
    }
    for (const auto& certificate : objects->certificates) {
      if (auto read = card.read_certificate(certificate.ref); !read) return read.take_error();
    }
    return {};
  });
}

/// The guard kept every command from the cards. An unknown card is sent none either, but of that
/// one its ATR is the news.
Report nothing_recorded(Report report, const Error& refusal, const std::string& file) {
  report.error = refusal.within("no command was sent to a card");
  report.hint = fmt::format(
      "{} holds nothing but the card's ATR. If kilt may send this card what it only guesses, list "
      "that ATR under allow_assumed in kilt.toml and repeat the command.",
      file);
  return report;
}

Report record(Context& context, const Options& options) {
  if (!options.command.empty()) return record_command(context, options);
  auto recorder = apdu::Recorder::open(options.file);
  if (!recorder) return recorder.take_error();
  context.recorder = *std::move(recorder);
  const auto before = exchanges_in(options.file);
  std::optional<Error> refusal;
  auto all = look_around(context);
  if (!all) return all.take_error();
  Report report;
  report.data["file"] = options.file;
  report.data["cards"] = Json::array();
  for (Seen& seen : *all) {
    if (!seen.reader.present) continue;
    context.recorder->comment(
        fmt::format("reader {}, ATR {}", printable(seen.reader.name), to_hex(seen.reader.atr)));
    std::optional<Error> failure = seen.why_not;
    for (const auto& token : seen.tokens) {
      if (auto read = read_all(*token); !read) failure = read.take_error();
    }
    Json card;
    card["reader"] = seen.reader.name;
    card["atr"] = to_hex(seen.reader.atr);
    card["failure"] = failure ? Json(failure->message()) : Json(nullptr);
    if (failure && failure->kind == ErrorKind::refused) refusal = failure;
    if (failure) context.recorder->comment("ended by: " + printable(failure->message()));
    report.text += fmt::format("The card in {} was read{}.\n", printable(seen.reader.name),
                               failure ? " until it failed: " + printable(failure->message()) : "");
    report.data["cards"].push_back(std::move(card));
  }
  if (report.data["cards"].empty()) return Error{ErrorKind::no_card, "no reader holds a card"};
  if (const auto after = exchanges_in(options.file); refusal && before && after == before)
    return nothing_recorded(std::move(report), *refusal, options.file);
  report.text += fmt::format(
      "The trace is in {}; no PIN was asked for and nothing was written to "
      "a card.\n",
      options.file);
  return report;
}

Report show(const Options& options) {
  auto file = apdu::VectorFile::load(options.file);
  if (!file) return file.take_error();
  Report report;
  report.data["header"] = Json::object();
  for (const auto& [key, value] : file->header) {
    report.data["header"][key] = value;
    report.text += fmt::format("{}: {}\n", printable(key), printable(value));
  }
  report.data["exchanges"] = Json::array();
  for (const apdu::VectorStep& step : file->steps) {
    const TracedStep words = explain_step(step);
    if (!step.comment.empty()) report.text += fmt::format("  ; {}\n", printable(step.comment));
    report.text += fmt::format("{:5}  {}\n", step.line, words.text);
    Json json;
    json["line"] = step.line;
    json["what"] = words.command;
    json["command"] = step.command.text();
    json["answer"] = step.answer.text();
    json["sw"] = words.status ? Json(status_word_text(words.status->value)) : Json(nullptr);
    json["meaning"] = words.meaning;
    report.data["exchanges"].push_back(std::move(json));
  }
  return report;
}

}  // namespace

void add_trace(CLI::App& app, Choice& choice) {
  auto* trace = app.add_subcommand("trace", "Record and explain what goes over the wire");
  trace->require_subcommand(1);
  auto options = std::make_shared<Options>();

  auto* write = trace->add_subcommand(
      "record", "Record COMMAND's exchanges; without it, a first contact that only reads");
  write->add_option("file", options->file, "Trace file; it is appended to")->required();
  write->add_option("command", options->command, "After --: the command to run, with KILT_TRACE");
  write->callback([&choice, options] {
    choice = {"trace record", "The trace was not recorded.",
              [options](Context& context) { return record(context, *options); }};
  });

  auto* read = trace->add_subcommand("show", "Explain each exchange of a trace");
  read->add_option("file", options->file, "Trace or vector file")->required();
  read->callback([&choice, options] {
    choice = {"trace show", "The trace could not be shown.",
              [options](Context&) { return show(*options); }};
  });
}

}  // namespace kilt::cli
