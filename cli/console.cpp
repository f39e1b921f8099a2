// SPDX-License-Identifier: Apache-2.0
#include "cli/console.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <termios.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>

#include "cli/interrupt.hpp"

namespace kilt::cli {
namespace {

bool colour_on(int fd) {
  const char* no_colour = std::getenv("NO_COLOR");
  return isatty(fd) == 1 && (no_colour == nullptr || *no_colour == '\0');
}

Error cancelled() {
  return {ErrorKind::cancelled, "the prompt was left by a signal"};
}

/// /dev/tty, with echo switched off while it lives if asked for. Ctrl-Z is held off meanwhile: a
/// stopped program would leave the shell without echo.
class Terminal {
 public:
  explicit Terminal(bool echo) : fd_(open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY)) {
    if (fd_ < 0 || echo || tcgetattr(fd_, &before_) != 0) return;
    std::signal(SIGTSTP, SIG_IGN);
    termios silent = before_;
    silent.c_lflag &= ~static_cast<tcflag_t>(ECHO);
    silent.c_lflag |= ICANON | ECHONL | ISIG;
    // What was typed before the question is no answer to it.
    silent_ = tcsetattr(fd_, TCSAFLUSH, &silent) == 0;
  }
  ~Terminal() {
    if (silent_) tcsetattr(fd_, TCSAFLUSH, &before_);
    std::signal(SIGTSTP, SIG_DFL);
    if (fd_ >= 0) close(fd_);
  }
  Terminal(const Terminal&) = delete;
  Terminal& operator=(const Terminal&) = delete;

  [[nodiscard]] bool is_open() const { return fd_ >= 0; }
  [[nodiscard]] bool is_silent() const { return silent_; }

  void show(const std::string& text) const {
    if (write(fd_, text.data(), text.size()) < 0) return;  // reading will say what is wrong
  }

  /// One byte of the line; 0 at its end, -1 on an error or a signal.
  int read_byte(std::uint8_t& byte) const {
    const ssize_t count = interrupted() != 0 ? -1 : read(fd_, &byte, 1);
    if (count < 0) return -1;
    return count == 1 && byte != '\n' ? 1 : 0;
  }

 private:
  int fd_;
  bool silent_ = false;
  termios before_{};
};

Error no_terminal() {
  return {ErrorKind::bad_argument, "there is no terminal to ask at (/dev/tty cannot be opened)"};
}

}  // namespace

void Console::warn(const std::string& sentence) {
  warnings_.push_back(sentence);
  if (quiet || json) return;
  fmt::print(stderr, "{} {}\n", bold("Warning:", error_colour()), sentence);
}

void Console::step(const std::string& sentence) const {
  if (!quiet && !json) fmt::print(stderr, "{}\n", sentence);
}

void Console::detail(const std::string& sentence) const {
  if (verbosity > 0) fmt::print(stderr, "{}\n", sentence);
}

bool Console::error_colour() {
  return colour_on(STDERR_FILENO);
}
bool Console::output_colour() {
  return colour_on(STDOUT_FILENO);
}

std::string bold(const std::string& text, bool colour) {
  return colour ? "\x1b[1m" + text + "\x1b[0m" : text;
}

bool has_terminal() {
  return Terminal(true).is_open();
}

Result<SecretBytes> prompt_secret(const std::string& prompt, std::size_t capacity) {
  const Terminal terminal(false);
  if (!terminal.is_open() || !terminal.is_silent()) return no_terminal();
  terminal.show(prompt);
  SecretBytes secret(capacity);
  std::uint8_t byte = 0;
  int state = 0;
  bool fits = true;
  while ((state = terminal.read_byte(byte)) == 1) {
    fits = fits && secret.size() < capacity;
    if (fits) secret.append({byte});
  }
  wipe({&byte, 1});
  if (state < 0) {
    terminal.show("\n");
    return cancelled();
  }
  if (!fits) return Error{ErrorKind::pin_length, "what was typed is longer than any PIN"};
  return secret;
}

Result<std::string> prompt_line(const std::string& prompt) {
  const Terminal terminal(true);
  if (!terminal.is_open()) return no_terminal();
  terminal.show(prompt);
  std::string line;
  std::uint8_t byte = 0;
  int state = 0;
  while ((state = terminal.read_byte(byte)) == 1 && line.size() < 1024) {
    line += static_cast<char>(byte);
  }
  if (state < 0) return cancelled();
  return line;
}

}  // namespace kilt::cli
