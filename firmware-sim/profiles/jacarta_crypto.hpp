// SPDX-License-Identifier: Apache-2.0
// What LASER computes beside RSA: SHA-1, 3DES with two keys, Diffie-Hellman. The arithmetic is
// mbedTLS'; all numbers are big-endian.
#pragma once

#include "firmware-sim/crypto.hpp"

namespace kilt::sim::jacarta {

inline constexpr std::size_t des_block = 8;
inline constexpr std::size_t des_key_size = 16;  ///< 3DES of two keys

[[nodiscard]] Bytes sha1(ByteView text);
/// 3DES-CBC, initial vector zero, no padding; whole blocks only.
[[nodiscard]] Bytes des3_encrypt(ByteView key, ByteView blocks);
[[nodiscard]] Bytes des3_decrypt(ByteView key, ByteView blocks);
/// MAC algorithm 3 of [ISO 9797-1]: DES-CBC with the first half of the key, the last block
/// decrypted with the second half and encrypted with the first again. Whole blocks only.
[[nodiscard]] Bytes retail_mac(ByteView key, ByteView blocks);
/// The bytes, 80, and zeros up to a whole block [ISO 9797-1 padding method 2].
[[nodiscard]] Bytes padded(ByteView bytes);
/// Empty optional: that is no such padding.
[[nodiscard]] std::optional<Bytes> unpadded(ByteView bytes);

/// The card's half of a key agreement in the 768-bit MODP group (RFC 2409 group 1), g = 2. Which
/// group a JaCarta uses is not public: assumed.
class KeyAgreement {
 public:
  explicit KeyAgreement(Bytes secret_exponent) : y_(std::move(secret_exponent)) {}
  KeyAgreement(KeyAgreement&&) = default;
  KeyAgreement& operator=(KeyAgreement&&) = default;
  ~KeyAgreement() { wipe(y_); }

  [[nodiscard]] static ByteView modulus();
  [[nodiscard]] static ByteView generator();
  /// g^y, as long as the modulus.
  [[nodiscard]] Bytes public_value() const;
  /// theirs^y, as long as the modulus. bad_data unless 1 < theirs < modulus - 1.
  [[nodiscard]] Result<Bytes> shared(ByteView theirs) const;

 private:
  Bytes y_;
};

}  // namespace kilt::sim::jacarta
