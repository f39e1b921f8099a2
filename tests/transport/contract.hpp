// SPDX-License-Identifier: Apache-2.0
// What every transport must do alike. Each host of a card brings a Rig and gets the whole suite.
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <string>

#include "apdu/transport/readers.hpp"
#include "tests/transport/fake_card.hpp"

namespace kilt::test {

/// A reader with a FakeCard in it, behind some stack.
class Rig {
 public:
  virtual ~Rig() = default;
  virtual FakeCard& card() = 0;
  virtual std::string reader() = 0;
  virtual std::unique_ptr<apdu::ReaderSource> source() = 0;
  /// The daemon or simulator behind the reader dies, and comes back.
  virtual void stop_service() = 0;
  virtual void start_service() = 0;
  /// The error of the exchange in which it died: where the daemon and the card are two things, the
  /// daemon is blamed.
  virtual std::string service_died() { return "removed"; }
  /// How often the stack must have looked at the card to have noticed for certain what happened.
  virtual int looks_to_notice() { return 0; }
};

using MakeRig = std::function<std::unique_ptr<Rig>()>;

class TransportContract : public testing::TestWithParam<MakeRig> {
 protected:
  void SetUp() override;
  void TearDown() override;

  /// A source of its own, as another program would have.
  std::unique_ptr<apdu::Readers> another_program();
  std::unique_ptr<apdu::Transport> connect(apdu::Readers& through);
  std::unique_ptr<apdu::Transport> connect() { return connect(*readers_); }
  /// The one reader's state; polls until it fits.
  apdu::ReaderState wait_for(const std::function<bool(const apdu::ReaderState&)>& fits);
  void remove_and_see() {
    card().remove();
    wait_for([](const apdu::ReaderState& state) { return !state.present; });
  }
  void insert_and_see() {
    card().insert();
    wait_for([](const apdu::ReaderState& state) { return state.present; });
  }
  FakeCard& card() { return rig_->card(); }
  static void remember(apdu::Transport& transport, std::uint8_t value);
  static int remembered(apdu::Transport& transport);

  std::unique_ptr<Rig> rig_;
  std::unique_ptr<apdu::Readers> readers_;
};

/// "ok", or the kind of the error.
template <class T>
std::string kind_of(const Result<T>& result) {
  return result.ok() ? "ok" : to_string(result.error().kind);
}

std::unique_ptr<apdu::Readers> readers_over(std::unique_ptr<apdu::ReaderSource> source);

/// Polls until `true`, for at most ten seconds.
bool eventually(const std::function<bool()>& holds);

inline const Bytes get_challenge{0x00, 0x84, 0x00, 0x00, 0x08};

}  // namespace kilt::test
