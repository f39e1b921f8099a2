// SPDX-License-Identifier: Apache-2.0
// Readers as slots: ids that stay, tokens that come and go, events.
#pragma once

#include <atomic>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "apdu/transport/readers.hpp"
#include "drivers/config.hpp"
#include "pkcs11/token.hpp"

namespace kilt::p11 {

/// Which number a slot has, by what it describes itself as. Outlives C_Finalize and goes on in the
/// child of a fork, for applications keep slot ids.
class SlotNumbers {
 public:
  [[nodiscard]] CK_SLOT_ID number(const std::string& description);
  /// Before the first number is given. Takes none from a parent whose thread held them when the
  /// process was copied: they may be half written, and nobody is there to let go of them.
  void inherit(SlotNumbers& parents);

 private:
  std::mutex mutex_;
  std::map<std::string, CK_SLOT_ID> numbers_;
};

/// What tokens are made with.
struct Surroundings {
  card::Config config;
  Locking locking;
  apdu::Readers* readers = nullptr;
  apdu::Recorder* recorder = nullptr;  ///< may be null
  std::atomic<CK_ULONG>* handles = nullptr;
};

/// Which of the tokens of a device: its place among those that can be used, and its name.
struct Seat {
  std::size_t index = 0;
  std::string name{};  ///< empty for the first, which is there before anybody looks
};

class Slot {
 public:
  Slot(CK_SLOT_ID number, const Surroundings& around, apdu::ReaderState state, Seat seat = {});

  [[nodiscard]] CK_SLOT_ID id() const { return id_; }
  [[nodiscard]] std::string reader() const { return reader_; }
  [[nodiscard]] const Seat& seat() const { return seat_; }
  /// "reader", or "reader (name of the application)".
  [[nodiscard]] static std::string describe(const std::string& reader, const Seat& seat);
  [[nodiscard]] apdu::ReaderState state() const;
  /// Takes note of the reader as it is now. A token of another insertion is gone.
  void update(const apdu::ReaderState& state);

  /// The token, identified if it was not yet (card I/O). CKR_TOKEN_NOT_PRESENT,
  /// CKR_TOKEN_NOT_RECOGNIZED, CKR_DEVICE_ERROR.
  CK_RV token(std::shared_ptr<Token>& out);
  /// The token if it was identified before; null otherwise.
  [[nodiscard]] std::shared_ptr<Token> known_token() const;
  /// The tokens of the device that is in, the first left out. Looks at the card only where its ATR
  /// says that there may be several, and then once.
  [[nodiscard]] std::vector<Seat> further_seats();
  /// What the token can do. Without card I/O if its ATR or an earlier look tells.
  CK_RV model(const card::CardModel*& out);
  void info(CK_SLOT_INFO& out) const;
  void abandon();

 private:
  CK_RV identify(const apdu::ReaderState& state, std::shared_ptr<Token>& out);

  CK_SLOT_ID id_;
  const std::string reader_;
  const Seat seat_;
  const Surroundings& around_;
  Mutex identifying_;                     ///< held over card I/O
  std::optional<std::uint64_t> unknown_;  ///< insertion of a card that no driver takes
  mutable Mutex table_;                   ///< leaf: the two below
  apdu::ReaderState state_;
  std::shared_ptr<Token> token_;
};

class Slots {
 public:
  Slots(const Surroundings& around, SlotNumbers& numbers);

  /// Asks the readers. `add`: readers that were not there before become slots.
  void refresh(bool add);
  [[nodiscard]] std::vector<std::shared_ptr<Slot>> all() const;
  [[nodiscard]] std::shared_ptr<Slot> find(CK_SLOT_ID id) const;
  /// C_GetSlotList.
  CK_RV list(bool token_present, CK_SLOT_ID* ids, CK_ULONG& count);
  /// C_WaitForSlotEvent. CKR_NO_EVENT (not blocking), CKR_CRYPTOKI_NOT_INITIALIZED (cancelled).
  CK_RV wait(bool block, CK_SLOT_ID& id);
  /// Wakes whoever is inside wait(), for good.
  void cancel();
  void abandon();

 private:
  /// What is in a reader: the insertion, and how many tokens it carries.
  struct Device {
    std::uint64_t insertions = 0;
    std::size_t tokens = 1;
  };

  std::vector<apdu::ReaderState> ask();
  void apply(const std::vector<apdu::ReaderState>& states, bool add);
  void add_further_seats();
  [[nodiscard]] apdu::ReaderState as_seen_by(const Slot& slot, apdu::ReaderState reader) const;
  void add(Seat seat, const apdu::ReaderState& state, bool is_news);
  std::shared_ptr<Slot> changed_slot(const std::vector<apdu::ReaderState>& states);

  const Surroundings& around_;
  SlotNumbers& numbers_;
  Mutex asking_;         ///< an older answer of the readers never overtakes a newer one
  mutable Mutex table_;  ///< leaf: the lists below
  std::vector<std::shared_ptr<Slot>> slots_;
  std::map<std::string, Device> devices_;         ///< by reader; those with several tokens
  std::map<CK_SLOT_ID, std::uint64_t> reported_;  ///< what the application knows of each slot
  std::atomic<bool> asked_{false};
  std::atomic<bool> cancelled_{false};
};

}  // namespace kilt::p11
