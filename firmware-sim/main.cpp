// SPDX-License-Identifier: Apache-2.0
// kilt-sim: the command line. What it does is in hosts/ and ca.
#include <fmt/format.h>

#include <CLI/CLI.hpp>

#include "firmware-sim/ca.hpp"
#include "firmware-sim/hosts/control.hpp"
#include "firmware-sim/hosts/run.hpp"
#include "firmware-sim/hosts/workspace.hpp"

namespace kilt::sim {

namespace {

constexpr int exit_usage = 2;
constexpr int exit_failed = 1;

int report(const Error& error) {
  fmt::print(stderr, "kilt-sim: {}\n", error.message());
  return error.kind == ErrorKind::bad_argument ? exit_usage : exit_failed;
}

struct RunText {
  RunOptions options{};
  std::string via = "socket";
  std::string atr{};
  std::string timing = "none";
};

void define_run(CLI::App& app, RunText& text) {
  auto& options = text.options;
  app.footer(
      "Cards that --card takes:\n" + known_cards() +
      "\nWith several --card: the options hold for all of them; --serial is given once per card, "
      "in\n"
      "the same order; FILE of --state and --trace and PATH of --via socket:PATH are for the "
      "first\n"
      "card, the others get FILE.2, FILE.3 and so on. --count writes one file for all.\n"
      "\n"
      "COMMAND finds the cards through its environment: KILT_READERS for kilt's module and "
      "program,\n"
      "KILT_SIM for `kilt-sim insert|remove|fault|stats`; with --via pcscd or vpcd also\n"
      "PCSCLITE_CSOCK_NAME, which every PC/SC program follows, and KILT_SIM_PCSCD, the daemon's\n"
      "process id. Without COMMAND these are printed as lines for a shell to evaluate, and the "
      "cards\n"
      "stay until SIGINT or SIGTERM.\n"
      "Exit status: COMMAND's (128 and the signal's number if one ended it); 2 for a wrong "
      "option;\n"
      "1 when the simulator could not be started.\n"
      "\n"
      "SPEC of --fault: ACTION@apdu:N, ACTION@ins:HH:N or WRITE@nvram:N, several with commas.\n"
      "  ACTION  remove, remove-after, mute, slow (:MS), sw (:HHHH), truncate (:BYTES), oversize,\n"
      "          garbage; an argument stands at the end: sw@ins:20:1:6983\n"
      "  WRITE   kill, kill-after (the card's process dies), tear (power is cut)\n"
      "  N       which command (with that instruction byte) or memory write, from 1\n"
      "\n"
      "Examples:\n"
      "  kilt-sim run --card kaztoken -- kilt list\n"
      "  kilt-sim run --card kaztoken --state token.nv --via pcscd -- opensc-tool --atr");
  app.add_option("--card", options.cards, "kind of card; again for another reader with a card")
      ->required()
      ->allow_extra_args(false)
      ->type_name("NAME");
  app.add_option("--via", text.via,
                 "how COMMAND reaches it: socket[:PATH] (kilt only), pcscd (a private pcscd with "
                 "kilt's reader driver), vpcd (a private pcscd with Debian's vpcd driver), "
                 "vpcd:PORT (a vpcd that runs already)")
      ->type_name("WAY")
      ->capture_default_str();
  app.add_option("--state", options.state,
                 "keep the card's memory in FILE across runs; without it the card is as its owner "
                 "gets it and is forgotten at the end")
      ->type_name("FILE");
  app.add_flag("--blank", options.blank, "a new card was never initialised");
  app.add_option("--factory", options.factory,
                 "delivered another way than the usual one; aladdin: JaCarta with its maker's PINs")
      ->type_name("aladdin");
  app.add_option("--atr", text.atr, "answer to reset in place of the card's own")->type_name("HEX");
  app.add_option("--serial", options.serials, "serial number of the card, hex digits")
      ->allow_extra_args(false)
      ->type_name("HEX");
  app.add_option("--seed", options.seed,
                 "keys and random numbers follow from N (0: from the system)")
      ->type_name("N");
  app.add_option("--timing", text.timing, "real: answers take as long as the real card's")
      ->type_name("real|none")
      ->check(CLI::IsMember({"real", "none"}))
      ->capture_default_str();
  app.add_option("--fault", options.faults, "something goes wrong, see below")
      ->allow_extra_args(false)
      ->type_name("SPEC");
  app.add_option("--count", options.count,
                 "write the numbers of APDUs and bytes as JSON at the end")
      ->type_name("FILE");
  app.add_option("--trace", options.trace, "write every APDU as a vector file, secrets masked")
      ->type_name("FILE");
  app.add_option("--pinpad", options.pinpad,
                 "over pcscd: the readers have keys, and a person types PIN there whenever asked "
                 "(cancel: gives up; nothing: nobody is there)")
      ->type_name("PIN");
  app.add_flag("--guard", options.guard,
               "over vpcd: do not allow commands that are only assumed for the card");
}

int start_run(RunText& text) {
  auto via = Via::parse(text.via);
  if (!via) return report(via.error());
  text.options.via = *via;
  auto atr = from_hex(text.atr);
  if (!atr) {
    return report({ErrorKind::bad_argument, "--atr " + text.atr + " is not made of hex digits"});
  }
  text.options.atr = *atr;
  if (!text.options.pinpad.empty() && via->kind != Via::Kind::pcscd) {
    return report(
        {ErrorKind::bad_argument, "--pinpad needs --via pcscd: only its readers have keys"});
  }
  text.options.real_time = text.timing == "real";
  auto status = run(text.options);
  return status ? *status : report(status.error());
}

struct ControlText {
  std::string socket{};
  std::size_t reader = 1;
  std::string fault{};
  bool fresh = false;
};

CLI::App* define_control(CLI::App& app, ControlText& text, const char* name, const char* what) {
  CLI::App* command = app.add_subcommand(name, what);
  command->add_option("--reader", text.reader, "the N-th reader of $KILT_SIM, from 1")
      ->type_name("N")
      ->capture_default_str();
  command->add_option("--socket", text.socket, "the reader's socket, instead of $KILT_SIM")
      ->type_name("PATH");
  command->footer("Prints the reader's counters afterwards, as one JSON document.");
  return command;
}

int control(const ControlText& text, const std::string& words) {
  auto socket = control_socket(text.socket, text.reader);
  if (!socket) return report(socket.error());
  auto answer = send_control(*socket, words);
  if (!answer) return report(answer.error());
  fmt::print("{}\n", *answer);
  return 0;
}

struct CaText {
  std::string directory{};
  std::string request{};
  std::string output{};
  std::string purpose = "sign";
  unsigned bits = 2048;
  CLI::App* init = nullptr;
  CLI::App* issue = nullptr;
};

void define_ca(CLI::App& app, CaText& text) {
  CLI::App* ca = app.add_subcommand("ca", "a test CA that issues certificates of the NCA's shape");
  ca->require_subcommand(1);
  text.init = ca->add_subcommand("init", "make a CA: DIR/ca.pem and, in the clear, DIR/ca.key.pem");
  text.init->add_option("dir", text.directory, "its directory")->required()->type_name("DIR");
  text.init->add_option("--bits", text.bits, "size of the CA's RSA key")
      ->check(CLI::IsMember({2048, 3072, 4096}))
      ->capture_default_str();
  text.issue = ca->add_subcommand("issue", "check a request and issue a certificate for a year");
  text.issue->add_option("dir", text.directory, "the CA's directory")->required()->type_name("DIR");
  text.issue->add_option("request", text.request, "PKCS#10 request with an RSA key, PEM or DER")
      ->required()
      ->type_name("REQUEST");
  text.issue->add_option("-o,--output", text.output, "where the certificate goes, as PEM")
      ->required()
      ->type_name("CERT");
  text.issue
      ->add_option("--purpose", text.purpose,
                   "auth: digitalSignature, keyEncipherment, clientAuth; sign: digitalSignature, "
                   "nonRepudiation, emailProtection")
      ->type_name("auth|sign")
      ->check(CLI::IsMember({"auth", "sign"}))
      ->capture_default_str();
}

int run_ca(const CaText& text) {
  if (text.init->parsed()) {
    auto done = ca_init(text.directory, text.bits);
    return done ? 0 : report(done.error());
  }
  auto certificate = ca_issue(text.directory, text.request,
                              text.purpose == "auth" ? Purpose::auth : Purpose::sign);
  if (!certificate) return report(certificate.error());
  auto written = write_file(text.output, *certificate);
  return written ? 0 : report(written.error());
}

int main_program(std::vector<std::string> arguments) {
  CLI::App app{"Simulated key carriers: cards that are not there, for programs that are."};
  app.name("kilt-sim");
  app.require_subcommand(1);
  RunText run_text;
  ControlText control_text;
  // What follows "--" is COMMAND's alone, options and all.
  const auto dashes = std::find(arguments.begin(), arguments.end(), "--");
  const bool has_command = dashes != arguments.end();
  if (has_command) run_text.options.command.assign(dashes + 1, arguments.end());
  arguments.erase(dashes, arguments.end());

  CLI::App* run_command = app.add_subcommand(
      "run",
      "start simulated cards and run COMMAND with them: kilt-sim run --card NAME -- COMMAND");
  define_run(*run_command, run_text);
  CLI::App* insert =
      define_control(app, control_text, "insert", "put the card back into its reader");
  insert->add_flag("--fresh", control_text.fresh, "another card of the same kind instead");
  CLI::App* remove = define_control(app, control_text, "remove", "pull the card out of its reader");
  CLI::App* fault = define_control(app, control_text, "fault", "arm faults in the running card");
  fault->add_option("spec", control_text.fault, "as for run --fault; empty disarms")
      ->required()
      ->type_name("SPEC");
  CLI::App* stats = define_control(app, control_text, "stats", "count what went over the contacts");

  CaText ca_text;
  define_ca(app, ca_text);

  const auto is_first = [&](const CLI::App* command) {
    return command->get_name() == arguments[0];
  };
  if (!arguments.empty() && !arguments[0].starts_with('-') &&
      app.get_subcommands(is_first).empty()) {
    return report({ErrorKind::bad_argument,
                   "there is no command " + arguments[0] + "; kilt-sim --help lists them"});
  }
  std::reverse(arguments.begin(), arguments.end());
  try {
    app.parse(arguments);
  } catch (const CLI::ParseError& error) {
    if (app.exit(error) == 0) return 0;
    if (run_command->parsed()) fmt::print(stderr, "COMMAND goes after --\n");
    return exit_usage;
  }
  if (has_command && (!run_command->parsed() || run_text.options.command.empty())) {
    return report({ErrorKind::bad_argument, "after -- a COMMAND is expected, and only by run"});
  }
  if (run_command->parsed()) return start_run(run_text);
  if (insert->parsed())
    return control(control_text, control_text.fresh ? "insert fresh" : "insert");
  if (remove->parsed()) return control(control_text, "remove");
  if (fault->parsed()) return control(control_text, "fault " + control_text.fault);
  if (stats->parsed()) return control(control_text, "stats");
  return run_ca(ca_text);
}

}  // namespace

}  // namespace kilt::sim

int main(int argc, char** argv) {
  return kilt::sim::main_program(std::vector<std::string>(argv + 1, argv + argc));
}
