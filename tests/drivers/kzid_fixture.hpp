// SPDX-License-Identifier: Apache-2.0
// A national ID card in a test: the driver on the simulated chip, with side files of its own.
#pragma once

#include <algorithm>
#include <cstdlib>

#include "drivers/kzid_card.hpp"
#include "drivers/rsa_check.hpp"
#include "drivers/rsa_padding.hpp"
#include "tests/drivers/kaztoken_fixture.hpp"
#include "tests/openssl.hpp"

namespace kilt::test {

inline constexpr const char* id_pin = "1234";
inline constexpr const char* id_puk = "87654321";

class Kzid : public ::testing::Test {
 protected:
  static constexpr const char* its_user_pin = id_pin;
  static constexpr std::size_t its_key_bits = 2048;

  explicit Kzid(const char* profile = "kzid", sim::ChipOptions options = with_seed())
      : bench(profile, std::move(options)) {
    ::setenv("XDG_DATA_HOME", directory.file("data").c_str(), 1);
    connect();
  }
  static sim::ChipOptions with_seed() {
    sim::ChipOptions made;
    made.seed = 7;
    return made;
  }
  std::unique_ptr<card::Card> another() {
    auto made = card::identify(std::make_unique<ChipTransport>(bench), nullptr);
    EXPECT_TRUE(made.ok()) << why(made);
    return made ? std::move(*made) : nullptr;
  }
  void connect() {
    card.reset();
    card = another();
  }
  /// Power off and on, as when the card is pulled and put in again.
  void reinsert() {
    bench.pull_at = 0;
    bench.nvram.before_write = nullptr;
    bench.insert();
    connect();
  }
  void login(const char* pin = id_pin) {
    const auto status = card->login(card::Role::user, secret(pin));
    ASSERT_TRUE(status.ok()) << why(status);
  }
  card::KeyPair generate(std::string_view id, const char* label = "AUTH") {
    auto pair = card->generate(key_request(id, 2048, label));
    EXPECT_TRUE(pair.ok()) << why(pair);
    return pair ? *pair : card::KeyPair{};
  }
  card::Directory list() {
    auto found = card->list();
    EXPECT_TRUE(found.ok()) << why(found);
    return found ? *found : card::Directory{};
  }
  /// APDUs since the last call, as the wire sees them.
  std::uint64_t spent() { return std::exchange(bench.exchanges, 0); }

  /// A command behind the driver's back; its answer's status word.
  std::string raw(std::string_view command) {
    const auto answer = to_hex(bench.chip->transmit(from_hex(command).value()).bytes);
    return answer.substr(answer.size() - 4);
  }

  static bool fits(const card::PublicKey& key, ByteView text, const Result<Bytes>& signature) {
    EXPECT_TRUE(signature.ok()) << why(signature);
    const auto block = card::pkcs1_type1_pad(text, key.modulus.size());
    return signature && block && card::is_private_power(key, *block, *signature);
  }

  TemporaryDirectory directory;
  ChipBench bench;
  std::unique_ptr<card::Card> card;
};

}  // namespace kilt::test
