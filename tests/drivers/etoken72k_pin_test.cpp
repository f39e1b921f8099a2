// SPDX-License-Identifier: Apache-2.0
// PINs of an eToken: what a wrong one costs, blocking, changing, and how long a login lasts.
#include "drivers/etoken72k_card.hpp"
#include "tests/drivers/etoken72k_fixture.hpp"

namespace kilt::test {
namespace {

using card::Role;
using card::Scheme;

/// LOGINs that were sent: 80 11 00 <who>.
class EtokenTries : public Etoken {
 protected:
  EtokenTries() {
    bench.watch = [this](ByteView command, ByteView) {
      if (command[0] == 0x80 && command[1] == 0x11) ++logins;
    };
  }
  /// As the card counts them, whatever was sent.
  int tries() {
    const Bytes* cell = bench.nvram.read("etoken:tries:user");
    return cell == nullptr || cell->empty() ? -1 : cell->front();
  }
  /// Another program sets another PIN, and the login of `card` is over.
  std::unique_ptr<card::Card> change_elsewhere() {
    auto other = another();
    const auto changed =
        other->change_pin(Role::user, secret(etoken_user_pin), secret("another pin"));
    EXPECT_TRUE(changed.ok()) << why(changed);
    EXPECT_TRUE(other->logout().ok());
    logins = 0;
    return other;
  }
  int logins = 0;
};

TEST_F(EtokenTries, WrongPinCostsOneTry) {
  const auto wrong = card->login(Role::user, secret("0000000000"));
  ASSERT_FALSE(wrong.ok());
  EXPECT_EQ(wrong.error().kind, ErrorKind::pin_incorrect);
  EXPECT_EQ(wrong.error().tries_left, std::nullopt) << "the card does not tell";
  EXPECT_EQ(logins, 1);
  for (const char* bad : {"", "1", "123", "12345678901234567890123456789012"}) {
    EXPECT_EQ(card->login(Role::user, secret(bad)).error().kind, ErrorKind::pin_length);
  }
  for (const char* bad : {"1234567\xFF", "1234567\xC0\x80", "1234567\xF0\x9F\x94\x91",
                          "1234567\xED\xA0\x80", "1234567\xE2\x82"}) {
    EXPECT_EQ(card->login(Role::user, secret(bad)).error().kind, ErrorKind::pin_invalid);
  }
  EXPECT_EQ(logins, 1);
  login();
  EXPECT_EQ(logins, 2);
  EXPECT_TRUE(card->pin_status(Role::user)->logged_in);
}

TEST_F(EtokenTries, WrongPinsAreCountedOverProcesses) {
  for (int failures = 0; failures < 3; ++failures) {
    reinsert();  // a process that knows nothing yet
    EXPECT_EQ(card->pin_status(Role::user)->failures, failures);
    EXPECT_FALSE(card->login(Role::user, secret("0000000000")).ok());
  }
  EXPECT_EQ(card->pin_status(Role::user)->failures, 3);
  EXPECT_EQ(card->pin_status(Role::security_officer)->failures, 0);
  reinsert();
  EXPECT_FALSE(card->change_pin(Role::user, secret("0000000000"), secret("abcdefgh")).ok());
  EXPECT_EQ(card->login(Role::user, secret("1")).error().kind, ErrorKind::pin_length);
  EXPECT_EQ(card->pin_status(Role::user)->failures, 4) << "what was not sent does not count";
  reinsert();
  ChipBench stranger("etoken72k", [] {
    auto made = options(false);
    made.serial = "0A0B0C0D";
    return made;
  }());
  auto other = card::identify(std::make_unique<ChipTransport>(stranger), nullptr);
  ASSERT_TRUE(other.ok()) << why(other);
  EXPECT_EQ((*other)->pin_status(Role::user)->failures, 0) << "another token";
  login();
  EXPECT_EQ(card->pin_status(Role::user)->failures, 0);
  reinsert();
  EXPECT_EQ(card->pin_status(Role::user)->failures, 0);
}

TEST_F(EtokenTries, ANewUserPinHasNoFailures) {
  EXPECT_FALSE(card->login(Role::user, secret("0000000000")).ok());
  EXPECT_FALSE(card->login(Role::security_officer, secret("11111111")).ok());
  EXPECT_EQ(card->pin_status(Role::security_officer)->failures, 1);
  officer();
  EXPECT_EQ(card->pin_status(Role::security_officer)->failures, 0);
  EXPECT_EQ(card->pin_status(Role::user)->failures, 1);
  ASSERT_TRUE(card->set_user_pin(secret("newpin")).ok());
  EXPECT_EQ(card->pin_status(Role::user)->failures, 0);
  EXPECT_FALSE(card->login(Role::user, secret("0000000000")).ok());
  ASSERT_TRUE(card->initialise("new", secret(etoken_officer_pin)).ok());
  EXPECT_EQ(card->pin_status(Role::user)->failures, 0) << "there is no such PIN any more";
}

TEST_F(EtokenTries, TheSerialNumberIsAskedOnlyWhereThereAreNotes) {
  spent();
  login();
  EXPECT_EQ(spent(), 4u);
  EXPECT_FALSE(card->login(Role::user, secret("0000000000")).ok());
  reinsert();
  spent();
  login();
  EXPECT_EQ(spent(), 5u);
  reinsert();
  spent();
  login();
  EXPECT_EQ(spent(), 4u) << "the right one took the note away";
}

TEST_F(EtokenTries, BlockedPinAndUnblocking) {
  ErrorKind last = ErrorKind::pin_incorrect;
  for (int i = 0; i < 30 && last == ErrorKind::pin_incorrect; ++i)
    last = card->login(Role::user, secret("0000000000")).error().kind;
  EXPECT_EQ(last, ErrorKind::pin_blocked);
  EXPECT_TRUE(card->pin_status(Role::user)->blocked);
  EXPECT_EQ(card->login(Role::user, secret(etoken_user_pin)).error().kind, ErrorKind::pin_blocked);
  EXPECT_EQ(card->set_user_pin(secret("newpin")).error().kind, ErrorKind::not_logged_in);
  officer();
  EXPECT_EQ(card->set_user_pin(secret("short")).error().kind, ErrorKind::pin_length);
  const auto status = card->set_user_pin(secret("newpin"));
  EXPECT_TRUE(status.ok()) << why(status);
  EXPECT_FALSE(card->pin_status(Role::user)->blocked);
  login("newpin");
  reinsert();
  login("newpin");
}

TEST_F(EtokenTries, AnotherRoleTakesOver) {
  login();
  officer();
  EXPECT_EQ(card->generate(key_request("1")).error().kind, ErrorKind::not_logged_in);
  EXPECT_FALSE(card->pin_status(Role::user)->logged_in);
  EXPECT_TRUE(card->pin_status(Role::security_officer)->logged_in);
  login();
  EXPECT_FALSE(card->login(Role::user, secret("0000000000")).ok());
  EXPECT_FALSE(card->pin_status(Role::user)->logged_in);
  EXPECT_EQ(card->generate(key_request("1")).error().kind, ErrorKind::not_logged_in);
  EXPECT_TRUE(card->logout().ok());
  EXPECT_TRUE(card->logout().ok());
}

TEST_F(EtokenTries, LoggedOutMeansLoggedOutOnTheCardToo) {
  login();
  const auto pair = generate("1");
  ASSERT_TRUE(card->logout().ok());
  // As the card sees it, whatever the driver thinks: a signature is refused.
  auto raw = [&](std::string_view command) {
    return to_hex(bench.chip->transmit(from_hex(command).value()).bytes);
  };
  EXPECT_EQ(raw("00A4080C08 6666500002203001"), "9000");
  const std::string block(256, '1');
  EXPECT_EQ(raw("800C033182 1080" + block + "00"), "6982");
  EXPECT_EQ(card->sign(pair.private_key, Scheme::rsa_pkcs1, Bytes(20)).error().kind,
            ErrorKind::not_logged_in);
}

TEST_F(EtokenTries, APinChangedElsewhereCostsNoTry) {
  login();
  const auto pair = generate("1");
  ASSERT_TRUE(card->sign(pair.private_key, Scheme::rsa_pkcs1, Bytes(20)).ok());
  const auto other = change_elsewhere();
  const int before = tries();
  ASSERT_GT(before, 0);
  for (int i = 0; i < 2; ++i) {
    EXPECT_EQ(card->sign(pair.private_key, Scheme::rsa_pkcs1, Bytes(20)).error().kind,
              ErrorKind::not_logged_in);
    EXPECT_FALSE(card->pin_status(Role::user)->logged_in);
  }
  // A program that keeps the PIN tries it again by itself.
  const auto repeated = card->login_again(Role::user, secret(etoken_user_pin));
  ASSERT_FALSE(repeated.ok());
  EXPECT_EQ(repeated.error().kind, ErrorKind::not_logged_in);
  EXPECT_EQ(repeated.error().sw, 0) << "it was not sent";
  EXPECT_EQ(logins, 0);
  EXPECT_EQ(tries(), before);
  EXPECT_EQ(other->pin_status(Role::user)->failures, 0);
  login("another pin");
  EXPECT_TRUE(verifies(pair.public_key, Bytes(20),
                       card->sign(pair.private_key, Scheme::rsa_pkcs1, Bytes(20))));
}

TEST_F(EtokenTries, APinChangedBeforeAResetCostsNoTryEither) {
  login();
  (void)change_elsewhere();
  const int before = tries();
  bench.insert();
  card->forget_state();
  EXPECT_EQ(card->login_again(Role::user, secret(etoken_user_pin)).error().sw, 0);
  EXPECT_EQ(logins, 0);
  EXPECT_EQ(tries(), before);
  // A person who types it is heard.
  EXPECT_EQ(card->login(Role::user, secret(etoken_user_pin)).error().sw, 0x6300);
  EXPECT_EQ(tries(), before - 1);
  login("another pin");
}

TEST_F(EtokenTries, AfterAResetAPinThatIsStillRightIsSent) {
  login();
  bench.insert();
  card->forget_state();
  ASSERT_TRUE(card->login_again(Role::user, secret(etoken_user_pin)).ok());
  EXPECT_EQ(logins, 2);
}

/// Erased and set up again with the officer's PIN of before: nobody else did that.
TEST_F(EtokenTries, AfterAnInitialisationTheOfficersPinIsSent) {
  ASSERT_TRUE(card->initialise("new", secret(etoken_officer_pin)).ok());
  officer();
}

TEST_F(EtokenTries, AfterAWrongPinElsewhereALoginDoesNotReturnByItself) {
  login();
  const auto pair = generate("1");
  auto other = another();
  EXPECT_FALSE(other->login(Role::user, secret("0000000000")).ok());
  const int before = tries();
  logins = 0;
  EXPECT_EQ(card->sign(pair.private_key, Scheme::rsa_pkcs1, Bytes(20)).error().kind,
            ErrorKind::not_logged_in);
  EXPECT_EQ(logins, 0);
  EXPECT_EQ(tries(), before);
  EXPECT_EQ(other->pin_status(Role::user)->failures, 1);
  login();
  EXPECT_TRUE(verifies(pair.public_key, Bytes(20),
                       card->sign(pair.private_key, Scheme::rsa_pkcs1, Bytes(20))));
}

/// As on a card whose PIN others change without a new salt.
TEST_F(EtokenTries, ATryThatTheCachedKeyCostIsKnownToOtherProcesses) {
  login();
  const auto pair = generate("1");
  auto other = another();
  ASSERT_TRUE(other->login(Role::user, secret(etoken_user_pin)).ok());
  ASSERT_TRUE(other->logout().ok());
  logins = 0;
  bench.distort = [is_next = false, is_done = false](Bytes& answer) mutable {
    if (is_next) {
      answer = {0x63, 0x00};
      is_done = true;
    }
    is_next = !is_done && answer.size() == 8 + 2;  // the challenge
  };
  for (int i = 0; i < 2; ++i) {
    const auto refused = card->sign(pair.private_key, Scheme::rsa_pkcs1, Bytes(20));
    ASSERT_FALSE(refused.ok());
    EXPECT_EQ(refused.error().kind, ErrorKind::not_logged_in);
    if (i == 0) {
      EXPECT_EQ(refused.error().sw, 0x6300);
    }
    EXPECT_EQ(other->pin_status(Role::user)->failures, 1);
    EXPECT_EQ(other->pin_status(Role::security_officer)->failures, 0);
  }
  EXPECT_EQ(logins, 1);
  bench.distort = nullptr;
  reinsert();
  EXPECT_EQ(card->pin_status(Role::user)->failures, 1);
  login();
  EXPECT_EQ(card->pin_status(Role::user)->failures, 0);
}

TEST_F(EtokenTries, SaysWhereNobodyCountsWrongPins) {
  card::etoken::EtokenCard alone(
      std::make_unique<card::Link>(std::make_unique<ChipTransport>(bench), nullptr), card->model(),
      card::SideFiles(std::string()));
  ASSERT_TRUE(alone.pin_status(Role::user).ok());
  for (const auto role : {Role::user, Role::security_officer}) {
    EXPECT_NE(alone.pin_status(role)->unwatched, "");
    EXPECT_EQ(card->pin_status(role)->unwatched, "") << "notes can be kept";
  }
  ErrorKind last = ErrorKind::pin_incorrect;
  for (int i = 0; i < 30 && last == ErrorKind::pin_incorrect; ++i)
    last = alone.login(Role::user, secret("0000000000")).error().kind;
  EXPECT_EQ(alone.pin_status(Role::user)->tries_left, 0);
  EXPECT_EQ(alone.pin_status(Role::user)->unwatched, "") << "a blocked PIN has no tries";
}

TEST_F(EtokenTries, AProtectedReadThatUsedUpTheLoginTriesNothing) {
  login();
  const Bytes hidden(600, 0x22);  // several reads, each of which uses up the login
  const auto stored = card->store_data({"hidden", "app", {}, true}, hidden);
  ASSERT_TRUE(stored.ok()) << why(stored);
  card->forget_objects();
  ASSERT_EQ(list().data.size(), 1u);
  (void)change_elsewhere();
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(card->read_data(stored->ref).error().kind, ErrorKind::not_logged_in);
    (void)card->list().ok();
    EXPECT_EQ(logins, 0) << "only a person's PIN is sent";
  }
  login("another pin");
  EXPECT_EQ(*card->read_data(stored->ref), hidden);
}

TEST_F(EtokenTries, AfterAResetNothingIsTriedByItself) {
  login();
  const auto pair = generate("1");
  bench.insert();
  card->forget_state();
  logins = 0;
  EXPECT_EQ(card->sign(pair.private_key, Scheme::rsa_pkcs1, Bytes(20)).error().kind,
            ErrorKind::not_logged_in);
  EXPECT_EQ(logins, 0);
}

TEST_F(EtokenTries, ChangesPins) {
  EXPECT_EQ(card->change_pin(Role::user, secret("0000000000"), secret("abcdefgh")).error().kind,
            ErrorKind::pin_incorrect);
  EXPECT_EQ(card->change_pin(Role::user, secret(etoken_user_pin), secret("abc")).error().kind,
            ErrorKind::pin_length);
  auto status = card->change_pin(Role::user, secret(etoken_user_pin), secret("п/н-код №1"));
  ASSERT_TRUE(status.ok()) << why(status);
  // Still logged in, under the new key.
  EXPECT_TRUE(card->store_data({"d", "a"}, Bytes(3)).ok());
  status =
      card->change_pin(Role::security_officer, secret(etoken_officer_pin), secret("officer123"));
  ASSERT_TRUE(status.ok()) << why(status);
  reinsert();
  login("п/н-код №1");
  EXPECT_TRUE(card->login(Role::security_officer, secret("officer123")).ok());
}

}  // namespace
}  // namespace kilt::test
