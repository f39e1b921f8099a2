// SPDX-License-Identifier: Apache-2.0
// SubjectPublicKeyInfo and RSAPublicKey: the public key functions of certificate.hpp.
#include <mbedtls/md.h>

#include <array>
#include <new>
#include <string_view>

#include "drivers/certificate.hpp"
#include "drivers/der_values.hpp"

namespace kilt::card {
namespace {

constexpr std::string_view rsa_encryption = "1.2.840.113549.1.1.1";

/// A GOST key algorithm with one of its parameter sets and the hash that is written beside it.
struct GostForm {
  KeyType type;
  std::string_view algorithm;
  std::string_view parameters;
  std::string_view hash;
};

// Kazakh names first [facts kz-pki §2.1, §5], then the Russian ones [RFC 4491 §2.3.2, RFC 9215 §4].
// A key is written in the first form that has its parameters.
constexpr std::array<GostForm, 9> gost_forms{{
    {KeyType::gost_256, "1.2.398.3.10.1.1.1.1", "1.2.398.3.10.1.1.1.1.1", "1.2.398.3.10.1.3.1.1.0"},
    {KeyType::gost_512, "1.2.398.3.10.1.1.2.2", "1.2.398.3.10.1.1.2.2.1", "1.2.398.3.10.1.3.3"},
    {KeyType::gost_256, "1.2.398.3.10.1.1.2.1", "1.2.398.3.10.1.1.2.1.1", "1.2.398.3.10.1.3.2"},
    {KeyType::gost_256, "1.2.643.2.2.19", "1.2.643.2.2.35.1", "1.2.643.2.2.30.1"},
    {KeyType::gost_256, "1.2.643.2.2.19", "1.2.643.2.2.35.2", "1.2.643.2.2.30.1"},
    {KeyType::gost_256, "1.2.643.2.2.19", "1.2.643.2.2.35.3", "1.2.643.2.2.30.1"},
    {KeyType::gost_256, "1.2.643.7.1.1.1.1", "1.2.643.7.1.2.1.1.1", "1.2.643.7.1.1.2.2"},
    {KeyType::gost_512, "1.2.643.7.1.1.1.2", "1.2.643.7.1.2.1.2.1", "1.2.643.7.1.1.2.3"},
    {KeyType::gost_512, "1.2.643.7.1.1.1.2", "1.2.643.7.1.2.1.2.2", "1.2.643.7.1.1.2.3"},
}};

Bytes oid(std::string_view dotted) {
  return apdu::BerWriter().put(der::object_identifier, *der::oid_from_text(dotted)).bytes();
}

const GostForm* form_of_parameters(ByteView parameters) {
  for (const auto& form : gost_forms) {
    if (equal(oid(form.parameters), parameters)) return &form;
  }
  return nullptr;
}

const GostForm* form_of_algorithm(std::string_view algorithm) {
  for (const auto& form : gost_forms) {
    if (form.algorithm == algorithm) return &form;
  }
  return nullptr;
}

std::size_t point_size(KeyType type) {
  return type == KeyType::gost_512 ? 128 : 64;
}

Error bad_key(const char* what) {
  return {ErrorKind::bad_data, what};
}

Bytes info_of(const apdu::BerWriter& algorithm, ByteView key) {
  Bytes bits{0x00};
  append(bits, key);
  apdu::BerWriter info;
  info.put(der::sequence, algorithm).put(der::bit_string, bits);
  return apdu::BerWriter().put(der::sequence, info).bytes();
}

/// The key inside a GOST BIT STRING is an OCTET STRING of x and y [RFC 4491 §2.3.2].
Result<PublicKey> gost_key(const GostForm& form, apdu::BerReader& algorithm, ByteView key) {
  auto parameters = algorithm.enter(der::sequence);
  if (!parameters) return bad_key("the GOST key has no parameters");
  auto set = parameters->expect(der::object_identifier);
  if (!set) return bad_key("the GOST key names no parameter set");
  parameters->skip_rest();  // hash and cipher parameters, which the point does not depend on
  apdu::BerReader reader(key);
  auto point = reader.expect(der::octet_string);
  if (!point || !reader.finish() || point->value.size() != point_size(form.type)) {
    return bad_key("the GOST key's point has a wrong length");
  }
  return PublicKey{
      .type = form.type, .point = copy_of(point->value), .parameters = copy_of(set->whole)};
}

}  // namespace

Bytes rsa_public_key(const PublicKey& key) {
  apdu::BerWriter numbers;
  numbers.put(der::integer, der::integer_from_unsigned(key.modulus))
      .put(der::integer, der::integer_from_unsigned(key.exponent));
  return apdu::BerWriter().put(der::sequence, numbers).bytes();
}

Result<PublicKey> parse_rsa_public_key(ByteView encoded) {
  apdu::BerReader outer(encoded);
  auto numbers = outer.enter(der::sequence);
  if (!numbers || !outer.finish()) return bad_key("this is no RSA public key");
  auto modulus = numbers->expect(der::integer);
  if (!modulus) return bad_key("the RSA public key has no modulus");
  auto exponent = numbers->expect(der::integer);
  if (!exponent || !numbers->finish()) return bad_key("the RSA public key has no exponent");
  auto n = der::unsigned_from_integer(modulus->value);
  auto e = der::unsigned_from_integer(exponent->value);
  if (!n || !e || n->empty() || e->empty()) {
    return bad_key("a number of the RSA public key is not positive");
  }
  return PublicKey{.modulus = std::move(*n), .exponent = std::move(*e)};
}

Bytes subject_public_key_info(const PublicKey& key) {
  apdu::BerWriter algorithm;
  if (key.type == KeyType::rsa) {
    algorithm.raw(oid(rsa_encryption)).put(der::null, ByteView{});
    return info_of(algorithm, rsa_public_key(key));
  }
  const GostForm* form = form_of_parameters(key.parameters);
  if (form == nullptr) return {};
  apdu::BerWriter parameters;
  parameters.raw(key.parameters).raw(oid(form->hash));
  algorithm.raw(oid(form->algorithm)).put(der::sequence, parameters);
  return info_of(algorithm, apdu::BerWriter().put(der::octet_string, key.point).bytes());
}

Result<PublicKey> parse_subject_public_key_info(ByteView encoded) {
  apdu::BerReader outer(encoded);
  auto info = outer.enter(der::sequence);
  if (!info || !outer.finish()) return bad_key("this is no public key");
  auto algorithm = info->enter(der::sequence);
  if (!algorithm) return bad_key("the public key names no algorithm");
  auto type = algorithm->expect(der::object_identifier);
  if (!type) return bad_key("the public key names no algorithm");
  auto bits = info->expect(der::bit_string);
  if (!bits || !info->finish()) return bad_key("the public key has no value");
  const auto key = der::whole_octets(bits->value);
  const auto name = der::oid_to_text(type->value);
  if (!key || !name) return bad_key("the public key cannot be read");
  if (*name == rsa_encryption) return parse_rsa_public_key(*key);
  if (const GostForm* form = form_of_algorithm(*name)) return gost_key(*form, *algorithm, *key);
  return Error{ErrorKind::unsupported, "the public key's algorithm " + *name + " is not known"};
}

Bytes default_key_id(const PublicKey& key) {
  const Bytes& value = key.type == KeyType::rsa ? key.modulus : key.point;
  Bytes id(20);
  if (mbedtls_md(mbedtls_md_info_from_type(MBEDTLS_MD_SHA1), value.data(), value.size(),
                 id.data()) != 0) {
    throw std::bad_alloc();
  }
  return id;
}

}  // namespace kilt::card
