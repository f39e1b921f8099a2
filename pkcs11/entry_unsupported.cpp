// SPDX-License-Identifier: Apache-2.0
// The C ABI: what no token of ours can do. A session's handle is looked at all the same.
#include "pkcs11/entry.hpp"

using namespace kilt::p11;

namespace {

CK_RV unsupported(const char* name, CK_SESSION_HANDLE handle, Arguments arguments = {}) {
  return in_session(Called(name), handle, arguments, Look::no,
                    [](Session&) -> CK_RV { return CKR_FUNCTION_NOT_SUPPORTED; });
}

}  // namespace

extern "C" {

CK_RV C_GetOperationState(CK_SESSION_HANDLE handle, CK_BYTE_PTR out, CK_ULONG_PTR length) {
  return unsupported("C_GetOperationState", handle, {{"state", Room{out, length}}});
}

CK_RV C_SetOperationState(CK_SESSION_HANDLE handle, CK_BYTE_PTR, CK_ULONG size,
                          CK_OBJECT_HANDLE encryption_key, CK_OBJECT_HANDLE authentication_key) {
  return unsupported("C_SetOperationState", handle,
                     {{"state", Octets{size}},
                      {"encryption key", encryption_key},
                      {"authentication key", authentication_key}});
}

CK_RV C_DigestEncryptUpdate(CK_SESSION_HANDLE handle, CK_BYTE_PTR, CK_ULONG size, CK_BYTE_PTR out,
                            CK_ULONG_PTR length) {
  return unsupported("C_DigestEncryptUpdate", handle,
                     {{"part", Octets{size}}, {"answer", Room{out, length}}});
}

CK_RV C_DecryptDigestUpdate(CK_SESSION_HANDLE handle, CK_BYTE_PTR, CK_ULONG size, CK_BYTE_PTR out,
                            CK_ULONG_PTR length) {
  return unsupported("C_DecryptDigestUpdate", handle,
                     {{"part", Octets{size}}, {"answer", Room{out, length}}});
}

CK_RV C_SignEncryptUpdate(CK_SESSION_HANDLE handle, CK_BYTE_PTR, CK_ULONG size, CK_BYTE_PTR out,
                          CK_ULONG_PTR length) {
  return unsupported("C_SignEncryptUpdate", handle,
                     {{"part", Octets{size}}, {"answer", Room{out, length}}});
}

CK_RV C_DecryptVerifyUpdate(CK_SESSION_HANDLE handle, CK_BYTE_PTR, CK_ULONG size, CK_BYTE_PTR out,
                            CK_ULONG_PTR length) {
  return unsupported("C_DecryptVerifyUpdate", handle,
                     {{"part", Octets{size}}, {"answer", Room{out, length}}});
}

CK_RV C_GenerateKey(CK_SESSION_HANDLE handle, CK_MECHANISM_PTR mechanism,
                    CK_ATTRIBUTE_PTR attributes, CK_ULONG count, CK_OBJECT_HANDLE_PTR) {
  return unsupported("C_GenerateKey", handle,
                     {{"mechanism", mechanism}, {"attributes", attributes, count}});
}

CK_RV C_WrapKey(CK_SESSION_HANDLE handle, CK_MECHANISM_PTR mechanism, CK_OBJECT_HANDLE wrapping_key,
                CK_OBJECT_HANDLE key, CK_BYTE_PTR out, CK_ULONG_PTR length) {
  return unsupported("C_WrapKey", handle,
                     {{"mechanism", mechanism},
                      {"wrapping key", wrapping_key},
                      {"key", key},
                      {"answer", Room{out, length}}});
}

CK_RV C_UnwrapKey(CK_SESSION_HANDLE handle, CK_MECHANISM_PTR mechanism,
                  CK_OBJECT_HANDLE unwrapping_key, CK_BYTE_PTR, CK_ULONG size,
                  CK_ATTRIBUTE_PTR attributes, CK_ULONG count, CK_OBJECT_HANDLE_PTR) {
  return unsupported("C_UnwrapKey", handle,
                     {{"mechanism", mechanism},
                      {"unwrapping key", unwrapping_key},
                      {"wrapped key", Octets{size}},
                      {"attributes", attributes, count}});
}

CK_RV C_DeriveKey(CK_SESSION_HANDLE handle, CK_MECHANISM_PTR mechanism, CK_OBJECT_HANDLE base_key,
                  CK_ATTRIBUTE_PTR attributes, CK_ULONG count, CK_OBJECT_HANDLE_PTR) {
  return unsupported(
      "C_DeriveKey", handle,
      {{"mechanism", mechanism}, {"base key", base_key}, {"attributes", attributes, count}});
}

CK_RV C_MessageEncryptInit(CK_SESSION_HANDLE handle, CK_MECHANISM_PTR mechanism,
                           CK_OBJECT_HANDLE key) {
  return unsupported("C_MessageEncryptInit", handle, {{"mechanism", mechanism}, {"key", key}});
}

CK_RV C_EncryptMessage(CK_SESSION_HANDLE handle, CK_VOID_PTR, CK_ULONG parameter_size, CK_BYTE_PTR,
                       CK_ULONG associated_size, CK_BYTE_PTR, CK_ULONG size, CK_BYTE_PTR out,
                       CK_ULONG_PTR length) {
  return unsupported("C_EncryptMessage", handle,
                     {{"parameter", Octets{parameter_size}},
                      {"associated data", Octets{associated_size}},
                      {"data", Octets{size}},
                      {"answer", Room{out, length}}});
}

CK_RV C_EncryptMessageBegin(CK_SESSION_HANDLE handle, CK_VOID_PTR, CK_ULONG parameter_size,
                            CK_BYTE_PTR, CK_ULONG associated_size) {
  return unsupported(
      "C_EncryptMessageBegin", handle,
      {{"parameter", Octets{parameter_size}}, {"associated data", Octets{associated_size}}});
}

CK_RV C_EncryptMessageNext(CK_SESSION_HANDLE handle, CK_VOID_PTR, CK_ULONG parameter_size,
                           CK_BYTE_PTR, CK_ULONG size, CK_BYTE_PTR out, CK_ULONG_PTR length,
                           CK_FLAGS flags) {
  return unsupported("C_EncryptMessageNext", handle,
                     {{"parameter", Octets{parameter_size}},
                      {"part", Octets{size}},
                      {"answer", Room{out, length}},
                      {"flags", Flags{flags}}});
}

CK_RV C_MessageEncryptFinal(CK_SESSION_HANDLE handle) {
  return unsupported("C_MessageEncryptFinal", handle);
}

CK_RV C_MessageDecryptInit(CK_SESSION_HANDLE handle, CK_MECHANISM_PTR mechanism,
                           CK_OBJECT_HANDLE key) {
  return unsupported("C_MessageDecryptInit", handle, {{"mechanism", mechanism}, {"key", key}});
}

CK_RV C_DecryptMessage(CK_SESSION_HANDLE handle, CK_VOID_PTR, CK_ULONG parameter_size, CK_BYTE_PTR,
                       CK_ULONG associated_size, CK_BYTE_PTR, CK_ULONG size, CK_BYTE_PTR out,
                       CK_ULONG_PTR length) {
  return unsupported("C_DecryptMessage", handle,
                     {{"parameter", Octets{parameter_size}},
                      {"associated data", Octets{associated_size}},
                      {"data", Octets{size}},
                      {"answer", Room{out, length}}});
}

CK_RV C_DecryptMessageBegin(CK_SESSION_HANDLE handle, CK_VOID_PTR, CK_ULONG parameter_size,
                            CK_BYTE_PTR, CK_ULONG associated_size) {
  return unsupported(
      "C_DecryptMessageBegin", handle,
      {{"parameter", Octets{parameter_size}}, {"associated data", Octets{associated_size}}});
}

CK_RV C_DecryptMessageNext(CK_SESSION_HANDLE handle, CK_VOID_PTR, CK_ULONG parameter_size,
                           CK_BYTE_PTR, CK_ULONG size, CK_BYTE_PTR out, CK_ULONG_PTR length,
                           CK_FLAGS flags) {
  return unsupported("C_DecryptMessageNext", handle,
                     {{"parameter", Octets{parameter_size}},
                      {"part", Octets{size}},
                      {"answer", Room{out, length}},
                      {"flags", Flags{flags}}});
}

CK_RV C_MessageDecryptFinal(CK_SESSION_HANDLE handle) {
  return unsupported("C_MessageDecryptFinal", handle);
}

CK_RV C_MessageSignInit(CK_SESSION_HANDLE handle, CK_MECHANISM_PTR mechanism,
                        CK_OBJECT_HANDLE key) {
  return unsupported("C_MessageSignInit", handle, {{"mechanism", mechanism}, {"key", key}});
}

CK_RV C_SignMessage(CK_SESSION_HANDLE handle, CK_VOID_PTR, CK_ULONG parameter_size, CK_BYTE_PTR,
                    CK_ULONG size, CK_BYTE_PTR out, CK_ULONG_PTR length) {
  return unsupported("C_SignMessage", handle,
                     {{"parameter", Octets{parameter_size}},
                      {"data", Octets{size}},
                      {"answer", Room{out, length}}});
}

CK_RV C_SignMessageBegin(CK_SESSION_HANDLE handle, CK_VOID_PTR, CK_ULONG parameter_size) {
  return unsupported("C_SignMessageBegin", handle, {{"parameter", Octets{parameter_size}}});
}

CK_RV C_SignMessageNext(CK_SESSION_HANDLE handle, CK_VOID_PTR, CK_ULONG parameter_size, CK_BYTE_PTR,
                        CK_ULONG size, CK_BYTE_PTR out, CK_ULONG_PTR length) {
  return unsupported("C_SignMessageNext", handle,
                     {{"parameter", Octets{parameter_size}},
                      {"part", Octets{size}},
                      {"answer", Room{out, length}}});
}

CK_RV C_MessageSignFinal(CK_SESSION_HANDLE handle) {
  return unsupported("C_MessageSignFinal", handle);
}

CK_RV C_MessageVerifyInit(CK_SESSION_HANDLE handle, CK_MECHANISM_PTR mechanism,
                          CK_OBJECT_HANDLE key) {
  return unsupported("C_MessageVerifyInit", handle, {{"mechanism", mechanism}, {"key", key}});
}

CK_RV C_VerifyMessage(CK_SESSION_HANDLE handle, CK_VOID_PTR, CK_ULONG parameter_size, CK_BYTE_PTR,
                      CK_ULONG size, CK_BYTE_PTR, CK_ULONG signature_size) {
  return unsupported("C_VerifyMessage", handle,
                     {{"parameter", Octets{parameter_size}},
                      {"data", Octets{size}},
                      {"signature", Octets{signature_size}}});
}

CK_RV C_VerifyMessageBegin(CK_SESSION_HANDLE handle, CK_VOID_PTR, CK_ULONG parameter_size) {
  return unsupported("C_VerifyMessageBegin", handle, {{"parameter", Octets{parameter_size}}});
}

CK_RV C_VerifyMessageNext(CK_SESSION_HANDLE handle, CK_VOID_PTR, CK_ULONG parameter_size,
                          CK_BYTE_PTR, CK_ULONG size, CK_BYTE_PTR, CK_ULONG signature_size) {
  return unsupported("C_VerifyMessageNext", handle,
                     {{"parameter", Octets{parameter_size}},
                      {"part", Octets{size}},
                      {"signature", Octets{signature_size}}});
}

CK_RV C_MessageVerifyFinal(CK_SESSION_HANDLE handle) {
  return unsupported("C_MessageVerifyFinal", handle);
}

}  // extern "C"
