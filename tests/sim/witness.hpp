// SPDX-License-Identifier: Apache-2.0
// Third implementations that judge what the simulator computed: OpenSSL, and for GOST its engine.
#pragma once

#include <string>

#include "apdu/bytes.hpp"

namespace kilt::sim::test {

/// signature^exponent mod modulus by OpenSSL, as long as the modulus. All big-endian.
Bytes rsa_public_operation(ByteView modulus, ByteView exponent, ByteView signature);
/// A fresh key pair made by OpenSSL. Big-endian parts.
struct ForeignRsaKey {
  Bytes n, e, p, q, dp, dq, qinv, d;
};
ForeignRsaKey foreign_rsa_key(unsigned bits);
/// Whether the GOST engine accepts it. X and Y little-endian one after the other; `digest` as
/// given to C_Sign; `signature` s, then r, big-endian, as PKCS#11 returns it.
bool gost_engine_verifies(ByteView public_key_le, ByteView digest, ByteView signature);

}  // namespace kilt::sim::test
