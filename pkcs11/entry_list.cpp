// SPDX-License-Identifier: Apache-2.0
// The three exported names and the function lists behind them [P11 3.1 §5.4].
#include <array>
#include <cstring>

#include "pkcs11/entry.hpp"
#include "pkcs11/version.hpp"

using namespace kilt::p11;

namespace {

// In memory that nobody can write, although the specification hands out pointers that are not
// const.
// clang-format off
constexpr CK_FUNCTION_LIST list_2_40 = {
    cryptoki_2_40,
    C_Initialize,
    C_Finalize,
    C_GetInfo,
    C_GetFunctionList,
    C_GetSlotList,
    C_GetSlotInfo,
    C_GetTokenInfo,
    C_GetMechanismList,
    C_GetMechanismInfo,
    C_InitToken,
    C_InitPIN,
    C_SetPIN,
    C_OpenSession,
    C_CloseSession,
    C_CloseAllSessions,
    C_GetSessionInfo,
    C_GetOperationState,
    C_SetOperationState,
    C_Login,
    C_Logout,
    C_CreateObject,
    C_CopyObject,
    C_DestroyObject,
    C_GetObjectSize,
    C_GetAttributeValue,
    C_SetAttributeValue,
    C_FindObjectsInit,
    C_FindObjects,
    C_FindObjectsFinal,
    C_EncryptInit,
    C_Encrypt,
    C_EncryptUpdate,
    C_EncryptFinal,
    C_DecryptInit,
    C_Decrypt,
    C_DecryptUpdate,
    C_DecryptFinal,
    C_DigestInit,
    C_Digest,
    C_DigestUpdate,
    C_DigestKey,
    C_DigestFinal,
    C_SignInit,
    C_Sign,
    C_SignUpdate,
    C_SignFinal,
    C_SignRecoverInit,
    C_SignRecover,
    C_VerifyInit,
    C_Verify,
    C_VerifyUpdate,
    C_VerifyFinal,
    C_VerifyRecoverInit,
    C_VerifyRecover,
    C_DigestEncryptUpdate,
    C_DecryptDigestUpdate,
    C_SignEncryptUpdate,
    C_DecryptVerifyUpdate,
    C_GenerateKey,
    C_GenerateKeyPair,
    C_WrapKey,
    C_UnwrapKey,
    C_DeriveKey,
    C_SeedRandom,
    C_GenerateRandom,
    C_GetFunctionStatus,
    C_CancelFunction,
    C_WaitForSlotEvent,
};

constexpr CK_FUNCTION_LIST_3_0 list_3_0 = {
    cryptoki_3_0,
    C_Initialize,
    C_Finalize,
    C_GetInfo,
    C_GetFunctionList,
    C_GetSlotList,
    C_GetSlotInfo,
    C_GetTokenInfo,
    C_GetMechanismList,
    C_GetMechanismInfo,
    C_InitToken,
    C_InitPIN,
    C_SetPIN,
    C_OpenSession,
    C_CloseSession,
    C_CloseAllSessions,
    C_GetSessionInfo,
    C_GetOperationState,
    C_SetOperationState,
    C_Login,
    C_Logout,
    C_CreateObject,
    C_CopyObject,
    C_DestroyObject,
    C_GetObjectSize,
    C_GetAttributeValue,
    C_SetAttributeValue,
    C_FindObjectsInit,
    C_FindObjects,
    C_FindObjectsFinal,
    C_EncryptInit,
    C_Encrypt,
    C_EncryptUpdate,
    C_EncryptFinal,
    C_DecryptInit,
    C_Decrypt,
    C_DecryptUpdate,
    C_DecryptFinal,
    C_DigestInit,
    C_Digest,
    C_DigestUpdate,
    C_DigestKey,
    C_DigestFinal,
    C_SignInit,
    C_Sign,
    C_SignUpdate,
    C_SignFinal,
    C_SignRecoverInit,
    C_SignRecover,
    C_VerifyInit,
    C_Verify,
    C_VerifyUpdate,
    C_VerifyFinal,
    C_VerifyRecoverInit,
    C_VerifyRecover,
    C_DigestEncryptUpdate,
    C_DecryptDigestUpdate,
    C_SignEncryptUpdate,
    C_DecryptVerifyUpdate,
    C_GenerateKey,
    C_GenerateKeyPair,
    C_WrapKey,
    C_UnwrapKey,
    C_DeriveKey,
    C_SeedRandom,
    C_GenerateRandom,
    C_GetFunctionStatus,
    C_CancelFunction,
    C_WaitForSlotEvent,
    C_GetInterfaceList,
    C_GetInterface,
    C_LoginUser,
    C_SessionCancel,
    C_MessageEncryptInit,
    C_EncryptMessage,
    C_EncryptMessageBegin,
    C_EncryptMessageNext,
    C_MessageEncryptFinal,
    C_MessageDecryptInit,
    C_DecryptMessage,
    C_DecryptMessageBegin,
    C_DecryptMessageNext,
    C_MessageDecryptFinal,
    C_MessageSignInit,
    C_SignMessage,
    C_SignMessageBegin,
    C_SignMessageNext,
    C_MessageSignFinal,
    C_MessageVerifyInit,
    C_VerifyMessage,
    C_VerifyMessageBegin,
    C_VerifyMessageNext,
    C_MessageVerifyFinal,
};
// clang-format on

constexpr CK_UTF8CHAR interface_name[] = "PKCS 11";

template <class List>
CK_INTERFACE offer(const List& list) {
  return {const_cast<CK_UTF8CHAR*>(interface_name), const_cast<List*>(&list), 0};
}

// Best first: a caller without a wish gets 3.0.
const std::array<CK_INTERFACE, 2> interfaces{offer(list_3_0), offer(list_2_40)};

bool matches(const CK_INTERFACE& one, const CK_UTF8CHAR* name, const CK_VERSION* version,
             CK_FLAGS flags) {
  if (name != nullptr && std::strcmp(reinterpret_cast<const char*>(name), "PKCS 11") != 0) {
    return false;
  }
  const auto* own = static_cast<const CK_VERSION*>(one.pFunctionList);
  if (version != nullptr && (version->major != own->major || version->minor != own->minor)) {
    return false;
  }
  return (flags & ~one.flags) == 0;
}

}  // namespace

extern "C" {

[[gnu::visibility("default")]] CK_RV C_GetFunctionList(CK_FUNCTION_LIST_PTR_PTR out) {
  return guarded(Function::get_function_list, CK_INVALID_HANDLE, {}, [&]() -> CK_RV {
    if (out == nullptr) return CKR_ARGUMENTS_BAD;
    *out = const_cast<CK_FUNCTION_LIST*>(&list_2_40);
    return CKR_OK;
  });
}

[[gnu::visibility("default")]] CK_RV C_GetInterfaceList(CK_INTERFACE_PTR out, CK_ULONG_PTR count) {
  return guarded(Function::get_interface_list, CK_INVALID_HANDLE, {{"count", Outcome{count}}},
                 [&]() -> CK_RV {
                   if (count == nullptr) return CKR_ARGUMENTS_BAD;
                   const CK_ULONG room = *count;
                   *count = interfaces.size();
                   if (out == nullptr) return CKR_OK;
                   if (room < interfaces.size()) return CKR_BUFFER_TOO_SMALL;
                   std::copy(interfaces.begin(), interfaces.end(), out);
                   return CKR_OK;
                 });
}

[[gnu::visibility("default")]] CK_RV C_GetInterface(CK_UTF8CHAR_PTR name, CK_VERSION_PTR version,
                                                    CK_INTERFACE_PTR_PTR out, CK_FLAGS flags) {
  return guarded(Function::get_interface, CK_INVALID_HANDLE,
                 {{"name", reinterpret_cast<const char*>(name)},
                  {"version", version == nullptr ? "any" : "given"},
                  {"flags", Flags{flags}}},
                 [&]() -> CK_RV {
                   if (out == nullptr) return CKR_ARGUMENTS_BAD;
                   for (const CK_INTERFACE& one : interfaces) {
                     if (!matches(one, name, version, flags)) continue;
                     *out = const_cast<CK_INTERFACE*>(&one);
                     return CKR_OK;
                   }
                   return CKR_FUNCTION_FAILED;
                 });
}

}  // extern "C"
