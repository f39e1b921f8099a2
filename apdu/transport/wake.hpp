// SPDX-License-Identifier: Apache-2.0
// A flag that a waiting thread can poll(), and the clock of bounded waits.
#pragma once

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstdint>

namespace kilt::apdu {

using Clock = std::chrono::steady_clock;

/// `timeout` from now; milliseconds::max() (and anything over a year) never comes, a negative one
/// has come already.
[[nodiscard]] inline Clock::time_point deadline_after(std::chrono::milliseconds timeout) {
  constexpr std::chrono::milliseconds year = std::chrono::hours(24 * 365);
  if (timeout >= year) return Clock::time_point::max();
  return Clock::now() + std::max(timeout, std::chrono::milliseconds(0));
}

/// What poll() takes: -1 for a deadline that never comes, rounded up so that a wait never ends
/// early, at most a minute (so callers loop).
[[nodiscard]] inline int poll_timeout(Clock::time_point deadline) {
  if (deadline == Clock::time_point::max()) return -1;
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock::now()).count();
  return static_cast<int>(std::clamp<decltype(left)>(left, 0, 60'000));
}

/// Set once, from any thread or a signal handler, and set for good. Usable by poll() until then.
class WakeFlag {
 public:
  WakeFlag() : fd_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {}
  WakeFlag(const WakeFlag&) = delete;
  WakeFlag& operator=(const WakeFlag&) = delete;
  ~WakeFlag() {
    if (fd_ >= 0) ::close(fd_);
  }

  void raise() {
    raised_.store(true);
    const std::uint64_t one = 1;
    // Can only fail when the counter is full, and then it is readable already.
    if (fd_ >= 0) [[maybe_unused]]
      const auto written = ::write(fd_, &one, sizeof one);
  }
  [[nodiscard]] bool raised() const { return raised_.load(); }
  [[nodiscard]] int fd() const { return fd_; }

  /// Sleeps until the deadline or the flag, whichever is first. True: the flag.
  [[nodiscard]] bool wait_until(Clock::time_point deadline) const {
    while (!raised() && Clock::now() < deadline) {
      // Without an eventfd (descriptors used up) the flag is looked at ten times a second.
      pollfd waiting{fd_, POLLIN, 0};
      const int timeout = poll_timeout(deadline);
      const bool blind = fd_ < 0;
      ::poll(&waiting, 1, blind ? std::min(timeout < 0 ? 100 : timeout, 100) : timeout);
    }
    return raised();
  }

 private:
  int fd_;
  std::atomic<bool> raised_{false};
};

}  // namespace kilt::apdu
