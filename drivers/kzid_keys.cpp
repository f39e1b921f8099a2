// SPDX-License-Identifier: Apache-2.0
#include "drivers/kzid_keys.hpp"

#include "apdu/tlv.hpp"
#include "drivers/rsa_check.hpp"
#include "drivers/rsa_padding.hpp"

namespace kilt::card::kzid {
namespace {

constexpr apdu::StatusWord conditions_not_satisfied{0x6985};
/// What GENERATE answers where there is no such object [facts kzid B2].
constexpr apdu::StatusWord no_object{0x6900};

std::string name_of(std::uint8_t number) {
  return "key object " + to_hex(Bytes{number}).substr(1);
}

Error no_key(std::uint8_t number, apdu::StatusWord status) {
  return {ErrorKind::not_found, name_of(number) + " of the card holds no key", status.value};
}

/// An answer in the form of a status word [7816-4 §5.6].
bool is_status_word(apdu::StatusWord status) {
  const int first = status.value >> 12;
  return first == 0x6 || first == 0x9;
}

ByteView without_zeros(ByteView number) {
  while (!number.empty() && number.front() == 0)
    number = number.subspan(1);
  return number;
}

}  // namespace

Error no_answer(std::uint8_t number, const KeyObject& object) {
  return status_error(object.answer, "reading " + name_of(number));
}

Result<PublicKey> parse_key_object(std::uint8_t number, ByteView answer) {
  const auto parse = [&]() -> Result<PublicKey> {
    apdu::BerReader outer(answer);
    auto object = outer.enter(0xFFA000U | number);
    if (!object) return object.take_error();
    if (auto status = outer.finish(); !status) return status.take_error();
    auto inside = object->enter(0x7F49);
    if (!inside) return inside.take_error();
    object->skip_rest();
    auto modulus = inside->expect(0x81);
    if (!modulus) return modulus.take_error();
    auto exponent = inside->optional(0x82);
    if (!exponent) return exponent.take_error();
    inside->skip_rest();
    PublicKey key;
    key.modulus = copy_of(without_zeros(modulus->value));
    // Only the modulus is asked for; every pair that was seen has this exponent [facts kzid B2].
    key.exponent = {0x01, 0x00, 0x01};
    if (*exponent) key.exponent = copy_of(without_zeros((*exponent)->value));
    return key;
  };
  auto key = parse();
  if (!key) return key.take_error().within("reading " + name_of(number));
  const auto bits = key->bits();
  if (bits < 1024 || bits > 4096 || bits % 8 != 0 || (key->modulus.back() & 1) == 0 ||
      key->exponent.empty()) {
    return Error{ErrorKind::protocol, name_of(number) + " holds what is no RSA key"};
  }
  return key;
}

Result<KeyObject> Keys::look(std::uint8_t number) {
  if (const auto* found = known(number)) return *found;
  // A card has the objects 7 and 8, or all four [facts kzid B2]: without the third there is no
  // fourth, and nobody pays for asking.
  const auto* third = known(key::last - 1);
  if (number == key::last && third != nullptr && third->state == KeyObject::State::absent)
    return *third;
  const auto answer = place_.ask(command::read_public_key(number));
  if (!answer) return answer.error().within("reading " + name_of(number));
  KeyObject object;
  if (answer->status == apdu::sw::file_not_found) {
    object.state = KeyObject::State::absent;
  } else if (answer->status == apdu::sw::reference_not_found) {
    object.state = KeyObject::State::empty;  // assumed: nobody saw an empty one
  } else if (!answer->ok() && is_status_word(answer->status)) {
    // What an empty object answers is inferred [facts kzid B5]. One such answer must neither hide
    // the card's other keys nor offer the object to a new pair.
    object.state = KeyObject::State::unknown;
    object.answer = answer->status;
  } else {
    if (auto status = check(answer, "reading a public key"); !status) return status.take_error();
    auto key = parse_key_object(number, answer->data);
    if (!key) return key.take_error();
    object = {KeyObject::State::full, std::move(*key), {}};
  }
  objects_[number] = object;
  return object;
}

const KeyObject* Keys::known(std::uint8_t number) const {
  const auto found = objects_.find(number);
  return found == objects_.end() ? nullptr : &found->second;
}

void Keys::forget_unknown() {
  std::erase_if(objects_,
                [](const auto& one) { return one.second.state == KeyObject::State::unknown; });
}

/// By the card's other witness, its signature: over a digest that no text is known to have.
Status Keys::confirm_empty(std::uint8_t number) {
  const std::string what = "making sure that " + name_of(number) + " is empty";
  const auto input = digest_info(Digest::sha1, Bytes(digest_size(Digest::sha1)));
  set_.reset();
  if (auto entered = place_.enter_surely(); !entered) return entered.take_error().within(what);
  const auto set = place_.send(command::set_environment(number));
  if (auto status = check(set, what.c_str()); !status) return status;
  const auto answer = place_.send(command::sign(input));
  if (answer && is_absent(answer->status)) return {};
  objects_.erase(number);
  // That an empty object answers so is inferred. A key for another use may answer the same.
  if (answer && answer->status == conditions_not_satisfied)
    return place_.allows(command::generate_unsurely(number));
  if (auto status = check(answer, what.c_str()); !status) return status;
  return Error{ErrorKind::protocol, name_of(number) +
                                        " signs, although the card called it empty; a new pair "
                                        "would destroy its key, so none was made; try again"};
}

Status Keys::generate(std::uint8_t number) {
  objects_.erase(number);
  const auto answer = place_.ask(command::generate(number));
  if (answer && answer->status == no_object) {
    return Error{ErrorKind::not_found, "the card has no " + name_of(number), no_object.value};
  }
  return check(answer, "generating a key pair");
}

Status Keys::free(std::uint8_t number) {
  objects_.erase(number);
  if (set_ == number) set_.reset();
  const auto answer = place_.ask(command::free_object(number));
  if (answer && is_absent(answer->status)) return {};
  return check(answer, "deleting a key");
}

bool Keys::is_set(std::uint8_t number) const {
  return set_ == number && set_at_ == place_.selections();
}

/// Size 0: whatever the card answers.
Result<Bytes> Keys::compute(std::uint8_t number, ByteView input, std::size_t size) {
  if (!is_set(number)) {
    set_.reset();
    if (auto entered = place_.enter(); !entered) return entered.take_error();
    const auto set = place_.send(command::set_environment(number));
    if (auto status = check(set, "choosing the key"); !status) return status.take_error();
    set_ = number;
    set_at_ = place_.selections();
  }
  const auto answer = place_.send(command::sign(input));
  if (!answer) return answer.error().within("signing");
  // The card takes the number of a key that is not there, and says so here [facts kzid B2].
  if (is_absent(answer->status) || answer->status == conditions_not_satisfied)
    return no_key(number, answer->status);
  if (auto status = check(answer, "signing"); !status) return status.take_error();
  if (size != 0 && answer->data.size() != size) {
    return Error{ErrorKind::protocol, "the card's signature has " +
                                          std::to_string(answer->data.size()) + " bytes, not " +
                                          std::to_string(size)};
  }
  return answer->data;
}

Result<Bytes> Keys::sign(std::uint8_t number, ByteView input, const PublicKey* key) {
  const std::size_t size = key != nullptr ? key->modulus.size() : key::bits / 8;
  auto block = pkcs1_type1_pad(input, size);
  if (!block) return block;
  for (bool from_the_start = false;; from_the_start = true) {
    // MSE is answered 9000 in any directory, so it proves nothing; these two selections do.
    if (from_the_start) {
      set_.reset();
      place_.begin();
      if (auto entered = place_.enter_surely(); !entered) return entered.take_error();
    }
    auto result = compute(number, input, size);
    const bool found = result || result.error().kind != ErrorKind::not_found;
    if (!result) {
      if (from_the_start || found) return result;
      continue;
    }
    if (key == nullptr || is_private_power(*key, *block, *result)) return result;
    if (from_the_start) {
      objects_.erase(number);  // another program may have made a new pair there
      return Error{ErrorKind::verify_failed,
                   "the card's signature does not fit the key's public half, so it is withheld: "
                   "the pair was made anew meanwhile, or the card failed; look at the card again"};
    }
  }
}

}  // namespace kilt::card::kzid
