// SPDX-License-Identifier: Apache-2.0
// Mechanisms: what a model offers, which parameters are taken, and that what we prepare and what we
// verify is what OpenSSL verifies and makes. OpenSSL stands in for the card's private key.
#include "pkcs11/mechanism.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

#include "pkcs11/verify.hpp"
#include "tests/openssl.hpp"

namespace kilt::p11 {
namespace {

using card::KeyType;
using card::Scheme;

card::CardModel model_with(std::vector<Scheme> sign, std::vector<Scheme> decrypt) {
  card::CardModel model;
  model.capabilities.push_back({.type = KeyType::rsa,
                                .min_bits = 1024,
                                .max_bits = 2048,
                                .bits_step = 128,
                                .generate = true,
                                .import = true,
                                .sign = std::move(sign),
                                .decrypt = std::move(decrypt)});
  return model;
}

const card::CardModel& full_model() {
  static const auto model =
      model_with({Scheme::rsa_raw, Scheme::rsa_pkcs1}, {Scheme::rsa_raw, Scheme::rsa_pkcs1});
  return model;
}

const test::OpensslRsa& key() {
  static const test::OpensslRsa made(2048);
  return made;
}

constexpr KeyFacts rsa_2048{KeyType::rsa, 2048};

struct HashNames {
  DigestKind kind;
  const char* openssl;
  CK_MECHANISM_TYPE digest, pkcs1, pss;
  CK_RSA_PKCS_MGF_TYPE mgf;
};
constexpr HashNames hashes[] = {
    {DigestKind::sha1, "sha1", CKM_SHA_1, CKM_SHA1_RSA_PKCS, CKM_SHA1_RSA_PKCS_PSS, CKG_MGF1_SHA1},
    {DigestKind::sha224, "sha224", CKM_SHA224, CKM_SHA224_RSA_PKCS, CKM_SHA224_RSA_PKCS_PSS,
     CKG_MGF1_SHA224},
    {DigestKind::sha256, "sha256", CKM_SHA256, CKM_SHA256_RSA_PKCS, CKM_SHA256_RSA_PKCS_PSS,
     CKG_MGF1_SHA256},
    {DigestKind::sha384, "sha384", CKM_SHA384, CKM_SHA384_RSA_PKCS, CKM_SHA384_RSA_PKCS_PSS,
     CKG_MGF1_SHA384},
    {DigestKind::sha512, "sha512", CKM_SHA512, CKM_SHA512_RSA_PKCS, CKM_SHA512_RSA_PKCS_PSS,
     CKG_MGF1_SHA512},
};

CK_RV check(CK_MECHANISM mechanism, CK_FLAGS use, Preparation& out, KeyFacts facts = rsa_2048) {
  return check_mechanism(full_model(), &mechanism, use, facts, out);
}
Preparation plain(CK_MECHANISM_TYPE type, CK_FLAGS use) {
  Preparation out;
  EXPECT_EQ(check({type, nullptr, 0}, use, out), CKR_OK);
  return out;
}
CK_RV check_pss(CK_MECHANISM_TYPE type, CK_RSA_PKCS_PSS_PARAMS parameters, CK_FLAGS use,
                Preparation& out, KeyFacts facts = rsa_2048) {
  return check({type, &parameters, sizeof parameters}, use, out, facts);
}
CK_RV check_oaep(CK_RSA_PKCS_OAEP_PARAMS parameters, CK_FLAGS use, Preparation& out,
                 KeyFacts facts = rsa_2048) {
  return check({CKM_RSA_PKCS_OAEP, &parameters, sizeof parameters}, use, out, facts);
}

/// What driver and card would answer, by OpenSSL's bare power.
Bytes card_signs(const CardInput& input) {
  if (input.scheme == Scheme::rsa_raw) return key().raw_private(input.bytes);
  return key().raw_private(*card::pkcs1_type1_pad(input.bytes, 256));
}
Bytes card_decrypts(const CardInput& input) {
  return key().with_private(std::string("-decrypt -pkeyopt rsa_padding_mode:") +
                                (input.scheme == Scheme::rsa_raw ? "none" : "pkcs1"),
                            input.bytes);
}

Bytes text_of(std::size_t size) {
  Bytes out(size);
  for (std::size_t i = 0; i < size; ++i)
    out[i] = static_cast<std::uint8_t>(i * 7 + 1);
  return out;
}

// ---- lists --------------------------------------------------------------------------------------

std::vector<std::string> names_of(const card::CardModel& model) {
  std::vector<std::string> names;
  for (const auto type : mechanisms_of(model)) {
    names.emplace_back(find_mechanism(type)->name);
  }
  return names;
}

std::string flags_text(CK_FLAGS flags) {
  const std::pair<CK_FLAGS, const char*> named[] = {{CKF_HW, "HW"},
                                                    {CKF_ENCRYPT, "ENCRYPT"},
                                                    {CKF_DECRYPT, "DECRYPT"},
                                                    {CKF_DIGEST, "DIGEST"},
                                                    {CKF_SIGN, "SIGN"},
                                                    {CKF_SIGN_RECOVER, "SIGN_RECOVER"},
                                                    {CKF_VERIFY, "VERIFY"},
                                                    {CKF_VERIFY_RECOVER, "VERIFY_RECOVER"},
                                                    {CKF_GENERATE_KEY_PAIR, "GENERATE_KEY_PAIR"}};
  std::string out;
  for (const auto& [flag, name] : named) {
    if ((flags & flag) != 0) out += (out.empty() ? "" : " ") + std::string(name);
  }
  return out;
}

TEST(Table, TypesAreDistinctAndFound) {
  for (const Mechanism& each : all_mechanisms()) {
    EXPECT_EQ(find_mechanism(each.type), &each) << each.name;
  }
  EXPECT_EQ(find_mechanism(CKM_RSA_9796), nullptr);
  EXPECT_EQ(find_mechanism(CKM_VENDOR_DEFINED), nullptr);
}

TEST(Table, EverythingForACardThatDoesEverything) {
  const std::map<std::string, std::string> expected = {
      {"CKM_RSA_PKCS_KEY_PAIR_GEN", "HW GENERATE_KEY_PAIR"},
      {"CKM_RSA_PKCS", "HW ENCRYPT DECRYPT SIGN SIGN_RECOVER VERIFY VERIFY_RECOVER"},
      {"CKM_RSA_X_509", "HW ENCRYPT DECRYPT SIGN SIGN_RECOVER VERIFY VERIFY_RECOVER"},
      {"CKM_SHA1_RSA_PKCS", "HW SIGN VERIFY"},
      {"CKM_SHA224_RSA_PKCS", "HW SIGN VERIFY"},
      {"CKM_SHA256_RSA_PKCS", "HW SIGN VERIFY"},
      {"CKM_SHA384_RSA_PKCS", "HW SIGN VERIFY"},
      {"CKM_SHA512_RSA_PKCS", "HW SIGN VERIFY"},
      {"CKM_RSA_PKCS_PSS", "HW SIGN VERIFY"},
      {"CKM_SHA1_RSA_PKCS_PSS", "HW SIGN VERIFY"},
      {"CKM_SHA224_RSA_PKCS_PSS", "HW SIGN VERIFY"},
      {"CKM_SHA256_RSA_PKCS_PSS", "HW SIGN VERIFY"},
      {"CKM_SHA384_RSA_PKCS_PSS", "HW SIGN VERIFY"},
      {"CKM_SHA512_RSA_PKCS_PSS", "HW SIGN VERIFY"},
      {"CKM_RSA_PKCS_OAEP", "HW ENCRYPT DECRYPT"},
      {"CKM_SHA_1", "DIGEST"},
      {"CKM_SHA224", "DIGEST"},
      {"CKM_SHA256", "DIGEST"},
      {"CKM_SHA384", "DIGEST"},
      {"CKM_SHA512", "DIGEST"},
  };
  std::map<std::string, std::string> found;
  for (const auto type : mechanisms_of(full_model())) {
    const auto facts = info(full_model(), type);
    ASSERT_TRUE(facts);
    found[find_mechanism(type)->name] = flags_text(facts->flags);
    const bool sized = find_mechanism(type)->key.has_value();
    EXPECT_EQ(facts->ulMinKeySize, sized ? 1024U : 0U);
    EXPECT_EQ(facts->ulMaxKeySize, sized ? 2048U : 0U);
  }
  EXPECT_EQ(found, expected);
}

TEST(Table, ACardThatPadsByItselfHasNoPssNoOaepNoRaw) {
  const auto model = model_with({Scheme::rsa_pkcs1}, {});
  EXPECT_THAT(names_of(model), ::testing::ElementsAre(
                                   "CKM_RSA_PKCS_KEY_PAIR_GEN", "CKM_RSA_PKCS", "CKM_SHA1_RSA_PKCS",
                                   "CKM_SHA224_RSA_PKCS", "CKM_SHA256_RSA_PKCS",
                                   "CKM_SHA384_RSA_PKCS", "CKM_SHA512_RSA_PKCS", "CKM_SHA_1",
                                   "CKM_SHA224", "CKM_SHA256", "CKM_SHA384", "CKM_SHA512"));
  EXPECT_EQ(flags_text(info(model, CKM_RSA_PKCS)->flags),
            "HW SIGN SIGN_RECOVER VERIFY VERIFY_RECOVER");
  Preparation out;
  const CK_MECHANISM pkcs1{CKM_RSA_PKCS, nullptr, 0};
  EXPECT_EQ(check_mechanism(model, &pkcs1, CKF_DECRYPT, rsa_2048, out), CKR_MECHANISM_INVALID);
  EXPECT_EQ(check_mechanism(model, &pkcs1, CKF_SIGN, rsa_2048, out), CKR_OK);
}

TEST(Table, SizesAreThoseOfTheCapabilitiesThatCarryTheMechanism) {
  auto model = full_model();
  model.capabilities.push_back(
      {KeyType::rsa, 4096, 4096, 0, false, false, {Scheme::rsa_pkcs1}, {}});
  EXPECT_EQ(info(model, CKM_RSA_PKCS)->ulMaxKeySize, 4096U);
  EXPECT_EQ(info(model, CKM_RSA_PKCS_PSS)->ulMaxKeySize, 2048U);
  EXPECT_EQ(info(model, CKM_RSA_PKCS_KEY_PAIR_GEN)->ulMaxKeySize, 2048U);
  EXPECT_EQ(check_key_size(model, KeyType::rsa, 4096), CKR_OK);
  EXPECT_EQ(check_key_size(model, KeyType::rsa, 1152), CKR_OK);
  for (const std::size_t bits : {0U, 512U, 1023U, 1025U, 2049U, 3072U, 4097U}) {
    EXPECT_EQ(check_key_size(model, KeyType::rsa, bits), CKR_KEY_SIZE_RANGE) << bits;
  }
  EXPECT_EQ(check_key_size(model, KeyType::gost_256, 256), CKR_KEY_SIZE_RANGE);
}

// ---- parameters ---------------------------------------------------------------------------------

TEST(Check, RefusesWhatDoesNotFitTheOperation) {
  Preparation out;
  EXPECT_EQ(check_mechanism(full_model(), nullptr, CKF_SIGN, rsa_2048, out), CKR_ARGUMENTS_BAD);
  EXPECT_EQ(check({CKM_MD5_RSA_PKCS, nullptr, 0}, CKF_SIGN, out), CKR_MECHANISM_INVALID);
  EXPECT_EQ(check({CKM_SHA256, nullptr, 0}, CKF_SIGN, out), CKR_MECHANISM_INVALID);
  EXPECT_EQ(check({CKM_SHA256_RSA_PKCS, nullptr, 0}, CKF_DECRYPT, out), CKR_MECHANISM_INVALID);
  EXPECT_EQ(check({CKM_RSA_PKCS_OAEP, nullptr, 0}, CKF_SIGN, out), CKR_MECHANISM_INVALID);
  EXPECT_EQ(check({CKM_RSA_PKCS, nullptr, 0}, CKF_SIGN, out, {KeyType::gost_256, 256}),
            CKR_KEY_TYPE_INCONSISTENT);
  EXPECT_EQ(check({CKM_RSA_PKCS, nullptr, 0}, CKF_SIGN, out, {KeyType::rsa, 4096}),
            CKR_KEY_SIZE_RANGE);
  char junk[4] = {};
  EXPECT_EQ(check({CKM_RSA_PKCS, junk, sizeof junk}, CKF_SIGN, out), CKR_MECHANISM_PARAM_INVALID);
  // Clients leave a stale pointer beside length 0.
  EXPECT_EQ(check({CKM_RSA_PKCS, junk, 0}, CKF_SIGN, out), CKR_OK);
}

TEST(Check, PssParameters) {
  Preparation out;
  const CK_RSA_PKCS_PSS_PARAMS good{CKM_SHA256, CKG_MGF1_SHA256, 32};
  EXPECT_EQ(check_pss(CKM_RSA_PKCS_PSS, good, CKF_SIGN, out), CKR_OK);
  EXPECT_EQ(out.hash, DigestKind::sha256);
  EXPECT_EQ(out.salt_length, 32U);
  EXPECT_EQ(out.max_input(CKF_SIGN), 32U);
  EXPECT_EQ(check_pss(CKM_SHA256_RSA_PKCS_PSS, good, CKF_VERIFY, out), CKR_OK);
  EXPECT_EQ(check_pss(CKM_RSA_PKCS_PSS, {CKM_SHA256, CKG_MGF1_SHA1, 0}, CKF_SIGN, out), CKR_OK);
  EXPECT_EQ(out.mgf_hash, DigestKind::sha1);

  const auto refused = CKR_MECHANISM_PARAM_INVALID;
  EXPECT_EQ(check_pss(CKM_SHA384_RSA_PKCS_PSS, good, CKF_SIGN, out), refused);
  EXPECT_EQ(check_pss(CKM_RSA_PKCS_PSS, {CKM_MD5, CKG_MGF1_SHA256, 32}, CKF_SIGN, out), refused);
  EXPECT_EQ(check_pss(CKM_RSA_PKCS_PSS, {CKM_SHA256, 0, 32}, CKF_SIGN, out), refused);
  EXPECT_EQ(check_pss(CKM_RSA_PKCS_PSS, {CKM_SHA256, 99, 32}, CKF_SIGN, out), refused);
  EXPECT_EQ(check_pss(CKM_RSA_PKCS_PSS, {CKM_SHA256, CKG_MGF1_SHA256, 222}, CKF_SIGN, out), CKR_OK);
  EXPECT_EQ(check_pss(CKM_RSA_PKCS_PSS, {CKM_SHA256, CKG_MGF1_SHA256, 223}, CKF_SIGN, out),
            refused);
  EXPECT_EQ(check_pss(CKM_RSA_PKCS_PSS, {CKM_SHA256, CKG_MGF1_SHA256, ~0UL}, CKF_SIGN, out),
            refused);
  EXPECT_EQ(check_pss(CKM_RSA_PKCS_PSS, {CKM_SHA512, CKG_MGF1_SHA512, 64}, CKF_SIGN, out,
                      {KeyType::rsa, 1024}),
            refused);
  CK_RSA_PKCS_PSS_PARAMS copy = good;
  EXPECT_EQ(check({CKM_RSA_PKCS_PSS, nullptr, 0}, CKF_SIGN, out), refused);
  EXPECT_EQ(check({CKM_RSA_PKCS_PSS, nullptr, sizeof copy}, CKF_SIGN, out), refused);
  EXPECT_EQ(check({CKM_RSA_PKCS_PSS, &copy, sizeof copy - 1}, CKF_SIGN, out), refused);
  EXPECT_EQ(check({CKM_RSA_PKCS_PSS, &copy, sizeof copy + 1}, CKF_SIGN, out), refused);
}

TEST(Check, OaepParameters) {
  Preparation out;
  CK_RSA_PKCS_OAEP_PARAMS good{CKM_SHA256, CKG_MGF1_SHA1, CKZ_DATA_SPECIFIED, nullptr, 0};
  EXPECT_EQ(check_oaep(good, CKF_DECRYPT, out), CKR_OK);
  EXPECT_EQ(out.max_input(CKF_DECRYPT), 256U);
  EXPECT_EQ(out.max_input(CKF_ENCRYPT), 190U);
  char label[] = "kilt";
  auto with_label = good;
  with_label.pSourceData = label;
  with_label.ulSourceDataLen = 4;
  EXPECT_EQ(check_oaep(with_label, CKF_DECRYPT, out), CKR_OK);
  label[0] = 'x';  // parameters are copied
  EXPECT_EQ(as_text(out.label), "kilt");

  const auto refused = CKR_MECHANISM_PARAM_INVALID;
  auto bad = good;
  bad.ulSourceDataLen = 4;
  EXPECT_EQ(check_oaep(bad, CKF_DECRYPT, out), refused);
  bad = good;
  bad.source = 0;
  EXPECT_EQ(check_oaep(bad, CKF_DECRYPT, out), refused);
  bad = good;
  bad.hashAlg = CKM_SHA256_RSA_PKCS;
  EXPECT_EQ(check_oaep(bad, CKF_DECRYPT, out), refused);
  bad = good;
  bad.mgf = 77;
  EXPECT_EQ(check_oaep(bad, CKF_DECRYPT, out), refused);
  EXPECT_EQ(check({CKM_RSA_PKCS_OAEP, nullptr, 0}, CKF_DECRYPT, out), refused);
  bad = good;
  bad.hashAlg = CKM_SHA512;
  EXPECT_EQ(check_oaep(bad, CKF_DECRYPT, out, {KeyType::rsa, 1024}), CKR_KEY_SIZE_RANGE);
}

TEST(Check, DigestsAndGeneration) {
  DigestKind kind{};
  KeyType type{};
  CK_MECHANISM mechanism{CKM_SHA384, nullptr, 0};
  EXPECT_EQ(check_digest(&mechanism, kind), CKR_OK);
  EXPECT_EQ(kind, DigestKind::sha384);
  EXPECT_EQ(check_digest(nullptr, kind), CKR_ARGUMENTS_BAD);
  mechanism.mechanism = CKM_MD5;
  EXPECT_EQ(check_digest(&mechanism, kind), CKR_MECHANISM_INVALID);
  EXPECT_EQ(check_generation(full_model(), &mechanism, type), CKR_MECHANISM_INVALID);
  mechanism.mechanism = CKM_RSA_PKCS_KEY_PAIR_GEN;
  EXPECT_EQ(check_generation(full_model(), &mechanism, type), CKR_OK);
  EXPECT_EQ(type, KeyType::rsa);
  mechanism.pParameter = &mechanism;
  mechanism.ulParameterLen = 1;
  EXPECT_EQ(check_generation(full_model(), &mechanism, type), CKR_MECHANISM_PARAM_INVALID);
  EXPECT_EQ(check_generation(full_model(), nullptr, type), CKR_ARGUMENTS_BAD);
}

// ---- signatures ---------------------------------------------------------------------------------

TEST(Sign, HashAndSignIsWhatOpensslVerifies) {
  const Bytes message = text_of(1000);
  const auto file = key().directory().write("message", message);
  for (const auto& hash : hashes) {
    const auto preparation = plain(hash.pkcs1, CKF_SIGN);
    CardInput input;
    ASSERT_EQ(prepare_sign(preparation, message, input), CKR_OK);
    const Bytes signature = card_signs(input);
    test::must_run(std::string("openssl dgst -") + hash.openssl + " -verify " +
                   key().public_key_file() + " -signature " +
                   key().directory().write("signature", signature) + " " + file);
    EXPECT_EQ(verify(preparation, key().public_key(), message, signature), CKR_OK);

    CK_RSA_PKCS_PSS_PARAMS parameters{hash.digest, hash.mgf, digest_size(hash.kind)};
    Preparation pss;
    ASSERT_EQ(check_pss(hash.pss, parameters, CKF_SIGN, pss), CKR_OK);
    ASSERT_EQ(prepare_sign_digest(pss, digest_of(hash.kind, message), input), CKR_OK);
    EXPECT_EQ(input.scheme, Scheme::rsa_raw);
    const Bytes pss_signature = card_signs(input);
    test::must_run(std::string("openssl dgst -") + hash.openssl +
                   " -sigopt rsa_padding_mode:pss -sigopt rsa_pss_saltlen:-1 -verify " +
                   key().public_key_file() + " -signature " +
                   key().directory().write("signature", pss_signature) + " " + file);
    EXPECT_EQ(verify(pss, key().public_key(), message, pss_signature), CKR_OK);
    CardInput again;
    ASSERT_EQ(prepare_sign(pss, message, again), CKR_OK);
    EXPECT_NE(again.bytes, input.bytes) << "the salt must be fresh";
  }
}

TEST(Sign, OneShotMechanismsKeepTheirLengths) {
  const auto pkcs1 = plain(CKM_RSA_PKCS, CKF_SIGN);
  const auto raw = plain(CKM_RSA_X_509, CKF_SIGN);
  Preparation pss;
  ASSERT_EQ(check_pss(CKM_RSA_PKCS_PSS, {CKM_SHA256, CKG_MGF1_SHA256, 32}, CKF_SIGN, pss), CKR_OK);
  CardInput input;
  EXPECT_EQ(prepare_sign(pkcs1, text_of(245), input), CKR_OK);
  EXPECT_EQ(input.bytes, text_of(245));
  EXPECT_EQ(prepare_sign(pkcs1, text_of(246), input), CKR_DATA_LEN_RANGE);
  EXPECT_EQ(prepare_sign(pkcs1, {}, input), CKR_OK);
  EXPECT_EQ(prepare_sign(raw, text_of(257), input), CKR_DATA_LEN_RANGE);
  EXPECT_EQ(prepare_sign(raw, text_of(3), input), CKR_OK);
  ASSERT_EQ(input.bytes.size(), 256U);
  EXPECT_EQ(to_hex(ByteView(input.bytes).last(5)), "000001080F");
  EXPECT_EQ(prepare_sign(pss, text_of(31), input), CKR_DATA_LEN_RANGE);
  EXPECT_EQ(prepare_sign(pss, text_of(33), input), CKR_DATA_LEN_RANGE);
  EXPECT_EQ(prepare_sign(pss, text_of(32), input), CKR_OK);
  EXPECT_EQ(prepare_sign_digest(plain(CKM_SHA256_RSA_PKCS, CKF_SIGN), text_of(20), input),
            CKR_DATA_LEN_RANGE);
  EXPECT_EQ(prepare_sign_digest(pkcs1, text_of(20), input), CKR_DATA_LEN_RANGE);
}

TEST(Verify, OpensslsSignaturesAreTaken) {
  const Bytes message = text_of(77);
  const auto file = key().directory().write("message", message);
  for (const auto& hash : hashes) {
    test::must_run(std::string("openssl dgst -") + hash.openssl + " -sign " + key().key() +
                   " -out " + key().directory().file("signature") + " " + file);
    EXPECT_EQ(verify(plain(hash.pkcs1, CKF_VERIFY), key().public_key(), message,
                     key().directory().read("signature")),
              CKR_OK);
    for (const unsigned salt : {0U, 11U}) {
      test::must_run(std::string("openssl dgst -") + hash.openssl +
                     " -sigopt rsa_padding_mode:pss -sigopt rsa_pss_saltlen:" +
                     std::to_string(salt) + " -sigopt rsa_mgf1_md:sha1 -sign " + key().key() +
                     " -out " + key().directory().file("signature") + " " + file);
      const Bytes signature = key().directory().read("signature");
      Preparation pss;
      ASSERT_EQ(check_pss(hash.pss, {hash.digest, CKG_MGF1_SHA1, salt}, CKF_VERIFY, pss), CKR_OK);
      EXPECT_EQ(verify(pss, key().public_key(), message, signature), CKR_OK);
      EXPECT_EQ(verify_digest(pss, key().public_key(), digest_of(hash.kind, message), signature),
                CKR_OK);
      ASSERT_EQ(check_pss(hash.pss, {hash.digest, CKG_MGF1_SHA1, salt + 1}, CKF_VERIFY, pss),
                CKR_OK);
      EXPECT_EQ(verify(pss, key().public_key(), message, signature), CKR_SIGNATURE_INVALID);
    }
  }
}

TEST(Verify, TellsWrongLengthFromWrongSignature) {
  const auto& public_key = key().public_key();
  const Bytes message = text_of(40);
  for (const auto type : {CKM_RSA_PKCS, CKM_RSA_X_509, CKM_SHA256_RSA_PKCS}) {
    const auto preparation = plain(type, CKF_VERIFY);
    CardInput input;
    ASSERT_EQ(prepare_sign(preparation, message, input), CKR_OK);
    Bytes signature = card_signs(input);
    EXPECT_EQ(verify(preparation, public_key, message, signature), CKR_OK);
    EXPECT_EQ(verify(preparation, public_key, text_of(41), signature), CKR_SIGNATURE_INVALID);
    EXPECT_EQ(verify(preparation, public_key, message, ByteView(signature).first(255)),
              CKR_SIGNATURE_LEN_RANGE);
    EXPECT_EQ(verify(preparation, public_key, message, {}), CKR_SIGNATURE_LEN_RANGE);
    EXPECT_EQ(verify(preparation, public_key, message, Bytes(256, 0xFF)), CKR_SIGNATURE_INVALID);
    EXPECT_EQ(verify(preparation, public_key, message, Bytes(256, 0x00)), CKR_SIGNATURE_INVALID);
    signature[100] ^= 1;
    EXPECT_EQ(verify(preparation, public_key, message, signature), CKR_SIGNATURE_INVALID);
    if (type != CKM_SHA256_RSA_PKCS) {
      EXPECT_EQ(verify(preparation, public_key, text_of(257), signature), CKR_DATA_LEN_RANGE);
    }
  }
}

TEST(Verify, ABrokenPublicKeyIsAnError) {
  const auto preparation = plain(CKM_RSA_PKCS, CKF_VERIFY);
  card::PublicKey broken;
  EXPECT_EQ(verify(preparation, broken, {}, Bytes(256)), CKR_KEY_SIZE_RANGE);
  broken = key().public_key();
  broken.exponent = {};
  EXPECT_EQ(verify(preparation, broken, {}, Bytes(256)), CKR_KEY_SIZE_RANGE);
  broken = key().public_key();
  broken.type = KeyType::gost_256;
  EXPECT_EQ(verify(preparation, broken, {}, Bytes(256)), CKR_KEY_SIZE_RANGE);
}

TEST(Recover, GivesBackWhatWasSigned) {
  const Bytes data = text_of(100);
  Bytes recovered;
  auto preparation = plain(CKM_RSA_PKCS, CKF_SIGN_RECOVER);
  CardInput input;
  ASSERT_EQ(prepare_sign(preparation, data, input), CKR_OK);
  const Bytes signature = card_signs(input);
  EXPECT_EQ(verify_recover(preparation, key().public_key(), signature, recovered), CKR_OK);
  EXPECT_EQ(recovered, data);
  EXPECT_EQ(verify_recover(preparation, key().public_key(), Bytes(255), recovered),
            CKR_SIGNATURE_LEN_RANGE);
  EXPECT_EQ(verify_recover(preparation, key().public_key(), Bytes(256, 0x11), recovered),
            CKR_SIGNATURE_INVALID);
  preparation = plain(CKM_RSA_X_509, CKF_VERIFY_RECOVER);
  EXPECT_EQ(verify_recover(preparation, key().public_key(), signature, recovered), CKR_OK);
  ASSERT_EQ(recovered.size(), 256U);
  EXPECT_EQ(to_hex(ByteView(recovered).first(4)), "0001FFFF");
  EXPECT_EQ(Bytes(recovered.end() - 100, recovered.end()), data);
}

// ---- encryption ---------------------------------------------------------------------------------

TEST(Decrypt, WhatOpensslEncrypts) {
  CardInput input;
  Bytes plain_text;
  const Bytes text = text_of(60);
  auto preparation = plain(CKM_RSA_PKCS, CKF_DECRYPT);
  Bytes cryptogram = key().with_public("-encrypt", text);
  ASSERT_EQ(prepare_decrypt(preparation, cryptogram, input), CKR_OK);
  ASSERT_EQ(finish_decrypt(preparation, card_decrypts(input), plain_text), CKR_OK);
  EXPECT_EQ(plain_text, text);

  char label[] = "kilt";
  CK_RSA_PKCS_OAEP_PARAMS parameters{CKM_SHA256, CKG_MGF1_SHA1, CKZ_DATA_SPECIFIED, label, 4};
  ASSERT_EQ(check_oaep(parameters, CKF_DECRYPT, preparation), CKR_OK);
  cryptogram = key().with_public(
      "-encrypt -pkeyopt rsa_padding_mode:oaep -pkeyopt rsa_oaep_md:sha256 "
      "-pkeyopt rsa_mgf1_md:sha1 -pkeyopt rsa_oaep_label:6b696c74",
      text);
  ASSERT_EQ(prepare_decrypt(preparation, cryptogram, input), CKR_OK);
  ASSERT_EQ(finish_decrypt(preparation, card_decrypts(input), plain_text), CKR_OK);
  EXPECT_EQ(plain_text, text);
  EXPECT_EQ(finish_decrypt(preparation, Bytes(256), plain_text), CKR_ENCRYPTED_DATA_INVALID);
  EXPECT_EQ(finish_decrypt(preparation, Bytes(255), plain_text), CKR_DEVICE_ERROR);
  EXPECT_EQ(prepare_decrypt(preparation, Bytes(255), input), CKR_ENCRYPTED_DATA_LEN_RANGE);
  EXPECT_EQ(prepare_decrypt(preparation, Bytes(257), input), CKR_ENCRYPTED_DATA_LEN_RANGE);
  EXPECT_EQ(finish_decrypt(plain(CKM_RSA_PKCS, CKF_DECRYPT), Bytes(246), plain_text),
            CKR_DEVICE_ERROR);
}

TEST(Encrypt, OpensslDecrypts) {
  const Bytes text = text_of(60);
  Bytes cryptogram;
  auto preparation = plain(CKM_RSA_PKCS, CKF_ENCRYPT);
  ASSERT_EQ(encrypt(preparation, key().public_key(), text, cryptogram), CKR_OK);
  EXPECT_EQ(key().with_private("-decrypt", cryptogram), text);
  EXPECT_EQ(encrypt(preparation, key().public_key(), text_of(246), cryptogram), CKR_DATA_LEN_RANGE);

  CK_RSA_PKCS_OAEP_PARAMS parameters{CKM_SHA512, CKG_MGF1_SHA256, CKZ_DATA_SPECIFIED, nullptr, 0};
  ASSERT_EQ(check_oaep(parameters, CKF_ENCRYPT, preparation), CKR_OK);
  ASSERT_EQ(encrypt(preparation, key().public_key(), text, cryptogram), CKR_OK);
  EXPECT_EQ(key().with_private("-decrypt -pkeyopt rsa_padding_mode:oaep "
                               "-pkeyopt rsa_oaep_md:sha512 -pkeyopt rsa_mgf1_md:sha256",
                               cryptogram),
            text);
  EXPECT_EQ(encrypt(preparation, key().public_key(), text_of(127), cryptogram), CKR_DATA_LEN_RANGE);

  preparation = plain(CKM_RSA_X_509, CKF_ENCRYPT);
  ASSERT_EQ(encrypt(preparation, key().public_key(), text, cryptogram), CKR_OK);
  Bytes block(256 - 60, 0x00);
  append(block, text);
  EXPECT_EQ(key().raw_private(cryptogram), block);
  EXPECT_EQ(encrypt(preparation, key().public_key(), Bytes(256, 0xFF), cryptogram),
            CKR_DATA_INVALID);
}

// ---- digests ------------------------------------------------------------------------------------

TEST(Digest, IsWhatOpensslComputesInAnyPieces) {
  const Bytes message = text_of(5000);
  const auto file = key().directory().write("message", message);
  for (const auto& hash : hashes) {
    const Bytes expected =
        *from_hex(test::must_run(std::string("openssl dgst -r -") + hash.openssl + " " + file)
                      .substr(0, 2 * digest_size(hash.kind)));
    EXPECT_EQ(digest_of(hash.kind, message), expected);
    Digester digester(hash.kind);
    digester.update({});
    for (std::size_t at = 0; at < message.size(); at += 61) {
      digester.update(
          ByteView(message).subspan(at, std::min<std::size_t>(61, message.size() - at)));
    }
    Digester copy = digester;
    copy.update(text_of(1));
    EXPECT_NE(copy.finish(), expected);
    EXPECT_EQ(digester.finish(), expected);
    digester.update(message);  // it starts afresh
    copy = digester;
    Digester moved = std::move(digester);
    EXPECT_EQ(moved.finish(), expected);
    EXPECT_EQ(copy.finish(), expected);
  }
  EXPECT_EQ(to_hex(digest_of(DigestKind::sha256, {})),
            "E3B0C44298FC1C149AFBF4C8996FB92427AE41E4649B934CA495991B7852B855");
}

}  // namespace
}  // namespace kilt::p11
