// SPDX-License-Identifier: Apache-2.0
// The test's end of test_ifd.cpp: a FakeCard in a reader of a private pcscd.
#pragma once

#include <atomic>
#include <string>

#include "tests/transport/fake_card.hpp"
#include "tests/transport/unix_server.hpp"

namespace kilt::test {

class IfdHost {
 public:
  /// `path`: where the driver finds us; its DEVICENAME is "test:PATH".
  explicit IfdHost(std::string path);
  ~IfdHost();

  FakeCard card;
  /// How the driver puts a failure: 'e' communication error, 'n' no card, 'g' no such device,
  /// 't' timeout.
  std::atomic<char> removed_answer{'n'};
  std::atomic<char> mute_answer{'t'};
  /// The whole reader is gone: every call answers "no such device".
  std::atomic<bool> unplugged{false};
  /// dwMaxAPDUDataSize as the reader tells it; 0 = short APDUs only.
  std::atomic<std::uint32_t> max_data{0};
  /// The reader does not tell it.
  std::atomic<bool> silent{false};

 private:
  void serve(const Peer& peer);
  std::pair<char, Bytes> answer(char operation, ByteView payload);
  UnixServer server_;
};

}  // namespace kilt::test
