// SPDX-License-Identifier: Apache-2.0
// Power cuts at every write, removal at every command, two programs on one token, full tokens, and
// what others left behind.
#include "tests/drivers/etoken72k_fixture.hpp"
#include "tests/drivers/trouble.hpp"

namespace kilt::test {
namespace {

class EtokenTrouble : public Trouble<Etoken, 1> {
 protected:
  void prove(const card::KeyPair& pair) {
    EXPECT_TRUE(
        verifies(pair.public_key, text, card->sign(pair.private_key, Scheme::rsa_pkcs1, text)));
  }
  static Operation relabelling(card::ObjectRef object, std::size_t length) {
    return [object, length](card::Card& c) {
      card::AttributeChange change;
      change.label = std::string(length, 'x');
      return c.change_attributes(object, change);
    };
  }
};

TEST_F(EtokenTrouble, CutWhileAKeyIsGenerated) {
  tear(generating("1"));
  reinsert();
  login();
  const auto witness = generate("0");
  tear(generating("2"), &witness);
}

TEST_F(EtokenTrouble, CutWhileACertificateIsInstalled) {
  login();
  const auto first = generate("0");
  tear(installing(certificate_for(first.public_key, "Somebody", 900)), &first);
}

TEST_F(EtokenTrouble, CutWhileAttributesChange) {
  login();
  const auto pair = generate("0");
  tear(relabelling(pair.private_key.ref, 10), &pair);
  tear(relabelling(pair.private_key.ref, 255), &pair);
  // They moved once; now back, past the file that was left.
  login();
  card::AttributeChange subject;
  subject.subject = Bytes(700, 0x30);
  ASSERT_TRUE(card->change_attributes(pair.private_key.ref, subject).ok());
  tear(relabelling(pair.private_key.ref, 200), &pair);
}

TEST_F(EtokenTrouble, CutWhileAKeyIsImportedOrDeleted) {
  const OpensslRsa rsa(1024);
  login();
  const auto pair = generate("0");
  tear([&](card::Card& c) -> Status {
    card::ImportRequest request;
    request.label = "imported";
    auto made = c.import_private_key(request, rsa.components());
    if (!made) return made.take_error();
    return {};
  });
  reinsert();
  login();
  const auto other = generate("1");
  tear([&](card::Card& c) { return c.delete_object(pair.private_key.ref); }, &other);
}

TEST_F(EtokenTrouble, CutWhileAPinIsChanged) {
  const auto start = snapshot();
  for (std::uint64_t n = 1;; ++n) {
    restore(start);
    const bool was_cut = cut(n, [&] {
      (void)card->change_pin(Role::user, secret(etoken_user_pin), secret("another")).ok();
    });
    reinsert();
    const bool is_old = card->login(Role::user, secret(etoken_user_pin)).ok();
    EXPECT_TRUE(is_old || card->login(Role::user, secret("another")).ok()) << n;
    if (!was_cut) return;
  }
}

TEST_F(EtokenTrouble, CutWhileATokenIsInitialised) {
  login();
  generate("0");
  const auto start = snapshot();
  for (std::uint64_t n = 1;; ++n) {
    restore(start);
    const bool was_cut =
        cut(n, [&] { (void)card->initialise("label", secret(etoken_officer_pin)).ok(); });
    if (!was_cut) return;
    reinsert();
    const auto again = card->initialise("label", secret(etoken_officer_pin));
    ASSERT_TRUE(again.ok()) << "after a cut at write " << n << ": " << why(again);
    officer();
    const auto set = card->set_user_pin(secret(etoken_user_pin));
    ASSERT_TRUE(set.ok()) << why(set);
    login();
    EXPECT_TRUE(list().keys.empty());
  }
}

TEST_F(EtokenTrouble, PulledAtEveryCommand) {
  login();
  const auto pair = generate("0");
  const Bytes der = certificate_for(pair.public_key, "Somebody", 600);
  ASSERT_TRUE(installing(der, "there")(*card).ok());
  pull(generating("1"));
  pull(installing(der));
  pull([&](card::Card& c) -> Status {
    auto listed = c.list();
    if (!listed) return listed.take_error();
    auto value = c.read_public_key(pair.private_key.ref);
    if (!value) return value.take_error();
    auto body = c.read_certificate(listed->certificates[0].ref);
    if (!body) return body.take_error();
    auto signature = c.sign(pair.private_key, Scheme::rsa_pkcs1, text);
    if (!signature) return signature.take_error();
    auto info = c.token_info();
    if (!info) return info.take_error();
    auto random = c.random(20);
    if (!random) return random.take_error();
    if (auto status = c.logout(); !status) return status;
    return Error{ErrorKind::exists, "done"};
  });
}

TEST_F(EtokenTrouble, SpoiledAnswersWhileAKeyIsGenerated) {
  spoil(generating("1"));
  reinsert();
  login();
  const auto first = generate("0");
  spoil(generating("2"), &first);
}

TEST_F(EtokenTrouble, SpoiledAnswersWhileACertificateIsInstalled) {
  login();
  const auto first = generate("0");
  spoil(installing(certificate_for(first.public_key, "Somebody", 600)), &first);
}

TEST_F(EtokenTrouble, SpoiledAnswersWhileAKeyIsDeleted) {
  login();
  const auto first = generate("0");
  generate("1");
  spoil(deleting_key("1"), &first, Bytes{'1'});
}

// ---- two programs on one token ---------------------------------------------------------------

class EtokenShared : public EtokenTrouble {
 protected:
  EtokenShared() {
    login();
    first = generate("1", 1024, "A");
    second = generate("2", 1024, "B");
    other = another();
    EXPECT_TRUE(other->login(Role::user, secret(etoken_user_pin)).ok());
  }
  bool is_by(const card::KeyPair& pair, const Result<Bytes>& signature) {
    return verifies(pair.public_key, text, signature);
  }
  /// The other program deletes the first key and makes one of its own in the same place.
  card::KeyPair replace_first(const char* id) {
    const auto deleted = other->delete_object(first.private_key.ref);
    EXPECT_TRUE(deleted.ok()) << why(deleted);
    const auto made = other->generate(key_request(id, 1024, "THEIRS"));
    EXPECT_TRUE(made.ok()) << why(made);
    if (!made) return {};
    EXPECT_EQ(made->private_key.ref, first.private_key.ref);
    return *made;
  }
  void expect_gone(const card::KeyInfo& key) {
    EXPECT_EQ(card->sign(key, Scheme::rsa_pkcs1, text).error().kind, ErrorKind::not_found);
    EXPECT_EQ(card->decrypt(key, Scheme::rsa_raw, Bytes(128, 1)).error().kind,
              ErrorKind::not_found);
  }
  card::KeyPair first, second;
  std::unique_ptr<card::Card> other;
};

TEST_F(EtokenShared, AKeyInThePlaceOfTheOneListedIsNotUsed) {
  connect();  // a program that knows no public key yet
  login();
  const auto stale = list().keys[0];
  EXPECT_EQ(stale.id, first.private_key.id);
  const auto theirs = replace_first("9");
  std::uint64_t powers = 0;
  bench.watch = [&](ByteView command, ByteView) { powers += command[1] == 0x0C; };
  expect_gone(stale);
  expect_gone(stale);
  card->forget_objects();
  expect_gone(stale);
  EXPECT_EQ(powers, 0u);
  card->forget_objects();
  const auto now = list().keys[0];
  EXPECT_EQ(*card->read_public_key(now.ref), theirs.public_key);
  expect_gone(stale);
  EXPECT_EQ(powers, 0u) << "nor where the new key is known by now";
  EXPECT_TRUE(is_by(theirs, card->sign(now, Scheme::rsa_pkcs1, text)));
}

TEST_F(EtokenShared, AKeyReplacedAfterItWasUsedIsNotUsedEither) {
  connect();
  login();
  const auto stale = list().keys[0];
  EXPECT_TRUE(is_by(first, card->sign(stale, Scheme::rsa_pkcs1, text)));
  replace_first("9");
  expect_gone(stale);
  // Of one whose public half is known the result tells.
  const auto known = list().keys[1];
  ASSERT_EQ(known.id, second.private_key.id);
  ASSERT_TRUE(card->read_public_key(known.ref).ok());
  ASSERT_TRUE(other->delete_object(known.ref).ok());
  ASSERT_TRUE(other->generate(key_request("8")).ok());
  EXPECT_EQ(card->sign(known, Scheme::rsa_pkcs1, text).error().kind, ErrorKind::verify_failed);
}

TEST_F(EtokenShared, TheOthersKeyIsNotWrittenOver) {
  ASSERT_EQ(list().keys.size(), 2u);
  replace_first("9");
  EXPECT_EQ(card->generate(key_request("9")).error().kind, ErrorKind::exists);
  ASSERT_TRUE(card->delete_object(first.public_info.ref).ok());
  connect();
  const auto found = list();
  ASSERT_EQ(found.keys.size(), 2u);
  EXPECT_EQ(found.keys[0].id, Bytes{'9'});
  EXPECT_EQ(found.keys[0].label, "THEIRS");
  EXPECT_EQ(found.public_keys.size(), 1u) << "what was asked for";
}

TEST_F(EtokenShared, ACertificatesSubjectIsWrittenBesideWhatTheOtherWrote) {
  ASSERT_EQ(list().keys.size(), 2u);
  card::AttributeChange change;
  change.label = "theirs";
  ASSERT_TRUE(other->change_attributes(first.private_key.ref, change).ok());
  const Bytes der = certificate_for(first.public_key, "One", 700);
  ASSERT_TRUE(installing(der, "one")(*card).ok());
  connect();
  const auto key = list().keys[0];
  EXPECT_EQ(key.label, "theirs");
  EXPECT_EQ(key.subject, card::Certificate::parse(der)->subject);
  // A certificate for a key that is not there any more finds none.
  login();
  ASSERT_EQ(list().keys.size(), 2u);
  replace_first("9");
  EXPECT_EQ(installing(der, "again")(*card).error().kind, ErrorKind::key_mismatch);
}

TEST_F(EtokenShared, EachSignsWithItsOwnKey) {
  connect();  // a program that knows no public key yet
  login();
  const auto mine = list().keys[0], theirs = list().keys[1];
  for (int i = 0; i < 4; ++i) {
    EXPECT_TRUE(is_by(first, card->sign(mine, Scheme::rsa_pkcs1, text)));
    EXPECT_TRUE(is_by(second, other->sign(theirs, Scheme::rsa_pkcs1, text)));
  }
  // What was learnt for that is kept: alone again, one command.
  EXPECT_TRUE(is_by(first, card->sign(mine, Scheme::rsa_pkcs1, text)));
  spent();
  EXPECT_TRUE(is_by(first, card->sign(mine, Scheme::rsa_pkcs1, text)));
  EXPECT_EQ(spent(), 1u);
}

TEST_F(EtokenShared, NobodyWritesOverTheOthersObjects) {
  list();
  ASSERT_TRUE(other->list().ok());
  for (int i = 0; i < 3; ++i) {
    ASSERT_TRUE(generating("c" + std::to_string(i))(*card).ok());
    ASSERT_TRUE(generating("o" + std::to_string(i))(*other).ok());
  }
  card->forget_objects();
  EXPECT_EQ(list().keys.size(), 8u);
}

TEST_F(EtokenShared, AFileSelectedByTheOtherIsNotReadAsOurs) {
  const Bytes der = certificate_for(first.public_key, "One", 700);
  ASSERT_TRUE(installing(der, "one")(*card).ok());
  const auto reference = list().certificates[0].ref;
  card->forget_objects();
  ASSERT_TRUE(card->list().ok());
  ASSERT_TRUE(other->token_info().ok());
  EXPECT_EQ(*card->read_certificate(reference), der);
  card::AttributeChange change;
  change.label = "theirs";
  ASSERT_TRUE(other->change_attributes(first.private_key.ref, change).ok());
  change = {};
  change.id = Bytes{7};
  ASSERT_TRUE(card->change_attributes(first.private_key.ref, change).ok());
  card->forget_objects();
  EXPECT_EQ(list().keys[0].label, "theirs") << "what the other wrote is not written over";
  EXPECT_EQ(list().keys[0].id, Bytes{7});
}

TEST_F(EtokenShared, ALoginThatTheOtherEndedComesBack) {
  EXPECT_TRUE(is_by(first, card->sign(first.private_key, Scheme::rsa_pkcs1, text)));
  ASSERT_TRUE(other->logout().ok());
  EXPECT_TRUE(is_by(first, card->sign(first.private_key, Scheme::rsa_pkcs1, text)));
  ASSERT_TRUE(other->login(Role::security_officer, secret(etoken_officer_pin)).ok());
  EXPECT_TRUE(is_by(second, card->sign(second.private_key, Scheme::rsa_pkcs1, text)));
  ASSERT_TRUE(card->store_data({"d", "a", {}, true}, Bytes(3)).ok());
}

TEST_F(EtokenShared, AnotherAppletSelectedInBetween) {
  const Bytes other_applet = from_hex("00A4040008A00000000300000000").value();
  const auto disturb = [&] { (void)bench.chip->transmit(other_applet); };
  disturb();
  EXPECT_EQ(list().keys.size(), 2u);
  disturb();
  EXPECT_TRUE(is_by(first, card->sign(first.private_key, Scheme::rsa_pkcs1, text)));
  disturb();
  EXPECT_TRUE(is_by(first, card->sign(first.private_key, Scheme::rsa_pkcs1, text)));
  disturb();
  EXPECT_EQ(card->random(8)->size(), 8u);
  disturb();
  const auto info = card->token_info();
  EXPECT_TRUE(info.ok()) << why(info);
  disturb();
  EXPECT_TRUE(generating("3")(*card).ok());
}

/// On observed tokens a read of a protected file uses up the login [facts etoken §5.4].
TEST_F(EtokenTrouble, ALoginUsedUpByEachReadIsMadeAgain) {
  login();
  const Bytes hidden(1300, 0x22);
  ASSERT_TRUE(card->store_data({"hidden", "app", {}, true}, hidden).ok());
  reinsert();
  login();
  int logins = 0;
  bool is_used_up = false;
  bench.watch = [&](ByteView command, ByteView answer) {
    const bool is_ok = answer[answer.size() - 2] == 0x90;
    if (command[0] == 0x80 && command[1] == 0x11 && is_ok) ++logins, is_used_up = false;
    if (command[0] == 0x80 && command[1] == 0x18 && is_ok) is_used_up = true;
  };
  bench.distort = [&](Bytes& answer) {
    // The chip answers, but the login was spent on the read before.
    if (is_used_up && answer.size() > 100) answer = {0x69, 0x82};
  };
  const auto found = list();
  ASSERT_EQ(found.data.size(), 1u);
  const auto read = card->read_data(found.data[0].ref);
  ASSERT_TRUE(read.ok()) << why(read);
  EXPECT_EQ(*read, hidden);
  EXPECT_GE(logins, 2);
}

// ---- what others left behind -----------------------------------------------------------------

class EtokenForeign : public EtokenTrouble {
 protected:
  void raw(std::string_view command, std::string_view status = "9000") {
    const auto answer = to_hex(bench.chip->transmit(from_hex(command).value()).bytes);
    ASSERT_EQ(answer.substr(answer.size() - 4), status) << command;
  }
  /// Replaces attributes by bytes that are none of ours, as the vendor's software writes them.
  void make_foreign(const char* file) {
    raw("00A4080C0A 666650000220" + std::string(file) + "0001");
    raw("8015000018 0E020000 1012 7711223344556677 889900112233445566 77");
  }
};

TEST_F(EtokenForeign, TheVendorsObjectsAreListedReadAndUsed) {
  login();
  const auto pair = generate("1", 1024);
  const Bytes der = certificate_for(pair.public_key, "Owner", 700);
  ASSERT_TRUE(installing(der)(*card).ok());
  make_foreign("1001");
  make_foreign("3001");
  reinsert();
  auto found = list();
  ASSERT_EQ(found.keys.size(), 1u);
  ASSERT_EQ(found.certificates.size(), 1u);
  EXPECT_EQ(found.keys[0].label, "Owner");
  EXPECT_EQ(found.keys[0].bits, 1024u);
  EXPECT_EQ(found.keys[0].id, card::default_key_id(pair.public_key));
  EXPECT_EQ(found.certificates[0].id, found.keys[0].id);
  EXPECT_EQ(*card->read_certificate(found.certificates[0].ref), der);
  EXPECT_EQ(*card->read_public_key(found.keys[0].ref), pair.public_key);
  login();
  EXPECT_TRUE(verifies(pair.public_key, text, card->sign(found.keys[0], Scheme::rsa_pkcs1, text)));
  EXPECT_EQ(relabelling(found.keys[0].ref, 5)(*card).error().kind, ErrorKind::unsupported);
  // A key of the vendor's whose attributes are not to be seen at all.
  raw("00A4080C0A 66665000022030010001");
  raw("80E40000");
  reinsert();
  found = list();
  ASSERT_EQ(found.keys.size(), 1u);
  EXPECT_EQ(found.keys[0].label, "Owner");
}

/// Whether certificates of tokens that the NCA issued are read before a login is not known.
TEST_F(EtokenForeign, TheVendorsObjectsMayWantALoginToBeRead) {
  login();
  const auto pair = generate("1", 1024);
  const Bytes der = certificate_for(pair.public_key, "Owner", 400);
  make_foreign("3001");
  raw("00A4080C06 666650000220");
  raw("80E0000015 010101 02021001 03020000 0408 0011111111112100");
  raw("80E0000015 010102 02020002 03020190 0408 1111FF11FFFF2100");
  raw("80150000CE 0E020000 10C8" + to_hex(ByteView(der).first(200)));
  raw("80150000CE 0E0200C8 10C8" + to_hex(ByteView(der).subspan(200)));
  raw("80E0000015 010102 02020001 03020004 0408 1111FF11FFFF2100");
  raw("801500000A 0E020000 1004 77022233");
  reinsert();
  const auto before = list();
  EXPECT_TRUE(before.certificates.empty());
  ASSERT_EQ(before.keys.size(), 1u) << "of a key the number is enough";
  login();
  const auto found = list();
  ASSERT_EQ(found.certificates.size(), 1u);
  EXPECT_EQ(found.certificates[0].label, "Owner");
  EXPECT_EQ(found.keys[0].label, "Owner");
  EXPECT_EQ(*card->read_certificate(found.certificates[0].ref), der);
  EXPECT_TRUE(verifies(pair.public_key, text, card->sign(found.keys[0], Scheme::rsa_pkcs1, text)));
}

TEST_F(EtokenForeign, UnfinishedObjectsArePassedOver) {
  login();
  const auto pair = generate("0");
  raw("00A4080C08 6666500002203001");
  raw("00A4080C0A 66665000022030010001");
  raw("80E40000");
  reinsert();
  login();
  EXPECT_TRUE(list().keys.empty());
  const auto second = generate("0");
  EXPECT_EQ(second.private_key.ref.token, 0x3002u);
  prove(second);
}

// ---- full tokens -----------------------------------------------------------------------------

TEST(EtokenFull, SaysSoAndStaysAsItWas) {
  const OwnNotes notes;
  sim::ChipOptions options;
  options.seed = 7;
  options.memory = 12 * 1024;
  ChipBench bench("etoken72k", options);
  auto card = std::move(*card::identify(std::make_unique<ChipTransport>(bench), nullptr));
  ASSERT_TRUE(card->login(Role::user, secret(etoken_user_pin)).ok());
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
  // A full token can be tidied up, and is of use again.
  auto certificates = card->list()->certificates;
  ASSERT_GT(certificates.size(), 3u);
  for (std::size_t i = 0; i < 3; ++i) {
    const auto deleted = card->delete_object(certificates[i].ref);
    ASSERT_TRUE(deleted.ok()) << i << ": " << why(deleted);
  }
  card::CertificateRequest request;
  request.label = "one more";
  const auto installed = card->install_certificate(request, der);
  EXPECT_TRUE(installed.ok()) << why(installed);
}

}  // namespace
}  // namespace kilt::test
