// SPDX-License-Identifier: Apache-2.0
// A card that came by three files and one word, in use. The test knows its name from CMake only.
#include <algorithm>
#include <sstream>

#include "drivers/certificate.hpp"
#include "drivers/rsa_padding.hpp"
#include "tests/drivers/chip_transport.hpp"
#include "tests/drivers/kaztoken_fixture.hpp"
#include "tests/openssl.hpp"

namespace kilt::test {
namespace {

using card::Role;
using card::Scheme;

constexpr const char* name = KILT_NEW_CARD;

sim::ChipOptions options(bool blank) {
  sim::ChipOptions made;
  made.seed = 7;
  made.blank = blank;
  return made;
}

class NewCard : public ::testing::Test {
 protected:
  explicit NewCard(bool blank = false, bool simulated = true) : bench(name, options(blank)) {
    bench.simulated = simulated;
    auto made = card::identify(std::make_unique<ChipTransport>(bench), nullptr);
    if (made) card = std::move(*made);
  }
  void SetUp() override { ASSERT_NE(card, nullptr); }
  [[nodiscard]] SecretBytes factory_pin() const { return secret(card->model().factory.user_pin); }
  card::KeyInfo only_key() {
    auto found = card->list();
    EXPECT_TRUE(found.ok() && found->keys.size() == 1) << why(found);
    return found && !found->keys.empty() ? found->keys.front() : card::KeyInfo{};
  }
  std::uint64_t spent() { return std::exchange(bench.exchanges, 0); }

  ChipBench bench;
  std::unique_ptr<card::Card> card;
};

class BlankNewCard : public NewCard {
 protected:
  BlankNewCard() : NewCard(true) {}
};

class RealNewCard : public NewCard {
 protected:
  RealNewCard() : NewCard(false, false) {}
};

std::vector<std::string> split(const std::string& text, char at) {
  std::vector<std::string> parts;
  std::istringstream in(text);
  for (std::string part; std::getline(in, part, at);)
    parts.push_back(part);
  return parts;
}

// ---- what follows from the name --------------------------------------------------------------

TEST_F(NewCard, IsTheLastInTheListOfDrivers) {
  auto expected = split(KILT_OTHER_DRIVERS, ' ');
  expected.emplace_back(name);
  std::vector<std::string> listed;
  for (const auto* driver : card::drivers())
    listed.emplace_back(driver->name);
  EXPECT_EQ(listed, expected);
}

TEST_F(NewCard, IsFoundByTheAtrOfItsSimulatedCard) {
  const auto found = card::candidates(bench.chip->atr());
  ASSERT_EQ(found.size(), 1u);
  EXPECT_STREQ(found.front()->name, name);
  EXPECT_EQ(card->model().name, found.front()->model().name);
}

TEST_F(NewCard, TakesNoCardFromAnotherDriver) {
  for (const auto* profile : sim::profiles()) {
    if (profile->name == std::string(name)) continue;
    sim::Nvram nvram;
    const auto chip = profile->make(nvram, options(true));
    for (const auto* driver : card::candidates(chip->atr()))
      EXPECT_STRNE(driver->name, name) << profile->name;
  }
}

TEST_F(NewCard, HasItsRowsInTheTableOfEvidence) {
  const auto rows = split(card::evidence_table(), '\n');
  const auto* driver = card::drivers().back();
  const auto commands = driver->commands();
  ASSERT_GT(rows.size(), commands.size());
  for (std::size_t i = 0; i < commands.size(); ++i) {
    const auto& command = commands[i];
    EXPECT_EQ(rows[rows.size() - commands.size() + i],
              std::string("| ") + name + " | " + command.operation + " | " +
                  to_string(command.evidence) + " | " + command.source + " |");
  }
}

// ---- the card in use -------------------------------------------------------------------------

TEST_F(NewCard, SignsWhatOpenSslVerifies) {
  const auto login = card->login(Role::user, factory_pin());
  ASSERT_TRUE(login.ok()) << why(login);
  const auto key = only_key();
  const Bytes digest(32, 0x5A);
  const auto signature =
      card->sign(key, Scheme::rsa_pkcs1, card::digest_info(card::Digest::sha256, digest));
  ASSERT_TRUE(signature.ok()) << why(signature);
  const auto public_key = card->read_public_key(key.ref);
  ASSERT_TRUE(public_key.ok()) << why(public_key);

  const TemporaryDirectory files;
  const std::string verify =
      "openssl pkeyutl -verify -pubin -keyform DER -pkeyopt digest:sha256 -inkey " +
      files.write("public.der", card::subject_public_key_info(*public_key)) + " -sigfile " +
      files.write("signature", *signature) + " -in ";
  const auto right = run(verify + files.write("digest", digest));
  EXPECT_EQ(right.status, 0) << right.output;
  EXPECT_NE(run(verify + files.write("other", Bytes(32, 0x5B))).status, 0);
}

TEST_F(NewCard, KeepsItsKeyAndSerialOverPowerCycles) {
  const auto serial = card->serial();
  ASSERT_TRUE(serial.ok()) << why(serial);
  EXPECT_EQ(*serial, bench.chip->serial());
  const auto before = card->read_public_key(only_key().ref);
  ASSERT_TRUE(before.ok()) << why(before);
  bench.insert();
  card->forget_state();
  card->forget_objects();
  const auto after = card->read_public_key(only_key().ref);
  ASSERT_TRUE(after.ok()) << why(after);
  EXPECT_EQ(*after, *before);
}

TEST_F(NewCard, NeedsALoginThatEndsWithItsLogoutAndWithAReset) {
  const auto key = only_key();
  const auto signing = [&] { return card->sign(key, Scheme::rsa_pkcs1, Bytes(20)); };
  EXPECT_EQ(signing().error().kind, ErrorKind::not_logged_in);
  ASSERT_TRUE(card->login(Role::user, factory_pin()).ok());
  EXPECT_TRUE(signing().ok());
  ASSERT_TRUE(card->logout().ok());
  EXPECT_EQ(signing().error().kind, ErrorKind::not_logged_in);
  ASSERT_TRUE(card->login(Role::user, factory_pin()).ok());
  bench.chip->reset();
  EXPECT_EQ(signing().error().kind, ErrorKind::not_logged_in);
}

TEST_F(NewCard, AWrongPinCostsOneTryAndTheLastOneBlocks) {
  const auto tries = card->pin_status(Role::user);
  ASSERT_TRUE(tries.ok() && tries->tries_left) << why(tries);
  ASSERT_EQ(tries->tries_left, tries->tries_max);
  for (int left = *tries->tries_left - 1; left > 0; --left) {
    const auto wrong = card->login(Role::user, secret("99999999"));
    ASSERT_EQ(wrong.error().kind, ErrorKind::pin_incorrect);
    EXPECT_EQ(wrong.error().tries_left, left);
  }
  EXPECT_EQ(card->login(Role::user, secret("99999999")).error().kind, ErrorKind::pin_blocked);
  EXPECT_EQ(card->login(Role::user, factory_pin()).error().kind, ErrorKind::pin_blocked);
  const auto blocked = card->pin_status(Role::user);
  ASSERT_TRUE(blocked.ok()) << why(blocked);
  EXPECT_TRUE(blocked->blocked);
  EXPECT_EQ(blocked->tries_left, 0);
}

TEST_F(NewCard, SendsNoPinOfAWrongLength) {
  spent();
  EXPECT_EQ(card->login(Role::user, secret("1")).error().kind, ErrorKind::pin_length);
  EXPECT_EQ(card->login(Role::user, secret("1234567890123")).error().kind, ErrorKind::pin_length);
  EXPECT_EQ(spent(), 0u);
}

template <class T>
void expect_unsupported(const Result<T>& result) {
  ASSERT_FALSE(result.ok());
  EXPECT_EQ(result.error().kind, ErrorKind::unsupported) << why(result);
}

TEST_F(NewCard, RefusesEverythingElseWithoutACommand) {
  const auto key = only_key();
  const card::ObjectRef data{card::ObjectClass::data, 1};
  spent();
  expect_unsupported(card->login(Role::security_officer, factory_pin()));
  expect_unsupported(card->pin_status(Role::security_officer));
  expect_unsupported(card->change_pin(Role::user, factory_pin(), secret("4321")));
  expect_unsupported(card->set_user_pin(secret("4321")));
  expect_unsupported(card->read_certificate({card::ObjectClass::certificate, 1}));
  expect_unsupported(card->read_data(data));
  expect_unsupported(card->generate(key_request("1", 2048)));
  expect_unsupported(card->import_private_key({}, {}));
  expect_unsupported(card->store_public_key({}, {}));
  expect_unsupported(card->install_certificate({}, {}));
  expect_unsupported(card->store_data({}, {}));
  expect_unsupported(card->change_attributes(key.ref, {}));
  expect_unsupported(card->delete_object(key.ref));
  expect_unsupported(card->sign(key, Scheme::rsa_raw, Bytes(256)));
  expect_unsupported(card->decrypt(key, Scheme::rsa_raw, Bytes(256)));
  expect_unsupported(card->initialise("label", secret("87654321")));
  expect_unsupported(card->random(8));
  EXPECT_EQ(spent(), 0u);
}

TEST_F(BlankNewCard, HasNoKey) {
  const auto found = card->list();
  ASSERT_TRUE(found.ok()) << why(found);
  EXPECT_TRUE(found->keys.empty() && found->public_keys.empty());
}

TEST_F(RealNewCard, IsSpokenToInPublishedCommandsOnly) {
  std::vector<Bytes> sent;
  bench.watch = [&](ByteView command, ByteView) { sent.push_back(copy_of(command)); };
  const auto status = card->pin_status(Role::user);
  ASSERT_TRUE(status.ok()) << why(status);
  EXPECT_EQ(status->tries_left, std::nullopt) << "the question is a guess";
  ASSERT_TRUE(card->login(Role::user, factory_pin()).ok());
  const auto signature = card->sign(only_key(), Scheme::rsa_pkcs1, Bytes(20));
  EXPECT_TRUE(signature.ok()) << why(signature);
  const Bytes guess = from_hex("00 20 00 01").value();
  EXPECT_EQ(std::count(sent.begin(), sent.end(), guess), 0);
  EXPECT_GT(sent.size(), 3u);
}

}  // namespace
}  // namespace kilt::test
