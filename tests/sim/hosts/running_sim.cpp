// SPDX-License-Identifier: Apache-2.0
#include "tests/sim/hosts/running_sim.hpp"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <stdexcept>

namespace kilt::sim::test {

namespace {

constexpr int ms(std::chrono::milliseconds time) {
  return static_cast<int>(time.count());
}

pid_t start(const std::vector<std::string>& arguments,
            const std::map<std::string, std::string>& environment, const std::string& out,
            const std::string& err) {
  const pid_t pid = ::fork();
  if (pid != 0) return pid;
  for (const char* name : {"KILT_READERS", "KILT_SIM", "PCSCLITE_CSOCK_NAME", "KILT_CONFIG"}) {
    ::unsetenv(name);
  }
  for (const auto& [name, value] : environment)
    ::setenv(name.c_str(), value.c_str(), 1);
  ::dup2(::open("/dev/null", O_RDONLY), STDIN_FILENO);
  ::dup2(::open(out.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600), STDOUT_FILENO);
  ::dup2(::open(err.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600), STDERR_FILENO);
  ::close_range(3, ~0U, 0);
  std::vector<char*> argv;
  for (const auto& argument : arguments)
    argv.push_back(const_cast<char*>(argument.c_str()));
  argv.push_back(nullptr);
  ::execvp(argv[0], argv.data());
  ::_exit(127);
}

/// The exit status, or nothing when patience is at its end.
std::optional<int> wait_for(pid_t pid) {
  int status = 0;
  if (!soon([&] { return ::waitpid(pid, &status, WNOHANG) == pid; })) return std::nullopt;
  return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

}  // namespace

std::string kilt_sim() {
  return KILT_BUILD_DIR "/bin/kilt-sim";
}

bool soon(const std::function<bool()>& done) {
  const auto end = std::chrono::steady_clock::now() + patience;
  while (!done()) {
    if (std::chrono::steady_clock::now() > end) return false;
    ::poll(nullptr, 0, 2);
  }
  return true;
}

bool lives(pid_t pid) {
  const auto stat = read_text("/proc/" + std::to_string(pid) + "/stat");
  const auto name_end = stat.rfind(')');
  return name_end != std::string::npos && stat.compare(name_end, 4, ") Z ") != 0;
}

std::vector<pid_t> children_of(pid_t pid) {
  const auto number = std::to_string(pid);
  std::istringstream list(read_text("/proc/" + number + "/task/" + number + "/children"));
  return {std::istream_iterator<pid_t>(list), {}};
}

std::string read_text(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

Scratch::Scratch() : path_("/tmp/kilt-test.XXXXXX") {
  if (!::mkdtemp(path_.data())) throw std::runtime_error("mkdtemp failed");
}

Scratch::~Scratch() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

Finished run(const std::vector<std::string>& arguments,
             const std::map<std::string, std::string>& environment) {
  const Scratch scratch;
  const pid_t pid = start(arguments, environment, scratch / "out", scratch / "err");
  auto status = wait_for(pid);
  if (!status) {
    ::kill(pid, SIGKILL);
    status = wait_for(pid);
  }
  return {status.value_or(-1), read_text(scratch / "out"), read_text(scratch / "err")};
}

RunningSim::RunningSim(std::vector<std::string> options) {
  options.insert(options.begin(), {kilt_sim(), "run"});
  pid_ = start(options, {}, scratch_ / "out", scratch_ / "err");
  // The lines are flushed together, KILT_READERS among the last of them.
  const bool up = soon([&] {
    return read_text(scratch_ / "out").find("KILT_READERS") != std::string::npos || !lives(pid_);
  });
  if (!up || !lives(pid_)) throw std::runtime_error(read_text(scratch_ / "err"));
  std::istringstream lines(read_text(scratch_ / "out"));
  for (std::string line; std::getline(lines, line);) {
    const auto equals = line.find("='");
    if (line.compare(0, 7, "export ") != 0 || equals == std::string::npos) continue;
    environment_[line.substr(7, equals - 7)] = line.substr(equals + 2, line.size() - equals - 3);
  }
}

RunningSim::~RunningSim() {
  if (pid_ > 0) stop();
}

int RunningSim::stop() {
  ::kill(pid_, SIGTERM);
  auto status = wait_for(pid_);
  if (!status) ::kill(pid_, SIGKILL);
  pid_ = -1;
  return status.value_or(-1);
}

std::string RunningSim::socket(std::size_t reader) const {
  std::istringstream list(environment_.at("KILT_SIM"));
  std::string path;
  for (std::size_t i = 0; i < reader; ++i)
    std::getline(list, path, ',');
  return path;
}

nlohmann::json RunningSim::control(std::vector<std::string> words) const {
  words.insert(words.begin(), kilt_sim());
  const auto done = run(words, environment_);
  if (done.status != 0) throw std::runtime_error(done.err);
  return nlohmann::json::parse(done.out);
}

std::uint32_t Reply::number(std::size_t at) const {
  return static_cast<std::uint32_t>(payload.at(at)) << 24 | payload.at(at + 1) << 16 |
         payload.at(at + 2) << 8 | payload.at(at + 3);
}

Client::Client(const std::string& socket) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, socket.data(), socket.size());
  fd_ = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (::connect(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    throw std::runtime_error("connect " + socket + ": " + std::strerror(errno));
  }
}

void Client::close() {
  if (fd_ >= 0) ::close(fd_);
  fd_ = -1;
}

void Client::send_raw(ByteView bytes) {
  if (::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL) != static_cast<ssize_t>(bytes.size())) {
    throw std::runtime_error("send failed");
  }
}

void Client::send(char code, ByteView payload) {
  const auto size = payload.size() + 1;
  Bytes wire{static_cast<std::uint8_t>(size >> 24), static_cast<std::uint8_t>(size >> 16),
             static_cast<std::uint8_t>(size >> 8), static_cast<std::uint8_t>(size),
             static_cast<std::uint8_t>(code)};
  append(wire, payload);
  send_raw(wire);
}

Reply Client::receive() {
  Bytes wire;
  std::size_t wanted = 4;
  while (wire.size() < wanted) {
    pollfd entry{fd_, POLLIN, 0};
    if (::poll(&entry, 1, ms(patience)) != 1) throw std::runtime_error("no answer");
    std::uint8_t chunk[4096];
    const auto got = ::recv(fd_, chunk, std::min(sizeof chunk, wanted - wire.size()), 0);
    if (got <= 0) throw std::runtime_error("connection ended");
    append(wire, ByteView(chunk, static_cast<std::size_t>(got)));
    if (wire.size() == 4) {
      wanted = 4 + (std::size_t{wire[0]} << 24 | wire[1] << 16 | wire[2] << 8 | wire[3]);
    }
  }
  return {wire.at(4), Bytes(wire.begin() + 5, wire.end())};
}

std::string Client::apdu(const std::string& hex) {
  const auto reply = ask('T', from_hex(hex).value());
  switch (reply.code) {
    case 0:
      return to_hex(reply.payload);
    case 1:
      return "no card";
    case 2:
      return "mute";
    default:
      return "code " + std::to_string(reply.code);
  }
}

bool Client::has_answer() const {
  pollfd entry{fd_, POLLIN, 0};
  return ::poll(&entry, 1, 0) == 1;
}

bool Client::ended() {
  std::uint8_t byte = 0;
  pollfd entry{fd_, POLLIN, 0};
  return ::poll(&entry, 1, ms(patience)) == 1 && ::recv(fd_, &byte, 1, 0) == 0;
}

}  // namespace kilt::sim::test
