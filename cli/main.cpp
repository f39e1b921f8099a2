// SPDX-License-Identifier: Apache-2.0
// The kilt program: reads the command line, runs the command, prints what it hands back.
#include <fmt/format.h>
#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>

#include <csignal>
#include <cstdio>
#include <exception>
#include <sstream>

#include "cli/commands/commands.hpp"
#include "cli/interrupt.hpp"

namespace kilt::cli {
namespace {

void print(const std::string& text, std::FILE* to) {
  std::fwrite(text.data(), 1, text.size(), to);
  std::fflush(to);
}

int finish(const Context& context, const Choice& choice, const Report& report) {
  const Console& console = context.console;
  if (console.json) {
    const Json document = envelope(choice.name, report, console.warnings());
    print(document.dump(2, ' ', false, Json::error_handler_t::replace) + "\n", stdout);
  } else {
    if (!console.quiet) print(report.text, stdout);
    if (report.error) print(explain_failure(choice.failed, report, console.verbosity > 0), stderr);
  }
  if (std::ferror(stdout) != 0) return static_cast<int>(ExitCode::failure);
  return static_cast<int>(report.exit_code());
}

void load_configuration(Context& context, bool spend_last_try) {
  auto loaded = card::load_config();
  context.config = std::move(loaded.config);
  context.spend_last_try = spend_last_try || context.config.spend_last_try;
  for (const std::string& problem : loaded.problems)
    context.console.warn(problem);
}

/// Usage errors of the parser, in the form of all other errors.
int usage_error(Context& context, const CLI::App& app, const CLI::ParseError& error, bool json) {
  context.console.json = json;
  if (error.get_exit_code() == 0) {  // --help, --version
    if (!json) return app.exit(error);
    Report report;
    std::ostringstream text;
    app.exit(error, text, text);
    report.data["version"] = KILT_VERSION;
    report.data["text"] = text.str();
    return finish(context, {"", "", {}}, report);
  }
  Report report(Error{ErrorKind::bad_argument, error.what()});
  return finish(context, {"", "The command line was not understood.", {}}, report);
}

bool mentions(int argc, char** argv, std::string_view option) {
  for (int i = 1; i < argc && std::string_view(argv[i]) != "--"; ++i) {
    if (argv[i] == option) return true;
  }
  return false;
}

int run(int argc, char** argv) {
  Context context;
  Choice choice;
  bool spend_last_try = false;
  CLI::App app("kilt: the key carriers of Kazakhstan's national CA on Linux", "kilt");
  app.set_version_flag("--version", "kilt " KILT_VERSION);
  app.require_subcommand(1);
  app.fallthrough();
  app.add_flag("--json", context.console.json, "Print one JSON document instead of text");
  app.add_flag("-q,--quiet", context.console.quiet, "Print errors only");
  app.add_flag("-v,--verbose", context.console.verbosity, "Tell the causes of an error");
  app.add_option("--token", context.token, "The token: its serial, its label, or a PKCS#11 URI");
  app.add_flag("--spend-last-try", spend_last_try, "Send a PIN even if only one try is left");
  app.footer(
      "Manual: man kilt. Exit codes: 0 ok, 1 failure, 2 usage, 3 no service, 4 no token, "
      "5 unsupported,\n6 PIN wrong or refused, 7 PIN locked, 8 verification failed, "
      "9 done in part.");
  for (auto* add : {add_list, add_info, add_init, add_pin, add_key, add_csr, add_cert, add_sign,
                    add_verify, add_trace}) {
    add(app, choice);
  }
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return usage_error(context, app, error, mentions(argc, argv, "--json"));
  }
  load_configuration(context, spend_last_try);
  watch_for_interrupts();
  Report report = choice.run(context);
  if (report.error && report.hint.empty()) {
    const auto better = context.advice.find(report.error->kind);
    if (better != context.advice.end()) report.hint = better->second;
  }
  const int code = finish(context, choice, report);
  context.readers.reset();
  end_if_interrupted();
  return code;
}

}  // namespace
}  // namespace kilt::cli

int main(int argc, char** argv) {
  std::signal(SIGPIPE, SIG_IGN);
  try {
    return kilt::cli::run(argc, argv);
  } catch (const std::exception& error) {
    fmt::print(stderr, "kilt: The command ended early.\n why: {}\n  do: Report it.\n",
               error.what());
    return static_cast<int>(kilt::cli::ExitCode::failure);
  }
}
