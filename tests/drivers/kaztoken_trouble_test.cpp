// SPDX-License-Identifier: Apache-2.0
// Power cuts at every write, removal at every command, two programs on one card, full cards, and
// what others left behind.
#include <algorithm>
#include <functional>

#include "drivers/pairing.hpp"
#include "drivers/rsa_check.hpp"
#include "drivers/rsa_padding.hpp"
#include "tests/drivers/kaztoken_fixture.hpp"

namespace kilt::test {
namespace {

using card::ObjectClass;
using card::Role;
using card::Scheme;

const Bytes text(20, 0x31);

/// What of a listing must not change: labels and ids of everything.
std::vector<std::string> names(const card::Directory& found) {
  std::vector<std::string> all;
  for (const auto& o : found.keys)
    all.push_back("key " + o.label + " " + to_hex(o.id));
  for (const auto& o : found.public_keys)
    all.push_back("public " + o.label + " " + to_hex(o.id));
  for (const auto& o : found.certificates)
    all.push_back("certificate " + o.label + " " + to_hex(o.id));
  for (const auto& o : found.data)
    all.push_back("data " + o.label);
  std::sort(all.begin(), all.end());
  return all;
}

class KaztokenTrouble : public Kaztoken {
 protected:
  /// Copies the card's memory, so that one state can be ruined many times.
  std::vector<std::pair<std::string, Bytes>> snapshot() {
    std::vector<std::pair<std::string, Bytes>> cells;
    for (const auto& name : bench.nvram.cells_with_prefix(""))
      cells.emplace_back(name, *bench.nvram.read(name));
    return cells;
  }
  void restore(const std::vector<std::pair<std::string, Bytes>>& cells) {
    bench.nvram.before_write = nullptr;
    bench.nvram.erase_all();
    for (const auto& [name, value] : cells)
      bench.nvram.write(name, value);
    reinsert();
  }
  void log_in_and_prove(const card::KeyPair& pair) {
    login();
    const auto signature = card->sign(pair.private_key, Scheme::rsa_pkcs1, text);
    ASSERT_TRUE(signature.ok()) << why(signature);
    EXPECT_TRUE(
        card::is_private_power(pair.public_key, *card::pkcs1_type1_pad(text, 128), *signature));
  }

  using Operation = std::function<Status(card::Card&)>;

  /// Cuts the power before each write of `operation` in turn. Afterwards the card shows the old
  /// state or the new, and the operation, done again where it was not finished, gives the new.
  void tear(const Operation& operation, const card::KeyPair* witness = nullptr) {
    const auto start = snapshot();
    login();
    const auto before = names(list());
    const auto done = operation(*card);
    ASSERT_TRUE(done.ok()) << why(done);
    restore_view();
    login();
    const auto after = names(list());
    ASSERT_NE(before, after);
    int finished_early = 0;
    for (std::uint64_t cut = 1;; ++cut) {
      restore(start);
      login();
      const auto base = bench.nvram.writes();
      bool was_cut = false;
      bench.nvram.before_write = [&](std::uint64_t n) {
        if (n - base != cut) return;
        was_cut = true;
        throw sim::PowerCut{};
      };
      const auto torn = operation(*card);
      bench.nvram.before_write = nullptr;
      if (!was_cut) {
        EXPECT_GT(cut, 4u);
        return;
      }
      if (torn) ++finished_early;
      reinsert();
      if (witness) log_in_and_prove(*witness);
      login();
      const auto seen = names(list());
      ASSERT_TRUE(seen == before || seen == after)
          << "after a cut at write " << cut << ": " << ::testing::PrintToString(seen);
      if (seen == before) {
        const auto again = operation(*card);
        ASSERT_TRUE(again.ok()) << "after a cut at write " << cut << ": " << why(again);
        reinsert();
        login();
        ASSERT_EQ(names(list()), after) << "after a cut at write " << cut;
      }
    }
  }
  /// Pulls the card before each exchange of `operation` in turn.
  void pull(const Operation& operation) {
    const auto start = snapshot();
    for (std::uint64_t at = 1;; ++at) {
      restore(start);
      login();
      bench.exchanges = 0;
      bench.pull_at = at;
      const auto pulled = operation(*card);
      const bool happened = bench.exchanges >= at;
      if (!happened) return;
      // Clean-up after a finished operation may be lost without harm.
      if (!pulled) {
        EXPECT_EQ(pulled.error().kind, ErrorKind::removed) << at << ": " << why(pulled);
        EXPECT_EQ(card->login(Role::user, secret(user_pin)).error().kind, ErrorKind::removed);
      }
      reinsert();
      login();
      ASSERT_TRUE(card->list().ok());
      const auto again = operation(*card);
      const auto kind = again ? ErrorKind::exists : again.error().kind;
      const bool was_done = kind == ErrorKind::exists || kind == ErrorKind::not_found;
      ASSERT_TRUE(pulled.ok() || was_done) << at << ": " << why(again);
    }
  }
  /// Spoils the answer to each exchange of `operation` in turn: what the card did, nobody knows.
  /// Afterwards all that is listed is there, and the operation can be done.
  /// `spared`: a key that is being deleted, and may be listed until that is repeated.
  void spoil(const Operation& operation, const card::KeyPair* witness = nullptr,
             const Bytes& spared = {}) {
    const std::function<void(Bytes&)> ways[] = {
        [](Bytes& answer) { answer.resize(1); },
        [](Bytes& answer) {
          answer = {0x12, 0x34};
        },
        [](Bytes& answer) { answer.insert(answer.begin(), 300, 0x5A); },
    };
    const auto start = snapshot();
    for (const auto& way : ways) {
      for (std::uint64_t at = 1;; ++at) {
        SCOPED_TRACE("exchange " + std::to_string(at));
        restore(start);
        login();
        bench.exchanges = 0;
        bench.distort = [&](Bytes& answer) {
          if (bench.exchanges == at) way(answer);
        };
        (void)operation(*card).ok();
        bench.distort = nullptr;
        if (bench.exchanges < at) break;
        reinsert();
        if (witness != nullptr) log_in_and_prove(*witness);
        login();
        prove_everything(spared);
        const auto again = operation(*card);
        ASSERT_TRUE(again.ok() || again.error().kind == ErrorKind::exists ||
                    again.error().kind == ErrorKind::not_found)
            << why(again);
        prove_everything();
      }
    }
  }
  /// Each key that is listed signs, each certificate that is listed can be read.
  void prove_everything(const Bytes& spared = {}) {
    const auto found = list();
    for (const auto& key : found.keys) {
      if (!spared.empty() && key.id == spared) continue;
      const auto signature = card->sign(key, Scheme::rsa_pkcs1, text);
      ASSERT_TRUE(signature.ok()) << key.label << ": " << why(signature);
    }
    for (const auto& certificate : found.certificates) {
      const auto der = card->read_certificate(certificate.ref);
      ASSERT_TRUE(der.ok()) << certificate.label << ": " << why(der);
    }
  }
  void restore_view() { reinsert(); }

  static Operation generating(std::string id) {
    return [id](card::Card& c) -> Status {
      auto made = c.generate(key_request(id, 1024, "NEW"));
      if (!made) return made.take_error();
      return {};
    };
  }
  static Operation installing(Bytes der, std::string label = "NEW") {
    return [der = std::move(der), label](card::Card& c) -> Status {
      card::CertificateRequest request;
      request.label = label;
      auto made = c.install_certificate(request, der);
      if (!made) return made.take_error();
      return {};
    };
  }
};

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

TEST_F(KaztokenTrouble, CutWhileACardIsInitialised) {
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
    if (!was_cut) return;
    reinsert();
    const auto again = card->initialise("label", secret(officer_pin));
    ASSERT_TRUE(again.ok()) << "after a cut at write " << cut << ": " << why(again);
    ASSERT_TRUE(card->login(Role::security_officer, secret(officer_pin)).ok());
    const auto set = card->set_user_pin(secret(user_pin));
    ASSERT_TRUE(set.ok()) << why(set);
    login();
  }
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
  spoil(
      [](card::Card& c) -> Status {
        auto listed = c.list();
        if (!listed) return listed.take_error();
        for (const auto& key : listed->keys) {
          if (key.id == Bytes{'1'}) return c.delete_object(key.ref);
        }
        return Error{ErrorKind::not_found, "deleted"};
      },
      &first, Bytes{'1'});
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
