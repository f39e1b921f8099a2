// SPDX-License-Identifier: Apache-2.0
// Signatures over files: what a mechanism's name means, made by the card, verified by mbedTLS.
#pragma once

#include <string>
#include <vector>

#include "apdu/result.hpp"
#include "cli/report.hpp"
#include "drivers/card.hpp"
#include "drivers/rsa_padding.hpp"

namespace kilt::cli {

struct Mechanism {
  std::string name;  ///< "pkcs1-sha256"
  card::Digest digest;
  bool pss;  ///< RSASSA-PSS, MGF1 with the same digest, salt as long as the digest
};

/// All mechanisms; the first is the default.
[[nodiscard]] const std::vector<Mechanism>& mechanisms();
/// bad_argument with the list of names.
Result<Mechanism> find_mechanism(const std::string& name);

/// Whether this card can sign so with this key; unsupported says what is missing. Before a PIN is
/// asked for.
Status check_mechanism(const card::CardModel& model, const card::KeyInfo& key,
                       const Mechanism& mechanism);
/// The raw signature (as long as the modulus, big-endian) over a digest. Needs the login.
Result<Bytes> sign_digest(card::Card& card, const card::KeyInfo& key, const Mechanism& mechanism,
                          ByteView digest);
/// The same, verified with the key's public half: what was read of it before (KeyInfo::value), else
/// what the card has of it. verify_failed, and no signature, where a bit was changed on its way or
/// the key is another one. Where the card has no public half the signature goes unverified.
Result<Bytes> sign_and_verify(card::Card& card, const card::KeyInfo& key,
                              const Mechanism& mechanism, ByteView digest);
/// A failure of either, with advice for a signature that is wrong.
[[nodiscard]] Report signing_failed(Error error);
/// verify_failed; unsupported for a key that is not RSA.
Status verify_digest(const card::PublicKey& key, const Mechanism& mechanism, ByteView digest,
                     ByteView signature);

}  // namespace kilt::cli
