// SPDX-License-Identifier: Apache-2.0
#include "pkcs11/object_store.hpp"

#include <algorithm>

#include "pkcs11/log.hpp"

namespace kilt::p11 {
namespace {

/// The same object as listed before: a place on the card may have been given to another since.
bool same(const card::KeyInfo& a, const card::KeyInfo& b) {
  return a.ref == b.ref && a.id == b.id && a.bits == b.bits;
}
bool same(const card::PublicKeyInfo& a, const card::PublicKeyInfo& b) {
  return a.ref == b.ref && a.id == b.id && a.bits == b.bits;
}
bool same(const card::CertificateInfo& a, const card::CertificateInfo& b) {
  return a.ref == b.ref && a.id == b.id && a.label == b.label;
}
bool same(const card::DataInfo& a, const card::DataInfo& b) {
  return a.ref == b.ref && a.label == b.label && a.application == b.application;
}

}  // namespace

bool ObjectStore::visible(const Object& object) const {
  return !object.is_private() || connection_.role() == card::Role::user;
}

Object* ObjectStore::find(CK_OBJECT_HANDLE handle) {
  const auto found = objects_.find(handle);
  if (found == objects_.end() || !visible(found->second)) return nullptr;
  return &found->second;
}

template <class Info>
void ObjectStore::merge(const std::vector<Info>& infos, std::map<CK_OBJECT_HANDLE, Object>& into) {
  for (const Info& info : infos) {
    const auto known = std::find_if(objects_.begin(), objects_.end(), [&](const auto& entry) {
      const auto* old = std::get_if<Info>(&entry.second.info);
      return old != nullptr && entry.second.on_token() && same(*old, info);
    });
    if (known == objects_.end()) {
      Object object;
      object.handle = handles_++;
      object.info = info;
      into.emplace(object.handle, std::move(object));
      continue;
    }
    auto node = objects_.extract(known);
    node.mapped().info = info;
    into.insert(std::move(node));
  }
}

void ObjectStore::relate() {
  for (auto& [handle, object] : objects_) {
    object.subject.reset();
    if (!std::holds_alternative<card::CertificateInfo>(object.info)) continue;
    const auto same_id = with_id(object.id());
    object.has_key = std::any_of(same_id.begin(), same_id.end(), [](const Object* other) {
      return std::holds_alternative<card::KeyInfo>(other->info);
    });
  }
}

Status ObjectStore::refresh() {
  if (listed_ && generation_ == connection_.generation()) return {};
  auto listed = connection_.with_card([&](card::Card& card) {
    if (!listed_) card.forget_objects();
    return card.list();
  });
  if (!listed) return listed.take_error();
  std::map<CK_OBJECT_HANDLE, Object> now;
  merge(listed->keys, now);
  merge(listed->public_keys, now);
  merge(listed->certificates, now);
  merge(listed->data, now);
  for (auto& [handle, object] : objects_) {
    if (!object.on_token()) now.emplace(handle, std::move(object));
  }
  objects_ = std::move(now);
  relate();
  listed_ = true;
  generation_ = connection_.generation();
  return {};
}

std::vector<Object*> ObjectStore::with_id(const Bytes& id) {
  std::vector<Object*> found;
  if (id.empty()) return found;
  for (auto& [handle, object] : objects_) {
    if (object.on_token() && object.id() == id) found.push_back(&object);
  }
  return found;
}

Status ObjectStore::load_body(Object& object) {
  if (object.is_key() ? object.public_key.has_value() : object.value.has_value()) return {};
  const auto& ref = object.ref();
  if (object.is_key()) {
    // Both halves of a pair have one public key: read it once.
    for (const Object* other : with_id(object.id())) {
      if (other->is_key() && other->public_key) object.public_key = other->public_key;
    }
    if (object.public_key) return {};
    auto key = connection_.with_card([&](card::Card& card) { return card.read_public_key(ref); });
    if (!key) return key.take_error();
    object.public_key = *std::move(key);
    return {};
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

Status ObjectStore::load(Object& object, Need need) {
  switch (need) {
    case Need::nothing:
      return {};
    case Need::body:
      return load_body(object);
    case Need::subject:
      return load_subject(object);
  }
  return {};
}

Result<bool> ObjectStore::matches(Object& object, const Template& wanted, bool cheap) {
  for (const auto& entry : wanted.entries()) {
    const Need need = need_of(object, entry.type);
    if ((need == Need::nothing) != cheap) continue;
    if (auto loaded = load(object, need); !loaded) {
      if (connection_.gone()) return loaded.take_error();
      // One body that cannot be read must not hide the other objects.
      log(LogLevel::warn, "object \"" + object.label() + "\": " + loaded.error().message());
      return false;
    }
    Bytes value;
    if (attribute(object, connection_.model(), entry.type, value) != CKR_OK) return false;
    if (!equal(value, entry.value)) return false;
  }
  return true;
}

Result<std::vector<CK_OBJECT_HANDLE>> ObjectStore::search(const Template& wanted) {
  if (auto fresh = refresh(); !fresh) return fresh.take_error();
  std::vector<CK_OBJECT_HANDLE> found;
  for (auto& [handle, object] : objects_) {
    if (!visible(object)) continue;
    bool fits = true;
    for (const bool cheap : {true, false}) {
      if (!fits) break;
      auto answer = matches(object, wanted, cheap);
      if (!answer) return answer.take_error();
      fits = *answer;
    }
    if (fits) found.push_back(handle);
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
