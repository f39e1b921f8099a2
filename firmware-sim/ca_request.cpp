// SPDX-License-Identifier: Apache-2.0
#include "firmware-sim/ca_request.hpp"

#include <mbedtls/base64.h>
#include <mbedtls/md.h>
#include <mbedtls/pk.h>

#include <algorithm>
#include <array>

#include "apdu/tlv.hpp"
#include "firmware-sim/ca_oid.hpp"

namespace kilt::sim {

namespace {

using apdu::BerReader;
using apdu::BerWriter;

constexpr std::uint32_t sequence = 0x30;
constexpr std::uint32_t set = 0x31;
constexpr std::uint32_t bit_string = 0x03;
constexpr std::uint32_t octet_string = 0x04;
constexpr std::uint32_t object_identifier = 0x06;
constexpr std::uint32_t attributes_tag = 0xA0;
constexpr std::uint32_t rfc822_name = 0x81;  // GeneralName [RFC 5280 §4.2.1.6]
constexpr std::uint32_t dns_name = 0x82;

struct Parts {
  ByteView signed_part;
  ByteView subject;
  ByteView public_key;
  ByteView attributes;
  ByteView algorithm;  ///< OID of the signature
  ByteView signature;
};

Error no_request(const Error& cause) {
  Error error = cause.within("this is no PKCS#10 request that can be read");
  error.kind = ErrorKind::bad_data;
  return error;
}

Result<Parts> take_apart(ByteView der) {
  Parts parts;
  BerReader whole(der);
  auto request = whole.enter(sequence);
  if (!request) return request.take_error();
  auto signed_part = request->expect(sequence);
  if (!signed_part) return signed_part.take_error();
  parts.signed_part = signed_part->whole;
  auto algorithm = request->enter(sequence);
  if (!algorithm) return algorithm.take_error();
  auto oid = algorithm->expect(object_identifier);
  auto signature = request->expect(bit_string);
  if (!oid) return oid.take_error();
  if (!signature) return signature.take_error();
  if (signature->value.empty()) return Error{ErrorKind::protocol, "the signature is empty"};
  algorithm->skip_rest();
  parts.algorithm = oid->value;
  parts.signature = signature->value.subspan(1);  // the count of unused bits, which is 0

  BerReader info(signed_part->value);
  auto version = info.expect(0x02);
  auto subject = info.expect(sequence);
  auto key = info.expect(sequence);
  auto attributes = info.optional(attributes_tag);
  for (auto* part : {&version, &subject, &key}) {
    if (!*part) return part->take_error();
  }
  if (!attributes) return attributes.take_error();
  parts.subject = subject->whole;
  parts.public_key = key->whole;
  if (*attributes) parts.attributes = (*attributes)->value;
  return parts;
}

struct KeyContext {
  mbedtls_pk_context key;
  KeyContext() { mbedtls_pk_init(&key); }
  ~KeyContext() { mbedtls_pk_free(&key); }
  KeyContext(const KeyContext&) = delete;
  KeyContext& operator=(const KeyContext&) = delete;
};

mbedtls_md_type_t hash_of(ByteView algorithm) {
  static const std::array<std::pair<const char*, mbedtls_md_type_t>, 4> known = {{
      {"1.2.840.113549.1.1.5", MBEDTLS_MD_SHA1},
      {"1.2.840.113549.1.1.11", MBEDTLS_MD_SHA256},
      {"1.2.840.113549.1.1.12", MBEDTLS_MD_SHA384},
      {"1.2.840.113549.1.1.13", MBEDTLS_MD_SHA512},
  }};
  for (const auto& [oid, hash] : known) {
    if (equal(encode_oid(oid), algorithm)) return hash;
  }
  return MBEDTLS_MD_NONE;
}

Status check_signature(const Parts& parts) {
  const auto hash = hash_of(parts.algorithm);
  if (hash == MBEDTLS_MD_NONE) {
    return Error{ErrorKind::unsupported,
                 "the request is not signed with RSA PKCS#1 v1.5 and SHA; this CA issues RSA "
                 "certificates only"};
  }
  Bytes copy = copy_of(parts.public_key);  // mbedTLS moves a pointer into it
  unsigned char* at = copy.data();
  KeyContext context;
  const int parsed = mbedtls_pk_parse_subpubkey(&at, copy.data() + copy.size(), &context.key);
  if (parsed != 0 || !mbedtls_pk_can_do(&context.key, MBEDTLS_PK_RSA)) {
    return Error{ErrorKind::unsupported,
                 "the request holds no RSA key; this CA issues RSA certificates only"};
  }
  const auto* md = mbedtls_md_info_from_type(hash);
  Bytes digest(mbedtls_md_get_size(md));
  mbedtls_md(md, parts.signed_part.data(), parts.signed_part.size(), digest.data());
  if (mbedtls_pk_verify(&context.key, hash, digest.data(), digest.size(), parts.signature.data(),
                        parts.signature.size()) != 0) {
    return Error{ErrorKind::verify_failed,
                 "the request's signature was not made by the key that it holds; make it again"};
  }
  return {};
}

/// The content of the first extension with this OID in the request's attributes.
Result<std::optional<ByteView>> find_extension(ByteView attributes, const Bytes& wanted) {
  const Bytes extension_request = encode_oid("1.2.840.113549.1.9.14");
  for (BerReader all(attributes); !all.done();) {
    auto attribute = all.enter(sequence);
    if (!attribute) return attribute.take_error();
    auto type = attribute->expect(object_identifier);
    auto values = attribute->enter(set);
    if (!type) return type.take_error();
    if (!values) return values.take_error();
    if (!equal(type->value, extension_request)) continue;
    auto extensions = values->enter(sequence);
    if (!extensions) return extensions.take_error();
    while (!extensions->done()) {
      auto extension = extensions->enter(sequence);
      if (!extension) return extension.take_error();
      auto oid = extension->expect(object_identifier);
      auto critical = extension->optional(0x01);
      auto value = extension->expect(octet_string);
      if (!oid) return oid.take_error();
      if (!critical) return critical.take_error();
      if (!value) return value.take_error();
      if (equal(oid->value, wanted)) return std::optional<ByteView>(value->value);
    }
  }
  return std::optional<ByteView>{};
}

/// The real CA keeps e-mail and DNS names only [facts kz-pki-crypto §7].
Result<Bytes> kept_names(ByteView extension) {
  BerReader outer(extension);
  auto names = outer.enter(sequence);
  if (!names) return names.take_error();
  BerWriter kept;
  while (!names->done()) {
    auto name = names->next();
    if (!name) return name.take_error();
    if (name->tag == rfc822_name || name->tag == dns_name) kept.raw(name->whole);
  }
  if (kept.bytes().empty()) return Bytes{};
  return BerWriter().put(sequence, kept).bytes();
}

/// An organisation's number stands in a subject attribute as "BIN" and digits [same, §6].
bool holds_bin(ByteView subject) {
  const auto marker = as_bytes("BIN");
  const auto at = std::search(subject.begin(), subject.end(), marker.begin(), marker.end());
  return at != subject.end() && at + 3 != subject.end() && at[3] >= '0' && at[3] <= '9';
}

}  // namespace

Result<CertificateRequest> CertificateRequest::read(ByteView der) {
  auto parts = take_apart(der);
  if (!parts) return no_request(parts.error());
  if (auto valid = check_signature(*parts); !valid) return valid.take_error();
  CertificateRequest request;
  request.subject = copy_of(parts->subject);
  request.public_key = copy_of(parts->public_key);
  request.legal_entity = holds_bin(parts->subject);
  if (request.subject.size() <= 2) {
    return Error{ErrorKind::bad_data, "the request has no subject; a certificate needs a name"};
  }
  auto names = find_extension(parts->attributes, encode_oid("2.5.29.17"));
  if (!names) return no_request(names.error());
  if (*names) {
    auto kept = kept_names(**names);
    if (!kept) return no_request(kept.error());
    request.alternative_names = std::move(*kept);
  }
  return request;
}

Bytes without_pem(ByteView bytes) {
  const std::string text = as_text(bytes);
  const auto begin = text.find("-----BEGIN ");
  if (begin == std::string::npos) return copy_of(bytes);
  const auto first = text.find('\n', begin);
  const auto last = text.find("-----END ", begin);
  if (first == std::string::npos || last == std::string::npos || first > last) return {};
  std::string base64 = text.substr(first, last - first);
  std::erase_if(base64, [](char c) { return c == '\n' || c == '\r' || c == ' ' || c == '\t'; });
  Bytes der(base64.size());
  std::size_t size = 0;
  if (mbedtls_base64_decode(der.data(), der.size(), &size,
                            reinterpret_cast<const unsigned char*>(base64.data()),
                            base64.size()) != 0) {
    return {};
  }
  der.resize(size);
  return der;
}

}  // namespace kilt::sim
