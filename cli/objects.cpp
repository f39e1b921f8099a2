// SPDX-License-Identifier: Apache-2.0
#include "cli/objects.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

#include "cli/text.hpp"

namespace kilt::cli {
namespace {

constexpr std::array usage_names{
    std::pair{"sign", &card::KeyUsage::sign},
    std::pair{"sign-recover", &card::KeyUsage::sign_recover},
    std::pair{"decrypt", &card::KeyUsage::decrypt},
    std::pair{"unwrap", &card::KeyUsage::unwrap},
    std::pair{"derive", &card::KeyUsage::derive},
    std::pair{"non-repudiation", &card::KeyUsage::non_repudiation},
};

std::string label_or_none(const std::string& label) {
  return label.empty() ? "(no label)" : printable(label);
}

/// Chooses among objects that have a label and an id.
template <class Info>
Result<Info> choose(const std::vector<Info>& all, const std::string& selector, const char* kind) {
  Pkcs11Uri uri;
  if (is_uri(selector)) {
    auto parsed = parse_uri(selector);
    if (!parsed) return parsed.take_error();
    uri = *std::move(parsed);
  }
  const auto id = is_uri(selector) ? std::nullopt : from_hex(selector);
  const auto fits = [&](const Info& info) {
    if (selector.empty()) return true;
    if (is_uri(selector)) {
      return (!uri.object || *uri.object == info.label) && (!uri.id || *uri.id == info.id);
    }
    return info.label == selector || (id && !id->empty() && *id == info.id);
  };
  const Info* found = nullptr;
  std::string list;
  int count = 0;
  for (const Info& info : all) {
    if (!fits(info)) continue;
    found = &info;
    ++count;
    list +=
        fmt::format("{}{} {}", count == 1 ? "" : ", ", label_or_none(info.label), to_hex(info.id));
  }
  if (count == 1) return *found;
  if (count > 1) {
    return Error{ErrorKind::bad_argument,
                 fmt::format("several {}s fit, so one must be named by its id: {}", kind, list)};
  }
  return Error{ErrorKind::not_found,
               selector.empty() ? fmt::format("the token holds no {}", kind)
                                : fmt::format("no {} fits \"{}\"", kind, printable(selector))};
}

}  // namespace

std::string to_string(card::KeyType type) {
  switch (type) {
    case card::KeyType::rsa:
      return "rsa";
    case card::KeyType::gost_256:
      return "gost-256";
    case card::KeyType::gost_512:
      return "gost-512";
  }
  return "unknown";
}

std::vector<std::string> to_names(const card::KeyUsage& usage) {
  std::vector<std::string> names;
  for (const auto& [name, member] : usage_names) {
    if (usage.*member) names.emplace_back(name);
  }
  return names;
}

bool add_usage(card::KeyUsage& usage, const std::string& name) {
  for (const auto& [known, member] : usage_names) {
    if (name != known) continue;
    usage.*member = true;
    return true;
  }
  return false;
}

std::string object_uri(const Session& session, const std::string& type, const Bytes& id,
                       const std::string& label) {
  Pkcs11Uri uri = token_uri(session.model(), session.token());
  if (!id.empty()) uri.id = id;
  if (!label.empty()) uri.object = label;
  uri.type = type;
  return uri.print();
}

Json token_json(const Session& session) {
  const card::TokenInfo& token = session.token();
  Json json;
  json["model"] = session.model().name;
  json["label"] = token.label;
  json["serial"] = token.serial;
  json["manufacturer"] = *token_uri(session.model(), token).manufacturer;
  json["device_manufacturer"] = token.manufacturer;
  json["hardware_version"] = token.hardware_version;
  json["firmware_version"] = token.firmware_version;
  json["initialized"] = token.initialized;
  json["store_name"] = session.model().store_name;
  json["uri"] = token_uri(session.model(), token).print();
  json["applications"] = Json::array();
  for (const card::Application& application : session.applications()) {
    json["applications"].push_back({{"name", application.name}, {"usable", application.usable}});
  }
  return json;
}

std::string unsupported_applications(const Session& session) {
  std::string names;
  for (const card::Application& application : session.applications()) {
    if (!application.usable) names += (names.empty() ? "" : ", ") + std::string(application.name);
  }
  return names;
}

Status check_label(const std::string& label, std::size_t longest) {
  if (!is_utf8(label)) return Error{ErrorKind::bad_argument, "the label is no UTF-8"};
  if (printable(label) != label) {
    return Error{ErrorKind::bad_argument,
                 "the label holds characters that steer a terminal, such as a line break"};
  }
  if (label.size() <= longest) return {};
  return Error{ErrorKind::bad_argument,
               fmt::format("the label takes {} bytes of UTF-8 and there is room for {} (a Cyrillic "
                           "letter takes two)",
                           label.size(), longest)};
}

Json key_json(const Session& session, const card::KeyInfo& key) {
  Json json;
  json["label"] = key.label;
  json["id"] = to_hex(key.id);
  json["type"] = to_string(key.type);
  json["bits"] = key.bits;
  json["usage"] = to_names(key.usage);
  json["generated_on_token"] = key.local;
  json["uri"] = object_uri(session, "private", key.id, key.label);
  return json;
}

Json certificate_json(const Session& session, const card::CertificateInfo& info) {
  Json json;
  json["label"] = info.label;
  json["id"] = to_hex(info.id);
  json["authority"] = info.authority;
  json["uri"] = object_uri(session, "cert", info.id, info.label);
  if (!info.kept_in.empty()) json["kept_in"] = info.kept_in;
  return json;
}

void add_certificate_body(Json& json, const card::Certificate& certificate, std::time_t now) {
  json["subject"] = certificate.subject_text;
  json["issuer"] = certificate.issuer_text;
  json["serial_number"] = to_hex(certificate.serial);
  json["not_before"] = certificate.not_before;
  json["not_after"] = certificate.not_after;
  const auto end = from_iso_time(certificate.not_after);
  json["days_left"] = end ? Json(days_until(now, *end)) : Json(nullptr);
}

Json pin_json(const card::PinInfo& pin) {
  const auto number = [](std::optional<int> n) { return n ? Json(*n) : Json(nullptr); };
  Json json;
  json["role"] = pin.role == card::Role::user ? "user" : "so";
  json["initialized"] = pin.initialized;
  json["blocked"] = pin.blocked;
  json["tries_left"] = pin.blocked ? Json(0) : number(pin.tries_left);
  json["tries_max"] = number(pin.tries_max);
  json["failures"] = pin.failures;
  json["unwatched"] = pin.unwatched.empty() ? Json(nullptr) : Json(printable(pin.unwatched));
  json["min_length"] = pin.min_length;
  json["max_length"] = pin.max_length;
  json["new_min_length"] = std::max(pin.min_length, pin.new_min_length);
  return json;
}

std::string key_line(const card::KeyInfo& key) {
  return fmt::format("key          {:<16}  {} {}  id {}", label_or_none(key.label),
                     key.type == card::KeyType::rsa ? "RSA" : "GOST", key.bits,
                     key.id.empty() ? "(none)" : to_hex(key.id));
}

std::string certificate_line(const card::CertificateInfo& info) {
  return fmt::format(
      "certificate  {:<16}  id {}{}", label_or_none(info.label),
      info.id.empty() ? "(none)" : to_hex(info.id),
      info.kept_in.empty() ? "" : ", kept on this computer in " + printable(info.kept_in));
}

std::string pin_line(const card::PinInfo& pin) {
  const std::string whose = pin.role == card::Role::user ? "User PIN:     " : "Security PIN: ";
  if (!pin.initialized) return whose + "not set";
  if (pin.blocked) return whose + "blocked";
  if (!pin.tries_left && pin.failures > 0) {
    return fmt::format("{}set; tries left: unknown, {} wrong since the last right one", whose,
                       pin.failures);
  }
  if (!pin.tries_left) {
    return whose + "set; tries left: unknown" +
           (pin.unwatched.empty() ? "" : ", and nobody counts: " + printable(pin.unwatched));
  }
  if (!pin.tries_max) return fmt::format("{}set; tries left: {}", whose, *pin.tries_left);
  return fmt::format("{}set; tries left: {} of {}", whose, *pin.tries_left, *pin.tries_max);
}

Result<card::KeyInfo> find_key(const card::Directory& directory, const std::string& selector) {
  return choose(directory.keys, selector, "private key");
}

Result<card::CertificateInfo> find_certificate(const card::Directory& directory,
                                               const std::string& selector) {
  return choose(directory.certificates, selector, "certificate");
}

}  // namespace kilt::cli
