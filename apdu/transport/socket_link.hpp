// SPDX-License-Identifier: Apache-2.0
// One connection to a simulator's socket: frames out, frames in, never longer than a deadline.
//
// The protocol, as firmware-sim/hosts/README.md has it: every message is 4 bytes length of the
// rest, 1 byte code, payload; numbers are big-endian; each request has one answer, in order.
#pragma once

#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/un.h>

#include <array>
#include <cstring>
#include <memory>
#include <string>
#include <utility>

#include "apdu/bytes.hpp"
#include "apdu/result.hpp"
#include "apdu/transport/wake.hpp"

namespace kilt::apdu {

/// A longer message, or one shorter than its code, ends the connection.
inline constexpr std::size_t socket_frame_max = 70'000;

struct SocketAnswer {
  std::uint8_t code = 0;
  Bytes payload;
};

namespace socket_detail {

inline Error gone() {
  return {ErrorKind::removed, "the simulator has closed the connection"};
}

inline Error cannot_open(const std::string& path, int number) {
  const std::string why = path + ": " + std::strerror(number);
  if (number == EACCES || number == EPERM)
    return {ErrorKind::no_permission, "the simulator's socket refuses this user: " + why};
  return {ErrorKind::no_service, "no simulator listens (start one with kilt-sim run): " + why};
}

}  // namespace socket_detail

/// Not thread-safe. Errors of every call: removed (the other end is gone), timeout, cancelled,
/// transport (a broken frame). After any of them the link is closed, because a late answer would
/// be taken for that of the next request.
class SocketLink {
 public:
  /// Errors: no_service (nobody listens), no_permission, bad_argument (path too long), timeout.
  /// Once `quit` is raised, a peer that hangs may hold a call up for `grace` and no longer; then
  /// the call answers `cancelled`. So a logout still gets through when the program ends.
  static Result<SocketLink> open(const std::string& path, Clock::time_point deadline,
                                 std::shared_ptr<WakeFlag> quit, std::chrono::milliseconds grace);
  SocketLink(SocketLink&& other) noexcept
      : fd_(std::exchange(other.fd_, -1)), quit_(std::move(other.quit_)), grace_(other.grace_) {}
  SocketLink& operator=(SocketLink&&) = delete;
  ~SocketLink() { close(); }

  Result<SocketAnswer> ask(char code, ByteView payload, Clock::time_point deadline);
  Status send(char code, ByteView payload, Clock::time_point deadline);
  Result<SocketAnswer> receive(Clock::time_point deadline);

  [[nodiscard]] bool is_open() const { return fd_ >= 0; }
  [[nodiscard]] int fd() const { return fd_; }
  void close() {
    // Emptied first: a thread that forks in between must not close a stranger's descriptor.
    if (const int fd = std::exchange(fd_, -1); fd >= 0) ::close(fd);
  }

 private:
  SocketLink(int fd, std::shared_ptr<WakeFlag> quit, std::chrono::milliseconds grace)
      : fd_(fd), quit_(std::move(quit)), grace_(grace) {}
  Error broken(Error error) {
    close();
    return error;
  }
  Status wait_for(short events, Clock::time_point& deadline);
  Status read_exactly(std::span<std::uint8_t> into, Clock::time_point& deadline);

  int fd_;
  std::shared_ptr<WakeFlag> quit_;
  std::chrono::milliseconds grace_;
};

inline Result<SocketLink> SocketLink::open(const std::string& path, Clock::time_point deadline,
                                           std::shared_ptr<WakeFlag> quit,
                                           std::chrono::milliseconds grace) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.empty() || path.size() >= sizeof address.sun_path)
    return Error{ErrorKind::bad_argument, "a socket path has 1 to 107 bytes: " + path};
  std::memcpy(address.sun_path, path.data(), path.size());

  SocketLink link(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), std::move(quit),
                  grace);
  if (!link.is_open())
    return Error{ErrorKind::transport, std::string("socket: ") + std::strerror(errno)};
  while (::connect(link.fd_, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    if (errno == EINTR) continue;
    if (errno != EAGAIN) return socket_detail::cannot_open(path, errno);
    // The queue of a busy or hung simulator is full; a Unix socket cannot be polled for its turn.
    if (Clock::now() >= deadline)
      return Error{ErrorKind::timeout, "the simulator accepts no connection: " + path};
    const auto next_try = std::min(deadline, Clock::now() + std::chrono::milliseconds(10));
    if (link.quit_->wait_until(next_try))
      return Error{ErrorKind::cancelled, "connecting to the simulator was given up"};
  }
  return link;
}

inline Status SocketLink::wait_for(short events, Clock::time_point& deadline) {
  bool hurried = false;
  for (;;) {
    if (quit_->raised() && !hurried) {
      hurried = true;
      deadline = std::min(deadline, Clock::now() + grace_);
    }
    std::array<pollfd, 2> waiting{{{fd_, events, 0}, {hurried ? -1 : quit_->fd(), POLLIN, 0}}};
    const int ready = ::poll(waiting.data(), waiting.size(), poll_timeout(deadline));
    if (ready < 0 && errno != EINTR)
      return Error{ErrorKind::transport, std::string("poll: ") + std::strerror(errno)};
    if (ready > 0 && waiting[0].revents != 0) return {};
    if (Clock::now() < deadline) continue;
    if (hurried) return Error{ErrorKind::cancelled, "waiting for the simulator was given up"};
    return Error{ErrorKind::timeout, "the simulator does not answer in time"};
  }
}

inline Status SocketLink::send(char code, ByteView payload, Clock::time_point deadline) {
  if (!is_open()) return socket_detail::gone();
  if (payload.size() >= socket_frame_max)
    return Error{ErrorKind::bad_argument, "a message of more than 70000 bytes"};
  const auto length = static_cast<std::uint32_t>(payload.size() + 1);
  std::array<std::uint8_t, 5> head{
      static_cast<std::uint8_t>(length >> 24), static_cast<std::uint8_t>(length >> 16),
      static_cast<std::uint8_t>(length >> 8), static_cast<std::uint8_t>(length),
      static_cast<std::uint8_t>(code)};
  // The payload goes out from where it lies: it may hold a PIN, which must not be copied.
  std::array<iovec, 2> parts{
      {{head.data(), head.size()}, {const_cast<std::uint8_t*>(payload.data()), payload.size()}}};
  std::size_t left = head.size() + payload.size();
  while (left > 0) {
    msghdr message{};
    message.msg_iov = parts.data();
    message.msg_iovlen = parts.size();
    const ssize_t sent = ::sendmsg(fd_, &message, MSG_NOSIGNAL);
    if (sent < 0) {
      if (errno == EINTR) continue;
      if (errno != EAGAIN) return broken(socket_detail::gone());
      if (auto writable = wait_for(POLLOUT, deadline); !writable)
        return broken(writable.take_error());
      continue;
    }
    auto done = static_cast<std::size_t>(sent);
    left -= done;
    for (auto& part : parts) {
      const std::size_t step = std::min(done, part.iov_len);
      part.iov_base = static_cast<std::uint8_t*>(part.iov_base) + step;
      part.iov_len -= step;
      done -= step;
    }
  }
  return {};
}

inline Status SocketLink::read_exactly(std::span<std::uint8_t> into, Clock::time_point& deadline) {
  while (!into.empty()) {
    const ssize_t got = ::recv(fd_, into.data(), into.size(), 0);
    if (got > 0) {
      into = into.subspan(static_cast<std::size_t>(got));
    } else if (got == 0 || (errno != EINTR && errno != EAGAIN)) {
      return socket_detail::gone();
    } else if (errno == EAGAIN) {
      if (auto readable = wait_for(POLLIN, deadline); !readable) return readable;
    }
  }
  return {};
}

inline Result<SocketAnswer> SocketLink::receive(Clock::time_point deadline) {
  if (!is_open()) return socket_detail::gone();
  std::array<std::uint8_t, 5> head{};
  if (auto read = read_exactly(std::span(head).first(4), deadline); !read)
    return broken(read.take_error());
  const std::size_t length =
      std::size_t{head[0]} << 24 | std::size_t{head[1]} << 16 | std::size_t{head[2]} << 8 | head[3];
  if (length < 1 || length > socket_frame_max)
    return broken({ErrorKind::transport,
                   "the simulator sent a message of " + std::to_string(length) + " bytes"});
  if (auto read = read_exactly(std::span(head).last(1), deadline); !read)
    return broken(read.take_error());
  SocketAnswer answer{head[4], Bytes(length - 1)};
  if (auto read = read_exactly(answer.payload, deadline); !read) return broken(read.take_error());
  return answer;
}

inline Result<SocketAnswer> SocketLink::ask(char code, ByteView payload,
                                            Clock::time_point deadline) {
  if (auto sent = send(code, payload, deadline); !sent) return sent.take_error();
  return receive(deadline);
}

}  // namespace kilt::apdu
