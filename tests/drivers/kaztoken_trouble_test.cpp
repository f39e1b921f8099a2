// SPDX-License-Identifier: Apache-2.0
// Power cuts at every write, removal at every command, and answers that say nothing.
#include "tests/drivers/kaztoken_trouble.hpp"
#include "drivers/kaztoken.hpp"
#include "drivers/pairing.hpp"

namespace kilt::test {
namespace {

TEST_F(KaztokenTrouble, CutWhileTheFirstKeyIsGenerated) {
  tear(generating("1"));
}

TEST_F(KaztokenTrouble, CutWhileASecondKeyIsGenerated) {
  login();
  const auto first = generate("0");
  tear(generating("1"), &first);
}

TEST_F(KaztokenTrouble, CutWhileACertificateIsInstalled) {
  login();
  const auto first = generate("0");
  const Bytes der = certificate_for(first.public_key, "Somebody", 900);
  tear(installing(der), &first);
  reinsert();
  login();
  ASSERT_TRUE(installing(der, "OLD")(*card).ok());
  tear(installing(certificate_for(first.public_key, "Somebody", 901)), &first);
}

TEST_F(KaztokenTrouble, CutWhileADirectoryIsSwitched) {
  login();
  const auto pair = generate("0");
  const Bytes der = certificate_for(pair.public_key, "Somebody", 400);
  for (int i = 0; i < 12; ++i) {
    ASSERT_TRUE(installing(der, "certificate number " + std::to_string(i))(*card).ok());
  }
  tear([](card::Card& c) -> Status {
    const auto found = c.list();
    if (!found) return found.error();
    card::AttributeChange change;
    change.label = "another label";
    return c.change_attributes(found->certificates[0].ref, change);
  });
}

TEST_F(KaztokenTrouble, CutWhileALongEntryIsAdded) {
  login();
  const auto pair = generate("0");
  const Bytes der = certificate_for(pair.public_key, "Somebody", 400);
  ASSERT_TRUE(installing(der, "first")(*card).ok());
  tear(installing(der, std::string(250, 'L')), &pair);
}

class KaztokenHalfMade : public KaztokenTrouble {
 protected:
  /// The officer goes on where the initialisation was cut off: all works then, or nothing was done.
  void go_on() {
    if (!card->login(Role::security_officer, secret(officer_pin))) return;
    const auto set = card->set_user_pin(secret(user_pin));
    if (!set) {
      ++refused;
      EXPECT_EQ(set.error().kind, ErrorKind::card_state) << why(set);
      EXPECT_FALSE(card->pin_status(Role::user)->initialized);
      return;
    }
    ++finished;
    reinsert();
    login();
    const auto made = generating("1")(*card);
    ASSERT_TRUE(made.ok()) << why(made);
    // Rules are in force.
    EXPECT_EQ(to_hex(bench.chip->transmit(from_hex("80844E19").value()).bytes), "6985");
  }
  int refused = 0, finished = 0;
};

TEST_F(KaztokenHalfMade, CutWhileACardIsInitialised) {
  const auto start = snapshot();
  for (std::uint64_t cut = 1;; ++cut) {
    restore(start);
    const auto base = bench.nvram.writes();
    bool was_cut = false;
    bench.nvram.before_write = [&](std::uint64_t n) {
      if (n - base != cut) return;
      was_cut = true;
      throw sim::PowerCut{};
    };
    (void)card->initialise("label", secret(officer_pin)).ok();
    bench.nvram.before_write = nullptr;
    if (!was_cut) break;
    reinsert();
    ASSERT_NO_FATAL_FAILURE(go_on()) << "after a cut at write " << cut;
    reinsert();
    const auto again = card->initialise("label", secret(officer_pin));
    ASSERT_TRUE(again.ok()) << "after a cut at write " << cut << ": " << why(again);
    ASSERT_TRUE(card->login(Role::security_officer, secret(officer_pin)).ok());
    const auto set = card->set_user_pin(secret(user_pin));
    ASSERT_TRUE(set.ok()) << why(set);
    login();
  }
  EXPECT_GT(refused, 0);
  EXPECT_GT(finished, 0);
}

TEST_F(KaztokenTrouble, CutWhileTheUserPinIsMade) {
  ASSERT_TRUE(card->initialise("label", secret(officer_pin)).ok());
  const auto start = snapshot();
  for (std::uint64_t cut = 1;; ++cut) {
    restore(start);
    ASSERT_TRUE(card->login(Role::security_officer, secret(officer_pin)).ok());
    const auto base = bench.nvram.writes();
    bool was_cut = false;
    bench.nvram.before_write = [&](std::uint64_t n) {
      if (n - base != cut) return;
      was_cut = true;
      throw sim::PowerCut{};
    };
    (void)card->set_user_pin(secret(user_pin)).ok();
    bench.nvram.before_write = nullptr;
    if (!was_cut) return;
    reinsert();
    ASSERT_TRUE(card->login(Role::security_officer, secret(officer_pin)).ok());
    const auto again = card->set_user_pin(secret(user_pin));
    ASSERT_TRUE(again.ok()) << "after a cut at write " << cut << ": " << why(again);
    // Rules are in force: without a login nothing can be deleted.
    login();
    ASSERT_TRUE(generating("1")(*card).ok());
    ASSERT_TRUE(card->logout().ok());
    EXPECT_EQ(to_hex(bench.chip->transmit(from_hex("00A40000023F0000").value()).bytes).substr(0, 2),
              "6F");
    EXPECT_EQ(to_hex(bench.chip->transmit(from_hex("80844E19").value()).bytes), "6985");
  }
}

TEST_F(KaztokenTrouble, SpoiledAnswersWhileTheFirstKeyIsGenerated) {
  spoil(generating("1"));
}

TEST_F(KaztokenTrouble, SpoiledAnswersWhileASecondKeyIsGenerated) {
  login();
  const auto first = generate("0");
  spoil(generating("1"), &first);
}

TEST_F(KaztokenTrouble, SpoiledAnswersWhileACertificateIsInstalled) {
  login();
  const auto first = generate("0");
  spoil(installing(certificate_for(first.public_key, "Somebody", 600)), &first);
}

TEST_F(KaztokenTrouble, SpoiledAnswersWhileAKeyIsDeleted) {
  login();
  const auto first = generate("0");
  for (const char* id : {"1", "2", "3"})
    ASSERT_TRUE(
        card
            ->generate(key_request(
                id, 1024, "a name long enough to fill a directory soon, so that it is switched"))
            .ok());
  spoil(deleting_key("1"), &first, Bytes{'1'});
}

TEST_F(KaztokenTrouble, ACertificateIsNotPutBesideAnotherKey) {
  login();
  const auto first = generate("0");
  generate("1");
  const auto certificate =
      card::Certificate::parse(certificate_for(first.public_key, "Somebody", 600));
  ASSERT_TRUE(certificate.ok());
  EXPECT_TRUE(card::check_pairing(*card, {'0'}, *certificate).ok());
  EXPECT_TRUE(card::check_pairing(*card, {'9'}, *certificate).ok());
  EXPECT_EQ(card::check_pairing(*card, {'1'}, *certificate).error().kind, ErrorKind::key_mismatch);
}

TEST_F(KaztokenTrouble, AKeyMadeByAnotherProgramIsNotUsedInstead) {
  // One key, found and used without anybody reading its public half; then another program makes a
  // second one and leaves it set.
  login();
  const auto first = generate("0");
  reinsert();
  login();
  const auto key = list().keys.at(0);
  ASSERT_TRUE(card->sign(key, Scheme::rsa_pkcs1, text).ok());
  auto program = card::identify(std::make_unique<ChipTransport>(bench), nullptr);
  ASSERT_TRUE(program.ok());
  const auto& other = *program;
  ASSERT_TRUE(other->login(Role::user, secret(user_pin)).ok());
  const auto second = other->generate(key_request("1", 1024, "SECOND"));
  ASSERT_TRUE(second.ok()) << why(second);
  ASSERT_TRUE(other->sign(second->private_key, Scheme::rsa_pkcs1, text).ok());
  const auto signature = card->sign(key, Scheme::rsa_pkcs1, text);
  ASSERT_TRUE(signature.ok()) << why(signature);
  EXPECT_TRUE(
      card::is_private_power(first.public_key, *card::pkcs1_type1_pad(text, 128), *signature));
}

class KaztokenHostileEntry : public KaztokenTrouble {
 protected:
  bool exists(const card::FilePath& path) {
    Bytes apdu{0x00, 0xA4, 0x08, 0x00, static_cast<std::uint8_t>(2 * path.size())};
    for (const auto id : path)
      append(apdu, Bytes{static_cast<std::uint8_t>(id >> 8), static_cast<std::uint8_t>(id)});
    apdu.push_back(0x00);
    const Bytes answer = bench.chip->transmit(apdu).bytes;
    return to_hex(answer).ends_with("9000");
  }
  /// Writes an entry over the directory of certificates, as a program with the user's PIN may.
  void name_as_certificate(const card::FilePath& path) {
    card::pkcs15::CertificateEntry entry;
    entry.common.label = "hostile";
    entry.id = {0x77};
    entry.path = card::kaztoken::path_bytes(path);
    Bytes content = card::pkcs15::encode(entry);
    content.resize(content.size() + 2);
    ASSERT_TRUE(exists(card::kaztoken::in_application(
        card::kaztoken::directory_id(card::pkcs15::Kind::certificates))));
    Bytes apdu{0x00, 0xD6, 0x00, 0x00, static_cast<std::uint8_t>(content.size())};
    append(apdu, content);
    ASSERT_EQ(to_hex(bench.chip->transmit(apdu).bytes), "9000");
    reinsert();
    login();
  }
};

TEST_F(KaztokenHostileEntry, DeletingItTakesNothingElse) {
  login();
  const auto pair = generate("0");
  const Bytes der = certificate_for(pair.public_key, "Somebody", 400);
  const card::FilePath own{0x5000, 0x0300};
  ASSERT_TRUE(installing(der)(*card).ok());
  ASSERT_TRUE(exists(own));
  const auto start = snapshot();
  reinsert();
  login();
  ASSERT_TRUE(card->delete_object(list().certificates.at(0).ref).ok());
  EXPECT_FALSE(exists(own)) << "its own value goes with an entry";
  const card::FilePath others[] = {{0x5000},         {0x1000, 0x1000, 0x6002, 0x0001},
                                   {0x5000, 0x6002}, {0x5000, 0x5031},
                                   {0x5000, 0x0200}, {0x1000, 0x1000, 0x6001, 0x0001}};
  for (const auto& path : others) {
    SCOPED_TRACE(to_string(path));
    restore(start);
    login();
    ASSERT_NO_FATAL_FAILURE(name_as_certificate(path));
    ASSERT_EQ(list().certificates.size(), 1u);
    const auto deleted = card->delete_object(list().certificates[0].ref);
    ASSERT_TRUE(deleted.ok()) << why(deleted);
    EXPECT_TRUE(exists(path));
    reinsert();
    EXPECT_TRUE(list().certificates.empty());
    log_in_and_prove(pair);
    EXPECT_EQ(*card->read_public_key(pair.private_key.ref), pair.public_key);
  }
}

TEST_F(KaztokenTrouble, PulledAtEveryCommand) {
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
    return c.logout();
  });
  pull([&](card::Card& c) { return c.delete_object(pair.private_key.ref); });
  pull([](card::Card& c) { return c.change_pin(Role::user, secret(user_pin), secret(user_pin)); });
  pull([](card::Card& c) -> Status {
    auto made = c.store_data({"NEW", "app", {}, true}, Bytes(400, 1));
    if (!made) return made.take_error();
    return {};
  });
}

}  // namespace
}  // namespace kilt::test
