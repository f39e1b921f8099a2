// SPDX-License-Identifier: Apache-2.0
// What may share a CKA_ID. Clients pair a certificate with the private key that has its id, and
// would send the wrong one along with a signature; of two keys with one id they take any.
#pragma once

#include "pkcs11/object_store.hpp"

namespace kilt::p11 {

/// Whether `object` may have `id`: a certificate or public key beside its own private key only, a
/// private key beside its own certificates and no other private key. CKR_TEMPLATE_INCONSISTENT;
/// CKR_USER_NOT_LOGGED_IN where the keys are known from another session's login and not to be seen
/// by this one. May list and read the card, so pointers to other objects end.
CK_RV check_id(ObjectStore& objects, const Object& object, const Bytes& id);

}  // namespace kilt::p11
