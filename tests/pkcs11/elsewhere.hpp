// SPDX-License-Identifier: Apache-2.0
// Another program on a card that the module uses.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "drivers/registry.hpp"
#include "tests/pkcs11/bench.hpp"

namespace kilt::test {

/// The connection of another process to the card that is in.
class Elsewhere : public apdu::Transport {
 public:
  Elsewhere(Bench& bench, BenchCard& card) : bench_(bench), card_(card), atr_(card.chip->atr()) {}
  [[nodiscard]] const std::string& reader() const override { return name_; }
  [[nodiscard]] ByteView atr() const override { return atr_; }
  [[nodiscard]] apdu::Protocol protocol() const override {
    return card_.profile.protocol == sim::Protocol::t0 ? apdu::Protocol::t0 : apdu::Protocol::t1;
  }
  [[nodiscard]] apdu::Limits limits() const override {
    return {card_.profile.max_command, card_.profile.max_response, card_.profile.extended};
  }
  [[nodiscard]] bool is_simulated() const override { return true; }
  Result<Bytes> transmit(ByteView command) override {
    const std::lock_guard lock(bench_.mutex);
    return card_.chip->transmit(command).bytes;
  }
  Status reset() override { return {}; }
  Result<std::uint64_t> begin() override { return card_.epoch; }
  void end() override {}
  void set_leave(apdu::Leave) override {}
  void abandon() override {}

 private:
  Bench& bench_;
  BenchCard& card_;
  Bytes atr_;
  std::string name_ = "elsewhere";
};

/// Another process's driver, logged in; null when that failed.
inline std::unique_ptr<card::Card> somebody_else(Bench& bench, BenchCard& card,
                                                 const std::string& pin) {
  auto other = card::identify(std::make_unique<Elsewhere>(bench, card), nullptr);
  if (!other || !(*other)->login(card::Role::user, SecretBytes::copy_of(as_bytes(pin))).ok())
    return nullptr;
  return *std::move(other);
}

}  // namespace kilt::test
