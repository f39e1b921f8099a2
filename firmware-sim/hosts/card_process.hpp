// SPDX-License-Identifier: Apache-2.0
// A card in a process of its own. A long computation (or --timing real) holds up nobody else, and
// a fault that kills the card at an NVRAM write kills only the card: its reader finds itself empty.
#pragma once

#include <sys/types.h>

#include <memory>
#include <string>

#include "firmware-sim/chip.hpp"
#include "firmware-sim/hosts/stream.hpp"

namespace kilt::sim {

struct CardSpec {
  const Profile* profile = nullptr;
  ChipOptions options{};
  std::string state;          ///< journal file; empty: in memory, forgotten with the process
  std::string fresh_state{};  ///< where insert_fresh() keeps its cards: this path and a number
  std::string faults{};       ///< SPEC of firmware-sim/faults.hpp, armed once the card is made
  bool real_time = false;     ///< sleep as long as the real card would take
};

/// Codes of the answers to the reader. The first five are those of the socket protocol.
enum class Code : std::uint8_t {
  done = 0,
  no_card = 1,
  mute = 2,
  not_understood = 3,
  failed = 4,  ///< payload: why, as text
};

/// What the reader asks of the card's process.
enum class CardRequest : std::uint8_t {
  power_on = 'P',
  power_off = 'O',
  reset = 'R',
  transmit = 'T',
  fault = 'F',  ///< payload: SPEC
};

/// What the process says once the card runs.
struct CardFacts {
  Bytes atr{};
  Protocol protocol = Protocol::t1;
  std::string serial;
};

/// What a card's process has done so far.
struct CardMeters {
  std::uint32_t nvram_writes = 0;
  std::uint32_t busy_ms = 0;  ///< that the real card would have computed, whatever --timing says
  bool is_private = false;    ///< what the last command read or wrote; see Chip::is_private
};

class CardProcess {
 public:
  using Done = std::function<void(Code code, Bytes payload, CardMeters meters)>;

  /// Starts the process; `ready` hears once whether the card runs. An early death is an error, too.
  CardProcess(Loop& loop, const CardSpec& spec, std::function<void(Result<CardFacts>)> ready);
  /// Ends the process, whatever it does at the moment, as pulling a card does; reaps it.
  ~CardProcess();
  CardProcess(const CardProcess&) = delete;
  CardProcess& operator=(const CardProcess&) = delete;

  /// One request at a time. `done` is not called once the card died.
  void ask(CardRequest request, ByteView payload, Done done);
  /// The process ended by itself, for example by a kill fault.
  std::function<void()> on_death;
  /// Nobody wants to hear of this card any more: what it still says is not passed on.
  void hush();

 private:
  void hear(const Message& message);
  void hear_ready(const Message& message);
  void died();

  pid_t pid_ = -1;
  std::unique_ptr<Stream> link_;
  std::function<void(Result<CardFacts>)> ready_;
  Done done_;
};

/// The card's side: runs in the forked process until `fd` closes. Never returns.
[[noreturn]] void serve_card(int fd, const CardSpec& spec);

}  // namespace kilt::sim
