// SPDX-License-Identifier: Apache-2.0
// The chip's arithmetic unit and its random generator: mbedTLS for RSA, nettle for GOST. Nothing
// here knows a card; all numbers are big-endian unless a name says otherwise.
#pragma once

#include <cstdint>
#include <memory>

#include "apdu/bytes.hpp"
#include "apdu/result.hpp"

namespace kilt::sim {

/// HMAC-DRBG with SHA-256 [SP 800-90A]. Given a seed it is reproducible; otherwise it is seeded
/// by the system.
class Random {
 public:
  /// `seed` 0: from the system. `start` makes the stream of a later run differ from this one's.
  Random(std::uint64_t seed, std::uint32_t start);
  ~Random();
  Random(const Random&) = delete;
  Random& operator=(const Random&) = delete;

  void fill(std::span<std::uint8_t> out);
  [[nodiscard]] Bytes bytes(std::size_t count);
  /// In the shapes that mbedTLS and nettle take; `self` is a Random. No exception runs through C.
  static int for_mbedtls(void* self, unsigned char* out, std::size_t count) noexcept;
  static void for_nettle(void* self, std::size_t count, std::uint8_t* out) noexcept;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// The parts of an RSA private key in the Chinese-remainder form, each of half the modulus' length.
struct RsaPrimes {
  Bytes p, q, qinv, dp, dq;
};

class RsaKey {
 public:
  /// Public exponent 65537.
  static Result<RsaKey> generate(Random& random, unsigned bits);
  /// bad_data when the parts do not belong together.
  static Result<RsaKey> from_primes(const RsaPrimes& primes);
  RsaKey(RsaKey&&) noexcept;
  RsaKey& operator=(RsaKey&&) noexcept;
  ~RsaKey();

  [[nodiscard]] std::size_t size() const;  ///< of the modulus, bytes
  [[nodiscard]] Bytes modulus() const;
  [[nodiscard]] Bytes public_exponent() const;  ///< without leading zeros
  [[nodiscard]] RsaPrimes primes() const;
  /// Whether `d`, below the modulus, undoes the public exponent.
  [[nodiscard]] bool has_private_exponent(ByteView d) const;
  /// input^d mod n, no padding looked at. `input` has size() bytes; bad_argument when it is not
  /// below the modulus.
  [[nodiscard]] Result<Bytes> private_operation(ByteView input, Random& random) const;

 private:
  struct State;
  explicit RsaKey(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

/// A key pair on the curve of CryptoPro parameter set A (gc256b) for GOST R 34.10-2001, which is
/// GOST 34.310-2004 in Kazakhstan. All numbers 32 bytes.
struct GostKey {
  Bytes d;
  Bytes x, y;
};

[[nodiscard]] GostKey gost_generate(Random& random);
/// bad_data when d is not between 1 and the group order.
[[nodiscard]] Result<GostKey> gost_from_private(ByteView d);
struct GostSignature {
  Bytes r, s;
};
/// `digest_le`: 32 bytes, a little-endian number as GOST R 34.10 takes it from its hash.
[[nodiscard]] Result<GostSignature> gost_sign(ByteView d, ByteView digest_le, Random& random);
[[nodiscard]] bool gost_verify(ByteView x, ByteView y, ByteView digest_le,
                               const GostSignature& signature);

}  // namespace kilt::sim
