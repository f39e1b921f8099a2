// SPDX-License-Identifier: Apache-2.0
#include "pkcs11/locking.hpp"

#include <new>
#include <stdexcept>
#include <thread>

namespace kilt::p11 {

CK_RV Locking::read(const CK_C_INITIALIZE_ARGS* args, Locking& out) {
  out = {};
  if (args == nullptr) return CKR_OK;
  // Quirk: NSS's header calls the standard's pReserved LibraryParameters and puts a field after
  // it that other callers' structures do not have. It must not be read.
  if (args->LibraryParameters != nullptr) return CKR_ARGUMENTS_BAD;
  const bool any = args->CreateMutex || args->DestroyMutex || args->LockMutex || args->UnlockMutex;
  const bool all = args->CreateMutex && args->DestroyMutex && args->LockMutex && args->UnlockMutex;
  if (any != all) return CKR_ARGUMENTS_BAD;
  if (all && !(args->flags & CKF_OS_LOCKING_OK)) {
    out = {args->CreateMutex, args->DestroyMutex, args->LockMutex, args->UnlockMutex};
  }
  return CKR_OK;
}

Mutex::Mutex(const Locking& locking) : locking_(locking) {
  if (locking_.create && locking_.create(&theirs_) != CKR_OK) throw std::bad_alloc();
}

Mutex::~Mutex() {
  if (locking_.destroy) locking_.destroy(theirs_);
}

void Mutex::lock() {
  if (!locking_.lock) {
    ours_.lock();
  } else if (locking_.lock(theirs_) != CKR_OK) {
    throw std::runtime_error("the application's LockMutex failed");
  }
}

void Mutex::unlock() {
  if (!locking_.unlock) {
    ours_.unlock();
  } else {
    locking_.unlock(theirs_);
  }
}

bool Mutex::try_lock_for(std::chrono::milliseconds patience) {
  if (locking_.lock) {
    lock();
    return true;
  }
  // Tried again and again: for a timed lock ThreadSanitizer of g++ 12 is blind.
  const auto deadline = std::chrono::steady_clock::now() + patience;
  while (!ours_.try_lock()) {
    if (std::chrono::steady_clock::now() >= deadline) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  return true;
}

bool Mutex::try_lock_after_fork() {
  return !locking_.lock && ours_.try_lock();
}

}  // namespace kilt::p11
