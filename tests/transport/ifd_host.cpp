// SPDX-License-Identifier: Apache-2.0
#include "tests/transport/ifd_host.hpp"

#include <array>
#include <cstring>
#include <utility>

namespace kilt::test {

IfdHost::IfdHost(std::string path)
    : server_(std::move(path), [this](const Peer& peer) { serve(peer); }) {
  server_.start();
}

IfdHost::~IfdHost() {
  card.let_go();
  server_.stop();
}

void IfdHost::serve(const Peer& peer) {
  std::array<std::uint8_t, 5> head{};
  while (peer.read(head)) {
    std::uint32_t length = 0;
    std::memcpy(&length, head.data() + 1, 4);
    Bytes payload(length);
    if (!peer.read(payload)) return;
    const auto [result, bytes] = answer(static_cast<char>(head[0]), payload);
    Bytes reply(5);
    reply[0] = static_cast<std::uint8_t>(result);
    const auto size = static_cast<std::uint32_t>(bytes.size());
    std::memcpy(reply.data() + 1, &size, 4);
    append(reply, bytes);
    if (!peer.write(reply)) return;
  }
}

std::pair<char, Bytes> IfdHost::answer(char operation, ByteView payload) {
  const bool present = operation == 'P' ? card.look() : card.present();
  if (unplugged) return {'g', {}};
  switch (operation) {
    case 'P':
      return {present ? 'k' : 'n', {}};
    case 'A':
      return {present ? 'k' : 'n', card.atr()};
    case 'D':
      return {'k', {}};
    case 'U':
    case 'R':
      if (!present) return {'n', {}};
      if (card.mute()) return {'p', {}};
      card.reset();
      return {'k', card.atr()};
    case 'X': {
      if (silent) return {'k', {}};
      const std::uint32_t size = max_data;
      // [PC/SC part 10 §2.6.14] tag dwMaxAPDUDataSize, 4 bytes, little-endian.
      return {'k',
              Bytes{0x0A, 4, static_cast<std::uint8_t>(size), static_cast<std::uint8_t>(size >> 8),
                    static_cast<std::uint8_t>(size >> 16), static_cast<std::uint8_t>(size >> 24)}};
    }
    case 'T': {
      const Reply reply = card.transmit(payload);
      if (unplugged) return {'g', {}};
      if (reply.fault == Fault::removed) return {removed_answer, {}};
      if (reply.fault == Fault::mute) return {mute_answer, {}};
      return {'k', reply.bytes};
    }
    default:
      return {'?', {}};
  }
}

}  // namespace kilt::test
