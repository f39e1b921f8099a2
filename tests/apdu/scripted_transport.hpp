// SPDX-License-Identifier: Apache-2.0
// A transport whose card is a function: for tests that need answers no well-behaved card gives.
#pragma once

#include <deque>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "apdu/transport/transport.hpp"

namespace kilt::test {

class ScriptedTransport : public apdu::Transport {
 public:
  using Card = std::function<Result<Bytes>(ByteView command)>;

  explicit ScriptedTransport(Card card) : card_(std::move(card)) {}
  /// Answers in order, as hex; after the last one every command fails as on a removed card.
  explicit ScriptedTransport(std::vector<std::string> answers)
      : card_([left = std::deque<std::string>(answers.begin(), answers.end())](
                  ByteView) mutable -> Result<Bytes> {
          if (left.empty()) return Error{ErrorKind::removed, "the script is over"};
          auto answer = from_hex(left.front());
          left.pop_front();
          return answer.value();
        }) {}

  [[nodiscard]] const std::string& reader() const override { return reader_; }
  [[nodiscard]] ByteView atr() const override { return {}; }
  [[nodiscard]] apdu::Protocol protocol() const override { return spoken; }
  [[nodiscard]] apdu::Limits limits() const override { return reader_limits; }
  [[nodiscard]] bool is_simulated() const override { return true; }
  Result<Bytes> transmit(ByteView command) override {
    sent.push_back(to_hex(command));
    return card_(command);
  }
  Status reset() override { return {}; }
  Result<std::uint64_t> begin() override { return std::uint64_t{1}; }
  void end() override {}
  void set_leave(apdu::Leave) override {}
  void abandon() override {}

  apdu::Protocol spoken = apdu::Protocol::t1;
  apdu::Limits reader_limits;
  std::vector<std::string> sent;

 private:
  std::string reader_ = "scripted";
  Card card_;
};

}  // namespace kilt::test
