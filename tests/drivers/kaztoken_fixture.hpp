// SPDX-License-Identifier: Apache-2.0
// A Kaztoken in a test: the driver on the simulated chip.
#pragma once

#include <gtest/gtest.h>

#include <utility>

#include "drivers/certificate.hpp"
#include "drivers/registry.hpp"
#include "tests/drivers/chip_transport.hpp"

namespace kilt::test {

inline constexpr const char* user_pin = "12345678";
inline constexpr const char* officer_pin = "87654321";

inline SecretBytes secret(std::string_view text) {
  return SecretBytes::copy_of(as_bytes(text));
}

template <class T>
std::string why(const Result<T>& result) {
  return result ? "ok"
                : std::string(to_string(result.error().kind)) + ": " + result.error().message();
}

inline card::KeyUsage sign_and_decrypt() {
  card::KeyUsage usage;
  usage.sign = usage.decrypt = true;
  return usage;
}

inline card::GenerateRequest key_request(std::string_view id, std::size_t bits = 1024,
                                         const char* label = "AUTH") {
  card::GenerateRequest request;
  request.bits = bits;
  request.id = copy_of(as_bytes(id));
  request.private_label = request.public_label = label;
  request.usage = sign_and_decrypt();
  return request;
}

/// A certificate of the right shape for a key; nobody signed it. Filled up to `size` bytes.
Bytes certificate_for(const card::PublicKey& key, const std::string& name, std::size_t size = 0);

class Kaztoken : public ::testing::Test {
 protected:
  static constexpr const char* its_user_pin = user_pin;
  static constexpr std::size_t its_key_bits = 1024;

  explicit Kaztoken(const char* profile = "kaztoken", bool blank = false)
      : bench(profile, options(blank)) {
    connect();
  }
  static sim::ChipOptions options(bool blank) {
    sim::ChipOptions made;
    made.seed = 7;
    made.blank = blank;
    return made;
  }
  void connect() {
    card.reset();
    auto made = card::identify(std::make_unique<ChipTransport>(bench), nullptr);
    ASSERT_TRUE(made.ok()) << why(made);
    card = std::move(*made);
  }
  /// Power off and on, as when the card is pulled and put in again.
  void reinsert() {
    bench.pull_at = 0;
    bench.nvram.before_write = nullptr;
    bench.insert();
    connect();
  }
  void login() {
    const auto status = card->login(card::Role::user, secret(user_pin));
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

  ChipBench bench;
  std::unique_ptr<card::Card> card;
};

}  // namespace kilt::test
