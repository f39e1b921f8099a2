// SPDX-License-Identifier: Apache-2.0
#include "tests/transport/private_pcscd.hpp"

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <sstream>
#include <stdexcept>
#include <vector>

// libpcsclite keeps the readers' states in one array for all its contexts and fills it without a
// lock. That race is its own; PcscService looks twice because of it.
extern "C" [[gnu::visibility("default")]] const char* __tsan_default_suppressions() {
  return "race:libpcsclite\n";
}

namespace kilt::test {
namespace {

constexpr const char* pcscd_program = "/usr/sbin/pcscd";

int listen_at(const std::string& path) {
  ::unlink(path.c_str());
  const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::strncpy(address.sun_path, path.c_str(), sizeof address.sun_path - 1);
  if (::bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0 ||
      ::listen(fd, 64) != 0)
    throw std::runtime_error("cannot listen at " + path);
  return fd;
}

}  // namespace

const std::string& PrivatePcscd::socket_path() {
  static const ScratchDirectory directory;
  static const std::string path = [] {
    auto name = directory.file("pcscd.comm");
    ::setenv("PCSCLITE_CSOCK_NAME", name.c_str(), 1);
    return name;
  }();
  return path;
}

PrivatePcscd::PrivatePcscd() {
  socket_path();
  // pcscd parses every file of this directory, so nothing else goes into it.
  if (::mkdir(work_.file("readers").c_str(), 0700) != 0) throw std::runtime_error("mkdir");
}

PrivatePcscd::~PrivatePcscd() {
  stop(SIGKILL);
}

void PrivatePcscd::add_reader(const std::string& friendly_name, const std::string& library,
                              const std::string& device) {
  std::ofstream file(work_.file("readers/" + friendly_name));
  file << "FRIENDLYNAME \"" << friendly_name << "\"\nDEVICENAME " << device << "\nLIBPATH "
       << library << "\nCHANNELID " << readers_++ << "\n";
}

void PrivatePcscd::remove_reader(const std::string& friendly_name) {
  ::unlink(work_.file("readers/" + friendly_name).c_str());
}

void PrivatePcscd::start() {
  if (::access(pcscd_program, X_OK) != 0) throw std::runtime_error("pcscd is not installed");
  const int listener = listen_at(socket_path());
  const int log_file =
      ::open(work_.file("log").c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  // Everything is prepared before fork(): the test may have threads, and LISTEN_PID is not known
  // until after it, so room is left for it.
  const std::string readers = work_.file("readers");
  const std::vector<const char*> arguments{"pcscd",    "--foreground",  "--debug",
                                           "--config", readers.c_str(), nullptr};
  char listen_pid[32] = "LISTEN_PID=";
  const std::vector<const char*> environment{"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LISTEN_FDS=1",
                                             listen_pid, nullptr};
  pid_ = ::fork();
  if (pid_ < 0) throw std::runtime_error("fork");
  if (pid_ == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    std::snprintf(listen_pid, sizeof listen_pid, "LISTEN_PID=%d", ::getpid());
    ::dup2(log_file, 1);
    ::dup2(log_file, 2);
    if (listener == 3) {
      ::fcntl(3, F_SETFD, 0);
    } else {
      ::dup2(listener, 3);
    }
    ::execve(pcscd_program, const_cast<char**>(arguments.data()),
             const_cast<char**>(environment.data()));
    ::_exit(127);
  }
  ::close(listener);
  ::close(log_file);
}

void PrivatePcscd::stop(int with) {
  if (pid_ <= 0) return;
  ::kill(pid_, with);
  ::waitpid(pid_, nullptr, 0);
  pid_ = -1;
}

void PrivatePcscd::restart() {
  stop(SIGKILL);
  start();
}

std::string PrivatePcscd::log() const {
  std::ostringstream text;
  text << std::ifstream(work_.file("log")).rdbuf();
  return text.str();
}

}  // namespace kilt::test
