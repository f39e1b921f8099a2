// SPDX-License-Identifier: Apache-2.0
// Making objects: from a template, as a copy, and key pairs on the card.
#include "pkcs11/draft.hpp"
#include "pkcs11/error_map.hpp"
#include "pkcs11/id_rules.hpp"
#include "pkcs11/session.hpp"

namespace kilt::p11 {
namespace {

using card::Card;

card::RsaPrivateKey clone(const card::RsaPrivateKey& key) {
  return {key.modulus,           key.public_exponent,   key.prime1.clone(),     key.prime2.clone(),
          key.exponent1.clone(), key.exponent2.clone(), key.coefficient.clone()};
}

template <class Info>
CK_RV take(Result<Info> made, Object& object) {
  if (!made) return report(made.error());
  object.info = *std::move(made);
  object.owner = CK_INVALID_HANDLE;
  return CKR_OK;
}

/// Has the card keep the object; afterwards its info is the card's.
CK_RV put_on_card(ObjectStore& objects, Draft& draft) {
  Object& object = draft.object;
  auto& connection = objects.connection();
  if (const auto* info = std::get_if<card::CertificateInfo>(&object.info)) {
    if (const CK_RV rv = check_id(objects, object, info->id); rv != CKR_OK) return rv;
    const card::CertificateRequest request{info->id, info->label, info->authority,
                                           draft.without_key};
    return take(connection.with_card(
                    [&](Card& card) { return card.install_certificate(request, *object.value); }),
                object);
  }
  if (const auto* info = std::get_if<card::PublicKeyInfo>(&object.info)) {
    if (const CK_RV rv = check_id(objects, object, info->id); rv != CKR_OK) return rv;
    const card::ImportRequest request{info->id, info->label, info->usage,
                                      object.subject.value_or(Bytes{})};
    return take(connection.with_card(
                    [&](Card& card) { return card.store_public_key(request, *object.public_key); }),
                object);
  }
  if (const auto* info = std::get_if<card::DataInfo>(&object.info)) {
    const card::DataRequest request{info->label, info->application, info->object_id,
                                    info->is_private};
    return take(
        connection.with_card([&](Card& card) { return card.store_data(request, *object.value); }),
        object);
  }
  const auto& info = std::get<card::KeyInfo>(object.info);
  const card::ImportRequest request{info.id, info.label, info.usage, info.subject};
  return take(connection.with_card([&](Card& card) {
    return card.import_private_key(request, clone(*draft.secret));
  }),
              object);
}

CK_RV keep(ObjectStore& objects, Draft& draft, CK_SESSION_HANDLE session, CK_OBJECT_HANDLE& out) {
  draft.object.owner = session;
  if (draft.on_token) {
    if (const CK_RV rv = put_on_card(objects, draft); rv != CKR_OK) return rv;
    objects.connection().objects_changed();
  }
  out = objects.add(std::move(draft.object));
  return CKR_OK;
}

}  // namespace

CK_RV Session::create(const Template& from, CK_OBJECT_HANDLE& out) {
  Draft draft;
  if (const CK_RV rv = read_object(from, token_->model(), draft); rv != CKR_OK) return rv;
  if (const CK_RV rv = may_write(draft.on_token, draft.object.is_private()); rv != CKR_OK) {
    return rv;
  }
  return token_->with_objects([&](ObjectStore& objects) -> CK_RV {
    // Closed by another thread meanwhile: nobody would remove its objects any more.
    if (closed_) return CKR_SESSION_HANDLE_INVALID;
    return keep(objects, draft, handle_, out);
  });
}

CK_RV Session::copy(CK_OBJECT_HANDLE handle, const Template& changes, CK_OBJECT_HANDLE& out) {
  return token_->with_objects([&](ObjectStore& objects) -> CK_RV {
    if (closed_) return CKR_SESSION_HANDLE_INVALID;
    const auto original = objects.load(handle, Need::body);
    if (!original) return report(original.error());
    Draft draft;
    if (const CK_RV rv = read_copy(changes, **original, draft); rv != CKR_OK) return rv;
    if (const CK_RV rv = may_write(draft.on_token, draft.object.is_private()); rv != CKR_OK) {
      return rv;
    }
    return keep(objects, draft, handle_, out);
  });
}

CK_RV Session::generate(const CK_MECHANISM* mechanism, const Template& public_key,
                        const Template& private_key, CK_OBJECT_HANDLE& public_out,
                        CK_OBJECT_HANDLE& private_out) {
  card::GenerateRequest request;
  const auto& model = token_->model();
  if (CK_RV rv = check_generation(model, mechanism, request.type); rv != CKR_OK) return rv;
  if (CK_RV rv = read_generation(public_key, private_key, model, request); rv != CKR_OK) return rv;
  if (CK_RV rv = may_write(true, true); rv != CKR_OK) return rv;
  return token_->with_objects([&](ObjectStore& objects) -> CK_RV {
    auto pair = objects.connection().with_card([&](Card& card) { return card.generate(request); });
    if (!pair) return report(pair.error());
    objects.connection().objects_changed();
    Object half;
    half.info = std::move(pair->public_info);
    half.public_key = pair->public_key;
    public_out = objects.add(std::move(half));
    Object other;
    other.info = std::move(pair->private_key);
    other.public_key = std::move(pair->public_key);
    private_out = objects.add(std::move(other));
    return CKR_OK;
  });
}

}  // namespace kilt::p11
