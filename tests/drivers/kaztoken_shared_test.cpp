// SPDX-License-Identifier: Apache-2.0
// Two programs on one card, full cards, and what others left behind.
#include "tests/drivers/kaztoken_trouble.hpp"

namespace kilt::test {
namespace {

// ---- two programs on one card ----------------------------------------------------------------

class KaztokenShared : public KaztokenTrouble {
 protected:
  KaztokenShared() {
    login();
    first = generate("1", 1024, "A");
    second = generate("2", 1024, "B");
    auto made = card::identify(std::make_unique<ChipTransport>(bench), nullptr);
    other = std::move(*made);
    EXPECT_TRUE(other->login(Role::user, secret(user_pin)).ok());
  }
  bool is_by(const card::KeyPair& pair, const Result<Bytes>& signature) {
    EXPECT_TRUE(signature.ok()) << why(signature);
    return signature &&
           card::is_private_power(pair.public_key, *card::pkcs1_type1_pad(text, 128), *signature);
  }
  card::KeyPair first, second;
  std::unique_ptr<card::Card> other;
};

TEST_F(KaztokenShared, EachSignsWithItsOwnKey) {
  connect();  // a program that knows no public key yet
  login();
  const auto mine = list().keys[0], theirs = list().keys[1];
  for (int i = 0; i < 4; ++i) {
    EXPECT_TRUE(is_by(first, card->sign(mine, Scheme::rsa_pkcs1, text)));
    EXPECT_TRUE(is_by(second, other->sign(theirs, Scheme::rsa_pkcs1, text)));
  }
  // What was learnt for that is kept: alone again, two commands each.
  EXPECT_TRUE(is_by(first, card->sign(mine, Scheme::rsa_pkcs1, text)));
  spent();
  EXPECT_TRUE(is_by(first, card->sign(mine, Scheme::rsa_pkcs1, text)));
  EXPECT_LE(spent(), 4u);
}

TEST_F(KaztokenShared, AKeyFoundByItsIdAloneIsNotMistaken) {
  connect();
  login();
  const auto key = card->list_classes({true, false, false, false})->keys[0];
  EXPECT_TRUE(is_by(first, card->sign(key, Scheme::rsa_pkcs1, text)));
  EXPECT_TRUE(is_by(second, other->sign(second.private_key, Scheme::rsa_pkcs1, text)));
  EXPECT_TRUE(is_by(first, card->sign(key, Scheme::rsa_pkcs1, text)));
}

TEST_F(KaztokenShared, NobodyWritesOverTheOthersEntries) {
  list();
  ASSERT_TRUE(other->list().ok());
  for (int i = 0; i < 3; ++i) {
    ASSERT_TRUE(generating("c" + std::to_string(i))(*card).ok());
    ASSERT_TRUE(generating("o" + std::to_string(i))(*other).ok());
  }
  card->forget_objects();
  const auto found = list();
  EXPECT_EQ(found.keys.size(), 8u);
  EXPECT_EQ(found.public_keys.size(), 8u);
}

TEST_F(KaztokenShared, AFileSelectedByTheOtherIsNotReadAsOurs) {
  const Bytes der = certificate_for(first.public_key, "One", 700);
  ASSERT_TRUE(installing(der, "one")(*card).ok());
  const auto reference = list().certificates[0].ref;
  card->forget_objects();
  ASSERT_TRUE(card->list().ok());
  ASSERT_TRUE(other->token_info().ok());
  EXPECT_EQ(*card->read_certificate(reference), der);
}

TEST_F(KaztokenShared, LoggedOutByTheOther) {
  EXPECT_TRUE(is_by(first, card->sign(first.private_key, Scheme::rsa_pkcs1, text)));
  ASSERT_TRUE(other->logout().ok());
  EXPECT_EQ(card->sign(first.private_key, Scheme::rsa_pkcs1, text).error().kind,
            ErrorKind::not_logged_in);
  login();
  EXPECT_TRUE(is_by(first, card->sign(first.private_key, Scheme::rsa_pkcs1, text)));
}

// ---- what others left behind -----------------------------------------------------------------

class KaztokenForeign : public KaztokenTrouble {
 protected:
  void raw(std::string_view command, std::string_view status = "9000") {
    const auto answer = to_hex(bench.chip->transmit(from_hex(command).value()).bytes);
    ASSERT_EQ(answer.substr(answer.size() - 4), status) << command;
  }
  /// A key pair that no directory describes, as the vendor's software would leave it.
  void make_undescribed_key(const std::string& reference) {
    raw("80400000");
    raw("00200002083132333435363738");
    raw("00A40000023F0000");
    raw("00E0000027 6F25 80020148 82021000 8302 00" + reference +
        " 8506230000AA0000 860F 4600020200000002 00000000000000");
    raw("00E0000027 6F25 800200C0 82021000 8302 00" + reference +
        " 8506330000AA0000 860F 4600020000000002 00000000000000");
    raw("004680" + reference + "00");
    raw("80400000");
  }
};

TEST_F(KaztokenForeign, KeysWithoutADirectoryAreListedAndUsed) {
  make_undescribed_key("05");
  auto found = list();
  ASSERT_EQ(found.keys.size(), 1u);
  EXPECT_EQ(found.keys[0].label, "key 5");
  EXPECT_EQ(found.keys[0].id, Bytes{5});
  EXPECT_EQ(found.keys[0].bits, 1024u);
  EXPECT_FALSE(found.keys[0].local);
  EXPECT_EQ(card->read_public_key(found.keys[0].ref).error().kind, ErrorKind::not_found);
  login();
  EXPECT_EQ(card->sign(found.keys[0], Scheme::rsa_pkcs1, text)->size(), 128u);
  // Adoption keeps them in sight.
  generate("1");
  reinsert();
  found = list();
  ASSERT_EQ(found.keys.size(), 2u);
  EXPECT_EQ(found.keys[0].label, "key 5");
  login();
  EXPECT_EQ(card->sign(found.keys[0], Scheme::rsa_pkcs1, text)->size(), 128u);
  EXPECT_TRUE(card->delete_object(found.keys[0].ref).ok());
  EXPECT_EQ(list().keys.size(), 1u);
}

TEST_F(KaztokenForeign, AnUndescribedKeysNumberIsPassedOver) {
  login();
  generate("0");
  make_undescribed_key("02");
  reinsert();
  login();
  const auto pair = generate("1");
  EXPECT_EQ(pair.private_key.ref.token, 3u);
  log_in_and_prove(pair);
}

TEST_F(KaztokenForeign, AnotherProgramsFilesArePassedOver) {
  login();
  const auto pair = generate("0");
  raw("00A40800025000 00");
  raw("00E000001F 6F1D 80020010 82020100 83020300 860F 4300020000000002 00000000000000");
  const Bytes der = certificate_for(pair.public_key, "Somebody");
  ASSERT_TRUE(installing(der)(*card).ok());
  EXPECT_EQ(list().certificates[0].ref.token, 0x301u);
}

// ---- full cards ------------------------------------------------------------------------------

TEST(KaztokenFull, SaysSoAndStaysAsItWas) {
  sim::ChipOptions options;
  options.seed = 7;
  options.memory = 12 * 1024;
  ChipBench bench("kaztoken", options);
  auto card = std::move(*card::identify(std::make_unique<ChipTransport>(bench), nullptr));
  ASSERT_TRUE(card->login(Role::user, secret(user_pin)).ok());
  const auto pair = card->generate(key_request("0"));
  ASSERT_TRUE(pair.ok()) << why(pair);
  const Bytes der = certificate_for(pair->public_key, "Somebody", 700);
  Status status;
  for (int i = 0; i < 100 && status; ++i) {
    card::CertificateRequest request;
    request.label = "certificate " + std::to_string(i);
    auto installed = card->install_certificate(request, der);
    if (!installed) status = installed.take_error();
  }
  ASSERT_FALSE(status.ok());
  EXPECT_EQ(status.error().kind, ErrorKind::no_space) << why(status);
  const auto full = names(*card->list());
  EXPECT_EQ(card->generate(key_request("1", 2048)).error().kind, ErrorKind::no_space);
  EXPECT_EQ(names(*card->list()), full);
  // A full card can be tidied up, and is of use again.
  auto certificates = card->list()->certificates;
  ASSERT_GT(certificates.size(), 3u);
  for (int i = 0; i < 3; ++i) {
    const auto deleted = card->delete_object(certificates[static_cast<std::size_t>(i)].ref);
    ASSERT_TRUE(deleted.ok()) << i << ": " << why(deleted);
  }
  const auto installed =
      card->install_certificate({}, certificate_for(pair->public_key, "Another", 700));
  EXPECT_TRUE(installed.ok()) << why(installed);
}

}  // namespace
}  // namespace kilt::test
