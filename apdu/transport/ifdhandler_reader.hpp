// SPDX-License-Identifier: Apache-2.0
// One reader as pcscd wants it: presence, power and exchange, on any ReaderSource. The C entry
// points of ifdhandler.cpp only look one of these up and translate its errors.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "apdu/transport/readers.hpp"
#include "apdu/transport/transport.hpp"
#include "apdu/transport/wake.hpp"

namespace kilt::apdu {

/// The source of a pcscd DEVICENAME, `socket:PATH` (always with a colon, because pcscd wants any
/// other name to exist as a file); null for a kind that is not known.
[[nodiscard]] std::unique_ptr<ReaderSource> source_of_device(const std::string& device_name);

/// Thread-safe: pcscd's event thread asks for presence while a client's thread exchanges.
class IfdReader {
 public:
  /// `source` has one reader; a second one would never be shown.
  /// `typed`: what a person types on the keys; empty: the reader has none. "cancel" and "nothing"
  /// are the key that gives up, and nobody there.
  explicit IfdReader(std::unique_ptr<ReaderSource> source, std::string typed = {})
      : source_(std::move(source)), typed_(std::move(typed)) {}

  /// A card is in. After a change of cards that nobody saw it is false once, so that pcscd
  /// notices a removal and an insertion. A simulator that is not running is an empty reader.
  [[nodiscard]] bool present();
  /// Returns when present() may answer differently, after `timeout`, or after stop_watching().
  /// Error: the source cannot wait.
  Status watch(std::chrono::milliseconds timeout);
  /// Ends the watch() that runs now, or the next one.
  void stop_watching();

  /// The ATR. Leaves a card alone that is on already. Errors: no_card, transport (a mute card).
  Result<Bytes> power_up();
  /// Warm reset; a card that is off, or another one than before, is powered up instead.
  Result<Bytes> reset();
  /// The chip loses its volatile state: login, selection.
  void power_down();
  /// Errors: no_card, removed, bad_argument (longer than the reader lets through), and the
  /// transport's. A card that was not powered up since it was put in counts as removed.
  Result<Bytes> transmit(ByteView command);

  [[nodiscard]] bool has_pin_pad() const { return !typed_.empty(); }
  /// Takes a PIN_VERIFY_STRUCTURE, has the PIN typed and the command sent. Errors: as transmit().
  Result<Bytes> verify_on_pad(ByteView structure);

  [[nodiscard]] bool powered();
  /// Empty while the card is off.
  [[nodiscard]] Bytes atr();
  [[nodiscard]] std::optional<Protocol> protocol();
  /// Of the powered card, else of the last one.
  [[nodiscard]] Limits limits();

 private:
  [[nodiscard]] std::vector<ReaderState> states();
  Result<Bytes> connect();

  const std::unique_ptr<ReaderSource> source_;
  const std::string typed_;

  std::mutex card_mutex_;
  std::unique_ptr<Transport> card_;  // null: the card is off
  std::uint64_t card_insertions_ = 0;
  Limits limits_;

  std::mutex watch_mutex_;
  std::vector<ReaderState> reported_;  // what present() said last, as a state to wait for
  std::shared_ptr<WakeFlag> stop_ = std::make_shared<WakeFlag>();
};

}  // namespace kilt::apdu
