// SPDX-License-Identifier: Apache-2.0
// An object as Cryptoki sees it: attribute views over what a driver knows, read from the card no
// earlier than somebody asks.
#pragma once

#include <optional>
#include <string>
#include <variant>

#include "drivers/card.hpp"
#include "drivers/certificate.hpp"
#include "pkcs11/cryptoki.hpp"

namespace kilt::p11 {

/// What must have been loaded before an attribute can be read.
enum class Need {
  nothing,  ///< the directory tells
  body,     ///< the public key's value, the certificate, the data
  subject,  ///< of a key: from the certificate with the same CKA_ID
  keys,     ///< of a certificate: the list of private keys
};

/// What the module itself says of a token: a profile that is met [P11 3.1 §4.13], a mechanism that
/// is offered [P11 3.1 §4.12].
struct Statement {
  CK_OBJECT_CLASS object_class = CKO_PROFILE;
  CK_ATTRIBUTE_TYPE type = CKA_PROFILE_ID;
  CK_ULONG value = 0;
  // As other objects have them, and empty.
  card::ObjectRef ref{};
  std::string label{};
};
/// All that can be said of a token of this model.
[[nodiscard]] std::vector<Statement> statements(const card::CardModel& model);

struct Object {
  CK_OBJECT_HANDLE handle = CK_INVALID_HANDLE;
  CK_SESSION_HANDLE owner = CK_INVALID_HANDLE;  ///< whose session object; none: on the token
  std::variant<card::KeyInfo, card::PublicKeyInfo, card::CertificateInfo, card::DataInfo, Statement>
      info;
  bool has_key = false;  ///< of a certificate: a private key here has its CKA_ID

  // Bodies, once loaded.
  std::optional<card::PublicKey> public_key{};     ///< of either half of a pair
  std::optional<card::PublicKey> former_key{};     ///< public_key, before bodies were forgotten
  std::optional<Bytes> value{};                    ///< certificate DER, data
  std::optional<card::Certificate> certificate{};  ///< empty if the DER cannot be read
  std::optional<Bytes> subject{};                  ///< of a key, from elsewhere

  [[nodiscard]] CK_OBJECT_CLASS object_class() const;
  [[nodiscard]] bool on_token() const { return owner == CK_INVALID_HANDLE; }
  [[nodiscard]] bool is_private() const;
  [[nodiscard]] bool is_statement() const { return std::holds_alternative<Statement>(info); }
  [[nodiscard]] bool is_key() const { return info.index() < 2; }
  [[nodiscard]] const card::ObjectRef& ref() const;
  [[nodiscard]] const std::string& label() const;
  [[nodiscard]] const Bytes& id() const;  ///< empty for data
  void forget_bodies();
  /// The public key that was read of it last; null if none was.
  [[nodiscard]] const card::PublicKey* seen_key() const {
    if (public_key) return &*public_key;
    return former_key ? &*former_key : nullptr;
  }
  /// After the card took that change.
  void apply(const card::AttributeChange& change);
};

/// card::confirm() of an object on the token, with what was read of it.
Status confirm_object(card::Card& card, const Object& object);

/// Need::nothing also for attributes that such an object does not have.
[[nodiscard]] Need need_of(const Object& object, CK_ATTRIBUTE_TYPE type);
/// The value, when what it needs was loaded. CKR_ATTRIBUTE_TYPE_INVALID, CKR_ATTRIBUTE_SENSITIVE.
CK_RV attribute(const Object& object, const card::CardModel& model, CK_ATTRIBUTE_TYPE type,
                Bytes& out);
/// Octets that the object takes, from what was loaded.
[[nodiscard]] std::size_t size_of(const Object& object);

}  // namespace kilt::p11
