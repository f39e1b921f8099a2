// SPDX-License-Identifier: Apache-2.0
#include "tests/sim/witness.hpp"

#include <gtest/gtest.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>

#include <cstdlib>
#include <fstream>
#include <memory>

#include "tests/sim/sim_card.hpp"

namespace kilt::sim::test {
namespace {

using BigNumber = std::unique_ptr<BIGNUM, decltype(&BN_free)>;
using Context = std::unique_ptr<BN_CTX, decltype(&BN_CTX_free)>;
using Key = std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)>;

BigNumber number(ByteView bytes) {
  return {BN_bin2bn(bytes.data(), static_cast<int>(bytes.size()), nullptr), BN_free};
}

Bytes bytes_of(const BIGNUM* value, std::size_t size) {
  Bytes bytes(size);
  EXPECT_EQ(BN_bn2binpad(value, bytes.data(), static_cast<int>(size)), static_cast<int>(size));
  return bytes;
}

Bytes part(const Key& key, const char* name, std::size_t size) {
  BIGNUM* value = nullptr;
  EXPECT_EQ(EVP_PKEY_get_bn_param(key.get(), name, &value), 1) << name;
  const BigNumber owned(value, BN_free);
  return bytes_of(value, size);
}

void write_file(const std::string& path, ByteView bytes) {
  std::ofstream(path, std::ios::binary) << as_text(bytes);
}

}  // namespace

Bytes rsa_public_operation(ByteView modulus, ByteView exponent, ByteView signature) {
  const auto n = number(modulus);
  const auto e = number(exponent);
  const auto s = number(signature);
  const BigNumber result(BN_new(), BN_free);
  const Context context(BN_CTX_new(), BN_CTX_free);
  EXPECT_EQ(BN_mod_exp(result.get(), s.get(), e.get(), n.get(), context.get()), 1);
  return bytes_of(result.get(), modulus.size());
}

ForeignRsaKey foreign_rsa_key(unsigned bits) {
  const Key key(EVP_RSA_gen(bits), EVP_PKEY_free);
  EXPECT_NE(key, nullptr);
  const std::size_t size = bits / 8;
  return {part(key, OSSL_PKEY_PARAM_RSA_N, size),
          part(key, OSSL_PKEY_PARAM_RSA_E, 3),
          part(key, OSSL_PKEY_PARAM_RSA_FACTOR1, size / 2),
          part(key, OSSL_PKEY_PARAM_RSA_FACTOR2, size / 2),
          part(key, OSSL_PKEY_PARAM_RSA_EXPONENT1, size / 2),
          part(key, OSSL_PKEY_PARAM_RSA_EXPONENT2, size / 2),
          part(key, OSSL_PKEY_PARAM_RSA_COEFFICIENT1, size / 2),
          part(key, OSSL_PKEY_PARAM_RSA_D, size)};
}

bool gost_engine_verifies(ByteView public_key_le, ByteView digest, ByteView signature) {
  // SubjectPublicKeyInfo of RFC 4491: GOST R 34.10-2001, CryptoPro-A, the key an OCTET STRING.
  Bytes spki = *from_hex(
      "3063301C06062A8503020213301206072A85030202230106072A850302021E01034300"
      "0440");
  append(spki, public_key_le);
  const TemporaryDirectory directory;
  write_file(directory.file("key"), spki);
  write_file(directory.file("digest"), digest);
  write_file(directory.file("signature"), signature);
  const std::string command = "openssl pkeyutl -engine gost -verify -pubin -keyform DER -inkey " +
                              directory.file("key") + " -in " + directory.file("digest") +
                              " -sigfile " + directory.file("signature") +
                              " 2>&1 | grep -q 'Signature Verified Successfully'";
  return std::system(command.c_str()) == 0;
}

}  // namespace kilt::sim::test
