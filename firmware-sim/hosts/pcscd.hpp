// SPDX-License-Identifier: Apache-2.0
// A real pcscd of our own: on a private socket by socket activation, with our readers and no
// others, so that any PC/SC program sees the simulated cards and the system's pcscd sees nothing.
#pragma once

#include <sys/types.h>

#include <memory>
#include <string>
#include <vector>

#include "apdu/result.hpp"
#include "firmware-sim/hosts/loop.hpp"
#include "firmware-sim/hosts/workspace.hpp"

namespace kilt::sim {

/// One entry of a reader.conf.
struct ReaderEntry {
  std::string friendly_name;
  std::string device_name;
  std::string library;
  int channel = 0;
};

struct PcscdOptions {
  bool network = false;  ///< in a network namespace of its own (for vpcd)
  /// What the readers' driver is told that a person types on their keys.
  std::string pinpad{};
};

class Pcscd {
 public:
  static constexpr std::size_t max_readers = 16;  ///< [facts sim-transport §1]

  /// Starts the daemon. It is not ready yet. Errors: unsupported (not installed), no_service.
  static Result<std::unique_ptr<Pcscd>> start(Loop& loop, const Workspace& workspace,
                                              const std::vector<ReaderEntry>& readers,
                                              const PcscdOptions& options);
  /// Kills what is still there.
  ~Pcscd();
  Pcscd(const Pcscd&) = delete;
  Pcscd& operator=(const Pcscd&) = delete;

  /// Runs the loop until pcscd answers and shows `cards` cards, or `given_up()`. no_service with
  /// the end of pcscd's log when it does not within ten seconds.
  Status wait_for_cards(std::size_t cards, const std::function<bool()>& given_up);
  /// SIGTERM, and the loop runs until it is gone (its readers want to close); five seconds at most.
  void stop();
  /// To be told about by whoever reaps children. True if `pid` was ours.
  bool reaped(pid_t pid);

  [[nodiscard]] pid_t pid() const { return pid_; }
  [[nodiscard]] bool running() const { return pid_ > 0; }
  [[nodiscard]] const std::string& socket() const { return socket_; }
  [[nodiscard]] std::string log_tail() const;

 private:
  Pcscd(Loop& loop, std::string socket, std::string log)
      : loop_(loop), socket_(std::move(socket)), log_(std::move(log)) {}
  Loop& loop_;
  std::string socket_;
  std::string log_;
  pid_t pid_ = -1;
};

/// Where libifdkilt.so is: $KILT_IFD_HANDLER, beside this program's directory, or installed.
/// not_found names the places.
Result<std::string> find_ifd_handler();

}  // namespace kilt::sim
