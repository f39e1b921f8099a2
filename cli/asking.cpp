// SPDX-License-Identifier: Apache-2.0
// What a command asks of the person in front of it: PINs and confirmations.
#include <fmt/format.h>

#include <algorithm>

#include "cli/context.hpp"
#include "cli/text.hpp"
#include "cli/uri.hpp"

namespace kilt::cli {
namespace {

std::string tries(const card::PinInfo& pin) {
  if (!pin.tries_left && pin.failures > 0)
    return fmt::format("tries left: unknown; {} wrong since the last right one", pin.failures);
  if (!pin.tries_left) return "tries left: unknown";
  return *pin.tries_left == 1 ? "the last try" : fmt::format("{} tries left", *pin.tries_left);
}

const char* whose(card::Role role) {
  return role == card::Role::user ? "User PIN" : "Security officer's PIN";
}

const char* name_of(card::Role role) {
  return role == card::Role::user ? "user PIN" : "security officer's PIN";
}

/// pin-source of the --token URI, where no option names a source [RFC 7512 §2.4].
Result<PinOptions> with_pin_source(const Context& context, PinOptions options) {
  if (options.given() || !is_uri(context.token)) return options;
  auto uri = parse_uri(context.token);
  if (!uri) return uri.take_error();
  if (!uri->pin_source) return options;
  std::string path = *uri->pin_source;
  if (path.starts_with("file:")) path.erase(0, 5);
  if (path.starts_with("//")) path.erase(0, 2);
  if (path.empty() || path.starts_with('|')) {
    return Error{ErrorKind::bad_argument, "the pin-source of the PKCS#11 URI names no file"};
  }
  options.file = path;
  return options;
}

}  // namespace

Result<PinSource> open_user_pin(Context& context, const PinOptions& options) {
  auto source = with_pin_source(context, options);
  if (!source) return source.take_error();
  return PinSource::open(*source, context.console);
}

Result<SecretBytes> ask_pin(Context& context, Session& session, card::Role role,
                            PinSource& source) {
  if (!session.token().initialized) {
    return Error{ErrorKind::pin_not_set, "the token is blank"};
  }
  auto state =
      session.with_card([&](card::Card&) { return session.may_try(role, context.spend_last_try); });
  if (!state) return state.take_error();
  return source.take(fmt::format("{} of {} ({})", whose(role), session.name(), tries(*state)),
                     false);
}

Result<SecretBytes> ask_new_pin(Session& session, card::Role role, PinSource& source) {
  auto state = session.with_card([&](card::Card& card) { return card.pin_status(role); });
  if (!state) return state.take_error();
  std::string prompt = fmt::format("New {} of {}", name_of(role), session.name());
  if (state->max_length != 0) {
    prompt += fmt::format(" ({} to {} characters)", new_min_length(*state), state->max_length);
  }
  auto pin = source.take(prompt, true);
  if (!pin) return pin;
  if (auto fits = check_new_pin(*state, *pin); !fits) return fits.take_error();
  return pin;
}

std::size_t new_min_length(const card::PinInfo& pin) {
  return std::max(pin.min_length, pin.new_min_length);
}

Status check_new_pin(const card::PinInfo& state, const SecretBytes& pin) {
  const bool too_long = state.max_length != 0 && pin.size() > state.max_length;
  if (pin.size() >= new_min_length(state) && !too_long) return {};
  return Error{ErrorKind::pin_length,
               fmt::format("a new {} has {} to {} characters; nothing was changed on the card",
                           name_of(state.role), new_min_length(state), state.max_length)};
}

void warn_of_factory_pin(Context& context, Session& session, card::Role role,
                         const SecretBytes& pin) {
  if (!session.model().factory.has(role, pin)) return;
  context.console.warn(
      fmt::format("{} is still the one that everybody knows from the maker; change it with `kilt "
                  "pin change{}`.",
                  role == card::Role::user ? "The user PIN" : "The security officer's PIN",
                  role == card::Role::user ? "" : " --so"));
}

Status confirm_loss(Context& context, Session& session, const std::string& what_is_lost, bool yes) {
  const std::string& serial = session.token().serial;
  if (yes) {
    if (context.token == serial) return {};
    return Error{ErrorKind::bad_argument,
                 "--yes is accepted only together with --token and the exact serial"};
  }
  auto typed = prompt_line(
      fmt::format("{}\nType the serial {} to go on: ", what_is_lost, printable(serial)));
  if (!typed) return typed.take_error();
  if (*typed == serial) return {};
  return Error{ErrorKind::cancelled, "what was typed is not the serial, so nothing was done"};
}

}  // namespace kilt::cli
