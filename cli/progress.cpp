// SPDX-License-Identifier: Apache-2.0
#include "cli/progress.hpp"

#include <fmt/format.h>
#include <pthread.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <csignal>
#include <cstdio>

namespace kilt::cli {

Progress::Progress(const Console& console, std::string sentence) : sentence_(std::move(sentence)) {
  if (console.quiet || console.json) return;
  long_work_.emplace();
  if (isatty(STDERR_FILENO) != 1) {
    console.step(sentence_);
    return;
  }
  // Signals go to the main thread, which knows what to do with them.
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  thread_ = std::thread([this] { spin(); });
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

Progress::~Progress() {
  if (!thread_.joinable()) return;
  {
    const std::lock_guard lock(mutex_);
    end_ = true;
  }
  ended_.notify_one();
  thread_.join();
  fmt::print(stderr, "\r\x1b[K");
}

void Progress::spin() {
  constexpr std::array marks{'|', '/', '-', '\\'};
  const auto begin = std::chrono::steady_clock::now();
  std::unique_lock lock(mutex_);
  for (std::size_t i = 0; !end_; ++i) {
    const auto seconds =
        std::chrono::duration_cast<std::chrono::seconds>(std::chrono::steady_clock::now() - begin);
    fmt::print(stderr, "\r{} {} ({} s)\x1b[K", marks[i % marks.size()], sentence_, seconds.count());
    std::fflush(stderr);
    ended_.wait_for(lock, std::chrono::milliseconds(200));
  }
}

}  // namespace kilt::cli
