// SPDX-License-Identifier: Apache-2.0
// A card model that can do everything with RSA, and shorthands for checking mechanisms against it.
#pragma once

#include <gtest/gtest.h>

#include "pkcs11/mechanism.hpp"

namespace kilt::p11::test_setup {

using card::KeyType;
using card::Scheme;

inline card::CardModel model_with(std::vector<Scheme> sign, std::vector<Scheme> decrypt) {
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

inline const card::CardModel& full_model() {
  static const auto model =
      model_with({Scheme::rsa_raw, Scheme::rsa_pkcs1}, {Scheme::rsa_raw, Scheme::rsa_pkcs1});
  return model;
}

constexpr KeyFacts rsa_2048{KeyType::rsa, 2048};

inline CK_RV check(CK_MECHANISM mechanism, CK_FLAGS use, Preparation& out,
                   KeyFacts facts = rsa_2048) {
  return check_mechanism(full_model(), &mechanism, use, facts, out);
}
inline Preparation plain(CK_MECHANISM_TYPE type, CK_FLAGS use) {
  Preparation out;
  EXPECT_EQ(check({type, nullptr, 0}, use, out), CKR_OK);
  return out;
}
inline CK_RV check_pss(CK_MECHANISM_TYPE type, CK_RSA_PKCS_PSS_PARAMS parameters, CK_FLAGS use,
                       Preparation& out, KeyFacts facts = rsa_2048) {
  return check({type, &parameters, sizeof parameters}, use, out, facts);
}
inline CK_RV check_oaep(CK_RSA_PKCS_OAEP_PARAMS parameters, CK_FLAGS use, Preparation& out,
                        KeyFacts facts = rsa_2048) {
  return check({CKM_RSA_PKCS_OAEP, &parameters, sizeof parameters}, use, out, facts);
}

}  // namespace kilt::p11::test_setup
