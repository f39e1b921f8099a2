// SPDX-License-Identifier: Apache-2.0
// Keys made elsewhere, and OpenSSL as the judge of what the token does with them.
#include "tests/drivers/etoken72k_fixture.hpp"
#include "tests/openssl.hpp"

namespace kilt::test {
namespace {

using card::Scheme;

class EtokenImport : public Etoken {};

TEST_F(EtokenImport, AnImportedKeySignsAndDecryptsAsOpensslExpects) {
  const OpensslRsa rsa(2048);
  login();
  card::ImportRequest request;
  request.id = {0x77};
  request.label = "imported";
  request.usage = sign_and_decrypt();
  const auto imported = card->import_private_key(request, rsa.components());
  ASSERT_TRUE(imported.ok()) << why(imported);
  EXPECT_FALSE(imported->local || imported->always_sensitive || imported->never_extractable);
  request.label = "public";
  ASSERT_TRUE(card->store_public_key(request, rsa.public_key()).ok());
  reinsert();
  login();
  const auto found = list();
  ASSERT_EQ(found.keys.size(), 1u);
  ASSERT_EQ(found.public_keys.size(), 1u);
  EXPECT_EQ(found.public_keys[0].label, "public");
  const auto& key = found.keys[0];
  EXPECT_EQ(*card->read_public_key(key.ref), rsa.public_key());
  const Bytes digest(32, 0x5C);
  const auto signature =
      card->sign(key, Scheme::rsa_pkcs1, card::digest_info(card::Digest::sha256, digest));
  ASSERT_TRUE(signature.ok()) << why(signature);
  EXPECT_TRUE(
      rsa.verifies("-pkeyopt rsa_padding_mode:pkcs1 -pkeyopt digest:sha256", digest, *signature));
  const Bytes plain = copy_of(as_bytes("a secret of some length"));
  const auto opened = card->decrypt(key, Scheme::rsa_pkcs1, rsa.with_public("-encrypt", plain));
  ASSERT_TRUE(opened.ok()) << why(opened);
  EXPECT_EQ(*opened, plain);
}

TEST_F(EtokenImport, KeysThatAreNone) {
  const OpensslRsa rsa(1024), small(512);
  login();
  EXPECT_EQ(card->import_private_key({}, small.components()).error().kind, ErrorKind::unsupported);
  auto broken = rsa.components();
  broken.modulus.back() ^= 2;
  EXPECT_EQ(card->import_private_key({}, std::move(broken)).error().kind, ErrorKind::bad_data);
  broken = rsa.components();
  broken.prime2 = SecretBytes();
  EXPECT_EQ(card->import_private_key({}, std::move(broken)).error().kind, ErrorKind::bad_data);
  EXPECT_TRUE(list().keys.empty());
  ASSERT_TRUE(card->logout().ok());
  EXPECT_EQ(card->import_private_key({}, rsa.components()).error().kind, ErrorKind::not_logged_in);
}

}  // namespace
}  // namespace kilt::test
