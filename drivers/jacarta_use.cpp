// SPDX-License-Identifier: Apache-2.0
// Using a JaCarta's keys, and its random numbers.
#include <algorithm>

#include "apdu/tlv.hpp"
#include "drivers/jacarta_card.hpp"
#include "drivers/rsa_check.hpp"
#include "drivers/rsa_padding.hpp"

namespace kilt::card::jacarta {
namespace {

/// Eight bytes at least are known to work; more is allowed [facts jacarta A4].
constexpr std::size_t random_step = 32;
constexpr std::uint32_t result_tag = 0x80;
constexpr const char* use = "using a key";

Result<std::uint16_t> index_of(const KeyInfo& key) {
  const auto& sizes = model().capabilities.front();
  // Its file is there, and no key: deleting it was cut off, and can be done again.
  const bool is_gone = key.ref.object_class == ObjectClass::private_key &&
                       id::is_private_key(key.ref.token) && key.bits == 0;
  if (is_gone) return object_gone();
  if (key.ref.object_class != ObjectClass::private_key || !id::is_private_key(key.ref.token) ||
      key.bits % 8 != 0 || key.bits < sizes.min_bits || key.bits > sizes.max_bits) {
    return Error{ErrorKind::bad_argument, "this is no private key of this card"};
  }
  return static_cast<std::uint16_t>(key.ref.token - id::private_key);
}

/// The value in the answer's 80 object, or the whole answer of a signature.
Result<Bytes> unwrapped(Bytes answer, bool in_object) {
  if (!in_object) return answer;
  apdu::BerReader reader(answer);
  auto object = reader.expect(result_tag);
  if (!object) return object.take_error().within(use);
  if (auto end = reader.finish(); !end) return end.take_error().within(use);
  return copy_of(object->value);
}

}  // namespace

/// The card describes this key in this place, by counters that were read in this transaction.
Status JacartaCard::confirm(const KeyInfo& key) {
  if (!asked_) objects_.distrust();
  if (auto status = check_objects(); !status) return status;
  follow_objects();
  return compare_id(key);
}

Status JacartaCard::compare_id(const KeyInfo& key) {
  const auto fid = static_cast<std::uint16_t>(key.ref.token);
  const auto object = objects_.find(Area::hidden, fid, {Type::id});
  if (!object) return object.error();
  if (!*object) return object_gone();
  const auto id = objects_.value(**object, Type::id);
  if (!id) return id.error();
  return *id == key.id ? Status{} : object_gone();
}

/// A KeyInfo names a place, and another program may have put another key there since: the key's
/// number is free again once it is deleted. What the card computes shows that where the public half
/// is known; then what is in memory need not be asked for again.
Status JacartaCard::check_place(const KeyInfo& key, std::uint16_t index) {
  const auto fid = static_cast<std::uint16_t>(key.ref.token);
  const bool tells = known_public_key(index) && objects_.is_checked() &&
                     objects_.remembers(Area::hidden, fid, Type::id);
  return tells ? compare_id(key) : confirm(key);
}

/// Why the result of a key that was just selected is not handed out. Nothing in memory counts any
/// more: the vendor's software lets the counters begin at 1 when it sets a card up, so they may
/// stand as they did, and the key in this place is another.
Error JacartaCard::withheld(const KeyInfo& key, std::uint16_t index,
                            const std::optional<PublicKey>& judge) {
  objects_.forget();
  if (auto there = confirm(key); !there) return there.take_error().within(use);
  const auto now = public_value(index);
  if (judge && now && *now != *judge) return object_gone().within(use);
  return {ErrorKind::verify_failed,
          "the card's result does not fit the key's public half, so it is withheld; "
          "another public key may lie beside it, or the card failed"};
}

/// `block` is what the key's power is taken of: the result is judged by it.
Result<Bytes> JacartaCard::compute(const KeyInfo& key, const Command& command, ByteView block) {
  auto index = index_of(key);
  if (!index) return index.take_error();
  const bool in_object = command.apdu.p1() == 0x80;
  const bool is_again = files_.was_selected(key_object(*index));
  if (auto there = check_place(key, *index); !there) return there.take_error().within(use);
  // The current key object is the key [facts jacarta A4]. Between two operations another program
  // may have selected another, and the card would compute with that without a word. So a result
  // that relies on the past is checked with the public key; where that is not known it is read
  // once, or the key is selected anew. That the card had one key when we looked says nothing: the
  // other program may have made a second.
  if (is_again && !known_public_key(*index)) (void)public_value(*index).ok();
  bool relies_on_past =
      known_public_key(*index) != nullptr && files_.was_selected(key_object(*index));
  for (;;) {
    if (!relies_on_past) {
      if (const auto selected = select_key(*index); !selected)
        return selected.error().within("choosing the key");
    }
    const auto answer =
        files_.send({command.apdu.clone(), command.evidence, command.operation, command.source});
    if (!answer) return answer.error().within(use);
    if (answer->ok()) {
      auto result = unwrapped(answer->data, in_object);
      if (!result) return result;
      const auto* known = key.judge(known_public_key(*index));
      const bool fits =
          result->size() * 8 == key.bits && (!known || is_private_power(*known, block, *result));
      if (fits) return result;
      if (!relies_on_past) {
        return withheld(key, *index, known ? std::optional<PublicKey>(*known) : std::nullopt);
      }
    } else if (!relies_on_past) {
      auto status = check(answer, use);
      if (status.error().kind == ErrorKind::not_logged_in) pins_.forget();
      return status.take_error();
    }
    relies_on_past = false;
    files_.forget();
    files_.begin();
  }
}

Result<Bytes> JacartaCard::sign(const KeyInfo& key, Scheme scheme, ByteView input) {
  begin();
  if (auto index = index_of(key); !index) return index.take_error();
  const std::size_t size = key.bits / 8;
  if (scheme == Scheme::rsa_raw) {
    if (auto status = check_block(input, size); !status) return status.take_error();
    return compute(key, command::raw(input), input);
  }
  if (scheme != Scheme::rsa_pkcs1) return no_scheme();
  // The card pads; this is what it should make of it.
  auto block = pkcs1_type1_pad(input, size);
  if (!block) return block;
  return compute(key, command::sign(input), *block);
}

/// The card takes the padding off. What is left tells nothing of the key that made it, so whether
/// it is the one is asked in any case, and it is selected.
Result<Bytes> JacartaCard::decipher(const KeyInfo& key, ByteView input) {
  auto index = index_of(key);
  if (!index) return index.take_error();
  auto there = confirm(key);
  if (there && key.value) {
    const auto now = public_value(*index);
    if (now && *now != *key.value) there = object_gone();
  }
  if (!there) return there.take_error().within("decrypting");
  if (const auto selected = select_key(*index); !selected)
    return selected.error().within("choosing the key");
  const auto answer = files_.send(command::decipher(input));
  if (!answer) return answer.error().within("decrypting");
  if (answer->status == apdu::sw::wrong_data) {
    return Error{ErrorKind::bad_data, "the cryptogram is not for this key, or is damaged",
                 answer->status.value};
  }
  if (auto status = check(answer, "decrypting"); !status) {
    if (status.error().kind == ErrorKind::not_logged_in) pins_.forget();
    return status.take_error();
  }
  auto plain = unwrapped(answer->data, true);
  if (plain && plain->size() >= input.size())
    return Error{ErrorKind::protocol, "the card's plain text has an impossible length"};
  return plain;
}

Result<Bytes> JacartaCard::decrypt(const KeyInfo& key, Scheme scheme, ByteView input) {
  begin();
  if (auto index = index_of(key); !index) return index.take_error();
  if (scheme != Scheme::rsa_raw && scheme != Scheme::rsa_pkcs1) return no_scheme();
  if (auto status = check_block(input, key.bits / 8); !status) return status.take_error();
  // One and the same power, and judged like a signature.
  if (scheme == Scheme::rsa_raw) return compute(key, command::raw(input), input);
  return decipher(key, input);
}

Result<Bytes> JacartaCard::random(std::size_t count) {
  begin();
  return gather_random(*link_, count, random_step, command::challenge);
}

}  // namespace kilt::card::jacarta
