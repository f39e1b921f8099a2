// SPDX-License-Identifier: Apache-2.0
// A pcscd of a test's own, on its own socket, with the readers that the test gives it. It is
// started by socket activation, so it needs no namespace and does not touch a pcscd of the system.
#pragma once

#include <sys/types.h>

#include <string>

#include "tests/transport/unix_server.hpp"

namespace kilt::test {

/// libpcsclite reads PCSCLITE_CSOCK_NAME once in a process's life, so every PrivatePcscd of one
/// process has the same socket path, and there is only one at a time. Make it before the first
/// call into libpcsclite. Programs started from here inherit the variable.
class PrivatePcscd {
 public:
  PrivatePcscd();
  /// Stops pcscd.
  ~PrivatePcscd();
  PrivatePcscd(const PrivatePcscd&) = delete;
  PrivatePcscd& operator=(const PrivatePcscd&) = delete;

  /// Puts a reader into the configuration; read by start().
  void add_reader(const std::string& friendly_name, const std::string& library,
                  const std::string& device);
  void remove_reader(const std::string& friendly_name);
  /// Throws std::runtime_error where pcscd is not installed. A client's first call waits until
  /// pcscd is up.
  void start();
  /// Kills pcscd at once (`with` = SIGKILL) or asks it to end, and waits for it. Without it
  /// nobody listens: clients get SCARD_E_NO_SERVICE.
  void stop(int with);
  void restart();

  [[nodiscard]] pid_t pid() const { return pid_; }
  static const std::string& socket_path();
  [[nodiscard]] std::string log() const;

 private:
  ScratchDirectory work_;
  pid_t pid_ = -1;
  int readers_ = 0;
};

}  // namespace kilt::test
