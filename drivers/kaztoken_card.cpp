// SPDX-License-Identifier: Apache-2.0
// Looking at a Kaztoken: what it is, what is on it. Nothing here writes but the logout.
#include "drivers/kaztoken_card.hpp"

#include <algorithm>

#include "apdu/tlv.hpp"
#include "drivers/certificate.hpp"

namespace kilt::card::kaztoken {
namespace {

constexpr const char* manufacturer = "Aktiv Co.";

KeyInfo key_info(std::uint32_t token, const pkcs15::PrivateKey& entry) {
  KeyInfo info;
  info.ref = {ObjectClass::private_key, token};
  info.label = entry.common.label;
  info.id = entry.id;
  info.type = entry.type;
  info.bits = entry.bits;
  info.usage = entry.usage;
  info.subject = entry.subject;
  info.local = entry.local;
  info.sensitive = true;  // the chip gives no private key out, whatever the directory says
  info.always_sensitive = entry.always_sensitive;
  info.never_extractable = entry.never_extractable;
  info.always_authenticate = entry.common.user_consent;
  info.modifiable = entry.common.modifiable;
  return info;
}

/// A key that no directory describes: what can be said from its number alone.
pkcs15::PrivateKey undescribed(const RawKey& raw) {
  pkcs15::PrivateKey entry;
  entry.common.label = "key " + std::to_string(raw.reference);
  entry.common.auth_id = {pin::user};
  entry.common.modifiable = false;
  entry.type = raw.type;
  entry.id = {raw.reference};
  entry.usage.sign = true;
  entry.usage.decrypt = raw.type == KeyType::rsa;
  entry.reference = raw.reference;
  entry.path = path_bytes(private_key_file(raw.reference));
  entry.bits = raw.bits;
  return entry;
}

/// Parses each entry; those of an unknown kind, without a usable path, or naming an object twice
/// are passed over.
template <class Listed, class Entry>
std::vector<Listed> parse_entries(const std::vector<Bytes>& raw, Result<Entry> (*parse)(ByteView)) {
  std::vector<Listed> listed;
  for (const auto& bytes : raw) {
    auto entry = parse(bytes);
    if (!entry) continue;
    auto path = parse_path(entry->path);
    if (!path) continue;
    const std::uint32_t token = path->back();
    if (std::any_of(listed.begin(), listed.end(),
                    [&](const Listed& l) { return l.token == token; }))
      continue;
    listed.push_back({token, std::move(*path), std::move(*entry), bytes});
  }
  return listed;
}

template <class Listed>
const Listed* find_token(const std::vector<Listed>& list, std::uint32_t token) {
  const auto found =
      std::find_if(list.begin(), list.end(), [&](const Listed& l) { return l.token == token; });
  return found == list.end() ? nullptr : &*found;
}

Error gone(const char* what) {
  return {ErrorKind::not_found, std::string(what) + " is not on the card"};
}

}  // namespace

KaztokenCard::KaztokenCard(std::unique_ptr<Link> link)
    : link_(std::move(link)),
      files_(*link_, file_commands),
      pins_(*link_),
      application_(files_),
      keys_(*link_, files_) {}

void KaztokenCard::forget_state() {
  files_.forget();
  keys_.forget();
  pins_.forget();
}

void KaztokenCard::forget_objects() {
  application_.forget();
  undescribed_.reset();
  bodies_.clear();
  public_values_.clear();
  used_.clear();
}

Result<std::string> KaztokenCard::serial() {
  if (!serial_) {
    const auto answer = link_->send(command::serial());
    if (auto status = check(answer, "reading the serial number"); !status)
      return status.take_error();
    if (answer->data.empty() || answer->data.size() > 16) {
      return Error{ErrorKind::protocol, "the card's serial number makes no sense"};
    }
    serial_ = answer->data;
  }
  // The low four bytes are printed on the device [facts kaztoken §4.7].
  ByteView digits = *serial_;
  while (digits.size() > 4 && digits.front() == 0)
    digits = digits.subspan(1);
  return to_hex(digits);
}

Result<TokenInfo> KaztokenCard::token_info() {
  begin();
  TokenInfo info;
  auto number = serial();
  if (!number) return number.take_error();
  info.serial = *number;
  info.label = kaztoken::model().name;
  info.manufacturer = manufacturer;
  info.has_random = true;
  const auto version = link_->send(command::device_information());
  if (!version) return version.error().within("reading the device's version");
  if (version->ok() && version->data.size() >= 6) {
    const auto& v = version->data;
    info.hardware_version = std::to_string(v[1] >> 4) + "." + std::to_string(v[1] & 0xF);
    info.firmware_version = std::to_string(v[4]) + "." + std::to_string(v[5]);
  }
  auto described = cached_file(file::token_info);
  if (described) {
    if (const auto parsed = pkcs15::parse_token_info(*described)) {
      if (!parsed->label.empty()) info.label = parsed->label;
      if (!parsed->manufacturer.empty()) info.manufacturer = parsed->manufacturer;
    }
    return info;
  }
  if (described.error().kind != ErrorKind::not_found) return described.take_error();
  // No application: as its maker sold it, or blank. A blank card has no MF either.
  const auto root = files_.select({});
  if (!root && root.error().kind != ErrorKind::not_found) return root.error();
  info.initialized = root.ok();
  return info;
}

Status KaztokenCard::login_from_pad(Role role) {
  bodies_.clear();
  return pins_.login_from_pad(role);
}

Status KaztokenCard::login(Role role, const SecretBytes& pin) {
  bodies_.clear();
  return pins_.login(role, pin);
}

Status KaztokenCard::logout() {
  bodies_.clear();
  write_last_update();
  return pins_.logout();
}

Result<Bytes> KaztokenCard::cached_file(const FilePath& path) {
  if (const auto known = bodies_.find(path); known != bodies_.end()) return known->second;
  auto content = files_.read_file(path);
  if (!content) return content;
  bodies_[path] = *content;
  return content;
}

// ---- listing ---------------------------------------------------------------------------------

Result<std::vector<KaztokenCard::ListedKey>> KaztokenCard::private_keys() {
  auto exists = application_.exists();
  if (!exists) return exists.take_error();
  if (!*exists) {
    if (!undescribed_) {
      auto found = keys_.scan();
      if (!found) return found.take_error();
      undescribed_ = std::move(*found);
    }
    std::vector<ListedKey> listed;
    for (const auto& key : *undescribed_) {
      listed.push_back({key.reference, private_key_file(key.reference), undescribed(key), {}});
    }
    return listed;
  }
  auto entries = application_.entries(Kind::private_keys);
  if (!entries) return entries.take_error();
  auto listed = parse_entries<ListedKey>(*entries, pkcs15::parse_private_key);
  // The chip names a key by one byte; other entries are none of this card's.
  std::erase_if(listed, [](const ListedKey& key) {
    return key.token == 0 || key.token > 0xFF ||
           key.path != private_key_file(static_cast<std::uint8_t>(key.token));
  });
  return listed;
}

Result<std::vector<KaztokenCard::ListedPublicKey>> KaztokenCard::public_keys() {
  auto entries = application_.entries(Kind::public_keys);
  if (!entries) return entries.take_error();
  auto listed = parse_entries<ListedPublicKey>(*entries, pkcs15::parse_public_key);
  const bool some_name_a_key = std::any_of(
      listed.begin(), listed.end(), [](const auto& key) { return key.entry.reference != 0; });
  if (!some_name_a_key) return listed;
  // An entry of ours names its private key. Where that has no entry, key generation was cut off
  // between the two directories: the pair was never finished, so it is not shown.
  auto keys = private_keys();
  if (!keys) return keys.take_error();
  std::erase_if(listed, [&](const ListedPublicKey& key) {
    return key.entry.reference != 0 && !find_token(*keys, key.entry.reference);
  });
  return listed;
}

Result<std::vector<KaztokenCard::ListedCertificate>> KaztokenCard::certificates() {
  auto entries = application_.entries(Kind::certificates);
  if (!entries) return entries.take_error();
  return parse_entries<ListedCertificate>(*entries, pkcs15::parse_certificate);
}

Result<std::vector<KaztokenCard::Listed<pkcs15::DataEntry>>> KaztokenCard::data_objects() {
  auto entries = application_.entries(Kind::data);
  if (!entries) return entries.take_error();
  return parse_entries<Listed<pkcs15::DataEntry>>(*entries, pkcs15::parse_data);
}

Result<Directory> KaztokenCard::list_classes(const ObjectClasses& which) {
  begin();
  Directory found;
  if (which.private_keys || which.public_keys) {
    auto keys = private_keys();
    if (!keys) return keys.take_error().within("listing private keys");
    for (const auto& key : *keys)
      found.keys.push_back(key_info(key.token, key.entry));
  }
  if (which.public_keys) {
    auto keys = public_keys();
    if (!keys) return keys.take_error().within("listing public keys");
    for (const auto& key : *keys) {
      const auto& entry = key.entry;
      const bool local = std::any_of(found.keys.begin(), found.keys.end(), [&](const KeyInfo& own) {
        return own.id == entry.id && own.local;
      });
      found.public_keys.push_back({{ObjectClass::public_key, key.token},
                                   entry.common.label,
                                   entry.id,
                                   entry.type,
                                   entry.bits,
                                   entry.usage,
                                   local});
    }
  }
  if (which.certificates) {
    auto all = certificates();
    if (!all) return all.take_error().within("listing certificates");
    for (const auto& [token, path, entry, raw] : *all) {
      found.certificates.push_back({{ObjectClass::certificate, token},
                                    entry.common.label,
                                    entry.id,
                                    entry.authority,
                                    entry.trusted});
    }
  }
  if (which.data) {
    auto all = data_objects();
    if (!all) return all.take_error().within("listing data objects");
    for (const auto& [token, path, entry, raw] : *all) {
      if (entry.common.is_private && pins_.role() != Role::user) continue;
      found.data.push_back({{ObjectClass::data, token},
                            entry.common.label,
                            entry.application,
                            entry.object_id,
                            entry.common.is_private});
    }
  }
  return found;
}

// ---- bodies ----------------------------------------------------------------------------------

Result<PublicKey> KaztokenCard::public_value(const ListedPublicKey& key) {
  if (const auto known = public_values_.find(key.path); known != public_values_.end())
    return known->second;
  if (key.entry.type != KeyType::rsa) {
    return Error{ErrorKind::unsupported, "reading GOST public keys of this card is not supported"};
  }
  auto content = files_.read_file(key.path);
  if (!content) return content.take_error().within("reading a public key");
  // The file may be longer than the value; what follows is filler.
  const auto value = apdu::find_tag(*content, 0x30);
  if (!value)
    return Error{ErrorKind::protocol, "the file " + to_string(key.path) + " holds no public key"};
  const std::size_t length =
      static_cast<std::size_t>(value->data() - content->data()) + value->size();
  auto parsed = parse_rsa_public_key(ByteView(*content).first(length));
  if (!parsed) return parsed.take_error().within("reading a public key");
  public_values_[key.path] = *parsed;
  return parsed;
}

/// The public key that belongs to a private one: by id, and where several have it by the private
/// key's number.
const KaztokenCard::ListedPublicKey* KaztokenCard::public_half(
    const std::vector<ListedPublicKey>& all, std::uint32_t token, const Bytes& id,
    std::size_t bits) {
  const ListedPublicKey* found = nullptr;
  for (const auto& candidate : all) {
    if (candidate.entry.id != id || candidate.entry.bits != bits) continue;
    if (candidate.entry.reference == token) return &candidate;
    // Without an id nothing but the number says that two belong together.
    if (!found && !id.empty()) found = &candidate;
  }
  return found;
}

const KaztokenCard::ListedPublicKey* KaztokenCard::same_number(
    const std::vector<ListedPublicKey>& all, std::uint32_t token, std::size_t bits) {
  for (const auto& candidate : all) {
    if (candidate.entry.reference == token && candidate.entry.bits == bits) return &candidate;
  }
  return nullptr;
}

/// The other way round: the private key with the id of a public one, or with its number.
const KaztokenCard::ListedKey* KaztokenCard::private_half(const std::vector<ListedKey>& all,
                                                          const ListedPublicKey& half) {
  for (const auto& key : all) {
    if (key.entry.id == half.entry.id && key.entry.type == half.entry.type) return &key;
  }
  for (const auto& key : all) {
    if (key.token == half.entry.reference && key.entry.type == half.entry.type &&
        key.entry.bits == half.entry.bits) {
      return &key;
    }
  }
  return nullptr;
}

Result<PublicKey> KaztokenCard::read_public_key(const ObjectRef& key) {
  begin();
  auto all = public_keys();
  if (!all) return all.take_error();
  const ListedPublicKey* wanted = nullptr;
  if (key.object_class == ObjectClass::private_key) {
    auto keys = private_keys();
    if (!keys) return keys.take_error();
    const auto* own = find_token(*keys, key.token);
    if (!own) return gone("the private key");
    wanted = public_half(*all, own->token, own->entry.id, own->entry.bits);
    // Clients rename one half before the other (Java); the pair still has one number.
    if (!wanted) wanted = same_number(*all, own->token, own->entry.bits);
    if (!wanted) return gone("the public half of this key");
  } else {
    wanted = find_token(*all, key.token);
    if (!wanted) return gone("the public key");
  }
  return public_value(*wanted);
}

Result<Bytes> KaztokenCard::read_certificate(const ObjectRef& certificate) {
  begin();
  auto all = certificates();
  if (!all) return all.take_error();
  const auto* listed = find_token(*all, certificate.token);
  if (!listed) return gone("the certificate");
  auto content = cached_file(listed->path);
  if (!content) return content.take_error().within("reading a certificate");
  // The file may be longer than the certificate.
  if (const auto value = apdu::find_tag(*content, 0x30)) {
    content->resize(static_cast<std::size_t>(value->data() - content->data()) + value->size());
  }
  return content;
}

Result<Bytes> KaztokenCard::read_data(const ObjectRef& data) {
  begin();
  auto all = data_objects();
  if (!all) return all.take_error();
  const auto* listed = find_token(*all, data.token);
  if (!listed) return gone("the data object");
  if (listed->entry.common.is_private) {
    if (auto status = pins_.require_user("reading a private data object"); !status)
      return status.take_error();
  }
  const apdu::Channel::Privacy privacy(link_->channel(), listed->entry.common.is_private);
  auto content = cached_file(listed->path);
  if (!content) return content.take_error().within("reading a data object");
  return content;
}

}  // namespace kilt::card::kaztoken
