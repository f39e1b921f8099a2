// SPDX-License-Identifier: Apache-2.0
// Making and importing keys on a JaCarta. The key comes first, the file that makes it seen last but
// for the map and the counters; what a failed operation made is taken away again.
#include <algorithm>

#include "apdu/tlv.hpp"
#include "drivers/certificate.hpp"
#include "drivers/jacarta_card.hpp"
#include "drivers/rsa_check.hpp"

namespace kilt::card::jacarta {
namespace {

Status check_bits(std::size_t bits) {
  if (model().capabilities.front().has_size(bits)) return {};
  return Error{ErrorKind::unsupported, "this card has no RSA keys of " + std::to_string(bits) +
                                           " bits; it has 1024, 2048 and 4096"};
}

}  // namespace

namespace {

PublicKeyInfo public_info(const NewPair& pair) {
  return {{ObjectClass::public_key, static_cast<std::uint32_t>(id::public_key | pair.index)},
          pair.public_label,
          pair.id,
          KeyType::rsa,
          pair.value.bits(),
          pair.usage,
          pair.local};
}

KeyInfo private_info(const NewPair& pair) {
  KeyInfo info;
  info.ref = {ObjectClass::private_key, static_cast<std::uint32_t>(id::private_key | pair.index)};
  info.label = pair.private_label;
  info.id = pair.id;
  info.bits = pair.value.bits();
  info.usage = pair.usage;
  info.subject = pair.subject;
  info.local = info.always_sensitive = info.never_extractable = pair.local;
  return info;
}

}  // namespace

Status JacartaCard::prepare_write(const char* what) {
  begin();
  if (auto status = pins_.require_user(what); !status) return status;
  if (auto status = objects_.prepare_write(); !status) return status;
  follow_objects();
  for (const auto area : {Area::open, Area::hidden}) {
    if (auto all = objects_.ids(area); !all) return all.take_error();
  }
  return {};
}

Status JacartaCard::check_new_key(const Bytes& id, const std::string& label, std::size_t bits) {
  if (auto status = check_bits(bits); !status) return status;
  if (auto status = check_names(id, label); !status) return status;
  const auto keys = private_keys();
  if (!keys) return keys.error();
  const bool taken = !id.empty() && std::any_of(keys->begin(), keys->end(),
                                                [&](const auto& key) { return key.info.id == id; });
  if (taken) {
    return Error{ErrorKind::exists, "the card has a private key with the id " + to_hex(id) +
                                        " already; choose another id or delete that key first"};
  }
  return {};
}

/// Indexes that no key, public key or certificate uses. A certificate that outlived its key would
/// else be taken for that of the new one.
Result<std::vector<std::uint16_t>> JacartaCard::free_indexes() {
  const auto open = objects_.ids(Area::open);
  if (!open) return open.error();
  std::vector<std::uint16_t> unused;
  for (std::uint16_t index = 0; index <= mapped_index_max; ++index) {
    const auto own = objects_.find(Area::hidden, id::private_key | index, {Type::id});
    if (!own) return own.error();
    const auto half = objects_.find(Area::open, id::public_key | index, {Type::id});
    if (!half) return half.error();
    const bool has_certificate =
        std::find(open->begin(), open->end(), id::key_certificate | index) != open->end();
    if (!*own && !*half && !has_certificate) unused.push_back(index);
  }
  return unused;
}

Result<std::uint16_t> JacartaCard::create_key_object(std::size_t bits) {
  const auto unused = free_indexes();
  if (!unused) return unused.error();
  for (const auto index : *unused) {
    NewFile file;
    file.type = FileType::ko;
    file.id = private_key_object(index).back();
    file.size = bits / 8;
    file.properties = rsa_properties();
    file.rules = rules::private_key();
    file.content = {0x71, 0x00};
    auto status = files_.create(file::hidden_objects, file);
    if (status) return index;
    // A key that nothing describes may be somebody's: it is passed over.
    if (status.error().kind != ErrorKind::exists) return status.take_error();
  }
  return Error{ErrorKind::no_space,
               "the card has room for 12 keys, and each place holds a key, a public key or a "
               "certificate; delete what is not needed"};
}

Result<PublicKey> JacartaCard::generate_value(std::uint16_t index, std::size_t bits) {
  if (const auto selected = files_.select(private_key_object(index)); !selected)
    return selected.error();
  const auto answer = files_.send(command::generate_rsa(bits));
  if (auto status = check(answer, "generating a key pair"); !status) return status.take_error();
  const auto inside = apdu::find_tag(answer->data, 0x7F49);
  const auto modulus = inside ? apdu::find_tag(*inside, 0x81) : std::nullopt;
  const auto exponent = inside ? apdu::find_tag(*inside, 0x82) : std::nullopt;
  PublicKey key;
  if (modulus) key.modulus = copy_of(*modulus);
  if (exponent) key.exponent = copy_of(*exponent);
  if (key.modulus.size() != bits / 8 || key.bits() != bits || key.exponent.empty()) {
    return Error{ErrorKind::protocol, "the card's answer holds no public key of the right size"};
  }
  return key;
}

Status JacartaCard::load_value(std::uint16_t index, const RsaPrivateKey& key) {
  auto value = import_value(key);
  if (!value) return value.take_error();
  if (const auto selected = files_.select(private_key_object(index)); !selected)
    return selected.error();
  return check(files_.send(command::import_rsa(std::move(*value))), "loading a key");
}

// ---- what describes a pair -------------------------------------------------------------------

Status JacartaCard::write_public_half(const NewPair& pair, Freshness stamp) {
  apdu::BerWriter numbers;
  numbers.put(0x90, pair.value.exponent).put(0x91, pair.value.modulus);
  apdu::BerWriter content;
  content.put(0x71, numbers);
  NewFile file;
  file.type = FileType::ko;
  file.id = public_key_object(pair.index).back();
  file.size = pair.value.modulus.size();
  file.properties = rsa_properties();
  file.rules = rules::public_key();
  file.content = content.bytes();
  auto status = files_.create(file::open_objects, file);
  if (!status && status.error().kind == ErrorKind::exists) {
    // Nothing describes it, and it holds no secret.
    status = files_.remove(public_key_object(pair.index));
    if (status) status = files_.create(file::open_objects, file);
  }
  if (!status) return status;
  auto attributes = encode(id::public_key | pair.index, public_attributes(pair), stamp);
  if (!attributes) return attributes.take_error();
  return objects_.create(Area::open, id::public_key | pair.index, std::move(*attributes));
}

/// The map then says of every key what the files say.
Status JacartaCard::enter_in_map(const NewPair& pair, bool is_first_key) {
  auto map = objects_.container_map(is_first_key);
  if (!map) return map.take_error();
  map->set(pair.index, {pair.id, pair.value.bits(), false});
  if (!is_first_key) {
    const auto keys = private_keys();
    if (!keys) return keys.error();
    complete_map(*map, *keys);
  }
  return objects_.store_container_map(*map);
}

Status JacartaCard::write_pair(const NewPair& pair, bool is_first_key) {
  // The vendor counts the private half first.
  const Freshness before = objects_.freshness();
  auto attributes = encode(id::private_key | pair.index, private_attributes(pair), before.after(1));
  if (!attributes) return attributes.take_error();
  if (auto status = write_public_half(pair, before.after(2)); !status) return status;
  if (auto status =
          objects_.create(Area::hidden, id::private_key | pair.index, std::move(*attributes));
      !status)
    return status;
  if (auto status = enter_in_map(pair, is_first_key); !status) return status;
  return objects_.count(2);
}

void JacartaCard::undo_pair(std::uint16_t index, bool keep_private) {
  // After a removal of the card each of these fails at once.
  if (!keep_private) {
    (void)files_.remove(private_key_object(index));
    (void)objects_.remove(Area::hidden, id::private_key | index);
  }
  (void)files_.remove(public_key_object(index));
  (void)objects_.remove(Area::open, id::public_key | index);
  objects_.forget();
}

Result<KeyPair> JacartaCard::finish_pair(NewPair& pair) {
  const auto keys = private_keys();
  Status status = keys ? Status{} : Status(keys.error());
  if (status) {
    if (pair.id.empty()) pair.id = default_key_id(pair.value);
    status = write_pair(pair, keys->empty());
  }
  if (!status) {
    undo_pair(pair.index, false);
    return status.take_error();
  }
  private_objects_.reset();
  follow_objects();
  public_values_[pair.index] = pair.value;
  return KeyPair{private_info(pair), public_info(pair), pair.value};
}

Result<KeyPair> JacartaCard::generate(const GenerateRequest& request) {
  if (request.type != KeyType::rsa) {
    return Error{ErrorKind::unsupported, "this card's applet makes RSA keys only"};
  }
  if (auto status = check_bits(request.bits); !status) return status.take_error();
  if (auto status = check_names(request.id, request.public_label); !status)
    return status.take_error();
  if (auto status = check_subject(request.subject); !status) return status.take_error();
  if (auto status = prepare_write("generating a key pair"); !status) return status.take_error();
  if (auto status = check_new_key(request.id, request.private_label, request.bits); !status)
    return status.take_error();
  auto index = create_key_object(request.bits);
  if (!index) return index.take_error().within("generating a key pair");
  auto value = generate_value(*index, request.bits);
  if (!value) {
    (void)files_.remove(private_key_object(*index));
    return value.take_error().within("generating a key pair");
  }
  NewPair pair{*index,     request.private_label, request.public_label, request.usage,
               request.id, request.subject,       std::move(*value),    true};
  auto made = finish_pair(pair);
  if (!made) return made.take_error().within("generating a key pair");
  return made;
}

Result<KeyInfo> JacartaCard::import_private_key(const ImportRequest& request, RsaPrivateKey key) {
  PublicKey value;
  value.modulus = key.modulus;
  value.exponent = key.public_exponent;
  const std::size_t bits = value.bits();
  if (auto status = check_bits(bits); !status) return status.take_error();
  key.modulus.erase(key.modulus.begin(), key.modulus.end() - static_cast<std::ptrdiff_t>(bits / 8));
  value.modulus = key.modulus;
  while (!value.exponent.empty() && value.exponent.front() == 0)
    value.exponent.erase(value.exponent.begin());
  if (auto status = check_private_key(key); !status) return status.take_error();
  if (auto status = check_names(request.id, request.label); !status) return status.take_error();
  if (auto status = check_subject(request.subject); !status) return status.take_error();
  if (auto status = prepare_write("importing a private key"); !status) return status.take_error();
  if (auto status = check_new_key(request.id, request.label, bits); !status)
    return status.take_error();
  auto index = create_key_object(bits);
  if (!index) return index.take_error().within("importing a private key");
  if (auto status = load_value(*index, key); !status) {
    (void)files_.remove(private_key_object(*index));
    return status.take_error().within("importing a private key");
  }
  NewPair pair{*index,     request.label,   request.label,    request.usage,
               request.id, request.subject, std::move(value), false};
  auto made = finish_pair(pair);
  if (!made) return made.take_error().within("importing a private key");
  return std::move(made->private_key);
}

Result<PublicKeyInfo> JacartaCard::store_public_key(const ImportRequest& request,
                                                    const PublicKey& key) {
  if (key.type != KeyType::rsa) {
    return Error{ErrorKind::unsupported, "this card's applet holds RSA keys only"};
  }
  if (key.modulus.empty() || key.exponent.empty()) {
    return Error{ErrorKind::bad_argument, "a public key needs a modulus and an exponent"};
  }
  if (auto status = check_bits(key.bits()); !status) return status.take_error();
  if (auto status = check_names(request.id, request.label); !status) return status.take_error();
  if (auto status = prepare_write("storing a public key"); !status) return status.take_error();
  NewPair pair{0, {}, request.label, request.usage, request.id, {}, key, false};
  if (pair.id.empty()) pair.id = default_key_id(key);
  const auto publics = public_keys();
  if (!publics) return publics.error();
  // Importing a private key stored its public half; a client that stores it again means the same.
  for (const auto& known : *publics) {
    if (known.id != pair.id || known.bits != key.bits()) continue;
    const auto index = static_cast<std::uint16_t>(known.ref.token - id::public_key);
    const auto value = public_value(index);
    if (!value) return value.error();
    if (!(*value == key)) continue;
    PublicKeyInfo same = known;
    same.label = request.label;
    if (known.label == request.label) return same;
    AttributeChange change;
    change.label = request.label;
    if (auto status = change_attributes(known.ref, change); !status) return status.take_error();
    return same;
  }
  const auto unused = free_indexes();
  if (!unused) return unused.error();
  for (const auto index : *unused) {
    // Beside a key that nothing describes it would be taken for that one's half.
    const auto beside_key = is_taken(index);
    if (!beside_key) return beside_key.error();
    if (*beside_key) continue;
    pair.index = index;
    auto status = write_public_half(pair, objects_.freshness().after(1));
    if (status) status = objects_.count(1);
    if (!status) {
      undo_pair(index, true);
      return status.take_error().within("storing a public key");
    }
    public_values_[index] = key;
    return public_info(pair);
  }
  return Error{ErrorKind::no_space, "the card has no place for another public key"};
}

}  // namespace kilt::card::jacarta
