// SPDX-License-Identifier: Apache-2.0
#include "tests/transport/fake_simulator.hpp"

#include <array>
#include <chrono>
#include <utility>

namespace kilt::test {
namespace {

constexpr auto tick = std::chrono::milliseconds(5);

void append_be32(Bytes& to, std::uint32_t value) {
  append_be16(to, value >> 16);
  append_be16(to, value & 0xFFFF);
}

void append_counted(Bytes& to, ByteView field) {
  to.push_back(static_cast<std::uint8_t>(field.size()));
  append(to, field);
}

Bytes epoch_of(const FakeCard& card) {
  Bytes payload;
  append_be32(payload, card.epoch());
  return FakeSimulator::message(0, payload);
}

}  // namespace

FakeSimulator::FakeSimulator(std::string path, std::string reader_name)
    : name_(std::move(reader_name)),
      server_(std::move(path), [this](const Peer& peer) { serve(peer); }) {}

FakeSimulator::~FakeSimulator() {
  stop();
}

void FakeSimulator::start() {
  stopping_ = false;
  server_.start();
}

void FakeSimulator::stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    lock_holder_ = -1;
  }
  condition_.notify_all();
  card.let_go();
  server_.stop();
}

Bytes FakeSimulator::message(std::uint8_t code, ByteView payload) {
  Bytes bytes;
  append_be32(bytes, static_cast<std::uint32_t>(payload.size() + 1));
  bytes.push_back(code);
  append(bytes, payload);
  return bytes;
}

void FakeSimulator::answer_raw(char request, Bytes raw, bool hang_up) {
  const std::lock_guard lock(mutex_);
  misdeeds_[request] = {std::move(raw), hang_up, false};
}

void FakeSimulator::hang_on(char request) {
  const std::lock_guard lock(mutex_);
  misdeeds_[request] = {{}, false, true};
}

void FakeSimulator::serve(const Peer& peer) {
  Client client;
  std::array<std::uint8_t, 5> head{};
  while (peer.read(head)) {
    const std::size_t length = std::size_t{head[1]} << 16 | std::size_t{head[2]} << 8 | head[3];
    if (head[0] != 0 || length < 1) break;
    Bytes payload(length - 1);
    if (!peer.read(payload)) break;
    const char code = static_cast<char>(head[4]);
    std::optional<Misdeed> misdeed;
    {
      const std::lock_guard lock(mutex_);
      if (auto found = misdeeds_.extract(code)) misdeed = std::move(found.mapped());
    }
    if (misdeed && misdeed->hang) {
      while (!peer.disturbed(1000)) {
      }
      break;
    }
    if (misdeed) {
      peer.write(misdeed->raw);
      if (misdeed->hang_up) break;
      continue;
    }
    const Bytes reply = answer(peer, client, code, payload);
    if (reply.empty() || !peer.write(reply)) break;
    if (code == 'D') client.connected = false;
  }
  release_lock(peer);
  if (client.connected) card.reset();
}

Bytes FakeSimulator::status() {
  Bytes payload{static_cast<std::uint8_t>(card.present() ? 1 : 0)};
  append_be32(payload, card.insertions());
  append_counted(payload, card.present() ? ByteView(card.atr()) : ByteView());
  append_counted(payload, as_bytes(name_));
  return message(0, payload);
}

Bytes FakeSimulator::connect_payload() {
  Bytes payload;
  append_be32(payload, card.insertions());
  append_be32(payload, card.epoch());
  payload.push_back(protocol);
  append_be32(payload, max_command);
  append_be32(payload, max_response);
  payload.push_back(extended);
  append_counted(payload, card.atr());
  return payload;
}

Bytes FakeSimulator::answer(const Peer& peer, Client& client, char code, ByteView payload) {
  switch (code) {
    case 'S':
      card.look();
      return status();
    case 'W': {
      for (;;) {
        Bytes now{static_cast<std::uint8_t>(card.present() ? 1 : 0)};
        append_be32(now, card.insertions());
        if (!equal(now, payload)) return status();
        if (peer.disturbed(2)) return {};
      }
    }
    case 'C':
      if (!card.present()) return message(1);
      if (card.mute()) return message(2);
      client = {true, card.insertions()};
      return message(0, connect_payload());
    default:
      return with_card(peer, client, code, payload);
  }
}

bool FakeSimulator::take_lock(const Peer& peer, const Client& client) {
  std::unique_lock lock(mutex_);
  for (;;) {
    if (stopping_ || client.insertions != card.insertions() || !card.present()) return false;
    if (lock_holder_ < 0 || lock_holder_ == peer.fd()) return lock_holder_ = peer.fd(), true;
    condition_.wait_for(lock, tick);
  }
}

void FakeSimulator::release_lock(const Peer& peer) {
  const std::lock_guard lock(mutex_);
  if (lock_holder_ == peer.fd()) lock_holder_ = -1;
  condition_.notify_all();
}

Bytes FakeSimulator::with_card(const Peer& peer, Client& client, char code, ByteView payload) {
  if (!client.connected) return message(3);
  const auto removed = [&] { return !card.present() || client.insertions != card.insertions(); };
  if (code == 'U') return release_lock(peer), message(removed() ? 1 : 0);
  if (code == 'D') {
    release_lock(peer);
    if (payload.size() == 1 && payload[0] == 1) card.reset();
    return message(0);
  }
  if (removed()) return message(1);
  if (code == 'L') return take_lock(peer, client) ? epoch_of(card) : message(1);
  if (code == 'R') {
    card.reset();
    return epoch_of(card);
  }
  if (code != 'T') return message(3);
  {
    std::unique_lock lock(mutex_);
    while (!stopping_ && lock_holder_ >= 0 && lock_holder_ != peer.fd()) {
      condition_.wait_for(lock, tick);
    }
  }
  const Reply reply = card.transmit(payload);
  {
    const std::lock_guard lock(mutex_);
    if (stopping_) return {};
  }
  if (reply.fault == Fault::removed) return message(1);
  if (reply.fault == Fault::mute) return message(2);
  return message(0, reply.bytes);
}

}  // namespace kilt::test
