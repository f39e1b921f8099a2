// SPDX-License-Identifier: Apache-2.0
// Using a Kaztoken's keys, and its random numbers.
#include <algorithm>

#include "drivers/kaztoken_card.hpp"
#include "drivers/rsa_check.hpp"
#include "drivers/rsa_padding.hpp"

namespace kilt::card::kaztoken {
namespace {

/// GET CHALLENGE of 8 and 32 bytes was seen; more is not known [facts kaztoken §4.6].
constexpr std::size_t random_step = 32;

}  // namespace

const PublicKey* KaztokenCard::known_public_key(const KeyInfo& key) {
  // Only from memory: a signature pays for no reading.
  if (!application_.is_read(Kind::public_keys) || !application_.is_read(Kind::private_keys)) {
    return nullptr;
  }
  const auto all = public_keys();
  if (!all) return nullptr;
  const auto* half = public_half(*all, key.ref.token, key.id, key.bits);
  if (!half) return nullptr;
  const auto known = public_values_.find(half->path);
  return known == public_values_.end() ? nullptr : &known->second;
}

/// A KeyInfo names a place. Nothing in a result shows that another key has it by now, unless the
/// public half is known.
Status KaztokenCard::confirm(const KeyInfo& key) {
  if (auto status = application_.reread(Kind::private_keys); !status) return status;
  const auto keys = private_keys();
  if (!keys) return keys.error();
  const auto same = std::any_of(keys->begin(), keys->end(), [&](const ListedKey& own) {
    return own.token == key.ref.token && own.entry.id == key.id && own.entry.bits == key.bits;
  });
  if (same) return {};
  forget_objects();
  return object_gone();
}

Result<Bytes> KaztokenCard::compute(const KeyInfo& key, Purpose purpose, ByteView block) {
  const auto reference = static_cast<std::uint8_t>(key.ref.token);
  // Between two operations another program may have set another key, and the card would compute
  // with that without a word. So a result that relies on the past is checked with the public key;
  // where that is not known it is read once, or the key is set again. That the card had one key
  // when we looked says nothing: the other program may have made a second.
  bool relies_on_past = keys_.relies_on_past(reference, purpose);
  if (!known_public_key(key)) {
    files_.begin();
    if (auto same = confirm(key); !same) return same.take_error().within("using a key");
  }
  // Whoever uses a key twice will use it often.
  const bool is_used_again = !used_.insert(reference).second;
  if ((relies_on_past || is_used_again) && !known_public_key(key)) {
    if (!read_public_key(key.ref)) keys_.forget();
    relies_on_past = keys_.relies_on_past(reference, purpose);
  }
  for (;;) {
    auto result = keys_.compute(reference, purpose, block);
    if (!result) {
      if (result.error().kind == ErrorKind::not_logged_in) pins_.forget();
      return result;
    }
    const auto* known = key.judge(known_public_key(key));
    if (!known || is_private_power(*known, block, *result)) return result;
    if (!relies_on_past) {
      if (auto same = confirm(key); !same) return same.take_error().within("using a key");
      return Error{ErrorKind::verify_failed,
                   "the card's result does not fit the key's public half, so it is withheld; the "
                   "directory may name the wrong public key, or the card failed"};
    }
    relies_on_past = false;
    keys_.forget();
  }
}

namespace {

Status check_key(const KeyInfo& key) {
  if (key.type != KeyType::rsa) {
    return Error{ErrorKind::unsupported, "GOST keys of this card are listed but not used"};
  }
  if (key.ref.object_class != ObjectClass::private_key || key.ref.token == 0 ||
      key.ref.token > 0xFF || key.bits < 512 || key.bits > 4096 || key.bits % 16 != 0) {
    return Error{ErrorKind::bad_argument, "this is no private key of this card"};
  }
  return {};
}

}  // namespace

Result<Bytes> KaztokenCard::sign(const KeyInfo& key, Scheme scheme, ByteView input) {
  begin();
  if (auto status = check_key(key); !status) return status.take_error();
  const std::size_t size = key.bits / 8;
  if (scheme == Scheme::rsa_raw) {
    if (auto status = check_block(input, size); !status) return status.take_error();
    return compute(key, Purpose::sign, input);
  }
  if (scheme != Scheme::rsa_pkcs1) return no_scheme();
  auto block = pkcs1_type1_pad(input, size);
  if (!block) return block;
  return compute(key, Purpose::sign, *block);
}

Result<Bytes> KaztokenCard::decrypt(const KeyInfo& key, Scheme scheme, ByteView input) {
  begin();
  if (auto status = check_key(key); !status) return status.take_error();
  if (scheme != Scheme::rsa_raw && scheme != Scheme::rsa_pkcs1) return no_scheme();
  if (auto status = check_block(input, key.bits / 8); !status) return status.take_error();
  auto block = compute(key, Purpose::decipher, input);
  if (!block || scheme == Scheme::rsa_raw) return block;
  auto plain = pkcs1_type2_unpad(*block);
  wipe(*block);
  return plain;
}

Result<Bytes> KaztokenCard::random(std::size_t count) {
  return gather_random(*link_, count, random_step, command::random);
}

}  // namespace kilt::card::kaztoken
