// SPDX-License-Identifier: Apache-2.0
#include "firmware-sim/hosts/pcscd.hpp"

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "firmware-sim/hosts/child.hpp"
#include "firmware-sim/hosts/namespaces.hpp"
#include "firmware-sim/hosts/pcscd_probe.hpp"

namespace kilt::sim {

namespace {

constexpr const char* program = "/usr/sbin/pcscd";
constexpr int activation_fd = 3;  // SD_LISTEN_FDS_START [sd_listen_fds(3)]

Result<UniqueFd> listen_on(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) {
    return Error{ErrorKind::bad_argument, "the path " + path + " is too long; set TMPDIR"};
  }
  std::memcpy(address.sun_path, path.data(), path.size());
  UniqueFd listener(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (::bind(listener.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 ||
      ::listen(listener.get(), 64) != 0) {
    return Error{ErrorKind::no_service,
                 "the socket " + path + " cannot be opened: " + std::strerror(errno)};
  }
  return listener;
}

/// One file for all readers, because pcscd takes several in no order. Nothing beside it, because
/// pcscd parses every file in this directory [facts sim-transport §1].
Status write_configuration(const std::string& directory, const std::vector<ReaderEntry>& readers) {
  std::string text;
  for (const auto& reader : readers) {
    text += "FRIENDLYNAME \"" + reader.friendly_name + "\"\nDEVICENAME " + reader.device_name +
            "\nLIBPATH " + reader.library + "\nCHANNELID " + std::to_string(reader.channel) +
            "\n\n";
  }
  return write_file(directory + "/kilt-sim", text);
}

/// A build with a sanitizer has its driver loaded into a pcscd without one: the runtime must be
/// there first, and what pcscd itself leaks is not ours.
Environment sanitizer_environment() {
  std::ifstream maps("/proc/self/maps");
  for (std::string line; std::getline(maps, line);) {
    const auto path = line.find('/');
    if (path == std::string::npos) continue;
    if (line.find("/libasan.so") != std::string::npos ||
        line.find("/libtsan.so") != std::string::npos) {
      return {{"LD_PRELOAD", line.substr(path)}, {"ASAN_OPTIONS", "detect_leaks=0"}};
    }
  }
  return {};
}

/// In the forked child.
void become_daemon(int listener, int log, bool network) {
  ::prctl(PR_SET_PDEATHSIG, SIGTERM);
  ::setpgid(0, 0);  // Ctrl-C is not for it: it must outlive COMMAND
  ::dup2(log, STDOUT_FILENO);
  ::dup2(log, STDERR_FILENO);
  const int null = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
  if (null >= 0) ::dup2(null, STDIN_FILENO);
  enter_private_run(network);
  if (listener == activation_fd) {
    ::fcntl(listener, F_SETFD, 0);
  } else {
    ::dup2(listener, activation_fd);
  }
  ::close_range(activation_fd + 1, ~0U, 0);
  ::setenv("LISTEN_FDS", "1", 1);
  ::setenv("LISTEN_PID", std::to_string(::getpid()).c_str(), 1);
  ::unsetenv("PCSCLITE_FILTER_IGNORE_READER_NAMES");
  ::unsetenv("PCSCLITE_FILTER_EXTEND_READER_NAMES");
}

}  // namespace

Result<std::unique_ptr<Pcscd>> Pcscd::start(Loop& loop, const Workspace& workspace,
                                            const std::vector<ReaderEntry>& readers,
                                            const PcscdOptions& options) {
  if (::access(program, X_OK) != 0) {
    return Error{ErrorKind::unsupported, "/usr/sbin/pcscd is missing; install the package pcscd"};
  }
  auto configuration = workspace.directory("readers");
  if (!configuration) return configuration.take_error();
  if (auto done = write_configuration(*configuration, readers); !done) return done.take_error();
  std::unique_ptr<Pcscd> pcscd(
      new Pcscd(loop, workspace.file("pcscd.comm"), workspace.file("pcscd.log")));
  auto listener = listen_on(pcscd->socket_);
  if (!listener) return listener.take_error();
  const UniqueFd log(::open(pcscd->log_.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600));
  auto environment = sanitizer_environment();
  if (!options.pinpad.empty()) environment.emplace_back("KILT_PINPAD", options.pinpad);
  pcscd->pid_ =
      start_program({program, "--foreground", "--info", "--config", *configuration}, environment,
                    [&] { become_daemon(listener->get(), log.get(), options.network); });
  if (pcscd->pid_ < 0) return Error{ErrorKind::no_service, "pcscd cannot be forked"};
  return pcscd;
}

Pcscd::~Pcscd() {
  if (pid_ <= 0) return;
  ::kill(pid_, SIGKILL);
  while (::waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) {
  }
}

Status Pcscd::wait_for_cards(std::size_t cards, const std::function<bool()>& given_up) {
  const PcscdProbe probe(loop_, socket_);
  loop_.run_until(
      [&] { return !running() || given_up() || probe.foreign() || probe.cards() >= cards; },
      std::chrono::seconds(10));
  if (running() && (probe.foreign() || probe.cards() >= cards || given_up())) return {};
  const std::string why = running() ? "shows " + std::to_string(probe.cards()) + " of " +
                                          std::to_string(cards) + " cards after ten seconds"
                                    : "ended at its start";
  return Error{ErrorKind::no_service,
               "the private pcscd " + why + "; its log ends:\n" + log_tail()};
}

void Pcscd::stop() {
  if (!running()) return;
  ::kill(pid_, SIGTERM);
  loop_.run_until([&] { return !running(); }, std::chrono::seconds(5));
}

bool Pcscd::reaped(pid_t pid) {
  if (pid != pid_) return false;
  pid_ = -1;
  return true;
}

std::string Pcscd::log_tail() const {
  constexpr std::streamoff longest = 2000;
  std::ifstream log(log_, std::ios::binary | std::ios::ate);
  const std::streamoff size = log.tellg();
  log.seekg(std::max<std::streamoff>(0, size - longest));
  std::ostringstream tail;
  tail << log.rdbuf();
  return tail.str();
}

Result<std::string> find_ifd_handler() {
  if (const char* named = ::secure_getenv("KILT_IFD_HANDLER"); named && *named) {
    if (::access(named, R_OK) == 0) return std::string(named);
    return Error{ErrorKind::not_found,
                 std::string("KILT_IFD_HANDLER names ") + named + ", which cannot be read"};
  }
  std::error_code ignored;
  const auto self = std::filesystem::read_symlink("/proc/self/exe", ignored);
  const auto beside = self.parent_path().parent_path() / "lib" / "libifdkilt.so";
  const std::string places[] = {beside.string(), KILT_INSTALLED_IFD_HANDLER};
  for (const auto& place : places) {
    if (::access(place.c_str(), R_OK) == 0) return place;
  }
  return Error{ErrorKind::not_found, "libifdkilt.so is neither " + places[0] + " nor " + places[1] +
                                         "; build it, or name it in KILT_IFD_HANDLER"};
}

}  // namespace kilt::sim
