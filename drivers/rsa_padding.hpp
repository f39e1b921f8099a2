// SPDX-License-Identifier: Apache-2.0
// RSA encodings of [RFC 8017 §7, §9] for cards that compute the bare power only. Digests and MGF1
// by mbedTLS; no RSA arithmetic here.
#pragma once

#include "apdu/bytes.hpp"
#include "apdu/result.hpp"

namespace kilt::card {

enum class Digest { sha1, sha224, sha256, sha384, sha512 };
[[nodiscard]] std::size_t digest_size(Digest digest);

/// EMSA-PKCS1-v1_5 without making the DigestInfo: 00 01 FF.. 00 text. bad_argument if text is
/// longer than size - 11.
Result<Bytes> pkcs1_type1_pad(ByteView text, std::size_t size);
/// EME-PKCS1-v1_5 encoding: 00 02 filler 00 text. The filler is the caller's randomness, octets
/// that are not zero, as many as are left over. bad_argument when it or the text does not fit.
Result<Bytes> pkcs1_type2_pad(ByteView text, ByteView filler, std::size_t size);
/// EME-PKCS1-v1_5, in time that does not depend on the block: bad_data for every wrong block alike.
Result<Bytes> pkcs1_type2_unpad(ByteView block);
/// EMSA-PSS-ENCODE [RFC 8017 §9.1.1] of a digest already made; `modulus_bits` - 1 = emBits; the
/// result has the length of the modulus. bad_argument when salt and digest do not fit.
Result<Bytes> pss_encode(ByteView digest, Digest hash, Digest mgf_hash, ByteView salt,
                         std::size_t modulus_bits);
/// EMSA-PSS-VERIFY [RFC 8017 §9.1.2] of a block of the modulus' length, for exactly this length of
/// salt.
[[nodiscard]] bool pss_matches(ByteView block, ByteView digest, Digest hash, Digest mgf_hash,
                               std::size_t salt_length, std::size_t modulus_bits);
/// EME-OAEP-ENCODE [RFC 8017 §7.1.1 step 2]; `seed` is randomness of the hash's length.
/// bad_argument when the message does not fit.
Result<Bytes> oaep_encode(ByteView message, Digest hash, Digest mgf_hash, ByteView label,
                          ByteView seed, std::size_t size);
/// EME-OAEP-DECODE [RFC 8017 §7.1.2 step 3] in time that does not depend on the block.
Result<Bytes> oaep_decode(ByteView block, Digest hash, Digest mgf_hash, ByteView label);
/// DER DigestInfo with the algorithm's OID and NULL.
Bytes digest_info(Digest hash, ByteView digest);

}  // namespace kilt::card
