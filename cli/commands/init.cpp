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

/// The officer's PIN that the card has; on a blank card the one that it will have.
Result<SecretBytes> officers_pin(Context& context, Session& session, const Options& options) {
  if (session.token().initialized) return ask_pin(context, session, so, options.so_pin);
  return obtain_pin(options.so_pin, context.console,
                    fmt::format("New security officer's PIN of {}", session.name()), true);
}

/// Before anything is erased: a PIN that the card would refuse afterwards.
Status check_new_pin(Session& session, card::Role role, const SecretBytes& pin) {
  auto state = session.with_card([&](card::Card& card) { return card.pin_status(role); });
  if (!state) return state.take_error();
  const bool too_long = state->max_length != 0 && pin.size() > state->max_length;
  if (pin.size() >= state->new_min_length && !too_long) return {};
  return Error{ErrorKind::pin_length,
               fmt::format("a new {} has {} to {} characters; nothing was changed on the card",
                           role == so ? "security officer's PIN" : "user PIN",
                           state->new_min_length, state->max_length)};
}

Status erase(Context& context, Session& session, const Options& options, const SecretBytes& pin) {
  const Progress progress(context.console, "The card is being initialised; do not remove it.");
  const auto work = [&](card::Card& card) { return card.initialise(options.label, pin); };
  if (session.token().initialized) return session.changing_pin(so, context.spend_last_try, work);
  return session.with_card(work);
}

Report run(Context& context, const Options& options) {
  auto selected = select_token(context);
  if (!selected) return selected.take_error();
  Session& session = **selected;
  if (!session.model().can_initialise) {
    return Error{ErrorKind::unsupported, "this kind of token is initialised by its issuer only"};
  }
  auto loss = what_is_lost(session);
  if (!loss) return loss.take_error();
  if (auto sure = confirm_loss(context, session, *loss, options.yes); !sure) {
    return sure.take_error();
  }
  session.permit_destruction();
  auto so_pin = officers_pin(context, session, options);
  if (!so_pin) return so_pin.take_error();
  auto user_pin = obtain_pin(options.new_pin, context.console,
                             fmt::format("New user PIN of {}", session.name()), true);
  if (!user_pin) return user_pin.take_error();
  if (!session.token().initialized) {
    if (auto fits = check_new_pin(session, so, *so_pin); !fits) return fits.take_error();
  }
  if (auto fits = check_new_pin(session, card::Role::user, *user_pin); !fits) {
    return fits.take_error();
  }

  if (auto erased = erase(context, session, options, *so_pin); !erased) return erased.take_error();
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
  return {std::move(data), fmt::format("The token {} was initialised as {}; its user PIN is set.\n",
                                       printable(session.token().serial), options.label)};
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
