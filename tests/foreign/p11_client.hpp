// SPDX-License-Identifier: Apache-2.0
// A small PKCS#11 client for test programs: it loads any module by its path, as an application
// does.
#pragma once

#include <dlfcn.h>

#include <cstdio>
#include <cstdlib>
#include <stdexcept>
#include <string>
#include <vector>

#include "pkcs11/cryptoki.hpp"

namespace kilt::client {

inline void check(CK_RV rv, const char* call) {
  if (rv == CKR_OK) return;
  char text[32];
  std::snprintf(text, sizeof text, " -> 0x%lX", rv);
  throw std::runtime_error(call + std::string(text));
}

class Module {
 public:
  explicit Module(const std::string& path)
      : handle_(::dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL)) {
    if (handle_ == nullptr) throw std::runtime_error(::dlerror());
    auto get = reinterpret_cast<CK_C_GetFunctionList>(::dlsym(handle_, "C_GetFunctionList"));
    if (get == nullptr) throw std::runtime_error("no C_GetFunctionList");
    check(get(&functions_), "C_GetFunctionList");
  }
  Module(const Module&) = delete;
  Module& operator=(const Module&) = delete;
  ~Module() { ::dlclose(handle_); }

  CK_FUNCTION_LIST* operator->() const { return functions_; }

  void initialize() const {
    CK_C_INITIALIZE_ARGS args{};
    args.flags = CKF_OS_LOCKING_OK;
    check(functions_->C_Initialize(&args), "C_Initialize");
  }
  [[nodiscard]] std::vector<CK_SLOT_ID> slots() const {
    CK_ULONG count = 0;
    check(functions_->C_GetSlotList(CK_TRUE, nullptr, &count), "C_GetSlotList");
    std::vector<CK_SLOT_ID> slots(count);
    check(functions_->C_GetSlotList(CK_TRUE, slots.data(), &count), "C_GetSlotList");
    slots.resize(count);
    return slots;
  }
  [[nodiscard]] CK_SESSION_HANDLE open(CK_SLOT_ID slot) const {
    CK_SESSION_HANDLE session = 0;
    check(functions_->C_OpenSession(slot, CKF_SERIAL_SESSION | CKF_RW_SESSION, nullptr, nullptr,
                                    &session),
          "C_OpenSession");
    return session;
  }
  void login(CK_SESSION_HANDLE session, const std::string& pin) const {
    const CK_RV rv = functions_->C_Login(
        session, CKU_USER, reinterpret_cast<CK_UTF8CHAR*>(const_cast<char*>(pin.data())),
        pin.size());
    if (rv != CKR_USER_ALREADY_LOGGED_IN) check(rv, "C_Login");
  }
  [[nodiscard]] std::vector<CK_OBJECT_HANDLE> find(CK_SESSION_HANDLE session,
                                                   std::vector<CK_ATTRIBUTE> wanted) const {
    check(functions_->C_FindObjectsInit(session, wanted.data(), wanted.size()),
          "C_FindObjectsInit");
    std::vector<CK_OBJECT_HANDLE> found;
    for (;;) {
      CK_OBJECT_HANDLE handles[16];
      CK_ULONG count = 0;
      check(functions_->C_FindObjects(session, handles, 16, &count), "C_FindObjects");
      if (count == 0) break;
      found.insert(found.end(), handles, handles + count);
    }
    check(functions_->C_FindObjectsFinal(session), "C_FindObjectsFinal");
    return found;
  }
  [[nodiscard]] std::vector<CK_OBJECT_HANDLE> find_class(CK_SESSION_HANDLE session,
                                                         CK_OBJECT_CLASS what) const {
    return find(session, {{CKA_CLASS, &what, sizeof what}});
  }
  /// Empty when the object has no such attribute.
  [[nodiscard]] std::vector<CK_BYTE> attribute(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE object,
                                               CK_ATTRIBUTE_TYPE type) const {
    CK_ATTRIBUTE wanted{type, nullptr, 0};
    if (functions_->C_GetAttributeValue(session, object, &wanted, 1) != CKR_OK) return {};
    std::vector<CK_BYTE> value(wanted.ulValueLen);
    wanted.pValue = value.data();
    if (functions_->C_GetAttributeValue(session, object, &wanted, 1) != CKR_OK) return {};
    return value;
  }
  [[nodiscard]] std::vector<CK_BYTE> sign(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE key,
                                          CK_MECHANISM_TYPE type,
                                          const std::vector<CK_BYTE>& data) const {
    CK_MECHANISM mechanism{type, nullptr, 0};
    check(functions_->C_SignInit(session, &mechanism, key), "C_SignInit");
    std::vector<CK_BYTE> signature(512);
    CK_ULONG length = signature.size();
    check(functions_->C_Sign(session, const_cast<CK_BYTE*>(data.data()), data.size(),
                             signature.data(), &length),
          "C_Sign");
    signature.resize(length);
    return signature;
  }

 private:
  void* handle_;
  CK_FUNCTION_LIST* functions_ = nullptr;
};

}  // namespace kilt::client
