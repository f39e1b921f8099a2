// SPDX-License-Identifier: Apache-2.0
#include "firmware-sim/hosts/vpcd_host.hpp"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>

#include <cerrno>

namespace kilt::sim {

namespace {

constexpr std::chrono::milliseconds redial_interval{5};

void set_option(int fd, int option) {
  const int on = 1;
  (void)::setsockopt(fd, IPPROTO_TCP, option, &on, sizeof on);
}

}  // namespace

VpcdHost::VpcdHost(Loop& loop, Reader& reader, std::uint16_t port, MakeSocket make_socket)
    : loop_(loop), reader_(reader), port_(port), make_socket_(std::move(make_socket)) {
  reader_.on_change([this] { follow_card(); });
  follow_card();
}

VpcdHost::~VpcdHost() {
  loop_.cancel(timer_);
  hang_up();
}

void VpcdHost::follow_card() {
  if (!reader_.present()) return hang_up();
  if (!fd_) dial();
}

void VpcdHost::hang_up() {
  ++call_;
  connected_ = false;
  attached_ = false;
  busy_ = false;
  in_.clear();
  if (fd_) loop_.forget(fd_.get());
  fd_.reset();
}

void VpcdHost::dial() {
  auto made = make_socket_();
  if (!made) return dial_again();
  fd_ = std::move(*made);
  ::fcntl(fd_.get(), F_SETFL, ::fcntl(fd_.get(), F_GETFL) | O_NONBLOCK);
  set_option(fd_.get(), TCP_NODELAY);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port_);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  const int done =
      ::connect(fd_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address);
  if (done != 0 && errno != EINPROGRESS) return dial_again();
  loop_.watch(fd_.get(), POLLOUT, [this](short revents) { ready(revents); });
}

void VpcdHost::dial_again() {
  hang_up();
  loop_.cancel(timer_);
  timer_ = loop_.after(redial_interval, [this] { follow_card(); });
}

void VpcdHost::dialled() {
  int error = 0;
  socklen_t size = sizeof error;
  ::getsockopt(fd_.get(), SOL_SOCKET, SO_ERROR, &error, &size);
  if (error != 0) return dial_again();
  connected_ = true;
  loop_.set_events(fd_.get(), POLLIN);
}

void VpcdHost::ready(short) {
  if (!connected_) return dialled();
  receive();
}

void VpcdHost::receive() {
  std::uint8_t chunk[16384];
  // vpcd 3.3 writes length and body apart. Without this the second write waits for our delayed
  // acknowledgement, 44 ms per APDU instead of 42 us [facts sim-transport §2].
  set_option(fd_.get(), TCP_QUICKACK);
  const auto got = ::recv(fd_.get(), chunk, sizeof chunk, 0);
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (got <= 0) return dial_again();  // pcscd ended; another one may come
  append(in_, ByteView(chunk, static_cast<std::size_t>(got)));
  next();
}

void VpcdHost::next() {
  while (!busy_ && reader_.present() && in_.size() >= 2) {
    const std::size_t size = be16(in_[0], in_[1]);
    if (in_.size() < 2 + size) return;
    const auto body = in_.begin() + 2;
    const auto end = body + static_cast<std::ptrdiff_t>(size);
    Bytes message(body, end);
    in_.erase(in_.begin(), end);
    if (!message.empty()) hear(std::move(message));
  }
}

void VpcdHost::hear(Bytes message) {
  attached_ = true;
  busy_ = true;
  const auto call = call_;
  const auto go_on = [this, call](Code, const Bytes&) {
    if (call != call_) return;
    busy_ = false;
    next();
  };
  if (message.size() > 1) {
    return reader_.transmit(std::move(message), [this, call](Code code, const Bytes& response) {
      if (call != call_) return;
      // The protocol has no words for a mute card: only the end of the connection says it.
      if (code != Code::done) return dial_again();
      answer(response);
    });
  }
  switch (message[0]) {
    case 0:
      return reader_.power_off(go_on);
    case 1:
      return reader_.power_on(go_on);
    case 2:
      return reader_.reset(go_on);
    case 4:
      return answer(reader_.facts().atr);
    default:
      return go_on(Code::done, {});
  }
}

void VpcdHost::answer(ByteView bytes) {
  Bytes wire;
  append_be16(wire, bytes.size());
  append(wire, bytes);
  // A command comes after the answer to the last one, so there is always room for it.
  if (::send(fd_.get(), wire.data(), wire.size(), MSG_NOSIGNAL) !=
      static_cast<ssize_t>(wire.size())) {
    return dial_again();
  }
  busy_ = false;
  next();
}

}  // namespace kilt::sim
