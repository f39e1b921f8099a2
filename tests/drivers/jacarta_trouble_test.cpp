// SPDX-License-Identifier: Apache-2.0
// Power cuts at every write, removal at every command, two programs on one card, full cards, and
// what others left behind.
#include <algorithm>
#include <functional>

#include "drivers/rsa_check.hpp"
#include "drivers/rsa_padding.hpp"
#include "tests/drivers/jacarta_fixture.hpp"
#include "tests/drivers/trouble.hpp"

namespace kilt::test {
namespace {

class JacartaTrouble : public Trouble<Jacarta, 2> {};

TEST_F(JacartaTrouble, CutWhileTheFirstKeyIsGenerated) {
  tear(generating("1"));
}

TEST_F(JacartaTrouble, CutWhileASecondKeyIsGenerated) {
  login();
  const auto first = generate("0");
  tear(generating("1"), &first);
}

TEST_F(JacartaTrouble, CutWhileACertificateIsInstalled) {
  login();
  const auto first = generate("0");
  const Bytes der = certificate_for(first.public_key, "Somebody", 900);
  tear(installing(der), &first);
  reinsert();
  login();
  ASSERT_TRUE(installing(der, "OLD")(*card).ok());
  tear(installing(certificate_for(first.public_key, "Somebody", 901)), &first);
}

/// Changes the label of the first object of a class.
template <class List>
std::function<Status(card::Card&)> relabelling(List card::Directory::*list, std::string label) {
  return [list, label = std::move(label)](card::Card& c) -> Status {
    const auto found = c.list();
    if (!found) return found.error();
    card::AttributeChange change;
    change.label = label;
    return c.change_attributes(((*found).*list).front().ref, change);
  };
}

TEST_F(JacartaTrouble, CutWhileAttributesChange) {
  login();
  const auto pair = generate("0", 1024, "OLD");
  const Bytes der = certificate_for(pair.public_key, "Somebody", 700);
  ASSERT_TRUE(installing(der, "OLD")(*card).ok());
  ASSERT_TRUE(card->store_data({"OLD", "app", {}, false}, Bytes(300, 1)).ok());
  const std::string longer(100, 'L'), same = "NEW";
  for (const auto& label : {longer, same}) {
    const auto start = snapshot();
    tear(relabelling(&card::Directory::keys, label), &pair);
    restore(start);
    tear(relabelling(&card::Directory::public_keys, label), &pair);
    restore(start);
    tear(relabelling(&card::Directory::certificates, label), &pair);
    restore(start);
    tear(relabelling(&card::Directory::data, label), &pair);
    restore(start);
    login();
  }
}

TEST_F(JacartaTrouble, CutWhileAKeysIdChanges) {
  login();
  const auto pair = generate("0");
  tear([&](card::Card& c) {
    card::AttributeChange change;
    change.id = Bytes{'a', 'b', 'c'};
    return c.change_attributes(pair.private_key.ref, change);
  });
  prove_everything();
}

TEST_F(JacartaTrouble, CutWhileSomethingIsDeleted) {
  login();
  const auto pair = generate("0"), other = generate("1", 1024, "OTHER");
  const Bytes der = certificate_for(pair.public_key, "Somebody", 700);
  ASSERT_TRUE(installing(der)(*card).ok());
  ASSERT_TRUE(card->store_data({"data", "app", {}, true}, Bytes(300, 1)).ok());
  const auto found = list();
  for (const auto& ref :
       {pair.private_key.ref, pair.public_info.ref, found.certificates[0].ref, found.data[0].ref}) {
    const auto start = snapshot();
    tear([&](card::Card& c) { return c.delete_object(ref); }, &other);
    restore(start);
    login();
  }
}

// Where the public half was not looked at either, nothing but its file speaks for it.
TEST_F(JacartaTrouble, AKeyWhoseDeletionWasCutOffIsGoneForWhoSigns) {
  login();
  const auto ref = generate("0").private_key.ref;
  const auto start = snapshot();
  for (std::uint64_t n = 1;; ++n) {
    restore(start);
    login();
    if (!cut(n, [&] { (void)card->delete_object(ref).ok(); })) return;
    reinsert();
    login();
    const auto found = card->list_classes({true, false, false, false});
    ASSERT_TRUE(found.ok()) << why(found);
    for (const auto& key : found->keys) {
      const auto signature = card->sign(key, Scheme::rsa_pkcs1, text);
      EXPECT_TRUE(signature.ok() || signature.error().kind == ErrorKind::not_found)
          << n << ": " << why(signature);
      EXPECT_TRUE(card->delete_object(key.ref).ok()) << n;
    }
  }
}

TEST_F(JacartaTrouble, CutWhileDataIsStored) {
  login();
  const auto pair = generate("0");
  tear(
      [](card::Card& c) -> Status {
        auto made = c.store_data({"NEW", "app", {}, true}, Bytes(700, 1));
        if (!made) return made.take_error();
        return {};
      },
      &pair);
}

TEST_F(JacartaTrouble, CutWhileThePinChanges) {
  const auto start = snapshot();
  for (std::uint64_t n = 1;; ++n) {
    restore(start);
    if (!cut(n, [&] {
          (void)card->change_pin(Role::user, secret(jacarta_user_pin), secret("another")).ok();
        }))
      return;
    reinsert();
    const auto is_new = card->login(Role::user, secret("another"));
    EXPECT_TRUE(is_new.ok() || card->login(Role::user, secret(jacarta_user_pin)).ok()) << n;
  }
}

TEST_F(JacartaTrouble, CutWhileACardIsInitialised) {
  const auto start = snapshot();
  for (std::uint64_t n = 1;; ++n) {
    restore(start);
    if (!cut(n, [&] { (void)card->initialise("label", secret(jacarta_officer_pin)).ok(); })) return;
    reinsert();
    EXPECT_TRUE(!card->pin_status(Role::user)->initialized ||
                card->login(Role::user, secret(jacarta_user_pin)).ok())
        << "a PIN that nobody knows is shown after a cut at write " << n;
    const auto again = card->initialise("label", secret(jacarta_officer_pin));
    ASSERT_TRUE(again.ok()) << "after a cut at write " << n << ": " << why(again);
    ASSERT_TRUE(card->login(Role::security_officer, secret(jacarta_officer_pin)).ok());
    const auto set = card->set_user_pin(secret(jacarta_user_pin));
    ASSERT_TRUE(set.ok()) << why(set);
    login();
  }
}

TEST_F(JacartaTrouble, CutWhileTheUserPinIsMade) {
  ASSERT_TRUE(card->initialise("label", secret(jacarta_officer_pin)).ok());
  const auto start = snapshot();
  for (std::uint64_t n = 1;; ++n) {
    restore(start);
    ASSERT_TRUE(card->login(Role::security_officer, secret(jacarta_officer_pin)).ok());
    if (!cut(n, [&] { (void)card->set_user_pin(secret(jacarta_user_pin)).ok(); })) return;
    reinsert();
    ASSERT_TRUE(card->login(Role::security_officer, secret(jacarta_officer_pin)).ok());
    const auto again = card->set_user_pin(secret(jacarta_user_pin));
    ASSERT_TRUE(again.ok()) << "after a cut at write " << n << ": " << why(again);
    login();
    ASSERT_TRUE(generating("1")(*card).ok());
  }
}

TEST_F(JacartaTrouble, SpoiledAnswersWhileAKeyIsGenerated) {
  spoil(generating("1"));
  reinsert();
  login();
  const auto first = generate("0");
  spoil(generating("2"), &first);
}

TEST_F(JacartaTrouble, SpoiledAnswersWhileACertificateIsInstalled) {
  login();
  const auto first = generate("0");
  spoil(installing(certificate_for(first.public_key, "Somebody", 600)), &first);
}

TEST_F(JacartaTrouble, SpoiledAnswersWhileAKeyIsDeleted) {
  login();
  const auto first = generate("0");
  generate("1");
  spoil(deleting_key("1"), &first, Bytes{'1'});
}

TEST_F(JacartaTrouble, PulledAtEveryCommand) {
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
  pull([](card::Card& c) {
    return c.change_pin(Role::user, secret(jacarta_user_pin), secret(jacarta_user_pin));
  });
  pull([](card::Card& c) -> Status {
    auto made = c.store_data({"NEW", "app", {}, true}, Bytes(400, 1));
    if (!made) return made.take_error();
    return {};
  });
}

// ---- two programs on one card ----------------------------------------------------------------

class JacartaShared : public JacartaTrouble {
 protected:
  JacartaShared() {
    login();
    first = generate("1", 1024, "A");
    second = generate("2", 1024, "B");
    auto made = card::identify(std::make_unique<ChipTransport>(bench), nullptr);
    other = std::move(*made);
    EXPECT_TRUE(other->login(Role::user, secret(jacarta_user_pin)).ok());
  }
  bool is_by(const card::KeyPair& pair, const Result<Bytes>& signature) {
    EXPECT_TRUE(signature.ok()) << why(signature);
    return signature &&
           card::is_private_power(pair.public_key, *card::pkcs1_type1_pad(text, 128), *signature);
  }
  /// The other program sets the card up and makes a key, which is as many changes each time.
  card::KeyPair set_up_anew(bool as_vendor) {
    EXPECT_TRUE(other->initialise("new", secret(jacarta_officer_pin)).ok());
    if (as_vendor) {
      EXPECT_TRUE(raw("80A4080C083F0030003003400100").ends_with("9000"));
      EXPECT_EQ(raw("00D6000008 0006000301000100"), "9000");
    }
    EXPECT_TRUE(other->login(Role::security_officer, secret(jacarta_officer_pin)).ok());
    EXPECT_TRUE(other->set_user_pin(secret(jacarta_user_pin)).ok());
    EXPECT_TRUE(other->login(Role::user, secret(jacarta_user_pin)).ok());
    const auto made = other->generate(key_request("9", 1024, "A"));
    EXPECT_TRUE(made.ok()) << why(made);
    return made ? *made : card::KeyPair{};
  }
  Result<Bytes> sign_with(const card::KeyInfo& key) {
    return card->sign(key, Scheme::rsa_pkcs1, text);
  }
  card::KeyPair first, second;
  std::unique_ptr<card::Card> other;
};

TEST_F(JacartaShared, EachSignsWithItsOwnKey) {
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

TEST_F(JacartaShared, AKeyFoundByItsIdAloneIsNotMistaken) {
  connect();
  login();
  const auto key = card->list_classes({true, false, false, false})->keys[0];
  EXPECT_TRUE(is_by(first, card->sign(key, Scheme::rsa_pkcs1, text)));
  EXPECT_TRUE(is_by(second, other->sign(second.private_key, Scheme::rsa_pkcs1, text)));
  EXPECT_TRUE(is_by(first, card->sign(key, Scheme::rsa_pkcs1, text)));
}

// The other program deletes a key and makes one that gets its place.
TEST_F(JacartaShared, AKeyInThePlaceOfTheListedOneIsNotUsed) {
  const auto replace = [this](const card::KeyInfo& key, const char* id) {
    other->forget_objects();
    const auto seen = other->list();
    ASSERT_TRUE(seen.ok()) << why(seen);
    for (const auto& half : seen->public_keys) {
      if (half.id == key.id) {
        ASSERT_TRUE(other->delete_object(half.ref).ok());
      }
    }
    ASSERT_TRUE(other->delete_object(key.ref).ok());
    const auto made = other->generate(key_request(id, 1024));
    ASSERT_TRUE(made.ok()) << why(made);
    ASSERT_EQ(made->private_key.ref, key.ref);
  };
  using Look = std::function<void(const card::KeyInfo&)>;
  const Look looks[] = {
      [](const auto&) {},  // never read the public half
      [this](const auto& key) { EXPECT_TRUE(is_by(first, sign_with(key))); },
      [this](const auto& key) { EXPECT_TRUE(card->read_public_key(key.ref).ok()); },
      [this](const auto&) { list(); },
  };
  for (const auto& look : looks) {
    SCOPED_TRACE(&look - looks);
    connect();
    login();
    auto keys = card->list_classes({true, false, false, false})->keys;
    ASSERT_FALSE(keys.empty());
    look(keys[0]);
    replace(keys[0], "9");
    if (HasFatalFailure()) return;
    for (int again = 0; again < 3; ++again) {
      EXPECT_EQ(sign_with(keys[0]).error().kind, ErrorKind::not_found);
      EXPECT_EQ(card->decrypt(keys[0], Scheme::rsa_raw, Bytes(128, 1)).error().kind,
                ErrorKind::not_found);
      EXPECT_EQ(card->decrypt(keys[0], Scheme::rsa_pkcs1, Bytes(128, 1)).error().kind,
                ErrorKind::not_found);
      // Even when it has read of the new key meanwhile.
      card->forget_objects();
      EXPECT_TRUE(card->read_public_key(keys[0].ref).ok());
    }
    // The old key's listing again, for the next way.
    replace(card->list_classes({true, false, false, false})->keys[0], "1");
    if (HasFatalFailure()) return;
    connect();
    first.public_key = *card->read_public_key(list().keys[0].ref);
    other->forget_state();
    ASSERT_TRUE(other->login(Role::user, secret(jacarta_user_pin)).ok());
  }
}

TEST_F(JacartaShared, ACardThatWasSetUpAnewIsAnotherCard) {
  struct Round {
    bool as_vendor, deletes;
  };
  // From the second time on the key has the name of the one before; the vendor's counters then
  // stand as they did.
  const Round rounds[] = {{false, true}, {false, true}, {false, false},
                          {true, true},  {true, true},  {true, false}};
  for (const auto& [as_vendor, deletes] : rounds) {
    const auto old = list().keys[0];
    const auto made = set_up_anew(as_vendor);
    ASSERT_EQ(made.private_key.ref, old.ref);
    const auto refused = deletes ? card->delete_object(old.ref).error() : sign_with(old).error();
    EXPECT_EQ(refused.kind, ErrorKind::not_found) << refused.message();
    card->forget_objects();
    const auto now = list().keys;
    ASSERT_EQ(now.size(), 1u);
    EXPECT_EQ(now[0].id, made.private_key.id);
    EXPECT_EQ(*card->read_public_key(now[0].ref), made.public_key);
    EXPECT_TRUE(is_by(made, sign_with(now[0])));
  }
}

TEST_F(JacartaShared, WhatOthersChangedOnAKeyDoesNotKeepItFromBeingDeleted) {
  list();
  card::AttributeChange change;
  change.label = "another label, of another length";
  ASSERT_TRUE(other->change_attributes(first.private_key.ref, change).ok());
  ASSERT_TRUE(other->delete_object(first.public_info.ref).ok());
  const auto deleted = card->delete_object(first.private_key.ref);
  EXPECT_TRUE(deleted.ok()) << why(deleted);
}

TEST_F(JacartaShared, NobodyWritesOverTheOthersEntries) {
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

TEST_F(JacartaShared, AFileSelectedByTheOtherIsNotReadAsOurs) {
  const Bytes der = certificate_for(first.public_key, "One", 700);
  ASSERT_TRUE(installing(der, "one")(*card).ok());
  const auto reference = list().certificates[0].ref;
  card->forget_objects();
  ASSERT_TRUE(card->list().ok());
  ASSERT_TRUE(other->token_info().ok());
  EXPECT_EQ(*card->read_certificate(reference), der);
}

TEST_F(JacartaShared, LoggedOutByTheOther) {
  EXPECT_TRUE(is_by(first, card->sign(first.private_key, Scheme::rsa_pkcs1, text)));
  ASSERT_TRUE(other->logout().ok());
  EXPECT_EQ(card->sign(first.private_key, Scheme::rsa_pkcs1, text).error().kind,
            ErrorKind::not_logged_in);
  login();
  EXPECT_TRUE(is_by(first, card->sign(first.private_key, Scheme::rsa_pkcs1, text)));
}

// ---- full cards ------------------------------------------------------------------------------

TEST_F(JacartaShared, AnotherAppletSelectedInBetween) {
  EXPECT_TRUE(is_by(first, card->sign(first.private_key, Scheme::rsa_pkcs1, text)));
  ASSERT_TRUE(raw("00A4040C0AA000000448010101060200").ends_with("9000"));
  EXPECT_EQ(card->sign(first.private_key, Scheme::rsa_pkcs1, text).error().kind,
            ErrorKind::not_logged_in);
  EXPECT_FALSE(card->pin_status(Role::user)->logged_in);
  ASSERT_TRUE(raw("00A4040C0AA000000448010101060200").ends_with("9000"));
  EXPECT_EQ(list().keys.size(), 2u);
  ASSERT_TRUE(raw("00A4040C0AA000000448010101060200").ends_with("9000"));
  login();
  EXPECT_TRUE(is_by(first, card->sign(first.private_key, Scheme::rsa_pkcs1, text)));
  ASSERT_TRUE(raw("00A4040C0AA000000448010101060200").ends_with("9000"));
  EXPECT_EQ(card->generate(key_request("9")).error().kind, ErrorKind::not_logged_in);
  login();
  EXPECT_TRUE(card->generate(key_request("9")).ok());
}

TEST_F(JacartaShared, AfterAResetTheAppletIsSelectedAgain) {
  bench.chip->reset();
  card->forget_state();
  card->forget_objects();
  spent();
  EXPECT_EQ(list().keys.size(), 2u);
  EXPECT_EQ(spent(), 1u + 2u) << "the applet and the counters";
  login();
  EXPECT_TRUE(is_by(second, card->sign(second.private_key, Scheme::rsa_pkcs1, text)));
}

TEST_F(JacartaShared, AFileThatAnotherProgramChangedIsReadAnew) {
  const auto reference = card->list()->keys[0].ref;
  card::AttributeChange change;
  change.label = "another label, of another length";
  ASSERT_TRUE(other->change_attributes(reference, change).ok());
  card->forget_objects();
  EXPECT_EQ(list().keys[0].label, *change.label);
}

TEST(JacartaFull, SaysSoAndStaysAsItWas) {
  sim::ChipOptions options;
  options.seed = 7;
  options.memory = 12 * 1024;
  ChipBench bench("jacarta", options);
  auto card = std::move(*card::identify(std::make_unique<ChipTransport>(bench), nullptr));
  ASSERT_TRUE(card->login(Role::user, secret(jacarta_user_pin)).ok());
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
