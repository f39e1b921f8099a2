// SPDX-License-Identifier: Apache-2.0
#include "pkcs11/log.hpp"

#include <unistd.h>

#include <array>
#include <atomic>
#include <cstdio>
#include <ctime>

#include "apdu/own_file.hpp"

namespace kilt::p11 {
namespace {

// Plain atomics without destructors: a call that comes after the process began to end still works.
std::atomic<LogLevel> threshold{LogLevel::off};
std::atomic<int> target{STDERR_FILENO};  ///< nowhere below 0; a file of ours above stderr
std::atomic<dev_t> device{0};            ///< of that file
std::atomic<ino_t> inode{0};

constexpr std::array<std::string_view, 5> names{"off", "error", "warn", "info", "debug"};

constexpr int nowhere = -1;

apdu::OwnFile file_at(int number) {
  return {number, device, inode};
}

bool is_still_ours(int number) {
  return number == STDERR_FILENO || file_at(number).is_ours();
}

void leave_target() {
  const int old = target.exchange(nowhere);
  if (old != STDERR_FILENO) file_at(old).close();
}

bool use_file(const std::string& path) {
  const auto file = apdu::OwnFile::append_to(path);
  if (file.number < 0) return false;
  leave_target();
  device = file.device;
  inode = file.inode;
  target = file.number;
  return true;
}

void write_line(std::string_view line) {
  int fd = target.load();
  if (fd == nowhere) return;
  if (!is_still_ours(fd)) {
    // Not closed: it is somebody else's. Nor the threshold changed: a new log may have begun.
    target.compare_exchange_strong(fd, nowhere);
    return;
  }
  [[maybe_unused]] const auto written = ::write(fd, line.data(), line.size());
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
  if (colon == std::string_view::npos) {
    leave_target();
    target = STDERR_FILENO;
  } else if (!use_file(std::string(spec.substr(colon + 1)))) {
    return false;
  }
  threshold = level;
  return true;
}

bool logs(LogLevel level) {
  return level <= threshold.load(std::memory_order_relaxed) && target != nowhere;
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
  // A hostile label must not forge a second line, nor tell a terminal what to do.
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    line += byte < 0x20 || byte == 0x7F ? ' ' : c;
  }
  line += '\n';
  write_line(line);
}

}  // namespace kilt::p11
