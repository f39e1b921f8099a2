// SPDX-License-Identifier: Apache-2.0
// One device, several applets: which are there, which of them become tokens, and what a card that
// is none of ours costs.
#include <gmock/gmock.h>

#include <map>
#include <set>

#include "drivers/jacarta.hpp"
#include "tests/apdu/scripted_transport.hpp"
#include "tests/drivers/jacarta_fixture.hpp"

namespace kilt::test {
namespace {

using card::LookFor;
using card::Role;
using ::testing::HasSubstr;

const char* const common_atr = "3BDC18FF8191FE1FC38073C821136601061159000128";
const char* const shared_atr = "3BDC18FF8191FE1FC38073C8211366010B0352000538";
const char* const relative_atr = "3BDC18FF8191FE1FC38073C821136601060130040155";
const char* const lt_atr = "3BDC18FF8111FE8073C82113660106013080018D";
const char* const laser = "A0000001644C415345520001";
const char* const pro = "A0000003120202";
const char* const gost = "A0000004480101010602";
const char* const data_store = "A000000448000301";

const char* const pro_answer = "6F108407A0000003120202A5059F650202129000";

/// A device with these applets; it answers SELECT by name and nothing else.
class Device : public ScriptedTransport {
 public:
  Device(const char* atr, std::set<std::string> applets,
         const char* laser_answer = "62038701789000")
      : ScriptedTransport([this, applets, laser_answer](ByteView command) -> Result<Bytes> {
          if (command.size() < 6 || command[1] != 0xA4) return Bytes{0x6D, 0x00};
          const std::string name = to_hex(command.subspan(5, command[4]));
          if (applets.count(name) == 0) return Bytes{0x6A, 0x82};
          current = name;
          if (name == pro) return from_hex(pro_answer).value();
          return name == laser ? from_hex(laser_answer).value() : Bytes{0x90, 0x00};
        }),
        atr_(from_hex(atr).value()) {}
  [[nodiscard]] ByteView atr() const override { return atr_; }
  std::string current;

 private:
  Bytes atr_;
};

struct Seen {
  Result<std::unique_ptr<card::Card>> card;
  std::size_t commands;
};

Seen look(std::unique_ptr<Device> device, std::size_t index = 0,
          LookFor what = LookFor::everything) {
  auto* raw = device.get();
  std::size_t commands = 0;
  auto card = card::identify(std::move(device), nullptr, index, what);
  // The device lives in the card; without one it is gone.
  if (card) commands = raw->sent.size();
  return {std::move(card), commands};
}

std::vector<std::string> names(card::Card& card) {
  std::vector<std::string> all;
  for (const auto& application : card.applications())
    all.push_back(std::string(application.usable ? "+" : "-") + application.name);
  return all;
}

TEST(JacartaApplets, LaserAlone) {
  const auto seen = look(std::make_unique<Device>(common_atr, std::set<std::string>{laser}));
  ASSERT_TRUE(seen.card.ok()) << why(seen.card);
  EXPECT_EQ(names(**seen.card), std::vector<std::string>{"+JaCarta PKI (LASER)"});
  EXPECT_EQ(seen.commands, 4u) << "it stays selected, for the others are not there";
  const auto tokens =
      look(std::make_unique<Device>(common_atr, std::set<std::string>{laser}), 0, LookFor::tokens);
  EXPECT_EQ(tokens.commands, 2u);
}

TEST(JacartaApplets, AllOfThem) {
  const std::set<std::string> all{laser, pro, gost, data_store};
  auto device = std::make_unique<Device>(common_atr, all);
  auto* raw = device.get();
  const auto seen = look(std::move(device));
  ASSERT_TRUE(seen.card.ok()) << why(seen.card);
  const std::vector<std::string> expected{"+JaCarta PKI (LASER)", "+JaCarta PRO (eToken PRO Java)",
                                          "-JaCarta GOST (Cryptotoken)", "-JaCarta LT (DataStore)"};
  EXPECT_EQ(names(**seen.card), expected);
  EXPECT_EQ(raw->current, laser) << "selected again";
  EXPECT_EQ((*seen.card)->model().name, "JACARTA");
  EXPECT_TRUE((*seen.card)->model().capabilities[0].generate);
  device = std::make_unique<Device>(common_atr, all);
  raw = device.get();
  const auto second = look(std::move(device), 1);
  ASSERT_TRUE(second.card.ok()) << why(second.card);
  EXPECT_EQ(raw->current, pro);
  EXPECT_EQ((*second.card)->model().name, "JACARTA");
  EXPECT_EQ(names(**second.card), expected);
  EXPECT_EQ(look(std::make_unique<Device>(common_atr, all), 2).card.error().kind,
            ErrorKind::not_found);
}

TEST(JacartaApplets, ProAlone) {
  const auto seen = look(std::make_unique<Device>(common_atr, std::set<std::string>{pro, gost}));
  ASSERT_TRUE(seen.card.ok()) << why(seen.card);
  const std::vector<std::string> expected{"+JaCarta PRO (eToken PRO Java)",
                                          "-JaCarta GOST (Cryptotoken)"};
  EXPECT_EQ(names(**seen.card), expected);
  EXPECT_EQ(seen.commands, 5u) << "each applet once, and its own again";
  const auto tokens = look(std::make_unique<Device>(common_atr, std::set<std::string>{pro, gost}),
                           0, LookFor::tokens);
  ASSERT_TRUE(tokens.card.ok()) << why(tokens.card);
  EXPECT_EQ(tokens.commands, 2u) << "who wants tokens is not told of others";
}

TEST(JacartaApplets, GostAloneIsNamedAndNotSupported) {
  const std::set<std::string> both{gost, data_store};
  auto seen = look(std::make_unique<Device>(common_atr, both)).card;
  ASSERT_FALSE(seen.ok());
  EXPECT_EQ(seen.error().kind, ErrorKind::unsupported) << why(seen);
  EXPECT_THAT(seen.error().message(), HasSubstr("JaCarta GOST (Cryptotoken)"));
  EXPECT_THAT(seen.error().message(), HasSubstr("JaCarta LT (DataStore)"));
  seen = look(std::make_unique<Device>(common_atr, both), 0, LookFor::tokens).card;
  EXPECT_EQ(seen.error().kind, ErrorKind::unknown_card);
  // Where others have the ATR too, the limit of two commands stands.
  seen = look(std::make_unique<Device>(shared_atr, both)).card;
  EXPECT_EQ(seen.error().kind, ErrorKind::unknown_card);
}

TEST(JacartaApplets, DataStoreAloneIsNamedAndNotSupported) {
  const auto seen = look(std::make_unique<Device>(lt_atr, std::set<std::string>{data_store})).card;
  ASSERT_FALSE(seen.ok());
  EXPECT_EQ(seen.error().kind, ErrorKind::unsupported);
  EXPECT_THAT(seen.error().message(), HasSubstr("JaCarta LT (DataStore)"));
}

/// Counts what reaches a card that nobody keeps.
class Counted : public Device {
 public:
  Counted(std::size_t& count, const char* atr, std::set<std::string> applets,
          const char* laser_answer = "9000")
      : Device(atr, std::move(applets), laser_answer), count_(count) {}
  Result<Bytes> transmit(ByteView command) override {
    ++count_;
    return Device::transmit(command);
  }

 private:
  std::size_t& count_;
};

TEST(JacartaApplets, AnUnknownCardIsGivenUpAfterTwoCommands) {
  const auto commands_for = [](const char* atr, LookFor what) {
    std::size_t count = 0;
    const auto seen = card::identify(std::make_unique<Counted>(count, atr, std::set<std::string>{}),
                                     nullptr, 0, what);
    EXPECT_FALSE(seen.ok());
    EXPECT_EQ(seen.error().kind, ErrorKind::unknown_card);
    return count;
  };
  for (const char* atr : {shared_atr, relative_atr, lt_atr})
    EXPECT_LE(commands_for(atr, LookFor::everything), 2u) << atr;
  for (const char* atr : {common_atr, shared_atr, relative_atr, lt_atr})
    EXPECT_LE(commands_for(atr, LookFor::tokens), 2u) << atr;
  EXPECT_LE(commands_for(common_atr, LookFor::everything), 4u) << "JaCarta by its ATR alone";
}

TEST(JacartaApplets, SomethingElseUnderTheNameOfLaserIsNotTaken) {
  std::size_t count = 0;
  const auto seen = card::identify(
      std::make_unique<Counted>(count, shared_atr, std::set<std::string>{laser}, "01029000"),
      nullptr);
  EXPECT_EQ(seen.error().kind, ErrorKind::unknown_card);
  EXPECT_LE(count, 2u);
  const auto empty =
      look(std::make_unique<Device>(shared_atr, std::set<std::string>{laser}, "9000"));
  EXPECT_TRUE(empty.card.ok()) << "an empty answer is accepted";
}

/// Answers everything with this.
class Monotone : public Device {
 public:
  Monotone(std::size_t& count, const char* atr, const char* answer)
      : Device(atr, {}), count_(count), answer_(from_hex(answer).value()) {}
  Result<Bytes> transmit(ByteView) override {
    ++count_;
    return answer_;
  }

 private:
  std::size_t& count_;
  Bytes answer_;
};

TEST(JacartaApplets, ACardThatFailedIsNotUnknown) {
  const auto kind_for = [](const char* atr, const char* answer) {
    std::size_t count = 0;
    const auto seen =
        card::identify(std::make_unique<Monotone>(count, atr, answer), nullptr, 0, LookFor::tokens);
    EXPECT_LE(count, 2u) << answer;
    return seen.error().kind;
  };
  for (const char* atr : {common_atr, shared_atr, relative_atr}) {
    for (const char* failed : {"6F00", "6400", "6581", "1234"})
      EXPECT_EQ(kind_for(atr, failed), ErrorKind::protocol) << failed;
    for (const char* refused :
         {"6A82", "6A81", "6A86", "6999", "6985", "6982", "6700", "6D00", "6E00", "6283", "9404"})
      EXPECT_EQ(kind_for(atr, refused), ErrorKind::unknown_card) << refused;
  }
}

TEST(JacartaApplets, NorIsAnETokenThatFailed) {
  for (const auto& [answer, kind] : std::map<const char*, ErrorKind>{
           {"6F00", ErrorKind::protocol}, {"6A82", ErrorKind::unknown_card}}) {
    std::size_t count = 0;
    const auto seen = card::identify(
        std::make_unique<Monotone>(count, "3BD518008131FE7D8073C82110F4", answer), nullptr);
    EXPECT_EQ(seen.error().kind, kind) << answer;
    EXPECT_EQ(count, 1u);
  }
}

TEST(JacartaApplets, AnAppletThatAlwaysFailsDoesNotHideTheOther) {
  struct Half : Device {
    Half() : Device(common_atr, {pro}) {}
    Result<Bytes> transmit(ByteView command) override {
      auto answer = Device::transmit(command);
      return answer && *answer == Bytes{0x6A, 0x82} ? Bytes{0x6F, 0x00} : std::move(answer);
    }
  };
  const auto seen = look(std::make_unique<Half>(), 0, LookFor::tokens);
  ASSERT_TRUE(seen.card.ok()) << why(seen.card);
  EXPECT_EQ(names(**seen.card), std::vector<std::string>{"+JaCarta PRO (eToken PRO Java)"});
}

TEST(JacartaApplets, TheETokensAtrIsNotOurs) {
  for (const char* atr : {"3BD5180081 31FE7D8073C82110F4", "3BD518008131 3A7D8073C8211030"}) {
    for (const auto* driver : card::candidates(from_hex(atr).value()))
      EXPECT_STRNE(driver->name, "jacarta");
  }
}

// ---- what destroys, on a reader with a real card ---------------------------------------------

struct RealCard : ChipBench {
  explicit RealCard(const char* atr) : ChipBench("jacarta", with(atr)) { simulated = false; }
  static sim::ChipOptions with(const char* atr) {
    sim::ChipOptions options;
    options.seed = 7;
    options.atr = from_hex(atr).value();
    return options;
  }
};

TEST(JacartaGuard, ARelativeIsErasedOnlyWithLeave) {
  for (const char* atr : {relative_atr, shared_atr}) {
    RealCard bench(atr);
    auto card = card::identify(std::make_unique<ChipTransport>(bench), nullptr);
    ASSERT_TRUE(card.ok()) << why(card);
    const auto logged_in = (*card)->login(Role::user, secret(jacarta_user_pin));
    ASSERT_TRUE(logged_in.ok()) << why(logged_in);
    const auto made = (*card)->generate(key_request("1"));
    ASSERT_TRUE(made.ok()) << "what destroys nothing is not kept back: " << why(made);
    const auto spared = (*card)->initialise("new", secret("99999999"));
    EXPECT_EQ(spared.error().kind, ErrorKind::refused) << "before a try is spent: " << why(spared);
    EXPECT_EQ((*card)->pin_status(Role::security_officer)->tries_left, 10);
    const auto refused = (*card)->initialise("new", secret(jacarta_officer_pin));
    ASSERT_FALSE(refused.ok()) << atr;
    EXPECT_EQ(refused.error().kind, ErrorKind::refused) << why(refused);
    EXPECT_EQ(refused.error().message().find("erased in part"), std::string::npos);
    EXPECT_EQ((*card)->list()->keys.size(), 1u);
    EXPECT_TRUE((*card)->login(Role::user, secret(jacarta_user_pin)).ok());
    (*card)->link().set_permissions({false, true});
    const auto allowed = (*card)->initialise("new", secret(jacarta_officer_pin));
    ASSERT_TRUE(allowed.ok()) << why(allowed);
    EXPECT_TRUE((*card)->list()->keys.empty());
  }
}

TEST(JacartaGuard, JacartaItselfNeedsNone) {
  RealCard bench(common_atr);
  auto card = card::identify(std::make_unique<ChipTransport>(bench), nullptr);
  ASSERT_TRUE(card.ok()) << why(card);
  const auto done = (*card)->initialise("new", secret(jacarta_officer_pin));
  EXPECT_TRUE(done.ok()) << why(done);
}

TEST(JacartaGuard, NoCommandCountsAsKnownBetterThanItsCard) {
  const auto evidence = [](const char* atr) {
    return card::jacarta::evidence_of(from_hex(atr).value());
  };
  EXPECT_EQ(evidence(common_atr), card::Evidence::published);
  const char* const others[] = {shared_atr,
                                relative_atr,
                                "3B6C00FF8073C821136601061159 0001",
                                "3BD518FF8091FE1FC38073C8211000",
                                "3B9A008131FE45546963546F6B20312E3000",
                                ""};
  for (const char* atr : others)
    EXPECT_EQ(evidence(atr), card::Evidence::related) << atr;
}

TEST(JacartaCombined, TwoTokensOfOneDeviceInTurn) {
  ChipBench bench("jacarta-combined", [] {
    sim::ChipOptions options;
    options.seed = 7;
    return options;
  }());
  auto pki = card::identify(std::make_unique<ChipTransport>(bench), nullptr, 0);
  auto other = card::identify(std::make_unique<ChipTransport>(bench), nullptr, 1);
  ASSERT_TRUE(pki.ok()) << why(pki);
  ASSERT_TRUE(other.ok()) << why(other);
  EXPECT_GE((*pki)->applications().size(), 2u);
  EXPECT_EQ(names(**pki), names(**other));
  const Bytes text(51, 0x31);
  for (int round = 0; round < 2; ++round) {
    auto status = (*pki)->login(Role::user, secret(jacarta_user_pin));
    ASSERT_TRUE(status.ok()) << why(status);
    const auto pair = (*pki)->generate(key_request("K" + std::to_string(round), 1024));
    ASSERT_TRUE(pair.ok()) << why(pair);
    EXPECT_TRUE(is_signature(pair->public_key, text,
                             (*pki)->sign(pair->private_key, card::Scheme::rsa_pkcs1, text)));
    status = (*other)->login(Role::user, secret(jacarta_user_pin));
    ASSERT_TRUE(status.ok()) << why(status);
    EXPECT_TRUE((*other)->list().ok());
    // The other applet was selected: that login is gone, and nothing else.
    EXPECT_EQ((*pki)->sign(pair->private_key, card::Scheme::rsa_pkcs1, text).error().kind,
              ErrorKind::not_logged_in);
    EXPECT_EQ((*pki)->list()->keys.size(), static_cast<std::size_t>(round + 1));
  }
}

TEST(JacartaPro, IsATokenOfTheETokensKind) {
  ChipBench bench("jacarta-pro", [] {
    sim::ChipOptions options;
    options.seed = 7;
    return options;
  }());
  auto card = card::identify(std::make_unique<ChipTransport>(bench), nullptr);
  ASSERT_TRUE(card.ok()) << why(card);
  EXPECT_EQ((*card)->model().name, "JACARTA");
  EXPECT_EQ((*card)->model().store_name, "AKJaCartaStore");
  ASSERT_FALSE((*card)->applications().empty());
  EXPECT_TRUE((*card)->applications()[0].usable);
  const auto status = (*card)->login(Role::user, secret(jacarta_user_pin));
  EXPECT_TRUE(status.ok()) << why(status);
  EXPECT_TRUE((*card)->list().ok());
}

}  // namespace
}  // namespace kilt::test
