// SPDX-License-Identifier: Apache-2.0
// A PKCS#10 request [RFC 2986] as the CA reads it.
#pragma once

#include "apdu/bytes.hpp"
#include "apdu/result.hpp"

namespace kilt::sim {

struct CertificateRequest {
  Bytes subject;            ///< Name, whole DER
  Bytes public_key;         ///< SubjectPublicKeyInfo, whole DER
  Bytes alternative_names;  ///< GeneralNames (whole DER), reduced to e-mail and DNS; empty if none
  bool legal_entity = false;  ///< the subject holds a BIN

  /// Reads DER and checks the signature. Errors as ca_issue().
  static Result<CertificateRequest> read(ByteView der);
};

/// What PEM holds, or `bytes` itself where they are no PEM.
Bytes without_pem(ByteView bytes);

}  // namespace kilt::sim
