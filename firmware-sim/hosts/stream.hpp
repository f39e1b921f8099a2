// SPDX-License-Identifier: Apache-2.0
// Messages over a stream socket: 4 bytes length of the rest, 1 byte code, payload (README). Used
// towards the clients and, with codes of its own, towards the card's process.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>

#include "apdu/bytes.hpp"
#include "apdu/result.hpp"
#include "firmware-sim/hosts/loop.hpp"
#include "firmware-sim/hosts/unique_fd.hpp"

namespace kilt::sim {

inline constexpr std::size_t max_message = 70'000;

struct Message {
  std::uint8_t code = 0;
  Bytes payload{};
};

[[nodiscard]] Bytes encode(const Message& message);
/// Takes one message off the front of `buffer`. Empty optional: not all of it is there yet.
/// protocol error: no message of ours; the connection must end.
Result<std::optional<Message>> take_message(Bytes& buffer);

void put_u32(Bytes& to, std::uint64_t value);
/// One length byte and at most 255 bytes.
void put_short(Bytes& to, ByteView bytes);
/// Most significant first; `at` + 4 must be inside.
[[nodiscard]] std::uint32_t get_u32(ByteView from, std::size_t at);

/// Blocking forms, for the card's own process and for `kilt-sim insert` and its like.
/// removed when the other side is gone; timeout after `limit`.
Status write_message(int fd, const Message& message);
Result<Message> read_message(int fd, std::optional<std::chrono::milliseconds> limit = {});

/// One end of a connection inside the loop.
class Stream {
 public:
  Stream(Loop& loop, UniqueFd fd);
  ~Stream();
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;

  /// Never called after on_closed, nor from inside send().
  std::function<void(Message)> on_message;
  /// Once, when the other side closed, broke the protocol or cannot be written to.
  std::function<void()> on_closed;

  void send(const Message& message);
  /// While held no message is delivered; the end of the connection still is.
  void hold();
  void release();

 private:
  void ready(short revents);
  void receive();
  void flush();
  void deliver();
  void update_events();
  void close();

  Loop& loop_;
  UniqueFd fd_;
  Bytes in_;
  Bytes out_;
  bool held_ = false;
  bool ended_ = false;  ///< nothing more comes
  bool delivering_ = false;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace kilt::sim
