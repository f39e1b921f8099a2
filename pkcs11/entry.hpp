// SPDX-License-Identifier: Apache-2.0
// What every function of the C ABI does around its one line: finds the module and the session,
// lets no exception out, and returns only what the specification lists.
#pragma once

#include <new>

#include "pkcs11/function.hpp"
#include "pkcs11/log.hpp"
#include "pkcs11/module.hpp"

namespace kilt::p11 {

/// Runs `body(Module&)`. CKR_CRYPTOKI_NOT_INITIALIZED without a module in this process.
template <class Body>
CK_RV in_module(Function function, Body&& body) noexcept {
  CK_RV rv = CKR_GENERAL_ERROR;
  try {
    const Call call;
    rv = call.module() ? body(*call.module()) : CKR_CRYPTOKI_NOT_INITIALIZED;
    if (rv != CKR_OK && logs(LogLevel::debug)) {
      log(LogLevel::debug, std::string(name_of(function)) + ": " + name_of_code(rv));
    }
  } catch (const std::bad_alloc&) {
    rv = CKR_HOST_MEMORY;
  } catch (...) {
    rv = CKR_GENERAL_ERROR;
  }
  return rv == CKR_OK ? rv : nearest_listed(function, rv);
}

/// Whether a call asks the reader if the token is still there. Those that are called again and
/// again within an operation, or go to the card anyway, need not.
enum class Look { yes, no };

/// Runs `body(Session&)`.
template <class Body>
CK_RV in_session(Function function, CK_SESSION_HANDLE handle, Look look, Body&& body) noexcept {
  return in_module(function, [&](Module& module) -> CK_RV {
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
