// SPDX-License-Identifier: Apache-2.0
// Changing and deleting a Kaztoken's objects.
#include <algorithm>

#include "drivers/kaztoken_card.hpp"

namespace kilt::card::kaztoken {

using pkcs15::Kind;
using pkcs15::kind_of;

namespace {

/// Whether the file that an entry names holds that object's value and nothing else. Entries are
/// written by others too, and may name the application itself, a directory or a private key. The
/// identifiers are those that OpenSC and kilt give [facts kaztoken §10.1 #8]; a file elsewhere is
/// left alone.
bool is_own_file(Kind kind, const FilePath& path) {
  const std::uint16_t id = path.back();
  const auto is_value = [&](std::uint16_t first) {
    return path == in_application(id) && (id & 0xFF00) == first;
  };
  switch (kind) {
    case Kind::public_keys:
      return is_value(file::public_key) ||
             (id != 0 && path == public_key_file(static_cast<std::uint8_t>(id)));
    case Kind::certificates:
      return is_value(file::certificate);
    case Kind::data:
      return is_value(file::data) || is_value(file::private_data);
    case Kind::private_keys:
    case Kind::authentication:
      break;
  }
  return false;
}

}  // namespace

Result<KaztokenCard::Found> KaztokenCard::find_entry(Kind kind, const ObjectRef& object) {
  const auto pick = [&](const auto& list) -> Result<Found> {
    if (!list) return list.error();
    for (const auto& listed : *list) {
      if (listed.token == object.token && !listed.raw.empty())
        return Found{listed.path, listed.raw};
    }
    return object_gone();
  };
  switch (kind) {
    case Kind::private_keys:
      return pick(private_keys());
    case Kind::public_keys:
      return pick(public_keys());
    case Kind::certificates:
      return pick(certificates());
    case Kind::data:
      return pick(data_objects());
    case Kind::authentication:
      break;
  }
  return object_gone();
}

Status KaztokenCard::replace_entry(Kind kind, const Bytes& old, std::optional<Bytes> changed) {
  auto entries = application_.entries(kind);
  if (!entries) return entries.take_error();
  const auto at = std::find(entries->begin(), entries->end(), old);
  if (at == entries->end()) return object_gone();
  if (changed) {
    *at = std::move(*changed);
  } else {
    entries->erase(at);
  }
  return application_.store(kind, std::move(*entries));
}

Status KaztokenCard::change_attributes(const ObjectRef& object, const AttributeChange& change) {
  if (auto status = check_change(object, change); !status) return status;
  if (auto status = prepare_write("changing an object"); !status) return status;
  const Kind kind = kind_of(object.object_class);
  auto entry = find_entry(kind, object);
  if (!entry) return entry.take_error();
  auto changed = pkcs15::rewrite(kind, entry->raw, {change.label, change.id, change.subject, {}});
  if (!changed) return changed.take_error().within("changing an object");
  if (auto status = replace_entry(kind, entry->raw, std::move(*changed)); !status) {
    application_.forget();
    return status.take_error().within("changing an object");
  }
  note_change();
  return {};
}

/// A public key of ours names its private key; once that is gone it stands by itself.
void KaztokenCard::loosen_public_key(std::uint32_t reference) {
  auto entries = application_.entries(Kind::public_keys);
  if (!entries) return;
  for (auto& raw : *entries) {
    const auto entry = pkcs15::parse_public_key(raw);
    if (!entry || entry->reference != reference) continue;
    if (auto loose = pkcs15::rewrite(Kind::public_keys, raw, {{}, {}, {}, 0}))
      raw = std::move(*loose);
  }
  (void)application_.store(Kind::public_keys, std::move(*entries));
}

Status KaztokenCard::delete_private_key(std::uint32_t token) {
  auto keys = private_keys();
  if (!keys) return keys.take_error();
  const auto key =
      std::find_if(keys->begin(), keys->end(), [&](const auto& k) { return k.token == token; });
  if (key == keys->end()) return object_gone();
  loosen_public_key(token);
  if (auto status = keys_.remove_pair(static_cast<std::uint8_t>(token)); !status) return status;
  undescribed_.reset();
  if (key->raw.empty()) return {};
  return replace_entry(Kind::private_keys, key->raw, std::nullopt);
}

Status KaztokenCard::delete_object(const ObjectRef& object) {
  begin();
  if (auto status = pins_.require_user("deleting an object"); !status) return status;
  application_.forget();
  undescribed_.reset();
  Status done;
  if (object.object_class == ObjectClass::private_key) {
    done = delete_private_key(object.token);
  } else {
    const Kind kind = kind_of(object.object_class);
    auto entry = find_entry(kind, object);
    if (!entry) return entry.take_error();
    if (is_own_file(kind, entry->path)) {
      auto removed = files_.remove(entry->path);
      if (!removed && removed.error().kind != ErrorKind::not_found)
        return removed.take_error().within("deleting an object");
    }
    bodies_.erase(entry->path);
    public_values_.erase(entry->path);
    done = replace_entry(kind, entry->raw, std::nullopt);
  }
  if (!done) {
    application_.forget();
    return done.take_error().within("deleting an object");
  }
  note_change();
  return {};
}

}  // namespace kilt::card::kaztoken
