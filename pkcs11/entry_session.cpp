// SPDX-License-Identifier: Apache-2.0
// The C ABI: sessions, PINs, random numbers [P11 3.1 §5.6, §5.17].
#include "pkcs11/entry.hpp"
#include "pkcs11/entry_pin.hpp"

using namespace kilt;
using namespace kilt::p11;

namespace {

/// For the log: a login without a PIN takes it from the reader's keys.
Argument login_pin(const CK_UTF8CHAR* pin, CK_ULONG size) {
  if (pin == nullptr) return {"pin", "from the reader's keys"};
  return {"pin", Pin{pin, size}};
}

CK_RV login(Session& session, CK_USER_TYPE type, const CK_UTF8CHAR* pin, CK_ULONG size) {
  if (pin == nullptr) return session.login(type, nullptr);
  SecretBytes secret;
  const CK_RV rv = read_pin(pin, size, secret);
  return rv == CKR_OK ? session.login(type, &secret) : rv;
}

}  // namespace

extern "C" {

CK_RV C_OpenSession(CK_SLOT_ID id, CK_FLAGS flags, CK_VOID_PTR /*application*/,
                    CK_NOTIFY /*notify*/, CK_SESSION_HANDLE_PTR out) {
  return in_module(Function::open_session,
                   {{"slot", id}, {"flags", Flags{flags}}, {"session", Outcome{out}}},
                   [&](Module& module) -> CK_RV {
                     if (out == nullptr) return CKR_ARGUMENTS_BAD;
                     return module.open_session(id, flags, *out);
                   });
}

CK_RV C_CloseSession(CK_SESSION_HANDLE handle) {
  return in_module(Function::close_session, {{"session", handle}},
                   [&](Module& module) { return module.close_session(handle); });
}

CK_RV C_CloseAllSessions(CK_SLOT_ID id) {
  return in_module(Function::close_all_sessions, {{"slot", id}},
                   [&](Module& module) { return module.close_all_sessions(id); });
}

CK_RV C_GetSessionInfo(CK_SESSION_HANDLE handle, CK_SESSION_INFO_PTR out) {
  return in_session(Function::get_session_info, handle,
                    {{"slot", Outcome{out ? &out->slotID : nullptr}},
                     {"state", Outcome{out ? &out->state : nullptr}},
                     {"flags", Outcome{out ? &out->flags : nullptr}}},
                    Look::yes, [&](Session& session) -> CK_RV {
                      if (out == nullptr) return CKR_ARGUMENTS_BAD;
                      session.info(*out);
                      return CKR_OK;
                    });
}

CK_RV C_Login(CK_SESSION_HANDLE handle, CK_USER_TYPE type, CK_UTF8CHAR_PTR pin, CK_ULONG size) {
  return in_session(Function::login, handle, {{"user", type}, login_pin(pin, size)}, Look::yes,
                    [&](Session& session) { return login(session, type, pin, size); });
}

CK_RV C_LoginUser(CK_SESSION_HANDLE handle, CK_USER_TYPE type, CK_CHAR_PTR pin, CK_ULONG size,
                  CK_UTF8CHAR_PTR name, CK_ULONG name_size) {
  return in_session(Function::login_user, handle,
                    {{"user", type}, login_pin(pin, size), {"name", Octets{name_size}}}, Look::yes,
                    [&](Session& session) -> CK_RV {
                      // These tokens know no names: whoever has the PIN is the user.
                      if (!readable(name, name_size) || name_size > 0) return CKR_ARGUMENTS_BAD;
                      return login(session, type, pin, size);
                    });
}

CK_RV C_Logout(CK_SESSION_HANDLE handle) {
  return in_session(Function::logout, handle, {}, Look::yes,
                    [](Session& session) { return session.logout(); });
}

CK_RV C_InitPIN(CK_SESSION_HANDLE handle, CK_UTF8CHAR_PTR pin, CK_ULONG size) {
  return in_session(Function::init_pin, handle, {{"pin", Pin{pin, size}}}, Look::yes,
                    [&](Session& session) -> CK_RV {
                      SecretBytes secret;
                      if (const CK_RV rv = read_pin(pin, size, secret); rv != CKR_OK) return rv;
                      return session.init_pin(secret);
                    });
}

CK_RV C_SetPIN(CK_SESSION_HANDLE handle, CK_UTF8CHAR_PTR old_pin, CK_ULONG old_size,
               CK_UTF8CHAR_PTR new_pin, CK_ULONG new_size) {
  return in_session(Function::set_pin, handle,
                    {{"old pin", Pin{old_pin, old_size}}, {"new pin", Pin{new_pin, new_size}}},
                    Look::yes, [&](Session& session) -> CK_RV {
                      SecretBytes before, after;
                      if (const CK_RV rv = read_pin(old_pin, old_size, before); rv != CKR_OK)
                        return rv;
                      if (const CK_RV rv = read_pin(new_pin, new_size, after); rv != CKR_OK)
                        return rv;
                      return session.set_pin(before, after);
                    });
}

CK_RV C_SessionCancel(CK_SESSION_HANDLE handle, CK_FLAGS operations) {
  return in_session(Function::session_cancel, handle, {{"flags", Flags{operations}}}, Look::yes,
                    [&](Session& session) -> CK_RV {
                      session.cancel(operations);
                      return CKR_OK;
                    });
}

CK_RV C_GetFunctionStatus(CK_SESSION_HANDLE handle) {
  return in_session(Function::get_function_status, handle, {}, Look::no,
                    [](Session&) -> CK_RV { return CKR_FUNCTION_NOT_PARALLEL; });
}

CK_RV C_CancelFunction(CK_SESSION_HANDLE handle) {
  return in_session(Function::cancel_function, handle, {}, Look::no,
                    [](Session&) -> CK_RV { return CKR_FUNCTION_NOT_PARALLEL; });
}

CK_RV C_SeedRandom(CK_SESSION_HANDLE handle, CK_BYTE_PTR seed, CK_ULONG size) {
  return in_session(
      Function::seed_random, handle, {{"seed", Octets{size}}}, Look::yes, [&](Session&) -> CK_RV {
        return readable(seed, size) ? CKR_RANDOM_SEED_NOT_SUPPORTED : CKR_ARGUMENTS_BAD;
      });
}

CK_RV C_GenerateRandom(CK_SESSION_HANDLE handle, CK_BYTE_PTR out, CK_ULONG size) {
  return in_session(Function::generate_random, handle, {{"out", Octets{size}}}, Look::yes,
                    [&](Session& session) -> CK_RV {
                      return readable(out, size) ? session.random(out, size) : CKR_ARGUMENTS_BAD;
                    });
}

}  // extern "C"
