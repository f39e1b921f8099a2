// SPDX-License-Identifier: Apache-2.0
#include "firmware-sim/ca_certificate.hpp"

#include <mbedtls/md.h>

#include "apdu/tlv.hpp"
#include "firmware-sim/ca_oid.hpp"

namespace kilt::sim {

namespace {

using apdu::BerWriter;

constexpr std::uint32_t boolean = 0x01;
constexpr std::uint32_t integer = 0x02;
constexpr std::uint32_t bit_string = 0x03;
constexpr std::uint32_t octet_string = 0x04;
constexpr std::uint32_t null = 0x05;
constexpr std::uint32_t object_identifier = 0x06;
constexpr std::uint32_t utf8_string = 0x0C;
constexpr std::uint32_t printable_string = 0x13;
constexpr std::uint32_t ia5_string = 0x16;
constexpr std::uint32_t utc_time = 0x17;
constexpr std::uint32_t sequence = 0x30;
constexpr std::uint32_t set = 0x31;
constexpr std::uint32_t uri = 0x86;

// Where the national CA names its own services; nothing answers here [RFC 2606: .invalid].
constexpr const char* crl_url = "http://ca.kilt.invalid/kilt_test_rsa.crl";
constexpr const char* delta_crl_url = "http://ca.kilt.invalid/kilt_test_d_rsa.crl";
constexpr const char* issuer_url = "http://ca.kilt.invalid/kilt_test_rsa.cer";
constexpr const char* ocsp_url = "http://ca.kilt.invalid/ocsp";
constexpr const char* cps_url = "http://ca.kilt.invalid/cps";

BerWriter oid(const char* dotted) {
  BerWriter writer;
  writer.put(object_identifier, encode_oid(dotted));
  return writer;
}

BerWriter in_sequence(const BerWriter& content) {
  BerWriter writer;
  writer.put(sequence, content);
  return writer;
}

BerWriter attribute(const char* type, std::uint32_t string_tag, std::string_view text) {
  BerWriter content = oid(type);
  content.put(string_tag, as_bytes(text));
  BerWriter writer;
  writer.put(set, in_sequence(content));
  return writer;
}

BerWriter sha256_with_rsa() {
  BerWriter content = oid("1.2.840.113549.1.1.11");
  content.put(null, ByteView());
  return in_sequence(content);
}

BerWriter time(std::time_t when) {
  std::tm utc{};
  ::gmtime_r(&when, &utc);
  char text[16];
  std::strftime(text, sizeof text, "%y%m%d%H%M%SZ", &utc);
  BerWriter writer;
  writer.put(utc_time, as_bytes(text));
  return writer;
}

BerWriter extension(const char* type, bool critical, const BerWriter& value) {
  BerWriter content = oid(type);
  if (critical) content.put(boolean, {0xFF});
  content.put(octet_string, value);
  return in_sequence(content);
}

/// `bits`: the first of KeyUsage in the highest bit [RFC 5280 §4.2.1.3].
BerWriter key_usage(std::uint8_t unused_bits, std::uint8_t bits) {
  BerWriter value;
  value.put(bit_string, {unused_bits, bits});
  return extension("2.5.29.15", true, value);
}

BerWriter extended_key_usage(const CertificateRequest& request, Purpose purpose) {
  BerWriter usages = oid(purpose == Purpose::auth ? "1.3.6.1.5.5.7.3.2" : "1.3.6.1.5.5.7.3.4");
  usages.raw(oid(request.legal_entity ? "1.2.398.3.3.4.1.2" : "1.2.398.3.3.4.1.1").bytes());
  return extension("2.5.29.37", false, in_sequence(usages));
}

BerWriter authority_key_identifier(ByteView identifier) {
  BerWriter content;
  content.put(0x80, identifier);
  return extension("2.5.29.35", false, in_sequence(content));
}

BerWriter subject_key_identifier(ByteView identifier) {
  BerWriter value;
  value.put(octet_string, identifier);
  return extension("2.5.29.14", false, value);
}

const char* policy_of(bool legal_entity, Purpose purpose) {
  if (legal_entity) return purpose == Purpose::sign ? "1.2.398.3.3.2.1" : "1.2.398.3.3.2.2";
  return purpose == Purpose::sign ? "1.2.398.3.3.2.3" : "1.2.398.3.3.2.4";
}

BerWriter policies(const char* policy) {
  BerWriter cps = oid("1.3.6.1.5.5.7.2.1");
  cps.put(ia5_string, as_bytes(cps_url));
  BerWriter text;
  text.put(utf8_string, as_bytes(cps_url));
  BerWriter notice = oid("1.3.6.1.5.5.7.2.2");
  notice.put(sequence, text);
  BerWriter qualifiers = in_sequence(cps);
  qualifiers.put(sequence, notice);
  BerWriter information = oid(policy);
  information.put(sequence, qualifiers);
  return extension("2.5.29.32", false, in_sequence(in_sequence(information)));
}

BerWriter distribution_points(const char* type, const char* url) {
  BerWriter name;
  name.put(uri, as_bytes(url));
  BerWriter full_name;
  full_name.put(0xA0, name);
  BerWriter point;
  point.put(0xA0, full_name);
  return extension(type, false, in_sequence(in_sequence(point)));
}

BerWriter access_description(const char* method, const char* url) {
  BerWriter content = oid(method);
  content.put(uri, as_bytes(url));
  return in_sequence(content);
}

BerWriter authority_information() {
  BerWriter both = access_description("1.3.6.1.5.5.7.48.2", issuer_url);
  both.raw(access_description("1.3.6.1.5.5.7.48.1", ocsp_url).bytes());
  return extension("1.3.6.1.5.5.7.1.1", false, in_sequence(both));
}

BerWriter user_extensions(const CertificateRequest& request, Purpose purpose,
                          const Issuer& issuer) {
  BerWriter all;
  // AUTH: digitalSignature, keyEncipherment. SIGN: digitalSignature, nonRepudiation.
  all.raw((purpose == Purpose::auth ? key_usage(5, 0xA0) : key_usage(6, 0xC0)).bytes());
  all.raw(extended_key_usage(request, purpose).bytes());
  all.raw(authority_key_identifier(issuer.key_identifier).bytes());
  all.raw(subject_key_identifier(key_identifier(request.public_key)).bytes());
  all.raw(policies(policy_of(request.legal_entity, purpose)).bytes());
  all.raw(distribution_points("2.5.29.31", crl_url).bytes());
  all.raw(distribution_points("2.5.29.46", delta_crl_url).bytes());
  all.raw(authority_information().bytes());
  if (!request.alternative_names.empty()) {
    BerWriter names;
    names.raw(request.alternative_names);
    all.raw(extension("2.5.29.17", false, names).bytes());
  }
  return all;
}

BerWriter ca_extensions(ByteView identifier) {
  BerWriter is_ca;
  is_ca.put(boolean, {0xFF});
  BerWriter all;
  all.raw(subject_key_identifier(identifier).bytes());
  all.raw(authority_key_identifier(identifier).bytes());
  all.raw(extension("2.5.29.19", true, in_sequence(is_ca)).bytes());
  all.raw(key_usage(1, 0x06).bytes());  // keyCertSign, cRLSign
  return all;
}

Bytes to_be_signed(ByteView serial, ByteView issuer, const Validity& validity, ByteView subject,
                   ByteView public_key, const BerWriter& extensions) {
  BerWriter version;
  version.put(integer, {2});
  BerWriter times = time(validity.from);
  times.raw(time(validity.until).bytes());
  BerWriter content;
  content.put(0xA0, version).put(integer, serial).raw(sha256_with_rsa().bytes());
  content.raw(issuer).put(sequence, times).raw(subject).raw(public_key);
  content.put(0xA3, in_sequence(extensions));
  return in_sequence(content).bytes();
}

}  // namespace

Bytes issuer_name() {
  BerWriter name = attribute("2.5.4.6", printable_string, "KZ");
  name.raw(attribute("2.5.4.3", utf8_string, "KILT TEST CA (RSA)").bytes());
  return in_sequence(name).bytes();
}

Bytes key_identifier(ByteView public_key) {
  Bytes digest(20);
  mbedtls_md(mbedtls_md_info_from_type(MBEDTLS_MD_SHA1), public_key.data(), public_key.size(),
             digest.data());
  return digest;
}

Bytes user_certificate(const CertificateRequest& request, Purpose purpose, const Issuer& issuer,
                       ByteView serial, const Validity& validity) {
  return to_be_signed(serial, issuer.name, validity, request.subject, request.public_key,
                      user_extensions(request, purpose, issuer));
}

Bytes ca_certificate(ByteView public_key, ByteView serial, const Validity& validity) {
  const Bytes name = issuer_name();
  return to_be_signed(serial, name, validity, name, public_key,
                      ca_extensions(key_identifier(public_key)));
}

Bytes signed_certificate(ByteView to_be_signed_part, ByteView signature) {
  Bytes bits{0};
  append(bits, signature);
  BerWriter content;
  content.raw(to_be_signed_part).raw(sha256_with_rsa().bytes()).put(bit_string, bits);
  return in_sequence(content).bytes();
}

}  // namespace kilt::sim
