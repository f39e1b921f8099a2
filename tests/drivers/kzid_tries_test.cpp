// SPDX-License-Identifier: Apache-2.0
// An ID card that may not be asked for its counter: what is noted of wrong PINs.
#include "tests/drivers/kzid_fixture.hpp"

namespace kilt::test {
namespace {

using card::Role;

class KzidUnasked : public Kzid {
 protected:
  KzidUnasked() {
    login();
    generate("1");
    another_process();
  }
  void another_process() {
    bench.simulated = false;
    reinsert();
  }
  std::optional<int> left() {
    const auto pin = card->pin_status(Role::user);
    EXPECT_TRUE(pin.ok()) << why(pin);
    return pin ? pin->tries_left : std::nullopt;
  }
  std::string kept() { return run("ls -A " + directory.file("data/kilt")).output; }
};

TEST_F(KzidUnasked, TheNextProcessKnowsTheTriesOfTheLastWrongPin) {
  EXPECT_FALSE(left().has_value());
  for (const int tries : {2, 1}) {
    EXPECT_EQ(card->login(Role::user, secret("0000")).error().tries_left, tries);
    EXPECT_EQ(left(), tries);
    another_process();
    EXPECT_EQ(left(), tries);
    EXPECT_FALSE(card->pin_status(Role::user)->blocked);
  }
  must_run("test $(stat -c %a " + directory.file("data/kilt") + "/*.user.tries) = 600");
  login();
  EXPECT_FALSE(left().has_value());
  another_process();
  EXPECT_FALSE(left().has_value()) << "a right PIN fills the counter";
  EXPECT_EQ(kept(), "");
}

TEST_F(KzidUnasked, OnlyTheCardSaysThatItIsBlocked) {
  for (int tries = 3; tries > 0; --tries)
    (void)card->login(Role::user, secret("0000")).ok();
  EXPECT_EQ(kept(), "");
  another_process();
  EXPECT_FALSE(left().has_value());
  EXPECT_EQ(card->login(Role::user, secret(id_pin)).error().kind, ErrorKind::pin_blocked);
}

TEST_F(KzidUnasked, AnotherCardsTriesAreNotMistakenForThisOnes) {
  EXPECT_EQ(card->login(Role::user, secret("0000")).error().tries_left, 2);
  auto options = with_seed();
  options.seed = 8;
  ChipBench second("kzid", options);
  auto other = std::move(*card::identify(std::make_unique<ChipTransport>(second), nullptr));
  ASSERT_TRUE(other->login(Role::user, secret(id_pin)).ok());
  ASSERT_TRUE(other->generate(key_request("1", 2048)).ok());
  second.simulated = false;
  second.insert();
  other = std::move(*card::identify(std::make_unique<ChipTransport>(second), nullptr));
  EXPECT_FALSE(other->pin_status(Role::user)->tries_left.has_value());
  ASSERT_TRUE(other->login(Role::user, secret(id_pin)).ok());
  EXPECT_EQ(left(), 2) << "that was another card's right PIN";
}

TEST_F(KzidUnasked, WhatIsNotedOfACardWithoutANameStays) {
  sim::ChipOptions options;
  options.seed = 9;
  ChipBench nameless("kzid", options);
  nameless.simulated = false;
  const auto open = [&] {
    nameless.insert();
    return std::move(*card::identify(std::make_unique<ChipTransport>(nameless), nullptr));
  };
  auto other = open();
  EXPECT_EQ(other->login(Role::user, secret("0000")).error().tries_left, 2);
  ASSERT_TRUE(other->login(Role::user, secret(id_pin)).ok());
  other = open();
  EXPECT_EQ(other->pin_status(Role::user)->tries_left, 2) << "another such card may have had it";
  EXPECT_EQ(other->login(Role::user, secret("0000")).error().tries_left, 2);
  EXPECT_EQ(other->login(Role::user, secret("0000")).error().tries_left, 1);
  ASSERT_TRUE(other->login(Role::user, secret(id_pin)).ok());
  EXPECT_EQ(other->login(Role::user, secret("0000")).error().tries_left, 2);
  EXPECT_EQ(open()->pin_status(Role::user)->tries_left, 1) << "nor does its higher counter count";
}

TEST_F(KzidUnasked, ANoteIsOfTheKeyThatIsThereNow) {
  const auto first = card->serial();
  bench.simulated = true;
  auto other = std::move(*card::identify(std::make_unique<ChipTransport>(bench), nullptr));
  ASSERT_TRUE(other->login(Role::user, secret(id_pin)).ok());
  ASSERT_TRUE(other->delete_object(other->list()->keys.at(0).ref).ok());
  ASSERT_TRUE(other->generate(key_request("1", 2048)).ok());
  bench.simulated = false;
  bench.insert();
  card->forget_state();
  card->forget_objects();
  EXPECT_EQ(card->login(Role::user, secret("0000")).error().tries_left, 2);
  EXPECT_EQ(*card->serial(), *first) << "it keeps its name while it is in";
  another_process();
  EXPECT_EQ(left(), 2);
}

TEST_F(KzidUnasked, ANoteThatCannotBeKeptRightIsNone) {
  EXPECT_EQ(card->login(Role::user, secret("0000")).error().tries_left, 2);
  must_run("chmod 777 " + directory.file("data/kilt"));
  EXPECT_FALSE(left().has_value());
  EXPECT_NE(card->pin_status(Role::user)->unwatched, "");
}

TEST_F(KzidUnasked, AFileThatMakesNoSenseChangesNothing) {
  EXPECT_EQ(card->login(Role::user, secret("0000")).error().tries_left, 2);
  must_run("for kept in " + directory.file("data/kilt") +
           "/*.user.tries; do printf nonsense > $kept; done");
  another_process();
  EXPECT_FALSE(left().has_value());
  must_run("chmod 777 " + directory.file("data/kilt"));
  EXPECT_EQ(card->login(Role::user, secret("0000")).error().tries_left, 1);
  EXPECT_FALSE(left().has_value()) << "others may write it";
  login();
}

}  // namespace
}  // namespace kilt::test
