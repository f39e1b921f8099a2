// SPDX-License-Identifier: Apache-2.0
// Which token a command works on.
#include <fmt/format.h>

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

Result<std::unique_ptr<Session>> open_session(Context& context, const apdu::ReaderState& reader) {
  auto transport = context.readers->connect(reader.name);
  if (!transport) return transport.take_error();
  auto card = card::identify(*std::move(transport), context.recorder.get());
  if (!card) return card.take_error();
  auto session = Session::open(*std::move(card));
  if (session) {
    (*session)->set_allow_assumed(context.config.allows_assumed((*session)->token().serial));
  }
  return session;
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
    if (seen.session) there += (there.empty() ? "" : ", ") + seen.session->name();
    if (seen.why_not && unusable == nullptr) unusable = &*seen.why_not;
  }
  if (there.empty() && unusable != nullptr) return *unusable;
  if (all.empty()) return {ErrorKind::no_reader, "no reader is connected"};
  if (there.empty()) return {ErrorKind::no_card, "no reader holds a token"};
  return {ErrorKind::no_card,
          fmt::format("none fits \"{}\"; there is {}", printable(wanted), there)};
}

}  // namespace

Result<std::vector<Seen>> look_around(Context& context) {
  if (auto opened = open_readers(context); !opened) return opened.take_error();
  auto states = context.readers->states();
  if (!states) return states.take_error();
  std::vector<Seen> all;
  for (const apdu::ReaderState& state : *states) {
    Seen seen{.reader = state};
    if (state.present) {
      auto session = open_session(context, state);
      if (session) {
        seen.session = *std::move(session);
      } else {
        seen.why_not = session.take_error();
      }
    }
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
    if (seen.session && fits(context.token, *seen.session)) {
      fitting.push_back(std::move(seen.session));
    }
  }
  if (fitting.empty()) return none_fits(*all, context.token);
  if (fitting.size() > 1) {
    return Error{
        ErrorKind::bad_argument,
        fmt::format("several tokens fit, so --token must name one of them: {}", listed(fitting))};
  }
  return std::move(fitting.front());
}

void take_token_from(Context& context, const std::string& selector) {
  if (context.token.empty() && is_uri(selector)) context.token = selector;
}

}  // namespace kilt::cli
