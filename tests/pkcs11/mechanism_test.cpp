// SPDX-License-Identifier: Apache-2.0
// Mechanisms: what a model offers, and which parameters are taken.
#include "pkcs11/mechanism.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

#include "tests/pkcs11/mechanism_setup.hpp"

namespace kilt::p11 {
namespace {

using namespace test_setup;

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
  bad = with_label;
  bad.source = 0;
  EXPECT_EQ(check_oaep(bad, CKF_DECRYPT, out), refused);
  auto as_pkcs11_tool = good;  // which names no source when there is no label
  as_pkcs11_tool.source = 0;
  EXPECT_EQ(check_oaep(as_pkcs11_tool, CKF_DECRYPT, out), CKR_OK);
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

}  // namespace
}  // namespace kilt::p11
