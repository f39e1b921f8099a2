// SPDX-License-Identifier: Apache-2.0
#include "cli/csr.hpp"

#include <algorithm>
#include <array>

#include "apdu/tlv.hpp"
#include "drivers/certificate.hpp"
#include "drivers/der_values.hpp"
#include "drivers/x500_name.hpp"

namespace kilt::cli {
namespace {

namespace der = card::der;

constexpr std::uint32_t tag_attributes = 0xA0;
constexpr std::uint32_t tag_rfc822_name = 0x81;
constexpr std::uint32_t tag_dns_name = 0x82;

constexpr std::string_view extension_request = "1.2.840.113549.1.9.14";
constexpr std::string_view subject_alt_name = "2.5.29.17";
constexpr std::string_view key_store_info = "1.2.398.3.3.5";
constexpr std::string_view sha256_with_rsa = "1.2.840.113549.1.1.11";

Error wrong(const std::string& what) {
  return {ErrorKind::bad_argument, what};
}

bool is_visible_ascii(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return c > ' ' && c < '\x7F'; });
}

/// The shape only: one @ with something on both sides, no spaces [RFC 5280 §4.2.1.6].
Status check_email(const std::string& email) {
  const auto at = email.find('@');
  const bool good = is_visible_ascii(email) && at != std::string::npos && at != 0 &&
                    at + 1 < email.size() && email.find('@', at + 1) == std::string::npos;
  if (!good) return wrong("\"" + email + "\" is no e-mail address");
  return {};
}

Status check_dns_name(const std::string& name) {
  const bool good = !name.empty() && name.size() <= 253 && name.front() != '.' &&
                    name.back() != '.' && name.find("..") == std::string::npos &&
                    std::all_of(name.begin(), name.end(), [](char c) {
                      return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                             (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '*';
                    });
  if (!good) return wrong("\"" + name + "\" is no DNS name");
  return {};
}

void put_oid(apdu::BerWriter& to, std::string_view dotted) {
  to.put(der::object_identifier, *der::oid_from_text(dotted));
}

/// Extension, not critical, as the national CA wants both of them.
void put_extension(apdu::BerWriter& to, std::string_view type, const apdu::BerWriter& value) {
  apdu::BerWriter extension;
  put_oid(extension, type);
  extension.put(der::octet_string, apdu::BerWriter().put(der::sequence, value));
  to.put(der::sequence, extension);
}

Result<apdu::BerWriter> extensions_of(const CsrSubject& subject) {
  apdu::BerWriter names;
  if (!subject.email.empty()) {
    if (auto status = check_email(subject.email); !status) return status.take_error();
    names.put(tag_rfc822_name, as_bytes(subject.email));
  }
  for (const auto& name : subject.dns_names) {
    if (auto status = check_dns_name(name); !status) return status.take_error();
    names.put(tag_dns_name, as_bytes(name));
  }
  apdu::BerWriter extensions;
  if (!names.bytes().empty()) put_extension(extensions, subject_alt_name, names);
  if (!subject.key_store.empty()) {
    const auto store = der::oid_from_text(subject.key_store);
    if (!store)
      return wrong("\"" + subject.key_store + "\" is no object identifier of a key store");
    put_extension(extensions, key_store_info,
                  apdu::BerWriter().put(der::object_identifier, *store));
  }
  return extensions;
}

/// [0] IMPLICIT SET OF Attribute; empty where nothing is asked for [RFC 2986 §4.1].
Result<apdu::BerWriter> attributes_of(const CsrSubject& subject) {
  auto extensions = extensions_of(subject);
  if (!extensions || extensions->bytes().empty()) return extensions;
  apdu::BerWriter values;
  values.put(der::sequence, *extensions);
  apdu::BerWriter attribute;
  put_oid(attribute, extension_request);
  attribute.put(der::set, values);
  return apdu::BerWriter().put(der::sequence, attribute);
}

/// The eleven leading digits weighed, modulo 11; a second set of weights when that is 10
/// [facts kz-pki §8.3].
bool has_right_check_digit(std::string_view digits) {
  constexpr std::array<int, 11> first{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11};
  constexpr std::array<int, 11> second{3, 4, 5, 6, 7, 8, 9, 10, 11, 1, 2};
  for (const auto& weights : {first, second}) {
    int sum = 0;
    for (std::size_t i = 0; i < weights.size(); ++i)
      sum += weights[i] * (digits[i] - '0');
    if (sum % 11 != 10) return sum % 11 == digits[11] - '0';
  }
  return false;
}

bool is_number(std::string_view value) {
  return value.size() == 15 && (value.substr(0, 3) == "IIN" || value.substr(0, 3) == "BIN");
}

}  // namespace

std::vector<std::string> subject_warnings(const std::string& name) {
  std::vector<std::string> warnings;
  const auto encoded = card::name_from_text(name);
  if (!encoded) return warnings;
  const auto attributes = card::name_attributes(*encoded);
  if (!attributes) return warnings;
  const auto has = [&](std::string_view type) {
    return std::any_of(attributes->begin(), attributes->end(),
                       [&](const auto& each) { return each.type == type; });
  };
  for (const auto& [type, value] : *attributes) {
    if (is_number(value) && !has_right_check_digit(std::string_view(value).substr(3))) {
      warnings.push_back(value + ": the check digit is wrong");
    }
  }
  if (!has("2.5.4.3")) warnings.emplace_back("the name has no CN");
  if (!has("2.5.4.6")) warnings.emplace_back("the name has no C");
  return warnings;
}

Result<Bytes> certification_request_info(const CsrSubject& subject, const card::PublicKey& key) {
  if (key.type != card::KeyType::rsa) {
    return Error{ErrorKind::unsupported, "requests are made for RSA keys"};
  }
  auto name = card::name_from_text(subject.name);
  if (!name) return name.take_error();
  auto attributes = attributes_of(subject);
  if (!attributes) return attributes.take_error();
  apdu::BerWriter info;
  info.put(der::integer, {0x00})
      .raw(*name)
      .raw(card::subject_public_key_info(key))
      .put(tag_attributes, *attributes);
  return apdu::BerWriter().put(der::sequence, info).bytes();
}

Bytes rsa_certification_request(ByteView info, ByteView signature) {
  apdu::BerWriter algorithm;
  put_oid(algorithm, sha256_with_rsa);
  algorithm.put(der::null, ByteView{});
  Bytes bits{0x00};
  append(bits, signature);
  apdu::BerWriter request;
  request.raw(info).put(der::sequence, algorithm).put(der::bit_string, bits);
  return apdu::BerWriter().put(der::sequence, request).bytes();
}

}  // namespace kilt::cli
