// SPDX-License-Identifier: Apache-2.0
// Searching, reading, changing and destroying objects.
#include "pkcs11/draft.hpp"
#include "pkcs11/error_map.hpp"
#include "pkcs11/id_rules.hpp"
#include "pkcs11/session.hpp"

namespace kilt::p11 {

CK_RV Session::find_begin(const Template& wanted) {
  const Guard lock(mutex_);
  if (search_) return CKR_OPERATION_ACTIVE;
  auto found = token_->with_objects([&](ObjectStore& objects) { return objects.search(wanted); });
  if (!found) return report(found.error());
  search_ = Search{*std::move(found), token_->login_number()};
  return CKR_OK;
}

CK_RV Session::find(CK_OBJECT_HANDLE* out, CK_ULONG room, CK_ULONG& count) {
  const Guard lock(mutex_);
  if (!search_) return CKR_OPERATION_NOT_INITIALIZED;
  // What a logout ended since is not handed out.
  if (search_->login != token_->login_number()) {
    token_->with_objects([&](ObjectStore& objects) {
      const auto ended = [&](CK_OBJECT_HANDLE handle) { return objects.find(handle) == nullptr; };
      auto& all = search_->found;
      all.erase(std::remove_if(all.begin() + static_cast<std::ptrdiff_t>(search_->next), all.end(),
                               ended),
                all.end());
      return CKR_OK;
    });
    search_->login = token_->login_number();
  }
  for (count = 0; count < room && search_->next < search_->found.size(); ++count) {
    out[count] = search_->found[search_->next++];
  }
  return CKR_OK;
}

CK_RV Session::find_end() {
  const Guard lock(mutex_);
  if (!search_) return CKR_OPERATION_NOT_INITIALIZED;
  search_.reset();
  return CKR_OK;
}

namespace {

/// One attribute of C_GetAttributeValue, by its five rules [P11 3.1 §5.7.5].
CK_RV tell(const Object& object, const card::CardModel& model, CK_ATTRIBUTE& out) {
  Bytes value;
  const CK_RV rv = attribute(object, model, out.type, value);
  if (rv != CKR_OK) {
    out.ulValueLen = CK_UNAVAILABLE_INFORMATION;
    return rv;
  }
  if (out.pValue != nullptr && out.ulValueLen < value.size()) {
    out.ulValueLen = CK_UNAVAILABLE_INFORMATION;
    return CKR_BUFFER_TOO_SMALL;
  }
  out.ulValueLen = value.size();
  if (out.pValue != nullptr) {
    std::copy(value.begin(), value.end(), static_cast<CK_BYTE*>(out.pValue));
  }
  return CKR_OK;
}

}  // namespace

CK_RV Session::get_attributes(CK_OBJECT_HANDLE handle, CK_ATTRIBUTE* attributes, CK_ULONG count) {
  return token_->with_objects([&](ObjectStore& objects) -> CK_RV {
    Object* object = objects.find(handle);
    if (object == nullptr) return CKR_OBJECT_HANDLE_INVALID;
    CK_RV answer = CKR_OK;
    for (CK_ULONG i = 0; i < count; ++i) {
      const auto loaded = objects.load(handle, need_of(*object, attributes[i].type));
      if (!loaded) return report(loaded.error());
      object = *loaded;
      const CK_RV rv = tell(*object, token_->model(), attributes[i]);
      if (rv != CKR_OK) answer = rv;
    }
    return answer;
  });
}

CK_RV Session::object_size(CK_OBJECT_HANDLE handle, CK_ULONG& size) {
  return token_->with_objects([&](ObjectStore& objects) -> CK_RV {
    const auto object = objects.load(handle, Need::body);
    if (!object) return report(object.error());
    size = size_of(**object);
    return CKR_OK;
  });
}

namespace {

/// Of an object that the card does not have any more, the handle ends.
CK_RV told(ObjectStore& objects, CK_OBJECT_HANDLE handle, const Error& error) {
  if (error.kind == ErrorKind::not_found) objects.lose(handle);
  return report(error);
}

CK_RV check_new_id(ObjectStore& objects, CK_OBJECT_HANDLE handle,
                   const card::AttributeChange& change) {
  if (!change.id) return CKR_OK;
  const auto loaded = objects.load(handle, Need::body);
  if (!loaded) return report(loaded.error());
  const Object changed = **loaded;
  return check_id(objects, changed, *change.id);
}

}  // namespace

CK_RV Session::set_attributes(CK_OBJECT_HANDLE handle, const Template& changes) {
  return token_->with_objects([&](ObjectStore& objects) -> CK_RV {
    Object* object = objects.find(handle);
    if (object == nullptr) return CKR_OBJECT_HANDLE_INVALID;
    if (const CK_RV rv = may_write(object->on_token(), object->is_private()); rv != CKR_OK) {
      return rv;
    }
    card::AttributeChange change;
    if (const CK_RV rv = read_changes(changes, *object, token_->model(), change); rv != CKR_OK) {
      return rv;
    }
    if (object->on_token()) {
      if (const CK_RV rv = check_new_id(objects, handle, change); rv != CKR_OK) return rv;
      object = objects.find(handle);
      if (object == nullptr) return CKR_OBJECT_HANDLE_INVALID;
      const auto done = objects.connection().with_card([&](card::Card& card) {
        auto same = confirm_object(card, *object);
        return same ? card.change_attributes(object->ref(), change) : same;
      });
      if (!done) return told(objects, handle, done.error());
    }
    const Bytes before = object->id();
    object->apply(change);
    if (object->on_token() && object->is_key() && change.id) {
      if (auto followed = objects.follow_id(before, *change.id); !followed)
        return report(followed.error());
    }
    objects.relate();
    return CKR_OK;
  });
}

CK_RV Session::destroy(CK_OBJECT_HANDLE handle) {
  return token_->with_objects([&](ObjectStore& objects) -> CK_RV {
    const Object* object = objects.find(handle);
    if (object == nullptr) return CKR_OBJECT_HANDLE_INVALID;
    if (object->is_statement()) return CKR_ACTION_PROHIBITED;
    if (const CK_RV rv = may_write(object->on_token(), object->is_private()); rv != CKR_OK) {
      return rv;
    }
    if (object->on_token()) {
      const auto done = objects.connection().with_card([&](card::Card& card) {
        auto same = confirm_object(card, *object);
        return same ? card.delete_object(object->ref()) : same;
      });
      if (!done) return told(objects, handle, done.error());
      objects.connection().objects_changed();
    }
    objects.erase(handle);
    objects.relate();
    return CKR_OK;
  });
}

}  // namespace kilt::p11
