// SPDX-License-Identifier: Apache-2.0
// The module's state in this process: what exists between C_Initialize and C_Finalize, and how a
// forked child is told that nothing of it is its own.
#pragma once

#include <atomic>
#include <map>
#include <memory>
#include <string>

#include "apdu/trace.hpp"
#include "apdu/transport/readers.hpp"
#include "pkcs11/locking.hpp"
#include "pkcs11/session.hpp"
#include "pkcs11/slot.hpp"

namespace kilt::p11 {

class Module {
 public:
  Module(card::Config config, const Locking& locking, std::unique_ptr<apdu::Readers> readers,
         std::unique_ptr<apdu::Recorder> recorder, SlotNumbers& numbers);

  [[nodiscard]] Slots& slots() { return slots_; }

  CK_RV open_session(CK_SLOT_ID slot, CK_FLAGS flags, CK_SESSION_HANDLE& out);
  CK_RV close_session(CK_SESSION_HANDLE handle);
  CK_RV close_all_sessions(CK_SLOT_ID slot);
  /// The session, if its token is still there as far as is known; with `look`, its reader is asked
  /// first (no card I/O). CKR_SESSION_HANDLE_INVALID; CKR_DEVICE_REMOVED to the first call that
  /// learns of a removal, after which all sessions with that token are closed.
  CK_RV session(CK_SESSION_HANDLE handle, bool look, std::shared_ptr<Session>& out);

  /// Wakes waiters, logs out, closes sessions. Running calls end as they can.
  void shut_down();
  /// For a forked child, of the state inherited: forgets connections without a word to anybody.
  void abandon();

 private:
  [[nodiscard]] std::shared_ptr<Session> lookup(CK_SESSION_HANDLE handle) const;
  void drop_sessions_of(const std::shared_ptr<Token>& token);

  Surroundings around_;
  std::unique_ptr<apdu::Readers> readers_;
  std::unique_ptr<apdu::Recorder> recorder_;
  std::atomic<CK_ULONG> next_object_{1};
  std::atomic<CK_ULONG> next_session_{1};
  Slots slots_;
  mutable Mutex table_;  ///< leaf: sessions_
  std::map<CK_SESSION_HANDLE, std::shared_ptr<Session>> sessions_;
};

/// C_Initialize and C_Finalize.
CK_RV initialize(const CK_C_INITIALIZE_ARGS* args);
CK_RV finalize();

struct Process;

/// A call into the module while it lasts: keeps the module alive, and C_Finalize waiting a moment.
class Call {
 public:
  Call();
  Call(const Call&) = delete;
  Call& operator=(const Call&) = delete;
  ~Call();
  /// Null: not initialised, or not in this process.
  [[nodiscard]] Module* module() const { return module_.get(); }

 private:
  Process* process_ = nullptr;
  std::shared_ptr<Module> module_;
};

/// For tests: where readers come from instead of Readers::open. Null puts that back.
using ReadersFactory = Result<std::unique_ptr<apdu::Readers>> (*)(const std::string& spec);
void set_readers_factory(ReadersFactory factory);

}  // namespace kilt::p11
