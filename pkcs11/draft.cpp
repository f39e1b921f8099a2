// SPDX-License-Identifier: Apache-2.0
#include "pkcs11/draft.hpp"

#include <algorithm>
#include <cstring>

#include "drivers/rsa_check.hpp"
#include "pkcs11/mechanism.hpp"

namespace kilt::p11 {
namespace {

/// Whether the value is one that the attribute can have at all.
bool makes_sense(CK_ATTRIBUTE_TYPE type, ByteView value) {
  const auto digit = [](std::uint8_t octet) { return octet >= '0' && octet <= '9'; };
  switch (type) {
    case CKA_START_DATE:
    case CKA_END_DATE:
      return value.size() == sizeof(CK_DATE) && std::all_of(value.begin(), value.end(), digit);
    case CKA_CHECK_VALUE:
      return value.size() == 3;
    case CKA_ALLOWED_MECHANISMS:
      return value.size() % sizeof(CK_MECHANISM_TYPE) == 0;
    default:
      return true;
  }
}

/// A list of mechanisms is a set: the order is the caller's.
std::vector<CK_MECHANISM_TYPE> mechanism_set(ByteView value) {
  std::vector<CK_MECHANISM_TYPE> set(value.size() / sizeof(CK_MECHANISM_TYPE));
  if (!set.empty()) std::memcpy(set.data(), value.data(), set.size() * sizeof set[0]);
  std::sort(set.begin(), set.end());
  set.erase(std::unique(set.begin(), set.end()), set.end());
  return set;
}

bool same_value(CK_ATTRIBUTE_TYPE type, ByteView one, ByteView other) {
  return type == CKA_ALLOWED_MECHANISMS ? mechanism_set(one) == mechanism_set(other)
                                        : equal(one, other);
}

/// A big integer as attributes hold it may have leading zeros; ours do not.
Bytes integer(ByteView value) {
  while (!value.empty() && value.front() == 0)
    value = value.subspan(1);
  return copy_of(value);
}

SecretBytes secret_integer(ByteView value) {
  while (!value.empty() && value.front() == 0)
    value = value.subspan(1);
  return SecretBytes::copy_of(value);
}

/// What every kind of object may have.
void read_common(TemplateReader& reader, CK_OBJECT_CLASS object_class, Draft& out) {
  reader.must_be(CKA_CLASS, object_class);
  out.on_token = reader.flag(CKA_TOKEN, false);
  // Nothing on these cards can be made unchangeable, uncopyable or everlasting.
  reader.must_be(CKA_MODIFIABLE, true);
  reader.must_be(CKA_DESTROYABLE, true);
  if (object_class == CKO_PRIVATE_KEY) {
    // Clients write the default, true, without a thought; no private key can be copied, and a
    // permission that is missing harms nobody.
    reader.flag(CKA_COPYABLE);
  } else {
    reader.must_be(CKA_COPYABLE, true);
  }
  reader.read_only({cka_unique_id});
}

void read_key_common(TemplateReader& reader) {
  reader.require({CKA_KEY_TYPE});
  const auto type = reader.number(CKA_KEY_TYPE);
  if (type && *type != CKK_RSA) reader.complain(CKR_ATTRIBUTE_VALUE_INVALID);
  reader.read_only({CKA_LOCAL, CKA_KEY_GEN_MECHANISM});
}

/// What the cards have no place for. With the key itself in `object`.
void check_key_common(TemplateReader& reader, const Object& object, const card::CardModel& model) {
  must_agree(reader, object, model,
             {CKA_START_DATE, CKA_END_DATE, CKA_ALLOWED_MECHANISMS, CKA_PUBLIC_KEY_INFO});
}

/// A public key that can be computed with: odd modulus of at least 512 bits, odd exponent.
void check_public(TemplateReader& reader, const card::PublicKey& key) {
  const bool bad = key.modulus.empty() || !(key.modulus.back() & 1) || key.bits() < 512 ||
                   key.bits() > 16384 || key.exponent.empty() || !(key.exponent.back() & 1) ||
                   key.exponent.size() > 8 || key.exponent == Bytes{1};
  if (bad) reader.complain(CKR_ATTRIBUTE_VALUE_INVALID);
}

card::PublicKey read_rsa_public(TemplateReader& reader) {
  reader.require({CKA_MODULUS, CKA_PUBLIC_EXPONENT});
  card::PublicKey key;
  key.modulus = integer(reader.bytes(CKA_MODULUS));
  key.exponent = integer(reader.bytes(CKA_PUBLIC_EXPONENT));
  if (reader.has(CKA_MODULUS) && reader.has(CKA_PUBLIC_EXPONENT)) check_public(reader, key);
  return key;
}

CK_RV read_public_key(const Template& from, const card::CardModel& model, Draft& out) {
  TemplateReader reader(from);
  read_common(reader, CKO_PUBLIC_KEY, out);
  read_key_common(reader);
  card::PublicKeyInfo info;
  info.label = as_text(reader.bytes(CKA_LABEL));
  info.id = copy_of(reader.bytes(CKA_ID));
  auto key = read_rsa_public(reader);
  info.bits = key.bits();
  reader.must_be(CKA_MODULUS_BITS, static_cast<CK_ULONG>(info.bits));
  reader.must_be(CKA_PRIVATE, false);
  reader.must_be(CKA_TRUSTED, false);
  reader.must_be(CKA_DERIVE, false);
  info.usage.sign = reader.flag(CKA_VERIFY, true);
  info.usage.sign_recover = reader.flag(CKA_VERIFY_RECOVER, info.usage.sign);
  info.usage.decrypt = reader.flag(CKA_ENCRYPT, true);
  info.usage.unwrap = reader.flag(CKA_WRAP, false);
  if (reader.has(CKA_SUBJECT)) out.object.subject = copy_of(reader.bytes(CKA_SUBJECT));
  out.object.info = std::move(info);
  out.object.public_key = std::move(key);
  check_key_common(reader, out.object, model);
  must_agree(reader, out.object, model, {CKA_WRAP_TEMPLATE});
  return reader.finish();
}

CK_RV read_private_key(const Template& from, const card::CardModel& model, Draft& out) {
  TemplateReader reader(from);
  read_common(reader, CKO_PRIVATE_KEY, out);
  // A private key lives on the card or nowhere.
  if (!out.on_token) reader.complain(CKR_TEMPLATE_INCONSISTENT);
  read_key_common(reader);
  card::KeyInfo info;
  info.label = as_text(reader.bytes(CKA_LABEL));
  info.id = copy_of(reader.bytes(CKA_ID));
  info.subject = copy_of(reader.bytes(CKA_SUBJECT));
  auto key = read_rsa_public(reader);
  info.bits = key.bits();
  reader.must_be(CKA_PRIVATE, true);
  reader.must_be(CKA_SENSITIVE, true);
  reader.must_be(CKA_EXTRACTABLE, false);
  reader.must_be(CKA_ALWAYS_AUTHENTICATE, false);
  reader.must_be(CKA_WRAP_WITH_TRUSTED, false);
  reader.read_only({CKA_ALWAYS_SENSITIVE, CKA_NEVER_EXTRACTABLE});
  info.usage.sign = reader.flag(CKA_SIGN, true);
  info.usage.sign_recover = reader.flag(CKA_SIGN_RECOVER, info.usage.sign);
  info.usage.decrypt = reader.flag(CKA_DECRYPT, true);
  info.usage.unwrap = reader.flag(CKA_UNWRAP, false);
  reader.must_be(CKA_DERIVE, false);
  // The cards take the five parts of the Chinese remainder form; the exponent follows from them,
  // and one that does not is another key's.
  reader.require({CKA_PRIME_1, CKA_PRIME_2, CKA_EXPONENT_1, CKA_EXPONENT_2, CKA_COEFFICIENT});
  reader.accept({CKA_PRIVATE_EXPONENT});
  card::RsaPrivateKey secret;
  secret.modulus = key.modulus;
  secret.public_exponent = key.exponent;
  secret.prime1 = secret_integer(reader.bytes(CKA_PRIME_1));
  secret.prime2 = secret_integer(reader.bytes(CKA_PRIME_2));
  secret.exponent1 = secret_integer(reader.bytes(CKA_EXPONENT_1));
  secret.exponent2 = secret_integer(reader.bytes(CKA_EXPONENT_2));
  secret.coefficient = secret_integer(reader.bytes(CKA_COEFFICIENT));
  out.object.info = std::move(info);
  out.object.public_key = std::move(key);
  check_key_common(reader, out.object, model);
  must_agree(reader, out.object, model, {CKA_UNWRAP_TEMPLATE});
  if (const CK_RV rv = reader.finish(); rv != CKR_OK) return rv;
  const ByteView exponent = reader.bytes(CKA_PRIVATE_EXPONENT);
  if (!exponent.empty() && !card::is_private_exponent(secret, exponent))
    return CKR_ATTRIBUTE_VALUE_INVALID;
  out.secret = std::move(secret);
  return check_key_size(model, card::KeyType::rsa, out.object.public_key->bits());
}

/// The serial as DER INTEGER, or its octets bare, as older Java writes it.
bool is_serial(ByteView given, const card::Certificate& certificate) {
  const ByteView der = certificate.serial;
  return equal(given, der) || (der.size() > 2 && equal(given, der.subspan(2)));
}

/// Names and serial are in the certificate; what the template says of them must be the same.
void compare(TemplateReader& reader, const card::Certificate& certificate) {
  reader.accept({CKA_SUBJECT, CKA_ISSUER, CKA_SERIAL_NUMBER});
  if (reader.has(CKA_SUBJECT) && !equal(reader.bytes(CKA_SUBJECT), certificate.subject)) {
    reader.complain(CKR_TEMPLATE_INCONSISTENT);
  }
  if (reader.has(CKA_ISSUER) && !equal(reader.bytes(CKA_ISSUER), certificate.issuer)) {
    reader.complain(CKR_TEMPLATE_INCONSISTENT);
  }
  if (reader.has(CKA_SERIAL_NUMBER) && !is_serial(reader.bytes(CKA_SERIAL_NUMBER), certificate)) {
    reader.complain(CKR_TEMPLATE_INCONSISTENT);
  }
}

CK_RV read_certificate(const Template& from, const card::CardModel& model, Draft& out) {
  TemplateReader reader(from);
  read_common(reader, CKO_CERTIFICATE, out);
  reader.require({CKA_CERTIFICATE_TYPE, CKA_VALUE});
  const auto type = reader.number(CKA_CERTIFICATE_TYPE);
  if (type && *type != CKC_X_509) reader.complain(CKR_ATTRIBUTE_VALUE_INVALID);
  card::CertificateInfo info;
  info.label = as_text(reader.bytes(CKA_LABEL));
  info.id = copy_of(reader.bytes(CKA_ID));
  reader.must_be(CKA_PRIVATE, false);
  // Only a security officer may call a certificate trusted [P11 3.1 §4.6.2]; the cards cannot.
  if (reader.flag(CKA_TRUSTED, false)) reader.complain(CKR_ATTRIBUTE_READ_ONLY);
  // Whose the certificate is shows later by the keys on the card. That it is another's is a hint
  // for this call: such a certificate needs no key here.
  const auto category = reader.number(CKA_CERTIFICATE_CATEGORY);
  if (category.value_or(0) > CK_CERTIFICATE_CATEGORY_OTHER_ENTITY) {
    reader.complain(CKR_ATTRIBUTE_VALUE_INVALID);
  }
  reader.must_be(CKA_JAVA_MIDP_SECURITY_DOMAIN, CK_SECURITY_DOMAIN_UNSPECIFIED);
  out.object.info = info;
  if (const auto der = reader.bytes(CKA_VALUE); reader.has(CKA_VALUE)) {
    auto certificate = card::Certificate::parse(der);
    if (!certificate) return CKR_ATTRIBUTE_VALUE_INVALID;
    compare(reader, *certificate);
    info.authority =
        category ? *category == CK_CERTIFICATE_CATEGORY_AUTHORITY : certificate->authority;
    out.without_key = info.authority || category == CK_CERTIFICATE_CATEGORY_OTHER_ENTITY;
    out.object.info = std::move(info);
    out.object.value = copy_of(der);
    out.object.certificate = *std::move(certificate);
    must_agree(reader, out.object, model,
               {CKA_CHECK_VALUE, CKA_START_DATE, CKA_END_DATE, CKA_PUBLIC_KEY_INFO, CKA_URL,
                CKA_HASH_OF_SUBJECT_PUBLIC_KEY, CKA_HASH_OF_ISSUER_PUBLIC_KEY});
  }
  return reader.finish();
}

CK_RV read_data(const Template& from, Draft& out) {
  TemplateReader reader(from);
  read_common(reader, CKO_DATA, out);
  card::DataInfo info;
  info.label = as_text(reader.bytes(CKA_LABEL));
  info.application = as_text(reader.bytes(CKA_APPLICATION));
  info.object_id = copy_of(reader.bytes(CKA_OBJECT_ID));
  info.is_private = reader.flag(CKA_PRIVATE, false);
  out.object.value = copy_of(reader.bytes(CKA_VALUE));
  out.object.info = std::move(info);
  return reader.finish();
}

}  // namespace

void must_agree(TemplateReader& reader, const Object& object, const card::CardModel& model,
                std::initializer_list<CK_ATTRIBUTE_TYPE> types) {
  for (const auto type : types) {
    if (!reader.has(type)) continue;
    const ByteView given = reader.bytes(type);
    if (given.empty() && type != CKA_ALLOWED_MECHANISMS) continue;
    Bytes own;
    if (!makes_sense(type, given)) {
      reader.complain(CKR_ATTRIBUTE_VALUE_INVALID);
    } else if (attribute(object, model, type, own) != CKR_OK || !same_value(type, given, own)) {
      // [P11 3.1 §4.9] has a code of its own for another key's.
      reader.complain(type == CKA_PUBLIC_KEY_INFO ? CKR_ATTRIBUTE_VALUE_INVALID
                                                  : CKR_TEMPLATE_INCONSISTENT);
    }
  }
}

CK_RV read_object(const Template& from, const card::CardModel& model, Draft& out) {
  if (from.find(CKA_CLASS) == nullptr) return CKR_TEMPLATE_INCOMPLETE;
  switch (from.number(CKA_CLASS).value_or(CKO_VENDOR_DEFINED)) {
    case CKO_CERTIFICATE:
      return read_certificate(from, model, out);
    case CKO_PUBLIC_KEY:
      return read_public_key(from, model, out);
    case CKO_PRIVATE_KEY:
      return read_private_key(from, model, out);
    case CKO_DATA:
      return read_data(from, out);
    default:
      return CKR_ATTRIBUTE_VALUE_INVALID;
  }
}

CK_RV read_copy(const Template& changes, const Object& original, Draft& out) {
  if (std::holds_alternative<card::KeyInfo>(original.info) || original.is_statement()) {
    return CKR_ACTION_PROHIBITED;
  }
  out.object = original;
  TemplateReader reader(changes);
  card::AttributeChange change;
  if (reader.has(CKA_LABEL)) change.label = as_text(reader.bytes(CKA_LABEL));
  // Whatever can carry an id may be given one, also where the original has none.
  const bool has_id = original.is_key() || original.object_class() == CKO_CERTIFICATE;
  if (reader.has(CKA_ID) && has_id) change.id = copy_of(reader.bytes(CKA_ID));
  out.object.apply(change);
  out.on_token = reader.flag(CKA_TOKEN, original.on_token());
  const bool is_private = reader.flag(CKA_PRIVATE, original.is_private());
  if (auto* data = std::get_if<card::DataInfo>(&out.object.info)) {
    // [P11 3.1 §5.7.2] what was private stays so.
    if (original.is_private() && !is_private) reader.complain(CKR_TEMPLATE_INCONSISTENT);
    data->is_private = is_private;
  } else if (is_private) {
    reader.complain(CKR_TEMPLATE_INCONSISTENT);
  }
  return reader.finish();
}

CK_RV read_changes(const Template& changes, const Object& object, const card::CardModel& model,
                   card::AttributeChange& out) {
  const auto* key = std::get_if<card::KeyInfo>(&object.info);
  const bool fixed = object.on_token() && !model.can_set_attributes;
  if (fixed || object.is_statement() || (key != nullptr && !key->modifiable))
    return CKR_ACTION_PROHIBITED;
  for (const auto& entry : changes.entries()) {
    Bytes present;
    const CK_RV known = need_of(object, entry.type) == Need::nothing
                            ? attribute(object, model, entry.type, present)
                            : CKR_OK;
    if (known == CKR_ATTRIBUTE_TYPE_INVALID) return known;
    if (entry.type == CKA_LABEL) {
      out.label = as_text(entry.value);
    } else if (entry.type == CKA_ID) {
      out.id = copy_of(entry.value);
    } else if (entry.type == CKA_SUBJECT && object.is_key()) {
      out.subject = copy_of(entry.value);
    } else {
      return CKR_ATTRIBUTE_READ_ONLY;
    }
  }
  return CKR_OK;
}

}  // namespace kilt::p11
