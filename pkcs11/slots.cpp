// SPDX-License-Identifier: Apache-2.0
// The list of slots and its events.
#include <algorithm>

#include "pkcs11/log.hpp"
#include "pkcs11/slot.hpp"

namespace kilt::p11 {
namespace {

/// Tells an insertion from another and from an empty reader.
std::uint64_t mark(const apdu::ReaderState& state) {
  return state.present ? state.insertions + 1 : 0;
}

}  // namespace

Slots::Slots(const Surroundings& around, SlotNumbers& numbers)
    : around_(around), numbers_(numbers), asking_(around.locking), table_(around.locking) {}

std::vector<apdu::ReaderState> Slots::ask() {
  auto states = around_.readers->states();
  if (states) return *std::move(states);
  // No service is no reader; it is told apart from that in the log only [facts pkcs11 §2, polkit].
  log(LogLevel::warn, "no reader can be asked: " + states.error().message());
  return {};
}

/// A seat behind the first is empty until somebody has looked at the device that is in now.
apdu::ReaderState Slots::as_seen_by(const Slot& slot, apdu::ReaderState reader) const {
  if (slot.seat().index == 0) return reader;
  const Guard lock(table_);
  const auto device = devices_.find(reader.name);
  if (device == devices_.end() || device->second.insertions != reader.insertions ||
      device->second.tokens <= slot.seat().index) {
    reader.present = false;
  }
  return reader;
}

/// Under the table's lock. `is_news`: its token is an event that the application has to learn of.
void Slots::add(Seat seat, const apdu::ReaderState& state, bool is_news) {
  const CK_SLOT_ID id = numbers_.number(Slot::describe(state.name, seat));
  const auto place =
      std::find_if(slots_.begin(), slots_.end(), [&](auto& slot) { return slot->id() >= id; });
  if (place != slots_.end() && (*place)->id() == id) return;
  slots_.insert(place, std::make_shared<Slot>(id, around_, state, std::move(seat)));
  if (!is_news) reported_[id] = mark(state);
}

void Slots::apply(const std::vector<apdu::ReaderState>& states, bool add) {
  for (const auto& slot : all()) {
    const auto found = std::find_if(states.begin(), states.end(), [&](const auto& state) {
      return state.name == slot->reader();
    });
    slot->update(
        as_seen_by(*slot, found != states.end() ? *found : apdu::ReaderState{slot->reader()}));
  }
  const bool first = !asked_.exchange(true);
  if (!add && !first) return;
  const Guard lock(table_);
  // What is there at the first look is no event; what comes later is.
  for (const auto& state : states)
    this->add({}, state, !first);
}

void Slots::refresh(bool add) {
  {
    const Guard asking(asking_);
    apply(ask(), add);
  }
  if (add) add_further_seats();
}

/// Looks at devices that may carry several tokens: card I/O, so without any of our locks.
void Slots::add_further_seats() {
  for (const auto& slot : all()) {
    if (slot->seat().index != 0) continue;
    const auto state = slot->state();
    const auto seats = slot->further_seats();
    if (seats.empty()) continue;
    {
      const Guard lock(table_);
      devices_[slot->reader()] = {state.insertions, seats.size() + 1};
      for (const auto& seat : seats)
        add(seat, state, false);
    }
    const Guard asking(asking_);
    for (const auto& other : all()) {
      if (other->reader() == slot->reader() && other->seat().index != 0)
        other->update(as_seen_by(*other, slot->state()));
    }
  }
}

std::vector<std::shared_ptr<Slot>> Slots::all() const {
  const Guard lock(table_);
  return slots_;
}

std::shared_ptr<Slot> Slots::find(CK_SLOT_ID id) const {
  for (auto& slot : all()) {
    if (slot->id() == id) return slot;
  }
  return nullptr;
}

CK_RV Slots::list(bool token_present, CK_SLOT_ID* ids, CK_ULONG& count) {
  // [P11 3.1 §5.5.1] new slots appear when the caller asks for their number.
  refresh(ids == nullptr);
  std::vector<CK_SLOT_ID> found;
  for (const auto& slot : all()) {
    if (!token_present || slot->state().present) found.push_back(slot->id());
  }
  const CK_ULONG room = count;
  count = found.size();
  if (ids == nullptr) return CKR_OK;
  if (room < found.size()) return CKR_BUFFER_TOO_SMALL;
  std::copy(found.begin(), found.end(), ids);
  return CKR_OK;
}

std::shared_ptr<Slot> Slots::changed_slot(const std::vector<apdu::ReaderState>& states) {
  const Guard asking(asking_);
  apply(states, true);
  for (const auto& slot : all()) {
    const auto now = mark(slot->state());
    const Guard lock(table_);
    auto& known = reported_[slot->id()];
    if (known == now) continue;
    known = now;
    return slot;
  }
  return nullptr;
}

CK_RV Slots::wait(bool block, CK_SLOT_ID& id) {
  for (;;) {
    if (cancelled_) return CKR_CRYPTOKI_NOT_INITIALIZED;
    const auto states = ask();
    if (const auto slot = changed_slot(states)) {
      id = slot->id();
      return CKR_OK;
    }
    if (!block) return CKR_NO_EVENT;
    const auto waited = around_.readers->wait(states, std::chrono::milliseconds::max());
    if (!waited && waited.error().kind != ErrorKind::cancelled) {
      log(LogLevel::error, "waiting for slot events: " + waited.error().message());
      return CKR_FUNCTION_FAILED;
    }
  }
}

void Slots::cancel() {
  cancelled_ = true;
  around_.readers->cancel();
}

void Slots::abandon() {
  if (!table_.try_lock_after_fork()) return;
  for (auto& slot : slots_)
    slot->abandon();
}

}  // namespace kilt::p11
