// SPDX-License-Identifier: Apache-2.0
// An eToken PRO 72K in a test: the driver on the simulated chip.
#pragma once

#include <gtest/gtest.h>

#include <cstdlib>

#include "drivers/rsa_check.hpp"
#include "drivers/rsa_padding.hpp"
#include "tests/drivers/kaztoken_fixture.hpp"  // what tests of every card use
#include "tests/openssl.hpp"

namespace kilt::test {

inline constexpr const char* etoken_user_pin = "1234567890";
inline constexpr const char* etoken_officer_pin = "00000000";

inline bool verifies(const card::PublicKey& key, ByteView text, const Result<Bytes>& signature) {
  EXPECT_TRUE(signature.ok()) << why(signature);
  const auto block = card::pkcs1_type1_pad(text, key.modulus.size());
  return signature && block && card::is_private_power(key, *block, *signature);
}

/// What is noted of wrong PINs goes to a directory of the test's own. Before any card is made.
class OwnNotes {
 public:
  OwnNotes() { ::setenv("XDG_DATA_HOME", directory_.file("data").c_str(), 1); }

 private:
  TemporaryDirectory directory_;
};

class Etoken : public ::testing::Test {
 protected:
  static constexpr const char* its_user_pin = etoken_user_pin;
  static constexpr std::size_t its_key_bits = 1024;

  explicit Etoken(const char* profile = "etoken72k", bool blank = false)
      : bench(profile, options(blank)) {
    connect();
  }
  static sim::ChipOptions options(bool blank) {
    sim::ChipOptions made;
    made.seed = 7;
    made.blank = blank;
    return made;
  }
  /// Another program's view of the token.
  std::unique_ptr<card::Card> another() {
    auto made = card::identify(std::make_unique<ChipTransport>(bench), nullptr);
    EXPECT_TRUE(made.ok()) << why(made);
    return made ? std::move(*made) : nullptr;
  }
  void connect() {
    card.reset();
    card = another();
    ASSERT_NE(card, nullptr);
  }
  /// Power off and on, as when the token is pulled and put in again.
  void reinsert() {
    bench.pull_at = 0;
    bench.nvram.before_write = nullptr;
    bench.insert();
    connect();
  }
  void login(const char* pin = etoken_user_pin) {
    const auto status = card->login(card::Role::user, secret(pin));
    ASSERT_TRUE(status.ok()) << why(status);
  }
  void officer() {
    const auto status = card->login(card::Role::security_officer, secret(etoken_officer_pin));
    ASSERT_TRUE(status.ok()) << why(status);
  }
  card::KeyPair generate(std::string_view id, std::size_t bits = 1024, const char* label = "AUTH") {
    auto pair = card->generate(key_request(id, bits, label));
    EXPECT_TRUE(pair.ok()) << why(pair);
    return pair ? *pair : card::KeyPair{};
  }
  card::Directory list() {
    auto found = card->list();
    EXPECT_TRUE(found.ok()) << why(found);
    return found ? *found : card::Directory{};
  }
  /// APDUs since the last call.
  std::uint64_t spent() { return std::exchange(bench.exchanges, 0); }

  OwnNotes notes;
  ChipBench bench;
  std::unique_ptr<card::Card> card;
};

}  // namespace kilt::test
