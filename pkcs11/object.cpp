// SPDX-License-Identifier: Apache-2.0
#include "pkcs11/object.hpp"

#include "drivers/identity.hpp"
#include "pkcs11/digest.hpp"
#include "pkcs11/mechanism.hpp"
#include "pkcs11/template.hpp"

namespace kilt::p11 {
namespace {

using card::CardModel;

struct Row {
  CK_ATTRIBUTE_TYPE type;
  Need need;
  Bytes (*get)(const Object& object, const CardModel& model);
};

template <bool value>
Bytes always(const Object&, const CardModel&) {
  return flag_value(value);
}

Bytes nothing(const Object&, const CardModel&) {
  return {};
}
Bytes zero(const Object&, const CardModel&) {
  return number_value(0);
}

const card::KeyInfo& key_of(const Object& object) {
  return std::get<card::KeyInfo>(object.info);
}
const card::PublicKeyInfo& public_of(const Object& object) {
  return std::get<card::PublicKeyInfo>(object.info);
}

Bytes label_of(const Object& object, const CardModel&) {
  return copy_of(as_bytes(object.label()));
}
Bytes id_of(const Object& object, const CardModel&) {
  return object.id();
}

/// Class and place on the card: does not change while the object exists.
Bytes unique_id_of(const Object& object, const CardModel&) {
  Bytes number;
  append(number, {static_cast<std::uint8_t>(object.object_class())});
  const auto* statement = std::get_if<Statement>(&object.info);
  const auto place = statement           ? statement->value
                     : object.on_token() ? object.ref().token
                                         : object.handle;
  append_be16(number, place >> 16 & 0xFFFF);
  append_be16(number, place & 0xFFFF);
  return copy_of(as_bytes((object.on_token() ? "" : "session-") + to_hex(number)));
}

constexpr Row common_rows[] = {
    {CKA_CLASS, Need::nothing,
     [](const Object& object, const CardModel&) { return number_value(object.object_class()); }},
    {CKA_TOKEN, Need::nothing,
     [](const Object& object, const CardModel&) { return flag_value(object.on_token()); }},
    {CKA_PRIVATE, Need::nothing,
     [](const Object& object, const CardModel&) { return flag_value(object.is_private()); }},
    {CKA_MODIFIABLE, Need::nothing,
     [](const Object& object, const CardModel& model) {
       const auto* key = std::get_if<card::KeyInfo>(&object.info);
       return flag_value(model.can_set_attributes && !object.is_statement() &&
                         (key == nullptr || key->modifiable));
     }},
    {CKA_COPYABLE, Need::nothing,
     [](const Object& object, const CardModel&) {
       return flag_value(!std::holds_alternative<card::KeyInfo>(object.info) &&
                         !object.is_statement());
     }},
    {CKA_DESTROYABLE, Need::nothing,
     [](const Object& object, const CardModel&) { return flag_value(!object.is_statement()); }},
    {CKA_LABEL, Need::nothing, label_of},
    {cka_unique_id, Need::nothing, unique_id_of},
};

// ---- keys ------------------------------------------------------------------------------------

Bytes key_type(card::KeyType type) {
  return number_value(type == card::KeyType::rsa ? CKK_RSA : CKK_GOSTR3410);
}

Bytes generator(bool local, card::KeyType type) {
  if (!local) return number_value(CK_UNAVAILABLE_INFORMATION);
  return number_value(type == card::KeyType::rsa ? CKM_RSA_PKCS_KEY_PAIR_GEN
                                                 : CKM_GOSTR3410_KEY_PAIR_GEN);
}

Bytes mechanisms(const CardModel& model, card::KeyType type, CK_FLAGS uses) {
  Bytes list;
  for (const CK_MECHANISM_TYPE one : mechanisms_of(model)) {
    const Mechanism* row = find_mechanism(one);
    if (row->key == type && (row->uses & uses)) append(list, number_value(one));
  }
  return list;
}

Bytes modulus(const Object& object, const CardModel&) {
  return object.public_key->modulus;
}
Bytes exponent(const Object& object, const CardModel&) {
  return object.public_key->exponent;
}
Bytes spki(const Object& object, const CardModel&) {
  return card::subject_public_key_info(*object.public_key);
}
Bytes subject_of_key(const Object& object, const CardModel&) {
  if (const auto* key = std::get_if<card::KeyInfo>(&object.info); key && !key->subject.empty()) {
    return key->subject;
  }
  return object.subject.value_or(Bytes{});
}

constexpr Row private_rows[] = {
    {CKA_KEY_TYPE, Need::nothing,
     [](const Object& object, const CardModel&) { return key_type(key_of(object).type); }},
    {CKA_ID, Need::nothing, id_of},
    {CKA_START_DATE, Need::nothing, nothing},
    {CKA_END_DATE, Need::nothing, nothing},
    {CKA_DERIVE, Need::nothing,
     [](const Object& object, const CardModel&) {
       return flag_value(key_of(object).usage.derive);
     }},
    {CKA_LOCAL, Need::nothing,
     [](const Object& object, const CardModel&) { return flag_value(key_of(object).local); }},
    {CKA_KEY_GEN_MECHANISM, Need::nothing,
     [](const Object& object, const CardModel&) {
       return generator(key_of(object).local, key_of(object).type);
     }},
    {CKA_ALLOWED_MECHANISMS, Need::nothing,
     [](const Object& object, const CardModel& model) {
       const auto& usage = key_of(object).usage;
       return mechanisms(model, key_of(object).type,
                         (usage.sign ? CKF_SIGN : 0) | (usage.decrypt ? CKF_DECRYPT : 0) |
                             (usage.sign_recover ? CKF_SIGN_RECOVER : 0));
     }},
    {CKA_SUBJECT, Need::subject, subject_of_key},
    {CKA_SENSITIVE, Need::nothing,
     [](const Object& object, const CardModel&) { return flag_value(key_of(object).sensitive); }},
    {CKA_DECRYPT, Need::nothing,
     [](const Object& object, const CardModel&) {
       return flag_value(key_of(object).usage.decrypt);
     }},
    {CKA_SIGN, Need::nothing,
     [](const Object& object, const CardModel&) { return flag_value(key_of(object).usage.sign); }},
    {CKA_SIGN_RECOVER, Need::nothing,
     [](const Object& object, const CardModel&) {
       return flag_value(key_of(object).usage.sign_recover);
     }},
    {CKA_UNWRAP, Need::nothing,
     [](const Object& object, const CardModel&) {
       return flag_value(key_of(object).usage.unwrap);
     }},
    {CKA_EXTRACTABLE, Need::nothing, always<false>},
    {CKA_ALWAYS_SENSITIVE, Need::nothing,
     [](const Object& object, const CardModel&) {
       return flag_value(key_of(object).always_sensitive);
     }},
    {CKA_NEVER_EXTRACTABLE, Need::nothing,
     [](const Object& object, const CardModel&) {
       return flag_value(key_of(object).never_extractable);
     }},
    {CKA_WRAP_WITH_TRUSTED, Need::nothing, always<false>},
    {CKA_UNWRAP_TEMPLATE, Need::nothing, nothing},
    {CKA_ALWAYS_AUTHENTICATE, Need::nothing,
     [](const Object& object, const CardModel&) {
       return flag_value(key_of(object).always_authenticate);
     }},
    {CKA_PUBLIC_KEY_INFO, Need::body, spki},
    {CKA_MODULUS, Need::body, modulus},
    {CKA_PUBLIC_EXPONENT, Need::body, exponent},
};

constexpr Row public_rows[] = {
    {CKA_KEY_TYPE, Need::nothing,
     [](const Object& object, const CardModel&) { return key_type(public_of(object).type); }},
    {CKA_ID, Need::nothing, id_of},
    {CKA_START_DATE, Need::nothing, nothing},
    {CKA_END_DATE, Need::nothing, nothing},
    {CKA_DERIVE, Need::nothing, always<false>},
    {CKA_LOCAL, Need::nothing,
     [](const Object& object, const CardModel&) { return flag_value(public_of(object).local); }},
    {CKA_KEY_GEN_MECHANISM, Need::nothing,
     [](const Object& object, const CardModel&) {
       return generator(public_of(object).local, public_of(object).type);
     }},
    {CKA_ALLOWED_MECHANISMS, Need::nothing,
     [](const Object& object, const CardModel& model) {
       const auto& usage = public_of(object).usage;
       return mechanisms(model, public_of(object).type,
                         (usage.sign ? CKF_VERIFY : 0) | (usage.decrypt ? CKF_ENCRYPT : 0) |
                             (usage.sign_recover ? CKF_VERIFY_RECOVER : 0));
     }},
    {CKA_SUBJECT, Need::subject, subject_of_key},
    {CKA_ENCRYPT, Need::nothing,
     [](const Object& object, const CardModel&) {
       return flag_value(public_of(object).usage.decrypt);
     }},
    {CKA_VERIFY, Need::nothing,
     [](const Object& object, const CardModel&) {
       return flag_value(public_of(object).usage.sign);
     }},
    {CKA_VERIFY_RECOVER, Need::nothing,
     [](const Object& object, const CardModel&) {
       return flag_value(public_of(object).usage.sign_recover);
     }},
    {CKA_WRAP, Need::nothing,
     [](const Object& object, const CardModel&) {
       return flag_value(public_of(object).usage.unwrap);
     }},
    {CKA_TRUSTED, Need::nothing, always<false>},
    {CKA_WRAP_TEMPLATE, Need::nothing, nothing},
    {CKA_MODULUS_BITS, Need::nothing,
     [](const Object& object, const CardModel&) { return number_value(public_of(object).bits); }},
    {CKA_PUBLIC_KEY_INFO, Need::body, spki},
    {CKA_MODULUS, Need::body, modulus},
    {CKA_PUBLIC_EXPONENT, Need::body, exponent},
};

// ---- certificates and data -------------------------------------------------------------------

const card::CertificateInfo& certificate_of(const Object& object) {
  return std::get<card::CertificateInfo>(object.info);
}

/// "2026-11-22T04:11:00Z" as CK_DATE.
Bytes date(const std::string& text) {
  if (text.size() < 10) return {};
  return copy_of(as_bytes(text.substr(0, 4) + text.substr(5, 2) + text.substr(8, 2)));
}

template <Bytes card::Certificate::*member>
Bytes part(const Object& object, const CardModel&) {
  return object.certificate ? (*object.certificate).*member : Bytes{};
}

constexpr Row certificate_rows[] = {
    {CKA_CERTIFICATE_TYPE, Need::nothing,
     [](const Object&, const CardModel&) { return number_value(CKC_X_509); }},
    {CKA_TRUSTED, Need::nothing,
     [](const Object& object, const CardModel&) {
       return flag_value(certificate_of(object).trusted);
     }},
    {CKA_CERTIFICATE_CATEGORY, Need::keys,
     [](const Object& object, const CardModel&) {
       if (certificate_of(object).authority) return number_value(CK_CERTIFICATE_CATEGORY_AUTHORITY);
       return number_value(object.has_key ? CK_CERTIFICATE_CATEGORY_TOKEN_USER
                                          : CK_CERTIFICATE_CATEGORY_UNSPECIFIED);
     }},
    {CKA_CHECK_VALUE, Need::body,
     [](const Object& object, const CardModel&) {
       Bytes digest = digest_of(DigestKind::sha1, *object.value);
       digest.resize(3);  // [P11 3.1 §4.6.2] the first three octets of SHA-1
       return digest;
     }},
    {CKA_START_DATE, Need::body,
     [](const Object& object, const CardModel&) {
       return object.certificate ? date(object.certificate->not_before) : Bytes{};
     }},
    {CKA_END_DATE, Need::body,
     [](const Object& object, const CardModel&) {
       return object.certificate ? date(object.certificate->not_after) : Bytes{};
     }},
    {CKA_PUBLIC_KEY_INFO, Need::body, part<&card::Certificate::spki>},
    {CKA_SUBJECT, Need::body, part<&card::Certificate::subject>},
    {CKA_ID, Need::nothing, id_of},
    {CKA_ISSUER, Need::body, part<&card::Certificate::issuer>},
    {CKA_SERIAL_NUMBER, Need::body, part<&card::Certificate::serial>},
    {CKA_VALUE, Need::body, [](const Object& object, const CardModel&) { return *object.value; }},
    {CKA_URL, Need::nothing, nothing},
    {CKA_HASH_OF_SUBJECT_PUBLIC_KEY, Need::nothing, nothing},
    {CKA_HASH_OF_ISSUER_PUBLIC_KEY, Need::nothing, nothing},
    {CKA_JAVA_MIDP_SECURITY_DOMAIN, Need::nothing, zero},
};

constexpr Row data_rows[] = {
    {CKA_APPLICATION, Need::nothing,
     [](const Object& object, const CardModel&) {
       return copy_of(as_bytes(std::get<card::DataInfo>(object.info).application));
     }},
    {CKA_OBJECT_ID, Need::nothing,
     [](const Object& object, const CardModel&) {
       return std::get<card::DataInfo>(object.info).object_id;
     }},
    {CKA_VALUE, Need::body, [](const Object& object, const CardModel&) { return *object.value; }},
};

Bytes stated(const Object& object, const CardModel&) {
  return number_value(std::get<Statement>(object.info).value);
}
constexpr Row profile_rows[] = {{CKA_PROFILE_ID, Need::nothing, stated}};
constexpr Row mechanism_rows[] = {{CKA_MECHANISM_TYPE, Need::nothing, stated}};

/// The parts of a private key that no card of ours ever tells.
constexpr CK_ATTRIBUTE_TYPE sensitive_types[] = {CKA_PRIVATE_EXPONENT, CKA_PRIME_1,
                                                 CKA_PRIME_2,          CKA_EXPONENT_1,
                                                 CKA_EXPONENT_2,       CKA_COEFFICIENT};

std::span<const Row> rows_of(const Object& object) {
  switch (object.info.index()) {
    case 0:
      return private_rows;
    case 1:
      return public_rows;
    case 2:
      return certificate_rows;
    case 3:
      return data_rows;
    default:
      break;
  }
  if (object.object_class() == CKO_PROFILE) return profile_rows;
  return mechanism_rows;
}

const Row* find_row(const Object& object, CK_ATTRIBUTE_TYPE type) {
  for (const auto rows : {std::span<const Row>(common_rows), rows_of(object)}) {
    for (const Row& row : rows) {
      if (row.type == type) return &row;
    }
  }
  return nullptr;
}

}  // namespace

std::vector<Statement> statements(const CardModel& model) {
  std::vector<Statement> all;
  bool can_sign = false;
  for (const CK_MECHANISM_TYPE mechanism : mechanisms_of(model)) {
    all.push_back({CKO_MECHANISM, CKA_MECHANISM_TYPE, mechanism});
    can_sign = can_sign || (info(model, mechanism)->flags & CKF_SIGN) != 0;
  }
  const auto profile = [&](CK_PROFILE_ID id) { all.push_back({CKO_PROFILE, CKA_PROFILE_ID, id}); };
  profile(CKP_BASELINE_PROVIDER);
  // [P11 profiles 3.1 §4.4] wants a key that signs; a token that can only be read has none.
  if (can_sign) profile(CKP_AUTHENTICATION_TOKEN);
  profile(CKP_PUBLIC_CERTIFICATES_TOKEN);
  return all;
}

CK_OBJECT_CLASS Object::object_class() const {
  if (const auto* statement = std::get_if<Statement>(&info)) return statement->object_class;
  constexpr CK_OBJECT_CLASS classes[] = {CKO_PRIVATE_KEY, CKO_PUBLIC_KEY, CKO_CERTIFICATE,
                                         CKO_DATA};
  return classes[info.index()];
}

bool Object::is_private() const {
  if (const auto* data = std::get_if<card::DataInfo>(&info)) return data->is_private;
  return std::holds_alternative<card::KeyInfo>(info);
}

const card::ObjectRef& Object::ref() const {
  return std::visit([](const auto& any) -> const card::ObjectRef& { return any.ref; }, info);
}

const std::string& Object::label() const {
  return std::visit([](const auto& any) -> const std::string& { return any.label; }, info);
}

const Bytes& Object::id() const {
  static const Bytes& none = *new Bytes;
  if (const auto* key = std::get_if<card::KeyInfo>(&info)) return key->id;
  if (const auto* key = std::get_if<card::PublicKeyInfo>(&info)) return key->id;
  if (const auto* body = std::get_if<card::CertificateInfo>(&info)) return body->id;
  return none;
}

void Object::forget_bodies() {
  if (public_key) former_key = std::move(public_key);
  public_key.reset();
  value.reset();
  certificate.reset();
  subject.reset();
}

void Object::apply(const card::AttributeChange& change) {
  std::visit(
      [&](auto& any) {
        if (change.label) any.label = *change.label;
        if constexpr (requires { any.id; }) {
          if (change.id) any.id = *change.id;
        }
        if constexpr (requires { any.subject; }) {
          if (change.subject) any.subject = *change.subject;
        }
      },
      info);
}

Status confirm_object(card::Card& card, const Object& object) {
  const auto* key = object.seen_key();
  const auto* value = object.value ? &*object.value : nullptr;
  if (const auto* info = std::get_if<card::KeyInfo>(&object.info))
    return card::confirm(card, *info, key);
  if (const auto* info = std::get_if<card::PublicKeyInfo>(&object.info))
    return card::confirm(card, *info, key);
  if (const auto* info = std::get_if<card::CertificateInfo>(&object.info))
    return card::confirm(card, *info, value);
  if (const auto* info = std::get_if<card::DataInfo>(&object.info))
    return card::confirm(card, *info, value);
  return {};
}

Need need_of(const Object& object, CK_ATTRIBUTE_TYPE type) {
  const Row* row = find_row(object, type);
  return row ? row->need : Need::nothing;
}

CK_RV attribute(const Object& object, const CardModel& model, CK_ATTRIBUTE_TYPE type, Bytes& out) {
  if (const Row* row = find_row(object, type)) {
    // The public half is not on the card, nor a certificate that has it.
    if (object.is_key() && row->need == Need::body && !object.public_key) {
      return CKR_ATTRIBUTE_TYPE_INVALID;
    }
    out = row->get(object, model);
    return CKR_OK;
  }
  if (std::holds_alternative<card::KeyInfo>(object.info)) {
    for (const auto sensitive : sensitive_types) {
      if (sensitive == type) return CKR_ATTRIBUTE_SENSITIVE;
    }
  }
  return CKR_ATTRIBUTE_TYPE_INVALID;
}

std::size_t size_of(const Object& object) {
  std::size_t size = object.label().size() + object.id().size();
  if (object.value) size += object.value->size();
  if (object.public_key) {
    size += object.public_key->modulus.size() + object.public_key->exponent.size() +
            object.public_key->point.size();
  }
  return size;
}

}  // namespace kilt::p11
