// SPDX-License-Identifier: Apache-2.0
// From bytes on the wire to a typed command and back, for every card: the encodings of ISO 7816-4,
// T=0 with 61xx and GET RESPONSE, power and reset, virtual time. What the commands do is the
// profile's CommandSet.
#pragma once

#include <memory>

#include "apdu/command.hpp"
#include "firmware-sim/chip.hpp"
#include "firmware-sim/identity.hpp"

namespace kilt::sim {

/// What a command takes on the real chip, added up while it runs. Virtual: nobody sleeps here.
class Stopwatch {
 public:
  void spend(std::chrono::microseconds time) { spent_ += time; }
  std::chrono::microseconds take() { return std::exchange(spent_, std::chrono::microseconds{0}); }

 private:
  std::chrono::microseconds spent_{0};
};

/// A command as the card's operating system sees it. `ne` is what the host asked for: under T=0
/// it is empty for a command with data (the answer is fetched with GET RESPONSE) and for P3 = 00,
/// which may mean "no data" as well as 256.
struct Command {
  std::uint8_t cla, ins, p1, p2;
  Bytes data;
  std::optional<std::size_t> ne;

  [[nodiscard]] std::uint16_t p1_p2() const { return be16(p1, p2); }
  [[nodiscard]] bool chained() const { return (cla & apdu::cla::chaining) != 0; }
};

struct Reply {
  apdu::StatusWord status = apdu::sw::ok;
  Bytes data{};
  /// When the host asked for fewer bytes: true = 6Cxx and nothing else happened; so it may only
  /// be set by commands that change nothing.
  bool repeatable = false;
  /// T=1: sent whole even where it is longer than the host asked for.
  bool beyond_ne = false;

  Reply() = default;
  Reply(apdu::StatusWord only) : status(only) {}    // NOLINT(google-explicit-constructor)
  Reply(Bytes answer) : data(std::move(answer)) {}  // NOLINT(google-explicit-constructor)
};

/// A card operating system: everything behind the transport protocol.
class CommandSet {
 public:
  virtual ~CommandSet() = default;
  virtual Reply execute(const Command& command) = 0;
  /// Volatile state is lost: reset or power-off. Also called once at power-on.
  virtual void forget() = 0;
  /// Whether a command of this instruction, were it sent now, reads or writes the content of a file
  /// that not everybody may read.
  [[nodiscard]] virtual bool is_private(std::uint8_t) const { return false; }
  /// Whether T=0 is spoken: there a command whose answer cannot be seen may be refused.
  bool over_t0 = false;
  /// Whether the card understands APDUs of extended length (over T=1; 6700 otherwise).
  bool extended_length = false;
};

class CardRuntime : public Chip {
 public:
  CardRuntime(Identity identity, Protocol protocol, std::unique_ptr<CommandSet> commands,
              std::shared_ptr<Stopwatch> stopwatch);
  [[nodiscard]] Bytes atr() const override { return identity_.atr; }
  [[nodiscard]] Protocol protocol() const override { return protocol_; }
  void power_on() override;
  void power_off() override;
  void reset() override;
  Answer transmit(ByteView command) override;
  [[nodiscard]] bool is_private(ByteView command) const override {
    return command.size() > 1 && commands_->is_private(command[1]);
  }
  [[nodiscard]] std::string serial() const override { return identity_.serial; }

 private:
  Bytes answer_t1(ByteView wire);
  Bytes answer_t0(ByteView wire);
  Bytes get_response(std::size_t wanted);
  Bytes hold_back(Bytes data);
  Reply run(const Command& command);

  Identity identity_;
  Protocol protocol_;
  std::unique_ptr<CommandSet> commands_;
  std::shared_ptr<Stopwatch> stopwatch_;
  bool powered_ = false;
  Bytes pending_;  ///< T=0: what GET RESPONSE will fetch
};

}  // namespace kilt::sim
