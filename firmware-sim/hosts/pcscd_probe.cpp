// SPDX-License-Identifier: Apache-2.0
#include "firmware-sim/hosts/pcscd_probe.hpp"

#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <cerrno>
#include <cstring>

namespace kilt::sim {

namespace {

// The messages are C structures in the machine's own byte order [pcsc-lite 1.9.9 winscard_msg.h,
// eventhandler.h].
struct Header {
  std::uint32_t size;
  std::uint32_t command;
};
struct Version {
  std::int32_t major;
  std::int32_t minor;
  std::uint32_t result;
};
struct ReaderState {
  char name[128];
  std::uint32_t events;
  std::uint32_t state;
  std::int32_t sharing;
  std::uint8_t atr[33];
  std::uint32_t atr_length;
  std::uint32_t protocol;
};
constexpr std::uint32_t command_version = 0x11;
constexpr std::uint32_t command_readers_state = 0x12;
constexpr std::size_t max_readers = 16;
constexpr std::uint32_t card_present = 0x0004;
constexpr std::uint32_t card_powered = 0x0010;
constexpr std::chrono::milliseconds interval{2};

template <class T>
ByteView raw(const T& value) {
  return {reinterpret_cast<const std::uint8_t*>(&value), sizeof value};
}

}  // namespace

PcscdProbe::PcscdProbe(Loop& loop, const std::string& socket) : loop_(loop) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, socket.data(),
              std::min(socket.size(), sizeof address.sun_path - 1));
  fd_ = UniqueFd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (::connect(fd_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    end();
    return;
  }
  loop_.watch(fd_.get(), POLLIN, [this](short) { ready(); });
  ask_version();
}

PcscdProbe::~PcscdProbe() {
  if (fd_) end();
  loop_.cancel(timer_);
}

void PcscdProbe::end() {
  loop_.forget(fd_.get());
  fd_.reset();
}

void PcscdProbe::send(ByteView bytes) {
  if (::send(fd_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL) < 0) end();
}

void PcscdProbe::ask_version() {
  Bytes request;
  append(request, raw(Header{sizeof(Version), command_version}));
  append(request, raw(Version{4, 4, 0}));
  send(request);
}

void PcscdProbe::ask_states() {
  if (fd_) send(raw(Header{0, command_readers_state}));
}

void PcscdProbe::ready() {
  std::uint8_t chunk[4096];
  const auto got = ::recv(fd_.get(), chunk, sizeof chunk, 0);
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (got <= 0) {
    foreign_ = true;  // closed on us: it does not know this protocol
    return end();
  }
  append(in_, ByteView(chunk, static_cast<std::size_t>(got)));
  judge();
}

void PcscdProbe::judge() {
  if (!greeted_) {
    if (in_.size() < sizeof(Version)) return;
    Version version{};
    std::memcpy(&version, in_.data(), sizeof version);
    in_.clear();
    greeted_ = true;
    foreign_ = version.result != 0;
    if (!foreign_) ask_states();
    return;
  }
  if (in_.size() < max_readers * sizeof(ReaderState)) return;
  count_cards();
  in_.clear();
  timer_ = loop_.after(interval, [this] { ask_states(); });
}

void PcscdProbe::count_cards() {
  cards_ = 0;
  for (std::size_t i = 0; i < max_readers; ++i) {
    ReaderState reader{};
    std::memcpy(&reader, in_.data() + i * sizeof reader, sizeof reader);
    const bool ready = (reader.state & card_present) != 0 && (reader.state & card_powered) != 0;
    if (reader.name[0] != '\0' && ready) ++cards_;
  }
}

}  // namespace kilt::sim
