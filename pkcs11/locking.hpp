// SPDX-License-Identifier: Apache-2.0
// Mutexes of the kind that the application asked for in C_Initialize [P11 3.1 §5.4].
#pragma once

#include <chrono>
#include <mutex>

#include "pkcs11/cryptoki.hpp"

namespace kilt::p11 {

/// What C_Initialize said about threads.
struct Locking {
  CK_CREATEMUTEX create = nullptr;  ///< all null: the system's mutexes
  CK_DESTROYMUTEX destroy = nullptr;
  CK_LOCKMUTEX lock = nullptr;
  CK_UNLOCKMUTEX unlock = nullptr;

  /// CKR_ARGUMENTS_BAD (pReserved, or some of the four functions only). The system's mutexes are
  /// taken whenever the application allows them.
  static CK_RV read(const CK_C_INITIALIZE_ARGS* args, Locking& out);
};

/// A mutex of that kind; what std::lock_guard and std::unique_lock take.
/// Lock order in the module: session, slot, token, then the leaves (slot table, session table),
/// which are never held over a call into another part.
class Mutex {
 public:
  /// Throws std::bad_alloc when the application's CreateMutex fails.
  explicit Mutex(const Locking& locking);
  Mutex(const Mutex&) = delete;
  Mutex& operator=(const Mutex&) = delete;
  ~Mutex();

  /// Throws std::runtime_error when the application's LockMutex fails.
  void lock();
  void unlock();
  /// False when it was not free within that time; an application's mutex is waited for without
  /// limit, for it has no other way.
  bool try_lock_for(std::chrono::milliseconds patience);
  /// Whether nobody held it when this process was forked; takes it. False for an application's
  /// mutex, which cannot be asked.
  bool try_lock_after_fork();

 private:
  Locking locking_;
  CK_VOID_PTR theirs_ = nullptr;
  std::mutex ours_;
};

using Guard = std::lock_guard<Mutex>;

}  // namespace kilt::p11
