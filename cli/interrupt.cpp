// SPDX-License-Identifier: Apache-2.0
#include "cli/interrupt.hpp"

#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <csignal>
#include <string_view>

namespace kilt::cli {
namespace {

std::atomic<int> signal_seen = 0;
static_assert(std::atomic<int>::is_always_lock_free, "a signal handler may use it");

std::atomic<bool> long_work = false;

void note(int number) {
  if (signal_seen.exchange(number) == 0) {
    constexpr std::string_view text =
        "\nThe card finishes and logs out first; the same signal again leaves at once.\n";
    const int reason = errno;
    if (long_work && write(STDERR_FILENO, text.data(), text.size()) < 0) long_work = false;
    errno = reason;
    return;
  }
  // A terminal left without echo would be the only harm of leaving now; a prompt is never left
  // standing by the first signal, so there is none.
  std::signal(number, SIG_DFL);
  std::raise(number);
}

}  // namespace

void watch_for_interrupts() {
  struct sigaction action {};
  action.sa_handler = note;
  sigemptyset(&action.sa_mask);
  action.sa_flags = SA_NODEFER;  // without SA_RESTART: a prompt must return
  for (const int number : {SIGINT, SIGTERM, SIGHUP})
    sigaction(number, &action, nullptr);
}

int interrupted() {
  return signal_seen;
}

void end_if_interrupted() {
  const int number = signal_seen;
  if (number == 0) return;
  std::signal(number, SIG_DFL);
  std::raise(number);
}

LongWork::LongWork() {
  long_work = true;
}
LongWork::~LongWork() {
  long_work = false;
}

}  // namespace kilt::cli
