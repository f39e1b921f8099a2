// SPDX-License-Identifier: Apache-2.0
// Keys made elsewhere, and OpenSSL as the judge of what the card does with them.
#include "apdu/tlv.hpp"
#include "drivers/rsa_padding.hpp"
#include "tests/drivers/kaztoken_fixture.hpp"
#include "tests/openssl.hpp"

namespace kilt::test {
namespace {

using card::Role;
using card::Scheme;

/// RSAPrivateKey [RFC 8017 A.1.2]: version, n, e, d, p, q, dp, dq, qinv.
card::RsaPrivateKey components(const OpensslRsa& rsa) {
  const std::string file = rsa.directory().file("key.der");
  must_run("openssl rsa -traditional -in " + rsa.key() + " -outform DER -out " + file);
  const Bytes der = read_file(file);
  apdu::BerReader outer(der);
  auto inside = std::move(*outer.enter(0x30));
  std::vector<Bytes> numbers;
  while (!inside.done())
    numbers.push_back(copy_of(inside.expect(0x02)->value));
  card::RsaPrivateKey key;
  key.modulus = numbers[1];
  key.public_exponent = numbers[2];
  key.prime1 = SecretBytes::copy_of(numbers[4]);
  key.prime2 = SecretBytes::copy_of(numbers[5]);
  key.exponent1 = SecretBytes::copy_of(numbers[6]);
  key.exponent2 = SecretBytes::copy_of(numbers[7]);
  key.coefficient = SecretBytes::copy_of(numbers[8]);
  return key;
}

class KaztokenImport : public Kaztoken, public ::testing::WithParamInterface<const char*> {
 protected:
  KaztokenImport() : Kaztoken(GetParam()) {}
};

TEST_P(KaztokenImport, SignsAndDecryptsAsOpensslExpects) {
  const OpensslRsa rsa(GetParam() == std::string("kaztoken") ? 2048 : 1536);
  login();
  card::ImportRequest request;
  request.id = {0x77};
  request.label = "imported";
  request.usage = sign_and_decrypt();
  const auto imported = card->import_private_key(request, components(rsa));
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

INSTANTIATE_TEST_SUITE_P(BothForms, KaztokenImport, ::testing::Values("kaztoken", "kaztoken-sc"),
                         [](const auto& param) {
                           return std::string(param.param) == "kaztoken" ? "Token" : "Card";
                         });

class KaztokenImportWrong : public Kaztoken {};

TEST_F(KaztokenImportWrong, KeysThatAreNone) {
  const OpensslRsa rsa(1024), small(512);
  login();
  EXPECT_EQ(card->import_private_key({}, components(small)).error().kind, ErrorKind::unsupported);
  auto broken = components(rsa);
  broken.modulus.back() ^= 2;
  EXPECT_EQ(card->import_private_key({}, std::move(broken)).error().kind, ErrorKind::bad_data);
  broken = components(rsa);
  broken.coefficient.data()[3] ^= 1;
  EXPECT_EQ(card->import_private_key({}, std::move(broken)).error().kind, ErrorKind::bad_data);
  broken = components(rsa);
  broken.prime2 = SecretBytes();
  EXPECT_EQ(card->import_private_key({}, std::move(broken)).error().kind, ErrorKind::bad_data);
  EXPECT_TRUE(list().keys.empty());
  ASSERT_TRUE(card->logout().ok());
  EXPECT_EQ(card->import_private_key({}, components(rsa)).error().kind, ErrorKind::not_logged_in);
}

TEST_F(KaztokenImportWrong, ThePublicHalfMayComeAgain) {
  const OpensslRsa rsa(1024), other(1024);
  login();
  card::ImportRequest request;
  request.id = {0x77};
  request.label = "private";
  ASSERT_TRUE(card->import_private_key(request, components(rsa)).ok());
  request.label = "public";
  const auto stored = card->store_public_key(request, rsa.public_key());
  ASSERT_TRUE(stored.ok()) << why(stored);
  ASSERT_EQ(list().public_keys.size(), 1u);
  EXPECT_EQ(list().public_keys[0].label, "public");
  ASSERT_TRUE(card->store_public_key({}, other.public_key()).ok());
  ASSERT_EQ(list().public_keys.size(), 2u);
  EXPECT_EQ(*card->read_public_key(list().public_keys[1].ref), other.public_key());
}

}  // namespace
}  // namespace kilt::test
