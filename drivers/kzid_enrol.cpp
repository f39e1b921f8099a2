// SPDX-License-Identifier: Apache-2.0
// Keys and certificates made on an ID card. The value comes first, the directory entry that makes
// it seen last.
#include <algorithm>

#include "drivers/certificate.hpp"
#include "drivers/kzid_card.hpp"

namespace kilt::card::kzid {
namespace {

Status check_names(ByteView id, std::string_view label) {
  if (label.size() > key::longest_label) {
    return Error{ErrorKind::bad_argument, "a label may have 255 bytes at most"};
  }
  if (id.size() > key::longest_id) {
    return Error{ErrorKind::bad_argument, "an id may have 64 bytes at most"};
  }
  return {};
}

/// The card signs and nothing else, whatever a key was made for.
KeyUsage usable(const KeyUsage& wanted) {
  KeyUsage usage;
  usage.non_repudiation = wanted.non_repudiation;
  usage.sign = true;
  return usage;
}

pkcs15::PublicKeyEntry public_entry(std::uint8_t number, const std::string& label, const Bytes& id,
                                    const KeyUsage& usage, std::size_t bits) {
  pkcs15::PublicKeyEntry entry;
  entry.common.label = label;
  entry.id = id;
  entry.usage = usage;
  entry.reference = key::reference(number);
  entry.path = path_bytes();
  entry.bits = bits;
  return entry;
}

}  // namespace

/// A directory that was read before this transaction is never written back, and nothing is written
/// where another program may have led the card.
Status KzidCard::begin_write() {
  begin();
  forget_objects();
  return place_.enter_surely();
}

Status KzidCard::prepare_write(const char* what) {
  if (auto status = pins_.require_user(what); !status) return status;
  return begin_write();
}

/// Puts the entry of a key object into a directory, in the place of an older one.
Status KzidCard::set_entry(Kind kind, std::uint8_t number, std::optional<Bytes> entry) {
  auto all = directories_.entries(kind);
  if (!all) return all.take_error();
  const auto names_it = [&](const Bytes& raw) {
    if (kind == Kind::private_keys) {
      const auto key = pkcs15::parse_private_key(raw);
      return key && number_of(key->reference) == number;
    }
    const auto key = pkcs15::parse_public_key(raw);
    return key && number_of(key->reference) == number;
  };
  const auto old = std::find_if(all->begin(), all->end(), names_it);
  if (old != all->end() && entry) {
    *old = std::move(*entry);
  } else if (old != all->end()) {
    all->erase(old);
  } else if (entry) {
    all->push_back(std::move(*entry));
  }
  return directories_.store(kind, std::move(*all));
}

/// Enters every key that the directories do not know, so that each can be named and found.
Status KzidCard::describe_all() {
  auto keys = private_keys(true);
  if (!keys) return keys.take_error();
  auto all = described();
  if (!all) return all.take_error();
  for (const auto& info : *keys) {
    const auto number = static_cast<std::uint8_t>(info.ref.token);
    if (all->keys.contains(number)) continue;
    if (!all->public_keys.contains(number)) {
      const auto entry = public_entry(number, info.label, info.id, info.usage, info.bits);
      if (auto status = set_entry(Kind::public_keys, number, pkcs15::encode(entry)); !status)
        return status;
    }
    const auto* object = keys_.known(number);
    auto entry = undescribed(number, object->key);
    entry.common.label = info.label;
    entry.common.modifiable = true;
    entry.id = info.id;
    entry.usage = info.usage;
    if (auto status = set_entry(Kind::private_keys, number, pkcs15::encode(entry)); !status)
      return status;
  }
  return {};
}

Result<std::uint8_t> KzidCard::empty_object() {
  std::string absent;
  for (std::uint8_t number = key::first; number <= key::last; ++number) {
    auto object = keys_.look(number);
    if (!object) return object.take_error();
    if (object->state == KeyObject::State::empty) return number;
    if (object->state == KeyObject::State::absent) {
      absent += (absent.empty() ? " (this one has no key object " : ", ") +
                to_hex(Bytes{number}).substr(1);
    }
  }
  return Error{ErrorKind::no_space,
               "no key object of the card is empty" + absent + (absent.empty() ? "" : ")") +
                   "; a new pair would destroy an old one, so delete a key that is no longer "
                   "needed first"};
}

// ---- keys ------------------------------------------------------------------------------------

Result<KeyPair> KzidCard::generate(const GenerateRequest& request) {
  if (request.type != KeyType::rsa || request.bits != key::bits) {
    return Error{ErrorKind::unsupported, "an ID card makes RSA keys of 2048 bits only"};
  }
  if (auto status = check_names(request.id, request.private_label); !status)
    return status.take_error();
  if (auto status = check_names({}, request.public_label); !status) return status.take_error();
  if (auto status = prepare_write("generating a key pair"); !status) return status.take_error();
  auto has_directories = directories_.exist();
  if (!has_directories) return has_directories.take_error();
  if (!*has_directories && !request.id.empty()) {
    return Error{ErrorKind::unsupported,
                 "this ID card has no directory that could keep an id; leave it out, and the key's "
                 "own will be the SHA-1 of its modulus"};
  }
  auto keys = private_keys(true);
  if (!keys) return keys.take_error();
  const bool taken = std::any_of(keys->begin(), keys->end(), [&](const KeyInfo& own) {
    return !request.id.empty() && own.id == request.id;
  });
  if (taken) {
    return Error{ErrorKind::exists, "the card has a private key with the id " + to_hex(request.id) +
                                        " already; choose another id or delete that key first"};
  }
  auto number = empty_object();
  if (!number) return number.take_error();
  auto pair = make_pair(request, *number, *has_directories);
  if (!pair) {
    directories_.forget();
    return pair.take_error().within("generating a key pair");
  }
  return pair;
}

/// The first entry makes a PKCS #15 application of DF 0101: that has a TokenInfo.
Status KzidCard::begin_application() {
  if (!directories_.is_empty()) return {};
  auto number = serial();
  if (!number) return number.take_error();
  if (auto status = place_.enter_surely(); !status) return status;
  return directories_.describe_token(model().name, *number);
}

/// The public half is entered before the pair is made: it is seen when the object holds a key, and
/// a power cut after that leaves a pair with its name. The private half's entry comes last.
Result<KeyPair> KzidCard::make_pair(const GenerateRequest& request, std::uint8_t number,
                                    bool is_described) {
  const KeyUsage usage = usable(request.usage);
  auto half = public_entry(number, request.public_label, request.id, usage, key::bits);
  if (is_described) {
    if (auto status = begin_application(); !status) return status.take_error();
    if (auto status = describe_all(); !status) return status.take_error();
    // What an interrupted deletion left of an older key.
    if (auto status = set_entry(Kind::private_keys, number, std::nullopt); !status)
      return status.take_error();
    if (auto status = set_entry(Kind::public_keys, number, pkcs15::encode(half)); !status)
      return status.take_error();
  }
  if (auto made = keys_.generate(number); !made) {
    if (is_described && made.error().kind != ErrorKind::removed)
      (void)set_entry(Kind::public_keys, number, std::nullopt);
    return made.take_error();
  }
  auto value = key_value(number);
  if (!value) return value.take_error();

  auto entry = undescribed(number, *value);
  entry.common.modifiable = true;
  if (is_described) entry.common.label = request.private_label;
  if (!request.id.empty()) entry.id = request.id;
  entry.usage = usage;
  entry.local = entry.always_sensitive = entry.never_extractable = true;
  entry.subject = request.subject;
  if (!is_described) half.common.label = entry.common.label;
  const bool id_is_late = half.id.empty();
  half.id = entry.id;
  if (is_described) {
    Status status;
    if (id_is_late) status = set_entry(Kind::public_keys, number, pkcs15::encode(half));
    if (status) status = set_entry(Kind::private_keys, number, pkcs15::encode(entry));
    if (!status) return status.take_error();
  }
  KeyInfo info;
  info.ref = {ObjectClass::private_key, number};
  info.label = entry.common.label;
  info.id = entry.id;
  info.bits = value->bits();
  info.usage = usage;
  info.local = info.always_sensitive = info.never_extractable = is_described;
  info.modifiable = is_described;
  if (is_described) info.subject = entry.subject;
  return KeyPair{info,
                 {{ObjectClass::public_key, number},
                  half.common.label,
                  half.id,
                  KeyType::rsa,
                  info.bits,
                  usage,
                  is_described},
                 *value};
}

Result<KeyInfo> KzidCard::import_private_key(const ImportRequest&, RsaPrivateKey) {
  return Error{ErrorKind::unsupported,
               "nobody public says how an ID card takes a key from outside; generate one on it"};
}

Result<PublicKeyInfo> KzidCard::store_public_key(const ImportRequest&, const PublicKey&) {
  return Error{ErrorKind::unsupported, "an ID card keeps the public halves of its own keys only"};
}

Result<DataInfo> KzidCard::store_data(const DataRequest&, ByteView) {
  return Error{ErrorKind::unsupported, "an ID card keeps no data objects"};
}

// ---- certificates ----------------------------------------------------------------------------

/// The key object that holds this key. The likeliest are looked into first: each costs three
/// exchanges.
Result<std::optional<std::uint8_t>> KzidCard::key_of(const PublicKey& key, const Bytes& hint) {
  auto named = described_keys();
  if (!named) return named.take_error();
  const Bytes usual = default_key_id(key);
  const auto rank = [&](std::uint8_t number) {
    const auto entry = named->find(number);
    if (entry == named->end()) return 3;
    if (!hint.empty() && entry->second.id == hint) return 0;
    return entry->second.id == usual ? 1 : 2;
  };
  std::vector<std::uint8_t> numbers;
  for (std::uint8_t number = key::first; number <= key::last; ++number)
    numbers.push_back(number);
  std::stable_sort(numbers.begin(), numbers.end(),
                   [&](auto a, auto b) { return rank(a) < rank(b); });
  for (const auto number : numbers) {
    auto object = keys_.look(number);
    if (!object) return object.take_error();
    if (object->state == KeyObject::State::full && object->key == key)
      return std::optional<std::uint8_t>{number};
  }
  return std::optional<std::uint8_t>{};
}

namespace {

Error no_such_key() {
  return {ErrorKind::key_mismatch,
          "the certificate fits no key on the card; it is for another card, or for a key that was "
          "deleted"};
}

}  // namespace

Result<CertificateInfo> KzidCard::install_beside(const CertificateRequest& request, ByteView der) {
  auto certificate = Certificate::parse(der);
  if (!certificate) return certificate.take_error();
  auto keys = private_keys(true);
  if (!keys) return keys.take_error();
  const auto own = std::find_if(keys->begin(), keys->end(), [&](const KeyInfo& info) {
    const auto* object = keys_.known(static_cast<std::uint8_t>(info.ref.token));
    return certificate->key && object != nullptr && object->key == *certificate->key;
  });
  if (own == keys->end()) return no_such_key();
  if (request.authority || (!request.id.empty() && request.id != own->id)) {
    return Error{ErrorKind::unsupported,
                 "this ID card has no directory of certificates; beside it a certificate is kept "
                 "for its key only, under the key's id " +
                     to_hex(own->id)};
  }
  const auto there = side_files_.read(*certificate->key);
  if (there && equal(*there, der)) {
    return Error{ErrorKind::exists, "this certificate is kept for the card already, in " +
                                        side_files_.path(*certificate->key)};
  }
  if (auto status = side_files_.write(*certificate->key, der); !status) return status.take_error();
  return CertificateInfo{{ObjectClass::certificate, side_token | own->ref.token},
                         own->label,
                         own->id,
                         false,
                         false,
                         side_files_.path(*certificate->key)};
}

/// `exists` when just this certificate is on the card under this id and label.
Status KzidCard::check_not_there(const pkcs15::CertificateEntry& entry, bool any_label,
                                 ByteView der) {
  auto all = certificates();
  if (!all) return all.take_error();
  for (const auto& listed : *all) {
    if (listed.entry.id != entry.id) continue;
    if (!any_label && listed.entry.common.label != entry.common.label) continue;
    auto same = place_.begins_with(listed.file, der);
    if (!same && same.error().kind != ErrorKind::not_found) return same.take_error();
    if (same && *same) return Error{ErrorKind::exists, "this certificate is on the card already"};
  }
  return {};
}

/// Programs look keys up by subject, so it is entered where that is a single write.
void KzidCard::add_subject(std::uint8_t number, const Bytes& subject) {
  auto entries = directories_.entries(Kind::private_keys);
  if (!entries) return;
  for (const auto& raw : *entries) {
    const auto entry = pkcs15::parse_private_key(raw);
    if (!entry || number_of(entry->reference) != number || entry->subject == subject) continue;
    if (auto changed = pkcs15::rewrite(Kind::private_keys, raw, {{}, {}, subject, {}}))
      (void)replace_entry(Kind::private_keys, raw, std::move(*changed));
    return;
  }
}

Result<CertificateInfo> KzidCard::install_certificate(const CertificateRequest& request,
                                                      ByteView der) {
  constexpr const char* what = "installing a certificate";
  auto certificate = Certificate::parse(der);
  if (!certificate) return certificate.take_error().within(what);
  if (auto status = check_names(request.id, request.label); !status) return status.take_error();
  if (auto status = begin_write(); !status) return status.take_error().within(what);
  auto has_directories = directories_.exist();
  if (!has_directories) return has_directories.take_error();
  if (!*has_directories) {
    auto beside = install_beside(request, der);
    if (!beside) return beside.take_error().within(what);
    return beside;
  }
  if (auto status = pins_.require_user(what); !status) return status.take_error();
  std::optional<std::uint8_t> number;
  if (certificate->key) {
    auto found = key_of(*certificate->key, request.id);
    if (!found) return found.take_error().within(what);
    number = *found;
  }
  if (!number && !request.allow_without_key) return no_such_key();
  auto named = described_keys();
  if (!named) return named.take_error();
  pkcs15::CertificateEntry entry;
  entry.common.label = request.label.empty() ? certificate->common_name : request.label;
  if (certificate->key) entry.id = default_key_id(*certificate->key);
  if (number) {
    const auto own = named->find(*number);
    const auto key = own == named->end() ? undescribed(*number, *certificate->key) : own->second;
    if (request.label.empty()) entry.common.label = key.common.label;
    entry.id = key.id;
  }
  if (entry.common.label.size() > key::longest_label) entry.common.label = "certificate";
  if (!request.id.empty()) entry.id = request.id;
  if (entry.id.empty()) entry.id = {0x00};
  entry.authority = request.authority;
  if (auto status = check_not_there(entry, request.label.empty(), der); !status)
    return status.take_error().within(what);

  auto all = certificates();
  if (!all) return all.take_error();
  std::vector<std::uint16_t> used;
  for (const auto& listed : *all)
    used.push_back(listed.file);
  auto file = directories_.create_value(file::certificate, used, der.size());
  if (!file) return file.take_error().within(what);
  entry.path = path_bytes(*file);
  auto status = place_.write(*file, 0, der);
  if (status) status = directories_.add(Kind::certificates, pkcs15::encode(entry));
  if (!status) {
    (void)place_.remove(*file);
    directories_.forget();
    return status.take_error().within(what);
  }
  bodies_[*file] = copy_of(der);
  if (number) add_subject(*number, certificate->subject);
  return CertificateInfo{
      {ObjectClass::certificate, *file}, entry.common.label, entry.id, entry.authority, false};
}

}  // namespace kilt::card::kzid
