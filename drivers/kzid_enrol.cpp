// SPDX-License-Identifier: Apache-2.0
// Keys made on an ID card.
#include <algorithm>

#include "drivers/certificate.hpp"
#include "drivers/kzid_card.hpp"

namespace kilt::card::kzid {
namespace {

/// The card signs and nothing else. Programs ask for more than they use (a template of PKCS #11
/// that says nothing of decryption means it), so that is left out without a word; but a key that is
/// not to sign is not made.
Status check_request(const GenerateRequest& request) {
  if (request.type != KeyType::rsa || request.bits != key::bits) {
    return Error{ErrorKind::unsupported, "an ID card makes RSA keys of 2048 bits only"};
  }
  if (!request.usage.sign && !request.usage.non_repudiation) {
    return Error{ErrorKind::unsupported,
                 "an ID card's keys sign and do nothing else, and this one is not to sign"};
  }
  if (auto status = check_names(request.id, request.private_label); !status) return status;
  return check_names({}, request.public_label);
}

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

/// That 6A88 stands for an empty object is inferred [facts kzid B5], and GENERATE overwrites what
/// is there. So it is not enough where an entry names a key in the object, where a key was found
/// that no entry names (another program makes them here), or where there are no entries at all.
Result<bool> KzidCard::is_doubtful(std::uint8_t number) {
  auto has_directories = directories_.exist();
  if (!has_directories) return has_directories.take_error();
  if (!*has_directories) return true;
  auto all = described();
  if (!all) return all.take_error();
  if (all->keys.contains(number) || all->public_keys.contains(number)) return true;
  for (std::uint8_t other = key::first; other <= key::last; ++other) {
    const auto* object = keys_.known(other);
    const bool is_full = object != nullptr && object->state == KeyObject::State::full;
    if (is_full && !all->keys.contains(other)) return true;
  }
  return false;
}

Result<std::uint8_t> KzidCard::empty_object() {
  std::string absent, unknown;
  const auto add = [](std::string& list, std::uint8_t number) {
    list += (list.empty() ? "" : ", ") + to_hex(Bytes{number}).substr(1);
  };
  for (std::uint8_t number = key::first; number <= key::last; ++number) {
    auto object = keys_.look(number);
    if (!object) return object.take_error();
    if (object->state == KeyObject::State::empty) {
      auto doubtful = is_doubtful(number);
      if (!doubtful) return doubtful.take_error();
      if (*doubtful) {
        if (auto sure = keys_.confirm_empty(number); !sure) return sure.take_error();
      }
      return number;
    }
    if (object->state == KeyObject::State::absent) add(absent, number);
    if (object->state == KeyObject::State::unknown) add(unknown, number);
  }
  std::string text = "no key object of the card is empty";
  if (!absent.empty()) text += " (this one has no key object " + absent + ")";
  if (!unknown.empty()) text += "; it does not say what key object " + unknown + " holds";
  return Error{ErrorKind::no_space,
               text +
                   "; a new pair would destroy an old one, so delete a key that is no longer "
                   "needed first"};
}

/// Whether a private key has this id, be it one that cannot be looked into.
Result<bool> KzidCard::is_taken(const Bytes& id) {
  auto keys = private_keys(true);
  if (!keys) return keys.take_error();
  auto named = described_keys();
  if (!named) return named.take_error();
  if (id.empty()) return false;
  const auto is_hidden = [&](const auto& entry) {
    const auto* object = keys_.known(entry.first);
    return entry.second.id == id && object != nullptr && object->state == KeyObject::State::unknown;
  };
  return std::any_of(keys->begin(), keys->end(),
                     [&](const KeyInfo& own) { return own.id == id; }) ||
         std::any_of(named->begin(), named->end(), is_hidden);
}

Result<KeyPair> KzidCard::generate(const GenerateRequest& request) {
  if (auto status = check_request(request); !status) return status.take_error();
  if (auto status = prepare_write("generating a key pair"); !status) return status.take_error();
  auto has_directories = directories_.exist();
  if (!has_directories) return has_directories.take_error();
  if (!*has_directories && !request.id.empty()) {
    return Error{ErrorKind::unsupported,
                 "this ID card has no directory that could keep an id; leave it out, and the key's "
                 "own will be the SHA-1 of its modulus"};
  }
  auto taken = is_taken(request.id);
  if (!taken) return taken.take_error();
  if (*taken) {
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

/// Names a pair that is about to be made: its public half's entry is seen when the object holds a
/// key, so that a power cut after GENERATE leaves a pair with its name.
Status KzidCard::announce(std::uint8_t number, const pkcs15::PublicKeyEntry& half) {
  if (auto status = begin_application(); !status) return status;
  if (auto status = describe_all(); !status) return status;
  // What an interrupted deletion left of an older key.
  if (auto status = set_entry(Kind::private_keys, number, std::nullopt); !status) return status;
  return set_entry(Kind::public_keys, number, pkcs15::encode(half));
}

namespace {

/// Something failed when the pair was there already.
Error made_but(std::uint8_t number, const Error& cause) {
  Error error = cause.within("the pair was made in key object " + to_hex(Bytes{number}).substr(1) +
                             " of the card, but what belongs to it was not");
  // Who restores a lost login and repeats the request would make a second pair.
  if (error.kind == ErrorKind::not_logged_in) error.kind = ErrorKind::card_state;
  return error;
}

}  // namespace

Result<KeyPair> KzidCard::make_pair(const GenerateRequest& request, std::uint8_t number,
                                    bool is_described) {
  const KeyUsage usage = usable(request.usage);
  auto half = public_entry(number, request.public_label, request.id, usage, key::bits);
  if (is_described) {
    if (auto status = announce(number, half); !status) return status.take_error();
  }
  if (auto made = keys_.generate(number); !made) {
    if (is_described && made.error().kind != ErrorKind::removed)
      (void)set_entry(Kind::public_keys, number, std::nullopt);
    return made.take_error();
  }
  auto value = key_value(number);
  if (!value) return made_but(number, value.take_error());
  auto entry = undescribed(number, *value);
  if (!is_described) {
    half.common.label = entry.common.label;
    half.id = entry.id;
    return KeyPair{key_info(number, entry), public_info(number, half, false), *value};
  }
  entry.common.modifiable = true;
  entry.common.label = request.private_label;
  if (!request.id.empty()) entry.id = request.id;
  entry.usage = usage;
  entry.local = entry.always_sensitive = entry.never_extractable = true;
  entry.subject = request.subject;
  Status named;
  if (std::exchange(half.id, entry.id).empty())
    named = set_entry(Kind::public_keys, number, pkcs15::encode(half));
  if (named) named = set_entry(Kind::private_keys, number, pkcs15::encode(entry));
  if (!named) return made_but(number, named.take_error());
  return KeyPair{key_info(number, entry), public_info(number, half, true), *value};
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

}  // namespace kilt::card::kzid
