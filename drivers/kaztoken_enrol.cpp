// SPDX-License-Identifier: Apache-2.0
// Making and importing keys on a Kaztoken. The value comes first, the directory that makes it seen
// last; what a failed operation made is taken away again.
#include <algorithm>

#include "drivers/certificate.hpp"
#include "drivers/kaztoken_card.hpp"
#include "drivers/rsa_check.hpp"

namespace kilt::card::kaztoken {

namespace {

Status check_bits(std::size_t bits) {
  const auto& rsa = model().capabilities.front();
  if (bits >= rsa.min_bits && bits <= rsa.max_bits && (bits - rsa.min_bits) % rsa.bits_step == 0)
    return {};
  return Error{ErrorKind::unsupported, "this card has no RSA keys of " + std::to_string(bits) +
                                           " bits; it has 1024 to 2048 in steps of 256"};
}

}  // namespace

/// What the directories will say of a key pair.
struct KaztokenCard::NewPair {
  std::string private_label, public_label;
  KeyUsage usage;
  Bytes id, subject;
  PublicKey value;
  FilePath public_file;
};

Status KaztokenCard::prepare_write(const char* what) {
  begin();
  if (auto status = pins_.require_user(what); !status) return status;
  // Never write a directory back that was read before this transaction.
  application_.forget();
  undescribed_.reset();
  auto exists = application_.exists();
  if (!exists) return exists.take_error();
  if (*exists) return {};
  if (auto status = adopt(); !status) {
    return status.take_error().within("setting up the card's directory of objects");
  }
  application_.forget();
  return {};
}

void KaztokenCard::undo(const std::vector<FilePath>& files, const Error& why) {
  application_.forget();
  undescribed_.reset();
  // A directory may name them by now; and what none names is found, and taken, by the next change.
  if (!did_nothing(why)) return;
  for (const auto& path : files)
    (void)files_.remove(path);
}

Status KaztokenCard::check_new_key(const Bytes& id, const std::string& label, std::size_t bits) {
  if (auto status = check_bits(bits); !status) return status;
  if (auto status = check_names(id, label); !status) return status;
  auto keys = private_keys();
  if (!keys) return keys.take_error();
  const bool taken =
      !id.empty() && std::any_of(keys->begin(), keys->end(),
                                 [&](const ListedKey& key) { return key.entry.id == id; });
  if (taken) {
    return Error{ErrorKind::exists, "the card has a private key with the id " + to_hex(id) +
                                        " already; choose another id or delete that key first"};
  }
  return {};
}

/// Files that the directory of public keys names, also those of pairs that were never finished.
Result<std::vector<std::uint16_t>> KaztokenCard::public_key_files() {
  auto entries = application_.entries(Kind::public_keys);
  if (!entries) return entries.take_error();
  std::vector<std::uint16_t> ids;
  for (const auto& raw : *entries) {
    const auto entry = pkcs15::parse_public_key(raw);
    const auto path = entry ? parse_path(entry->path) : Result<FilePath>(entry.error());
    if (path && *path == in_application(path->back())) ids.push_back(path->back());
  }
  return ids;
}

Result<KaztokenCard::ListedPublicKey> KaztokenCard::write_public_key(const NewPair& pair,
                                                                     std::uint32_t reference) {
  const Bytes value = rsa_public_key(pair.value);
  if (auto status = application_.write_value(pair.public_file, value); !status)
    return status.take_error();
  ListedPublicKey made;
  made.token = pair.public_file.back();
  made.path = pair.public_file;
  made.entry.common.label = pair.public_label;
  made.entry.id = pair.id;
  made.entry.usage = pair.usage;
  made.entry.reference = reference;
  made.entry.path = path_bytes(pair.public_file);
  made.entry.bits = pair.value.bits();
  made.raw = pkcs15::encode(made.entry);
  if (auto status = application_.add(Kind::public_keys, made.raw); !status) {
    return status.take_error();
  }
  public_values_[pair.public_file] = pair.value;
  return made;
}

Result<KeyInfo> KaztokenCard::write_private_key(const NewPair& pair, std::uint32_t reference,
                                                bool local) {
  pkcs15::PrivateKey entry;
  entry.common.label = pair.private_label;
  entry.common.auth_id = {pin::user};
  entry.id = pair.id;
  entry.usage = pair.usage;
  entry.local = entry.always_sensitive = entry.never_extractable = local;
  entry.reference = reference;
  entry.subject = pair.subject;
  entry.path = path_bytes(private_key_file(static_cast<std::uint8_t>(reference)));
  entry.bits = pair.value.bits();
  if (auto status = application_.add(Kind::private_keys, pkcs15::encode(entry)); !status)
    return status.take_error();
  note_change();
  KeyInfo info;
  info.ref = {ObjectClass::private_key, reference};
  info.label = entry.common.label;
  info.id = entry.id;
  info.bits = entry.bits;
  info.usage = entry.usage;
  info.subject = entry.subject;
  info.local = info.always_sensitive = info.never_extractable = local;
  return info;
}

namespace {

PublicKeyInfo public_info(std::uint32_t token, const pkcs15::PublicKeyEntry& entry, bool local) {
  return {{ObjectClass::public_key, token},
          entry.common.label,
          entry.id,
          entry.type,
          entry.bits,
          entry.usage,
          local};
}

}  // namespace

Result<KeyPair> KaztokenCard::generate(const GenerateRequest& request) {
  if (request.type != KeyType::rsa) {
    return Error{ErrorKind::unsupported, "generating GOST keys on this card is not supported"};
  }
  if (auto status = check_bits(request.bits); !status) return status.take_error();
  if (auto status = prepare_write("generating a key pair"); !status) return status.take_error();
  if (auto status = check_new_key(request.id, request.private_label, request.bits); !status)
    return status.take_error();
  if (auto status = check_names({}, request.public_label); !status) return status.take_error();
  NewPair pair{request.private_label,
               request.public_label,
               request.usage,
               request.id,
               request.subject,
               {},
               {}};
  pair.value.exponent = {0x01, 0x00, 0x01};
  pair.value.modulus = Bytes(request.bits / 8, 0xFF);
  auto reference = create_files(pair);
  if (!reference) return reference.take_error().within("generating a key pair");
  auto modulus = keys_.generate(*reference, request.bits);
  Status filled;
  if (modulus) {
    pair.value.modulus = std::move(*modulus);
    if (pair.id.empty()) pair.id = default_key_id(pair.value);
  } else {
    filled = modulus.take_error();
  }
  auto made = finish_pair(pair, *reference, std::move(filled), true);
  if (!made) return made.take_error().within("generating a key pair");
  return made;
}

/// Files for both halves and for the public value, empty. The file for the value comes first: room
/// for it is certain before a minute of computing, and the application stays the current DF for the
/// key's own files.
Result<std::uint8_t> KaztokenCard::create_files(NewPair& pair) {
  auto keys = private_keys();
  auto used = public_key_files();
  if (!keys) return keys.take_error();
  if (!used) return used.take_error();
  std::vector<std::uint32_t> references;
  for (const auto& key : *keys)
    references.push_back(key.token);
  auto file = application_.create_value(file::public_key, *used, rsa_public_key(pair.value).size(),
                                        rights::users_file());
  if (!file) return file.take_error();
  pair.public_file = *file;
  auto reference = keys_.create_pair(pair.value.bits(), references);
  if (!reference) undo({*file}, reference.error());
  return reference;
}

/// Enters a pair whose halves are filled into both directories, or takes it away again.
Result<KeyPair> KaztokenCard::finish_pair(const NewPair& pair, std::uint8_t reference,
                                          Status filled, bool local) {
  const std::vector<FilePath> made{public_key_file(reference), private_key_file(reference),
                                   pair.public_file};
  if (!filled) {
    undo(made, filled.error());
    return filled.take_error();
  }
  auto public_key = write_public_key(pair, reference);
  if (!public_key) {
    undo(made, public_key.error());
    return public_key.take_error();
  }
  auto private_key = write_private_key(pair, reference, local);
  if (!private_key) {
    if (did_nothing(private_key.error())) {
      (void)replace_entry(Kind::public_keys, public_key->raw, std::nullopt);
    }
    undo(made, private_key.error());
    return private_key.take_error();
  }
  return KeyPair{std::move(*private_key), public_info(public_key->token, public_key->entry, local),
                 pair.value};
}

Result<KeyInfo> KaztokenCard::import_private_key(const ImportRequest& request, RsaPrivateKey key) {
  PublicKey value;
  value.modulus = key.modulus;
  value.exponent = key.public_exponent;
  const std::size_t bits = value.bits();
  if (auto status = check_bits(bits); !status) return status.take_error();
  while (key.modulus.size() > bits / 8)
    key.modulus.erase(key.modulus.begin());
  value.modulus = key.modulus;
  if (auto status = check_private_key(key); !status) return status.take_error();
  if (auto status = prepare_write("importing a private key"); !status) return status.take_error();
  if (auto status = check_new_key(request.id, request.label, bits); !status)
    return status.take_error();
  NewPair pair{request.label, request.label, request.usage, request.id, request.subject, value, {}};
  if (pair.id.empty()) pair.id = default_key_id(value);
  auto reference = create_files(pair);
  if (!reference) return reference.take_error().within("importing a private key");
  auto made = finish_pair(pair, *reference, keys_.load(*reference, key), false);
  if (!made) return made.take_error().within("importing a private key");
  return std::move(made->private_key);
}

Result<PublicKeyInfo> KaztokenCard::store_public_key(const ImportRequest& request,
                                                     const PublicKey& key) {
  if (key.type != KeyType::rsa) {
    return Error{ErrorKind::unsupported, "storing GOST public keys on this card is not supported"};
  }
  if (key.modulus.empty() || key.exponent.empty()) {
    return Error{ErrorKind::bad_argument, "a public key needs a modulus and an exponent"};
  }
  if (auto status = check_names(request.id, request.label); !status) return status.take_error();
  if (auto status = prepare_write("storing a public key"); !status) return status.take_error();
  auto publics = public_keys();
  if (!publics) return publics.take_error();
  NewPair pair{{}, request.label, request.usage, request.id, {}, key, {}};
  if (pair.id.empty()) pair.id = default_key_id(key);
  // Importing a private key stored its public half; a client that stores it again means the same.
  for (const auto& known : *publics) {
    if (known.entry.id != pair.id || known.entry.bits != key.bits()) continue;
    auto same = has_value(known, key);
    if (!same) return same.take_error();
    if (*same) return relabel(known, request.label);
  }
  auto used = public_key_files();
  if (!used) return used.take_error();
  auto file = application_.create_value(file::public_key, *used, rsa_public_key(key).size(),
                                        rights::users_file());
  if (!file) return file.take_error().within("storing a public key");
  pair.public_file = *file;
  auto listed = write_public_key(pair, 0);
  if (!listed) {
    undo({*file}, listed.error());
    return listed.take_error().within("storing a public key");
  }
  note_change();
  return public_info(listed->token, listed->entry, false);
}

Result<PublicKeyInfo> KaztokenCard::relabel(const ListedPublicKey& key, const std::string& label) {
  auto changed = pkcs15::rewrite(Kind::public_keys, key.raw, {label, {}, {}, {}});
  if (!changed) return changed.take_error();
  if (auto status = replace_entry(Kind::public_keys, key.raw, std::move(*changed)); !status) {
    application_.forget();
    return status.take_error().within("storing a public key");
  }
  note_change();
  auto entry = key.entry;
  entry.common.label = label;
  return public_info(key.token, entry, false);
}

}  // namespace kilt::card::kaztoken
