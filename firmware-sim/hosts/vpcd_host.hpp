// SPDX-License-Identifier: Apache-2.0
// A card behind vpcd (Debian's vsmartcard-vpcd), as its TCP client. Messages both ways: 2 bytes
// length, big-endian, and that many bytes; one byte is a control (0 off, 1 on, 2 reset, 4 ATR, of
// which only 4 is answered), more is a command APDU [facts sim-transport §2].
#pragma once

#include <functional>

#include "firmware-sim/hosts/reader.hpp"

namespace kilt::sim {

class VpcdHost {
 public:
  /// Makes a TCP socket in the network where vpcd is.
  using MakeSocket = std::function<Result<UniqueFd>()>;

  /// Is connected while a card is in, which is how vpcd learns of insertion and removal. A refused
  /// connection is tried again every few milliseconds: vpcd may not be there yet.
  VpcdHost(Loop& loop, Reader& reader, std::uint16_t port, MakeSocket make_socket);
  ~VpcdHost();
  VpcdHost(const VpcdHost&) = delete;
  VpcdHost& operator=(const VpcdHost&) = delete;

  /// vpcd took the connection and spoke.
  [[nodiscard]] bool attached() const { return attached_; }

 private:
  void follow_card();
  void dial();
  void dial_again();
  void dialled();
  void hang_up();
  void ready(short revents);
  void receive();
  void hear(Bytes message);
  void answer(ByteView bytes);
  void next();

  Loop& loop_;
  Reader& reader_;
  std::uint16_t port_;
  MakeSocket make_socket_;
  UniqueFd fd_;
  bool connected_ = false;
  bool attached_ = false;
  bool busy_ = false;       ///< one message is with the card
  std::uint64_t call_ = 0;  ///< tells an answer of this connection from one of an earlier
  std::uint64_t timer_ = 0;
  Bytes in_;
};

}  // namespace kilt::sim
