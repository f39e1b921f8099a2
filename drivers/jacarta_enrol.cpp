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

constexpr std::uint32_t unavailable = 0xFFFFFFFF;  ///< CK_UNAVAILABLE_INFORMATION
constexpr std::uint32_t class_public_key = 2, class_private_key = 3, key_type_rsa = 0;
constexpr std::size_t longest_label = 255, longest_id = 64, longest_subject = 2048;

Status check_bits(std::size_t bits) {
  if (model().capabilities.front().has_size(bits)) return {};
  return Error{ErrorKind::unsupported, "this card has no RSA keys of " + std::to_string(bits) +
                                           " bits; it has 1024, 2048 and 4096"};
}

Status check_names(ByteView id, std::string_view label, ByteView subject = {}) {
  if (label.size() > longest_label) {
    return Error{ErrorKind::bad_argument, "a label may have 255 bytes at most"};
  }
  if (id.size() > longest_id) {
    return Error{ErrorKind::bad_argument, "an id may have 64 bytes at most"};
  }
  if (subject.size() > longest_subject) {
    return Error{ErrorKind::bad_argument, "a subject may have 2048 bytes at most"};
  }
  return {};
}

Bytes text(const std::string& value) {
  return copy_of(as_bytes(value));
}

}  // namespace

/// What the card will say of a key pair, or of a public key alone.
struct JacartaCard::NewPair {
  std::uint16_t index = 0;
  std::string private_label, public_label;
  KeyUsage usage;
  Bytes id, subject;
  PublicKey value;
  bool local = false;
};

namespace {

/// In the vendor's order and with its flags [facts jacarta A11, A16 #32, #33].
template <class Pair>
std::vector<Attribute> private_attributes(const Pair& pair) {
  const auto& usage = pair.usage;
  // Where there is none, the vendor's placeholder.
  const Bytes subject =
      pair.subject.empty() ? from_hex("300A4A414341525441504B49").value() : pair.subject;
  return {ulong(Type::object_class, class_private_key),
          truth(Type::token, true),
          truth(Type::is_private, true),
          {Type::label, flag::modifiable, text(pair.private_label)},
          ulong(Type::key_type, key_type_rsa),
          {Type::subject, flag::modifiable, subject},
          {Type::id, flag::modifiable, pair.id},
          truth(Type::sensitive, true, flag::to_true),
          truth(Type::decrypt, usage.decrypt),
          truth(Type::unwrap, usage.unwrap),
          truth(Type::sign, usage.sign || usage.non_repudiation),
          truth(Type::sign_recover, usage.sign_recover),
          truth(Type::derive, usage.derive, flag::modifiable),
          {Type::start_date, flag::modifiable, {}},
          {Type::end_date, flag::modifiable, {}},
          truth(Type::extractable, false, flag::to_false),
          truth(Type::local, pair.local),
          truth(Type::never_extractable, false),
          truth(Type::always_sensitive, false),
          ulong(Type::key_gen_mechanism, unavailable),
          truth(Type::modifiable, false),
          truth(Type::vendor_public, false)};
}

template <class Pair>
std::vector<Attribute> public_attributes(const Pair& pair) {
  constexpr std::size_t date_size = 8;
  const auto& usage = pair.usage;
  return {ulong(Type::object_class, class_public_key),
          truth(Type::token, true),
          truth(Type::is_private, false),
          {Type::label, flag::modifiable, text(pair.public_label)},
          truth(Type::trusted, false, flag::officer_to_true),
          ulong(Type::key_type, key_type_rsa),
          {Type::subject, flag::modifiable, {}},
          {Type::id, flag::modifiable, pair.id},
          truth(Type::encrypt, usage.decrypt),
          truth(Type::wrap, usage.unwrap),
          truth(Type::verify, usage.sign || usage.non_repudiation),
          truth(Type::verify_recover, usage.sign_recover),
          truth(Type::derive, usage.derive, flag::modifiable),
          {Type::start_date, flag::modifiable, Bytes(date_size)},
          {Type::end_date, flag::modifiable, Bytes(date_size)},
          {Type::modulus, flag::none, pair.value.modulus},
          ulong(Type::modulus_bits, static_cast<std::uint32_t>(pair.value.bits())),
          {Type::public_exponent, flag::none, pair.value.exponent},
          truth(Type::local, false),
          truth(Type::modifiable, true),
          truth(Type::vendor_public, true)};
}

template <class Pair>
PublicKeyInfo public_info(const Pair& pair) {
  return {{ObjectClass::public_key, static_cast<std::uint32_t>(id::public_key | pair.index)},
          pair.public_label,
          pair.id,
          KeyType::rsa,
          pair.value.bits(),
          pair.usage,
          pair.local};
}

template <class Pair>
KeyInfo private_info(const Pair& pair) {
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
  const auto answer = link_->send(command::generate_rsa(bits));
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

namespace {

/// Quirk: the vendor's software sends parts as they are, so that one key in 85 is refused; each has
/// its full length here [facts jacarta A16 #7].
void append_padded(SecretBytes& to, ByteView number, std::size_t size) {
  while (!number.empty() && number.front() == 0)
    number = number.subspan(1);
  for (std::size_t i = number.size(); i < size; ++i)
    to.append({0x00});
  to.append(number);
}

void append_head(SecretBytes& to, std::uint8_t tag, std::size_t length) {
  to.append({tag});
  if (length > 0xFF) {
    to.append({0x82, static_cast<std::uint8_t>(length >> 8)});
  } else if (length > 0x7F) {
    to.append({0x81});
  }
  to.append({static_cast<std::uint8_t>(length)});
}

std::size_t significant(ByteView number) {
  return static_cast<std::size_t>(
      number.end() - std::find_if(number.begin(), number.end(), [](auto b) { return b != 0; }));
}

Result<SecretBytes> import_value(const RsaPrivateKey& key) {
  constexpr std::size_t head_max = 4;
  const std::size_t size = key.modulus.size(), half = size / 2;
  for (const auto* part :
       {&key.prime1, &key.prime2, &key.exponent1, &key.exponent2, &key.coefficient}) {
    if (significant(part->view()) > half) {
      return Error{ErrorKind::unsupported,
                   "the card takes keys whose primes are half as long as the modulus"};
    }
  }
  const auto exponent = private_exponent(key);
  if (!exponent) return exponent.error();
  const std::size_t e_size = significant(key.public_exponent);
  SecretBytes inside(5 * head_max + e_size + 2 * size + 5 * half);
  append_head(inside, 0x90, e_size);
  append_padded(inside, key.public_exponent, e_size);
  append_head(inside, 0x91, size);
  inside.append(key.modulus);
  append_head(inside, 0x92, size);
  inside.append(exponent->view());
  append_head(inside, 0x93, 2 * half);
  append_padded(inside, key.prime1.view(), half);
  append_padded(inside, key.prime2.view(), half);
  append_head(inside, 0x94, 3 * half);
  append_padded(inside, key.exponent1.view(), half);
  append_padded(inside, key.exponent2.view(), half);
  append_padded(inside, key.coefficient.view(), half);
  SecretBytes whole(inside.size() + head_max);
  append_head(whole, 0x62, inside.size());
  whole.append(inside.view());
  return whole;
}

}  // namespace

Status JacartaCard::load_value(std::uint16_t index, const RsaPrivateKey& key) {
  auto value = import_value(key);
  if (!value) return value.take_error();
  if (const auto selected = files_.select(private_key_object(index)); !selected)
    return selected.error();
  return check(link_->send(command::import_rsa(std::move(*value))), "loading a key");
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
  if (auto status = check_names(request.id, request.public_label, request.subject); !status)
    return status.take_error();
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
  value.exponent.erase(
      value.exponent.begin(),
      value.exponent.end() - static_cast<std::ptrdiff_t>(significant(value.exponent)));
  if (auto status = check_private_key(key); !status) return status.take_error();
  if (auto status = check_names(request.id, request.label, request.subject); !status)
    return status.take_error();
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
    const auto beside_key = is_unfinished(index);
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
