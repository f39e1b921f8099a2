// SPDX-License-Identifier: Apache-2.0
// Certification requests [RFC 2986] in the shape that the national CA takes [facts kz-pki §7]. The
// signature is made elsewhere (by a card): the part to sign is built, then the request is put
// together.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "apdu/result.hpp"
#include "drivers/model.hpp"

namespace kilt::cli {

struct CsrSubject {
  /// "CN=ТЕСТОВ ТЕСТ,SURNAME=ТЕСТОВ,SERIALNUMBER=IIN123456789011,C=KZ,GIVENNAME=ТЕСТОВИЧ", in the
  /// order in which it is to stand (x500_name.hpp).
  std::string name;
  /// Goes into subjectAltName as rfc822Name when not empty.
  std::string email{};
  /// dNSNames in subjectAltName.
  std::vector<std::string> dns_names{};
  /// The key store that the key lives in, as a dotted object identifier, for the national CA's
  /// extension 1.2.398.3.3.5; left out when empty. The identifiers of tokens are not published.
  std::string key_store{};
};

/// What the request's owner should look at, without being an error: an IIN or BIN whose check digit
/// is wrong (the CA's own test persons have such), or a name that the CA would not issue.
[[nodiscard]] std::vector<std::string> subject_warnings(const std::string& name);

/// DER CertificationRequestInfo: the octets to hash and sign. bad_argument names the part of
/// `subject` that is wrong; unsupported for a kind of key that no request is made for.
Result<Bytes> certification_request_info(const CsrSubject& subject, const card::PublicKey& key);

/// DER CertificationRequest of an info and its sha256WithRSAEncryption signature.
[[nodiscard]] Bytes rsa_certification_request(ByteView info, ByteView signature);

}  // namespace kilt::cli
