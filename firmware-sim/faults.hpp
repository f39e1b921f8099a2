// SPDX-License-Identifier: Apache-2.0
// Scripted misfortune: the card is pulled, goes mute, answers nonsense, loses power in the middle
// of a write. Wrapped around any Chip; the host asks the wrapper instead of the chip.
//
//   SPEC    = FAULT *( "," FAULT )
//   FAULT   = ACTION "@apdu:" N [ ":" ARG ]          the N-th command since the plan was armed
//           | ACTION "@ins:" HH ":" N [ ":" ARG ]    the N-th command with instruction byte HH
//           | WRITE "@nvram:" N                      the N-th NVRAM write since then
//   ACTION  = "remove"          pulled before the command reaches the card
//           | "remove-after"    pulled after the card did it, before its answer is read
//           | "mute"            no answer; the command was not executed
//           | "slow" ":" MS     the answer comes MS milliseconds late, in real time
//           | "sw" ":" HHHH     not executed, this status word instead
//           | "truncate" [ ":" BYTES ]   executed, the answer cut to BYTES (default 1)
//           | "oversize"        executed, the answer's data grown beyond any short APDU
//           | "garbage"         executed, every byte of the answer replaced, status word too
//   WRITE   = "kill"            SIGKILL to this process before the write
//           | "kill-after"      SIGKILL after it
//           | "tear"            power cut before it: the card is gone, what was written stays
//
// N is decimal from 1. Each fault strikes once. Where several strike at one command, the first of
// the list wins.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "firmware-sim/chip.hpp"

namespace kilt::sim {

struct Fault {
  enum class Action {
    remove,
    remove_after,
    mute,
    slow,
    status,
    truncate,
    oversize,
    garbage,
    kill,
    kill_after,
    tear
  };
  enum class Trigger { apdu, ins, nvram };
  Action action;
  Trigger trigger;
  std::uint8_t ins = 0;
  std::uint64_t n = 1;
  std::uint32_t argument = 0;
  bool done = false;
};

struct FaultPlan {
  std::vector<Fault> faults;
  /// bad_argument names the part that was not understood. An empty text is an empty plan.
  static Result<FaultPlan> parse(std::string_view spec);
};

/// What became of one command.
struct Outcome {
  enum class Kind {
    answered,
    mute,     ///< the card is in the reader and powered, but says nothing
    removed,  ///< the card is out (and powered off): the host must treat it as pulled
  };
  Kind kind = Kind::answered;
  Answer answer{};
  std::chrono::milliseconds delay{0};  ///< to be slept in real time, whatever --timing says
};

/// Not thread-safe, like the chip. `nvram` must be the one that the chip runs on; its hooks belong
/// to this object as long as it lives.
class FaultyChip {
 public:
  FaultyChip(Chip& chip, Nvram& nvram);
  ~FaultyChip();
  FaultyChip(const FaultyChip&) = delete;
  FaultyChip& operator=(const FaultyChip&) = delete;

  /// Replaces the plan and counts from one again.
  void arm(FaultPlan plan);
  Outcome transmit(ByteView command);

 private:
  Fault* striking(std::uint8_t ins);
  Outcome disturbed(const Fault& fault, ByteView command);
  void at_write(bool before);

  Chip& chip_;
  Nvram& nvram_;
  FaultPlan plan_;
  std::uint64_t commands_ = 0;
  std::vector<std::uint64_t> per_ins_;
  std::uint64_t writes_at_arming_ = 0;
};

}  // namespace kilt::sim
