// SPDX-License-Identifier: Apache-2.0
// What every command is given: the options that all commands share, the configuration, and the
// readers behind them.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "apdu/trace.hpp"
#include "apdu/transport/readers.hpp"
#include "cli/console.hpp"
#include "cli/pin_entry.hpp"
#include "cli/report.hpp"
#include "cli/session.hpp"
#include "drivers/config.hpp"

namespace kilt::cli {

struct Context {
  Console console;
  card::Config config;
  std::string token;            ///< --token: serial, label or PKCS#11 URI
  bool spend_last_try = false;  ///< --spend-last-try or the configuration
  std::unique_ptr<apdu::Recorder> recorder{};
  std::unique_ptr<apdu::Readers> readers{};
  /// What to do about an error of that kind on the token that was selected, where the usual advice
  /// would be wrong: a blank one, one without a security officer.
  std::map<ErrorKind, std::string> advice{};
};

/// The command that was chosen on the command line.
struct Choice {
  std::string name;    ///< "pin change"
  std::string failed;  ///< the first line when it fails, a whole sentence
  std::function<Report(Context&)> run;
};

/// One reader and what is in it: a token, several of them where a device carries several
/// applications, or why there is none that kilt can use.
struct Seen {
  apdu::ReaderState reader;
  std::vector<std::unique_ptr<Session>> tokens{};
  std::optional<Error> why_not{};
};

/// Opens the readers (and the trace that KILT_TRACE names) and looks at every card.
Result<std::vector<Seen>> look_around(Context& context);

/// The token that --token names, or the only one there is. no_card; bad_argument when several fit
/// (the list of them is in the text); unknown_card when nothing but unknown cards is there.
Result<std::unique_ptr<Session>> select_token(Context& context);

/// A key or certificate named by a URI names its token as well; used where --token is not given.
void take_token_from(Context& context, const std::string& selector);

/// Where the user PIN comes from: an option, or else the pin-source of --token's URI. Call it
/// before a card is touched.
Result<PinSource> open_user_pin(Context& context, const PinOptions& options);

/// The user's or the security officer's PIN, after a look at its state: blocked or last-try PINs
/// are refused before anybody types. Tells the tries left in the prompt.
Result<SecretBytes> ask_pin(Context& context, Session& session, card::Role role, PinSource& source);
/// A PIN that is going to be set; its length is checked against what the card takes.
Result<SecretBytes> ask_new_pin(Session& session, card::Role role, PinSource& source);
/// The least length of a PIN that is going to be set.
[[nodiscard]] std::size_t new_min_length(const card::PinInfo& pin);
/// pin_length for a new PIN that the card would refuse: before anything is sent.
Status check_new_pin(const card::PinInfo& state, const SecretBytes& pin);
/// Warns when the PIN that just worked is the one the maker sets.
void warn_of_factory_pin(Context& context, Session& session, card::Role role,
                         const SecretBytes& pin);

/// Before something is lost for good: shows what, and has the serial typed. `yes` stands for the
/// typing only when --token is the exact serial.
Status confirm_loss(Context& context, Session& session, const std::string& what_is_lost, bool yes);

}  // namespace kilt::cli
