// SPDX-License-Identifier: Apache-2.0
// What we prepare and what we verify is what OpenSSL verifies and makes. OpenSSL stands in for the
// card's private key.
#include <gtest/gtest.h>

#include "pkcs11/verify.hpp"
#include "tests/openssl.hpp"
#include "tests/pkcs11/mechanism_setup.hpp"

namespace kilt::p11 {
namespace {

using namespace test_setup;

const test::OpensslRsa& key() {
  static const test::OpensslRsa made(2048);
  return made;
}

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
  EXPECT_EQ(verify(preparation, broken, {}, Bytes(256)), CKR_FUNCTION_FAILED);
  broken = key().public_key();
  broken.exponent = {};
  EXPECT_EQ(verify(preparation, broken, {}, Bytes(256)), CKR_FUNCTION_FAILED);
  broken = key().public_key();
  broken.type = KeyType::gost_256;
  EXPECT_EQ(verify(preparation, broken, {}, Bytes(256)), CKR_FUNCTION_FAILED);
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
