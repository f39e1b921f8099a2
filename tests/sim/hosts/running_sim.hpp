// SPDX-License-Identifier: Apache-2.0
// A `kilt-sim run` without COMMAND for the length of a test, and a client that speaks the socket
// protocol by hand: its framing is stated here once more, so that a mistake shows.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "apdu/bytes.hpp"

namespace kilt::sim::test {

using namespace std::chrono_literals;
inline constexpr auto patience = 20s;  // for what must come; a slow machine is no error

struct Finished {
  int status = -1;  ///< as a shell has it
  std::string out;
  std::string err;
};

/// Runs a program to its end; killed (status 137) when it takes longer than `patience`.
Finished run(const std::vector<std::string>& arguments,
             const std::map<std::string, std::string>& environment = {});
[[nodiscard]] std::string kilt_sim();
/// True as soon as `done` is, asked again and again; false when patience is at its end.
bool soon(const std::function<bool()>& done);
/// Whether a process with that number exists and is no zombie.
[[nodiscard]] bool lives(pid_t pid);
[[nodiscard]] std::vector<pid_t> children_of(pid_t pid);
[[nodiscard]] std::string read_text(const std::string& path);

/// A directory of the test's own.
class Scratch {
 public:
  Scratch();
  ~Scratch();
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;
  [[nodiscard]] std::string operator/(const std::string& name) const { return path_ + "/" + name; }
  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  std::string path_;
};

class RunningSim {
 public:
  /// Throws std::runtime_error with its standard error if it does not come up.
  explicit RunningSim(std::vector<std::string> options);
  ~RunningSim();
  RunningSim(const RunningSim&) = delete;
  RunningSim& operator=(const RunningSim&) = delete;

  [[nodiscard]] pid_t pid() const { return pid_; }
  [[nodiscard]] const std::map<std::string, std::string>& environment() const {
    return environment_;
  }
  /// Path of the n-th reader's socket, from 1.
  [[nodiscard]] std::string socket(std::size_t reader = 1) const;
  /// `kilt-sim WORDS` against it; must succeed. Its JSON.
  nlohmann::json control(std::vector<std::string> words) const;
  /// SIGTERM and wait; exit status as a shell has it.
  int stop();

 private:
  Scratch scratch_;
  pid_t pid_ = -1;
  std::map<std::string, std::string> environment_;
};

struct Reply {
  int code = -1;
  Bytes payload{};
  [[nodiscard]] std::uint32_t number(std::size_t at) const;
};

class Client {
 public:
  explicit Client(const std::string& socket);
  ~Client() { close(); }
  Client(Client&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Client& operator=(Client&&) = delete;

  void send(char code, ByteView payload = {});
  void send_raw(ByteView bytes);
  /// Throws when nothing comes.
  Reply receive();
  Reply ask(char code, ByteView payload = {}) {
    send(code, payload);
    return receive();
  }
  /// Hex in, hex out; "no card", "mute" and so on for other answers.
  std::string apdu(const std::string& hex);
  [[nodiscard]] bool has_answer() const;
  /// The other side ended the connection.
  [[nodiscard]] bool ended();
  void close();

 private:
  int fd_ = -1;
};

}  // namespace kilt::sim::test
