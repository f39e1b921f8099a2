// SPDX-License-Identifier: Apache-2.0
// From a caller's template to an object that can be made: complete, free of contradictions, and
// parsed, before anything is asked of the card.
#pragma once

#include <optional>

#include "drivers/card.hpp"
#include "pkcs11/object.hpp"
#include "pkcs11/template.hpp"

namespace kilt::p11 {

/// An object to be: its info and its body.
struct Draft {
  Object object;
  bool on_token = false;
  /// Of a certificate: the caller says that it is not this token's owner's, so it needs no key
  /// here.
  bool without_key = false;
  std::optional<card::RsaPrivateKey> secret{};  ///< of a private key to be imported
};

/// Complains of each of `types` whose value in the template is not the one that `object` (its
/// bodies loaded) will answer: an object with other words than its maker's is no success. No value
/// at all says nothing, except in a list of mechanisms. CKR_TEMPLATE_INCONSISTENT,
/// CKR_ATTRIBUTE_VALUE_INVALID.
void must_agree(TemplateReader& reader, const Object& object, const card::CardModel& model,
                std::initializer_list<CK_ATTRIBUTE_TYPE> types);

/// C_CreateObject: certificate, public key, data, RSA private key.
/// CKR_TEMPLATE_INCOMPLETE, CKR_TEMPLATE_INCONSISTENT, CKR_ATTRIBUTE_TYPE_INVALID,
/// CKR_ATTRIBUTE_VALUE_INVALID, CKR_ATTRIBUTE_READ_ONLY, CKR_KEY_SIZE_RANGE.
CK_RV read_object(const Template& from, const card::CardModel& model, Draft& out);
/// C_CopyObject: `original` (bodies loaded) with the changes that a copy may have.
CK_RV read_copy(const Template& changes, const Object& original, Draft& out);
/// C_GenerateKeyPair, RSA.
CK_RV read_generation(const Template& public_key, const Template& private_key,
                      const card::CardModel& model, card::GenerateRequest& out);
/// C_SetAttributeValue: label, id, subject. CKR_ACTION_PROHIBITED where the object cannot change.
CK_RV read_changes(const Template& changes, const Object& object, const card::CardModel& model,
                   card::AttributeChange& out);

}  // namespace kilt::p11
