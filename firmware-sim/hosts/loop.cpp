// SPDX-License-Identifier: Apache-2.0
#include "firmware-sim/hosts/loop.hpp"

#include <poll.h>

#include <algorithm>
#include <cerrno>
#include <system_error>
#include <vector>

namespace kilt::sim {

void Loop::watch(int fd, short events, Ready ready) {
  watches_[fd] = {events, next_id_++, std::make_shared<Ready>(std::move(ready))};
}

void Loop::set_events(int fd, short events) {
  if (auto found = watches_.find(fd); found != watches_.end()) found->second.events = events;
}

void Loop::forget(int fd) {
  watches_.erase(fd);
}

std::uint64_t Loop::after(std::chrono::milliseconds delay, Task task) {
  const auto id = next_id_++;
  timers_.emplace(Clock::now() + delay, Timer{id, std::move(task)});
  return id;
}

void Loop::cancel(std::uint64_t timer) {
  const auto found = std::find_if(timers_.begin(), timers_.end(),
                                  [&](const auto& entry) { return entry.second.id == timer; });
  if (found != timers_.end()) timers_.erase(found);
}

void Loop::run() {
  while (!stopped_)
    round(std::chrono::hours(1));
}

bool Loop::run_until(const std::function<bool()>& done, std::chrono::milliseconds limit) {
  const auto end = Clock::now() + limit;
  while (!done()) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(end - Clock::now());
    if (left.count() <= 0) return false;
    round(left);
  }
  return true;
}

int Loop::poll_time(std::chrono::milliseconds longest) const {
  if (!timers_.empty()) {
    const auto due =
        std::chrono::ceil<std::chrono::milliseconds>(timers_.begin()->first - Clock::now());
    longest = std::clamp(due, std::chrono::milliseconds(0), longest);
  }
  return static_cast<int>(longest.count());
}

void Loop::round(std::chrono::milliseconds longest) {
  std::vector<pollfd> fds;
  std::vector<std::uint64_t> ids;
  fds.reserve(watches_.size());
  for (const auto& [fd, entry] : watches_) {
    fds.push_back({fd, entry.events, 0});
    ids.push_back(entry.id);
  }
  const int ready = ::poll(fds.data(), fds.size(), poll_time(longest));
  if (ready < 0 && errno != EINTR) throw std::system_error(errno, std::generic_category(), "poll");
  if (ready > 0) {
    for (std::size_t i = 0; i < fds.size(); ++i) {
      if (fds[i].revents == 0) continue;
      const auto found = watches_.find(fds[i].fd);
      if (found == watches_.end() || found->second.id != ids[i]) continue;
      const auto keep = found->second.ready;  // survives its own forget()
      (*keep)(fds[i].revents);
    }
  }
  run_timers();
}

void Loop::run_timers() {
  const auto now = Clock::now();
  // What a task adds waits for the next round, so a task that re-posts itself starves nobody.
  std::vector<std::uint64_t> due;
  for (const auto& [when, timer] : timers_) {
    if (when > now) break;
    due.push_back(timer.id);
  }
  for (const auto id : due) {
    const auto found = std::find_if(timers_.begin(), timers_.end(),
                                    [&](const auto& entry) { return entry.second.id == id; });
    if (found == timers_.end()) continue;  // cancelled by an earlier one
    const auto task = std::move(found->second.task);
    timers_.erase(found);
    task();
  }
}

}  // namespace kilt::sim
