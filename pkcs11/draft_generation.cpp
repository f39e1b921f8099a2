// SPDX-License-Identifier: Apache-2.0
// The two templates of C_GenerateKeyPair.
#include "pkcs11/draft.hpp"
#include "pkcs11/mechanism.hpp"

namespace kilt::p11 {
namespace {

constexpr std::uint8_t fermat_4[] = {0x01, 0x00, 0x01};

void read_common(TemplateReader& reader, CK_OBJECT_CLASS object_class) {
  reader.must_be(CKA_CLASS, object_class);
  reader.must_be(CKA_KEY_TYPE, CKK_RSA);
  // A pair lives on the card; who asks for session keys would leave them there unknowingly.
  reader.must_be(CKA_TOKEN, true);
  reader.must_be(CKA_MODIFIABLE, true);
  reader.must_be(CKA_DESTROYABLE, true);
  reader.accept({CKA_COPYABLE, CKA_START_DATE, CKA_END_DATE, CKA_ALLOWED_MECHANISMS});
  reader.read_only({CKA_LOCAL, CKA_KEY_GEN_MECHANISM, CKA_PUBLIC_KEY_INFO, cka_unique_id});
}

void read_private(TemplateReader& reader, card::GenerateRequest& out) {
  read_common(reader, CKO_PRIVATE_KEY);
  out.private_label = as_text(reader.bytes(CKA_LABEL));
  out.id = copy_of(reader.bytes(CKA_ID));
  out.subject = copy_of(reader.bytes(CKA_SUBJECT));
  out.usage.sign = reader.flag(CKA_SIGN, true);
  out.usage.sign_recover = reader.flag(CKA_SIGN_RECOVER, out.usage.sign);
  out.usage.decrypt = reader.flag(CKA_DECRYPT, true);
  out.usage.unwrap = reader.flag(CKA_UNWRAP, false);
  reader.must_be(CKA_DERIVE, false);
  reader.must_be(CKA_PRIVATE, true);
  reader.must_be(CKA_SENSITIVE, true);
  reader.must_be(CKA_EXTRACTABLE, false);
  reader.must_be(CKA_WRAP_WITH_TRUSTED, false);
  reader.must_be(CKA_ALWAYS_AUTHENTICATE, false);
  reader.accept({CKA_UNWRAP_TEMPLATE});
  reader.read_only({CKA_ALWAYS_SENSITIVE, CKA_NEVER_EXTRACTABLE, CKA_MODULUS, CKA_PUBLIC_EXPONENT,
                    CKA_PRIVATE_EXPONENT});
}

/// Both halves have one CKA_ID, and what one half may do the other undoes.
void read_public(TemplateReader& reader, card::GenerateRequest& out) {
  read_common(reader, CKO_PUBLIC_KEY);
  reader.require({CKA_MODULUS_BITS});
  out.bits = reader.number(CKA_MODULUS_BITS).value_or(0);
  if (reader.has(CKA_PUBLIC_EXPONENT)) {
    ByteView exponent = reader.bytes(CKA_PUBLIC_EXPONENT);
    while (!exponent.empty() && exponent.front() == 0)
      exponent = exponent.subspan(1);
    if (!equal(exponent, fermat_4)) reader.complain(CKR_ATTRIBUTE_VALUE_INVALID);
  }
  out.public_label = as_text(reader.bytes(CKA_LABEL));
  const auto id = reader.bytes(CKA_ID);
  if (out.id.empty()) {
    out.id = copy_of(id);
  } else if (!id.empty() && !equal(id, out.id)) {
    reader.complain(CKR_TEMPLATE_INCONSISTENT);
  }
  if (out.subject.empty()) out.subject = copy_of(reader.bytes(CKA_SUBJECT));
  reader.must_be(CKA_PRIVATE, false);
  reader.must_be(CKA_TRUSTED, false);
  reader.must_be(CKA_DERIVE, false);
  reader.accept(
      {CKA_SUBJECT, CKA_WRAP_TEMPLATE, CKA_VERIFY, CKA_VERIFY_RECOVER, CKA_ENCRYPT, CKA_WRAP});
  reader.read_only({CKA_MODULUS});
}

}  // namespace

CK_RV read_generation(const Template& public_key, const Template& private_key,
                      const card::CardModel& model, card::GenerateRequest& out) {
  TemplateReader private_reader(private_key);
  read_private(private_reader, out);
  if (const CK_RV rv = private_reader.finish(); rv != CKR_OK) return rv;
  TemplateReader public_reader(public_key);
  read_public(public_reader, out);
  if (const CK_RV rv = public_reader.finish(); rv != CKR_OK) return rv;
  if (out.private_label.empty()) out.private_label = out.public_label;
  if (out.public_label.empty()) out.public_label = out.private_label;
  return check_key_size(model, card::KeyType::rsa, out.bits);
}

}  // namespace kilt::p11
