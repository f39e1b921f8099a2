// SPDX-License-Identifier: Apache-2.0
// Arithmetic checks on RSA keys and results, by mbedTLS.
#pragma once

#include "apdu/result.hpp"
#include "drivers/model.hpp"

namespace kilt::card {

/// Whether `result` is the private power of `input`: result^e mod n = input. All big-endian, of
/// modulus length. A card that computed with another key, or wrongly, is found out.
[[nodiscard]] bool is_private_power(const PublicKey& key, ByteView input, ByteView result);

/// bad_data when the components do not make one RSA key (n = pq, coefficient and exponents fit).
[[nodiscard]] Status check_private_key(const RsaPrivateKey& key);

/// Whether this is a private exponent of the key: e * d = 1 modulo p-1 and q-1, and d < n. There
/// are several, for programs reckon modulo lcm(p-1, q-1) or modulo (p-1)(q-1).
[[nodiscard]] bool is_private_exponent(const RsaPrivateKey& key, ByteView exponent);

/// The private exponent d, e * d = 1 modulo lcm(p-1, q-1), as long as the modulus: for cards that
/// want it beside the parts. bad_data when there is none.
[[nodiscard]] Result<SecretBytes> private_exponent(const RsaPrivateKey& key);

}  // namespace kilt::card
