// SPDX-License-Identifier: Apache-2.0
// All reader sources as one: their names, their states, and waiting on several of them at once.
#include "apdu/transport/readers.hpp"

#include <pthread.h>
#include <unistd.h>

#include <csignal>
#include <map>
#include <mutex>
#include <set>
#include <system_error>
#include <thread>

namespace kilt::apdu {
namespace {

using namespace std::chrono_literals;

std::string_view trimmed(std::string_view text) {
  const auto first = text.find_first_not_of(" \t");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

Result<std::unique_ptr<ReaderSource>> open_source(std::string_view name) {
  constexpr std::string_view socket = "socket:";
  constexpr std::size_t path_max = 107;  // sun_path less its final zero
  if (name == "pcsc") return make_pcsc_source();
  if (name == "usb")
    return Error{ErrorKind::unsupported,
                 "this build has no direct USB access; use pcsc with a running pcscd"};
  if (name.substr(0, socket.size()) == socket) {
    const auto path = name.substr(socket.size());
    if (!path.empty() && path.size() <= path_max) return make_socket_source(std::string(path));
    return Error{ErrorKind::bad_argument,
                 "the path in a socket:PATH reader source has 1 to 107 "
                 "bytes: '" +
                     std::string(name) + "'"};
  }
  return Error{ErrorKind::bad_argument, "'" + std::string(name) +
                                            "' is no reader source; there are pcsc, usb and "
                                            "socket:PATH"};
}

/// Threads that live within one call. The host's signal handlers never run in them.
class Helpers {
 public:
  template <class Work>
  bool start(Work work) {
    sigset_t all, before;
    sigfillset(&all);
    if (pthread_sigmask(SIG_SETMASK, &all, &before) != 0) return false;
    bool started = true;
    try {
      threads_.emplace_back(std::move(work));
    } catch (const std::system_error&) {
      started = false;  // the process has all the threads it may have
    }
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
    return started;
  }
  void join() {
    for (auto& thread : threads_)
      thread.join();
    threads_.clear();
  }
  ~Helpers() { join(); }

 private:
  std::vector<std::thread> threads_;
};

}  // namespace

Status ReaderSource::wait_or_stop(const std::vector<ReaderState>& known,
                                  std::chrono::milliseconds timeout, const WakeFlag& stop) {
  const auto deadline = deadline_after(timeout);
  while (!stop.raised() && Clock::now() < deadline) {
    const auto slice_end = std::min(deadline, Clock::now() + 100ms);
    const auto slice = std::chrono::ceil<std::chrono::milliseconds>(slice_end - Clock::now());
    if (auto waited = wait(known, slice); !waited) return waited;
    auto now = states();
    if (now ? *now != known : !known.empty()) return {};
  }
  return {};
}

/// The names under which each source's readers are shown. Kept for good, so that a reader that
/// goes and returns is the same reader; bounded against a source that invents names.
struct Readers::Names {
  static constexpr std::size_t most = 1000;
  using Place = std::pair<std::size_t, std::string>;  ///< source, its own name

  std::string shown(const ReaderSource& source, std::size_t index, const std::string& own) {
    const Place place{index, own};
    if (auto known = by_place.find(place); known != by_place.end()) return known->second;
    if (by_place.size() >= most) by_place.clear(), by_name.clear();
    std::string name = own;
    if (by_name.count(name) != 0) name += " (" + source.label() + ")";
    for (int n = 2; by_name.count(name) != 0; ++n) {
      name = own + " (" + source.label() + " " + std::to_string(n) + ")";
    }
    by_place[place] = name;
    by_name[name] = place;
    return name;
  }
  std::optional<Place> find(const std::string& name) {
    const auto found = by_name.find(name);
    if (found == by_name.end()) return std::nullopt;
    return found->second;
  }

  std::mutex mutex;
  std::map<Place, std::string> by_place;
  std::map<std::string, Place> by_name;
};

Result<std::unique_ptr<Readers>> Readers::open(const std::string& spec) {
  std::vector<std::unique_ptr<ReaderSource>> sources;
  std::set<std::string_view> seen;
  std::string_view rest = trimmed(spec).empty() ? std::string_view("pcsc") : spec;
  for (bool more = true; more;) {
    const auto comma = rest.find(',');
    more = comma != std::string_view::npos;
    const auto name = trimmed(rest.substr(0, comma));
    if (more) rest.remove_prefix(comma + 1);
    if (!seen.insert(name).second)
      return Error{ErrorKind::bad_argument,
                   "the reader source '" + std::string(name) + "' is named twice"};
    auto source = open_source(name);
    if (!source) return source.take_error();
    sources.push_back(std::move(*source));
  }
  return std::make_unique<Readers>(std::move(sources));
}

Readers::Readers(std::vector<std::unique_ptr<ReaderSource>> sources)
    : sources_(std::move(sources)), names_(std::make_unique<Names>()), process_(::getpid()) {}

Readers::~Readers() {
  if (process_ != ::getpid()) (void)names_.release();  // a thread of the parent may hold its lock
}

Result<std::vector<ReaderState>> Readers::states() {
  std::vector<ReaderState> all;
  std::optional<Error> failure;
  bool any = sources_.empty();
  for (std::size_t i = 0; i < sources_.size(); ++i) {
    auto states = sources_[i]->states();
    if (!states) {
      if (!failure) failure = states.take_error();
      continue;
    }
    any = true;
    const std::lock_guard lock(names_->mutex);
    for (auto& state : *states) {
      state.name = names_->shown(*sources_[i], i, state.name);
      all.push_back(std::move(state));
    }
  }
  if (!any) return *failure;
  return all;
}

/// What was known of each source, under its own names. Nothing: `known` names a reader that was
/// never there, so it differs from the truth already.
std::optional<Readers::KnownBySource> Readers::split(const std::vector<ReaderState>& known) {
  KnownBySource split(sources_.size());
  const std::lock_guard lock(names_->mutex);
  for (const auto& state : known) {
    const auto place = names_->find(state.name);
    if (!place) return std::nullopt;
    split[place->first].push_back(state);
    split[place->first].back().name = place->second;
  }
  return split;
}

Status Readers::wait(const std::vector<ReaderState>& known, std::chrono::milliseconds timeout) {
  const auto by_source = split(known);
  if (!by_source || sources_.empty()) return {};
  if (sources_.size() == 1) return sources_[0]->wait(by_source->front(), timeout);
  return wait_on_all(*by_source, timeout);
}

Status Readers::wait_on_all(const KnownBySource& known, std::chrono::milliseconds timeout) {
  WakeFlag stop;
  std::vector<Status> outcomes(sources_.size());
  const auto wait_on = [&](std::size_t i, std::chrono::milliseconds how_long) {
    outcomes[i] = sources_[i]->wait_or_stop(known[i], how_long, stop);
    stop.raise();
    for (auto& source : sources_)
      source->nudge();
  };
  Helpers helpers;
  bool all_started = true;
  for (std::size_t i = 1; i < sources_.size(); ++i) {
    all_started = helpers.start([&wait_on, i, timeout] { wait_on(i, timeout); }) && all_started;
  }
  // Without a thread for each, come back soon: the caller looks at all of them by states().
  wait_on(0, all_started ? timeout : std::min<std::chrono::milliseconds>(timeout, 200ms));
  helpers.join();
  for (auto& outcome : outcomes) {
    if (!outcome) return outcome;
  }
  return {};
}

void Readers::cancel() {
  for (auto& source : sources_)
    source->cancel();
}

Result<std::unique_ptr<Transport>> Readers::connect(const std::string& name) {
  const auto find = [&] {
    const std::lock_guard lock(names_->mutex);
    return names_->find(name);
  };
  auto place = find();
  if (!place) {
    if (auto looked = states(); !looked) return looked.take_error();
    place = find();
  }
  if (!place) return Error{ErrorKind::no_reader, "there is no reader " + name};
  return sources_[place->first]->connect_as(place->second, name);
}

void Readers::abandon() {
  for (auto& source : sources_)
    source->abandon();
}

}  // namespace kilt::apdu
