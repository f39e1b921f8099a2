// SPDX-License-Identifier: Apache-2.0
// Making and importing keys on a token with Aladdin's applet. A key is a directory of its own; its
// attributes, which make it seen, are written last.
#include <algorithm>

#include "apdu/tlv.hpp"
#include "drivers/certificate.hpp"
#include "drivers/etoken72k_card.hpp"
#include "drivers/rsa_check.hpp"

namespace kilt::card::etoken {
namespace {

/// What the answer to DIRECTORY can hold, with some left over: more files could not be seen.
constexpr std::size_t most_objects = 120;

Status check_bits(const CardModel& model, std::size_t bits) {
  const auto& rsa = model.capabilities.front();
  if (rsa.has_size(bits)) return {};
  return Error{ErrorKind::unsupported, "this token has no RSA keys of " + std::to_string(bits) +
                                           " bits; it has " + std::to_string(rsa.min_bits) +
                                           " and " + std::to_string(rsa.max_bits)};
}

/// A big-endian number in exactly `length` bytes.
SecretBytes padded(ByteView number, std::size_t length) {
  while (!number.empty() && number.front() == 0)
    number = number.subspan(1);
  SecretBytes out(length);
  for (std::size_t i = number.size(); i < length; ++i)
    out.append({0x00});
  out.append(number);
  return out;
}

}  // namespace

Status EtokenCard::prepare_write(const char* what) {
  begin();
  if (auto status = login_.require(Role::user, what); !status) return status;
  // Another program may have made, changed or replaced objects since we looked.
  if (!is_fresh()) forget_objects();
  ids_.reset();
  return {};
}

Status EtokenCard::check_new_key(const Bytes& id, const std::string& label, std::size_t bits) {
  if (auto status = check_bits(model_, bits); !status) return status;
  if (auto status = check_names(id, label); !status) return status;
  if (id.empty()) return {};
  auto keys = objects(file::key_pair);
  if (!keys) return keys.take_error();
  const bool taken = std::any_of(keys->begin(), keys->end(),
                                 [&](const Object* key) { return key->attributes.id == id; });
  if (!taken) return {};
  return Error{ErrorKind::exists, "the card has a private key with the id " + to_hex(id) +
                                      " already; choose another id or delete that key first"};
}

/// A directory under the first free number. One that nobody finished is somebody's interrupted
/// work: it is passed over, and removed only when the card is full (never a key's, which may be the
/// vendor's).
Result<std::uint16_t> EtokenCard::create_object(std::uint16_t kind, const Rights& rights,
                                                std::uint16_t wanted_number) {
  auto all = ids();
  if (!all) return all.take_error();
  if (all->size() >= most_objects) {
    return Error{ErrorKind::no_space, "the card's list of objects is full"};
  }
  bool is_tidied = false;
  for (unsigned number = wanted_number ? wanted_number : 1, tried = 0; tried < 0xFF;
       number = number % 0xFF + 1, ++tried) {
    const auto id = static_cast<std::uint16_t>(kind | number);
    if (std::find(all->begin(), all->end(), id) != all->end()) continue;
    auto made = files_.create_directory(object_directory(id), rights);
    if (!made && made.error().kind == ErrorKind::no_space && !is_tidied) {
      is_tidied = true;
      if (auto status = remove_unfinished(kind); !status) return status.take_error();
      made = files_.create_directory(object_directory(id), rights);
    }
    if (!made && made.error().kind == ErrorKind::exists) continue;
    if (!made) return made.take_error();
    if (ids_) ids_->push_back(id);
    return id;
  }
  return Error{ErrorKind::no_space, "the card has no free number for another object"};
}

Status EtokenCard::remove_unfinished(std::uint16_t kind) {
  if (kind == file::key_pair) return {};
  auto all = ids_of(kind);
  if (!all) return all.take_error();
  for (const auto id : *all) {
    if (objects_.contains(id)) continue;
    auto described = object(id);
    if (!described) return described.take_error();
    // The vendor's objects have attributes, though in another form [facts etoken §5.6].
    if (*described) continue;
    if (auto status = files_.remove(object_directory(id)); !status) return status;
  }
  ids_.reset();
  return {};
}

void EtokenCard::undo(std::uint16_t id) {
  // After a removal of the card this fails at once.
  files_.forget();
  (void)files_.remove(object_directory(id));
  ids_.reset();
  objects_.erase(id);
  public_values_.erase(id);
  bodies_.erase(id);
}

/// The public half that the card made, with the numbers checked.
Result<PublicKey> EtokenCard::made_public_key(std::uint16_t id, std::size_t bits) {
  public_values_.erase(id);
  auto key = public_value(id);
  if (!key) return key;
  if (key->bits() == bits && (key->modulus.back() & 1) == 1) return key;
  return Error{ErrorKind::protocol,
               "the card generated a modulus that is none of the size asked for"};
}

Result<KeyPair> EtokenCard::generate(const GenerateRequest& request) {
  if (request.type != KeyType::rsa) {
    return Error{ErrorKind::unsupported, "this token has no GOST keys"};
  }
  if (auto status = check_bits(model_, request.bits); !status) return status.take_error();
  if (auto status = prepare_write("generating a key pair"); !status) return status.take_error();
  if (auto status = check_new_key(request.id, request.private_label, request.bits); !status)
    return status.take_error();
  if (auto status = check_names({}, request.public_label); !status) return status.take_error();
  auto id = create_object(file::key_pair, rights_of_directory());
  if (!id) return id.take_error().within("generating a key pair");
  Attributes attributes;
  attributes.label = request.private_label;
  if (request.public_label != request.private_label) attributes.public_label = request.public_label;
  attributes.id = request.id;
  attributes.subject = request.subject;
  attributes.usage = request.usage;
  attributes.local = true;
  attributes.bits = request.bits;
  auto status =
      check(files_.send(command::generate(request.bits)), "computing a key pair in the card");
  auto key = status ? made_public_key(*id, request.bits) : Result<PublicKey>(status.error());
  if (key) {
    if (attributes.id.empty()) attributes.id = default_key_id(*key);
    status = create_attributes(*id, attributes, false);
  } else {
    status = key.error();
  }
  if (!status) {
    undo(*id);
    return status.take_error().within("generating a key pair");
  }
  return KeyPair{key_info(*id, attributes, request.bits),
                 public_key_info(*id, attributes, request.bits), std::move(*key)};
}

/// With the key's directory selected; the card checks the parts when it has the last one.
Status EtokenCard::import_parts(const RsaPrivateKey& key) {
  const std::size_t half = key.modulus.size() / 2;
  const struct {
    KeyPart part;
    ByteView value;
    bool is_number_of_half;
  } parts[] = {
      {KeyPart::exponent, key.public_exponent, false},
      {KeyPart::prime1, key.prime1.view(), true},
      {KeyPart::prime2, key.prime2.view(), true},
      {KeyPart::exponent1, key.exponent1.view(), true},
      {KeyPart::exponent2, key.exponent2.view(), true},
      {KeyPart::coefficient, key.coefficient.view(), true},
  };
  for (const auto& [part, value, is_padded] : parts) {
    const SecretBytes sent = padded(value, is_padded ? half : value.size());
    const bool is_last = part == KeyPart::coefficient;
    if (auto status = check(files_.send(command::import_part(part, sent.view(), is_last)),
                            "loading a private key");
        !status) {
      return status;
    }
  }
  return {};
}

Result<KeyInfo> EtokenCard::import_private_key(const ImportRequest& request, RsaPrivateKey key) {
  PublicKey value;
  value.modulus = key.modulus;
  value.exponent = key.public_exponent;
  const std::size_t bits = value.bits();
  if (auto status = check_bits(model_, bits); !status) return status.take_error();
  while (key.modulus.size() > bits / 8)
    key.modulus.erase(key.modulus.begin());
  while (!key.public_exponent.empty() && key.public_exponent.front() == 0)
    key.public_exponent.erase(key.public_exponent.begin());
  value.modulus = key.modulus;
  value.exponent = key.public_exponent;
  if (auto status = check_private_key(key); !status) return status.take_error();
  for (const auto* part :
       {&key.prime1, &key.prime2, &key.exponent1, &key.exponent2, &key.coefficient}) {
    if (padded(part->view(), bits / 16).size() != bits / 16) {
      return Error{ErrorKind::unsupported, "the card takes primes of half the modulus only"};
    }
  }
  if (auto status = prepare_write("importing a private key"); !status) return status.take_error();
  if (auto status = check_new_key(request.id, request.label, bits); !status)
    return status.take_error();
  auto id = create_object(file::key_pair, rights_of_directory());
  if (!id) return id.take_error().within("importing a private key");
  Attributes attributes;
  attributes.label = request.label;
  attributes.id = request.id.empty() ? default_key_id(value) : request.id;
  attributes.subject = request.subject;
  attributes.usage = request.usage;
  attributes.bits = bits;
  auto status = import_parts(key);
  if (status) status = create_attributes(*id, attributes, false);
  if (!status) {
    undo(*id);
    return status.take_error().within("importing a private key");
  }
  public_values_[*id] = value;
  return key_info(*id, attributes, bits);
}

Result<PublicKeyInfo> EtokenCard::store_public_key(const ImportRequest& request,
                                                   const PublicKey& key) {
  if (key.type != KeyType::rsa) return Error{ErrorKind::unsupported, "this token has no GOST keys"};
  if (key.modulus.empty() || key.exponent.empty() || key.bits() < 512 || key.bits() > 4096) {
    return Error{ErrorKind::bad_argument, "a public key needs a modulus and an exponent"};
  }
  if (auto status = check_names(request.id, request.label); !status) return status.take_error();
  if (auto status = prepare_write("storing a public key"); !status) return status.take_error();
  const Bytes wanted = request.id.empty() ? default_key_id(key) : request.id;
  // Importing a private key stored its public half; a client that stores it again means the same.
  auto own = key_of(key, wanted);
  if (!own) return own.take_error();
  if (*own && (*own)->attributes.id == wanted) {
    const auto id = (*own)->id;
    Attributes changed = (*own)->attributes;
    changed.public_deleted = false;
    changed.public_label.reset();
    if (request.label != changed.label) changed.public_label = request.label;
    if (auto status = write_attributes(id, changed); !status)
      return status.take_error().within("storing a public key");
    return public_key_info(id, changed, key.bits());
  }
  Attributes attributes;
  attributes.label = request.label;
  attributes.id = wanted;
  attributes.usage = request.usage;
  attributes.bits = key.bits();
  Bytes value;
  apdu::append_simple_tlv(value, 0x11, key.modulus);
  apdu::append_simple_tlv(value, 0x12, key.exponent);
  auto stored = store(file::public_key, value, attributes, false);
  if (!stored) return stored.take_error().within("storing a public key");
  public_values_[(*stored)->id] = key;
  return public_key_info((*stored)->id, attributes, key.bits());
}

}  // namespace kilt::card::etoken
