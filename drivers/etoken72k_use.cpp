// SPDX-License-Identifier: Apache-2.0
// Using the keys of a token with Aladdin's applet, and its random numbers.
#include <algorithm>

#include "apdu/tlv.hpp"
#include "drivers/bignum.hpp"
#include "drivers/etoken72k_card.hpp"
#include "drivers/rsa_check.hpp"
#include "drivers/rsa_padding.hpp"

namespace kilt::card::etoken {
namespace {

/// What a chip answers that uses its keys under secure messaging only: eToken 5110 SC, of the same
/// ATR family, whose channel nobody public knows [facts etoken §0].
bool wants_secure_messaging(std::uint16_t status) {
  switch (status) {
    case 0x6882:  // secure messaging not supported here
    case 0x6982:
    case 0x6985:
    case 0x6987:  // its data objects are missing
    case 0x6988:  // or wrong
      return true;
    default:
      return false;
  }
}

Error cannot_sign(std::uint16_t status) {
  return {ErrorKind::unsupported,
          "this token can be read, but cannot sign or decrypt with kilt: it refuses its key right "
          "after a good login, so it is of the kind (eToken 5110 SC) that wants a secure channel "
          "which is not public",
          status};
}

Status check_key(const KeyInfo& key) {
  if (key.type == KeyType::rsa && key.ref.object_class == ObjectClass::private_key &&
      key.ref.token <= 0xFFFF &&
      kind_of(static_cast<std::uint16_t>(key.ref.token)) == file::key_pair && key.bits >= 512 &&
      key.bits <= 4096 && key.bits % 8 == 0) {
    return {};
  }
  return Error{ErrorKind::bad_argument, "this is no private key of this card"};
}

}  // namespace

Status EtokenCard::check_reader(const apdu::CommandApdu& command) const {
  if (!command.needs_extended()) return {};
  const auto& transport = link_->transport();
  const auto limits = transport.limits();
  const bool is_t1 = transport.protocol() == apdu::Protocol::t1;
  if (is_t1 &&
      (limits.silent || (limits.extended && command.encoded_size() <= limits.max_command))) {
    return {};
  }
  return Error{ErrorKind::unsupported,
               "a key of this size needs an extended APDU of " +
                   std::to_string(command.encoded_size()) + " bytes, and the reader " +
                   transport.reader() +
                   (is_t1 ? " says that it passes only " + std::to_string(limits.max_command)
                          : std::string(" speaks T=0, which has none")) +
                   "; put the token into another reader"};
}

/// With the key's directory selected.
Result<Bytes> EtokenCard::compute_once(std::uint16_t id, ByteView block, bool decrypts) {
  const auto command = command::compute(block, decrypts);
  auto answer = files_.send(command);
  if (!answer) {
    if (command.apdu.needs_extended() && link_->transport().limits().silent &&
        answer.error().kind == ErrorKind::transport) {
      return answer.error().within(
          "the reader does not say how long an APDU may be, and failed on an extended one");
    }
    return answer.take_error();
  }
  if (!answer->ok()) {
    if (!files_.was_selected(object_directory(id))) files_.forget();
    return status_error(answer->status, "computing with the private key");
  }
  ByteView rest = answer->data;
  const auto result = apdu::read_simple_tlv(rest);
  if (!result || result->tag != 0x10 || !rest.empty() || result->value.size() != block.size()) {
    return Error{ErrorKind::protocol, "the card's result has another form than a block of the key"};
  }
  Bytes out = copy_of(result->value);
  wipe(answer->data);
  return out;
}

/// not_found when another key has the place of this one by now. What was remembered of a key of
/// ours counts only where nobody could have put another one there since, or where the public half
/// is known, by which the result will be checked. Of the vendor's keys the description is all there
/// is: made up of a certificate, which costs too much to be read each time.
Status EtokenCard::confirm_place(const KeyInfo& key) {
  const auto id = static_cast<std::uint16_t>(key.ref.token);
  const auto known = objects_.find(id);
  if (known != objects_.end() && !known->second.is_foreign && !is_fresh() &&
      !public_values_.contains(id)) {
    objects_.erase(known);
  }
  const auto found = object(id);
  if (!found) return found.error().within("looking for the private key");
  if (!*found) return object_gone();
  const auto& now = (*found)->attributes;
  // A key of the vendor's that was listed before anything spoke for it had its number for an id.
  const bool had_no_id = (*found)->is_foreign && key.id == Bytes{static_cast<std::uint8_t>(id)};
  if (now.id != key.id && !had_no_id) return object_gone();
  return now.bits == 0 || now.bits == key.bits ? Status{} : object_gone();
}

/// What a certificate that was read says of the key with its id.
std::optional<PublicKey> EtokenCard::certified_key(const KeyInfo& key) const {
  for (const auto& [id, der] : bodies_) {
    const auto described = objects_.find(id);
    if (kind_of(id) != file::certificate || described == objects_.end() ||
        described->second.attributes.id != key.id) {
      continue;
    }
    auto certificate = Certificate::parse(der);
    if (certificate && certificate->key && certificate->key->type == KeyType::rsa &&
        certificate->key->bits() == key.bits) {
      return std::move(certificate->key);
    }
  }
  return std::nullopt;
}

/// A result that fits the certificate is the key's, whoever else was at the card: nothing has to be
/// asked first. One that does not proves nothing, for others may have put a certificate beside
/// another key.
Result<Bytes> EtokenCard::compute(const KeyInfo& key, ByteView block, bool decrypts) {
  const auto id = static_cast<std::uint16_t>(key.ref.token);
  auto certified = public_values_.contains(id) ? std::optional<PublicKey>{} : certified_key(key);
  if (certified) {
    public_values_[id] = *std::move(certified);
    auto result = compute_checked(key, block, decrypts);
    if (result || result.error().kind != ErrorKind::verify_failed) return result;
    public_values_.erase(id);
  }
  return compute_checked(key, block, decrypts);
}

Result<Bytes> EtokenCard::compute_checked(const KeyInfo& key, ByteView block, bool decrypts) {
  if (auto status = login_.require(Role::user, "using a private key"); !status)
    return status.take_error();
  if (auto status = check_reader(command::compute(block, decrypts).apdu); !status)
    return status.take_error();
  const auto id = static_cast<std::uint16_t>(key.ref.token);
  const auto path = object_directory(id);
  // Between two operations another program may have selected another key, and the card would
  // compute with that without a word. So a result that relies on the past is checked with the
  // public key; where that is not known it is read once, of a key that was found to be this one.
  // That the card had one key when we looked says nothing: the other program may have made a
  // second.
  const bool was_selected = files_.was_selected(path);
  const bool was_known = public_values_.contains(id);
  if (auto status = confirm_place(key); !status) return status.take_error();
  if (was_selected && !was_known) {
    const auto learned = public_value(id);
    if (!learned && learned.error().kind == ErrorKind::not_logged_in) return learned.error();
  }
  bool relies_on_past = was_selected && was_known && files_.was_selected(path);
  for (;; relies_on_past = false) {
    if (!relies_on_past) {
      if (auto selected = files_.enter_anew(path); !selected)
        return selected.take_error().within("selecting the private key");
    }
    auto result = compute_once(id, block, decrypts);
    if (!result) {
      const auto& error = result.error();
      if (error.sw == 0 || error.kind == ErrorKind::protocol) return result;
      if (relies_on_past && login_.role()) continue;
      if (login_.role() && wants_secure_messaging(error.sw)) return cannot_sign(error.sw);
      return result;
    }
    const auto found = public_values_.find(id);
    const auto* known = key.judge(found != public_values_.end() ? &found->second : nullptr);
    if (!known || is_private_power(*known, block, *result)) return result;
    if (relies_on_past) continue;
    return Error{ErrorKind::verify_failed,
                 "the card's result does not fit the key's public half, so it is withheld"};
  }
}

/// The key must find the x whose public power it is given: what comes back is known before, so
/// nothing is signed, and no other key finds it.
Result<bool> EtokenCard::is_private_half(std::uint16_t id, const PublicKey& key) {
  Bytes x(key.modulus.size(), 0x5A);
  if (x.size() < 64 || x.size() > 512) return false;
  x.front() = 0x00;  // below the modulus
  Number n(key.modulus), e(key.exponent), base(x), power;
  Bytes block(x.size());
  if (!n.ok() || !e.ok() || !base.ok() ||
      mbedtls_mpi_exp_mod(*power, *base, *e, *n, nullptr) != 0 ||
      mbedtls_mpi_write_binary(*power, block.data(), block.size()) != 0) {
    return false;
  }
  if (!check_reader(command::compute(block, true).apdu)) return false;
  if (auto selected = files_.enter_anew(object_directory(id)); !selected)
    return selected.take_error();
  auto result = compute_once(id, block, true);
  if (!result) return result.take_error();
  const bool found = equal(*result, x);
  wipe(*result);
  return found;
}

Result<Bytes> EtokenCard::sign(const KeyInfo& key, Scheme scheme, ByteView input) {
  begin();
  if (auto status = check_key(key); !status) return status.take_error();
  const std::size_t size = key.bits / 8;
  if (scheme == Scheme::rsa_raw) {
    if (auto status = check_block(input, size); !status) return status.take_error();
    return compute(key, input, false);
  }
  if (scheme != Scheme::rsa_pkcs1) return no_scheme();
  auto block = pkcs1_type1_pad(input, size);
  if (!block) return block;
  return compute(key, *block, false);
}

Result<Bytes> EtokenCard::decrypt(const KeyInfo& key, Scheme scheme, ByteView input) {
  begin();
  if (auto status = check_key(key); !status) return status.take_error();
  if (scheme != Scheme::rsa_raw && scheme != Scheme::rsa_pkcs1) return no_scheme();
  if (auto status = check_block(input, key.bits / 8); !status) return status.take_error();
  auto block = compute(key, input, true);
  if (!block || scheme == Scheme::rsa_raw) return block;
  auto plain = pkcs1_type2_unpad(*block);
  wipe(*block);
  return plain;
}

Result<Bytes> EtokenCard::random(std::size_t count) {
  begin();
  if (auto status = files_.ensure_applet(); !status) return status.take_error();
  Bytes bytes;
  while (bytes.size() < count) {
    auto block = login_.challenge();
    if (!block && bytes.empty() && block.error().sw != 0) {
      // Another applet may be selected.
      if (auto status = files_.select_applet(); !status) return status.take_error();
      block = login_.challenge();
    }
    if (!block) return block.take_error().within("getting random bytes");
    append(bytes, ByteView(*block).first(std::min(block->size(), count - bytes.size())));
  }
  return bytes;
}

}  // namespace kilt::card::etoken
