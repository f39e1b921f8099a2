// SPDX-License-Identifier: Apache-2.0
// Which token a command works on.
#include <fmt/format.h>

#include <algorithm>

#include "cli/context.hpp"
#include "cli/text.hpp"
#include "cli/uri.hpp"
#include "drivers/registry.hpp"

namespace kilt::cli {
namespace {

Status open_readers(Context& context) {
  if (context.readers) return {};
  if (!context.config.trace.empty() && !context.recorder) {
    auto recorder = apdu::Recorder::open(context.config.trace);
    if (!recorder) return recorder.take_error();
    context.recorder = *std::move(recorder);
  }
  auto readers = apdu::Readers::open(context.config.readers);
  if (!readers) return readers.take_error();
  context.readers = *std::move(readers);
  return {};
}

Result<std::unique_ptr<Session>> open_session(Context& context, const apdu::ReaderState& reader,
                                              std::size_t which) {
  auto transport = context.readers->connect(reader.name);
  if (!transport) return transport.take_error();
  auto card = card::identify(*std::move(transport), context.recorder.get(), which);
  if (!card) return card.take_error();
  auto session = Session::open(*std::move(card));
  if (session) {
    (*session)->set_allow_assumed(
        context.config.allows_assumed((*session)->token().serial, reader.atr));
  }
  return session;
}

/// Every token that the card is: one, or one for each application that kilt can use.
void open_tokens(Context& context, Seen& seen) {
  std::size_t count = 1;
  for (std::size_t which = 0; which < count; ++which) {
    auto session = open_session(context, seen.reader, which);
    if (!session) {
      seen.why_not = session.take_error();
      return;
    }
    const auto& applications = (*session)->applications();
    const auto usable = std::count_if(applications.begin(), applications.end(),
                                      [](const card::Application& one) { return one.usable; });
    count = std::max<std::size_t>(1, static_cast<std::size_t>(usable));
    seen.tokens.push_back(*std::move(session));
  }
}

std::string upper(std::string text) {
  for (char& c : text) {
    if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
  }
  return text;
}

bool fits(const std::string& wanted, const Session& session) {
  if (wanted.empty()) return true;
  if (is_uri(wanted)) {
    const auto uri = parse_uri(wanted);
    return uri && matches_token(*uri, session.model(), session.token());
  }
  return upper(wanted) == upper(session.token().serial) || wanted == session.token().label;
}

std::string listed(const std::vector<std::unique_ptr<Session>>& sessions) {
  std::string text;
  for (const auto& session : sessions)
    text += (text.empty() ? "" : ", ") + session->name();
  return text;
}

Error none_fits(const std::vector<Seen>& all, const std::string& wanted) {
  std::string there;
  const Error* unusable = nullptr;
  for (const Seen& seen : all) {
    for (const auto& token : seen.tokens)
      there += (there.empty() ? "" : ", ") + token->name();
    if (seen.why_not && unusable == nullptr) unusable = &*seen.why_not;
  }
  if (there.empty() && unusable != nullptr) return *unusable;
  if (all.empty()) return {ErrorKind::no_reader, "no reader is connected"};
  if (there.empty()) return {ErrorKind::no_card, "no reader holds a token"};
  return {ErrorKind::no_card,
          fmt::format("none fits \"{}\"; there is {}", printable(wanted), there)};
}

/// What would be wrong advice for this token is replaced.
void advise(Context& context, const Session& session) {
  if (!session.token().initialized) {
    for (const auto kind : {ErrorKind::pin_not_set, ErrorKind::not_found, ErrorKind::card_state}) {
      context.advice[kind] = session.model().can_initialise
                                 ? "Make the token ready with `kilt init`."
                                 : "Only the issuer of this kind of token can make it ready.";
    }
  } else if (!session.model().has_so) {
    context.advice[ErrorKind::pin_blocked] = context.advice[ErrorKind::pin_not_set] =
        "Ask the issuer of the token: this kind has no security officer who could set its PIN.";
  }
}

}  // namespace

Result<std::vector<Seen>> look_around(Context& context) {
  if (auto opened = open_readers(context); !opened) return opened.take_error();
  auto states = context.readers->states();
  if (!states) return states.take_error();
  std::vector<Seen> all;
  for (const apdu::ReaderState& state : *states) {
    Seen seen{.reader = state};
    if (state.present) open_tokens(context, seen);
    all.push_back(std::move(seen));
  }
  return all;
}

Result<std::unique_ptr<Session>> select_token(Context& context) {
  if (is_uri(context.token)) {
    if (auto uri = parse_uri(context.token); !uri) return uri.take_error();
  }
  auto all = look_around(context);
  if (!all) return all.take_error();
  std::vector<std::unique_ptr<Session>> fitting;
  for (Seen& seen : *all) {
    if (seen.why_not) {
      context.console.detail(fmt::format("The card in {} is not used: {}.",
                                         printable(seen.reader.name),
                                         printable(seen.why_not->message())));
    }
    for (auto& token : seen.tokens) {
      if (fits(context.token, *token)) fitting.push_back(std::move(token));
    }
  }
  if (fitting.empty()) return none_fits(*all, context.token);
  if (fitting.size() > 1) {
    return Error{
        ErrorKind::bad_argument,
        fmt::format("several tokens fit, so --token must name one of them: {}", listed(fitting))};
  }
  advise(context, *fitting.front());
  return std::move(fitting.front());
}

void take_token_from(Context& context, const std::string& selector) {
  if (context.token.empty() && is_uri(selector)) context.token = selector;
}

}  // namespace kilt::cli
