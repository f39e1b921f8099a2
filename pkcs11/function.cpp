// SPDX-License-Identifier: Apache-2.0
#include "pkcs11/function.hpp"

#include <algorithm>
#include <array>
#include <initializer_list>

namespace kilt::p11 {
namespace {

/// Sets of codes that many functions share.
enum Group : unsigned {
  in_use = 1 << 0,      ///< the library is initialised, arguments can be wrong
  device = 1 << 1,      ///< the token is asked
  session = 1 << 2,     ///< takes a session
  slot = 1 << 3,        ///< takes a slot
  key_begin = 1 << 4,   ///< begins an operation with a key
  result = 1 << 5,      ///< writes into a caller's buffer
  running = 1 << 6,     ///< goes on with an operation
  writing = 1 << 7,     ///< changes the token
  attributes = 1 << 8,  ///< takes a template
};

struct Row {
  const char* name;
  unsigned groups;
  std::array<CK_RV, 10> codes;
};

constexpr unsigned in_session = in_use | device | session;
constexpr unsigned object_write = in_session | writing | attributes;

// In the order of Function [P11 2.40 and 3.1 §5.4 to §5.21].
constexpr Row rows[] = {
    {"C_Initialize",
     0,
     {CKR_ARGUMENTS_BAD, CKR_CANT_LOCK, CKR_CRYPTOKI_ALREADY_INITIALIZED,
      CKR_NEED_TO_CREATE_THREADS}},
    {"C_Finalize", in_use, {}},
    {"C_GetInfo", in_use, {}},
    {"C_GetFunctionList", 0, {CKR_ARGUMENTS_BAD}},
    {"C_GetSlotList", in_use, {CKR_BUFFER_TOO_SMALL}},
    {"C_GetSlotInfo", in_use, {CKR_DEVICE_ERROR, CKR_SLOT_ID_INVALID}},
    {"C_GetTokenInfo", in_use | device | slot, {}},
    {"C_GetMechanismList", in_use | device | slot, {CKR_BUFFER_TOO_SMALL}},
    {"C_GetMechanismInfo", in_use | device | slot, {CKR_MECHANISM_INVALID}},
    {"C_InitToken",
     in_use | device | slot,
     {CKR_FUNCTION_CANCELED, CKR_PIN_INCORRECT, CKR_PIN_LOCKED, CKR_SESSION_EXISTS,
      CKR_TOKEN_WRITE_PROTECTED}},
    {"C_InitPIN", in_session | writing, {CKR_PIN_INVALID, CKR_PIN_LEN_RANGE}},
    {"C_SetPIN",
     in_use | device | session,
     {CKR_PIN_INCORRECT, CKR_PIN_INVALID, CKR_PIN_LEN_RANGE, CKR_PIN_LOCKED, CKR_SESSION_READ_ONLY,
      CKR_TOKEN_WRITE_PROTECTED}},
    {"C_OpenSession",
     in_use | device | slot,
     {CKR_SESSION_COUNT, CKR_SESSION_PARALLEL_NOT_SUPPORTED, CKR_SESSION_READ_WRITE_SO_EXISTS,
      CKR_TOKEN_WRITE_PROTECTED}},
    {"C_CloseSession", in_session, {}},
    {"C_CloseAllSessions", in_use | device, {CKR_SLOT_ID_INVALID, CKR_TOKEN_NOT_PRESENT}},
    {"C_GetSessionInfo", in_session, {}},
    {"C_GetOperationState",
     in_session | result,
     {CKR_OPERATION_NOT_INITIALIZED, CKR_STATE_UNSAVEABLE}},
    {"C_SetOperationState",
     in_session,
     {CKR_KEY_CHANGED, CKR_KEY_NEEDED, CKR_KEY_NOT_NEEDED, CKR_SAVED_STATE_INVALID}},
    {"C_Login",
     in_session,
     {CKR_OPERATION_NOT_INITIALIZED, CKR_PIN_INCORRECT, CKR_PIN_LOCKED,
      CKR_SESSION_READ_ONLY_EXISTS, CKR_USER_ALREADY_LOGGED_IN, CKR_USER_ANOTHER_ALREADY_LOGGED_IN,
      CKR_USER_PIN_NOT_INITIALIZED, CKR_USER_TOO_MANY_TYPES, CKR_USER_TYPE_INVALID}},
    {"C_Logout", in_session, {CKR_USER_NOT_LOGGED_IN}},
    {"C_CreateObject",
     object_write,
     {CKR_CURVE_NOT_SUPPORTED, CKR_DOMAIN_PARAMS_INVALID, CKR_TEMPLATE_INCOMPLETE}},
    {"C_CopyObject", object_write, {CKR_ACTION_PROHIBITED, CKR_OBJECT_HANDLE_INVALID}},
    {"C_DestroyObject",
     in_session,
     {CKR_ACTION_PROHIBITED, CKR_OBJECT_HANDLE_INVALID, CKR_PIN_EXPIRED, CKR_SESSION_READ_ONLY,
      CKR_TOKEN_WRITE_PROTECTED}},
    {"C_GetObjectSize", in_session, {CKR_INFORMATION_SENSITIVE, CKR_OBJECT_HANDLE_INVALID}},
    {"C_GetAttributeValue",
     in_session | result,
     {CKR_ATTRIBUTE_SENSITIVE, CKR_ATTRIBUTE_TYPE_INVALID, CKR_OBJECT_HANDLE_INVALID}},
    {"C_SetAttributeValue", object_write, {CKR_ACTION_PROHIBITED, CKR_OBJECT_HANDLE_INVALID}},
    {"C_FindObjectsInit",
     in_session,
     {CKR_ATTRIBUTE_TYPE_INVALID, CKR_ATTRIBUTE_VALUE_INVALID, CKR_OPERATION_ACTIVE,
      CKR_PIN_EXPIRED}},
    {"C_FindObjects", in_session, {CKR_OPERATION_NOT_INITIALIZED}},
    {"C_FindObjectsFinal", in_session, {CKR_OPERATION_NOT_INITIALIZED}},
    {"C_EncryptInit", in_session | key_begin, {}},
    {"C_Encrypt", in_session | running | result, {CKR_DATA_INVALID, CKR_DATA_LEN_RANGE}},
    {"C_EncryptUpdate", in_session | running | result, {CKR_DATA_LEN_RANGE}},
    {"C_EncryptFinal", in_session | running | result, {CKR_DATA_LEN_RANGE}},
    {"C_DecryptInit", in_session | key_begin, {}},
    {"C_Decrypt",
     in_session | running | result,
     {CKR_ENCRYPTED_DATA_INVALID, CKR_ENCRYPTED_DATA_LEN_RANGE, CKR_USER_NOT_LOGGED_IN}},
    {"C_DecryptUpdate",
     in_session | running | result,
     {CKR_ENCRYPTED_DATA_INVALID, CKR_ENCRYPTED_DATA_LEN_RANGE, CKR_USER_NOT_LOGGED_IN}},
    {"C_DecryptFinal",
     in_session | running | result,
     {CKR_ENCRYPTED_DATA_INVALID, CKR_ENCRYPTED_DATA_LEN_RANGE, CKR_USER_NOT_LOGGED_IN}},
    {"C_DigestInit",
     in_session,
     {CKR_MECHANISM_INVALID, CKR_MECHANISM_PARAM_INVALID, CKR_OPERATION_ACTIVE, CKR_PIN_EXPIRED,
      CKR_USER_NOT_LOGGED_IN}},
    {"C_Digest", in_session | running | result, {}},
    {"C_DigestUpdate", in_session | running, {}},
    {"C_DigestKey",
     in_session | running,
     {CKR_KEY_HANDLE_INVALID, CKR_KEY_INDIGESTIBLE, CKR_KEY_SIZE_RANGE}},
    {"C_DigestFinal", in_session | running | result, {}},
    {"C_SignInit", in_session | key_begin, {}},
    {"C_Sign",
     in_session | running | result,
     {CKR_DATA_INVALID, CKR_DATA_LEN_RANGE, CKR_USER_NOT_LOGGED_IN, CKR_FUNCTION_REJECTED}},
    {"C_SignUpdate", in_session | running, {CKR_DATA_LEN_RANGE, CKR_USER_NOT_LOGGED_IN}},
    {"C_SignFinal",
     in_session | running | result,
     {CKR_DATA_LEN_RANGE, CKR_USER_NOT_LOGGED_IN, CKR_FUNCTION_REJECTED}},
    {"C_SignRecoverInit", in_session | key_begin, {}},
    {"C_SignRecover",
     in_session | running | result,
     {CKR_DATA_INVALID, CKR_DATA_LEN_RANGE, CKR_USER_NOT_LOGGED_IN}},
    {"C_VerifyInit", in_session | key_begin, {}},
    {"C_Verify",
     in_session | running,
     {CKR_DATA_INVALID, CKR_DATA_LEN_RANGE, CKR_SIGNATURE_INVALID, CKR_SIGNATURE_LEN_RANGE}},
    {"C_VerifyUpdate", in_session | running, {CKR_DATA_LEN_RANGE}},
    {"C_VerifyFinal",
     in_session | running,
     {CKR_DATA_LEN_RANGE, CKR_SIGNATURE_INVALID, CKR_SIGNATURE_LEN_RANGE}},
    {"C_VerifyRecoverInit", in_session | key_begin, {}},
    {"C_VerifyRecover",
     in_session | running | result,
     {CKR_DATA_INVALID, CKR_DATA_LEN_RANGE, CKR_SIGNATURE_INVALID, CKR_SIGNATURE_LEN_RANGE}},
    {"C_GenerateKeyPair",
     object_write,
     {CKR_CURVE_NOT_SUPPORTED, CKR_DOMAIN_PARAMS_INVALID, CKR_KEY_SIZE_RANGE, CKR_MECHANISM_INVALID,
      CKR_MECHANISM_PARAM_INVALID, CKR_OPERATION_ACTIVE, CKR_TEMPLATE_INCOMPLETE}},
    {"C_SeedRandom",
     in_session,
     {CKR_OPERATION_ACTIVE, CKR_RANDOM_SEED_NOT_SUPPORTED, CKR_RANDOM_NO_RNG,
      CKR_USER_NOT_LOGGED_IN}},
    {"C_GenerateRandom",
     in_session,
     {CKR_OPERATION_ACTIVE, CKR_RANDOM_NO_RNG, CKR_USER_NOT_LOGGED_IN}},
    {"C_GetFunctionStatus", in_session, {CKR_FUNCTION_NOT_PARALLEL}},
    {"C_CancelFunction", in_session, {CKR_FUNCTION_NOT_PARALLEL}},
    {"C_WaitForSlotEvent", in_use, {CKR_NO_EVENT}},
    {"C_GetInterfaceList", 0, {CKR_ARGUMENTS_BAD, CKR_BUFFER_TOO_SMALL}},
    {"C_GetInterface", 0, {CKR_ARGUMENTS_BAD}},
    {"C_LoginUser",
     in_session,
     {CKR_OPERATION_NOT_INITIALIZED, CKR_PIN_INCORRECT, CKR_PIN_LOCKED,
      CKR_SESSION_READ_ONLY_EXISTS, CKR_USER_ALREADY_LOGGED_IN, CKR_USER_ANOTHER_ALREADY_LOGGED_IN,
      CKR_USER_PIN_NOT_INITIALIZED, CKR_USER_TOO_MANY_TYPES, CKR_USER_TYPE_INVALID}},
    {"C_SessionCancel", in_session, {CKR_OPERATION_CANCEL_FAILED, CKR_TOKEN_NOT_PRESENT}},
    {"an unsupported function", in_session, {}},
};
static_assert(std::size(rows) == static_cast<std::size_t>(Function::unsupported) + 1);

struct GroupCodes {
  unsigned group;
  std::array<CK_RV, 12> codes;
};

constexpr GroupCodes group_codes[] = {
    {in_use, {CKR_CRYPTOKI_NOT_INITIALIZED, CKR_ARGUMENTS_BAD}},
    {device, {CKR_DEVICE_ERROR, CKR_DEVICE_MEMORY, CKR_DEVICE_REMOVED}},
    {session, {CKR_SESSION_CLOSED, CKR_SESSION_HANDLE_INVALID, CKR_FUNCTION_CANCELED}},
    {slot, {CKR_SLOT_ID_INVALID, CKR_TOKEN_NOT_PRESENT, CKR_TOKEN_NOT_RECOGNIZED}},
    {key_begin,
     {CKR_KEY_FUNCTION_NOT_PERMITTED, CKR_KEY_HANDLE_INVALID, CKR_KEY_SIZE_RANGE,
      CKR_KEY_TYPE_INCONSISTENT, CKR_MECHANISM_INVALID, CKR_MECHANISM_PARAM_INVALID,
      CKR_OPERATION_ACTIVE, CKR_OPERATION_CANCEL_FAILED, CKR_PIN_EXPIRED, CKR_USER_NOT_LOGGED_IN}},
    {result, {CKR_BUFFER_TOO_SMALL}},
    {running, {CKR_OPERATION_NOT_INITIALIZED}},
    {writing, {CKR_SESSION_READ_ONLY, CKR_TOKEN_WRITE_PROTECTED, CKR_USER_NOT_LOGGED_IN}},
    {attributes,
     {CKR_ATTRIBUTE_READ_ONLY, CKR_ATTRIBUTE_TYPE_INVALID, CKR_ATTRIBUTE_VALUE_INVALID,
      CKR_PIN_EXPIRED, CKR_TEMPLATE_INCONSISTENT}},
};

/// What to say instead where a code is not listed; tried in order.
struct Instead {
  CK_RV code;
  std::array<CK_RV, 4> others;
};

constexpr Instead instead[] = {
    // [P11 3.1 §5.1.6] these belong to functions that set a PIN; elsewhere such a PIN cannot be the
    // right one.
    {CKR_PIN_LEN_RANGE, {CKR_PIN_INCORRECT}},
    {CKR_PIN_INVALID, {CKR_PIN_INCORRECT}},
    {CKR_PIN_LOCKED, {CKR_PIN_INCORRECT, CKR_USER_NOT_LOGGED_IN}},
    {CKR_PIN_INCORRECT, {CKR_USER_NOT_LOGGED_IN}},
    {CKR_USER_NOT_LOGGED_IN, {CKR_ACTION_PROHIBITED, CKR_KEY_FUNCTION_NOT_PERMITTED}},
    {CKR_DEVICE_REMOVED, {CKR_TOKEN_NOT_PRESENT, CKR_DEVICE_ERROR}},
    {CKR_TOKEN_NOT_PRESENT, {CKR_DEVICE_REMOVED}},
    {CKR_TOKEN_NOT_RECOGNIZED, {CKR_DEVICE_ERROR}},
    {CKR_DEVICE_MEMORY, {CKR_DEVICE_ERROR}},
    {CKR_KEY_SIZE_RANGE, {CKR_ATTRIBUTE_VALUE_INVALID, CKR_DATA_LEN_RANGE}},
    {CKR_ACTION_PROHIBITED,
     {CKR_KEY_FUNCTION_NOT_PERMITTED, CKR_TOKEN_WRITE_PROTECTED, CKR_ATTRIBUTE_READ_ONLY}},
    {CKR_OBJECT_HANDLE_INVALID, {CKR_KEY_HANDLE_INVALID}},
    {CKR_TEMPLATE_INCONSISTENT, {CKR_ATTRIBUTE_VALUE_INVALID}},
    {CKR_ATTRIBUTE_VALUE_INVALID, {CKR_DATA_INVALID, CKR_ARGUMENTS_BAD}},
    {CKR_DATA_INVALID,
     {CKR_ENCRYPTED_DATA_INVALID, CKR_DATA_LEN_RANGE, CKR_ATTRIBUTE_VALUE_INVALID,
      CKR_ARGUMENTS_BAD}},
    {CKR_DATA_LEN_RANGE, {CKR_ENCRYPTED_DATA_LEN_RANGE, CKR_ARGUMENTS_BAD}},
    {CKR_SESSION_CLOSED, {CKR_SESSION_HANDLE_INVALID}},
};

template <std::size_t N>
bool has(const std::array<CK_RV, N>& codes, CK_RV rv) {
  return std::find(codes.begin(), codes.end(), rv) != codes.end();
}

}  // namespace

const char* name_of(Function function) {
  return rows[static_cast<std::size_t>(function)].name;
}

bool lists(Function function, CK_RV rv) {
  for (const CK_RV always : {CKR_OK, CKR_HOST_MEMORY, CKR_GENERAL_ERROR, CKR_FUNCTION_FAILED,
                             CKR_FUNCTION_NOT_SUPPORTED}) {
    if (rv == always) return true;
  }
  const Row& row = rows[static_cast<std::size_t>(function)];
  if (has(row.codes, rv)) return true;
  return std::any_of(std::begin(group_codes), std::end(group_codes), [&](const GroupCodes& group) {
    return (row.groups & group.group) && has(group.codes, rv);
  });
}

CK_RV nearest_listed(Function function, CK_RV rv) {
  if (lists(function, rv)) return rv;
  for (const Instead& row : instead) {
    if (row.code != rv) continue;
    for (const CK_RV other : row.others) {
      if (other != CKR_OK && lists(function, other)) return other;
    }
  }
  return CKR_FUNCTION_FAILED;
}

}  // namespace kilt::p11
