// SPDX-License-Identifier: Apache-2.0
// The functions of Cryptoki, and which return values the specification lists for each. A client
// that meets a code it does not expect hangs or gives up, so none leaves the module unlisted.
#pragma once

#include "pkcs11/cryptoki.hpp"

namespace kilt::p11 {

// clang-format off
enum class Function : unsigned char {
  initialize, finalize, get_info, get_function_list, get_slot_list, get_slot_info, get_token_info,
  get_mechanism_list, get_mechanism_info, init_token, init_pin, set_pin, open_session,
  close_session, close_all_sessions, get_session_info, get_operation_state, set_operation_state,
  login, logout, create_object, copy_object, destroy_object, get_object_size, get_attribute_value,
  set_attribute_value, find_objects_init, find_objects, find_objects_final, encrypt_init, encrypt,
  encrypt_update, encrypt_final, decrypt_init, decrypt, decrypt_update, decrypt_final, digest_init,
  digest, digest_update, digest_key, digest_final, sign_init, sign, sign_update, sign_final,
  sign_recover_init, sign_recover, verify_init, verify, verify_update, verify_final,
  verify_recover_init, verify_recover, generate_key_pair, seed_random, generate_random,
  get_function_status, cancel_function, wait_for_slot_event, get_interface_list, get_interface,
  login_user, session_cancel,
  unsupported,  ///< everything else: answers CKR_FUNCTION_NOT_SUPPORTED only
};
// clang-format on

[[nodiscard]] const char* name_of(Function function);
/// Whether the specification lists `rv` for it (2.40 and 3.0 together). CKR_OK, CKR_HOST_MEMORY,
/// CKR_GENERAL_ERROR, CKR_FUNCTION_FAILED and CKR_FUNCTION_NOT_SUPPORTED are listed everywhere
/// [P11 3.1 §5.1].
[[nodiscard]] bool lists(Function function, CK_RV rv);
/// `rv` itself if listed, else the nearest code that is.
[[nodiscard]] CK_RV nearest_listed(Function function, CK_RV rv);
/// "CKR_PIN_INCORRECT", or the number in hex.
[[nodiscard]] const char* name_of_code(CK_RV rv);

}  // namespace kilt::p11
