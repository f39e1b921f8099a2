// SPDX-License-Identifier: Apache-2.0
// What needs the public key alone is computed on the host: verification, recovery, encryption.
#pragma once

#include "apdu/bytes.hpp"
#include "drivers/model.hpp"
#include "pkcs11/mechanism.hpp"

namespace kilt::p11 {

/// CKR_OK; CKR_SIGNATURE_LEN_RANGE when the signature has not the length of the modulus;
/// CKR_SIGNATURE_INVALID; CKR_DATA_LEN_RANGE for a message that the mechanism could not have
/// signed; CKR_FUNCTION_FAILED for a public key that cannot be computed with.
[[nodiscard]] CK_RV verify(const Preparation& preparation, const card::PublicKey& key,
                           ByteView message, ByteView signature);
/// The same from the finished digest of a mechanism with digest().
[[nodiscard]] CK_RV verify_digest(const Preparation& preparation, const card::PublicKey& key,
                                  ByteView digest, ByteView signature);
/// The data that the signature holds (CKM_RSA_PKCS: without padding; CKM_RSA_X_509: the block).
[[nodiscard]] CK_RV verify_recover(const Preparation& preparation, const card::PublicKey& key,
                                   ByteView signature, Bytes& data);
/// CKR_DATA_LEN_RANGE when the plain text is too long; CKR_DATA_INVALID for a CKM_RSA_X_509 input
/// that is not below the modulus; CKR_FUNCTION_FAILED without randomness or with a key that cannot
/// be computed with.
[[nodiscard]] CK_RV encrypt(const Preparation& preparation, const card::PublicKey& key,
                            ByteView plain, Bytes& cryptogram);

}  // namespace kilt::p11
