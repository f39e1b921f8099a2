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

/// Without the key's public half, or where the certificate cannot be read, nothing is compared; the
/// driver decides.
bool differ(const Object& key, const Object& certificate) {
  return key.public_key && certificate.certificate &&
         certificate.certificate->key != key.public_key;
}

/// Of a certificate or public key (none of the store's) with a private key of the store's that has
/// its id.
CK_RV check_pair(ObjectStore& objects, CK_OBJECT_HANDLE key, const Object& other) {
  if (objects.find(key) == nullptr) return CKR_USER_NOT_LOGGED_IN;
  const auto loaded = objects.load(key, Need::body);
  if (!loaded) return report(loaded.error());
  const bool is_half = other.is_key() && other.public_key && (*loaded)->public_key;
  const bool is_wrong =
      is_half ? other.public_key != (*loaded)->public_key : differ(**loaded, other);
  return is_wrong ? CKR_TEMPLATE_INCONSISTENT : CKR_OK;
}

CK_RV check_certificate_of(ObjectStore& objects, CK_OBJECT_HANDLE certificate, const Object& key) {
  const auto loaded = objects.load(certificate, Need::body);
  if (!loaded) return report(loaded.error());
  return differ(key, **loaded) ? CKR_TEMPLATE_INCONSISTENT : CKR_OK;
}

}  // namespace

CK_RV check_id(ObjectStore& objects, const Object& object, const Bytes& id) {
  const bool is_key = is_private_key(object);
  if (id.empty() || (!object.is_key() && !is_certificate(object))) return CKR_OK;
  if (auto fresh = objects.refresh({true, false, is_key, false}); !fresh)
    return report(fresh.error());
  std::vector<CK_OBJECT_HANDLE> keys, certificates;
  for (const Object* other : objects.with_id(id)) {
    if (other->handle == object.handle) continue;
    if (is_private_key(*other)) keys.push_back(other->handle);
    if (is_certificate(*other)) certificates.push_back(other->handle);
  }
  if (is_key && !keys.empty()) return CKR_TEMPLATE_INCONSISTENT;
  for (const auto key : keys) {
    if (const CK_RV rv = check_pair(objects, key, object); rv != CKR_OK) return rv;
  }
  if (!is_key) return CKR_OK;
  for (const auto certificate : certificates) {
    if (const CK_RV rv = check_certificate_of(objects, certificate, object); rv != CKR_OK)
      return rv;
  }
  return CKR_OK;
}

}  // namespace kilt::p11
