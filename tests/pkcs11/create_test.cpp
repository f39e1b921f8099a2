// SPDX-License-Identifier: Apache-2.0
// Objects made from templates: complete ones, contradictory ones, copies, generation.
#include <fstream>
#include <iterator>

#include "drivers/bignum.hpp"
#include "drivers/rsa_check.hpp"
#include "tests/openssl.hpp"
#include "tests/pkcs11/create_helpers.hpp"

namespace kilt::test {

namespace {

class Create : public Cryptoki {
 protected:
  static CK_RV create(CK_SESSION_HANDLE session, Attributes from, CK_OBJECT_HANDLE* out = nullptr) {
    CK_OBJECT_HANDLE handle = 0;
    return C_CreateObject(session, from.data(), from.size(), out ? out : &handle);
  }
  static Bytes certificate_of(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE key,
                              const std::string& name = "Owner") {
    card::PublicKey public_key;
    public_key.modulus = read(session, key, CKA_MODULUS);
    public_key.exponent = read(session, key, CKA_PUBLIC_EXPONENT);
    return certificate_for(public_key, name);
  }
  static Attributes data(bool on_token, bool is_private = false) {
    return Attributes()
        .number(CKA_CLASS, CKO_DATA)
        .flag(CKA_TOKEN, on_token)
        .flag(CKA_PRIVATE, is_private)
        .add(CKA_LABEL, "note")
        .add(CKA_APPLICATION, "test")
        .add(CKA_VALUE, "some text");
  }
  static Attributes public_key() {
    Bytes modulus(128, 0xA5);
    return Attributes()
        .number(CKA_CLASS, CKO_PUBLIC_KEY)
        .number(CKA_KEY_TYPE, CKK_RSA)
        .add(CKA_MODULUS, modulus)
        .add(CKA_PUBLIC_EXPONENT, Bytes{1, 0, 1});
  }
  static CK_RV generate_with(CK_SESSION_HANDLE session, Attributes public_half,
                             Attributes private_half) {
    CK_MECHANISM mechanism{CKM_RSA_PKCS_KEY_PAIR_GEN, nullptr, 0};
    CK_OBJECT_HANDLE one = 0, other = 0;
    return C_GenerateKeyPair(session, &mechanism, public_half.data(), public_half.size(),
                             private_half.data(), private_half.size(), &one, &other);
  }
};

TEST_F(Create, ACertificateForAKeyOnTheCard) {
  auto session = user_session();
  const auto pair = generate(session);
  const Bytes der = certificate_of(session, pair.public_key);
  CK_OBJECT_HANDLE handle = 0;
  ASSERT_TRUE(is(create(session, certificate_template(der, "\x01"), &handle), CKR_OK));
  EXPECT_EQ(read(session, handle, CKA_VALUE), der);
  const auto parsed = card::Certificate::parse(der);
  ASSERT_TRUE(parsed.ok());
  EXPECT_EQ(read(session, handle, CKA_SUBJECT), parsed->subject);
  EXPECT_EQ(read(session, handle, CKA_ISSUER), parsed->issuer);
  EXPECT_EQ(read(session, handle, CKA_SERIAL_NUMBER), parsed->serial);
  EXPECT_EQ(read(session, handle, CKA_PUBLIC_KEY_INFO), parsed->spki);
  EXPECT_EQ(read(session, handle, CKA_CHECK_VALUE).size(), 3U);
  EXPECT_EQ(read(session, handle, CKA_START_DATE).size(), 8U);
  EXPECT_EQ(read(session, handle, CKA_CERTIFICATE_CATEGORY)[0], 1) << "of the token's user";
  EXPECT_EQ(read(session, pair.private_key, CKA_SUBJECT), parsed->subject);
  // It is on the card, and readable without login.
  EXPECT_TRUE(is(C_Finalize(nullptr), CKR_OK));
  start();
  session = open();
  const auto found = find(session, Attributes()
                                       .number(CKA_CLASS, CKO_CERTIFICATE)
                                       .add(CKA_ISSUER, parsed->issuer)
                                       .add(CKA_SERIAL_NUMBER, parsed->serial));
  ASSERT_EQ(found.size(), 1U);
  EXPECT_EQ(read(session, found[0], CKA_VALUE), der);
}

TEST_F(Create, ACertificateNeedsALogin) {
  // NSS tries without one, and logs in when it is told to.
  auto session = user_session();
  const auto pair = generate(session);
  const Bytes der = certificate_of(session, pair.public_key);
  ASSERT_TRUE(is(C_Logout(session), CKR_OK));
  CK_OBJECT_HANDLE handle = 0;
  EXPECT_TRUE(
      is(create(session, certificate_template(der, "\x01"), &handle), CKR_USER_NOT_LOGGED_IN));
  ASSERT_TRUE(is(login(session), CKR_OK));
  EXPECT_TRUE(is(create(session, certificate_template(der, "\x01"), &handle), CKR_OK));
}

TEST_F(Create, ACertificateForAKeyWhosePublicHalfHasAnotherId) {
  // Java renames the private half first, and looks for the public key by the new id later.
  const auto session = user_session();
  const auto pair = generate(session);
  const Bytes der = certificate_of(session, pair.public_key);
  Attributes renamed;
  renamed.add(CKA_ID, "renamed");
  ASSERT_TRUE(is(C_SetAttributeValue(session, pair.private_key, renamed.data(), 1), CKR_OK));
  EXPECT_EQ(read(session, pair.private_key, CKA_MODULUS),
            read(session, pair.public_key, CKA_MODULUS));
  CK_OBJECT_HANDLE handle = 0;
  ASSERT_TRUE(is(create(session, certificate_template(der, "renamed"), &handle), CKR_OK));
  // In a new process the card alone tells which halves belong together.
  EXPECT_TRUE(is(C_Finalize(nullptr), CKR_OK));
  const auto later = user_session();
  const auto keys = find(later, Attributes().number(CKA_CLASS, CKO_PRIVATE_KEY));
  ASSERT_EQ(keys.size(), 1U);
  EXPECT_EQ(read(later, keys[0], CKA_MODULUS).size(), 128U);
}

TEST_F(Create, IdsAreAsLongAsClientsMakeThem) {
  // Java names a CA's certificate by alias, issuer and serial number.
  const auto session = user_session();
  const std::string id(255, 'i');
  const auto pair = generate(session, id);
  const auto text = read(session, pair.private_key, CKA_ID);
  EXPECT_EQ(std::string(text.begin(), text.end()), id);
}

TEST_F(Create, ACertificateOfAnotherKeyDoesNotTakeItsId) {
  const auto session = user_session();
  const auto one = generate(session, "\x01"), two = generate(session, "\x02");
  EXPECT_TRUE(
      is(create(session, certificate_template(certificate_of(session, two.public_key), "\x01")),
         CKR_TEMPLATE_INCONSISTENT));
  EXPECT_EQ(find(session, Attributes().number(CKA_CLASS, CKO_CERTIFICATE)).size(), 0U);
  // Its own key's may have another id.
  const Bytes der = certificate_of(session, one.public_key, "Elsewhere");
  EXPECT_TRUE(is(create(session, certificate_template(der, "\x03")), CKR_OK));
}

TEST_F(Create, ACertificateWithoutItsKeyHasToBeAskedFor) {
  const auto session = user_session();
  const auto pair = generate(session, "\x02");
  const Bytes der = certificate_of(session, pair.public_key);
  EXPECT_TRUE(is(C_DestroyObject(session, pair.private_key), CKR_OK));
  EXPECT_TRUE(is(C_DestroyObject(session, pair.public_key), CKR_OK));
  auto from = certificate_template(der, "\x03");
  EXPECT_TRUE(is(create(session, from), CKR_TEMPLATE_INCONSISTENT));
  constexpr CK_ULONG token_user = 1, other_entity = 3;
  auto with = from;
  EXPECT_TRUE(is(create(session, with.number(CKA_CERTIFICATE_CATEGORY, token_user)),
                 CKR_TEMPLATE_INCONSISTENT));
  with = from;
  EXPECT_TRUE(is(create(session, with.number(CKA_CERTIFICATE_CATEGORY, other_entity)), CKR_OK));
  std::ifstream file(KILT_SOURCE_DIR "/tests/vectors/certs/prod_root_gost2004_2015.der",
                     std::ios::binary);
  const Bytes root(std::istreambuf_iterator<char>(file), {});
  EXPECT_TRUE(is(create(session, certificate_template(root, "\x04")), CKR_OK))
      << "a CA says itself what it is";
}

TEST_F(Create, RsaKeysDeriveNothing) {
  const auto session = user_session();
  auto half = Attributes().number(CKA_MODULUS_BITS, 1024);
  EXPECT_TRUE(is(generate_with(session, half, Attributes().flag(CKA_DERIVE, true)),
                 CKR_TEMPLATE_INCONSISTENT));
  EXPECT_TRUE(
      is(generate_with(session, half.flag(CKA_DERIVE, true), {}), CKR_TEMPLATE_INCONSISTENT));
}

TEST_F(Create, ContradictionsAreTold) {
  const auto session = user_session();
  const auto pair = generate(session);
  const Bytes der = certificate_of(session, pair.public_key);
  const auto good = certificate_template(der, "\x01");
  EXPECT_TRUE(is(create(session, good.without(CKA_CLASS)), CKR_TEMPLATE_INCOMPLETE));
  EXPECT_TRUE(is(create(session, good.without(CKA_VALUE)), CKR_TEMPLATE_INCOMPLETE));
  EXPECT_TRUE(is(create(session, good.without(CKA_CERTIFICATE_TYPE)), CKR_TEMPLATE_INCOMPLETE));
  auto with = good;
  EXPECT_TRUE(is(create(session, with.add(CKA_SUBJECT, "another")), CKR_TEMPLATE_INCONSISTENT));
  with = good;
  EXPECT_TRUE(is(create(session, with.add(CKA_LABEL, "other")), CKR_TEMPLATE_INCONSISTENT));
  with = good;
  EXPECT_TRUE(is(create(session, with.flag(CKA_PRIVATE, true)), CKR_TEMPLATE_INCONSISTENT));
  with = good;
  EXPECT_TRUE(is(create(session, with.flag(CKA_TRUSTED, true)), CKR_ATTRIBUTE_READ_ONLY));
  with = good;
  EXPECT_TRUE(is(create(session, with.number(CKA_MODULUS_BITS, 5)), CKR_ATTRIBUTE_TYPE_INVALID));
  with = good.without(CKA_TOKEN);
  EXPECT_TRUE(is(create(session, with.add(CKA_TOKEN, Bytes{1, 2})), CKR_ATTRIBUTE_VALUE_INVALID));
  with = good.without(CKA_VALUE);
  EXPECT_TRUE(
      is(create(session, with.add(CKA_VALUE, "no certificate")), CKR_ATTRIBUTE_VALUE_INVALID));
  with = good.without(CKA_CLASS);
  EXPECT_TRUE(
      is(create(session, with.number(CKA_CLASS, CKO_SECRET_KEY)), CKR_ATTRIBUTE_VALUE_INVALID));
  CK_ATTRIBUTE hollow{CKA_CLASS, nullptr, 8};
  CK_OBJECT_HANDLE out = 0;
  EXPECT_TRUE(is(C_CreateObject(session, &hollow, 1, &out), CKR_ATTRIBUTE_VALUE_INVALID));
  EXPECT_TRUE(is(C_CreateObject(session, nullptr, 1, &out), CKR_ARGUMENTS_BAD));
  EXPECT_EQ(find(session).size(), 2U) << "nothing was made";
}

Attributes private_key(const card::RsaPrivateKey& key) {
  const auto octets = [](const SecretBytes& part) { return copy_of(part.view()); };
  return Attributes()
      .number(CKA_CLASS, CKO_PRIVATE_KEY)
      .number(CKA_KEY_TYPE, CKK_RSA)
      .flag(CKA_TOKEN, true)
      .add(CKA_ID, "\x01")
      .add(CKA_MODULUS, key.modulus)
      .add(CKA_PUBLIC_EXPONENT, key.public_exponent)
      .add(CKA_PRIME_1, octets(key.prime1))
      .add(CKA_PRIME_2, octets(key.prime2))
      .add(CKA_EXPONENT_1, octets(key.exponent1))
      .add(CKA_EXPONENT_2, octets(key.exponent2))
      .add(CKA_COEFFICIENT, octets(key.coefficient));
}

/// The other private exponent in use: modulo (p-1)(q-1) [RFC 8017 §3.2 has lcm].
Bytes exponent_modulo_phi(const card::RsaPrivateKey& key) {
  card::Number e(key.public_exponent), p(key.prime1.view()), q(key.prime2.view()), phi, exponent;
  Bytes made(key.modulus.size());
  EXPECT_EQ(mbedtls_mpi_sub_int(*p, *p, 1) | mbedtls_mpi_sub_int(*q, *q, 1) |
                mbedtls_mpi_mul_mpi(*phi, *p, *q) | mbedtls_mpi_inv_mod(*exponent, *e, *phi) |
                mbedtls_mpi_write_binary(*exponent, made.data(), made.size()),
            0);
  return made;
}

TEST_F(Create, AnImportedKeysExponentIsItsOwn) {
  const auto session = user_session();
  const auto key = OpensslRsa(1024).components();
  const auto import = [&](const Bytes& exponent) {
    return create(session, private_key(key).add(CKA_PRIVATE_EXPONENT, exponent));
  };
  const auto least = card::private_exponent(key);
  ASSERT_TRUE(least.ok());
  Bytes wrong = copy_of(least->view());
  wrong.back() ^= 2;
  EXPECT_TRUE(is(import(wrong), CKR_ATTRIBUTE_VALUE_INVALID));
  EXPECT_TRUE(is(import({0}), CKR_ATTRIBUTE_VALUE_INVALID));
  EXPECT_TRUE(is(import(copy_of(key.exponent1.view())), CKR_ATTRIBUTE_VALUE_INVALID))
      << "fits one prime only";
  EXPECT_TRUE(find(session).empty()) << "nothing was made";
  for (const auto& good : {copy_of(least->view()), exponent_modulo_phi(key), Bytes{}}) {
    EXPECT_TRUE(is(import(good), CKR_OK)) << to_hex(good);
    for (const auto made : find(session))
      EXPECT_TRUE(is(C_DestroyObject(session, made), CKR_OK));
  }
}

TEST_F(Create, SessionsDecideWhatMayBeMade) {
  start();
  const auto reader = open(false), writer = open(true);
  EXPECT_TRUE(is(create(reader, data(true)), CKR_SESSION_READ_ONLY));
  EXPECT_TRUE(is(create(writer, data(true, true)), CKR_USER_NOT_LOGGED_IN));
  EXPECT_TRUE(is(create(writer, data(true)), CKR_USER_NOT_LOGGED_IN)) << "the card wants it";
  EXPECT_TRUE(is(create(reader, data(false)), CKR_OK));
  EXPECT_TRUE(is(login(reader), CKR_OK));
  EXPECT_TRUE(is(create(writer, data(true, true)), CKR_OK));
  EXPECT_EQ(find(reader).size(), 2U);
  EXPECT_TRUE(is(C_Logout(reader), CKR_OK));
  EXPECT_EQ(find(reader).size(), 1U);
}

TEST_F(Create, SessionObjectsEndWithTheirSession) {
  start();
  const auto owner = open(), other = open();
  CK_OBJECT_HANDLE handle = 0;
  ASSERT_TRUE(is(create(owner, public_key(), &handle), CKR_OK));
  EXPECT_EQ(read(other, handle, CKA_TOKEN), Bytes{CK_FALSE});
  EXPECT_EQ(read(other, handle, CKA_MODULUS).size(), 128U);
  auto rename = Attributes().add(CKA_LABEL, "renamed");
  EXPECT_TRUE(is(C_SetAttributeValue(other, handle, rename.data(), 1), CKR_OK));
  EXPECT_EQ(find(other, Attributes().add(CKA_LABEL, "renamed")).size(), 1U);
  EXPECT_TRUE(is(C_CloseSession(owner), CKR_OK));
  EXPECT_TRUE(find(other).empty());
}

TEST_F(Create, BadPublicKeysAreRefused) {
  start();
  const auto session = open();
  EXPECT_TRUE(is(create(session, public_key().without(CKA_MODULUS)), CKR_TEMPLATE_INCOMPLETE));
  auto even = public_key().without(CKA_MODULUS);
  EXPECT_TRUE(
      is(create(session, even.add(CKA_MODULUS, Bytes(128, 0xA4))), CKR_ATTRIBUTE_VALUE_INVALID));
  auto empty = public_key().without(CKA_MODULUS);
  EXPECT_TRUE(is(create(session, empty.add(CKA_MODULUS, Bytes{})), CKR_ATTRIBUTE_VALUE_INVALID));
  auto other = public_key().without(CKA_KEY_TYPE);
  EXPECT_TRUE(is(create(session, other.number(CKA_KEY_TYPE, CKK_EC)), CKR_ATTRIBUTE_VALUE_INVALID));
}

TEST_F(Create, CopiesOfWhatCanBeCopied) {
  const auto session = user_session();
  CK_OBJECT_HANDLE note = 0, copy = 0;
  ASSERT_TRUE(is(create(session, data(true), &note), CKR_OK));
  auto change = Attributes().flag(CKA_TOKEN, false).add(CKA_LABEL, "copy");
  ASSERT_TRUE(is(C_CopyObject(session, note, change.data(), change.size(), &copy), CKR_OK));
  EXPECT_EQ(read(session, copy, CKA_VALUE), read(session, note, CKA_VALUE));
  EXPECT_EQ(read(session, copy, CKA_TOKEN), Bytes{CK_FALSE});
  EXPECT_EQ(find(session).size(), 2U);
  const auto key = generate(session).private_key;
  EXPECT_TRUE(is(C_CopyObject(session, key, nullptr, 0, &copy), CKR_ACTION_PROHIBITED));
  EXPECT_TRUE(is(C_CopyObject(session, 9999, nullptr, 0, &copy), CKR_OBJECT_HANDLE_INVALID));
  auto odd = Attributes().number(CKA_MODULUS_BITS, 5);
  EXPECT_TRUE(is(C_CopyObject(session, note, odd.data(), 1, &copy), CKR_ATTRIBUTE_TYPE_INVALID));
}

TEST_F(Create, ACopyOfACertificateWithoutAnIdMayGetOne) {
  start();
  const auto session = open();
  card::PublicKey key;
  key.modulus = Bytes(128, 0xA5);
  key.exponent = Bytes{1, 0, 1};
  const Bytes der = certificate_for(key, "Nameless");
  CK_OBJECT_HANDLE original = 0, copy = 0;
  ASSERT_TRUE(is(create(session, certificate_template(der, "x", false).without(CKA_ID), &original),
                 CKR_OK));
  auto change = Attributes().add(CKA_ID, "given");
  ASSERT_TRUE(is(C_CopyObject(session, original, change.data(), 1, &copy), CKR_OK));
  EXPECT_EQ(as_text(read(session, copy, CKA_ID)), "given");
  EXPECT_TRUE(read(session, original, CKA_ID).empty());
  ASSERT_TRUE(is(create(session, data(false), &original), CKR_OK));
  EXPECT_TRUE(
      is(C_CopyObject(session, original, change.data(), 1, &copy), CKR_ATTRIBUTE_TYPE_INVALID))
      << "data have none";
}

TEST_F(Create, WhatATemplateSaysOfACertificateIsTrue) {
  start();
  const auto session = open();
  card::PublicKey key;
  key.modulus = Bytes(128, 0xA5);
  key.exponent = Bytes{1, 0, 1};
  const auto good = certificate_template(certificate_for(key, "Owner"), "\x01", false);
  CK_OBJECT_HANDLE handle = 0;
  ASSERT_TRUE(is(create(session, good, &handle), CKR_OK));
  const auto with = [&](CK_ATTRIBUTE_TYPE type, const Bytes& value) {
    auto from = good;
    return create(session, from.add(type, value));
  };
  for (const CK_ATTRIBUTE_TYPE type :
       {CKA_CHECK_VALUE, CKA_START_DATE, CKA_END_DATE, CKA_PUBLIC_KEY_INFO}) {
    Bytes value = read(session, handle, type);
    ASSERT_FALSE(value.empty());
    EXPECT_TRUE(is(with(type, value), CKR_OK)) << type;
    EXPECT_TRUE(is(with(type, {}), CKR_OK)) << type;
    value.back() ^= 1;  // a digit stays one
    EXPECT_TRUE(is(with(type, value), type == CKA_PUBLIC_KEY_INFO ? CKR_ATTRIBUTE_VALUE_INVALID
                                                                  : CKR_TEMPLATE_INCONSISTENT))
        << type;
  }
  EXPECT_TRUE(is(with(CKA_CHECK_VALUE, Bytes(2)), CKR_ATTRIBUTE_VALUE_INVALID));
  EXPECT_TRUE(is(with(CKA_START_DATE, Bytes(8, 'x')), CKR_ATTRIBUTE_VALUE_INVALID));
  EXPECT_TRUE(is(with(CKA_URL, {'u'}), CKR_TEMPLATE_INCONSISTENT));
  EXPECT_TRUE(is(with(CKA_HASH_OF_ISSUER_PUBLIC_KEY, Bytes(20)), CKR_TEMPLATE_INCONSISTENT));
  EXPECT_TRUE(is(with(CKA_COPYABLE, {CK_TRUE}), CKR_OK));
  EXPECT_TRUE(is(with(CKA_COPYABLE, {CK_FALSE}), CKR_TEMPLATE_INCONSISTENT));
  auto odd = good;
  EXPECT_TRUE(
      is(create(session, odd.number(CKA_CERTIFICATE_CATEGORY, 4)), CKR_ATTRIBUTE_VALUE_INVALID));
}

TEST_F(Create, WhatATemplateSaysOfAPublicKeyIsTrue) {
  start();
  const auto session = open();
  CK_OBJECT_HANDLE handle = 0;
  ASSERT_TRUE(is(create(session, public_key(), &handle), CKR_OK));
  const auto with = [&](CK_ATTRIBUTE_TYPE type, const Bytes& value) {
    auto from = public_key();
    return create(session, from.add(type, value));
  };
  for (const CK_ATTRIBUTE_TYPE type : {CKA_PUBLIC_KEY_INFO, CKA_ALLOWED_MECHANISMS})
    EXPECT_TRUE(is(with(type, read(session, handle, type)), CKR_OK)) << type;
  EXPECT_TRUE(is(with(CKA_PUBLIC_KEY_INFO, Bytes(20)), CKR_ATTRIBUTE_VALUE_INVALID));
  EXPECT_TRUE(is(with(CKA_ALLOWED_MECHANISMS, Bytes(8)), CKR_TEMPLATE_INCONSISTENT));
  EXPECT_TRUE(is(with(CKA_START_DATE, {}), CKR_OK));
  EXPECT_TRUE(is(with(CKA_END_DATE, Bytes(8, '2')), CKR_TEMPLATE_INCONSISTENT));
  EXPECT_TRUE(is(with(CKA_COPYABLE, {CK_FALSE}), CKR_TEMPLATE_INCONSISTENT));
}

TEST_F(Create, RestrictionsThatNoCardKeepsAreRefused) {
  const auto session = user_session();
  const auto refused = [&](CK_ATTRIBUTE_TYPE type, const Bytes& value, CK_RV rv) {
    for (const bool is_public : {false, true}) {
      auto one = public_template(), other = private_template();
      (is_public ? one : other).add(type, value);
      EXPECT_TRUE(is(generate_with(session, one, other), rv)) << type << is_public;
    }
  };
  Attributes list;
  list.number(CKA_ALLOWED_MECHANISMS, CKM_SHA256_RSA_PKCS);
  const auto* mechanism = static_cast<const std::uint8_t*>(list.data()->pValue);
  refused(CKA_ALLOWED_MECHANISMS, Bytes(mechanism, mechanism + sizeof(CK_ULONG)),
          CKR_TEMPLATE_INCONSISTENT);
  refused(CKA_ALLOWED_MECHANISMS, {}, CKR_TEMPLATE_INCONSISTENT);
  refused(CKA_ALLOWED_MECHANISMS, Bytes(3), CKR_ATTRIBUTE_VALUE_INVALID);
  refused(CKA_START_DATE, Bytes(8, '2'), CKR_TEMPLATE_INCONSISTENT);
  refused(CKA_END_DATE, Bytes(7, '2'), CKR_ATTRIBUTE_VALUE_INVALID);
  auto no_copies = public_template();
  EXPECT_TRUE(is(generate_with(session, no_copies.flag(CKA_COPYABLE, false), private_template()),
                 CKR_TEMPLATE_INCONSISTENT));
  auto subject = public_template(), other_subject = private_template();
  EXPECT_TRUE(is(generate_with(session, subject.add(CKA_SUBJECT, "one"),
                               other_subject.add(CKA_SUBJECT, "two")),
                 CKR_TEMPLATE_INCONSISTENT));
  EXPECT_TRUE(find(session).empty()) << "nothing was made";
}

TEST_F(Create, HarmlessWordsOfAPairAreTaken) {
  const auto session = user_session();
  auto one = public_template(), other = private_template();
  one.add(CKA_START_DATE, "").add(CKA_END_DATE, "").flag(CKA_COPYABLE, true);
  other.add(CKA_START_DATE, "").add(CKA_END_DATE, "").flag(CKA_COPYABLE, true);
  ASSERT_TRUE(is(generate_with(session, one, other), CKR_OK));
  const auto key = find(session, Attributes().number(CKA_CLASS, CKO_PRIVATE_KEY)).at(0);
  auto again = private_template("\x02");
  again.add(CKA_ALLOWED_MECHANISMS, read(session, key, CKA_ALLOWED_MECHANISMS));
  EXPECT_TRUE(is(generate_with(session, public_template(), again), CKR_OK)) << "what it will say";
}

TEST_F(Create, AUsageForbiddenToOneHalfIsForbiddenToThePair) {
  const auto session = user_session();
  const auto half = Attributes().number(CKA_MODULUS_BITS, 1024);
  auto one = half;
  ASSERT_TRUE(is(generate_with(session, one.flag(CKA_ENCRYPT, false), private_template()), CKR_OK));
  for (const auto key : find(session)) {
    const bool is_public = read(session, key, CKA_CLASS)[0] == CKO_PUBLIC_KEY;
    const auto flag = [&](CK_ATTRIBUTE_TYPE of_public, CK_ATTRIBUTE_TYPE of_private) {
      return read(session, key, is_public ? of_public : of_private);
    };
    EXPECT_EQ(flag(CKA_ENCRYPT, CKA_DECRYPT), Bytes{CK_FALSE});
    EXPECT_EQ(flag(CKA_VERIFY, CKA_SIGN), Bytes{CK_TRUE});
  }
  const auto both = [&](CK_ATTRIBUTE_TYPE of_public, CK_ATTRIBUTE_TYPE of_private) {
    auto public_half = half;
    auto private_half = private_template("\x02");
    return generate_with(session, public_half.flag(of_public, false),
                         private_half.flag(of_private, true));
  };
  EXPECT_TRUE(is(both(CKA_VERIFY, CKA_SIGN), CKR_TEMPLATE_INCONSISTENT));
  EXPECT_TRUE(is(both(CKA_ENCRYPT, CKA_DECRYPT), CKR_TEMPLATE_INCONSISTENT));
  EXPECT_TRUE(is(both(CKA_VERIFY_RECOVER, CKA_SIGN_RECOVER), CKR_TEMPLATE_INCONSISTENT));
  EXPECT_TRUE(is(both(CKA_WRAP, CKA_UNWRAP), CKR_TEMPLATE_INCONSISTENT));
  EXPECT_EQ(find(session).size(), 2U);
}

TEST_F(Create, KeyPairTemplatesAreChecked) {
  const auto session = user_session();
  const auto pub = public_template();
  const auto priv = private_template();
  EXPECT_TRUE(
      is(generate_with(session, pub.without(CKA_MODULUS_BITS), priv), CKR_TEMPLATE_INCOMPLETE));
  auto with = public_template(999);
  EXPECT_TRUE(is(generate_with(session, with, priv), CKR_KEY_SIZE_RANGE));
  with = pub;
  EXPECT_TRUE(is(generate_with(session, with.add(CKA_PUBLIC_EXPONENT, Bytes{3}), priv),
                 CKR_ATTRIBUTE_VALUE_INVALID));
  with = pub;
  EXPECT_TRUE(
      is(generate_with(session, with.add(CKA_ID, "\x07"), priv), CKR_TEMPLATE_INCONSISTENT));
  with = priv;
  EXPECT_TRUE(
      is(generate_with(session, pub, with.flag(CKA_EXTRACTABLE, true)), CKR_TEMPLATE_INCONSISTENT));
  with = priv;
  EXPECT_TRUE(is(generate_with(session, pub, with.flag(CKA_LOCAL, true)), CKR_ATTRIBUTE_READ_ONLY));
  with = priv.without(CKA_TOKEN);
  EXPECT_TRUE(
      is(generate_with(session, pub, with.flag(CKA_TOKEN, false)), CKR_TEMPLATE_INCONSISTENT));
  with = priv;
  EXPECT_TRUE(is(generate_with(session, pub, with.add(CKA_URL, "x")), CKR_ATTRIBUTE_TYPE_INVALID));
  EXPECT_TRUE(is(generate_with(open(false), pub, priv), CKR_SESSION_READ_ONLY));
  EXPECT_TRUE(find(session).empty());
  EXPECT_TRUE(is(C_Logout(session), CKR_OK));
  EXPECT_TRUE(is(generate_with(session, pub, priv), CKR_USER_NOT_LOGGED_IN));
}

TEST_F(Create, APairWithoutNamesGetsAnId) {
  const auto session = user_session();
  EXPECT_TRUE(
      is(generate_with(session, public_template(), private_template().without(CKA_ID)), CKR_OK));
  const auto all = find(session);
  ASSERT_EQ(all.size(), 2U);
  EXPECT_EQ(read(session, all[0], CKA_ID).size(), 20U);
  EXPECT_EQ(read(session, all[0], CKA_ID), read(session, all[1], CKA_ID));
}

}  // namespace
}  // namespace kilt::test
