// SPDX-License-Identifier: Apache-2.0
// Secure messaging of the LASER applet: Diffie-Hellman, two-key 3DES, retail MAC, send sequence
// counter [facts jacarta A10, A16 #28-#31]. Ciphers and numbers by mbedTLS.
//
// The agreement is not authenticated: it hides a new PIN from who listens at the reader, not from
// who stands in between. That is the card's protocol.
#pragma once

#include <array>
#include <cstdint>

#include "apdu/channel.hpp"
#include "apdu/result.hpp"

namespace kilt::card::laser {

/// What the card offers. Big-endian.
struct DhParameters {
  Bytes generator, modulus, card_public;
};
/// From the answer `80 g, 81 N, 82 g^y`. protocol for anything else, for a modulus outside
/// 512..2048 bits or even, and for a generator or public value outside 2..N-2.
Result<DhParameters> parse_dh_parameters(ByteView answer);

struct DhAgreement {
  Bytes public_value;  ///< g^x mod N without leading zeros, as it goes to the card
  SecretBytes shared;  ///< (g^y)^x mod N, as long as N
};
/// `exponent` is x, big-endian, at least 16 bytes of randomness.
Result<DhAgreement> agree(const DhParameters& parameters, ByteView exponent);

inline constexpr std::size_t challenge_size = 32;
struct SessionKeys {
  SecretBytes encryption, mac;  ///< 16 bytes each: two-key 3DES
};
/// Of the shared value (40 bytes or more) and the card's challenge of 32 bytes.
Result<SessionKeys> derive_keys(ByteView shared, ByteView challenge);

/// What VERIFY secure sends in place of the PIN: R and C under the first 16 bytes of SHA-1(PIN)
/// [facts jacarta A8]. Both have 8 bytes.
Result<Bytes> verify_cryptogram(ByteView pin, ByteView host_random, ByteView card_challenge);

/// The protected channel. One command at a time: each wrap() is followed by the unwrap() of its
/// answer.
class SecureChannel final : public apdu::SecureMessaging {
 public:
  /// `t0`: over T=0 a command with data carries no 97 object [facts jacarta A10].
  explicit SecureChannel(SessionKeys keys, bool t0 = false) : keys_(std::move(keys)), t0_(t0) {}

  /// bad_argument when the protected form does not fit one short APDU (239 bytes of data do).
  Result<apdu::CommandApdu> wrap(const apdu::CommandApdu& plain) override;
  /// verify_failed for a wrong MAC, protocol for any other answer that is not `[87] 99 8E` exactly,
  /// also for a bare status word (kept in the error).
  Result<apdu::ResponseApdu> unwrap(const apdu::ResponseApdu& wrapped) override;

 private:
  using Block = std::array<std::uint8_t, 8>;
  Result<Block> mac_over(const Bytes& first, ByteView second);
  Result<Bytes> decrypt(ByteView object);

  SessionKeys keys_;
  bool t0_;
  std::uint64_t counter_ = 0;
};

}  // namespace kilt::card::laser
