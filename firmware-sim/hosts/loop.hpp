// SPDX-License-Identifier: Apache-2.0
// The one poll loop of a running simulator: sockets, cards, timers and signals of all readers.
// Single-threaded, so that cards can be forked off at any time.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>

namespace kilt::sim {

class Loop {
 public:
  using Clock = std::chrono::steady_clock;
  using Ready = std::function<void(short revents)>;
  using Task = std::function<void()>;

  /// Calls `ready` when poll(2) reports something for `fd`. The loop does not own `fd`; forget it
  /// before closing it. A callback may forget any descriptor, its own included.
  void watch(int fd, short events, Ready ready);
  void set_events(int fd, short events);
  void forget(int fd);

  /// Runs `task` once from the loop, after `delay`. The number cancels it.
  std::uint64_t after(std::chrono::milliseconds delay, Task task);
  void cancel(std::uint64_t timer);
  void post(Task task) { after(std::chrono::milliseconds(0), std::move(task)); }

  /// Until stop().
  void run();
  /// Until `done()` is true (asked after each round) or the time is over; the last value of done().
  bool run_until(const std::function<bool()>& done, std::chrono::milliseconds limit);
  void stop() { stopped_ = true; }
  [[nodiscard]] bool stopped() const { return stopped_; }

 private:
  struct Watch {
    short events;
    std::uint64_t id;  ///< tells a descriptor from a later one with the same number
    std::shared_ptr<Ready> ready;
  };
  struct Timer {
    std::uint64_t id;
    Task task;
  };
  void round(std::chrono::milliseconds longest);
  int poll_time(std::chrono::milliseconds longest) const;
  void run_timers();

  std::map<int, Watch> watches_;
  std::multimap<Clock::time_point, Timer> timers_;
  std::uint64_t next_id_ = 1;
  bool stopped_ = false;
};

}  // namespace kilt::sim
