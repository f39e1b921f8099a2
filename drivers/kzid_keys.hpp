// SPDX-License-Identifier: Apache-2.0
// The key objects of an ID card: what is in them, and computing with one.
#pragma once

#include <map>

#include "drivers/kzid_place.hpp"

namespace kilt::card::kzid {

struct KeyObject {
  /// absent: the card has no object of this number; empty: it has no key in it; unknown: the card
  /// answered by another status word, so it may hold one.
  enum class State { absent, empty, full, unknown } state = State::absent;
  PublicKey key{};
  apdu::StatusWord answer{};  ///< of an unknown one
};

class Keys {
 public:
  explicit Keys(Place& place) : place_(place) {}

  /// Asks for the public key of an object, once until forget_objects().
  Result<KeyObject> look(std::uint8_t number);
  /// What look() found; null when it did not yet.
  [[nodiscard]] const KeyObject* known(std::uint8_t number) const;

  /// Makes sure that an object which look() found empty computes nothing, either. protocol when it
  /// does; another error when the card's refusal is not that of an object without a key. Needs the
  /// user's login.
  Status confirm_empty(std::uint8_t number);
  /// Makes a pair in an object that is empty. Another one's pair would be lost: the caller looks
  /// first, in the same transaction. A minute and more.
  Status generate(std::uint8_t number);
  /// Empties an object. Success also when it was empty.
  Status free(std::uint8_t number);

  /// EMSA-PKCS1-v1_5 signature of `input`. The result relies on what was selected and set earlier
  /// (by us); it is checked with `key` if there is one, and made again from the start when it does
  /// not fit or the card finds no key. verify_failed when it does not fit then, either.
  Result<Bytes> sign(std::uint8_t number, ByteView input, const PublicKey* key);
  /// This key is the one that was set last, as far as we know.
  [[nodiscard]] bool is_set(std::uint8_t number) const;

  void forget_state() { set_.reset(); }
  void forget_objects() { objects_.clear(); }
  /// A login may open what the card did not show before it.
  void forget_unknown();

 private:
  Result<Bytes> compute(std::uint8_t number, ByteView input, std::size_t size);

  Place& place_;
  std::map<std::uint8_t, KeyObject> objects_;
  std::optional<std::uint8_t> set_;
  std::uint64_t set_at_ = 0;  ///< Place::selections() at that time
};

/// Why nothing can be said of an object that is unknown: the card's answer.
[[nodiscard]] Error no_answer(std::uint8_t number, const KeyObject& object);

/// The answer to GET DATA for a public key: FF A0 number { 7F49 { 81 modulus [82 exponent] } }.
/// protocol for what is no RSA key of 1024 to 4096 bits.
Result<PublicKey> parse_key_object(std::uint8_t number, ByteView answer);

}  // namespace kilt::card::kzid
