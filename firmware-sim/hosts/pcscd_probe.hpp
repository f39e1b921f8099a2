// SPDX-License-Identifier: Apache-2.0
// Asks a pcscd how many cards it shows, without libpcsclite: from inside the loop, because its
// readers can only answer it while the loop runs.
#pragma once

#include <string>

#include "apdu/bytes.hpp"
#include "firmware-sim/hosts/loop.hpp"
#include "firmware-sim/hosts/unique_fd.hpp"

namespace kilt::sim {

/// Speaks the start of pcsc-lite's client protocol 4.4 (winscard_msg.h): version, readers' state.
class PcscdProbe {
 public:
  PcscdProbe(Loop& loop, const std::string& socket);
  ~PcscdProbe();
  PcscdProbe(const PcscdProbe&) = delete;
  PcscdProbe& operator=(const PcscdProbe&) = delete;

  /// Cards that pcscd showed at the last answer; asked again every few milliseconds.
  [[nodiscard]] std::size_t cards() const { return cards_; }
  /// pcscd answered, but speaks another protocol: how many cards it shows stays unknown.
  [[nodiscard]] bool foreign() const { return foreign_; }

 private:
  void ready();
  void ask_version();
  void ask_states();
  void judge();
  void count_cards();
  void send(ByteView bytes);
  void end();

  Loop& loop_;
  UniqueFd fd_;
  Bytes in_;
  bool greeted_ = false;
  bool foreign_ = false;
  std::size_t cards_ = 0;
  std::uint64_t timer_ = 0;
};

}  // namespace kilt::sim
