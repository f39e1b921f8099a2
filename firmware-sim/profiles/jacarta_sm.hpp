// SPDX-License-Identifier: Apache-2.0
// LASER's secure messaging, the card's side [facts jacarta A10, A16 #28-#31]: 3DES-CBC, retail MAC,
// a send sequence counter of eight bytes that goes up by one with each command and each answer.
#pragma once

#include "firmware-sim/profiles/jacarta_crypto.hpp"
#include "firmware-sim/runtime.hpp"

namespace kilt::sim::jacarta {

inline constexpr apdu::StatusWord sm_objects_missing{0x6987};
inline constexpr apdu::StatusWord sm_objects_wrong{0x6988};

class SecureChannel {
 public:
  static constexpr std::size_t challenge_size = 32;

  /// `shared` is the agreed value as long as the modulus, at least 40 bytes.
  SecureChannel(ByteView shared, ByteView challenge);
  SecureChannel(SecureChannel&&) = default;
  SecureChannel& operator=(SecureChannel&&) = default;
  ~SecureChannel();

  /// The command inside a protected one, its class byte without the bits of secure messaging; `ne`
  /// is what 97 says. 6987 an object is missing, 6988 one is wrong: then the channel is spoilt.
  struct Unwrapped {
    apdu::StatusWord status;
    Command command{};
  };
  [[nodiscard]] Unwrapped unwrap(const Command& command);
  /// The protected form of an answer; its status word stands in it and is sent outside as well.
  [[nodiscard]] Bytes protect(ByteView data, apdu::StatusWord status);

 private:
  [[nodiscard]] Bytes next_mac(ByteView header, ByteView objects);
  Bytes encryption_key_, mac_key_;
  Bytes counter_ = Bytes(des_block);
};

}  // namespace kilt::sim::jacarta
