// SPDX-License-Identifier: Apache-2.0
// What every function of the C ABI does around its one line: finds the module and the session,
// lets no exception out, and returns only what the specification lists.
#pragma once

#include <new>

#include "pkcs11/arguments.hpp"
#include "pkcs11/function.hpp"
#include "pkcs11/log.hpp"
#include "pkcs11/module.hpp"

namespace kilt::p11 {

/// The function whose codes are listed, and the name that was called.
struct Called {
  Called(Function which) : function(which), name(name_of(which)) {}
  /// One of those that answer CKR_FUNCTION_NOT_SUPPORTED only.
  explicit Called(const char* unsupported) : function(Function::unsupported), name(unsupported) {}

  Function function;
  const char* name;
};

/// Debug lines: a call with what it was given, before anything is done; and its return value with
/// what came out. A thread has one call at a time, so that its number matches the two.
void log_call(Called called, CK_SESSION_HANDLE session, Arguments arguments) noexcept;
void log_return(Called called, CK_RV rv, Arguments arguments) noexcept;

/// Runs `body()`, which needs no module.
template <class Body>
CK_RV guarded(Called called, CK_SESSION_HANDLE session, Arguments arguments, Body&& body) noexcept {
  if (logs(LogLevel::debug)) log_call(called, session, arguments);
  CK_RV rv = CKR_GENERAL_ERROR;
  try {
    rv = body();
  } catch (const std::bad_alloc&) {
    rv = CKR_HOST_MEMORY;
  } catch (...) {
    rv = CKR_GENERAL_ERROR;
  }
  if (rv != CKR_OK) rv = nearest_listed(called.function, rv);
  if (logs(LogLevel::debug)) log_return(called, rv, arguments);
  return rv;
}

template <class Body>
CK_RV run(Called called, CK_SESSION_HANDLE session, Arguments arguments, Body&& body) noexcept {
  return guarded(called, session, arguments, [&]() -> CK_RV {
    const Call call;
    return call.module() ? body(*call.module()) : CKR_CRYPTOKI_NOT_INITIALIZED;
  });
}

/// Runs `body(Module&)`. CKR_CRYPTOKI_NOT_INITIALIZED without a module in this process.
template <class Body>
CK_RV in_module(Called called, Arguments arguments, Body&& body) noexcept {
  return run(called, CK_INVALID_HANDLE, arguments, body);
}

/// Whether a call asks the reader if the token is still there. Those that are called again and
/// again within an operation, or go to the card anyway, need not.
enum class Look { yes, no };

/// Runs `body(Session&)`.
template <class Body>
CK_RV in_session(Called called, CK_SESSION_HANDLE handle, Arguments arguments, Look look,
                 Body&& body) noexcept {
  return run(called, handle, arguments, [&](Module& module) -> CK_RV {
    std::shared_ptr<Session> session;
    const CK_RV rv = module.session(handle, look == Look::yes, session);
    return rv == CKR_OK ? body(*session) : rv;
  });
}

/// Caller's memory. False where octets are announced and not there.
[[nodiscard]] inline bool readable(const void* data, CK_ULONG size) {
  return data != nullptr || size == 0;
}
[[nodiscard]] inline ByteView view(const CK_BYTE* data, CK_ULONG size) {
  return {data, data == nullptr ? 0 : size};
}

}  // namespace kilt::p11
