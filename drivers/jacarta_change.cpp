// SPDX-License-Identifier: Apache-2.0
// Changing and deleting a JaCarta's objects.
#include <algorithm>

#include "drivers/jacarta_card.hpp"

namespace kilt::card::jacarta {
namespace {

Area area_of(const ObjectRef& object) {
  const bool hidden =
      object.object_class == ObjectClass::private_key || (object.token & id::hidden_bit) != 0;
  return hidden ? Area::hidden : Area::open;
}

/// Whether the number is one that a listing gives for this class.
bool fits_class(const ObjectRef& object) {
  switch (object.object_class) {
    case ObjectClass::private_key:
      return id::is_private_key(object.token);
    case ObjectClass::public_key:
      return id::is_public_key(object.token);
    case ObjectClass::certificate:
      return id::is_certificate(object.token);
    case ObjectClass::data:
      return id::is_data(object.token & ~id::hidden_bit);
  }
  return false;
}

void set_value(std::vector<Attribute>& attributes, Type type, Bytes value) {
  for (auto& attribute : attributes) {
    if (attribute.type == type) {
      attribute.value = std::move(value);
      return;
    }
  }
  attributes.push_back({type, flag::modifiable, std::move(value)});
}

}  // namespace

/// Brings the map in line with the keys there are.
void JacartaCard::complete_map(ContainerMap& map, const std::vector<ListedKey>& keys) {
  for (std::uint16_t index = 0; index <= mapped_index_max; ++index) {
    const auto own = std::find_if(keys.begin(), keys.end(),
                                  [&](const ListedKey& key) { return key.index == index; });
    if (own == keys.end()) {
      if (map.has(index)) map.clear(index);
    } else if (!map.has(index)) {
      map.set(index, {own->info.id, own->info.bits, false});
    }
  }
}

Result<ObjectFile*> JacartaCard::find_object(const ObjectRef& object) {
  if (!fits_class(object)) return object_gone();
  auto found = objects_.find(area_of(object), static_cast<std::uint16_t>(object.token), {});
  if (found && !*found) return object_gone();
  return found;
}

JacartaCard::Known JacartaCard::known(const ObjectRef& object) const {
  if (!fits_class(object)) return {};
  const auto fid = static_cast<std::uint16_t>(object.token);
  Known before{objects_.known(area_of(object), fid), std::nullopt};
  if (object.object_class == ObjectClass::private_key) {
    const auto index = static_cast<std::uint16_t>(fid - id::private_key);
    before.half = objects_.known(Area::open, id::public_key | index);
  }
  return before;
}

/// not_found when another object has the place by now of what was listed there. A half that others
/// deleted, counting it, is no longer asked.
Status JacartaCard::confirm(const Known& before) {
  if (before.object) {
    if (auto status = objects_.confirm(*before.object); !status) return status;
  }
  if (!before.half) return {};
  const auto& half = *before.half;
  if (half.generation != objects_.generation()) {
    const auto open = objects_.ids(Area::open);
    if (!open) return open.error();
    if (std::find(open->begin(), open->end(), half.object.fid) == open->end()) return {};
  }
  return objects_.confirm(half);
}

Status JacartaCard::change_attributes(const ObjectRef& object, const AttributeChange& change) {
  const char* const what = "changing an object";
  if (auto status = check_change(object, change); !status) return status;
  if (auto status = check_subject(change.subject.value_or(Bytes{})); !status) return status;
  Known before = known(object);
  before.half.reset();  // a name given to the wrong one of two that have the same does no harm
  if (auto status = prepare_write(what); !status) return status;
  if (auto status = confirm(before); !status) return status.take_error().within(what);
  auto found = find_object(object);
  if (!found) return found.take_error().within(what);
  const auto whole = objects_.whole(**found);
  if (!whole) return whole.error().within(what);
  auto attributes = decode(*whole, (*found)->fid);
  if (!attributes) return attributes.take_error().within(what);
  if (change.label) set_value(*attributes, Type::label, copy_of(as_bytes(*change.label)));
  if (change.id) set_value(*attributes, Type::id, *change.id);
  if (change.subject) set_value(*attributes, Type::subject, *change.subject);
  auto status = objects_.replace(**found, *attributes, objects_.freshness().after(1));
  if (status && change.id && object.object_class == ObjectClass::private_key) {
    const auto index = static_cast<std::uint16_t>(object.token - id::private_key);
    const auto keys = private_keys();
    if (!keys) return keys.error().within(what);
    auto map = objects_.container_map(false);
    if (!map) return map.take_error().within(what);
    const bool is_default = map->is_default(index);
    complete_map(*map, *keys);
    for (const auto& key : *keys) {
      if (key.index == index && index <= mapped_index_max)
        map->set(index, {key.info.id, key.info.bits, is_default});
    }
    status = objects_.store_container_map(*map);
  }
  if (status) status = objects_.count(1);
  if (!status) {
    objects_.forget();
    return status.take_error().within(what);
  }
  return {};
}

/// The one of the two objects that the key is; it may be gone already. Where both are there, the
/// file describes the one for exchange (assumed), and the other stays.
Status JacartaCard::remove_key_object(std::uint16_t index) {
  auto status = files_.remove(private_key_object(index));
  if (status || status.error().kind != ErrorKind::not_found) return status;
  status = files_.remove(signature_key_object(index));
  if (!status && status.error().kind == ErrorKind::not_found) return {};
  return status;
}

Status JacartaCard::delete_private_key(std::uint16_t index) {
  // The key first: while its file is there it can be deleted again.
  auto status = remove_key_object(index);
  if (!status) return status;
  signature_only_.erase(index);
  status = objects_.remove(Area::hidden, id::private_key | index);
  if (!status) return status;
  private_objects_.reset();
  const auto keys = private_keys();
  if (!keys) return keys.error();
  auto map = objects_.container_map(keys->empty());
  if (!map) return map.take_error();
  complete_map(*map, *keys);
  return objects_.store_container_map(*map);
}

Status JacartaCard::delete_public_key(std::uint16_t index) {
  auto status = files_.remove(public_key_object(index));
  if (!status && status.error().kind != ErrorKind::not_found) return status;
  public_values_.erase(index);
  return objects_.remove(Area::open, id::public_key | index);
}

Status JacartaCard::delete_object(const ObjectRef& object) {
  const auto before = known(object);
  if (auto status = prepare_write("deleting an object"); !status) return status;
  if (auto status = confirm(before); !status)
    return status.take_error().within("deleting an object");
  const auto fid = static_cast<std::uint16_t>(object.token);
  auto found = find_object(object);
  // What cannot be read can be deleted; what is not there cannot.
  if (!found && found.error().kind == ErrorKind::not_found) return found.take_error();
  Status done;
  if (object.object_class == ObjectClass::private_key) {
    done = delete_private_key(static_cast<std::uint16_t>(fid - id::private_key));
  } else if (object.object_class == ObjectClass::public_key) {
    done = delete_public_key(static_cast<std::uint16_t>(fid - id::public_key));
  } else {
    done = objects_.remove(area_of(object), fid);
  }
  if (done) done = objects_.count(1);
  if (!done) {
    objects_.forget();
    return done.take_error().within("deleting an object");
  }
  return {};
}

}  // namespace kilt::card::jacarta
