// SPDX-License-Identifier: Apache-2.0
// kilt list: every reader, every token with its objects and URIs, and why a card is none.
#include <fmt/format.h>

#include "cli/commands/commands.hpp"
#include "cli/objects.hpp"
#include "cli/text.hpp"

namespace kilt::cli {
namespace {

struct Lines {
  std::string text;
  void add(int indent, const std::string& line) {
    text += fmt::format("{:{}}{}\n", "", indent, line);
  }
};

void describe_objects(const Session& session, const card::Directory& objects, Json& json,
                      Lines& lines) {
  json["objects"] = Json::array();
  const auto put = [&](const char* kind, const std::string& line, Json object) {
    lines.add(4, line);
    lines.add(6, object["uri"].get<std::string>());
    object["class"] = kind;
    json["objects"].push_back(std::move(object));
  };
  for (const auto& key : objects.keys)
    put("private", key_line(key), key_json(session, key));
  for (const auto& certificate : objects.certificates) {
    put("cert", certificate_line(certificate), certificate_json(session, certificate));
  }
  for (const auto& data : objects.data) {
    Json object;
    object["label"] = data.label;
    object["uri"] = object_uri(session, "data", {}, data.label);
    put("data", fmt::format("data         {}", printable(data.label)), std::move(object));
  }
}

Json describe_token(Session& session, Lines& lines) {
  const card::TokenInfo& token = session.token();
  Json json = token_json(session);
  const std::string label = token.label.empty() ? "(no label)" : printable(token.label);
  lines.add(2, fmt::format("Token:  {}, {}, serial {}", bold(label, Console::output_colour()),
                           session.model().name, printable(token.serial)));
  lines.add(2, fmt::format("Store:  {}", session.model().store_name));
  lines.add(2, fmt::format("URI:    {}", json["uri"].get<std::string>()));
  if (!token.initialized) {
    lines.add(2, "State:  blank; `kilt init` makes it ready");
    json["objects"] = Json::array();
    return json;
  }
  auto objects = session.with_card([](card::Card& card) { return card.list(); });
  if (objects) {
    describe_objects(session, *objects, json, lines);
  } else {
    json["objects"] = nullptr;
    lines.add(2,
              fmt::format("Objects: cannot be listed: {}.", printable(objects.error().message())));
  }
  return json;
}

void describe_refusal(const Seen& seen, Json& json, Lines& lines) {
  const Error& why = *seen.why_not;
  json["why_not"]["kind"] = to_string(explain(why).kind);
  json["why_not"]["message"] = why.message();
  json["why_not"]["hint"] = explain(why).hint;
  lines.add(2, fmt::format("Token:  not usable: {}.", explain(why).reason));
  lines.add(2, fmt::format("Why:    {}", sentence(printable(why.message()))));
  lines.add(2, fmt::format("Do:     {}", explain(why).hint));
  lines.add(2, fmt::format("ATR:    {}", to_hex(seen.reader.atr)));
}

void describe_reader(Seen& seen, Json& json, Lines& lines) {
  json["name"] = seen.reader.name;
  json["present"] = seen.reader.present;
  json["atr"] = to_hex(seen.reader.atr);
  json["simulated"] = seen.reader.simulated;
  json["token"] = nullptr;
  json["tokens"] = Json::array();
  json["why_not"] = nullptr;
  lines.add(0, fmt::format("Reader: {}", printable(seen.reader.name)));
  if (!seen.reader.present) lines.add(2, "Token:  none");
  for (const auto& token : seen.tokens)
    json["tokens"].push_back(describe_token(*token, lines));
  if (!seen.tokens.empty()) {
    json["token"] = json["tokens"].front();
    const std::string others = unsupported_applications(*seen.tokens.front());
    if (!others.empty()) lines.add(2, fmt::format("Also:   {} (not supported by kilt)", others));
  }
  if (seen.why_not) describe_refusal(seen, json, lines);
}

Report run(Context& context) {
  auto all = look_around(context);
  if (!all) return all.take_error();
  Report report;
  report.data["readers"] = Json::array();
  Lines lines;
  bool any_token = false;
  for (Seen& seen : *all) {
    Json json;
    describe_reader(seen, json, lines);
    report.data["readers"].push_back(std::move(json));
    any_token = any_token || !seen.tokens.empty();
  }
  report.text = std::move(lines.text);
  if (all->empty()) {
    report.error = Error{ErrorKind::no_reader, "no reader is connected"};
  } else if (!any_token) {
    report.error = Error{ErrorKind::no_card, "no reader holds a token that kilt can use"};
  }
  return report;
}

}  // namespace

void add_list(CLI::App& app, Choice& choice) {
  auto* command = app.add_subcommand("list", "List readers, tokens and objects with their URIs");
  command->callback([&choice] { choice = {"list", "No token was found.", run}; });
}

}  // namespace kilt::cli
