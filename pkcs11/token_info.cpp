// SPDX-License-Identifier: Apache-2.0
// CK_TOKEN_INFO: what the card says now, flags true at all times [P11 3.1 §3.2].
#include <algorithm>
#include <charconv>
#include <string_view>

#include "pkcs11/error_map.hpp"
#include "pkcs11/padded.hpp"
#include "pkcs11/token.hpp"

namespace kilt::p11 {

using card::Role;

namespace {

CK_BYTE number(std::string_view text) {
  unsigned value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return static_cast<CK_BYTE>(std::min(value, 255U));
}

/// "1.20" as a version; hundredths as the standard counts them.
CK_VERSION version(std::string_view text) {
  const auto dot = text.find('.');
  if (dot == std::string_view::npos) return {number(text), 0};
  return {number(text.substr(0, dot)), number(text.substr(dot + 1))};
}

}  // namespace

void Token::fill_pin_flags(Role role, const card::PinInfo& pin, CK_TOKEN_INFO& out) const {
  const bool user = role == Role::user;
  const auto set = [&](bool yes, CK_FLAGS for_user, CK_FLAGS for_so) {
    if (yes) out.flags |= user ? for_user : for_so;
  };
  set(user && pin.initialized, CKF_USER_PIN_INITIALIZED, 0);
  set(connection_.is_count_low(pin), CKF_USER_PIN_COUNT_LOW, CKF_SO_PIN_COUNT_LOW);
  set(connection_.is_final_try(pin) && !pin.blocked, CKF_USER_PIN_FINAL_TRY, CKF_SO_PIN_FINAL_TRY);
  set(pin.blocked, CKF_USER_PIN_LOCKED, CKF_SO_PIN_LOCKED);
  set(connection_.has_factory_pin(role), CKF_USER_PIN_TO_BE_CHANGED, CKF_SO_PIN_TO_BE_CHANGED);
}

CK_RV Token::info(CK_TOKEN_INFO& out) {
  const Guard lock(mutex_);
  card::TokenInfo token;
  card::PinInfo user, officer;
  const auto read = connection_.with_card([&](card::Card&) -> Status {
    auto info = connection_.token_info();
    if (!info) return info.take_error();
    token = *std::move(info);
    auto pin = connection_.pin_status(Role::user);
    if (!pin) return pin.take_error();
    user = *pin;
    if (!model().has_so) return {};
    pin = connection_.pin_status(Role::security_officer);
    if (!pin) return pin.take_error();
    officer = *pin;
    return {};
  });
  if (!read) return report(read.error());

  out = {};
  pad(out.label, token.label);
  pad(out.manufacturerID, "kilt");
  pad(out.model, model().name);
  pad_end(out.serialNumber, token.serial);
  out.flags = CKF_LOGIN_REQUIRED;
  if (token.has_random) out.flags |= CKF_RNG;
  if (token.write_protected) out.flags |= CKF_WRITE_PROTECTED;
  if (token.initialized) out.flags |= CKF_TOKEN_INITIALIZED;
  if (connection_.takes_pin_from_pad(Role::user)) out.flags |= CKF_PROTECTED_AUTHENTICATION_PATH;
  fill_pin_flags(Role::user, user, out);
  if (model().has_so) fill_pin_flags(Role::security_officer, officer, out);
  out.ulMaxSessionCount = CK_EFFECTIVELY_INFINITE;
  out.ulSessionCount = sessions_;
  out.ulMaxRwSessionCount = CK_EFFECTIVELY_INFINITE;
  out.ulRwSessionCount = read_write_sessions_;
  out.ulMaxPinLen = user.max_length;
  out.ulMinPinLen = user.min_length;
  out.ulTotalPublicMemory = out.ulFreePublicMemory = CK_UNAVAILABLE_INFORMATION;
  out.ulTotalPrivateMemory = out.ulFreePrivateMemory = CK_UNAVAILABLE_INFORMATION;
  out.hardwareVersion = version(token.hardware_version);
  out.firmwareVersion = version(token.firmware_version);
  pad(out.utcTime, "");
  return CKR_OK;
}

}  // namespace kilt::p11
