// SPDX-License-Identifier: Apache-2.0
// Names -> transports: which readers there are, whether a card is in, and events. No card I/O.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "apdu/transport/transport.hpp"
#include "apdu/transport/wake.hpp"

namespace kilt::apdu {

struct ReaderState {
  std::string name;              ///< unique and stable while the reader is there
  bool present = false;          ///< a card is in
  Bytes atr{};                   ///< empty when no card, or a mute one
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
  /// error, and its return as a change. milliseconds::max() waits for ever; a negative timeout is
  /// 0.
  virtual Status wait(const std::vector<ReaderState>& known, std::chrono::milliseconds timeout) = 0;
  /// The same, and `stop` ends it early as a success. Who raises `stop` calls nudge() after it.
  /// Unless overridden it looks at `stop` ten times a second.
  virtual Status wait_or_stop(const std::vector<ReaderState>& known,
                              std::chrono::milliseconds timeout, const WakeFlag& stop);
  /// Makes every wait_or_stop() whose flag is raised look at it now.
  virtual void nudge() {}
  /// From any thread: wakes wait(). Sticks until the object dies. Open connections go on working,
  /// so that a logout gets through, but a peer that hangs is given up after a few seconds where
  /// the stack allows that (the socket does, pcscd does not).
  virtual void cancel() = 0;
  /// May block while another program is inside a transaction (pcscd) [facts pkcs11 §2]; holds
  /// nothing meanwhile that states(), wait() or cancel() need.
  virtual Result<std::unique_ptr<Transport>> connect(const std::string& name) = 0;
  /// The same; the connection calls its reader `shown_as` (two sources may have one name).
  virtual Result<std::unique_ptr<Transport>> connect_as(const std::string& name,
                                                        const std::string& shown_as) {
    (void)shown_as;
    return connect(name);
  }
  /// Tells two readers of one name apart: where this source is. "pcsc", or the socket's path.
  [[nodiscard]] virtual std::string label() const { return "other"; }
  /// Whether `name` is one of ours.
  [[nodiscard]] virtual bool owns(const std::string& name) const = 0;
  /// For a forked child: see Transport::abandon.
  virtual void abandon() = 0;
};

/// All sources together, as named by KILT_READERS or the configuration. Thread-safe: connect() and
/// states() may run while another thread is inside wait(). A name that two sources share keeps its
/// plain form for the one that had it first; the other is shown as "NAME (WHERE)" for good.
class Readers {
 public:
  /// `spec`: comma list of `pcsc`, `usb`, `socket:PATH`; empty = `pcsc`. bad_argument for a name
  /// that is none of these or comes twice; unsupported for `usb` where it was not built in.
  static Result<std::unique_ptr<Readers>> open(const std::string& spec);
  explicit Readers(std::vector<std::unique_ptr<ReaderSource>> sources);
  ~Readers();

  /// Readers of every source that answers. An error only if no source answers.
  Result<std::vector<ReaderState>> states();
  Status wait(const std::vector<ReaderState>& known, std::chrono::milliseconds timeout);
  void cancel();
  Result<std::unique_ptr<Transport>> connect(const std::string& name);
  /// For a forked child: takes no lock and says nothing to anybody. Nothing else may be called
  /// afterwards but the destructor, which leaks what the parent still uses (as it does in any
  /// process but the one that made this object).
  void abandon();

 private:
  struct Names;
  using KnownBySource = std::vector<std::vector<ReaderState>>;
  std::optional<KnownBySource> split(const std::vector<ReaderState>& known);
  Status wait_on_all(const KnownBySource& known, std::chrono::milliseconds timeout);

  std::vector<std::unique_ptr<ReaderSource>> sources_;
  std::unique_ptr<Names> names_;
  const int process_;
};

std::unique_ptr<ReaderSource> make_pcsc_source();
std::unique_ptr<ReaderSource> make_socket_source(const std::string& path);

}  // namespace kilt::apdu
