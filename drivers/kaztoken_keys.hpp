// SPDX-License-Identifier: Apache-2.0
// Kaztoken's keys in the chip: internal files under 6001 (public) and 6002 (private), named by one
// byte, and the computations with them.
#pragma once

#include <optional>
#include <vector>

#include "drivers/kaztoken.hpp"

namespace kilt::card::kaztoken {

/// A private key found in the chip itself.
struct RawKey {
  std::uint8_t reference = 0;
  KeyType type = KeyType::rsa;
  std::size_t bits = 0;
};

class Keys {
 public:
  Keys(Link& link, IsoFiles& files) : link_(link), files_(files) {}

  /// Lists the internal files of 6002, whoever made them. Empty where there is no such directory.
  Result<std::vector<RawKey>> scan();

  /// Creates both halves of an empty RSA key under the first reference from 1 that neither `used`
  /// nor the card has. On failure nothing is left.
  Result<std::uint8_t> create_pair(std::size_t bits, const std::vector<std::uint32_t>& used);
  /// Deletes both halves, public first [facts kaztoken §10.1 #17]; halves that are not there are no
  /// error.
  Status remove_pair(std::uint8_t reference);
  /// Fills an empty pair. The modulus, big-endian.
  Result<Bytes> generate(std::uint8_t reference, std::size_t bits);
  Status load(std::uint8_t reference, const RsaPrivateKey& key);

  /// The bare RSA power of a big-endian block of modulus length. Selects and sets the key only if
  /// that was not done last, also in an earlier operation.
  Result<Bytes> compute(std::uint8_t reference, Purpose purpose, ByteView block);
  /// Whether compute() would rely on what an earlier operation set.
  [[nodiscard]] bool relies_on_past(std::uint8_t reference, Purpose purpose) const;
  void forget() { environment_.reset(); }

 private:
  struct Environment {
    std::uint8_t reference;
    Purpose purpose;
    bool operator==(const Environment&) const = default;
  };
  Status prepare(std::uint8_t reference, Purpose purpose);
  [[nodiscard]] bool is_prepared(std::uint8_t reference, Purpose purpose) const;

  Link& link_;
  IsoFiles& files_;
  std::optional<Environment> environment_;
};

}  // namespace kilt::card::kaztoken
