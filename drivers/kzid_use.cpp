// SPDX-License-Identifier: Apache-2.0
// Who is logged in to an ID card, and using its keys and its random numbers.
#include <algorithm>

#include "drivers/kzid_card.hpp"

namespace kilt::card::kzid {

/// What tells this card from others; nothing where it cannot be asked. A card without keys and
/// serial shares it with its like, so what was noted of one of them is never taken back by the
/// right PIN of another, nor by its higher counter: at worst a last try is guarded that is none.
std::optional<std::string> KzidCard::mark() {
  const auto number = serial();
  if (!number) return std::nullopt;
  if (has_number_) return *number;
  // Another program may have made or deleted a key since the serial number was made of one.
  begin();
  const auto hash = first_key_hash();
  if (!hash) return std::nullopt;
  return hash->value_or(no_serial);
}

Result<PinInfo> KzidCard::pin_status(Role role) {
  auto info = pins_.status(role);
  if (!info || info->logged_in || pins_.tells(role)) return info;
  if (auto kept = tries_.can_keep(); !kept) info->unwatched = kept.error().message();
  // A note that cannot be kept right is none.
  if (!info->unwatched.empty() || tries_.is_empty()) return info;
  if (const auto card = mark()) info->tries_left = tries_.recall(*card, role);
  return info;
}

/// Keeps what the card said of a PIN that was sent. Where the card tells its counter, a number is
/// not begun, only kept right.
Status KzidCard::noted(Role role, Status outcome) {
  const bool is_empty = tries_.is_empty();
  if (outcome) keys_.forget_unknown();
  const bool is_settled = outcome || outcome.error().kind == ErrorKind::pin_blocked;
  const auto tries = is_settled ? std::nullopt : outcome.error().tries_left;
  if (is_settled && !is_empty) {
    if (const auto card = mark(); card && *card != no_serial) tries_.forget(*card, role);
  } else if (tries && !(is_empty && pins_.tells(role))) {
    if (const auto card = mark()) {
      const int before = *card == no_serial ? tries_.recall(*card, role).value_or(*tries) : *tries;
      tries_.keep(*card, role, std::min(*tries, before));
    }
  }
  return outcome;
}

Status KzidCard::login(Role role, const SecretBytes& pin) {
  if (auto may_be = Pins::check(role, pin); !may_be) return may_be;
  if (auto left = end_login_of_other(role); !left) return left;
  return noted(role, pins_.login(role, pin));
}

Status KzidCard::login_from_pad(Role role) {
  if (auto left = end_login_of_other(role); !left) return left;
  return noted(role, pins_.login_from_pad(role));
}

Status KzidCard::end_login_of_other(Role role) {
  return pins_.role() && pins_.role() != role ? logout() : Status{};
}

Status KzidCard::logout() {
  if (!pins_.may_be_open()) return {};
  if (auto done = link_->transport().reset(); !done) {
    place_.forget();
    keys_.forget_state();
    pins_.lost();  // the card may be open still: the next logout tries again
    return done.take_error().within("logging out by a reset of the card");
  }
  forget_state();
  return {};
}

Status KzidCard::change_pin(Role role, const SecretBytes& old_pin, const SecretBytes& new_pin) {
  return noted(role, pins_.change(role, old_pin, new_pin));
}

Status KzidCard::set_user_pin(const SecretBytes& new_pin) {
  auto done = pins_.reset_user(new_pin);
  if (!done) return done;
  return noted(Role::user, std::move(done));
}

/// not_found unless the key's place is that of the key which was listed, by what the card says now:
/// the id in its directory, or where no directory names it the one made of its modulus. Asks only
/// for what was forgotten, as after another program's reset. So it is not seen when a program that
/// never resets the card makes another pair in the place after the key was listed and before the
/// first signature with it, or gives another pair the old id: to look into the key object for that
/// would make each first signature dearer by three exchanges. Where no directory may be read, as on
/// a real card without leave, the modulus is known and every signature is checked with it.
Status KzidCard::confirm_described(const KeyInfo& key) {
  const auto number = static_cast<std::uint8_t>(key.ref.token);
  auto named = described_keys();
  if (!named) return named.take_error();
  if (const auto entry = named->find(number); entry != named->end())
    return entry->second.id == key.id ? Status{} : object_gone();
  auto all = described();
  if (!all) return all.take_error();
  auto value = key_value(number);
  if (!value) return value.take_error();
  const auto half = all->public_keys.find(number);
  const bool has_id = half != all->public_keys.end() && !half->second.id.empty();
  const bool is_same = key.id == (has_id ? half->second.id : default_key_id(*value));
  return is_same ? Status{} : object_gone();
}

Result<Bytes> KzidCard::sign(const KeyInfo& key, Scheme scheme, ByteView input) {
  if (key.ref.object_class != ObjectClass::private_key || key.ref.token < key::first ||
      key.ref.token > key::last) {
    return Error{ErrorKind::bad_argument, "this is no private key of this card"};
  }
  if (scheme != Scheme::rsa_pkcs1) {
    return Error{ErrorKind::unsupported,
                 "the ID card pads by itself: it makes RSA signatures of PKCS #1 v1.5 only"};
  }
  const auto longest = key::longest_input(key.bits / 8);
  if (input.empty() || input.size() > longest) {
    return Error{ErrorKind::bad_argument, "the input has " + std::to_string(input.size()) +
                                              " bytes, the card takes 1 to " +
                                              std::to_string(longest)};
  }
  begin();
  const auto number = static_cast<std::uint8_t>(key.ref.token);
  // Between two operations another program may have set another key, and the card would compute
  // with that without a word. So what relies on the past is checked with the public key; that is
  // read once for it, of a key that was found to be this one still. That the directory named one
  // key when we looked says nothing: the other program may have made a second.
  const bool is_used_again = !used_.insert(number).second || keys_.is_set(number);
  const bool learns = keys_.known(number) == nullptr && !key.value && is_used_again;
  if (learns) directories_.forget();
  if (auto status = confirm_described(key); !status) return status.take_error().within("signing");
  const KeyObject* object = keys_.known(number);
  if (object == nullptr && learns) {
    if (auto looked = keys_.look(number); !looked) return looked.take_error().within("signing");
    object = keys_.known(number);
  }
  const bool is_known = object != nullptr && object->state == KeyObject::State::full;
  const auto* expected = key.judge(is_known ? &object->key : nullptr);
  // What cannot be checked relies on nothing that was set earlier.
  if (expected == nullptr) keys_.forget_state();
  auto signature = keys_.sign(number, input, expected);
  if (!signature && signature.error().kind == ErrorKind::not_logged_in) pins_.lost();
  return signature;
}

Result<Bytes> KzidCard::decrypt(const KeyInfo&, Scheme, ByteView) {
  return Error{ErrorKind::unsupported, "nobody public says how an ID card decrypts"};
}

Result<Bytes> KzidCard::random(std::size_t count) {
  Bytes bytes;
  while (bytes.size() < count) {
    const auto answer = place_.send(command::random());
    if (auto status = check(answer, "getting random bytes"); !status) return status.take_error();
    if (answer->data.size() != command::random_step) {
      return Error{ErrorKind::protocol,
                   "the card sent another number of random bytes than asked for"};
    }
    append(bytes,
           ByteView(answer->data).first(std::min(answer->data.size(), count - bytes.size())));
  }
  return bytes;
}

Status KzidCard::initialise(const std::string&, const SecretBytes&) {
  return Error{ErrorKind::unsupported, "an ID card is set up by the service centre alone"};
}

}  // namespace kilt::card::kzid
