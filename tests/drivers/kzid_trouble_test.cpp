// SPDX-License-Identifier: Apache-2.0
// Power cuts at every write, removal at every exchange, two programs on one card, and cards that
// answer nonsense.
#include "tests/drivers/kzid_fixture.hpp"
#include "tests/drivers/trouble.hpp"

namespace kilt::test {
namespace {

class KzidTrouble : public Trouble<Kzid, 1> {
 protected:
  using Trouble::Trouble;

  void prove(const card::KeyPair& pair) {
    const auto signature = card->sign(pair.private_key, Scheme::rsa_pkcs1, text);
    EXPECT_TRUE(fits(pair.public_key, text, signature));
  }
};

TEST_F(KzidTrouble, CutWhileTheFirstKeyIsGenerated) {
  tear(generating("1"));
}

TEST_F(KzidTrouble, CutWhileASecondKeyIsGenerated) {
  login();
  const auto first = generate("0");
  tear(generating("1"), &first);
}

TEST_F(KzidTrouble, CutWhileACertificateIsInstalled) {
  login();
  const auto first = generate("0");
  tear(installing(certificate_for(first.public_key, "Somebody", 900)), &first);
  reinsert();
  login();
  ASSERT_TRUE(
      installing(certificate_for(first.public_key, "Somebody old", 700), "OLD")(*card).ok());
  tear(installing(certificate_for(first.public_key, "Somebody new", 700), std::string(250, 'L')),
       &first);
}

TEST_F(KzidTrouble, CutWhileAKeyIsDeleted) {
  login();
  const auto first = generate("0"), second = generate("1");
  tear([&](card::Card& c) { return c.delete_object(first.private_key.ref); }, &second);
}

TEST_F(KzidTrouble, CutWhileADirectoryIsSwitched) {
  login();
  const auto pair = generate("0");
  for (int i = 0; i < 9; ++i) {
    const Bytes der = certificate_for(pair.public_key, "Somebody " + std::to_string(i), 420);
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

TEST_F(KzidTrouble, PulledAtEveryExchange) {
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
  pull([](card::Card& c) { return c.change_pin(Role::user, secret(id_pin), secret(id_pin)); });
}

TEST_F(KzidTrouble, SpoiledAnswersWhileAKeyIsGenerated) {
  login();
  const auto first = generate("0");
  spoil(generating("1"), &first);
}

TEST_F(KzidTrouble, SpoiledAnswersWhileACertificateIsInstalled) {
  login();
  const auto first = generate("0");
  spoil(installing(certificate_for(first.public_key, "Somebody", 600)), &first);
}

TEST_F(KzidTrouble, SpoiledAnswersWhileAKeyIsDeleted) {
  login();
  const auto first = generate("0");
  generate("1");
  spoil(deleting_key("1"), &first, Bytes{'1'});
}

TEST_F(KzidTrouble, PulledOrCutAWrongPinNeverCostsTwoTries) {
  const auto start = snapshot();
  for (std::uint64_t cut = 1; cut < 4; ++cut) {
    restore(start);
    const auto base = bench.nvram.writes();
    bench.nvram.before_write = [&](std::uint64_t n) {
      if (n - base == cut) throw sim::PowerCut{};
    };
    (void)card->login(Role::user, secret("0000")).ok();
    reinsert();
    EXPECT_GE(card->pin_status(Role::user)->tries_left, 2);
  }
}

// ---- two programs on one card ----------------------------------------------------------------

class KzidShared : public KzidTrouble {
 protected:
  KzidShared() {
    login();
    first = generate("1", "A");
    second = generate("2", "B");
    other = another();
    EXPECT_TRUE(other->login(Role::user, secret(id_pin)).ok());
  }
  bool is_by(const card::KeyPair& pair, const Result<Bytes>& signature) {
    return fits(pair.public_key, text, signature);
  }
  card::KeyPair first, second;
  std::unique_ptr<card::Card> other;
};

TEST_F(KzidShared, EachSignsWithItsOwnKey) {
  connect();  // a program that knows no public key yet
  login();
  const auto mine = list().keys[0], theirs = list().keys[1];
  for (int i = 0; i < 4; ++i) {
    EXPECT_TRUE(is_by(first, card->sign(mine, Scheme::rsa_pkcs1, text)));
    EXPECT_TRUE(is_by(second, other->sign(theirs, Scheme::rsa_pkcs1, text)));
  }
  EXPECT_TRUE(is_by(first, card->sign(mine, Scheme::rsa_pkcs1, text)));
  spent();
  EXPECT_TRUE(is_by(first, card->sign(mine, Scheme::rsa_pkcs1, text)));
  EXPECT_EQ(spent(), 2u);
}

TEST_F(KzidShared, AKeyFoundByItsIdAloneIsNotMistaken) {
  connect();
  login();
  const auto key = card->list_classes({true, false, false, false})->keys[0];
  for (int i = 0; i < 2; ++i) {
    EXPECT_TRUE(is_by(first, card->sign(key, Scheme::rsa_pkcs1, text)));
    EXPECT_TRUE(is_by(second, other->sign(second.private_key, Scheme::rsa_pkcs1, text)));
  }
}

TEST_F(KzidShared, AKeySetBehindOurBackIsNoticed) {
  EXPECT_TRUE(is_by(first, card->sign(first.private_key, Scheme::rsa_pkcs1, text)));
  EXPECT_EQ(raw("002241A409950140840188800102"), "9000");
  EXPECT_TRUE(is_by(first, card->sign(first.private_key, Scheme::rsa_pkcs1, text)));
}

TEST_F(KzidShared, AnotherDirectoryIsLeftAgain) {
  const Bytes der = certificate_for(first.public_key, "One", 700);
  ASSERT_TRUE(installing(der, "one")(*card).ok());
  const auto reference = list().certificates[0].ref;
  const std::vector<Operation> operations{
      [&](card::Card& c) -> Status {
        EXPECT_TRUE(is_by(first, c.sign(first.private_key, Scheme::rsa_pkcs1, text)));
        return {};
      },
      [&](card::Card& c) -> Status {
        EXPECT_EQ(names(*c.list()).size(), 5u);
        return {};
      },
      [&](card::Card& c) -> Status {
        c.forget_objects();
        EXPECT_EQ(names(*c.list()).size(), 5u);
        return {};
      },
      [&](card::Card& c) -> Status {
        c.forget_objects();
        EXPECT_EQ(*c.read_certificate(reference), der);
        return {};
      },
      [&](card::Card& c) -> Status {
        c.forget_objects();
        EXPECT_EQ(*c.read_public_key(second.private_key.ref), second.public_key);
        return {};
      },
      [&](card::Card& c) -> Status { return c.login(Role::user, secret(id_pin)); },
      [&](card::Card& c) -> Status { return c.token_info() ? Status{} : Error{}; },
      generating("3"),
      installing(certificate_for(second.public_key, "Two", 300), "two"),
  };
  for (std::size_t i = 0; i + 2 < operations.size(); ++i) {
    for (const char* foreign : {"00A4000C023F00", "00A4020C022F02", "00A4000C020101"}) {
      raw(foreign);
      const auto done = operations[i](*card);
      EXPECT_TRUE(done.ok()) << i << " after " << foreign << ": " << why(done);
    }
  }
  for (std::size_t i = operations.size() - 2; i < operations.size(); ++i) {
    ASSERT_EQ(raw("00A4000C023F00"), "9000");
    const auto done = operations[i](*card);
    EXPECT_TRUE(done.ok()) << i << ": " << why(done);
  }
}

TEST_F(KzidShared, NobodyWritesOverTheOthersEntries) {
  list();
  ASSERT_TRUE(other->list().ok());
  ASSERT_TRUE(generating("c")(*card).ok());
  ASSERT_TRUE(generating("o")(*other).ok());
  card->forget_objects();
  EXPECT_EQ(list().keys.size(), 4u);
  EXPECT_EQ(list().public_keys.size(), 4u);
  EXPECT_EQ(generating("x")(*card).error().kind, ErrorKind::no_space);
  EXPECT_EQ(*card->read_public_key(first.private_key.ref), first.public_key);
}

TEST_F(KzidShared, LoggedOutByTheOther) {
  EXPECT_TRUE(is_by(first, card->sign(first.private_key, Scheme::rsa_pkcs1, text)));
  ASSERT_TRUE(other->logout().ok());
  card->forget_state();  // what a new epoch makes its owner do
  EXPECT_EQ(card->sign(first.private_key, Scheme::rsa_pkcs1, text).error().kind,
            ErrorKind::not_logged_in);
  login();
  EXPECT_TRUE(is_by(first, card->sign(first.private_key, Scheme::rsa_pkcs1, text)));
}

TEST_F(KzidShared, AKeyMadeInThePlaceOfAListedOneIsNotUsed) {
  const auto listed = first.private_key;
  ASSERT_TRUE(other->delete_object(listed.ref).ok());
  const auto made = other->generate(key_request("3", 2048, "THEIRS"));
  ASSERT_TRUE(made.ok()) << why(made);
  ASSERT_EQ(made->private_key.ref, listed.ref);
  const auto unnoticed = card->sign(listed, Scheme::rsa_pkcs1, text);
  ASSERT_FALSE(unnoticed.ok());
  EXPECT_EQ(unnoticed.error().kind, ErrorKind::verify_failed) << "its modulus was known";
  ASSERT_TRUE(other->logout().ok());
  card->forget_state();  // what a new epoch makes its owner do
  card->forget_objects();
  login();
  for (int i = 0; i < 2; ++i) {
    const auto stale = card->sign(listed, Scheme::rsa_pkcs1, text);
    ASSERT_FALSE(stale.ok());
    EXPECT_EQ(stale.error().kind, ErrorKind::not_found) << why(stale);
  }
  EXPECT_TRUE(is_by(*made, card->sign(made->private_key, Scheme::rsa_pkcs1, text)));
  EXPECT_TRUE(is_by(second, card->sign(second.private_key, Scheme::rsa_pkcs1, text)));
}

// ---- odd answers -----------------------------------------------------------------------------

TEST_F(KzidTrouble, ASignatureThatDoesNotFitIsWithheld) {
  login();
  const auto pair = generate("1");
  bench.distort = [](Bytes& answer) {
    if (answer.size() == 258) answer[100] ^= 1;
  };
  const auto signature = card->sign(pair.private_key, Scheme::rsa_pkcs1, text);
  ASSERT_FALSE(signature.ok());
  EXPECT_EQ(signature.error().kind, ErrorKind::verify_failed);
  bench.distort = nullptr;
  prove(pair);
}

/// A card that once calls a full key object empty: GET DATA alone begins an answer of 256 bytes.
class KzidLiar : public KzidTrouble {
 protected:
  void expect_nothing_lost(const card::KeyPair& pair, std::uint32_t next) {
    bool is_generating = false, has_lied = false;
    bench.distort = [&](Bytes& answer) {
      if (has_lied || answer != Bytes{0x61, 0x00}) return;
      has_lied = true;
      answer = {0x6A, 0x88};
    };
    bench.watch = [&](ByteView command, ByteView) { is_generating |= command[1] == 0x46; };
    const auto made = card->generate(key_request("", 2048, "NEW"));
    bench.distort = nullptr;
    bench.watch = nullptr;
    ASSERT_TRUE(has_lied);
    EXPECT_FALSE(is_generating);
    ASSERT_FALSE(made.ok());
    EXPECT_EQ(made.error().kind, ErrorKind::protocol) << why(made);
    EXPECT_EQ(*card->read_public_key(pair.private_key.ref), pair.public_key);
    prove(pair);
    EXPECT_EQ(generate("", "NEW").private_key.ref.token, next);
    prove(pair);
  }
};

TEST_F(KzidLiar, LosesNoKeyThatADirectoryNames) {
  login();
  expect_nothing_lost(generate("1"), 8);
}

TEST_F(KzidLiar, LosesNoKeyWhereAnotherProgramMakesThem) {
  login();
  ASSERT_EQ(raw("00A4000C020101"), "9000");
  ASSERT_EQ(raw("0046020005A403840187"), "9000");
  ASSERT_EQ(raw("0046020005A403840188"), "9000");
  reinsert();
  login();
  card::KeyPair first;
  first.private_key = list().keys[0];
  first.public_key = *card->read_public_key(first.private_key.ref);
  expect_nothing_lost(first, 9);
}

TEST_F(KzidTrouble, AnOddAnswerForAnEmptyKeyObjectHidesNoKey) {
  login();
  const auto pair = generate("1");
  for (const char* odd : {"6985", "6A80", "6982", "6D00", "6900"}) {
    SCOPED_TRACE(odd);
    connect();
    login();
    bench.distort = [&](Bytes& answer) {
      if (answer == Bytes{0x6A, 0x88}) answer = from_hex(odd).value();
    };
    EXPECT_EQ(list().keys.size(), 1u);
    EXPECT_TRUE(card->token_info().ok());
    prove(pair);
    const auto made = card->generate(key_request("2", 2048, "NEW"));
    ASSERT_FALSE(made.ok()) << "nobody knows what is in there";
    EXPECT_EQ(made.error().kind, ErrorKind::no_space) << why(made);
    EXPECT_NE(made.error().message().find("key object 8, 9, A"), std::string::npos) << why(made);
    bench.distort = nullptr;
  }
  EXPECT_EQ(generate("2").private_key.ref.token, 8u);
}

TEST_F(KzidTrouble, AKeyThatCannotBeLookedIntoIsNeitherLostNorDoubled) {
  login();
  const auto pair = generate("1");
  reinsert();
  login();
  bench.distort = [](Bytes& answer) {
    if (answer == Bytes{0x61, 0x00}) answer = {0x69, 0x85};
  };
  EXPECT_TRUE(list().keys.empty());
  EXPECT_FALSE(card->delete_object(pair.private_key.ref).ok());
  const auto twin = card->generate(key_request("1", 2048, "TWIN"));
  ASSERT_FALSE(twin.ok());
  EXPECT_EQ(twin.error().kind, ErrorKind::exists) << why(twin);
  const auto made = card->generate(key_request("2", 2048, "NEW"));
  ASSERT_FALSE(made.ok()) << "its public half cannot be read";
  EXPECT_NE(made.error().message().find("was made in key object 8"), std::string::npos)
      << why(made);
  bench.distort = nullptr;
  reinsert();
  login();
  prove(pair);
  const auto found = list();
  ASSERT_EQ(found.keys.size(), 2u);
  EXPECT_EQ(found.keys[1].label, "NEW");
}

TEST_F(KzidTrouble, TruncatedAnswersAreErrors) {
  login();
  const auto pair = generate("1");
  ASSERT_TRUE(installing(certificate_for(pair.public_key, "Somebody", 700))(*card).ok());
  for (const std::size_t keep : {0, 1, 3, 20, 255}) {
    connect();
    login();
    bench.distort = [&](Bytes& answer) {
      if (answer.size() > keep + 2)
        answer.erase(answer.begin() + static_cast<std::ptrdiff_t>(keep), answer.end() - 2);
    };
    const auto found = card->list();
    if (found) {
      for (const auto& certificate : found->certificates)
        EXPECT_FALSE(card->read_certificate(certificate.ref).ok()) << keep;
    }
    EXPECT_FALSE(card->sign(pair.private_key, Scheme::rsa_pkcs1, text).ok()) << keep;
    EXPECT_FALSE(card->random(8).ok() && keep < 8) << keep;
    bench.distort = nullptr;
  }
}

TEST_F(KzidTrouble, AnOddAnswerAboutThePinIsAnUnknownCounter) {
  for (const char* odd : {"6700", "6A86", "6D00", "6E00", "6A80", "6300", "6F00"}) {
    bench.distort = [&](Bytes& answer) { answer = from_hex(odd).value(); };
    const auto pin = card->pin_status(Role::user);
    ASSERT_TRUE(pin.ok()) << odd << why(pin);
    EXPECT_FALSE(pin->tries_left.has_value() || pin->blocked || pin->logged_in) << odd;
  }
}

}  // namespace
}  // namespace kilt::test
