// SPDX-License-Identifier: Apache-2.0
// The simulator's side of the socket protocol around a FakeCard; can be told to misbehave.
#pragma once

#include <condition_variable>
#include <map>
#include <mutex>
#include <optional>
#include <string>

#include "tests/transport/fake_card.hpp"
#include "tests/transport/unix_server.hpp"

namespace kilt::test {

class FakeSimulator {
 public:
  FakeSimulator(std::string path, std::string reader_name);
  ~FakeSimulator();
  void start();
  void stop();

  /// The next request of this code gets these raw bytes instead of an answer; then, if `hang_up`,
  /// the end of the connection.
  void answer_raw(char request, Bytes raw, bool hang_up = false);
  /// The next request of this code gets no answer at all until stop().
  void hang_on(char request);
  /// A whole message.
  static Bytes message(std::uint8_t code, ByteView payload = {});
  /// The connect answer that well-behaved connections get.
  Bytes connect_payload();

  FakeCard card;
  std::uint32_t max_command = 261, max_response = 258;
  std::uint8_t extended = 0, protocol = 1;

 private:
  struct Client {
    bool connected = false;
    std::uint32_t insertions = 0;
  };
  struct Misdeed {
    Bytes raw;
    bool hang_up = false, hang = false;
  };
  void serve(const Peer& peer);
  Bytes answer(const Peer& peer, Client& client, char code, ByteView payload);
  Bytes with_card(const Peer& peer, Client& client, char code, ByteView payload);
  Bytes status();
  bool take_lock(const Peer& peer, const Client& client);
  void release_lock(const Peer& peer);

  std::string name_;
  std::mutex mutex_;
  std::condition_variable condition_;
  std::map<char, Misdeed> misdeeds_;
  int lock_holder_ = -1;
  bool stopping_ = false;
  UnixServer server_;
};

}  // namespace kilt::test
