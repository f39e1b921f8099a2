// SPDX-License-Identifier: Apache-2.0
// Changing and deleting what is on an ID card.
#include <algorithm>

#include "drivers/kzid_card.hpp"

namespace kilt::card::kzid {

using pkcs15::Kind;
using pkcs15::kind_of;

namespace {

Error no_directories() {
  return {ErrorKind::unsupported,
          "this ID card has no directories, so its objects keep the names that kilt gives them"};
}

}  // namespace

/// The entry of an object, as it stands on the card.
Result<Bytes> KzidCard::find_entry(Kind kind, std::uint32_t token) {
  if (kind == Kind::certificates) {
    auto all = certificates();
    if (!all) return all.take_error();
    for (const auto& listed : *all) {
      if (listed.file == token) return listed.raw;
    }
    return object_gone();
  }
  auto entries = directories_.entries(kind);
  if (!entries) return entries.take_error();
  for (const auto& raw : *entries) {
    const auto private_key = kind == Kind::private_keys ? pkcs15::parse_private_key(raw)
                                                        : Result<pkcs15::PrivateKey>(object_gone());
    const auto public_key = kind == Kind::public_keys
                                ? pkcs15::parse_public_key(raw)
                                : Result<pkcs15::PublicKeyEntry>(object_gone());
    const auto reference = private_key  ? private_key->reference
                           : public_key ? public_key->reference
                                        : 0;
    const auto number = number_of(reference);
    if (number && *number == token) return raw;
  }
  return object_gone();
}

Status KzidCard::replace_entry(Kind kind, const Bytes& old, std::optional<Bytes> changed) {
  auto entries = directories_.entries(kind);
  if (!entries) return entries.take_error();
  const auto at = std::find(entries->begin(), entries->end(), old);
  if (at == entries->end()) return object_gone();
  if (changed) {
    *at = std::move(*changed);
  } else {
    entries->erase(at);
  }
  auto done = directories_.store(kind, std::move(*entries));
  if (!done) directories_.forget();
  return done;
}

Status KzidCard::change_attributes(const ObjectRef& object, const AttributeChange& change) {
  constexpr const char* what = "changing an object";
  if (object.object_class == ObjectClass::data) return object_gone();
  if (auto status = check_change(object, change); !status) return status;
  if (auto status = prepare_write(what); !status) return status;
  auto has_directories = directories_.exist();
  if (!has_directories) return has_directories.take_error();
  if (!*has_directories) return no_directories();
  const Kind kind = kind_of(object.object_class);
  if (kind != Kind::certificates) {
    if (auto status = describe_all(); !status) return status.take_error().within(what);
  }
  auto entry = find_entry(kind, object.token);
  if (!entry) return entry.take_error();
  auto changed = pkcs15::rewrite(kind, *entry, {change.label, change.id, change.subject, {}});
  if (!changed) return changed.take_error().within(what);
  auto done = replace_entry(kind, *entry, std::move(*changed));
  if (!done) return done.take_error().within(what);
  return {};
}

/// The key first, the entries after it: after a power cut in between they name an empty object,
/// which is not listed, and the next pair in it replaces them.
Status KzidCard::delete_key(std::uint8_t number) {
  auto has_directories = directories_.exist();
  if (!has_directories) return has_directories.take_error();
  auto object = keys_.look(number);
  if (!object) return object.take_error();
  if (object->state == KeyObject::State::unknown) return no_answer(number, *object);
  if (object->state == KeyObject::State::full) {
    if (auto status = keys_.free(number); !status) return status;
  } else if (!*has_directories || !find_entry(Kind::private_keys, number)) {
    return object_gone();
  }
  if (!*has_directories) return {};
  if (auto status = set_entry(Kind::private_keys, number, std::nullopt); !status) return status;
  return set_entry(Kind::public_keys, number, std::nullopt);
}

Status KzidCard::delete_certificate(std::uint32_t token) {
  if ((token & side_token) != 0) {
    auto key = key_value(static_cast<std::uint8_t>(token));
    if (!key) return key.take_error();
    return side_files_.remove(*key);
  }
  auto entry = find_entry(Kind::certificates, token);
  if (!entry) return entry.take_error();
  const auto file = static_cast<std::uint16_t>(token);
  bodies_.erase(file);
  auto removed = place_.remove(file);
  if (!removed && removed.error().kind != ErrorKind::not_found) return removed;
  return replace_entry(Kind::certificates, *entry, std::nullopt);
}

Status KzidCard::delete_object(const ObjectRef& object) {
  constexpr const char* what = "deleting an object";
  if (object.object_class == ObjectClass::data) return object_gone();
  const bool beside =
      object.object_class == ObjectClass::certificate && (object.token & side_token) != 0;
  if (beside) {
    begin();
  } else if (auto status = prepare_write(what); !status) {
    return status;
  }
  Status done;
  if (object.object_class == ObjectClass::certificate) {
    done = delete_certificate(object.token);
  } else if (object.token < key::first || object.token > key::last) {
    return object_gone();
  } else if (object.object_class == ObjectClass::private_key) {
    done = delete_key(static_cast<std::uint8_t>(object.token));
  } else {
    auto has_directories = directories_.exist();
    if (!has_directories) return has_directories.take_error().within(what);
    if (!*has_directories) return no_directories().within(what);
    if (auto status = describe_all(); !status) return status.take_error().within(what);
    auto entry = find_entry(Kind::public_keys, object.token);
    if (!entry) return entry.take_error();
    done = replace_entry(Kind::public_keys, *entry, std::nullopt);
  }
  if (!done) {
    directories_.forget();
    return done.take_error().within(what);
  }
  return {};
}

}  // namespace kilt::card::kzid
