// SPDX-License-Identifier: Apache-2.0
// Keys made elsewhere: imported ones, with OpenSSL as the judge of what the token does with them,
// and the vendor's, whose attributes tell us nothing.
#include <algorithm>

#include "tests/drivers/etoken72k_fixture.hpp"

namespace kilt::test {
namespace {

using card::Role;
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

// ---- the vendor's keys -----------------------------------------------------------------------

/// Key 3002 and certificate 1001 as the vendor's software may have left them.
class EtokenVendor : public Etoken {
 protected:
  EtokenVendor() {
    login();
    pair = generate("1", 1024);
  }
  void install(const Bytes& der) {
    card::CertificateRequest request;
    request.allow_without_key = true;
    const auto installed = card->install_certificate(request, der);
    ASSERT_TRUE(installed.ok()) << why(installed);
    ASSERT_EQ(installed->ref.token, 0x1001u);
    make_foreign("1001");
    make_foreign("3001");
    rename("02203001", "02203002");
    reinsert();
  }
  void make_foreign(const std::string& object) {
    raw("00A4080C0A 666650000220" + object + "0001");
    raw("8015000018 0E020000 1012 7711223344556677 889900112233445566 77");
  }
  void raw(std::string_view command) {
    ASSERT_EQ(to_hex(bench.chip->transmit(from_hex(command).value()).bytes), "9000") << command;
  }
  /// A file with all that is in it, in the token's memory.
  void rename(std::string_view from, std::string_view to) {
    for (const auto& name : bench.nvram.cells_with_prefix("")) {
      const auto at = name.find(from);
      if (at == std::string::npos) continue;
      const Bytes value = *bench.nvram.read(name);
      auto moved = name;
      bench.nvram.write(moved.replace(at, from.size(), to), value);
      bench.nvram.erase(name);
    }
  }
  std::string cell(std::string_view end) {
    for (const auto& name : bench.nvram.cells_with_prefix("")) {
      if (name.ends_with(end)) return name;
    }
    ADD_FAILURE() << "no file " << end;
    return {};
  }
  /// Keeps private operations, answers included.
  void watch() {
    bench.watch = [this](ByteView command, ByteView answer) {
      if (command[0] == 0x80 && command[1] == 0x0C) powers.push_back(to_hex(answer));
    };
  }
  void expect_paired(const card::Directory& found) {
    ASSERT_EQ(found.keys.size(), 1u);
    ASSERT_EQ(found.certificates.size(), 1u);
    EXPECT_EQ(found.keys[0].ref.token, 0x3002u);
    EXPECT_EQ(found.keys[0].label, "Owner");
    EXPECT_EQ(found.keys[0].bits, 1024u);
    EXPECT_EQ(found.keys[0].id, card::default_key_id(pair.public_key));
    EXPECT_EQ(found.keys[0].id, found.certificates[0].id);
  }
  card::KeyPair pair;
  std::vector<std::string> powers;
};

TEST_F(EtokenVendor, AKeyIsPairedByItsPublicHalf) {
  install(certificate_for(pair.public_key, "Owner", 400));
  watch();
  expect_paired(list());
  bench.nvram.erase(cell("30020001"));  // nor are there any attributes to be seen
  reinsert();
  const auto found = list();
  expect_paired(found);
  login();
  expect_paired(list());
  EXPECT_TRUE(powers.empty()) << "no need for a proof";
  const Bytes text(20, 7);
  EXPECT_TRUE(verifies(pair.public_key, text, card->sign(found.keys[0], Scheme::rsa_pkcs1, text)));
}

TEST_F(EtokenVendor, AKeyThatShowsNoPublicHalfIsPairedByItsPower) {
  install(certificate_for(pair.public_key, "Owner", 400));
  bench.nvram.erase(cell("30020002"));
  watch();
  auto found = list();
  ASSERT_EQ(found.keys.size(), 1u);
  EXPECT_EQ(found.keys[0].label, "key 2");
  EXPECT_TRUE(powers.empty()) << "not before the user's login";
  login();
  found = list();
  expect_paired(found);
  expect_paired(list());
  ASSERT_EQ(powers.size(), 1u);
  EXPECT_TRUE(powers[0].starts_with("1080005A5A5A5A"))
      << "what is computed was known: " << powers[0];
  EXPECT_EQ(*card->read_public_key(found.keys[0].ref), pair.public_key);
  const Bytes text(20, 7);
  EXPECT_TRUE(verifies(pair.public_key, text, card->sign(found.keys[0], Scheme::rsa_pkcs1, text)));
}

TEST_F(EtokenVendor, ARealKeyIsNotUsedForAGuess) {
  install(certificate_for(pair.public_key, "Owner", 400));
  bench.nvram.erase(cell("30020002"));
  bench.simulated = false;
  watch();
  login();
  const auto found = list();
  ASSERT_EQ(found.keys.size(), 1u);
  EXPECT_EQ(found.keys[0].label, "key 2");
  EXPECT_TRUE(powers.empty());
}

TEST_F(EtokenVendor, ACertificateForAnotherKeyIsNotPaired) {
  auto stranger = pair.public_key;
  stranger.modulus[10] ^= 1;
  install(certificate_for(stranger, "Stranger", 400));
  EXPECT_EQ(list().keys.at(0).id, card::default_key_id(pair.public_key));
  bench.nvram.erase(cell("30020002"));
  reinsert();
  watch();
  login();
  const auto found = list();
  ASSERT_EQ(found.keys.size(), 1u);
  EXPECT_EQ(found.keys[0].label, "key 2");
  ASSERT_EQ(found.certificates.size(), 1u);
  EXPECT_EQ(found.certificates[0].label, "Stranger");
  EXPECT_EQ(powers.size(), 1u);
}

TEST_F(EtokenVendor, AKeyOfWhichNothingIsToBeSeenIsListedUnlessItIsAnUnfinishedOneOfOurs) {
  bench.nvram.erase(cell("30010001"));
  reinsert();
  EXPECT_TRUE(list().keys.empty());
  bench.nvram.erase(cell("30010002"));
  reinsert();
  EXPECT_TRUE(list().keys.empty());
  const auto directory = cell("02203001");
  Bytes head = *bench.nvram.read(directory);
  const Bytes ours = from_hex("0011111111112100").value();
  const auto rights = std::search(head.begin(), head.end(), ours.begin(), ours.end());
  ASSERT_NE(rights, head.end());
  rights[6] = 0x11;
  bench.nvram.write(directory, head);
  reinsert();
  ASSERT_EQ(list().keys.size(), 1u);
  EXPECT_EQ(list().keys[0].label, "key 1");
  EXPECT_EQ(list().keys[0].id, Bytes{1});
}

}  // namespace
}  // namespace kilt::test
