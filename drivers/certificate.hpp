// SPDX-License-Identifier: Apache-2.0
// What a driver and its users need of a DER certificate. Reads the structure itself, so that
// certificates with Kazakh GOST keys are read as well as RSA ones.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "apdu/result.hpp"
#include "drivers/model.hpp"

namespace kilt::card {

struct Certificate {
  Bytes der;
  Bytes subject, issuer;              ///< DER Name
  Bytes serial;                       ///< DER INTEGER, with tag and length (as CKA_SERIAL_NUMBER)
  Bytes spki;                         ///< DER SubjectPublicKeyInfo
  std::optional<PublicKey> key;       ///< empty: a kind of key we do not know
  std::string not_before, not_after;  ///< "2026-11-22T04:11:00Z"
  std::string common_name;            ///< of the subject, UTF-8; empty if none
  std::string subject_text, issuer_text;  ///< for people, see x500_name.hpp
  bool authority = false;                 ///< basicConstraints cA
  std::vector<std::string> key_usage;     ///< "digitalSignature", ... as in RFC 5280 §4.2.1.3
  std::vector<std::string> extended_key_usage;  ///< dotted OIDs
  std::vector<std::string> policies;            ///< dotted OIDs

  /// bad_data for anything that is not exactly one certificate (also for bytes after it).
  static Result<Certificate> parse(ByteView der);
};

/// DER SubjectPublicKeyInfo of a key [RFC 5280 §4.1.2.7, RFC 3279, RFC 4491].
/// Empty for GOST parameters that we do not know.
[[nodiscard]] Bytes subject_public_key_info(const PublicKey& key);
/// bad_data; unsupported for an algorithm that we do not know.
Result<PublicKey> parse_subject_public_key_info(ByteView der);
/// DER RSAPublicKey [RFC 8017 A.1.1].
[[nodiscard]] Bytes rsa_public_key(const PublicKey& key);
/// bad_data.
Result<PublicKey> parse_rsa_public_key(ByteView der);
/// SHA-1 over the public key's value: the CKA_ID that kilt gives when nobody chose one. For RSA
/// over the modulus, for GOST over the point.
[[nodiscard]] Bytes default_key_id(const PublicKey& key);

}  // namespace kilt::card
