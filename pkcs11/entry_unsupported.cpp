// SPDX-License-Identifier: Apache-2.0
// The C ABI: what no token of ours can do. A session's handle is looked at all the same.
#include "pkcs11/entry.hpp"

using namespace kilt::p11;

namespace {

CK_RV unsupported(CK_SESSION_HANDLE handle) {
  return in_session(Function::unsupported, handle, {}, Look::no,
                    [](Session&) -> CK_RV { return CKR_FUNCTION_NOT_SUPPORTED; });
}

}  // namespace

extern "C" {

CK_RV C_GetOperationState(CK_SESSION_HANDLE handle, CK_BYTE_PTR, CK_ULONG_PTR) {
  return unsupported(handle);
}

CK_RV C_SetOperationState(CK_SESSION_HANDLE handle, CK_BYTE_PTR, CK_ULONG, CK_OBJECT_HANDLE,
                          CK_OBJECT_HANDLE) {
  return unsupported(handle);
}

CK_RV C_DigestEncryptUpdate(CK_SESSION_HANDLE handle, CK_BYTE_PTR, CK_ULONG, CK_BYTE_PTR,
                            CK_ULONG_PTR) {
  return unsupported(handle);
}

CK_RV C_DecryptDigestUpdate(CK_SESSION_HANDLE handle, CK_BYTE_PTR, CK_ULONG, CK_BYTE_PTR,
                            CK_ULONG_PTR) {
  return unsupported(handle);
}

CK_RV C_SignEncryptUpdate(CK_SESSION_HANDLE handle, CK_BYTE_PTR, CK_ULONG, CK_BYTE_PTR,
                          CK_ULONG_PTR) {
  return unsupported(handle);
}

CK_RV C_DecryptVerifyUpdate(CK_SESSION_HANDLE handle, CK_BYTE_PTR, CK_ULONG, CK_BYTE_PTR,
                            CK_ULONG_PTR) {
  return unsupported(handle);
}

CK_RV C_GenerateKey(CK_SESSION_HANDLE handle, CK_MECHANISM_PTR, CK_ATTRIBUTE_PTR, CK_ULONG,
                    CK_OBJECT_HANDLE_PTR) {
  return unsupported(handle);
}

CK_RV C_WrapKey(CK_SESSION_HANDLE handle, CK_MECHANISM_PTR, CK_OBJECT_HANDLE, CK_OBJECT_HANDLE,
                CK_BYTE_PTR, CK_ULONG_PTR) {
  return unsupported(handle);
}

CK_RV C_UnwrapKey(CK_SESSION_HANDLE handle, CK_MECHANISM_PTR, CK_OBJECT_HANDLE, CK_BYTE_PTR,
                  CK_ULONG, CK_ATTRIBUTE_PTR, CK_ULONG, CK_OBJECT_HANDLE_PTR) {
  return unsupported(handle);
}

CK_RV C_DeriveKey(CK_SESSION_HANDLE handle, CK_MECHANISM_PTR, CK_OBJECT_HANDLE, CK_ATTRIBUTE_PTR,
                  CK_ULONG, CK_OBJECT_HANDLE_PTR) {
  return unsupported(handle);
}

CK_RV C_MessageEncryptInit(CK_SESSION_HANDLE handle, CK_MECHANISM_PTR, CK_OBJECT_HANDLE) {
  return unsupported(handle);
}

CK_RV C_EncryptMessage(CK_SESSION_HANDLE handle, CK_VOID_PTR, CK_ULONG, CK_BYTE_PTR, CK_ULONG,
                       CK_BYTE_PTR, CK_ULONG, CK_BYTE_PTR, CK_ULONG_PTR) {
  return unsupported(handle);
}

CK_RV C_EncryptMessageBegin(CK_SESSION_HANDLE handle, CK_VOID_PTR, CK_ULONG, CK_BYTE_PTR,
                            CK_ULONG) {
  return unsupported(handle);
}

CK_RV C_EncryptMessageNext(CK_SESSION_HANDLE handle, CK_VOID_PTR, CK_ULONG, CK_BYTE_PTR, CK_ULONG,
                           CK_BYTE_PTR, CK_ULONG_PTR, CK_FLAGS) {
  return unsupported(handle);
}

CK_RV C_MessageEncryptFinal(CK_SESSION_HANDLE handle) {
  return unsupported(handle);
}

CK_RV C_MessageDecryptInit(CK_SESSION_HANDLE handle, CK_MECHANISM_PTR, CK_OBJECT_HANDLE) {
  return unsupported(handle);
}

CK_RV C_DecryptMessage(CK_SESSION_HANDLE handle, CK_VOID_PTR, CK_ULONG, CK_BYTE_PTR, CK_ULONG,
                       CK_BYTE_PTR, CK_ULONG, CK_BYTE_PTR, CK_ULONG_PTR) {
  return unsupported(handle);
}

CK_RV C_DecryptMessageBegin(CK_SESSION_HANDLE handle, CK_VOID_PTR, CK_ULONG, CK_BYTE_PTR,
                            CK_ULONG) {
  return unsupported(handle);
}

CK_RV C_DecryptMessageNext(CK_SESSION_HANDLE handle, CK_VOID_PTR, CK_ULONG, CK_BYTE_PTR, CK_ULONG,
                           CK_BYTE_PTR, CK_ULONG_PTR, CK_FLAGS) {
  return unsupported(handle);
}

CK_RV C_MessageDecryptFinal(CK_SESSION_HANDLE handle) {
  return unsupported(handle);
}

CK_RV C_MessageSignInit(CK_SESSION_HANDLE handle, CK_MECHANISM_PTR, CK_OBJECT_HANDLE) {
  return unsupported(handle);
}

CK_RV C_SignMessage(CK_SESSION_HANDLE handle, CK_VOID_PTR, CK_ULONG, CK_BYTE_PTR, CK_ULONG,
                    CK_BYTE_PTR, CK_ULONG_PTR) {
  return unsupported(handle);
}

CK_RV C_SignMessageBegin(CK_SESSION_HANDLE handle, CK_VOID_PTR, CK_ULONG) {
  return unsupported(handle);
}

CK_RV C_SignMessageNext(CK_SESSION_HANDLE handle, CK_VOID_PTR, CK_ULONG, CK_BYTE_PTR, CK_ULONG,
                        CK_BYTE_PTR, CK_ULONG_PTR) {
  return unsupported(handle);
}

CK_RV C_MessageSignFinal(CK_SESSION_HANDLE handle) {
  return unsupported(handle);
}

CK_RV C_MessageVerifyInit(CK_SESSION_HANDLE handle, CK_MECHANISM_PTR, CK_OBJECT_HANDLE) {
  return unsupported(handle);
}

CK_RV C_VerifyMessage(CK_SESSION_HANDLE handle, CK_VOID_PTR, CK_ULONG, CK_BYTE_PTR, CK_ULONG,
                      CK_BYTE_PTR, CK_ULONG) {
  return unsupported(handle);
}

CK_RV C_VerifyMessageBegin(CK_SESSION_HANDLE handle, CK_VOID_PTR, CK_ULONG) {
  return unsupported(handle);
}

CK_RV C_VerifyMessageNext(CK_SESSION_HANDLE handle, CK_VOID_PTR, CK_ULONG, CK_BYTE_PTR, CK_ULONG,
                          CK_BYTE_PTR, CK_ULONG) {
  return unsupported(handle);
}

CK_RV C_MessageVerifyFinal(CK_SESSION_HANDLE handle) {
  return unsupported(handle);
}

}  // extern "C"
