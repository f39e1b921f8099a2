// SPDX-License-Identifier: Apache-2.0
// The certificates of the test CA before they are signed [RFC 5280 §4.1], in the shape of the
// national CA's RSA certificates [facts kz-pki-crypto §6].
#pragma once

#include <ctime>

#include "apdu/bytes.hpp"
#include "firmware-sim/ca_request.hpp"

namespace kilt::sim {

enum class Purpose { auth, sign };

struct Issuer {
  Bytes name;  ///< Name, whole DER
  Bytes key_identifier;
};

struct Validity {
  std::time_t from;
  std::time_t until;
};

/// The test CA's own name: KZ, KILT TEST CA (RSA).
[[nodiscard]] Bytes issuer_name();
/// SHA-1 of the whole SubjectPublicKeyInfo: what the national CA's RSA profile takes.
[[nodiscard]] Bytes key_identifier(ByteView public_key);

/// TBSCertificate, whole DER. `serial`: 20 bytes, the first below 0x80 and not 0.
[[nodiscard]] Bytes user_certificate(const CertificateRequest& request, Purpose purpose,
                                     const Issuer& issuer, ByteView serial,
                                     const Validity& validity);
[[nodiscard]] Bytes ca_certificate(ByteView public_key, ByteView serial, const Validity& validity);

/// The certificate: TBSCertificate, sha256WithRSAEncryption, signature.
[[nodiscard]] Bytes signed_certificate(ByteView to_be_signed, ByteView signature);

}  // namespace kilt::sim
