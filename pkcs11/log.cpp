// SPDX-License-Identifier: Apache-2.0
#include "pkcs11/log.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cstdio>
#include <ctime>

namespace kilt::p11 {
namespace {

// Plain atomics without destructors: a call that comes after the process began to end still works.
std::atomic<LogLevel> threshold{LogLevel::off};
std::atomic<int> target{STDERR_FILENO};

constexpr std::array<std::string_view, 5> names{"off", "error", "warn", "info", "debug"};

void use_target(int fd) {
  const int old = target.exchange(fd);
  if (old > STDERR_FILENO) ::close(old);
}

}  // namespace

bool open_log(std::string_view spec) {
  threshold = LogLevel::off;
  if (spec.empty()) return true;
  const auto colon = spec.find(':');
  const std::string_view wanted = spec.substr(0, colon);
  auto level = LogLevel::off;
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (names[i] == wanted) level = static_cast<LogLevel>(i);
  }
  if (level == LogLevel::off) return wanted == names[0];
  int fd = STDERR_FILENO;
  if (colon != std::string_view::npos) {
    const std::string path(spec.substr(colon + 1));
    fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOCTTY, 0600);
    if (fd < 0) return false;
  }
  use_target(fd);
  threshold = level;
  return true;
}

bool logs(LogLevel level) {
  return level <= threshold.load(std::memory_order_relaxed);
}

void log(LogLevel level, std::string_view text) {
  if (level == LogLevel::off || !logs(level)) return;
  timespec now{};
  ::clock_gettime(CLOCK_REALTIME, &now);
  tm day{};
  ::gmtime_r(&now.tv_sec, &day);
  char head[100];
  const int length = std::snprintf(
      head, sizeof head,
      "%04d-%02d-%02dT%02d:%02d:%02d.%03ldZ kilt-pkcs11[%d/%d] %s: ", day.tm_year + 1900,
      day.tm_mon + 1, day.tm_mday, day.tm_hour, day.tm_min, day.tm_sec, now.tv_nsec / 1000000,
      static_cast<int>(::getpid()), static_cast<int>(::gettid()),
      names[static_cast<std::size_t>(level)].data());
  std::string line(head, static_cast<std::size_t>(length));
  // A hostile label must not forge a second line.
  for (const char c : text)
    line += (c == '\n' || c == '\r') ? ' ' : c;
  line += '\n';
  [[maybe_unused]] const auto written = ::write(target.load(), line.data(), line.size());
}

}  // namespace kilt::p11
