// SPDX-License-Identifier: Apache-2.0
#include "firmware-sim/hosts/stream.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace kilt::sim {

namespace {

constexpr std::size_t header_size = 4;
// Room for one whole message while another is being answered; more is left in the kernel.
constexpr std::size_t max_buffered = 2 * (max_message + header_size);

Error lost(const char* doing) {
  return {ErrorKind::removed, std::string(doing) + " failed: " + std::strerror(errno)};
}

Status read_exactly(int fd, std::uint8_t* to, std::size_t count,
                    std::optional<std::chrono::steady_clock::time_point> end) {
  while (count > 0) {
    if (end) {
      const auto left =
          std::chrono::ceil<std::chrono::milliseconds>(*end - std::chrono::steady_clock::now());
      pollfd entry{fd, POLLIN, 0};
      const int ready = left.count() <= 0 ? 0 : ::poll(&entry, 1, static_cast<int>(left.count()));
      if (ready < 0 && errno == EINTR) continue;
      if (ready == 0) return Error{ErrorKind::timeout, "the simulator did not answer in time"};
    }
    const auto got = ::recv(fd, to, count, 0);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return lost("reading from the simulator");
    if (got == 0) return Error{ErrorKind::removed, "the other side closed the connection"};
    to += got;
    count -= static_cast<std::size_t>(got);
  }
  return {};
}

}  // namespace

void put_u32(Bytes& to, std::uint64_t value) {
  for (int shift = 24; shift >= 0; shift -= 8)
    to.push_back(static_cast<std::uint8_t>(value >> shift));
}

void put_short(Bytes& to, ByteView bytes) {
  const auto size = std::min<std::size_t>(bytes.size(), 255);
  to.push_back(static_cast<std::uint8_t>(size));
  append(to, bytes.first(size));
}

std::uint32_t get_u32(ByteView from, std::size_t at) {
  std::uint32_t value = 0;
  for (const auto byte : from.subspan(at, 4))
    value = value << 8 | byte;
  return value;
}

Bytes encode(const Message& message) {
  Bytes wire;
  wire.reserve(header_size + 1 + message.payload.size());
  put_u32(wire, message.payload.size() + 1);
  wire.push_back(message.code);
  append(wire, message.payload);
  return wire;
}

Result<std::optional<Message>> take_message(Bytes& buffer) {
  if (buffer.size() < header_size) return std::optional<Message>{};
  const std::size_t size = get_u32(buffer, 0);
  if (size == 0 || size > max_message) {
    return Error{ErrorKind::protocol, "a message of " + std::to_string(size) + " bytes"};
  }
  if (buffer.size() < header_size + size) return std::optional<Message>{};
  const auto begin = buffer.begin() + header_size;
  const auto end = begin + static_cast<std::ptrdiff_t>(size);
  Message message{*begin, Bytes(begin + 1, end)};
  buffer.erase(buffer.begin(), end);
  return std::optional<Message>(std::move(message));
}

Status write_message(int fd, const Message& message) {
  const Bytes wire = encode(message);
  std::size_t sent = 0;
  while (sent < wire.size()) {
    const auto now = ::send(fd, wire.data() + sent, wire.size() - sent, MSG_NOSIGNAL);
    if (now < 0 && errno == EINTR) continue;
    if (now < 0) return lost("writing to the simulator");
    sent += static_cast<std::size_t>(now);
  }
  return {};
}

Result<Message> read_message(int fd, std::optional<std::chrono::milliseconds> limit) {
  std::optional<std::chrono::steady_clock::time_point> end;
  if (limit) end = std::chrono::steady_clock::now() + *limit;
  Bytes wire(header_size);
  if (auto done = read_exactly(fd, wire.data(), header_size, end); !done) return done.take_error();
  const std::size_t size = get_u32(wire, 0);
  if (size == 0 || size > max_message) {
    return Error{ErrorKind::protocol, "the other side speaks another protocol"};
  }
  wire.resize(header_size + size);
  if (auto done = read_exactly(fd, wire.data() + header_size, size, end); !done) {
    return done.take_error();
  }
  auto message = take_message(wire);
  if (!message) return message.take_error();
  return std::move(**message);
}

Stream::Stream(Loop& loop, UniqueFd fd) : loop_(loop), fd_(std::move(fd)) {
  ::fcntl(fd_.get(), F_SETFL, ::fcntl(fd_.get(), F_GETFL) | O_NONBLOCK);
  loop_.watch(fd_.get(), POLLIN, [this](short revents) { ready(revents); });
}

Stream::~Stream() {
  *alive_ = false;
  if (fd_) loop_.forget(fd_.get());
}

void Stream::send(const Message& message) {
  if (!fd_) return;
  append(out_, encode(message));
  flush();
  if (fd_) update_events();
}

void Stream::hold() {
  held_ = true;
}

void Stream::release() {
  if (!held_) return;
  held_ = false;
  if (delivering_ || !fd_) return;
  // Not from inside the caller's own call: what is buffered is delivered from the loop.
  loop_.post([this, alive = alive_] {
    if (!*alive) return;
    deliver();
  });
}

void Stream::ready(short revents) {
  const auto alive = alive_;
  if (revents & POLLOUT) flush();
  if (fd_ && (revents & (POLLIN | POLLHUP | POLLERR))) {
    receive();
    if (in_.size() >= max_buffered && (revents & (POLLHUP | POLLERR))) ended_ = true;
  }
  if (*alive) deliver();
}

void Stream::receive() {
  std::uint8_t chunk[16384];
  while (in_.size() < max_buffered) {
    const auto got = ::recv(fd_.get(), chunk, sizeof chunk, 0);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) break;
    if (got <= 0) {
      ended_ = true;
      break;
    }
    append(in_, ByteView(chunk, static_cast<std::size_t>(got)));
  }
}

void Stream::flush() {
  while (!out_.empty()) {
    const auto sent = ::send(fd_.get(), out_.data(), out_.size(), MSG_NOSIGNAL);
    if (sent < 0 && errno == EINTR) continue;
    if (sent < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) return;
    if (sent < 0) {
      out_.clear();
      ended_ = true;
      loop_.post([this, alive = alive_] {
        if (*alive) deliver();
      });
      return;
    }
    out_.erase(out_.begin(), out_.begin() + sent);
  }
}

void Stream::deliver() {
  const auto alive = alive_;
  delivering_ = true;
  bool broken = false;
  while (!held_ && !broken) {
    auto message = take_message(in_);
    broken = !message;
    if (broken || !*message) break;
    if (on_message) on_message(std::move(**message));
    if (!*alive) return;
  }
  delivering_ = false;
  // The other side went away: what it still wanted to ask nobody waits for.
  if (ended_ || broken) return close();
  update_events();
}

void Stream::update_events() {
  short events = in_.size() < max_buffered ? POLLIN : 0;
  if (!out_.empty()) events |= POLLOUT;
  loop_.set_events(fd_.get(), events);
}

void Stream::close() {
  if (!fd_) return;
  loop_.forget(fd_.get());
  fd_.reset();
  const auto tell = std::move(on_closed);
  if (tell) tell();
}

}  // namespace kilt::sim
