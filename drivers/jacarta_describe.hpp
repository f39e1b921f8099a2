// SPDX-License-Identifier: Apache-2.0
// What the files of new objects say, in the vendor's order and with its flags, and the form in
// which a private key goes to the card [facts jacarta A11, A16]. Pure functions.
#pragma once

#include <string>
#include <vector>

#include "drivers/card.hpp"
#include "drivers/certificate.hpp"
#include "drivers/jacarta_attributes.hpp"

namespace kilt::card::jacarta {

/// What the card will say of a key pair, or of a public key alone.
struct NewPair {
  std::uint16_t index = 0;
  std::string private_label, public_label;
  KeyUsage usage;
  Bytes id, subject;
  PublicKey value;
  bool local = false;
};
[[nodiscard]] std::vector<Attribute> private_attributes(const NewPair& pair);
[[nodiscard]] std::vector<Attribute> public_attributes(const NewPair& pair);
[[nodiscard]] std::vector<Attribute> certificate_attributes(const Certificate& certificate,
                                                            const std::string& label,
                                                            const Bytes& id);
[[nodiscard]] std::vector<Attribute> data_attributes(const DataRequest& request, ByteView value);

/// 62 L {90 e, 91 n, 92 d, 93 p q, 94 dP dQ qInv} [facts jacarta A16 #7]; the modulus without
/// leading zeros. unsupported for primes that are not half as long as the modulus, bad_data.
Result<SecretBytes> import_value(const RsaPrivateKey& key);

}  // namespace kilt::card::jacarta
