// SPDX-License-Identifier: Apache-2.0
// Keys made elsewhere, and OpenSSL as the judge of what the card does with them.
#include <openssl/bn.h>

#include "drivers/rsa_padding.hpp"
#include "tests/drivers/jacarta_fixture.hpp"
#include "tests/openssl.hpp"

namespace kilt::test {
namespace {

using card::Role;
using card::Scheme;

class JacartaImport : public Jacarta, public ::testing::WithParamInterface<std::size_t> {};

TEST_P(JacartaImport, SignsAndDecryptsAsOpensslExpects) {
  const OpensslRsa rsa(GetParam());
  login();
  card::ImportRequest request;
  request.id = {0x77};
  request.label = "imported";
  request.usage = sign_and_decrypt();
  const auto imported = card->import_private_key(request, rsa.components());
  ASSERT_TRUE(imported.ok()) << why(imported);
  EXPECT_FALSE(imported->local || imported->always_sensitive || imported->never_extractable);
  reinsert();
  login();
  const auto found = list();
  ASSERT_EQ(found.keys.size(), 1u);
  const auto& key = found.keys[0];
  EXPECT_EQ(key.bits, rsa.bits());
  EXPECT_EQ(*card->read_public_key(key.ref), rsa.public_key());

  const Bytes digest(32, 0x5C);
  const auto signature =
      card->sign(key, Scheme::rsa_pkcs1, card::digest_info(card::Digest::sha256, digest));
  ASSERT_TRUE(signature.ok()) << why(signature);
  EXPECT_TRUE(
      rsa.verifies("-pkeyopt rsa_padding_mode:pkcs1 -pkeyopt digest:sha256", digest, *signature));
  const auto encoded = card::pss_encode(digest, card::Digest::sha256, card::Digest::sha256,
                                        Bytes(32, 9), rsa.bits());
  const auto pss = card->sign(key, Scheme::rsa_raw, *encoded);
  ASSERT_TRUE(pss.ok()) << why(pss);
  EXPECT_TRUE(rsa.verifies("-pkeyopt rsa_padding_mode:pss -pkeyopt digest:sha256", digest, *pss));

  const Bytes plain = copy_of(as_bytes("a secret of some length"));
  const auto opened = card->decrypt(key, Scheme::rsa_pkcs1, rsa.with_public("-encrypt", plain));
  ASSERT_TRUE(opened.ok()) << why(opened);
  EXPECT_EQ(*opened, plain);
  const auto block = card->decrypt(
      key, Scheme::rsa_raw, rsa.with_public("-encrypt -pkeyopt rsa_padding_mode:oaep", plain));
  ASSERT_TRUE(block.ok()) << why(block);
  EXPECT_EQ(*card::oaep_decode(*block, card::Digest::sha1, card::Digest::sha1, {}), plain);
}

INSTANTIATE_TEST_SUITE_P(EverySize, JacartaImport, ::testing::Values(1024, 2048, 4096));

class JacartaImportWrong : public Jacarta {};

TEST_F(JacartaImportWrong, KeysThatAreNone) {
  const OpensslRsa rsa(1024), small(1536);
  login();
  EXPECT_EQ(card->import_private_key({}, small.components()).error().kind, ErrorKind::unsupported);
  auto broken = rsa.components();
  broken.modulus.back() ^= 2;
  EXPECT_EQ(card->import_private_key({}, std::move(broken)).error().kind, ErrorKind::bad_data);
  broken = rsa.components();
  broken.coefficient.data()[3] ^= 1;
  EXPECT_EQ(card->import_private_key({}, std::move(broken)).error().kind, ErrorKind::bad_data);
  broken = rsa.components();
  broken.prime2 = SecretBytes();
  EXPECT_EQ(card->import_private_key({}, std::move(broken)).error().kind, ErrorKind::bad_data);
  EXPECT_TRUE(list().keys.empty());
  ASSERT_TRUE(card->logout().ok());
  EXPECT_EQ(card->import_private_key({}, rsa.components()).error().kind, ErrorKind::not_logged_in);
}

TEST_F(JacartaImportWrong, ThePublicHalfMayComeAgain) {
  const OpensslRsa rsa(1024), other(1024);
  login();
  card::ImportRequest request;
  request.id = {0x77};
  request.label = "private";
  ASSERT_TRUE(card->import_private_key(request, rsa.components()).ok());
  request.label = "public";
  const auto stored = card->store_public_key(request, rsa.public_key());
  ASSERT_TRUE(stored.ok()) << why(stored);
  ASSERT_EQ(list().public_keys.size(), 1u);
  EXPECT_EQ(list().public_keys[0].label, "public");
  ASSERT_TRUE(card->store_public_key({}, other.public_key()).ok());
  ASSERT_EQ(list().public_keys.size(), 2u);
  EXPECT_EQ(*card->read_public_key(list().public_keys[1].ref), other.public_key());
}

using Number = std::unique_ptr<BIGNUM, decltype(&BN_free)>;

Number number(ByteView bytes) {
  return {BN_bin2bn(bytes.data(), static_cast<int>(bytes.size()), nullptr), BN_free};
}
SecretBytes secret_bytes(const Number& value) {
  Bytes bytes(static_cast<std::size_t>(BN_num_bytes(value.get())));
  BN_bn2bin(value.get(), bytes.data());
  return SecretBytes::copy_of(bytes);
}

/// The same primes with another public exponent, the first that makes a part come out short.
card::RsaPrivateKey with_a_short_part(card::RsaPrivateKey key) {
  const std::unique_ptr<BN_CTX, decltype(&BN_CTX_free)> context(BN_CTX_new(), BN_CTX_free);
  const auto inverse = [&](const Number& e, ByteView prime) {
    const Number less = number(prime);
    BN_sub_word(less.get(), 1);
    return Number(BN_mod_inverse(nullptr, e.get(), less.get(), context.get()), BN_free);
  };
  for (BN_ULONG exponent = 65537;; exponent += 2) {
    const Number e(BN_new(), BN_free);
    BN_set_word(e.get(), exponent);
    const Number dp = inverse(e, key.prime1.view()), dq = inverse(e, key.prime2.view());
    if (!dp || !dq) continue;
    key.exponent1 = secret_bytes(dp);
    key.exponent2 = secret_bytes(dq);
    if (key.exponent1.size() == 64 && key.exponent2.size() == 64) continue;
    key.public_exponent = copy_of(secret_bytes(e).view());
    return key;
  }
}

TEST_F(JacartaImportWrong, AKeyWithAShortPartIsTaken) {
  const OpensslRsa rsa(1024);
  auto key = with_a_short_part(rsa.components());
  card::PublicKey expected = rsa.public_key();
  expected.exponent = key.public_exponent;
  login();
  const auto imported = card->import_private_key({}, std::move(key));
  ASSERT_TRUE(imported.ok()) << why(imported);
  const Bytes text(20, 1);
  EXPECT_TRUE(is_signature(expected, text, card->sign(*imported, Scheme::rsa_pkcs1, text)));
  EXPECT_EQ(*card->read_public_key(imported->ref), expected);
}

}  // namespace
}  // namespace kilt::test
