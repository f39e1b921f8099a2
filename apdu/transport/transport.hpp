// SPDX-License-Identifier: Apache-2.0
// The abstract pipe to one inserted card. What a reader is made of (pcscd, a USB token, the
// simulator's socket) ends here: above this line there are only bytes and a handful of errors.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "apdu/bytes.hpp"
#include "apdu/result.hpp"
#include "apdu/transport/pin_pad.hpp"

namespace kilt::apdu {

enum class Protocol { t0, t1 };

/// What fits through the reader in one exchange, in bytes of the encoded APDU.
struct Limits {
  std::size_t max_command = 261;  ///< 4 header + Lc + 255 data + Le
  std::size_t max_response = 258;
  /// True only if the reader says so; an extended APDU is not sent otherwise [facts sim-transport
  /// §0: a real token stops at 261 although vpcd passes 65 000], but for `silent` ones.
  bool extended = false;
  /// The reader says nothing of its limit, over T=1: an extended APDU may be tried where there is
  /// no other way to do what is asked for. What fits a short one never is.
  bool silent = false;
};

/// How a transaction, or the connection, leaves the card.
enum class Leave { as_it_is, reset };

/// One connection to one inserted card. Removal kills it for good: every later call answers
/// ErrorKind::removed, whatever the stack below said, and a new connection must be opened through
/// Readers. A reset by another program does not kill it: it shows as a new epoch.
///
/// Not thread-safe: one thread at a time, by the caller's lock (a token's).
/// Errors: removed, no_service (once, by the call that finds the service dead; then removed), busy,
/// transport, timeout, cancelled; protocol for an answer without status word or beyond the limits;
/// bad_argument for a command beyond them.
class Transport {
 public:
  Transport() = default;
  Transport(const Transport&) = delete;
  Transport& operator=(const Transport&) = delete;
  /// Disconnects. Leaves the card as it is unless set_leave(reset).
  virtual ~Transport() = default;

  [[nodiscard]] virtual const std::string& reader() const = 0;
  [[nodiscard]] virtual ByteView atr() const = 0;
  [[nodiscard]] virtual Protocol protocol() const = 0;
  [[nodiscard]] virtual Limits limits() const = 0;
  /// The socket transport, or a PC/SC reader whose name begins with "kilt simulator" (design §2).
  [[nodiscard]] virtual bool is_simulated() const = 0;

  /// One exchange, exactly these bytes. The answer has at least the two status bytes.
  virtual Result<Bytes> transmit(ByteView command) = 0;
  /// The reader has keys to type a PIN on, so that no program sees it.
  [[nodiscard]] virtual bool has_pin_pad() const { return false; }
  /// Waits for a person to type and has the reader send the command (case 3) with that PIN. The
  /// answer is the card's, or the reader's own status word in its place (pad_status).
  virtual Result<Bytes> transmit_from_pad(ByteView command, const PinEntry& entry) {
    (void)command, (void)entry;
    return Error{ErrorKind::unsupported, "the reader has no keys to type a PIN on"};
  }
  /// Warm reset; begins a new epoch.
  virtual Status reset() = 0;

  /// Keeps other programs off the card until end(); may block while another one holds it.
  /// The value is the epoch: it grows each time the card lost its volatile state (login,
  /// selection) without us doing it.
  virtual Result<std::uint64_t> begin() = 0;
  virtual void end() = 0;
  /// What the destructor (or a crash of ours, where the stack lets us choose) does to the card.
  virtual void set_leave(Leave leave) = 0;
  /// Forgets the connection without a word to the other side: for a forked child, whose parent
  /// goes on using it. Nothing may be called afterwards but the destructor.
  virtual void abandon() = 0;

  /// Number of the Transaction that is open, nothing outside of one. While it stays the same nobody
  /// else spoke to the card, and what is selected is what we selected.
  [[nodiscard]] std::optional<std::uint64_t> transaction() const {
    return in_transaction_ ? std::optional<std::uint64_t>(transactions_) : std::nullopt;
  }

 private:
  friend class Transaction;
  std::uint64_t transactions_ = 0;
  bool in_transaction_ = false;
};

/// A transaction that ends with its scope.
class Transaction {
 public:
  static Result<Transaction> begin(Transport& transport) {
    auto epoch = transport.begin();
    if (!epoch) return epoch.take_error();
    ++transport.transactions_;
    transport.in_transaction_ = true;
    return Transaction(transport, *epoch);
  }
  Transaction(Transaction&& other) noexcept : transport_(other.transport_), epoch_(other.epoch_) {
    other.transport_ = nullptr;
  }
  Transaction& operator=(Transaction&&) = delete;
  ~Transaction() {
    if (!transport_) return;
    transport_->in_transaction_ = false;
    transport_->end();
  }
  [[nodiscard]] std::uint64_t epoch() const { return epoch_; }

 private:
  Transaction(Transport& transport, std::uint64_t epoch) : transport_(&transport), epoch_(epoch) {}
  Transport* transport_;
  std::uint64_t epoch_;
};

}  // namespace kilt::apdu
