// SPDX-License-Identifier: Apache-2.0
#include "pkcs11/id_rules.hpp"

#include "pkcs11/error_map.hpp"

namespace kilt::p11 {
namespace {

bool is_certificate(const Object& object) {
  return std::holds_alternative<card::CertificateInfo>(object.info);
}

bool is_private_key(const Object& object) {
  return std::holds_alternative<card::KeyInfo>(object.info);
}

/// What the object says of its public key; null if nothing was read of it, or could be.
const std::optional<card::PublicKey>* said_of(const Object& object) {
  if (object.is_key()) return object.public_key ? &object.public_key : nullptr;
  return object.certificate ? &object.certificate->key : nullptr;
}

/// Where one of two says nothing, nothing is compared; the driver decides.
CK_RV check_pair(ObjectStore& objects, CK_OBJECT_HANDLE handle, const Object& object) {
  if (objects.find(handle) == nullptr) return CKR_USER_NOT_LOGGED_IN;
  const auto other = objects.load(handle, Need::body);
  if (!other) return report(other.error());
  const auto *one = said_of(object), *two = said_of(**other);
  return one && two && *one != *two ? CKR_TEMPLATE_INCONSISTENT : CKR_OK;
}

}  // namespace

CK_RV check_id(ObjectStore& objects, const Object& object, const Bytes& id) {
  const bool is_key = is_private_key(object);
  if (id.empty() || (!object.is_key() && !is_certificate(object))) return CKR_OK;
  if (auto fresh = objects.refresh({true, false, is_key, false}); !fresh)
    return report(fresh.error());
  std::vector<CK_OBJECT_HANDLE> partners;
  for (const Object* other : objects.with_id(id)) {
    if (other->handle == object.handle) continue;
    if (is_key && is_private_key(*other)) return CKR_TEMPLATE_INCONSISTENT;
    if (is_key ? is_certificate(*other) : is_private_key(*other)) partners.push_back(other->handle);
  }
  for (const auto partner : partners) {
    if (const CK_RV rv = check_pair(objects, partner, object); rv != CKR_OK) return rv;
  }
  return CKR_OK;
}

}  // namespace kilt::p11
