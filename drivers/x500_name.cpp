// SPDX-License-Identifier: Apache-2.0
#include "drivers/x500_name.hpp"

#include <algorithm>
#include <array>
#include <cctype>

#include "apdu/tlv.hpp"
#include "drivers/der_values.hpp"

namespace kilt::card {
namespace {

struct AttributeType {
  const char* oid;
  std::array<const char*, 3> names;  ///< the first is printed, all are read; null where fewer
  std::uint32_t string;              ///< how a value is written
};

// [X.520], [RFC 4519], [RFC 5280 appendix A]; the set that the national CA uses and its neighbours.
constexpr std::array<AttributeType, 15> types{{
    {"2.5.4.3", {"CN", nullptr, nullptr}, der::utf8_string},
    {"2.5.4.4", {"SURNAME", "SN", nullptr}, der::utf8_string},
    {"2.5.4.5", {"SERIALNUMBER", nullptr, nullptr}, der::printable_string},
    {"2.5.4.6", {"C", nullptr, nullptr}, der::printable_string},
    {"2.5.4.7", {"L", nullptr, nullptr}, der::utf8_string},
    {"2.5.4.8", {"ST", nullptr, nullptr}, der::utf8_string},
    {"2.5.4.9", {"STREET", nullptr, nullptr}, der::utf8_string},
    {"2.5.4.10", {"O", nullptr, nullptr}, der::utf8_string},
    {"2.5.4.11", {"OU", nullptr, nullptr}, der::utf8_string},
    {"2.5.4.12", {"T", "TITLE", nullptr}, der::utf8_string},
    {"2.5.4.15", {"BUSINESSCATEGORY", nullptr, nullptr}, der::utf8_string},
    {"2.5.4.42", {"GIVENNAME", "GN", nullptr}, der::utf8_string},
    {"0.9.2342.19200300.100.1.25", {"DC", nullptr, nullptr}, der::ia5_string},
    {"0.9.2342.19200300.100.1.1", {"UID", nullptr, nullptr}, der::utf8_string},
    {"1.2.840.113549.1.9.1", {"E", "EMAIL", "EMAILADDRESS"}, der::ia5_string},
}};

const AttributeType* type_by_oid(std::string_view oid) {
  const auto found =
      std::find_if(types.begin(), types.end(), [&](const auto& each) { return oid == each.oid; });
  return found == types.end() ? nullptr : &*found;
}

bool same_name(std::string_view a, std::string_view b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](char x, char y) {
    return std::toupper(static_cast<unsigned char>(x)) ==
           std::toupper(static_cast<unsigned char>(y));
  });
}

const AttributeType* type_by_name(std::string_view name) {
  for (const auto& type : types) {
    for (const char* each : type.names) {
      if (each != nullptr && same_name(name, each)) return &type;
    }
  }
  return nullptr;
}

// ---- DER to text ------------------------------------------------------------------------------

Error no_name() {
  return {ErrorKind::bad_data, "this is no X.500 name"};
}

struct RawAttribute {
  std::string type;
  apdu::Tlv value;
};

std::optional<RawAttribute> read_attribute(apdu::BerReader& set) {
  auto attribute = set.enter(der::sequence);
  if (!attribute) return std::nullopt;
  auto type = attribute->expect(der::object_identifier);
  if (!type) return std::nullopt;
  auto value = attribute->next();
  if (!value || !attribute->finish()) return std::nullopt;
  auto text = der::oid_to_text(type->value);
  if (!text) return std::nullopt;
  return RawAttribute{std::move(*text), *value};
}

/// RDNs, each with its attributes.
Result<std::vector<std::vector<RawAttribute>>> read_name(ByteView name) {
  apdu::BerReader outer(name);
  auto sequence = outer.enter(der::sequence);
  if (!sequence || !outer.finish()) return no_name();
  std::vector<std::vector<RawAttribute>> rdns;
  while (!sequence->done()) {
    auto set = sequence->enter(der::set);
    if (!set || set->done()) return no_name();
    auto& rdn = rdns.emplace_back();
    while (!set->done()) {
      auto attribute = read_attribute(*set);
      if (!attribute) return no_name();
      rdn.push_back(std::move(*attribute));
    }
  }
  return rdns;
}

void append_utf8(std::string& to, std::uint32_t code) {
  const auto put = [&](std::uint32_t octet) { to += static_cast<char>(octet); };
  if (code < 0x80) {
    put(code);
  } else if (code < 0x800) {
    put(0xC0 | code >> 6);
    put(0x80 | (code & 0x3F));
  } else if (code < 0x10000) {
    put(0xE0 | code >> 12);
    put(0x80 | (code >> 6 & 0x3F));
    put(0x80 | (code & 0x3F));
  } else {
    put(0xF0 | code >> 18);
    put(0x80 | (code >> 12 & 0x3F));
    put(0x80 | (code >> 6 & 0x3F));
    put(0x80 | (code & 0x3F));
  }
}

bool is_scalar(std::uint32_t code) {
  return code <= 0x10FFFF && (code < 0xD800 || code > 0xDFFF);
}

/// Octets of the UTF-8 sequence at the front of `text`; 0 when there is none [RFC 3629 §4].
std::size_t utf8_length(std::string_view text) {
  const auto octet = [&](std::size_t i) { return static_cast<std::uint8_t>(text[i]); };
  const std::uint8_t lead = octet(0);
  if (lead < 0x80) return 1;
  const std::size_t length = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2;
  if (lead < 0xC2 || lead > 0xF4 || text.size() < length) return 0;
  std::uint32_t code = lead & (0xFFU >> (length + 1));
  for (std::size_t i = 1; i < length; ++i) {
    if ((octet(i) & 0xC0) != 0x80) return 0;
    code = code << 6 | (octet(i) & 0x3F);
  }
  constexpr std::array<std::uint32_t, 5> smallest{0, 0, 0x80, 0x800, 0x10000};
  return code >= smallest[length] && is_scalar(code) ? length : 0;
}

/// Characters of `width` octets each, most significant first.
std::string from_wide(ByteView value, std::size_t width) {
  std::string text;
  for (std::size_t at = 0; at + width <= value.size(); at += width) {
    std::uint32_t code = 0;
    for (const auto octet : value.subspan(at, width))
      code = code << 8 | octet;
    append_utf8(text, is_scalar(code) ? code : 0xFFFD);
  }
  return text;
}

/// The value as UTF-8 (which may still be broken UTF-8); empty for a type that is no string.
std::optional<std::string> string_value(const apdu::Tlv& value) {
  switch (value.tag) {
    case der::utf8_string:
    case der::printable_string:
    case der::ia5_string:
    case 0x12:  // NumericString
    case 0x1A:  // VisibleString
      return as_text(value.value);
    case 0x14:  // TeletexString, in practice Latin-1
      return from_wide(value.value, 1);
    case 0x1E:  // BMPString
      return from_wide(value.value, 2);
    case 0x1C:  // UniversalString
      return from_wide(value.value, 4);
    default:
      return std::nullopt;
  }
}

bool is_control(char c) {
  const auto octet = static_cast<std::uint8_t>(c);
  return octet < 0x20 || octet == 0x7F;
}

/// Calls `text` for each character that can be shown and `octet` for each octet that cannot.
template <class OnText, class OnOctet>
void walk(std::string_view value, OnText text, OnOctet octet) {
  while (!value.empty()) {
    const std::size_t length = utf8_length(value);
    const bool c1_control = length == 2 && value[0] == '\xC2' && value[1] < '\xA0';
    if (length == 0 || is_control(value[0]) || c1_control) {
      octet(static_cast<std::uint8_t>(value[0]));
      value.remove_prefix(1);
    } else {
      text(value.substr(0, length));
      value.remove_prefix(length);
    }
  }
}

std::string clean(std::string_view value) {
  std::string out;
  walk(
      value, [&](std::string_view character) { out += character; },
      [&](std::uint8_t) { out += "\xEF\xBF\xBD"; });
  return out;
}

/// [RFC 4514 §2.4]
std::string escaped(std::string_view value) {
  std::string out;
  std::size_t at = 0;
  walk(
      value,
      [&](std::string_view character) {
        const char c = character[0];
        const bool at_edge =
            (c == ' ' && (at == 0 || at + 1 == value.size())) || (c == '#' && at == 0);
        if (at_edge || std::string_view(",+\"\\<>;").find(c) != std::string_view::npos) out += '\\';
        out += character;
        at += character.size();
      },
      [&](std::uint8_t octet) {
        out += "\\" + to_hex({&octet, 1});
        ++at;
      });
  return out;
}

std::string attribute_text(const RawAttribute& attribute) {
  const AttributeType* type = type_by_oid(attribute.type);
  const std::string name = type == nullptr ? attribute.type : type->names[0];
  const auto value = string_value(attribute.value);
  std::string text = name;
  if (value) return text.append("=").append(escaped(*value));
  return text.append("=#").append(to_hex(attribute.value.whole));
}

// ---- text to DER ------------------------------------------------------------------------------

Error bad_name(std::string_view where, const std::string& why) {
  return {ErrorKind::bad_argument, "in the name, at \"" + std::string(where) + "\": " + why};
}

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && text.front() == ' ')
    text.remove_prefix(1);
  while (!text.empty() && text.back() == ' ')
    text.remove_suffix(1);
  return text;
}

/// What follows a backslash at the front of `rest`: one special character, or two hex digits.
std::optional<char> take_escape(std::string_view& rest) {
  if (rest.empty()) return std::nullopt;
  if (std::string_view(",+\"\\<>;=# ").find(rest[0]) != std::string_view::npos) {
    const char c = rest[0];
    rest.remove_prefix(1);
    return c;
  }
  const auto octet = from_hex(rest.substr(0, 2));
  if (!octet || octet->size() != 1) return std::nullopt;
  rest.remove_prefix(2);
  return static_cast<char>(octet->front());
}

/// Takes a value up to its comma or the end, escapes resolved [RFC 4514 §3].
Result<std::string> take_value(std::string_view type, std::string_view& rest) {
  while (!rest.empty() && rest.front() == ' ')
    rest.remove_prefix(1);
  if (!rest.empty() && rest.front() == '#') return bad_name(type, "write \\# for a first #");
  std::string value;
  std::size_t kept = 0;  // up to the last character that is no unescaped space
  while (!rest.empty() && rest.front() != ',') {
    const char c = rest.front();
    rest.remove_prefix(1);
    if (c == '\\') {
      const auto escape = take_escape(rest);
      if (!escape) {
        return bad_name(type, "after a backslash comes one of ,+\"\\<>;=# or two hex digits");
      }
      value += *escape;
      kept = value.size();
    } else if (std::string_view("+\"<>;").find(c) != std::string_view::npos) {
      std::string advice = "write \\";
      advice.append(1, c).append(" for the character ").append(1, c);
      return bad_name(type, advice);
    } else {
      value += c;
      if (c != ' ') kept = value.size();
    }
  }
  value.resize(kept);
  return value;
}

bool is_printable_string(std::string_view value) {
  return std::all_of(value.begin(), value.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           std::string_view(" '()+,-./:=?").find(c) != std::string_view::npos;
  });
}

/// IIN and BIN are twelve digits behind their letters [facts kz-pki §6].
bool is_broken_number(std::string_view value) {
  const std::string_view prefix = value.substr(0, 3);
  if (prefix != "IIN" && prefix != "BIN") return false;
  const std::string_view digits = value.substr(3);
  return digits.size() != 12 ||
         !std::all_of(digits.begin(), digits.end(), [](char c) { return c >= '0' && c <= '9'; });
}

Status check_value(std::string_view name, const AttributeType* type, const std::string& value) {
  if (value.empty()) return bad_name(name, "the value is empty");
  if (clean(value) != value) {
    return bad_name(name, "the value holds control characters or is not UTF-8");
  }
  if (type == nullptr) return {};
  const std::string_view oid = type->oid;
  if (oid == "2.5.4.6" &&
      (value.size() != 2 || value[0] < 'A' || value[0] > 'Z' || value[1] < 'A' || value[1] > 'Z')) {
    return bad_name(name, "a country is two capital letters, like KZ");
  }
  if (oid == "2.5.4.4" && (value.rfind("IIN", 0) == 0 || value.rfind("BIN", 0) == 0)) {
    return bad_name(name, "this is the surname; write SERIALNUMBER=" + value);
  }
  if ((oid == "2.5.4.5" || oid == "2.5.4.11") && is_broken_number(value)) {
    return bad_name(name, "IIN and BIN are followed by twelve digits");
  }
  if (type->string == der::printable_string && !is_printable_string(value)) {
    return bad_name(name, "only Latin letters, digits and '()+,-./:=? are allowed");
  }
  const auto ascii = [](char c) { return static_cast<std::uint8_t>(c) < 0x80; };
  if (type->string == der::ia5_string && !std::all_of(value.begin(), value.end(), ascii)) {
    return bad_name(name, "only ASCII characters are allowed");
  }
  return {};
}

/// Takes one TYPE=value from the front.
Result<Bytes> take_attribute(std::string_view& rest) {
  const std::size_t equals = rest.find_first_of("=,");
  if (equals == std::string_view::npos || rest[equals] == ',') {
    return bad_name(trimmed(rest.substr(0, equals)), "TYPE=value is expected");
  }
  const std::string_view name = trimmed(rest.substr(0, equals));
  const AttributeType* type = type_by_name(name);
  const auto oid = der::oid_from_text(type == nullptr ? name : std::string_view(type->oid));
  if (!oid) return bad_name(name, "there is no such attribute type");
  if (type == nullptr) type = type_by_oid(name);
  rest.remove_prefix(equals + 1);
  auto value = take_value(name, rest);
  if (!value) return value.take_error();
  if (auto status = check_value(name, type, *value); !status) return status.take_error();
  apdu::BerWriter attribute;
  attribute.put(der::object_identifier, *oid)
      .put(type == nullptr ? der::utf8_string : type->string, as_bytes(*value));
  apdu::BerWriter set;
  set.put(der::sequence, attribute);
  return apdu::BerWriter().put(der::set, set).bytes();
}

}  // namespace

Result<std::vector<NameAttribute>> name_attributes(ByteView name) {
  auto rdns = read_name(name);
  if (!rdns) return rdns.take_error();
  std::vector<NameAttribute> out;
  for (const auto& rdn : *rdns) {
    for (const auto& attribute : rdn) {
      out.push_back({attribute.type, clean(string_value(attribute.value).value_or(""))});
    }
  }
  return out;
}

Result<std::string> name_to_text(ByteView name) {
  auto rdns = read_name(name);
  if (!rdns) return rdns.take_error();
  std::string out;
  for (const auto& rdn : *rdns) {
    for (std::size_t i = 0; i < rdn.size(); ++i) {
      if (!out.empty()) out += i == 0 ? "," : "+";
      out += attribute_text(rdn[i]);
    }
  }
  return out;
}

Result<Bytes> name_from_text(std::string_view text) {
  if (trimmed(text).empty()) return Error{ErrorKind::bad_argument, "the name is empty"};
  apdu::BerWriter rdns;
  for (std::string_view rest = text;;) {
    auto rdn = take_attribute(rest);
    if (!rdn) return rdn;
    rdns.raw(*rdn);
    if (rest.empty()) return apdu::BerWriter().put(der::sequence, rdns).bytes();
    rest.remove_prefix(1);  // the comma
  }
}

}  // namespace kilt::card
