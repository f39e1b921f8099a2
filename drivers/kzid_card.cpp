// SPDX-License-Identifier: Apache-2.0
// Looking at an ID card: what it is, what is on it. Nothing here writes.
#include "drivers/kzid_card.hpp"

#include <algorithm>

#include "apdu/tlv.hpp"

namespace kilt::card::kzid {
namespace {

constexpr const char* manufacturer = "Republic of Kazakhstan";

/// Entries by the key object that each names; of several for one object the first.
template <class Entry>
std::map<std::uint8_t, Entry> by_number(const std::vector<Bytes>& raw,
                                        Result<Entry> (*parse)(ByteView)) {
  std::map<std::uint8_t, Entry> found;
  for (const auto& bytes : raw) {
    auto entry = parse(bytes);
    const auto number =
        entry && entry->type == KeyType::rsa ? number_of(entry->reference) : std::nullopt;
    if (number) found.emplace(*number, std::move(*entry));
  }
  return found;
}

Error gone(const char* what) {
  return {ErrorKind::not_found, std::string(what) + " is not on the card (any more)"};
}

/// Eight bytes, as many as PKCS #11 has room for in hex.
std::string short_hash(ByteView bytes) {
  PublicKey stand_in;
  stand_in.modulus = copy_of(bytes);
  return to_hex(ByteView(default_key_id(stand_in)).first(8));
}

}  // namespace

KeyInfo key_info(std::uint8_t number, const pkcs15::PrivateKey& entry) {
  KeyInfo info;
  info.ref = {ObjectClass::private_key, number};
  info.label = entry.common.label;
  info.id = entry.id;
  info.bits = entry.bits;
  info.usage = entry.usage;
  info.subject = entry.subject;
  info.local = entry.local;
  info.sensitive = true;
  info.always_sensitive = entry.always_sensitive;
  info.never_extractable = entry.never_extractable;
  info.modifiable = entry.common.modifiable;
  return info;
}

PublicKeyInfo public_info(std::uint8_t number, const pkcs15::PublicKeyEntry& entry, bool local) {
  return {{ObjectClass::public_key, number},
          entry.common.label,
          entry.id,
          KeyType::rsa,
          entry.bits,
          entry.usage,
          local};
}

std::optional<std::uint8_t> number_of(std::uint32_t reference) {
  for (std::uint8_t number = key::first; number <= key::last; ++number) {
    if (reference == key::reference(number)) return number;
  }
  return std::nullopt;
}

pkcs15::PrivateKey undescribed(std::uint8_t number, const PublicKey& key) {
  pkcs15::PrivateKey entry;
  entry.common.label = "key " + std::to_string(number);
  entry.common.modifiable = false;
  entry.id = default_key_id(key);
  entry.usage.sign = true;
  entry.reference = key::reference(number);
  entry.path = path_bytes();
  entry.bits = key.bits();
  return entry;
}

KzidCard::KzidCard(std::unique_ptr<Link> link, SideFiles side_files)
    : link_(std::move(link)),
      place_(*link_),
      pins_(place_),
      keys_(place_),
      directories_(place_),
      side_files_(std::move(side_files)),
      tries_(side_files_, ".tries") {
  link_->set_floor({evidence_of(link_->transport().atr()), "[facts kzid B1]"});
}

void KzidCard::forget_state() {
  place_.forget();
  pins_.forget();
  keys_.forget_state();
}

void KzidCard::forget_objects() {
  keys_.forget_objects();
  used_.clear();
  directories_.forget();
  bodies_.clear();
}

Status KzidCard::allows(Work work) {
  const SecretBytes none(0);
  switch (work) {
    case Work::generate:
      return link_->allows(command::generate(key::first));
    case Work::install:
      // Where no directory may be read the certificate goes into a side file, for a key that is
      // looked for.
      return link_->allows(command::read_public_key(key::first));
    case Work::change:
      return link_->allows(command::update(0, {}));
    case Work::remove:
      return link_->allows(command::free_object(key::first));
    case Work::change_pin:
      return link_->allows(command::change_pin(Role::user, none, none));
    case Work::unblock_pin:
      if (auto login = link_->allows(command::verify(Role::security_officer, none)); !login)
        return login;
      return link_->allows(command::reset_counter(none));
    case Work::import:
    case Work::initialise:
      return {};  // no card does that, which is said when it is asked for
  }
  return {};
}

// ---- the token -------------------------------------------------------------------------------

Result<std::string> KzidCard::serial() {
  if (serial_) return *serial_;
  begin();
  auto content = place_.read_serial();
  if (content) {
    const auto number = apdu::find_tag(*content, 0x5A);
    has_number_ = number && !number->empty() && number->size() <= 16;
    if (has_number_) return *(serial_ = to_hex(*number));
  } else if (content.error().sw == 0 && content.error().kind != ErrorKind::refused) {
    return content.take_error();  // not the card's answer, which may be anything
  }
  auto substitute = first_key_hash();
  if (!substitute) return substitute.take_error().within("reading the serial number");
  return *(serial_ = substitute->value_or(no_serial));
}

/// Nothing where no key object holds a key, or none may be asked.
Result<std::optional<std::string>> KzidCard::first_key_hash() {
  for (std::uint8_t number = key::first; number <= key::last; ++number) {
    auto object = keys_.look(number);
    if (!object && !is_not_there(object.error())) return object.take_error();
    if (!object) break;
    if (object->state == KeyObject::State::full)
      return std::optional<std::string>(short_hash(object->key.modulus));
  }
  return std::optional<std::string>{};
}

Result<TokenInfo> KzidCard::token_info() {
  TokenInfo info;
  auto number = serial();
  if (!number) return number.take_error();
  info.serial = *number;
  info.label = label_of(link_->transport().atr());
  info.manufacturer = manufacturer;
  info.has_random = link_->allows(command::random()).ok();
  return info;
}

// ---- listing ---------------------------------------------------------------------------------

Result<std::map<std::uint8_t, pkcs15::PrivateKey>> KzidCard::described_keys() {
  auto entries = directories_.entries(Kind::private_keys);
  if (!entries) return entries.take_error();
  return by_number(*entries, pkcs15::parse_private_key);
}

Result<KzidCard::Described> KzidCard::described() {
  auto keys = described_keys();
  if (!keys) return keys.take_error();
  auto entries = directories_.entries(Kind::public_keys);
  if (!entries) return entries.take_error();
  return Described{std::move(*keys), by_number(*entries, pkcs15::parse_public_key)};
}

/// All key objects that are known to hold a key.
Result<std::map<std::uint8_t, PublicKey>> KzidCard::keys_on_card() {
  std::map<std::uint8_t, PublicKey> found;
  for (std::uint8_t number = key::first; number <= key::last; ++number) {
    auto object = keys_.look(number);
    if (!object) return object.take_error();
    if (object->state == KeyObject::State::full) found.emplace(number, std::move(object->key));
  }
  return found;
}

/// Without `look` the directory's word is taken where it names a key. What is known of its public
/// half goes along: every result is judged by that.
Result<std::vector<KeyInfo>> KzidCard::private_keys(bool look) {
  auto infos = named_keys(look);
  if (!infos) return infos;
  for (auto& info : *infos) {
    const auto* object = keys_.known(static_cast<std::uint8_t>(info.ref.token));
    if (object != nullptr && object->state == KeyObject::State::full) info.value = object->key;
  }
  return infos;
}

Result<std::vector<KeyInfo>> KzidCard::named_keys(bool look) {
  std::vector<KeyInfo> infos;
  auto named = described_keys();
  if (!named) return named.take_error();
  if (!look && !named->empty()) {
    for (const auto& [number, entry] : *named) {
      const auto* known = keys_.known(number);
      if (!known || known->state == KeyObject::State::full)
        infos.push_back(key_info(number, entry));
    }
    return infos;
  }
  auto all = described();
  if (!all) return all.take_error();
  auto keys = keys_on_card();
  if (!keys) return keys.take_error();
  for (const auto& [number, key] : *keys) {
    if (const auto entry = all->keys.find(number); entry != all->keys.end()) {
      infos.push_back(key_info(number, entry->second));
      infos.back().bits = key.bits();
      continue;
    }
    // Made by another program; or a generation was cut off when only the public half was entered.
    auto entry = undescribed(number, key);
    if (const auto half = all->public_keys.find(number); half != all->public_keys.end()) {
      entry.common.label = half->second.common.label;
      entry.usage = half->second.usage;
      if (!half->second.id.empty()) entry.id = half->second.id;
    }
    infos.push_back(key_info(number, entry));
  }
  return infos;
}

Result<std::vector<PublicKeyInfo>> KzidCard::public_keys() {
  auto all = described();
  if (!all) return all.take_error();
  auto keys = private_keys(true);
  if (!keys) return keys.take_error();
  std::vector<PublicKeyInfo> infos;
  for (const auto& own : *keys) {
    const auto number = static_cast<std::uint8_t>(own.ref.token);
    if (const auto entry = all->public_keys.find(number); entry != all->public_keys.end()) {
      infos.push_back(public_info(number, entry->second, own.local));
      if (entry->second.id.empty()) infos.back().id = own.id;
      infos.back().bits = own.bits;
    } else if (!all->keys.contains(number)) {
      infos.push_back({{ObjectClass::public_key, number},
                       own.label,
                       own.id,
                       own.type,
                       own.bits,
                       own.usage,
                       own.local});
    }
  }
  return infos;
}

Result<std::vector<KzidCard::ListedCertificate>> KzidCard::certificates() {
  auto entries = directories_.entries(Kind::certificates);
  if (!entries) return entries.take_error();
  std::vector<ListedCertificate> listed;
  for (const auto& raw : *entries) {
    auto entry = pkcs15::parse_certificate(raw);
    if (!entry) continue;
    const std::uint16_t file = parse_path(entry->path).value_or(0);  // 0 names no file [7816-4]
    const bool is_double = std::any_of(listed.begin(), listed.end(),
                                       [&](const auto& other) { return other.file == file; });
    if (file != 0 && !is_double) listed.push_back({file, std::move(*entry), raw});
  }
  return listed;
}

Result<std::vector<CertificateInfo>> KzidCard::side_certificates() {
  auto keys = private_keys(true);
  if (!keys) return keys.take_error();
  std::vector<CertificateInfo> infos;
  for (const auto& own : *keys) {
    auto value = key_value(static_cast<std::uint8_t>(own.ref.token));
    if (!value) return value.take_error();
    if (!side_files_.read(*value)) continue;
    infos.push_back({{ObjectClass::certificate, side_token | own.ref.token},
                     own.label,
                     own.id,
                     false,
                     false,
                     side_files_.path(*value)});
  }
  return infos;
}

/// Those of the directory, and for keys that have none there, what was kept beside the card while
/// it had no directory, or kilt had no leave to read it.
Result<std::vector<CertificateInfo>> KzidCard::all_certificates() {
  auto listed = certificates();
  if (!listed) return listed.take_error();
  std::vector<CertificateInfo> infos;
  for (const auto& [file, entry, raw] : *listed) {
    infos.push_back({{ObjectClass::certificate, file},
                     entry.common.label,
                     entry.id,
                     entry.authority,
                     entry.trusted});
  }
  if (!side_files_.has_any(SideFiles::certificate_ending)) return infos;
  auto beside = side_certificates();
  if (!beside) return beside.take_error();
  for (auto& info : *beside) {
    const bool is_on_card = std::any_of(listed->begin(), listed->end(), [&](const auto& other) {
      return !other.entry.authority && other.entry.id == info.id;
    });
    if (!is_on_card) infos.push_back(std::move(info));
  }
  return infos;
}

Result<Directory> KzidCard::list_classes(const ObjectClasses& which) {
  begin();
  Directory found;
  if (which.private_keys) {
    auto keys = private_keys(which.public_keys);
    if (!keys) return keys.take_error().within("listing private keys");
    found.keys = std::move(*keys);
  }
  if (which.public_keys) {
    auto keys = public_keys();
    if (!keys) return keys.take_error().within("listing public keys");
    found.public_keys = std::move(*keys);
  }
  if (which.certificates) {
    auto all = all_certificates();
    if (!all) return all.take_error().within("listing certificates");
    found.certificates = std::move(*all);
  }
  return found;
}

// ---- bodies ----------------------------------------------------------------------------------

Result<PublicKey> KzidCard::key_value(std::uint8_t number) {
  if (number < key::first || number > key::last) return gone("the key");
  auto object = keys_.look(number);
  if (!object) return object.take_error();
  if (object->state == KeyObject::State::unknown) return no_answer(number, *object);
  if (object->state != KeyObject::State::full) return gone("the key");
  return object->key;
}

Result<PublicKey> KzidCard::read_public_key(const ObjectRef& key) {
  begin();
  if (key.token > key::last) return gone("the key");
  return key_value(static_cast<std::uint8_t>(key.token));
}

Result<Bytes> KzidCard::read_certificate(const ObjectRef& certificate) {
  begin();
  if ((certificate.token & side_token) != 0) {
    auto key = key_value(static_cast<std::uint8_t>(certificate.token));
    if (!key) return key.take_error();
    auto der = side_files_.read(*key);
    if (!der) return gone("the certificate");
    return *der;
  }
  auto listed = certificates();
  if (!listed) return listed.take_error();
  const auto found = std::find_if(listed->begin(), listed->end(), [&](const auto& candidate) {
    return candidate.file == certificate.token;
  });
  if (found == listed->end()) return gone("the certificate");
  if (const auto known = bodies_.find(found->file); known != bodies_.end()) return known->second;
  auto der = place_.read_value(found->file);
  if (!der) return der.take_error().within("reading a certificate");
  bodies_[found->file] = *der;
  return der;
}

Result<Bytes> KzidCard::read_data(const ObjectRef&) {
  return Error{ErrorKind::unsupported, "an ID card keeps no data objects"};
}

}  // namespace kilt::card::kzid
