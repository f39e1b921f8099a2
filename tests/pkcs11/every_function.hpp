// SPDX-License-Identifier: Apache-2.0
// Every function of the 3.0 list, for tests that hold for all of them.
#pragma once

#include "pkcs11/cryptoki.hpp"

namespace kilt::test {

/// `each(name, function)`, in the order of the function list.
template <class Each>
void every_function(Each&& each) {
  each("C_Initialize", C_Initialize);
  each("C_Finalize", C_Finalize);
  each("C_GetInfo", C_GetInfo);
  each("C_GetFunctionList", C_GetFunctionList);
  each("C_GetSlotList", C_GetSlotList);
  each("C_GetSlotInfo", C_GetSlotInfo);
  each("C_GetTokenInfo", C_GetTokenInfo);
  each("C_GetMechanismList", C_GetMechanismList);
  each("C_GetMechanismInfo", C_GetMechanismInfo);
  each("C_InitToken", C_InitToken);
  each("C_InitPIN", C_InitPIN);
  each("C_SetPIN", C_SetPIN);
  each("C_OpenSession", C_OpenSession);
  each("C_CloseSession", C_CloseSession);
  each("C_CloseAllSessions", C_CloseAllSessions);
  each("C_GetSessionInfo", C_GetSessionInfo);
  each("C_GetOperationState", C_GetOperationState);
  each("C_SetOperationState", C_SetOperationState);
  each("C_Login", C_Login);
  each("C_Logout", C_Logout);
  each("C_CreateObject", C_CreateObject);
  each("C_CopyObject", C_CopyObject);
  each("C_DestroyObject", C_DestroyObject);
  each("C_GetObjectSize", C_GetObjectSize);
  each("C_GetAttributeValue", C_GetAttributeValue);
  each("C_SetAttributeValue", C_SetAttributeValue);
  each("C_FindObjectsInit", C_FindObjectsInit);
  each("C_FindObjects", C_FindObjects);
  each("C_FindObjectsFinal", C_FindObjectsFinal);
  each("C_EncryptInit", C_EncryptInit);
  each("C_Encrypt", C_Encrypt);
  each("C_EncryptUpdate", C_EncryptUpdate);
  each("C_EncryptFinal", C_EncryptFinal);
  each("C_DecryptInit", C_DecryptInit);
  each("C_Decrypt", C_Decrypt);
  each("C_DecryptUpdate", C_DecryptUpdate);
  each("C_DecryptFinal", C_DecryptFinal);
  each("C_DigestInit", C_DigestInit);
  each("C_Digest", C_Digest);
  each("C_DigestUpdate", C_DigestUpdate);
  each("C_DigestKey", C_DigestKey);
  each("C_DigestFinal", C_DigestFinal);
  each("C_SignInit", C_SignInit);
  each("C_Sign", C_Sign);
  each("C_SignUpdate", C_SignUpdate);
  each("C_SignFinal", C_SignFinal);
  each("C_SignRecoverInit", C_SignRecoverInit);
  each("C_SignRecover", C_SignRecover);
  each("C_VerifyInit", C_VerifyInit);
  each("C_Verify", C_Verify);
  each("C_VerifyUpdate", C_VerifyUpdate);
  each("C_VerifyFinal", C_VerifyFinal);
  each("C_VerifyRecoverInit", C_VerifyRecoverInit);
  each("C_VerifyRecover", C_VerifyRecover);
  each("C_DigestEncryptUpdate", C_DigestEncryptUpdate);
  each("C_DecryptDigestUpdate", C_DecryptDigestUpdate);
  each("C_SignEncryptUpdate", C_SignEncryptUpdate);
  each("C_DecryptVerifyUpdate", C_DecryptVerifyUpdate);
  each("C_GenerateKey", C_GenerateKey);
  each("C_GenerateKeyPair", C_GenerateKeyPair);
  each("C_WrapKey", C_WrapKey);
  each("C_UnwrapKey", C_UnwrapKey);
  each("C_DeriveKey", C_DeriveKey);
  each("C_SeedRandom", C_SeedRandom);
  each("C_GenerateRandom", C_GenerateRandom);
  each("C_GetFunctionStatus", C_GetFunctionStatus);
  each("C_CancelFunction", C_CancelFunction);
  each("C_WaitForSlotEvent", C_WaitForSlotEvent);
  each("C_GetInterfaceList", C_GetInterfaceList);
  each("C_GetInterface", C_GetInterface);
  each("C_LoginUser", C_LoginUser);
  each("C_SessionCancel", C_SessionCancel);
  each("C_MessageEncryptInit", C_MessageEncryptInit);
  each("C_EncryptMessage", C_EncryptMessage);
  each("C_EncryptMessageBegin", C_EncryptMessageBegin);
  each("C_EncryptMessageNext", C_EncryptMessageNext);
  each("C_MessageEncryptFinal", C_MessageEncryptFinal);
  each("C_MessageDecryptInit", C_MessageDecryptInit);
  each("C_DecryptMessage", C_DecryptMessage);
  each("C_DecryptMessageBegin", C_DecryptMessageBegin);
  each("C_DecryptMessageNext", C_DecryptMessageNext);
  each("C_MessageDecryptFinal", C_MessageDecryptFinal);
  each("C_MessageSignInit", C_MessageSignInit);
  each("C_SignMessage", C_SignMessage);
  each("C_SignMessageBegin", C_SignMessageBegin);
  each("C_SignMessageNext", C_SignMessageNext);
  each("C_MessageSignFinal", C_MessageSignFinal);
  each("C_MessageVerifyInit", C_MessageVerifyInit);
  each("C_VerifyMessage", C_VerifyMessage);
  each("C_VerifyMessageBegin", C_VerifyMessageBegin);
  each("C_VerifyMessageNext", C_VerifyMessageNext);
  each("C_MessageVerifyFinal", C_MessageVerifyFinal);
}

}  // namespace kilt::test
