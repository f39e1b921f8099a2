// SPDX-License-Identifier: Apache-2.0
#include "firmware-sim/hosts/run.hpp"

#include <poll.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <set>
#include <sstream>

#include "firmware-sim/hosts/allow_list.hpp"
#include "firmware-sim/hosts/child.hpp"
#include "firmware-sim/hosts/namespaces.hpp"
#include "firmware-sim/hosts/pcscd.hpp"
#include "firmware-sim/hosts/socket_host.hpp"
#include "firmware-sim/hosts/vpcd_host.hpp"

namespace kilt::sim {

namespace {

constexpr const char* vpcd_driver = "/usr/lib/pcsc/drivers/serial/libifdvpcd.so";
// Inside its own network namespace any port is free.
constexpr std::uint16_t private_vpcd_port = 35963;
// Each vpcd entry makes two slots on two ports [facts sim-transport §2].
constexpr std::uint16_t ports_per_reader = 2;
constexpr std::size_t max_vpcd_readers = Pcscd::max_readers / ports_per_reader;

/// For a shell to read back as it is.
std::string quoted(const std::string& value) {
  std::string text = "'";
  for (const char c : value)
    text += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return text + "'";
}

class Run {
 public:
  Run(const RunOptions& options, Workspace workspace)
      : options_(options), workspace_(std::move(workspace)) {}

  Result<int> go();

 private:
  Status take_signals();
  void hear_signals();
  void hear_signal(const signalfd_siginfo& signal);
  void reap();
  [[nodiscard]] bool interrupted() const { return end_signal_ != 0; }

  Status make_readers();
  Status insert_cards();
  Status open_door();
  Status start_pcscd();
  Status start_vpcd();
  Result<std::vector<ReaderEntry>> kilt_entries();
  Result<std::vector<ReaderEntry>> vpcd_entries();
  Result<std::string> vpcd_copy(std::size_t index);
  Status allow_assumed();
  Status write_config();

  int run_command();
  void stay_in_foreground();
  void finish();
  Status write_counts();

  const RunOptions& options_;
  Workspace workspace_;
  Loop loop_;
  UniqueFd signals_;
  int end_signal_ = 0;
  pid_t command_ = -1;
  int status_ = 0;
  std::vector<std::unique_ptr<Reader>> readers_;
  std::vector<std::unique_ptr<SocketHost>> doors_;
  std::vector<std::unique_ptr<VpcdHost>> vpcd_;
  std::unique_ptr<Pcscd> pcscd_;
  Environment environment_;
  std::string their_config_;
  std::set<std::string> allowed_;
};

Result<int> Run::go() {
  if (auto done = take_signals(); !done) return done.take_error();
  Status ready = make_readers();
  if (ready) ready = insert_cards();
  if (ready && !interrupted()) ready = open_door();
  if (ready && !interrupted()) {
    if (options_.command.empty()) {
      stay_in_foreground();
    } else {
      status_ = run_command();
    }
  } else if (ready) {
    status_ = 128 + end_signal_;
  }
  finish();
  if (!ready) return ready.take_error();
  if (auto written = write_counts(); !written) return written.take_error();
  return status_;
}

// ---- signals ------------------------------------------------------------------------------------

Status Run::take_signals() {
  sigset_t set;
  sigemptyset(&set);
  for (const int signal : {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGCHLD})
    sigaddset(&set, signal);
  ::sigprocmask(SIG_BLOCK, &set, nullptr);
  ::signal(SIGPIPE, SIG_IGN);
  signals_ = UniqueFd(::signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK));
  if (!signals_) return Error{ErrorKind::internal, "signalfd failed"};
  loop_.watch(signals_.get(), POLLIN, [this](short) { hear_signals(); });
  return {};
}

void Run::hear_signals() {
  signalfd_siginfo signal{};
  while (::read(signals_.get(), &signal, sizeof signal) == sizeof signal)
    hear_signal(signal);
}

void Run::hear_signal(const signalfd_siginfo& signal) {
  const int number = static_cast<int>(signal.ssi_signo);
  if (number == SIGCHLD) return reap();
  end_signal_ = number;
  if (command_ <= 0) return loop_.stop();
  // What the terminal sent (Ctrl-C), COMMAND got as well: it is in our process group.
  const bool from_terminal = signal.ssi_code == SI_KERNEL;
  if (!from_terminal) ::kill(command_, number);
}

void Run::reap() {
  // Cards are reaped by whoever holds them; here only COMMAND and pcscd.
  int status = 0;
  if (command_ > 0 && ::waitpid(command_, &status, WNOHANG) == command_) {
    command_ = -1;
    status_ = exit_status(status);
    loop_.stop();
  }
  if (pcscd_ && pcscd_->running() && ::waitpid(pcscd_->pid(), &status, WNOHANG) == pcscd_->pid()) {
    pcscd_->reaped(pcscd_->pid());
  }
}

// ---- readers and cards --------------------------------------------------------------------------

Status Run::make_readers() {
  auto specs = card_specs(options_, workspace_.file(""));
  if (!specs) return specs.take_error();
  std::string control;
  for (std::size_t i = 0; i < specs->size(); ++i) {
    std::string name = std::string("kilt simulator ") + (*specs)[i].profile->name;
    if (i > 0) name += " " + std::to_string(i + 1);
    const std::string path = options_.via.path.empty()
                                 ? workspace_.file("reader" + std::to_string(i + 1))
                                 : numbered(options_.via.path, i);
    readers_.push_back(std::make_unique<Reader>(loop_, name, std::move((*specs)[i])));
    Reader& reader = *readers_.back();
    auto door = SocketHost::listen(loop_, reader, path);
    if (!door) return door.take_error();
    doors_.push_back(std::move(*door));
    control += (control.empty() ? "" : ",") + path;
    if (options_.trace.empty()) continue;
    auto traced = reader.meter().trace_to(numbered(options_.trace, i), reader.profile());
    if (!traced) return traced;
  }
  environment_.emplace_back("KILT_SIM", control);
  return {};
}

Status Run::insert_cards() {
  std::size_t waiting = readers_.size();
  Status failed;
  for (const auto& reader : readers_) {
    reader->insert([&](const Status& done) {
      --waiting;
      if (!done && failed) failed = done;
    });
  }
  const bool all =
      loop_.run_until([&] { return waiting == 0 || interrupted(); }, std::chrono::seconds(60));
  if (!all) {
    for (const auto& reader : readers_)
      reader->remove();
    return Error{ErrorKind::timeout, "a card was not ready after a minute"};
  }
  if (interrupted()) {
    for (const auto& reader : readers_)
      reader->remove();
  }
  return failed;
}

// ---- the way to them ----------------------------------------------------------------------------

Status Run::open_door() {
  switch (options_.via.kind) {
    case Via::Kind::pcscd:
      return start_pcscd();
    case Via::Kind::vpcd:
      return start_vpcd();
    case Via::Kind::socket:
      break;
  }
  std::string readers;
  for (const auto& door : doors_) {
    readers += (readers.empty() ? "socket:" : ",socket:") + door->path();
  }
  environment_.emplace_back("KILT_READERS", readers);
  return {};
}

Result<std::vector<ReaderEntry>> Run::kilt_entries() {
  auto handler = find_ifd_handler();
  if (!handler) return handler.take_error();
  if (readers_.size() > Pcscd::max_readers) {
    return Error{ErrorKind::bad_argument, "pcscd takes 16 readers at most"};
  }
  std::vector<ReaderEntry> entries;
  for (std::size_t i = 0; i < readers_.size(); ++i) {
    entries.push_back(
        {readers_[i]->name(), "socket:" + doors_[i]->path(), *handler, static_cast<int>(i)});
  }
  return entries;
}

/// Quirk: vpcd 3.3 keeps its sockets by slot and forgets the reader, so two entries of one library
/// get in each other's way. Another file is another library to the loader.
Result<std::string> Run::vpcd_copy(std::size_t index) {
  if (index == 0) return std::string(vpcd_driver);
  std::string copy = workspace_.file("vpcd" + std::to_string(index + 1) + ".so");
  std::error_code failed;
  std::filesystem::copy_file(vpcd_driver, copy, failed);
  if (failed) return Error{ErrorKind::internal, "copying to " + copy + ": " + failed.message()};
  return copy;
}

Result<std::vector<ReaderEntry>> Run::vpcd_entries() {
  if (::access(vpcd_driver, R_OK) != 0) {
    return Error{ErrorKind::unsupported,
                 std::string(vpcd_driver) + " is missing; install the package vsmartcard-vpcd"};
  }
  if (readers_.size() > max_vpcd_readers) {
    return Error{ErrorKind::bad_argument, "vpcd takes 8 readers at most, each has two slots"};
  }
  std::vector<ReaderEntry> entries;
  for (std::size_t i = 0; i < readers_.size(); ++i) {
    auto driver = vpcd_copy(i);
    if (!driver) return driver.take_error();
    const int port = private_vpcd_port + static_cast<int>(i) * ports_per_reader;
    entries.push_back({"Virtual PCD " + std::to_string(i + 1), "/dev/null:" + std::to_string(port),
                       *driver, port});
  }
  return entries;
}

Status Run::start_pcscd() {
  const bool vpcd = options_.via.kind == Via::Kind::vpcd;
  auto entries = vpcd ? vpcd_entries() : kilt_entries();
  if (!entries) return entries.take_error();
  auto started = Pcscd::start(loop_, workspace_, *entries, {vpcd, options_.pinpad});
  if (!started) return started.take_error();
  pcscd_ = std::move(*started);
  environment_.emplace_back("PCSCLITE_CSOCK_NAME", pcscd_->socket());
  environment_.emplace_back("KILT_READERS", "pcsc");
  environment_.emplace_back("KILT_SIM_PCSCD", std::to_string(pcscd_->pid()));
  if (vpcd) return {};
  return pcscd_->wait_for_cards(readers_.size(), [this] { return interrupted(); });
}

Status Run::start_vpcd() {
  VpcdHost::MakeSocket make_socket = [this] { return socket_inside(pcscd_->pid()); };
  std::uint16_t port = private_vpcd_port;
  std::uint16_t step = ports_per_reader;
  if (options_.via.port != 0) {
    port = options_.via.port;
    step = 1;  // slot 0, slot 1 of the one entry that Debian's package configures
    make_socket = []() -> Result<UniqueFd> {
      UniqueFd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
      if (!fd) return Error{ErrorKind::transport, "no TCP socket"};
      return fd;
    };
    environment_.emplace_back("KILT_READERS", "pcsc");
  } else if (auto started = start_pcscd(); !started) {
    return started;
  }
  if (!options_.guard) {
    if (auto allowed = allow_assumed(); !allowed) return allowed;
  }
  for (std::size_t i = 0; i < readers_.size(); ++i) {
    vpcd_.push_back(std::make_unique<VpcdHost>(
        loop_, *readers_[i], static_cast<std::uint16_t>(port + i * step), make_socket));
  }
  if (pcscd_) {
    return pcscd_->wait_for_cards(readers_.size(), [this] { return interrupted(); });
  }
  const auto attached = [](const auto& host) { return host->attached(); };
  const bool reached = loop_.run_until(
      [&] { return interrupted() || std::all_of(vpcd_.begin(), vpcd_.end(), attached); },
      std::chrono::seconds(10));
  if (reached) return {};
  return Error{ErrorKind::no_service, "no vpcd answers on 127.0.0.1:" + std::to_string(port) +
                                          " (further cards: the ports after it)"};
}

Status Run::allow_assumed() {
  if (const char* theirs = ::getenv("KILT_CONFIG"); theirs && *theirs) {
    std::ifstream file(theirs);
    std::ostringstream content;
    content << file.rdbuf();
    if (!file) {
      return Error{ErrorKind::bad_argument,
                   std::string("KILT_CONFIG names ") + theirs + ", which cannot be read"};
    }
    their_config_ = content.str();
  }
  environment_.emplace_back("KILT_CONFIG", workspace_.file("kilt.toml"));
  // Another card may come into a reader (insert --fresh).
  for (const auto& reader : readers_) {
    reader->on_change([this] { (void)write_config(); });
  }
  return write_config();
}

Status Run::write_config() {
  for (const auto& reader : readers_) {
    if (reader->present()) allowed_.insert(reader->facts().serial);
  }
  return write_file(workspace_.file("kilt.toml"),
                    allow_serials(their_config_, {allowed_.begin(), allowed_.end()}));
}

// ---- COMMAND, or none ---------------------------------------------------------------------------

int Run::run_command() {
  command_ = start_program(options_.command, environment_);
  if (command_ < 0) {
    std::perror("kilt-sim: fork");
    return 126;
  }
  loop_.run();
  return status_;
}

void Run::stay_in_foreground() {
  for (const auto& [name, value] : environment_) {
    std::printf("export %s=%s\n", name.c_str(), quoted(value).c_str());
  }
  std::fflush(stdout);
  loop_.run();
}

void Run::finish() {
  vpcd_.clear();
  if (pcscd_) pcscd_->stop();
  doors_.clear();
}

Status Run::write_counts() {
  if (options_.count.empty()) return {};
  nlohmann::json total = {
      {"apdus", 0}, {"to_card", 0}, {"from_card", 0}, {"resets", 0}, {"nvram_writes", 0}};
  nlohmann::json by_ins = nlohmann::json::object();
  nlohmann::json each = nlohmann::json::array();
  for (const auto& reader : readers_) {
    auto stats = reader->stats();
    for (auto& [name, sum] : total.items()) {
      sum = sum.get<std::uint64_t>() + stats[name].get<std::uint64_t>();
    }
    for (const auto& [code, count] : stats["ins"].items()) {
      by_ins[code] = by_ins.value(code, std::uint64_t{0}) + count.get<std::uint64_t>();
    }
    each.push_back(std::move(stats));
  }
  total["ins"] = std::move(by_ins);
  total["readers"] = std::move(each);
  return write_file(options_.count, total.dump(2) + "\n");
}

}  // namespace

Result<int> run(const RunOptions& options) {
  auto workspace = Workspace::make();
  if (!workspace) return workspace.take_error();
  return Run(options, std::move(*workspace)).go();
}

}  // namespace kilt::sim
