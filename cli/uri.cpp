// SPDX-License-Identifier: Apache-2.0
#include "cli/uri.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <set>

namespace kilt::cli {
namespace {

/// What the module shows as the token's manufacturer.
constexpr std::string_view manufacturer_name = "kilt";

Error bad(const std::string& what) {
  return {ErrorKind::bad_argument, what};
}

/// pk11-pchar without pct-encoded [RFC 7512 §2.3]: unreserved and the reserved ones that may stand.
bool stands_for_itself(char c) {
  if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9')) return true;
  return std::string_view("-._~:[]@!$'()*+,=&").find(c) != std::string_view::npos;
}

std::string encode(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (stands_for_itself(c)) {
      out += c;
    } else {
      out += fmt::format("%{:02X}", static_cast<unsigned char>(c));
    }
  }
  return out;
}

/// RFC 7512 §2.3: an id is best written with every byte encoded.
std::string encode_all(ByteView bytes) {
  std::string out;
  for (const std::uint8_t byte : bytes)
    out += fmt::format("%{:02X}", byte);
  return out;
}

std::optional<std::string> decode(std::string_view text) {
  std::string out;
  while (!text.empty()) {
    if (text[0] != '%') {
      out += text[0];
      text.remove_prefix(1);
      continue;
    }
    const auto byte = text.size() < 3 || text[1] == ' ' || text[2] == ' '
                          ? std::optional<Bytes>{}
                          : from_hex(text.substr(1, 2));
    if (!byte || byte->size() != 1) return std::nullopt;
    out += static_cast<char>((*byte)[0]);
    text.remove_prefix(3);
  }
  return out;
}

std::string_view cut(std::string_view& rest, char at) {
  const std::size_t end = rest.find(at);
  const std::string_view piece = rest.substr(0, end);
  rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
  return piece;
}

Status take_path_attribute(Pkcs11Uri& uri, const std::string& name, const std::string& value) {
  if (name == "token") {
    uri.token = value;
  } else if (name == "manufacturer") {
    uri.manufacturer = value;
  } else if (name == "serial") {
    uri.serial = value;
  } else if (name == "model") {
    uri.model = value;
  } else if (name == "object") {
    uri.object = value;
  } else if (name == "id") {
    uri.id = copy_of(as_bytes(value));
  } else if (name == "type") {
    uri.type = value;
  } else if (!name.starts_with("slot-") && !name.starts_with("library-")) {
    return bad("the PKCS#11 URI holds the attribute \"" + name + "\", which is not known");
  }
  return {};
}

Status take_query_attribute(Pkcs11Uri& uri, const std::string& name, const std::string& value) {
  if (name == "pin-value") {
    return bad(
        "the PKCS#11 URI holds a pin-value; a PIN is taken from a terminal, a file, a file "
        "descriptor or a named environment variable only");
  }
  if (name == "pin-source") uri.pin_source = value;
  return {};
}

/// A CK_TOKEN_INFO field [P11 3.1 §3.2]: `size` bytes padded with blanks, which do not count. UTF-8
/// is not cut within a character.
std::string field(std::string text, std::size_t size) {
  if (text.size() > size) {
    while (size > 0 && (static_cast<unsigned char>(text[size]) & 0xC0) == 0x80)
      --size;
    text.resize(size);
  }
  while (text.ends_with(' ') || text.ends_with('\0'))
    text.pop_back();
  return text;
}

constexpr std::size_t label_size = 32;
constexpr std::size_t short_size = 16;  ///< of model and serial number

}  // namespace

std::string Pkcs11Uri::print() const {
  std::string text = "pkcs11:";
  const auto put = [&](std::string_view name, const std::string& encoded) {
    if (text.back() != ':') text += ';';
    text += fmt::format("{}={}", name, encoded);
  };
  if (model) put("model", encode(*model));
  if (manufacturer) put("manufacturer", encode(*manufacturer));
  if (serial) put("serial", encode(*serial));
  if (token) put("token", encode(*token));
  if (id) put("id", encode_all(*id));
  if (object) put("object", encode(*object));
  if (type) put("type", encode(*type));
  return text;
}

Result<Pkcs11Uri> parse_uri(std::string_view text) {
  if (!is_uri(text)) return bad("a PKCS#11 URI begins with \"pkcs11:\"");
  text.remove_prefix(std::string_view("pkcs11:").size());
  Pkcs11Uri uri;
  std::set<std::string> seen;
  const auto take = [&](std::string_view piece, auto&& put) -> Status {
    const std::string name(cut(piece, '='));
    const auto value = decode(piece);
    if (!value) return bad("the PKCS#11 URI holds a broken percent sign in \"" + name + "\"");
    if (!seen.insert(name).second) return bad("the PKCS#11 URI holds \"" + name + "\" twice");
    return put(uri, name, *value);
  };
  std::string_view path = cut(text, '?');
  while (!path.empty()) {
    if (auto taken = take(cut(path, ';'), take_path_attribute); !taken) return taken.take_error();
  }
  while (!text.empty()) {
    if (auto taken = take(cut(text, '&'), take_query_attribute); !taken) return taken.take_error();
  }
  return uri;
}

Pkcs11Uri token_uri(const card::CardModel& model, const card::TokenInfo& token) {
  Pkcs11Uri uri;
  uri.token = field(token.label, label_size);
  uri.manufacturer = std::string(manufacturer_name);
  // Of a long serial the end tells devices apart.
  const std::size_t cut_off = token.serial.size() - std::min(token.serial.size(), short_size);
  uri.serial = field(token.serial.substr(cut_off), short_size);
  uri.model = field(model.name, short_size);
  return uri;
}

bool matches_token(const Pkcs11Uri& uri, const card::CardModel& model,
                   const card::TokenInfo& token) {
  const Pkcs11Uri is = token_uri(model, token);
  const auto agrees = [](const auto& wanted, const auto& have) {
    return !wanted || wanted == have;
  };
  return agrees(uri.token, is.token) && agrees(uri.manufacturer, is.manufacturer) &&
         agrees(uri.serial, is.serial) && agrees(uri.model, is.model);
}

}  // namespace kilt::cli
