// SPDX-License-Identifier: Apache-2.0
// kilt init: erases a token and makes it ready.
#include <fmt/format.h>

#include <memory>

#include "cli/commands/commands.hpp"
#include "cli/objects.hpp"
#include "cli/progress.hpp"
#include "cli/text.hpp"

namespace kilt::cli {
namespace {

constexpr auto so = card::Role::security_officer;

struct Options {
  std::string label;
  bool yes = false;
  PinOptions so_pin, new_pin;
};

Result<std::string> what_is_lost(Session& session) {
  if (!session.token().initialized) return std::string("The token is blank: nothing is lost.");
  auto objects = session.with_card([](card::Card& card) { return card.list(); });
  if (!objects) return objects.take_error();
  std::string text = fmt::format("Everything on {} will be lost for good:", session.name());
  for (const auto& key : objects->keys)
    text += "\n  " + key_line(key);
  for (const auto& certificate : objects->certificates) {
    text += "\n  " + certificate_line(certificate);
  }
  text += fmt::format("\n  {} data objects, both PINs, and whatever other programs stored.",
                      objects->data.size());
  return text;
}

struct Pins {
  PinSource officer, user;
};

Result<Pins> open_pins(Context& context, const Options& options) {
  auto officer = PinSource::open(options.so_pin, context.console);
  if (!officer) return officer.take_error();
  auto user = PinSource::open(options.new_pin, context.console);
  if (!user) return user.take_error();
  return Pins{*std::move(officer), *std::move(user)};
}

/// Blank cards have no officer's PIN yet, and some kinds are sold without one.
Result<bool> has_officers_pin(Session& session) {
  if (!session.token().initialized) return false;
  auto state = session.with_card([](card::Card& card) { return card.pin_status(so); });
  if (!state) return state.take_error();
  return state->initialized;
}

/// Where there is an officer's PIN the login comes first: a wrong one is told before anything is
/// said to go on. A PIN that has its place on the card but was never loaded is what an
/// initialisation leaves that was cut off in between; nobody can know it, so the work is begun
/// anew, and the driver decides whether that is so.
Status erase(Context& context, Session& session, const Options& options, const SecretBytes& pin,
             bool has_officer, bool& begun) {
  const auto work = [&](card::Card& card) {
    begun = true;
    const Progress progress(context.console, "The card is being initialised; do not remove it.");
    return card.initialise(options.label, pin);
  };
  if (!has_officer) return session.with_card(work);
  auto erased = session.logged_in(so, pin, context.spend_last_try, work);
  if (!erased && !begun && erased.error().kind == ErrorKind::pin_not_set)
    return session.with_card(work);
  return erased;
}

Status may_initialise(const Session& session) {
  if (!session.model().can_initialise) {
    return Error{ErrorKind::unsupported, "this kind of token is initialised by its issuer only"};
  }
  if (!session.model().has_so) {
    return Error{ErrorKind::unsupported,
                 "this kind of token has no security officer who could initialise it"};
  }
  return {};
}

Report run(Context& context, const Options& options) {
  if (options.label.empty()) return Error{ErrorKind::bad_argument, "the label is empty"};
  if (auto fits = check_label(options.label, longest_token_label); !fits) return fits.take_error();
  auto pins = open_pins(context, options);
  if (!pins) return pins.take_error();
  auto selected = select_token(context);
  if (!selected) return selected.take_error();
  Session& session = **selected;
  if (auto may = may_initialise(session); !may) return may.take_error();
  auto loss = what_is_lost(session);
  if (!loss) return loss.take_error();
  if (auto sure = confirm_loss(context, session, *loss, options.yes); !sure) {
    return sure.take_error();
  }
  session.permit_destruction();
  if (auto may = session.allows(card::Work::initialise); !may) return may.take_error();
  auto has_officer = has_officers_pin(session);
  if (!has_officer) return has_officer.take_error();
  auto so_pin = *has_officer ? ask_pin(context, session, so, pins->officer)
                             : ask_new_pin(session, so, pins->officer);
  if (!so_pin) return so_pin.take_error();
  auto user_pin = ask_new_pin(session, card::Role::user, pins->user);
  if (!user_pin) return user_pin.take_error();

  bool begun = false;
  session.note_change();
  if (auto erased = erase(context, session, options, *so_pin, *has_officer, begun); !erased) {
    return perhaps_done(erased.take_error(), begun, "The token may be erased, in part or whole");
  }
  auto set = session.logged_in(so, *so_pin, context.spend_last_try,
                               [&](card::Card& card) { return card.set_user_pin(*user_pin); });
  if (!set) {
    Report report(set.take_error().within("the token was initialised, but has no user PIN yet"));
    report.hint = "Set the user PIN with `kilt pin unblock`.";
    report.exit = ExitCode::partial;
    return report;
  }
  warn_of_factory_pin(context, session, so, *so_pin);
  warn_of_factory_pin(context, session, card::Role::user, *user_pin);
  Json data = token_json(session);
  data["label"] = options.label;
  return {std::move(data),
          fmt::format("The token {} was initialised as {}; its user PIN is set.\n",
                      printable(session.token().serial), printable(options.label))};
}

}  // namespace

void add_init(CLI::App& app, Choice& choice) {
  auto* command = app.add_subcommand("init", "Erase a token and give it a label and PINs");
  auto options = std::make_shared<Options>();
  command->add_option("--label", options->label, "Label that the token gets")->required();
  command->add_flag("--yes", options->yes, "Do not ask; needs --token with the exact serial");
  add_pin_options(*command, options->so_pin, "so-pin", "the PIN of the security officer");
  add_pin_options(*command, options->new_pin, "new-pin", "the user PIN to be set");
  command->callback([&choice, options] {
    choice = {"init", "The token was not initialised.",
              [options](Context& context) { return run(context, *options); }};
  });
}

}  // namespace kilt::cli
