// SPDX-License-Identifier: Apache-2.0
#include "pkcs11/object_store.hpp"

#include <algorithm>
#include <utility>

#include "drivers/identity.hpp"
#include "drivers/refusals.hpp"
#include "pkcs11/log.hpp"

namespace kilt::p11 {
ObjectStore::ObjectStore(Connection& connection, std::atomic<CK_ULONG>& handles)
    : connection_(connection), handles_(handles) {
  add_statements();
}

void ObjectStore::add_statements() {
  for (auto& statement : statements(connection_.model())) {
    Object object;
    object.handle = handles_++;
    object.info = std::move(statement);
    objects_.emplace(object.handle, std::move(object));
  }
}

bool ObjectStore::visible(const Object& object) const {
  return !object.is_private() || connection_.is(card::Role::user);
}

Object* ObjectStore::find(CK_OBJECT_HANDLE handle) {
  const auto found = objects_.find(handle);
  if (found == objects_.end() || !visible(found->second)) return nullptr;
  return &found->second;
}

/// Brings the token objects of this class up to date: those known before keep handle and place.
template <class Info>
void ObjectStore::merge(std::size_t index, const std::vector<Info>& infos) {
  std::vector<const Info*> fresh;
  fresh.reserve(infos.size());
  for (const Info& info : infos)
    fresh.push_back(&info);
  for (auto it = objects_.begin(); it != objects_.end();) {
    Object& object = it->second;
    const bool ours = object.info.index() == index && object.on_token();
    const auto still = std::find_if(fresh.begin(), fresh.end(), [&](const Info* info) {
      return ours && card::same(std::get<Info>(object.info), *info);
    });
    if (ours && still == fresh.end()) {
      it = objects_.erase(it);
      continue;
    }
    if (ours) {
      object.info = **still;
      fresh.erase(still);
    }
    ++it;
  }
  for (const Info* info : fresh) {
    Object object;
    object.handle = handles_++;
    object.info = *info;
    objects_.emplace(object.handle, std::move(object));
  }
  listed_[index] = connection_.generation();
}

void ObjectStore::relate() {
  for (auto& [handle, object] : objects_) {
    if (object.on_token()) object.subject.reset();
    if (!std::holds_alternative<card::CertificateInfo>(object.info)) continue;
    const auto same_id = with_id(object.id());
    object.has_key = std::any_of(same_id.begin(), same_id.end(), [](const Object* other) {
      return std::holds_alternative<card::KeyInfo>(other->info);
    });
  }
}

namespace {

template <class Info>
void take_id(const std::vector<Info>& listed, const Bytes& after, Object& object) {
  auto* own = std::get_if<Info>(&object.info);
  if (own == nullptr) return;
  for (const Info& info : listed) {
    if (info.ref == own->ref && info.id == after) *own = info;
  }
}

}  // namespace

Status ObjectStore::follow_id(const Bytes& before, const Bytes& after) {
  const auto listed = connection_.with_card([](card::Card& card) {
    return card.list_classes({true, true, false, false});
  });
  if (!listed) return listed.error();
  for (Object* object : with_id(before)) {
    take_id(listed->keys, after, *object);
    take_id(listed->public_keys, after, *object);
  }
  return {};
}

card::ObjectClasses ObjectStore::missing(const card::ObjectClasses& wanted) const {
  const auto old = [&](std::size_t index) { return listed_[index] != connection_.generation(); };
  return {wanted.private_keys && old(0), wanted.public_keys && old(1),
          wanted.certificates && old(2), wanted.data && old(3)};
}

const card::PublicKey* ObjectStore::shown_key(const Object& key) {
  const Object* shown = nullptr;
  for (const Object* other : with_id(key.id())) {
    const auto* certificate = std::get_if<card::CertificateInfo>(&other->info);
    if (certificate == nullptr || certificate->authority) continue;
    if (shown != nullptr) return nullptr;  // a renewed one may stand beside the old one
    shown = other;
  }
  const bool is_read = shown != nullptr && shown->certificate && shown->certificate->key;
  return is_read ? &*shown->certificate->key : nullptr;
}

/// Of a key of which nothing was read but its certificate: the program goes on to sign for that, so
/// another key that has its place and id by now must not do it.
void ObjectStore::keep_what_was_shown() {
  for (auto& [handle, object] : objects_) {
    if (!std::holds_alternative<card::KeyInfo>(object.info) || object.seen_key()) continue;
    if (const auto* shown = shown_key(object)) object.former_key = *shown;
  }
}

Status ObjectStore::refresh(const card::ObjectClasses& wanted) {
  auto which = missing(wanted);
  if (!which.private_keys && !which.public_keys && !which.certificates && !which.data) return {};
  auto listed = connection_.with_card([&](card::Card& card) {
    if (distrusted_) card.forget_objects();
    return card.list_classes(which);
  });
  if (!listed) return listed.take_error();
  if (std::exchange(distrusted_, false) || resets_ != connection_.resets()) {
    // A renewed certificate may have the place and the name of the old one.
    keep_what_was_shown();
    for (auto& [handle, object] : objects_)
      if (object.on_token()) object.forget_bodies();
    resets_ = connection_.resets();
  }
  if (which.private_keys || which.public_keys) suspected_ = false;
  // The driver may have handed back more, but only what was asked for is complete.
  if (which.private_keys) merge(0, listed->keys);
  if (which.public_keys) merge(1, listed->public_keys);
  if (which.certificates) merge(2, listed->certificates);
  if (which.data) merge(3, listed->data);
  relate();
  return {};
}

/// Which directories can hold a match. Private keys are not looked for where nobody may see them.
card::ObjectClasses ObjectStore::classes_of(const Template& wanted) const {
  card::ObjectClasses all;
  all.private_keys = connection_.is(card::Role::user);
  if (wanted.find(CKA_CLASS) == nullptr) return all;
  const auto one = wanted.number(CKA_CLASS);
  return {all.private_keys && one == CKO_PRIVATE_KEY, one == CKO_PUBLIC_KEY, one == CKO_CERTIFICATE,
          one == CKO_DATA};
}

std::vector<Object*> ObjectStore::with_id(const Bytes& id) {
  std::vector<Object*> found;
  if (id.empty()) return found;
  for (auto& [handle, object] : objects_) {
    if (object.on_token() && object.id() == id) found.push_back(&object);
  }
  return found;
}

/// The other half of a key pair, if its id leaves no doubt which one that is.
const Object* ObjectStore::other_half(const Object& object) {
  const Object* half = nullptr;
  for (const Object* other : with_id(object.id())) {
    if (other == &object || !other->is_key()) continue;
    if (half != nullptr || other->info.index() == object.info.index()) return nullptr;
    half = other;
  }
  return half;
}

namespace {

/// Another key under the same id, in the same place, is another object all the same.
Status take_key(Object& object, card::PublicKey key) {
  if (object.former_key && *object.former_key != key) return card::object_gone();
  object.public_key = std::move(key);
  return {};
}

}  // namespace

Status ObjectStore::load_body(Object& object) {
  if (object.is_statement()) return {};
  if (object.is_key() ? object.public_key.has_value() : object.value.has_value()) return {};
  const auto& ref = object.ref();
  if (object.is_key()) {
    // Both halves of a pair have one public key: read it once.
    if (const Object* half = other_half(object); half != nullptr && half->public_key)
      return take_key(object, *half->public_key);
    auto key = connection_.with_card([&](card::Card& card) { return card.read_public_key(ref); });
    if (key) return take_key(object, *std::move(key));
    // A private key whose public half was deleted: its certificate has the public key as well.
    const bool is_half_gone = key.error().kind == ErrorKind::not_found &&
                              std::holds_alternative<card::KeyInfo>(object.info);
    return is_half_gone ? load_from_certificate(object) : Status(key.take_error());
  }
  const bool is_certificate = std::holds_alternative<card::CertificateInfo>(object.info);
  auto value = connection_.with_card([&](card::Card& card) {
    return is_certificate ? card.read_certificate(ref) : card.read_data(ref);
  });
  if (!value) return value.take_error();
  if (is_certificate) {
    // One that cannot be read is still an object, of octets only.
    auto parsed = card::Certificate::parse(*value);
    if (parsed) {
      object.certificate = *std::move(parsed);
    } else {
      log(LogLevel::warn, "certificate \"" + object.label() + "\": " + parsed.error().message());
    }
  }
  object.value = *std::move(value);
  return {};
}

/// Leaves the public key empty where there is no certificate either: the private key is usable
/// without, and only what is computed from the public key cannot be told.
Status ObjectStore::load_from_certificate(Object& key) {
  if (auto fresh = refresh({false, false, true, false}); !fresh) return fresh;
  for (Object* other : with_id(key.id())) {
    if (!std::holds_alternative<card::CertificateInfo>(other->info)) continue;
    if (auto loaded = load_body(*other); !loaded) return loaded;
    if (other->certificate && other->certificate->key) key.public_key = other->certificate->key;
  }
  return {};
}

Status ObjectStore::load_subject(Object& object) {
  if (object.subject) return {};
  if (const auto* key = std::get_if<card::KeyInfo>(&object.info); key && !key->subject.empty()) {
    return {};
  }
  Bytes subject;
  const auto related = with_id(object.id());
  for (const Object* other : related) {
    const auto* key = std::get_if<card::KeyInfo>(&other->info);
    if (key != nullptr && !key->subject.empty()) subject = key->subject;
  }
  for (Object* other : related) {
    if (!subject.empty() || !std::holds_alternative<card::CertificateInfo>(other->info)) continue;
    if (auto loaded = load_body(*other); !loaded) return loaded;
    if (other->certificate) subject = other->certificate->subject;
  }
  object.subject = std::move(subject);
  return {};
}

Result<Object*> ObjectStore::load(CK_OBJECT_HANDLE handle, Need need) {
  // What is listed on the way can be news of this object's end.
  if (need == Need::subject || need == Need::keys) {
    if (auto fresh = refresh({true, false, need == Need::subject, false}); !fresh) {
      return fresh.take_error();
    }
  }
  Object* object = find(handle);
  if (object == nullptr) return Error{ErrorKind::not_found, "the object is not there any more"};
  Status loaded;
  if (need == Need::body) loaded = load_body(*object);
  if (need == Need::subject) loaded = load_subject(*object);
  if (!loaded) {
    // Another key has its place, or nothing has: the next listing says what is there.
    const bool is_lost = object->is_key() && loaded.error().kind == ErrorKind::not_found;
    if (is_lost) lose(handle);
    return loaded.take_error();
  }
  return object;
}

/// Whether the object's value of that attribute is the one wanted.
Result<bool> ObjectStore::matches(CK_OBJECT_HANDLE handle, const Template::Entry& wanted,
                                  Need need) {
  const auto object = load(handle, need);
  if (!object) {
    if (connection_.gone()) return object.error();
    // One body that cannot be read must not hide the other objects.
    log(LogLevel::warn, "searching: " + object.error().message());
    return false;
  }
  Bytes value;
  if (attribute(**object, connection_.model(), wanted.type, value) != CKR_OK) return false;
  return equal(value, wanted.value);
}

/// All of the template, first what costs nothing.
Result<bool> ObjectStore::matches(CK_OBJECT_HANDLE handle, const Template& wanted) {
  for (const bool cheap : {true, false}) {
    for (const auto& entry : wanted.entries()) {
      const Object* object = find(handle);
      if (object == nullptr) return false;
      const Need need = need_of(*object, entry.type);
      if ((need == Need::nothing) != cheap) continue;
      auto answer = matches(handle, entry, need);
      if (!answer || !*answer) return answer;
    }
  }
  return find(handle) != nullptr;
}

Result<std::vector<CK_OBJECT_HANDLE>> ObjectStore::search(const Template& wanted) {
  const auto which = classes_of(wanted);
  if (which.private_keys || which.public_keys || which.certificates || which.data) {
    // Who resets the card may have changed what is on it.
    if (auto looked = connection_.look(); !looked) return looked.take_error();
  }
  if (auto fresh = refresh(which); !fresh) return fresh.take_error();
  // [P11 3.1 §4.12] mechanism objects are found only where their class is asked for; we treat
  // profiles alike, for a list of somebody's keys is no place for them (README).
  const auto asked = wanted.number(CKA_CLASS);
  std::vector<CK_OBJECT_HANDLE> all, found;
  for (const auto& [handle, object] : objects_) {
    if (!object.is_statement() || object.object_class() == asked) all.push_back(handle);
  }
  for (const auto handle : all) {
    const auto fits = matches(handle, wanted);
    if (!fits) return fits.error();
    if (*fits) found.push_back(handle);
  }
  return found;
}

CK_OBJECT_HANDLE ObjectStore::add(Object object) {
  object.handle = handles_++;
  const auto handle = object.handle;
  objects_.emplace(handle, std::move(object));
  relate();
  return handle;
}

void ObjectStore::drop_owned_by(CK_SESSION_HANDLE session) {
  std::erase_if(objects_, [&](const auto& entry) { return entry.second.owner == session; });
}

void ObjectStore::drop_private() {
  std::erase_if(objects_, [](const auto& entry) { return entry.second.is_private(); });
}

}  // namespace kilt::p11
