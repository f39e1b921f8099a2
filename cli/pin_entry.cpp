// SPDX-License-Identifier: Apache-2.0
#include "cli/pin_entry.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "cli/interrupt.hpp"

namespace kilt::cli {
namespace {

Error bad(std::string what) {
  return {ErrorKind::bad_argument, std::move(what)};
}

/// One line, without its end (LF or CRLF). Read byte by byte, so that the next PIN may follow on
/// the same descriptor, and so that nothing of it stays in a buffer.
Result<SecretBytes> read_line(int fd, const std::string& from) {
  SecretBytes pin(longest_pin + 1);
  std::uint8_t byte = 0;
  for (;;) {
    const ssize_t count = read(fd, &byte, 1);
    if (count < 0 && errno == EINTR && interrupted() == 0) continue;
    if (count < 0) return bad(fmt::format("{} cannot be read: {}", from, std::strerror(errno)));
    if (count == 0 || byte == '\n') break;
    if (pin.size() == pin.capacity()) {
      return Error{ErrorKind::pin_length, fmt::format("{} holds more than a PIN", from)};
    }
    pin.append({byte});
  }
  wipe({&byte, 1});
  if (!pin.empty() && pin.view().back() == '\r') pin.resize(pin.size() - 1);
  if (pin.empty()) return bad(fmt::format("{} holds no PIN", from));
  return pin;
}

Result<SecretBytes> read_from_file(const std::string& path, Console& console) {
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return bad(fmt::format("{} cannot be opened: {}", path, std::strerror(errno)));
  struct stat info {};
  if (fstat(fd, &info) == 0 && S_ISREG(info.st_mode) && (info.st_mode & (S_IRGRP | S_IROTH)) != 0) {
    console.warn(fmt::format("The PIN file {} can be read by other users of this machine.", path));
  }
  auto pin = read_line(fd, path);
  close(fd);
  return pin;
}

Result<SecretBytes> read_from_environment(const std::string& name) {
  char* value = std::getenv(name.c_str());
  if (value == nullptr) return bad(fmt::format("the environment variable {} is not set", name));
  const std::size_t length = std::strlen(value);
  if (length > longest_pin) {
    return Error{ErrorKind::pin_length, fmt::format("the variable {} holds more than a PIN", name)};
  }
  if (length == 0) return bad(fmt::format("the environment variable {} is empty", name));
  auto pin = SecretBytes::copy_of(as_bytes({value, length}));
  wipe({reinterpret_cast<std::uint8_t*>(value), length});
  unsetenv(name.c_str());
  return pin;
}

}  // namespace

void add_pin_options(CLI::App& command, PinOptions& options, const std::string& name,
                     const std::string& whose) {
  auto* file = command.add_option("--" + name + "-file", options.file,
                                  "Take " + whose + " from the first line of a file");
  auto* fd = command.add_option("--" + name + "-fd", options.fd,
                                "Take " + whose + " from a line of an open file descriptor");
  auto* variable = command.add_option("--" + name + "-env", options.variable,
                                      "Take " + whose + " from an environment variable");
  for (auto* option : {file, fd, variable})
    option->group("PIN entry");
  file->excludes(fd)->excludes(variable);
  fd->excludes(variable);
}

Result<SecretBytes> read_pin(const PinOptions& options, Console& console) {
  if (!options.file.empty()) return read_from_file(options.file, console);
  if (options.fd) return read_line(*options.fd, fmt::format("file descriptor {}", *options.fd));
  return read_from_environment(options.variable);
}

Result<PinSource> PinSource::open(const PinOptions& options, Console& console) {
  PinSource source;
  if (!options.given()) return source;
  auto pin = read_pin(options, console);
  if (!pin) return pin.take_error();
  source.read_ = *std::move(pin);
  return source;
}

Result<SecretBytes> PinSource::take(const std::string& prompt, bool twice) {
  if (read_) {
    SecretBytes pin = *std::move(read_);
    read_.reset();
    return pin;
  }
  auto pin = prompt_secret(prompt + ": ", longest_pin);
  if (!pin) return pin;
  if (pin->empty()) return bad("no PIN was typed");
  if (!twice) return pin;
  auto again = prompt_secret(prompt + ", once more: ", longest_pin);
  if (!again) return again;
  if (!pin->equals(again->view())) return bad("the two entries differ, so nothing was changed");
  return pin;
}

}  // namespace kilt::cli
