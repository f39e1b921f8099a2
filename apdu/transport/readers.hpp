// SPDX-License-Identifier: Apache-2.0
// Names -> transports: which readers there are, whether a card is in, and events. No card I/O.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "apdu/transport/transport.hpp"

namespace kilt::apdu {

struct ReaderState {
  std::string name;            ///< unique and stable while the reader is there
  bool present = false;        ///< a card is in
  Bytes atr{};                 ///< empty when no card, or a mute one
  std::uint64_t insertions = 0;  ///< differs whenever the card was taken out and put in again
  bool simulated = false;

  bool operator==(const ReaderState&) const = default;
};

/// One kind of reader: pcscd, USB, a simulator socket.
class ReaderSource {
 public:
  virtual ~ReaderSource() = default;
  /// The readers now. Empty when there are none; no_service when the daemon is not there.
  virtual Result<std::vector<ReaderState>> states() = 0;
  /// Blocks until the states may differ from `known`, the timeout passes (both are success), or
  /// cancel() was called (ErrorKind::cancelled). A dead service counts as "no readers", not as an
  /// error, and its return as a change.
  virtual Status wait(const std::vector<ReaderState>& known, std::chrono::milliseconds timeout) = 0;
  /// From any thread: wakes wait(). Sticks until the object dies.
  virtual void cancel() = 0;
  virtual Result<std::unique_ptr<Transport>> connect(const std::string& name) = 0;
  /// Whether `name` is one of ours.
  [[nodiscard]] virtual bool owns(const std::string& name) const = 0;
  /// For a forked child: see Transport::abandon.
  virtual void abandon() = 0;
};

/// All sources together, as named by KILT_READERS or the configuration. Thread-safe: connect() and
/// states() may run while another thread is inside wait().
class Readers {
 public:
  /// `spec`: comma list of `pcsc`, `usb`, `socket:PATH`; empty = `pcsc`. bad_argument for a name
  /// that is none of these.
  static Result<std::unique_ptr<Readers>> open(const std::string& spec);
  explicit Readers(std::vector<std::unique_ptr<ReaderSource>> sources);
  ~Readers();

  /// Readers of every source that answers. An error only if no source answers.
  Result<std::vector<ReaderState>> states();
  Status wait(const std::vector<ReaderState>& known, std::chrono::milliseconds timeout);
  void cancel();
  Result<std::unique_ptr<Transport>> connect(const std::string& name);
  void abandon();

 private:
  std::vector<std::unique_ptr<ReaderSource>> sources_;
};

std::unique_ptr<ReaderSource> make_pcsc_source();
std::unique_ptr<ReaderSource> make_socket_source(const std::string& path);

}  // namespace kilt::apdu
