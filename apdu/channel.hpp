// SPDX-License-Identifier: Apache-2.0
// One exchange of a command for an answer, whatever the wire needs for it: chaining, 61xx, 6Cxx,
// T=0 forms, extended length, secure messaging. The only caller of Transport::transmit.
#pragma once

#include <memory>

#include "apdu/command.hpp"
#include "apdu/result.hpp"
#include "apdu/trace.hpp"
#include "apdu/transport/transport.hpp"

namespace kilt::apdu {

/// Wraps commands and unwraps answers while a secure channel stands. An error from unwrap closes
/// the channel for good: nothing is ever sent in plain text after it.
class SecureMessaging {
 public:
  virtual ~SecureMessaging() = default;
  virtual Result<CommandApdu> wrap(const CommandApdu& plain) = 0;
  virtual Result<ResponseApdu> unwrap(const ResponseApdu& wrapped) = 0;
};

class Channel {
 public:
  /// `recorder` may be null. Both must outlive the channel.
  explicit Channel(Transport& transport, Recorder* recorder = nullptr)
      : transport_(transport), recorder_(recorder) {}

  /// Sends one command and returns the whole answer.
  /// - A body over 255 bytes goes as an extended APDU if the reader says it can, or says nothing of
  ///   its limit, and `prefer_extended`; otherwise by command chaining [7816-4 §5.3.3].
  /// - 61xx is followed by GET RESPONSE until it ends [7816-4 §5.3.4]; 6Cxx repeats once.
  /// - Over T=0 case 1 goes with P3=00 and case 4 without Le [7816-3 §12.2].
  /// The total answer is bounded (64 KiB, 512 exchanges): a card that never ends is a protocol
  /// error. A status word other than 9000 is no error here: the caller judges it.
  Result<ResponseApdu> send(const CommandApdu& command);

  /// The secure channel from here on; null ends it. A channel that broke stays closed.
  void set_secure_messaging(SecureMessaging* sm) { sm_ = sm; }
  /// Card knows extended APDUs (the reader must say so as well, or be silent). Default false.
  void set_prefer_extended(bool yes) { prefer_extended_ = yes; }
  [[nodiscard]] Transport& transport() { return transport_; }

  /// While one stands, what goes over the wire is its owner's alone (the content of a private file,
  /// which may be a password): the trace shows headers, lengths and status words, and no bodies but
  /// those of SELECT, which name files.
  class Privacy {
   public:
    explicit Privacy(Channel& channel, bool is_private = true)
        : channel_(channel), before_(channel.is_private_) {
      channel.is_private_ = before_ || is_private;
    }
    ~Privacy() { channel_.is_private_ = before_; }
    Privacy(const Privacy&) = delete;
    Privacy& operator=(const Privacy&) = delete;

   private:
    Channel& channel_;
    bool before_;
  };

 private:
  Result<ResponseApdu> send_plain(const CommandApdu& command);
  Result<ResponseApdu> send_chained(const CommandApdu& command);
  /// One command that fits, with its 6Cxx repetition and its GET RESPONSEs.
  Result<ResponseApdu> complete(const CommandApdu& command);
  Result<ResponseApdu> collect(ResponseApdu whole);
  Result<ResponseApdu> exchange(const CommandApdu& command);
  Result<ResponseApdu> exchange_as_is(const CommandApdu& command);

  Transport& transport_;
  Recorder* recorder_;
  SecureMessaging* sm_ = nullptr;
  bool prefer_extended_ = false;
  bool closed_ = false;
  int exchanges_left_ = 0;
  bool is_private_ = false;    ///< a Privacy stands
  Recorder::Hidden hidden_{};  ///< of the command that is being sent, for the trace
};

}  // namespace kilt::apdu
