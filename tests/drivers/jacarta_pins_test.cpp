// SPDX-License-Identifier: Apache-2.0
// How a PIN reaches the card: hidden where the card can, in plain only where it cannot, and one
// wrong PIN costs one try whatever the card answers.
#include <gmock/gmock.h>

#include <algorithm>

#include "drivers/jacarta_card.hpp"
#include "tests/apdu/scripted_transport.hpp"
#include "tests/drivers/jacarta_fixture.hpp"

namespace kilt::test {
namespace {

using card::Role;
using ::testing::HasSubstr;

const char* const secure_pin =
    "621B 8A0104 83020020 870148 850FC0010000AAAA0410000000000010 10 9000";
const char* const plain_pin =
    "621B 8A0104 83020020 870148 850F80010000AAAA0410000000000010 10 9000";
const char* const challenge = "A0A1A2A3A4A5A6A7 9000";

/// A card that answers this, in order; what it was sent afterwards is in `sent`.
struct Script {
  explicit Script(std::vector<std::string> answers) {
    for (auto& answer : answers)
      std::erase(answer, ' ');
    auto transport = std::make_unique<ScriptedTransport>(std::move(answers));
    wire = transport.get();
    card = std::make_unique<card::jacarta::JacartaCard>(
        std::make_unique<card::Link>(std::move(transport), nullptr), [](std::size_t count) {
          Bytes bytes(count);
          for (std::size_t i = 0; i < count; ++i)
            bytes[i] = static_cast<std::uint8_t>(0x10 + i);
          return Result<Bytes>(bytes);
        });
  }
  Status login() { return card->login(Role::user, secret(jacarta_user_pin)); }
  [[nodiscard]] long plain_verifies() const {
    return std::count_if(wire->sent.begin(), wire->sent.end(), [](const std::string& command) {
      return command.starts_with("00200000") && command.size() > 10;
    });
  }
  ScriptedTransport* wire;
  std::unique_ptr<card::jacarta::JacartaCard> card;
};

TEST(JacartaLogin, HidesThePin) {
  Script bench({secure_pin, challenge, "9000"});
  const auto done = bench.login();
  ASSERT_TRUE(done.ok()) << why(done);
  const std::vector<std::string> expected{"80A4080C043F00002000", "0084000008",
                                          "8020000010BADCA03397244A2621159779C7FC3C26"};
  EXPECT_EQ(bench.wire->sent, expected) << "the published value";
}

TEST(JacartaLogin, InPlainWhereTheCardDoesNotAllowIt) {
  Script bench({plain_pin, "9000"});
  ASSERT_TRUE(bench.login().ok());
  EXPECT_EQ(bench.wire->sent[1], "002000000A31323334353637383930");
}

TEST(JacartaLogin, NoStatusWordMakesThePinGoInPlain) {
  for (const char* refusal : {"6D00", "6E00", "6A81", "6A86"}) {
    Script bench({secure_pin, challenge, refusal, "9000", "9000"});
    const auto refused = bench.login();
    ASSERT_FALSE(refused.ok()) << refusal;
    EXPECT_EQ(refused.error().kind, ErrorKind::unsupported) << why(refused);
    EXPECT_THAT(refused.error().message(), HasSubstr("not sent in the clear"));
    EXPECT_EQ(bench.plain_verifies(), 0) << refusal;
    EXPECT_EQ(bench.wire->sent.size(), 3u) << refusal;
  }
  // And a card without random numbers is asked for no PIN at all.
  for (const char* refusal : {"6D00", "6E00", "6A81", "6A86", "6982", "63C5", "6983"}) {
    Script bench({secure_pin, refusal, "9000", "9000"});
    const auto refused = bench.login();
    ASSERT_FALSE(refused.ok()) << refusal;
    EXPECT_EQ(bench.plain_verifies(), 0) << refusal;
    EXPECT_EQ(bench.wire->sent.size(), 2u) << refusal;
  }
}

TEST(JacartaLogin, HidesThePinWhereItsObjectSaysNothing) {
  const char* const bare_pin = "620A 8A0104 83020020 870148 9000";
  // Without a policy the card's description is looked for, which this one has not.
  Script bench({bare_pin, "6A82", bare_pin, challenge, "9000"});
  const auto done = bench.login();
  ASSERT_TRUE(done.ok()) << why(done);
  EXPECT_EQ(bench.wire->sent.back(), "8020000010BADCA03397244A2621159779C7FC3C26");
}

TEST(JacartaLogin, AWrongPinIsNeverSentASecondTime) {
  for (const char* answer :
       {"63C9", "63C0", "6983", "6982", "6985", "6700", "6A80", "6988", "6F00", "6581", "6400"}) {
    Script bench({secure_pin, challenge, answer, "9000", "9000", "9000"});
    EXPECT_FALSE(bench.login().ok()) << answer;
    EXPECT_EQ(bench.plain_verifies(), 0) << answer;
    EXPECT_EQ(bench.wire->sent.size(), 3u) << answer;
    EXPECT_FALSE(bench.card->generate(key_request("1")).ok());
  }
  // 6300 has no counter in it, so the card is asked for it, which costs none.
  Script bench({secure_pin, challenge, "6300", secure_pin});
  const auto wrong = bench.login();
  EXPECT_EQ(wrong.error().kind, ErrorKind::pin_incorrect);
  EXPECT_EQ(wrong.error().tries_left, 10);
  EXPECT_EQ(bench.wire->sent.size(), 4u);
  EXPECT_EQ(bench.plain_verifies(), 0);
  Script plain({plain_pin, "63C9"});
  EXPECT_EQ(plain.login().error().tries_left, 9);
  EXPECT_EQ(plain.wire->sent.size(), 2u);
}

TEST(JacartaLogin, ABlockedPinIsNotSent) {
  Script bench({"621B 8A0104 83020020 870148 850FC00100000AAA0410000000000010 10 9000"});
  EXPECT_EQ(bench.login().error().kind, ErrorKind::pin_blocked);
  EXPECT_EQ(bench.wire->sent.size(), 1u);
}

TEST(JacartaLogin, AChallengeOfAWrongLengthIsNotUsed) {
  for (const char* wrong : {"9000", "A0A1A2A3A4A5A6 9000", "A0A1A2A3A4A5A6A7A8 9000"}) {
    Script bench({secure_pin, wrong, "9000"});
    EXPECT_FALSE(bench.login().ok());
    EXPECT_EQ(bench.wire->sent.size(), 2u) << "no fall-back, no try";
  }
}

class JacartaPinChange : public Jacarta {
 protected:
  JacartaPinChange() {
    bench.watch = [this](ByteView command, ByteView) { seen.push_back(to_hex(command)); };
  }
  std::vector<std::string> seen;
};

TEST_F(JacartaPinChange, TheNewPinIsNowhereInTheClear) {
  const std::string digits = to_hex(as_bytes("5550001234"));
  const auto done = card->change_pin(Role::user, secret(jacarta_user_pin), secret("5550001234"));
  ASSERT_TRUE(done.ok()) << why(done);
  for (const auto& command : seen) {
    EXPECT_EQ(command.find(digits), std::string::npos) << command;
    EXPECT_EQ(command.find(to_hex(as_bytes(jacarta_user_pin))), std::string::npos) << command;
  }
  EXPECT_EQ(seen.back(), "8086FFFF") << "the channel is closed";
  EXPECT_TRUE(card->login(Role::user, secret("5550001234")).ok());
}

TEST_F(JacartaPinChange, ASpoiledAnswerSaysThatTheNewPinMayBeSet) {
  std::string old_pin = jacarta_user_pin, new_pin = "5550001234";
  for (const char* spoiled : {"9000", "6982", "6988", "DEADBEEF9000", "990290009000",
                              "990290008E0800000000000000009000", "870101990290006700"}) {
    bench.distort = [&](Bytes& answer) {
      if (answer.size() == 16 && answer[0] == 0x99) answer = from_hex(spoiled).value();
    };
    const auto status = card->change_pin(Role::user, secret(old_pin), secret(new_pin));
    ASSERT_FALSE(status.ok()) << spoiled;
    EXPECT_EQ(status.error().kind, ErrorKind::protocol) << spoiled << ": " << why(status);
    EXPECT_THAT(status.error().message(), HasSubstr("the new PIN may be set"));
    bench.distort = nullptr;
    reinsert();
    EXPECT_TRUE(card->login(Role::user, secret(new_pin)).ok()) << "and it is";
    std::swap(old_pin, new_pin);
  }
}

TEST_F(JacartaPinChange, WhatFailsBehindTheNewPinDoesNotUnsayIt) {
  bench.exchanges = 0;
  bench.pull_at = 7;  // the end of secure messaging
  const auto status = card->change_pin(Role::user, secret(jacarta_user_pin), secret("5550001234"));
  EXPECT_TRUE(status.ok()) << why(status);
  EXPECT_EQ(bench.exchanges, 7u);
  reinsert();
  EXPECT_TRUE(card->login(Role::user, secret("5550001234")).ok());
}

TEST_F(JacartaPinChange, ATamperedAnswerEndsTheConnection) {
  bench.distort = [](Bytes& answer) {
    // The one protected answer: a status and a MAC.
    if (answer.size() == 16 && answer[0] == 0x99) answer[10] ^= 1;
  };
  const auto status = card->change_pin(Role::user, secret(jacarta_user_pin), secret("5550001234"));
  ASSERT_FALSE(status.ok());
  EXPECT_EQ(status.error().kind, ErrorKind::protocol) << why(status);
  const auto sent = seen.size();
  EXPECT_FALSE(card->login(Role::user, secret(jacarta_user_pin)).ok());
  EXPECT_FALSE(card->random(8).ok());
  EXPECT_EQ(seen.size(), sent) << "nothing more is sent";
}

TEST_F(JacartaPinChange, ACardWithoutSecureMessagingGetsNoPinInTheClear) {
  bench.distort = [this](Bytes& answer) {
    if (!seen.empty() && answer.size() > 64 && answer[0] == 0x80) answer = {0x6D, 0x00};
  };
  const auto status = card->change_pin(Role::user, secret(jacarta_user_pin), secret("5550001234"));
  ASSERT_FALSE(status.ok());
  for (const auto& command : seen)
    EXPECT_FALSE(command.starts_with("8024") || command.starts_with("0024")) << command;
  bench.distort = nullptr;
  EXPECT_TRUE(card->login(Role::user, secret(jacarta_user_pin)).ok());
}

TEST_F(JacartaPinChange, OfTheOfficerToo) {
  auto status =
      card->change_pin(Role::security_officer, secret(jacarta_officer_pin), secret("87654321"));
  ASSERT_TRUE(status.ok()) << why(status);
  ASSERT_TRUE(card->login(Role::security_officer, secret("87654321")).ok());
  status = card->set_user_pin(secret("another"));
  ASSERT_TRUE(status.ok()) << why(status);
  reinsert();
  EXPECT_TRUE(card->login(Role::user, secret("another")).ok());
  EXPECT_EQ(card->pin_status(Role::user)->tries_left, 10);
}

TEST(JacartaAladdin, ADeviceWithItsMakersPins) {
  sim::ChipOptions options;
  options.seed = 7;
  options.factory = "aladdin";
  ChipBench bench("jacarta", options);
  auto card = card::identify(std::make_unique<ChipTransport>(bench), nullptr);
  ASSERT_TRUE(card.ok()) << why(card);
  EXPECT_TRUE((*card)->pin_status(Role::user)->initialized);
  const auto status = (*card)->login(Role::user, secret("11111111"));
  ASSERT_TRUE(status.ok()) << why(status);
  EXPECT_TRUE((*card)->generate(key_request("1")).ok());
  EXPECT_TRUE((*card)->login(Role::security_officer, secret("00000000")).ok());
}

}  // namespace
}  // namespace kilt::test
