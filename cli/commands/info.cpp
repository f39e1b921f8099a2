// SPDX-License-Identifier: Apache-2.0
// kilt info: one token on one screen.
#include <fmt/format.h>

#include <ctime>

#include "cli/commands/commands.hpp"
#include "cli/objects.hpp"
#include "cli/text.hpp"

namespace kilt::cli {
namespace {

struct Body {
  card::CertificateInfo info;
  Result<card::Certificate> certificate;
};

/// All that is shown, read in one transaction.
struct Picture {
  card::Directory objects;
  std::vector<Body> certificates;
  std::vector<card::PinInfo> pins;
};

Result<Picture> look(card::Card& card, bool initialized) {
  Picture picture;
  if (!initialized) return picture;
  for (const card::Role role : {card::Role::user, card::Role::security_officer}) {
    if (role == card::Role::security_officer && !card.model().has_so) continue;
    auto pin = card.pin_status(role);
    if (!pin) return pin.take_error();
    picture.pins.push_back(*pin);
  }
  auto objects = card.list();
  if (!objects) return objects.take_error();
  picture.objects = *std::move(objects);
  for (const auto& info : picture.objects.certificates) {
    auto der = card.read_certificate(info.ref);
    if (!der && der.error().kind == ErrorKind::removed) return der.take_error();
    picture.certificates.push_back(
        {info, der ? card::Certificate::parse(*der) : Result<card::Certificate>(der.take_error())});
  }
  return picture;
}

std::string certificate_text(const Body& body, std::time_t now) {
  std::string text = fmt::format("  {}\n", certificate_line(body.info));
  if (!body.certificate) {
    return text + fmt::format("    It cannot be read: {}.\n",
                              printable(body.certificate.error().message()));
  }
  const card::Certificate& certificate = *body.certificate;
  text += fmt::format("    subject  {}\n    issuer   {}\n", printable(certificate.subject_text),
                      printable(certificate.issuer_text));
  const auto begin = from_iso_time(certificate.not_before);
  const auto end = from_iso_time(certificate.not_after);
  if (begin && end) {
    text += fmt::format("    valid    {} to {} ({})\n", certificate.not_before.substr(0, 10),
                        certificate.not_after.substr(0, 10), validity(now, *begin, *end));
  }
  return text;
}

std::string heading(const Session& session) {
  const card::TokenInfo& token = session.token();
  std::string text = fmt::format(
      "Token:        {}\n",
      bold(token.label.empty() ? "(no label)" : printable(token.label), Console::output_colour()));
  text += fmt::format("Model:        {} (NCALayer: {})\n", session.model().name,
                      session.model().store_name);
  text += fmt::format("Serial:       {}\n", printable(token.serial));
  if (!token.manufacturer.empty()) {
    text += fmt::format("Manufacturer: {}\n", printable(token.manufacturer));
  }
  if (!token.hardware_version.empty() || !token.firmware_version.empty()) {
    text += fmt::format("Versions:     hardware {}, firmware {}\n",
                        token.hardware_version.empty() ? "?" : printable(token.hardware_version),
                        token.firmware_version.empty() ? "?" : printable(token.firmware_version));
  }
  return text;
}

/// No PIN is tried to find out: a token without keys is likely as its owner got it.
std::string factory_hint(const Session& session, const Picture& picture) {
  const auto& factory = session.model().factory;
  std::string pin = factory.user_pin;
  if (!factory.other_user_pin.empty()) pin += " or " + factory.other_user_pin;
  if (pin.empty() || !session.token().initialized || !picture.objects.keys.empty()) return "";
  return fmt::format(
      "The user PIN may still be the maker's ({}); if so, change it with "
      "`kilt pin change`.",
      pin);
}

Report describe(const Session& session, const Picture& picture) {
  Report report(token_json(session), heading(session));
  const std::time_t now = std::time(nullptr);
  report.data["pins"] = Json::array();
  for (const auto& pin : picture.pins) {
    report.data["pins"].push_back(pin_json(pin));
    report.text += pin_line(pin) + "\n";
  }
  report.data["keys"] = Json::array();
  report.text += picture.objects.keys.empty() ? "Keys:         none\n" : "Keys:\n";
  for (const auto& key : picture.objects.keys) {
    report.data["keys"].push_back(key_json(session, key));
    report.text += fmt::format("  {}\n", key_line(key));
  }
  report.data["certificates"] = Json::array();
  report.text += picture.certificates.empty() ? "Certificates: none\n" : "Certificates:\n";
  for (const Body& body : picture.certificates) {
    Json json = certificate_json(session, body.info);
    if (body.certificate) add_certificate_body(json, *body.certificate, now);
    report.data["certificates"].push_back(std::move(json));
    report.text += certificate_text(body, now);
  }
  const std::string others = unsupported_applications(session);
  if (!others.empty()) {
    report.text += fmt::format("Also there:   {} (not supported by kilt)\n", others);
  }
  const std::string hint = factory_hint(session, picture);
  report.data["factory_pin_hint"] = hint.empty() ? Json(nullptr) : Json(hint);
  if (!hint.empty()) report.text += hint + "\n";
  return report;
}

Report run(Context& context) {
  auto session = select_token(context);
  if (!session) return session.take_error();
  const bool initialized = (*session)->token().initialized;
  auto picture = (*session)->with_card([&](card::Card& card) { return look(card, initialized); });
  if (!picture) return picture.take_error();
  Report report = describe(**session, *picture);
  if (!initialized) report.text += blank_line;
  return report;
}

}  // namespace

void add_info(CLI::App& app, Choice& choice) {
  auto* command = app.add_subcommand("info", "Show a token: PIN state, keys, certificates");
  command->callback([&choice] { choice = {"info", "The token could not be described.", run}; });
}

}  // namespace kilt::cli
