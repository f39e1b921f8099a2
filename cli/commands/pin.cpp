// SPDX-License-Identifier: Apache-2.0
// kilt pin status, change, unblock.
#include <fmt/format.h>

#include <memory>

#include "cli/commands/commands.hpp"
#include "cli/objects.hpp"

namespace kilt::cli {
namespace {

struct Options {
  bool so = false;
  PinOptions pin, so_pin, new_pin;
};

Report status(Context& context) {
  auto session = select_token(context);
  if (!session) return session.take_error();
  Report report(token_json(**session), fmt::format("{}\n", (*session)->name()));
  report.data["pins"] = Json::array();
  for (const card::Role role : {card::Role::user, card::Role::security_officer}) {
    if (role == card::Role::security_officer && !(*session)->model().has_so) continue;
    auto pin = (*session)->with_card([&](card::Card& card) { return card.pin_status(role); });
    if (!pin) return pin.take_error();
    report.data["pins"].push_back(pin_json(*pin));
    report.text += fmt::format("{}\n", pin_line(*pin));
    if (pin->max_length != 0) {
      report.text +=
          fmt::format("              {} to {} characters", pin->min_length, pin->max_length);
      if (new_min_length(*pin) > pin->min_length) {
        report.text += fmt::format(", a new one at least {}", new_min_length(*pin));
      }
      report.text += "\n";
    }
  }
  if (!(*session)->token().initialized) report.text += blank_line;
  return report;
}

/// Nobody stands above the security officer, so what helps the user is no advice for that PIN.
Report refused(card::Role role, Error error, bool begun) {
  Report report = perhaps_done(std::move(error), begun, "The new PIN may be set already");
  if (role != card::Role::security_officer) return report;
  if (report.error->kind == ErrorKind::pin_blocked) {
    report.hint =
        "Nothing unblocks the security officer's PIN; the keys still work with the user "
        "PIN as long as that one is not blocked.";
  } else if (report.error->kind == ErrorKind::pin_not_set) {
    report.hint =
        "Only `kilt init` gives the token a security officer's PIN, and it erases the token.";
  }
  return report;
}

Status has_officer(const Session& session) {
  if (session.model().has_so) return {};
  return Error{ErrorKind::unsupported,
               "this kind of token has no security officer; only its issuer can unblock its PIN"};
}

Report change(Context& context, const Options& options) {
  const auto role = options.so ? card::Role::security_officer : card::Role::user;
  // A PIN that is given and not used would be asked for on the terminal, where nobody may sit.
  if (options.so ? options.pin.given() : options.so_pin.given()) {
    return Error{ErrorKind::bad_argument,
                 options.so ? "with --so the present PIN is given by --so-pin-..., not --pin-..."
                            : "--so-pin-... is for the security officer's PIN; add --so"};
  }
  auto old_source = options.so ? PinSource::open(options.so_pin, context.console)
                               : open_user_pin(context, options.pin);
  if (!old_source) return old_source.take_error();
  auto new_source = PinSource::open(options.new_pin, context.console);
  if (!new_source) return new_source.take_error();
  auto selected = select_token(context);
  if (!selected) return selected.take_error();
  Session& session = **selected;
  if (auto has = has_officer(session); options.so && !has) return has.take_error();
  if (auto allowed = session.allows(card::Work::change_pin); !allowed) return allowed.take_error();
  auto old_pin = ask_pin(context, session, role, *old_source);
  if (!old_pin) return refused(role, old_pin.take_error(), false);
  auto new_pin = ask_new_pin(session, role, *new_source);
  if (!new_pin) return new_pin.take_error();
  bool begun = false;
  auto done = session.changing_pin(role, context.spend_last_try, [&](card::Card& card) {
    begun = true;
    return card.change_pin(role, *old_pin, *new_pin);
  });
  if (!done) return refused(role, done.take_error(), begun);
  warn_of_factory_pin(context, session, role, *new_pin);
  Report report(token_json(session),
                fmt::format("The {} of {} was changed.\n",
                            options.so ? "security officer's PIN" : "user PIN", session.name()));
  report.data["role"] = options.so ? "so" : "user";
  return report;
}

Report unblock(Context& context, const Options& options) {
  constexpr auto so = card::Role::security_officer;
  auto so_source = PinSource::open(options.so_pin, context.console);
  if (!so_source) return so_source.take_error();
  auto new_source = PinSource::open(options.new_pin, context.console);
  if (!new_source) return new_source.take_error();
  auto selected = select_token(context);
  if (!selected) return selected.take_error();
  Session& session = **selected;
  if (auto has = has_officer(session); !has) return has.take_error();
  if (auto allowed = session.allows(card::Work::unblock_pin); !allowed) return allowed.take_error();
  auto so_pin = ask_pin(context, session, so, *so_source);
  if (!so_pin) return refused(so, so_pin.take_error(), false);
  auto new_pin = ask_new_pin(session, card::Role::user, *new_source);
  if (!new_pin) return new_pin.take_error();
  bool begun = false;
  auto done = session.logged_in(so, *so_pin, context.spend_last_try, [&](card::Card& card) {
    begun = true;
    return card.set_user_pin(*new_pin);
  });
  if (!done) return refused(so, done.take_error(), begun);
  warn_of_factory_pin(context, session, so, *so_pin);
  warn_of_factory_pin(context, session, card::Role::user, *new_pin);
  return {
      token_json(session),
      fmt::format("The user PIN of {} was set, and its tries are full again.\n", session.name())};
}

}  // namespace

void add_pin(CLI::App& app, Choice& choice) {
  auto* pin = app.add_subcommand("pin", "Look at, change and unblock PINs");
  pin->require_subcommand(1);
  auto options = std::make_shared<Options>();

  auto* show = pin->add_subcommand("status", "Show the tries left; spends none");
  show->callback([&choice] {
    choice = {"pin status", "The PINs could not be looked at.", status};
  });

  auto* set = pin->add_subcommand("change", "Change the user PIN, or the security officer's");
  set->add_flag("--so", options->so, "Change the security officer's PIN");
  add_pin_options(*set, options->pin, "pin", "the present user PIN");
  add_pin_options(*set, options->so_pin, "so-pin", "the present PIN of the security officer");
  add_pin_options(*set, options->new_pin, "new-pin", "the new PIN");
  set->callback([&choice, options] {
    choice = {"pin change", "The PIN was not changed.",
              [options](Context& context) { return change(context, *options); }};
  });

  auto* free = pin->add_subcommand("unblock", "Set the user PIN with the security officer's PIN");
  add_pin_options(*free, options->so_pin, "so-pin", "the PIN of the security officer");
  add_pin_options(*free, options->new_pin, "new-pin", "the new user PIN");
  free->callback([&choice, options] {
    choice = {"pin unblock", "The user PIN was not unblocked.",
              [options](Context& context) { return unblock(context, *options); }};
  });
}

}  // namespace kilt::cli
