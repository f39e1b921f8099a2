// SPDX-License-Identifier: Apache-2.0
// A card with next to nothing on it, for tests of what lies between it and us. It is put behind
// the simulator's socket protocol or into a real pcscd, and pulled, reset and silenced at will.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>
#include <optional>

#include "apdu/bytes.hpp"

namespace kilt::test {

/// How the reader of a removed or silent card puts it.
enum class Fault { none, removed, mute };

struct Reply {
  Fault fault = Fault::none;
  Bytes bytes;
};

/// Thread-safe. Its commands:
///   00 84 00 00 Le  Le bytes and 9000          80 10 p1 00  remembers p1 until the next reset
///   80 12 00 00 01  what it remembers          80 EE p1 p2  a raw answer of p1p2 bytes
class FakeCard {
 public:
  static inline const Bytes plain_atr{0x3B, 0x88, 0x01, 'F', 'A', 'K',
                                      'E',  'C',  'A',  'R', 'D', 0xA3};

  void insert();
  void remove();
  void reset();
  Reply transmit(ByteView command);
  bool look();  ///< present? counted, so that a test knows that somebody looked

  /// The next transmit waits inside until let_go() or a removal.
  void hold();
  void let_go();
  void wait_until_held();
  void set_mute(bool yes);
  /// Waits until the reader has looked for a card `times` more.
  bool wait_for_looks(int times);

  [[nodiscard]] bool present() const;
  [[nodiscard]] std::uint32_t insertions() const;
  [[nodiscard]] std::uint32_t epoch() const;
  [[nodiscard]] int apdus() const;
  [[nodiscard]] Bytes atr() const;
  void set_atr(Bytes atr);
  [[nodiscard]] bool mute() const;
  /// Called after each change, without the lock.
  void on_change(std::function<void()> call);

 private:
  void changed();

  mutable std::mutex mutex_;
  std::condition_variable condition_;
  std::function<void()> on_change_;
  Bytes atr_ = plain_atr;
  bool present_ = true, mute_ = false, hold_ = false, held_ = false;
  std::uint32_t insertions_ = 1, epoch_ = 1;
  std::uint8_t remembered_ = 0;
  int apdus_ = 0, looks_ = 0;
};

}  // namespace kilt::test
