// SPDX-License-Identifier: Apache-2.0
// The key objects of the national ID card: RSA-2048 pairs under the references 7 to A, or 7 and 8
// [facts jacarta B2]. A pair is one NVRAM cell, so generation replaces the private and the public
// key in one write, and nobody ever finds the half of one.
#pragma once

#include <optional>

#include "firmware-sim/crypto.hpp"
#include "firmware-sim/nvram.hpp"

namespace kilt::sim::kzid {

struct PublicKey {
  Bytes modulus;   ///< 256 bytes, big-endian
  Bytes exponent;  ///< 3 bytes, big-endian
};

class KeyObjects {
 public:
  static constexpr unsigned bits = 2048;
  static constexpr std::uint8_t first_key = 0x07;

  /// The objects `first_key` to `last_key` exist; none else can be made.
  KeyObjects(Nvram& nvram, std::uint8_t last_key) : nvram_(nvram), last_key_(last_key) {}

  [[nodiscard]] bool exists(std::uint8_t reference) const;
  /// Empty: the object holds no key.
  [[nodiscard]] std::optional<PublicKey> public_key(std::uint8_t reference) const;
  /// Empty: the object holds no key, or parts that are none.
  [[nodiscard]] std::optional<RsaKey> private_key(std::uint8_t reference) const;
  /// In one write, over whatever was there. Throws NvramFailure for parts of other lengths.
  void store(std::uint8_t reference, const PublicKey& open, RsaPrimes secret);
  void clear(std::uint8_t reference);

 private:
  Nvram& nvram_;
  std::uint8_t last_key_;
};

}  // namespace kilt::sim::kzid
