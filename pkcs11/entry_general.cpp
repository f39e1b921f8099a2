// SPDX-License-Identifier: Apache-2.0
// The C ABI: library, slots, tokens [P11 3.1 §5.4, §5.5].
#include "pkcs11/entry.hpp"
#include "pkcs11/entry_pin.hpp"
#include "pkcs11/padded.hpp"
#include "pkcs11/version.hpp"

using namespace kilt;
using namespace kilt::p11;

namespace {

template <class Body>
CK_RV in_slot(Function function, CK_SLOT_ID id, Arguments arguments, Body&& body) noexcept {
  return in_module(function, arguments, [&](Module& module) -> CK_RV {
    module.slots().refresh(false);
    const auto slot = module.slots().find(id);
    return slot ? body(*slot) : CKR_SLOT_ID_INVALID;
  });
}

/// A member of what the caller wants filled in, for the log; nothing where there is no such thing.
template <class Info>
Outcome part(const Info* info, CK_ULONG Info::*member) {
  return {info == nullptr ? nullptr : &(info->*member)};
}

}  // namespace

extern "C" {

CK_RV C_Initialize(CK_VOID_PTR args) {
  const auto* given = static_cast<const CK_C_INITIALIZE_ARGS*>(args);
  return guarded(Function::initialize, CK_INVALID_HANDLE, {{"arguments", given}},
                 [&] { return initialize(given); });
}

CK_RV C_Finalize(CK_VOID_PTR reserved) {
  return guarded(Function::finalize, CK_INVALID_HANDLE,
                 {{"reserved", reserved == nullptr ? "none" : "given"}},
                 [&] { return reserved == nullptr ? finalize() : CKR_ARGUMENTS_BAD; });
}

CK_RV C_GetInfo(CK_INFO_PTR out) {
  return in_module(Function::get_info, {}, [&](Module&) -> CK_RV {
    if (out == nullptr) return CKR_ARGUMENTS_BAD;
    *out = {};
    out->cryptokiVersion = cryptoki_2_40;
    pad(out->manufacturerID, "kilt");
    pad(out->libraryDescription, "kilt: Kazakhstan's key carriers");
    out->libraryVersion = library_version;
    return CKR_OK;
  });
}

CK_RV C_GetSlotList(CK_BBOOL token_present, CK_SLOT_ID_PTR ids, CK_ULONG_PTR count) {
  return in_module(Function::get_slot_list,
                   {{"with token", token_present != CK_FALSE ? "true" : "false"},
                    {"slots", Numbers{ids, count}}},
                   [&](Module& module) -> CK_RV {
                     if (count == nullptr) return CKR_ARGUMENTS_BAD;
                     return module.slots().list(token_present != CK_FALSE, ids, *count);
                   });
}

CK_RV C_GetSlotInfo(CK_SLOT_ID id, CK_SLOT_INFO_PTR out) {
  return in_slot(Function::get_slot_info, id,
                 {{"slot", id}, {"flags", part(out, &CK_SLOT_INFO::flags)}},
                 [&](Slot& slot) -> CK_RV {
                   if (out == nullptr) return CKR_ARGUMENTS_BAD;
                   slot.info(*out);
                   return CKR_OK;
                 });
}

CK_RV C_GetTokenInfo(CK_SLOT_ID id, CK_TOKEN_INFO_PTR out) {
  return in_slot(Function::get_token_info, id,
                 {{"slot", id}, {"flags", part(out, &CK_TOKEN_INFO::flags)}},
                 [&](Slot& slot) -> CK_RV {
                   if (out == nullptr) return CKR_ARGUMENTS_BAD;
                   std::shared_ptr<Token> token;
                   const CK_RV rv = slot.token(token);
                   return rv == CKR_OK ? token->info(*out) : rv;
                 });
}

CK_RV C_WaitForSlotEvent(CK_FLAGS flags, CK_SLOT_ID_PTR id, CK_VOID_PTR reserved) {
  return in_module(Function::wait_for_slot_event, {{"flags", Flags{flags}}, {"slot", Outcome{id}}},
                   [&](Module& module) -> CK_RV {
                     if (id == nullptr || reserved != nullptr) return CKR_ARGUMENTS_BAD;
                     return module.slots().wait(!(flags & CKF_DONT_BLOCK), *id);
                   });
}

CK_RV C_GetMechanismList(CK_SLOT_ID id, CK_MECHANISM_TYPE_PTR types, CK_ULONG_PTR count) {
  return in_slot(Function::get_mechanism_list, id,
                 {{"slot", id}, {"mechanisms", Numbers{types, count}}}, [&](Slot& slot) -> CK_RV {
                   if (count == nullptr) return CKR_ARGUMENTS_BAD;
                   const card::CardModel* model = nullptr;
                   if (const CK_RV rv = slot.model(model); rv != CKR_OK) return rv;
                   const auto all = mechanisms_of(*model);
                   const CK_ULONG room = *count;
                   *count = all.size();
                   if (types == nullptr) return CKR_OK;
                   if (room < all.size()) return CKR_BUFFER_TOO_SMALL;
                   std::copy(all.begin(), all.end(), types);
                   return CKR_OK;
                 });
}

CK_RV C_GetMechanismInfo(CK_SLOT_ID id, CK_MECHANISM_TYPE type, CK_MECHANISM_INFO_PTR out) {
  return in_slot(Function::get_mechanism_info, id,
                 {{"slot", id},
                  {"mechanism", MechanismType{type}},
                  {"least", part(out, &CK_MECHANISM_INFO::ulMinKeySize)},
                  {"most", part(out, &CK_MECHANISM_INFO::ulMaxKeySize)},
                  {"flags", part(out, &CK_MECHANISM_INFO::flags)}},
                 [&](Slot& slot) -> CK_RV {
                   if (out == nullptr) return CKR_ARGUMENTS_BAD;
                   const card::CardModel* model = nullptr;
                   if (const CK_RV rv = slot.model(model); rv != CKR_OK) return rv;
                   const auto found = info(*model, type);
                   if (!found) return CKR_MECHANISM_INVALID;
                   *out = *found;
                   return CKR_OK;
                 });
}

CK_RV C_InitToken(CK_SLOT_ID id, CK_UTF8CHAR_PTR pin, CK_ULONG size, CK_UTF8CHAR_PTR label) {
  return in_slot(Function::init_token, id,
                 {{"slot", id}, {"pin", Pin{pin, size}}, {"label", Padded{label, 32}}},
                 [&](Slot& slot) -> CK_RV {
                   if (pin == nullptr || label == nullptr) return CKR_ARGUMENTS_BAD;
                   SecretBytes secret;
                   if (const CK_RV rv = read_pin(pin, size, secret); rv != CKR_OK) return rv;
                   std::shared_ptr<Token> token;
                   const CK_RV rv = slot.token(token);
                   return rv == CKR_OK ? token->initialise(unpadded(label, 32), secret) : rv;
                 });
}

}  // extern "C"
