// SPDX-License-Identifier: Apache-2.0
#include "drivers/certificate.hpp"

#include <algorithm>
#include <array>

#include "drivers/der_values.hpp"
#include "drivers/x500_name.hpp"

namespace kilt::card {
namespace {

constexpr std::uint32_t tag_version = 0xA0;
constexpr std::uint32_t tag_issuer_unique_id = 0x81;
constexpr std::uint32_t tag_subject_unique_id = 0x82;
constexpr std::uint32_t tag_extensions = 0xA3;

Error not_one(const std::string& why) {
  return {ErrorKind::bad_data, "this is no X.509 certificate: " + why};
}

Error not_one(const std::string& why, Error cause) {
  Error error = not_one(why);
  error.cause = std::make_shared<const Error>(std::move(cause));
  return error;
}

Status read_basic_constraints(ByteView value, Certificate& out) {
  apdu::BerReader outer(value);
  auto sequence = outer.enter(der::sequence);
  if (!sequence || !outer.finish()) return not_one("bad basicConstraints");
  auto authority = sequence->optional(der::boolean);
  if (!authority) return not_one("bad basicConstraints", authority.take_error());
  if (*authority) {
    if ((*authority)->value.size() != 1) return not_one("bad basicConstraints");
    out.authority = (*authority)->value[0] != 0;
  }
  auto path_length = sequence->optional(der::integer);
  if (!path_length || !sequence->finish()) return not_one("bad basicConstraints");
  return {};
}

/// A named bit list, most significant bit first [RFC 5280 §4.2.1.3].
Status read_key_usage(ByteView value, Certificate& out) {
  constexpr std::array names{"digitalSignature", "nonRepudiation", "keyEncipherment",
                             "dataEncipherment", "keyAgreement",   "keyCertSign",
                             "cRLSign",          "encipherOnly",   "decipherOnly"};
  apdu::BerReader reader(value);
  auto bits = reader.expect(der::bit_string);
  if (!bits || !reader.finish() || bits->value.empty() || bits->value[0] > 7) {
    return not_one("bad keyUsage");
  }
  const ByteView octets = bits->value.subspan(1);
  for (std::size_t i = 0; i < names.size() && i / 8 < octets.size(); ++i) {
    if ((octets[i / 8] & (0x80 >> i % 8)) != 0) out.key_usage.emplace_back(names[i]);
  }
  return {};
}

Result<std::string> dotted(apdu::BerReader& reader) {
  auto object = reader.expect(der::object_identifier);
  if (!object) return object.take_error();
  auto text = der::oid_to_text(object->value);
  if (!text) return not_one("bad object identifier");
  return std::move(*text);
}

Status read_extended_key_usage(ByteView value, Certificate& out) {
  apdu::BerReader outer(value);
  auto sequence = outer.enter(der::sequence);
  if (!sequence || !outer.finish()) return not_one("bad extKeyUsage");
  while (!sequence->done()) {
    auto purpose = dotted(*sequence);
    if (!purpose) return not_one("bad extKeyUsage", purpose.take_error());
    out.extended_key_usage.push_back(std::move(*purpose));
  }
  return {};
}

Status read_policies(ByteView value, Certificate& out) {
  apdu::BerReader outer(value);
  auto sequence = outer.enter(der::sequence);
  if (!sequence || !outer.finish()) return not_one("bad certificatePolicies");
  while (!sequence->done()) {
    auto policy = sequence->enter(der::sequence);
    if (!policy) return not_one("bad certificatePolicies", policy.take_error());
    auto name = dotted(*policy);
    if (!name) return not_one("bad certificatePolicies", name.take_error());
    policy->skip_rest();  // qualifiers
    out.policies.push_back(std::move(*name));
  }
  return {};
}

Status read_extension(const std::string& type, ByteView value, Certificate& out) {
  if (type == "2.5.29.19") return read_basic_constraints(value, out);
  if (type == "2.5.29.15") return read_key_usage(value, out);
  if (type == "2.5.29.37") return read_extended_key_usage(value, out);
  if (type == "2.5.29.32") return read_policies(value, out);
  return {};
}

/// [RFC 5280 §4.2]: no extension may appear twice.
Status read_extensions(ByteView value, Certificate& out) {
  apdu::BerReader outer(value);
  auto sequence = outer.enter(der::sequence);
  if (!sequence || !outer.finish()) return not_one("bad extensions");
  std::vector<std::string> seen;
  while (!sequence->done()) {
    auto extension = sequence->enter(der::sequence);
    if (!extension) return not_one("bad extension", extension.take_error());
    auto type = dotted(*extension);
    if (!type) return not_one("bad extension", type.take_error());
    auto critical = extension->optional(der::boolean);
    if (!critical) return not_one("bad extension", critical.take_error());
    auto body = extension->expect(der::octet_string);
    if (!body || !extension->finish()) return not_one("bad extension " + *type);
    if (std::find(seen.begin(), seen.end(), *type) != seen.end()) {
      return not_one("extension " + *type + " appears twice");
    }
    if (auto status = read_extension(*type, body->value, out); !status) return status;
    seen.push_back(std::move(*type));
  }
  return {};
}

Status read_version_and_serial(apdu::BerReader& body, Certificate& out) {
  auto version = body.optional(tag_version);
  if (!version) return not_one("bad version", version.take_error());
  if (*version) {
    apdu::BerReader reader((*version)->value);
    auto number = reader.expect(der::integer);
    if (!number || !reader.finish() || number->value.size() != 1 || number->value[0] > 2) {
      return not_one("bad version");
    }
  }
  auto serial = body.expect(der::integer);
  if (!serial) return not_one("no serial number", serial.take_error());
  if (serial->value.empty()) return not_one("no serial number");
  out.serial = copy_of(serial->whole);
  return {};
}

Status read_validity(apdu::BerReader& body, Certificate& out) {
  auto validity = body.enter(der::sequence);
  if (!validity) return not_one("no validity", validity.take_error());
  for (std::string* bound : {&out.not_before, &out.not_after}) {
    auto time = validity->next();
    if (!time) return not_one("no validity", time.take_error());
    auto text = der::time_to_text(*time);
    if (!text) return not_one("a date that cannot be read");
    *bound = std::move(*text);
  }
  if (!validity->finish()) return not_one("bad validity");
  return {};
}

Status read_name(apdu::BerReader& body, const char* whose, Bytes& name, std::string& text) {
  auto object = body.expect(der::sequence);
  if (!object) return not_one(std::string("no ") + whose, object.take_error());
  auto readable = name_to_text(object->whole);
  if (!readable) return not_one(std::string("bad ") + whose, readable.take_error());
  name = copy_of(object->whole);
  text = std::move(*readable);
  return {};
}

/// The last CN is the most specific one where a name has several.
std::string common_name_of(ByteView name) {
  std::string found;
  if (auto attributes = name_attributes(name)) {
    for (auto& attribute : *attributes) {
      if (attribute.type == "2.5.4.3") found = std::move(attribute.value);
    }
  }
  return found;
}

Status read_key(apdu::BerReader& body, Certificate& out) {
  auto info = body.expect(der::sequence);
  if (!info) return not_one("no public key", info.take_error());
  out.spki = copy_of(info->whole);
  auto key = parse_subject_public_key_info(out.spki);
  if (key) {
    out.key = std::move(*key);
  } else if (key.error().kind != ErrorKind::unsupported) {
    return not_one("a public key that cannot be read", key.take_error());
  }
  return {};
}

Status read_tail(apdu::BerReader& body, Certificate& out) {
  for (const auto tag : {tag_issuer_unique_id, tag_subject_unique_id}) {
    auto unique_id = body.optional(tag);
    if (!unique_id) return not_one("bad unique identifier", unique_id.take_error());
  }
  auto extensions = body.optional(tag_extensions);
  if (!extensions) return not_one("bad extensions", extensions.take_error());
  if (!body.finish()) return not_one("something after the extensions");
  return *extensions ? read_extensions((*extensions)->value, out) : Status{};
}

/// TBSCertificate [RFC 5280 §4.1]; `algorithm` is that of the signature outside.
Status read_body(apdu::BerReader& body, ByteView algorithm, Certificate& out) {
  if (auto status = read_version_and_serial(body, out); !status) return status;
  auto inner_algorithm = body.expect(der::sequence);
  if (!inner_algorithm) return not_one("no signature algorithm", inner_algorithm.take_error());
  if (!equal(inner_algorithm->whole, algorithm)) {
    return not_one("its two signature algorithms differ");
  }
  if (auto status = read_name(body, "issuer", out.issuer, out.issuer_text); !status) return status;
  if (auto status = read_validity(body, out); !status) return status;
  if (auto status = read_name(body, "subject", out.subject, out.subject_text); !status) {
    return status;
  }
  out.common_name = common_name_of(out.subject);
  if (auto status = read_key(body, out); !status) return status;
  return read_tail(body, out);
}

}  // namespace

Result<Certificate> Certificate::parse(ByteView encoded) {
  apdu::BerReader outer(encoded);
  auto whole = outer.expect(der::sequence);
  if (!whole) return not_one("not a DER sequence", whole.take_error());
  if (!outer.finish()) return not_one("bytes after its end");
  apdu::BerReader parts(whole->value, 1);
  auto body = parts.enter(der::sequence);
  if (!body) return not_one("no body", body.take_error());
  auto algorithm = parts.expect(der::sequence);
  if (!algorithm) return not_one("no signature algorithm", algorithm.take_error());
  auto signature = parts.expect(der::bit_string);
  if (!signature) return not_one("no signature", signature.take_error());
  if (!parts.finish()) return not_one("something after the signature");
  if (!der::has_minimal_length(*whole) || !der::whole_octets(signature->value)) {
    return not_one("not DER");
  }
  Certificate out;
  out.der = copy_of(encoded);
  if (auto status = read_body(*body, algorithm->whole, out); !status) return status.take_error();
  return out;
}

}  // namespace kilt::card
