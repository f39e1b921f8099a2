// SPDX-License-Identifier: Apache-2.0
#include "tests/transport/fake_card.hpp"

#include <chrono>
#include <utility>

namespace kilt::test {

using Lock = std::unique_lock<std::mutex>;

void FakeCard::changed() {
  std::function<void()> call;
  {
    const Lock lock(mutex_);
    call = on_change_;
  }
  condition_.notify_all();
  if (call) call();
}

void FakeCard::insert() {
  {
    const Lock lock(mutex_);
    present_ = true;
    ++insertions_;
    ++epoch_;
    remembered_ = 0;
  }
  changed();
}

void FakeCard::remove() {
  {
    const Lock lock(mutex_);
    present_ = false;
    hold_ = false;
  }
  changed();
}

void FakeCard::reset() {
  {
    const Lock lock(mutex_);
    ++epoch_;
    remembered_ = 0;
  }
  changed();
}

Reply FakeCard::transmit(ByteView command) {
  Lock lock(mutex_);
  if (hold_) {
    held_ = true;
    condition_.notify_all();
    condition_.wait(lock, [this] { return !hold_; });
    held_ = false;
  }
  if (!present_) return {Fault::removed, {}};
  if (mute_) return {Fault::mute, {}};
  ++apdus_;
  if (command.size() < 4) return {Fault::none, {0x67, 0x00}};
  switch (be16(command[0], command[1])) {
    case 0x0084: {
      Bytes answer(command.size() > 4 && command[4] != 0 ? command[4] : 256, 0xC5);
      append(answer, {0x90, 0x00});
      return {Fault::none, answer};
    }
    case 0x8010:
      remembered_ = command[2];
      return {Fault::none, {0x90, 0x00}};
    case 0x8012:
      return {Fault::none, {remembered_, 0x90, 0x00}};
    case 0x80EE:
      return {Fault::none, Bytes(be16(command[2], command[3]), 0x90)};
    default:
      return {Fault::none, {0x6D, 0x00}};
  }
}

bool FakeCard::look() {
  const Lock lock(mutex_);
  ++looks_;
  condition_.notify_all();
  return present_;
}

void FakeCard::hold() {
  const Lock lock(mutex_);
  hold_ = true;
}

void FakeCard::let_go() {
  {
    const Lock lock(mutex_);
    hold_ = false;
  }
  changed();
}

void FakeCard::wait_until_held() {
  Lock lock(mutex_);
  condition_.wait_for(lock, std::chrono::seconds(10), [this] { return held_; });
}

bool FakeCard::wait_for_looks(int times) {
  Lock lock(mutex_);
  const int goal = looks_ + times;
  return condition_.wait_for(lock, std::chrono::seconds(10), [&] { return looks_ >= goal; });
}

void FakeCard::set_mute(bool yes) {
  const Lock lock(mutex_);
  mute_ = yes;
}

bool FakeCard::present() const {
  const Lock lock(mutex_);
  return present_;
}
std::uint32_t FakeCard::insertions() const {
  const Lock lock(mutex_);
  return insertions_;
}
std::uint32_t FakeCard::epoch() const {
  const Lock lock(mutex_);
  return epoch_;
}
int FakeCard::apdus() const {
  const Lock lock(mutex_);
  return apdus_;
}
Bytes FakeCard::atr() const {
  const Lock lock(mutex_);
  return atr_;
}
void FakeCard::set_atr(Bytes atr) {
  const Lock lock(mutex_);
  atr_ = std::move(atr);
}
bool FakeCard::mute() const {
  const Lock lock(mutex_);
  return mute_;
}
void FakeCard::on_change(std::function<void()> call) {
  const Lock lock(mutex_);
  on_change_ = std::move(call);
}

}  // namespace kilt::test
