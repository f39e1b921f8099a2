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
  reader.read_only({CKA_LOCAL, CKA_KEY_GEN_MECHANISM, CKA_PUBLIC_KEY_INFO, cka_unique_id});
}

void read_private(TemplateReader& reader, card::GenerateRequest& out) {
  read_common(reader, CKO_PRIVATE_KEY);
  out.private_label = as_text(reader.bytes(CKA_LABEL));
  out.id = copy_of(reader.bytes(CKA_ID));
  out.subject = copy_of(reader.bytes(CKA_SUBJECT));
  // Clients write the default, true, without a thought; no private key can be copied, and a
  // permission that is missing harms nobody.
  reader.flag(CKA_COPYABLE);
  reader.must_be(CKA_DERIVE, false);
  reader.must_be(CKA_PRIVATE, true);
  reader.must_be(CKA_SENSITIVE, true);
  reader.must_be(CKA_EXTRACTABLE, false);
  reader.must_be(CKA_WRAP_WITH_TRUSTED, false);
  reader.must_be(CKA_ALWAYS_AUTHENTICATE, false);
  reader.read_only({CKA_ALWAYS_SENSITIVE, CKA_NEVER_EXTRACTABLE, CKA_MODULUS, CKA_PUBLIC_EXPONENT,
                    CKA_PRIVATE_EXPONENT});
}

/// Both halves have one CKA_ID and one CKA_SUBJECT.
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
  const auto subject = reader.bytes(CKA_SUBJECT);
  if (out.subject.empty()) {
    out.subject = copy_of(subject);
  } else if (!subject.empty() && !equal(subject, out.subject)) {
    reader.complain(CKR_TEMPLATE_INCONSISTENT);
  }
  reader.must_be(CKA_COPYABLE, true);
  reader.must_be(CKA_PRIVATE, false);
  reader.must_be(CKA_TRUSTED, false);
  reader.must_be(CKA_DERIVE, false);
  reader.read_only({CKA_MODULUS});
}

/// What one half may do the other undoes: the cards know one permission for both. What is forbidden
/// to either is forbidden to the pair. A permission for the public half alone is dropped: GnuTLS
/// asks for CKA_VERIFY and CKA_ENCRYPT whatever it asks for the private half.
void read_usage(TemplateReader& private_half, TemplateReader& public_half, card::KeyUsage& out) {
  const auto both = [&](CK_ATTRIBUTE_TYPE own, CK_ATTRIBUTE_TYPE opposite, bool otherwise) {
    const bool open = public_half.flag(opposite, true);
    const bool wanted = private_half.flag(own, otherwise && open);
    if (wanted && !open) private_half.complain(CKR_TEMPLATE_INCONSISTENT);
    return wanted;
  };
  out.sign = both(CKA_SIGN, CKA_VERIFY, true);
  out.sign_recover = both(CKA_SIGN_RECOVER, CKA_VERIFY_RECOVER, out.sign);
  out.decrypt = both(CKA_DECRYPT, CKA_ENCRYPT, true);
  out.unwrap = both(CKA_UNWRAP, CKA_WRAP, false);
}

/// What the cards have no place for.
void check_rest(TemplateReader& private_half, TemplateReader& public_half,
                const card::CardModel& model, const card::GenerateRequest& request) {
  Object object;
  card::KeyInfo private_info;
  private_info.usage = request.usage;
  object.info = std::move(private_info);
  must_agree(private_half, object, model,
             {CKA_START_DATE, CKA_END_DATE, CKA_ALLOWED_MECHANISMS, CKA_UNWRAP_TEMPLATE});
  card::PublicKeyInfo public_info;
  public_info.usage = request.usage;
  object.info = std::move(public_info);
  must_agree(public_half, object, model,
             {CKA_START_DATE, CKA_END_DATE, CKA_ALLOWED_MECHANISMS, CKA_WRAP_TEMPLATE});
}

}  // namespace

CK_RV read_generation(const Template& public_key, const Template& private_key,
                      const card::CardModel& model, card::GenerateRequest& out) {
  TemplateReader private_reader(private_key);
  read_private(private_reader, out);
  TemplateReader public_reader(public_key);
  read_public(public_reader, out);
  read_usage(private_reader, public_reader, out.usage);
  check_rest(private_reader, public_reader, model, out);
  if (const CK_RV rv = private_reader.finish(); rv != CKR_OK) return rv;
  if (const CK_RV rv = public_reader.finish(); rv != CKR_OK) return rv;
  if (out.private_label.empty()) out.private_label = out.public_label;
  if (out.public_label.empty()) out.public_label = out.private_label;
  return check_key_size(model, card::KeyType::rsa, out.bits);
}

}  // namespace kilt::p11
