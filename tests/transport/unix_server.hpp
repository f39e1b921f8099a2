// SPDX-License-Identifier: Apache-2.0
// A Unix socket with a thread for each connection, which can be taken away and put back.
#pragma once

#include <atomic>
#include <functional>
#include <list>
#include <mutex>
#include <string>
#include <thread>

#include "apdu/bytes.hpp"

namespace kilt::test {

/// One accepted connection; blocking.
class Peer {
 public:
  explicit Peer(int fd) : fd_(fd) {}
  bool read(std::span<std::uint8_t> into) const;
  bool write(ByteView bytes) const;
  /// True when the other end closed (or anything came) within a moment.
  [[nodiscard]] bool disturbed(int milliseconds) const;
  [[nodiscard]] int fd() const { return fd_; }

 private:
  int fd_;
};

class UnixServer {
 public:
  using Serve = std::function<void(const Peer&)>;
  UnixServer(std::string path, Serve serve) : path_(std::move(path)), serve_(std::move(serve)) {}
  ~UnixServer() { stop(); }
  void start();
  /// Closes the door and every connection, and waits for their threads. `serve` must return when
  /// its peer is shut down.
  void stop();
  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  struct Connection {
    int fd;
    std::thread thread;
  };
  void accept_loop();

  std::string path_;
  Serve serve_;
  int listener_ = -1;
  std::thread acceptor_;
  std::mutex mutex_;
  std::list<Connection> connections_;
};

/// A new directory under /tmp, removed with its contents at the end.
class ScratchDirectory {
 public:
  ScratchDirectory();
  ~ScratchDirectory();
  ScratchDirectory(const ScratchDirectory&) = delete;
  ScratchDirectory& operator=(const ScratchDirectory&) = delete;
  [[nodiscard]] std::string file(const std::string& name) const { return path_ + "/" + name; }

 private:
  std::string path_;
};

}  // namespace kilt::test
