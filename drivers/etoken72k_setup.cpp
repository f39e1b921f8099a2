// SPDX-License-Identifier: Apache-2.0
// PINs of a token with Aladdin's applet, and a token set up from the ground.
#include "drivers/etoken72k_card.hpp"

namespace kilt::card::etoken {
namespace {

constexpr std::size_t longest_label = 32;  ///< as much as any program shows

Status check_length(const SecretBytes& pin, bool is_new) {
  const auto length = length_of(pin);
  if (!length) return length.error();
  const std::size_t least = is_new ? pin::new_min_length : pin::min_length;
  if (*length >= least && *length <= pin::max_length) return {};
  return Error{ErrorKind::pin_length, "a PIN of this token has " + std::to_string(least) + " to " +
                                          std::to_string(pin::max_length) +
                                          " characters; nothing was sent to the card"};
}

}  // namespace

/// Read anew for each login: after a change by another program the old one would cost a try.
Result<Bytes> EtokenCard::salt(Role role) {
  const auto& path = role == Role::user ? file::user_salt : file::officer_salt;
  const auto info = files_.select(path);
  const bool is_absent = info ? info->size == 0 : info.error().kind == ErrorKind::not_found;
  if (is_absent) {
    return Error{ErrorKind::pin_not_set, role == Role::user
                                             ? "the token has no user PIN yet"
                                             : "the token has no security officer's PIN"};
  }
  if (!info) return info.error();
  // Quirk: the file may have 43 bytes, of which only the first 20 count [facts etoken §5.4].
  if (info->size < pin::salt_size) {
    return Error{ErrorKind::protocol, "the token's salt is too short; no try was spent"};
  }
  auto salt = files_.read(pin::salt_size);
  if (!salt) return salt.take_error().within("reading the salt of the PIN");
  return salt;
}

Status EtokenCard::login(Role role, const SecretBytes& pin) {
  if (auto status = check_length(pin, false); !status) return status;
  if (login_.role()) {
    if (auto left = logout(); !left) return left;
  }
  begin();
  auto salt = this->salt(role);
  if (!salt) return salt.take_error();
  pin_is_set_[index(role)] = true;
  // What speaks for the vendor's objects may be read now.
  std::erase_if(objects_, [](const auto& object) { return object.second.is_foreign; });
  return login_.begin(role, pin, *salt);
}

/// No command for it is public. Selecting the applet again ends its session, as with any Java Card
/// applet that keeps its login in memory cleared on deselection (assumed of this one).
Status EtokenCard::logout() {
  const bool was_logged_in = login_.role().has_value();
  login_.forget();
  std::erase_if(bodies_, [](const auto& body) { return kind_of(body.first) == file::data; });
  std::erase_if(objects_, [](const auto& object) { return object.second.is_private; });
  if (!was_logged_in) return {};
  auto status = files_.select_applet();
  if (status) return {};
  return status.take_error().within("logging out");
}

Status EtokenCard::change_pin(Role role, const SecretBytes& old_pin, const SecretBytes& new_pin) {
  if (auto status = check_length(new_pin, true); !status) return status;
  if (auto status = login(role, old_pin); !status) return status;
  return login_.change(role, new_pin);
}

Status EtokenCard::set_user_pin(const SecretBytes& new_pin) {
  if (auto status = check_length(new_pin, true); !status) return status;
  if (auto status = login_.require(Role::security_officer, "setting the user PIN"); !status)
    return status;
  if (auto status = login_.set_user_pin(new_pin); !status) return status;
  pin_is_set_[index(Role::user)] = true;
  return {};
}

Status EtokenCard::initialise(const std::string& label, const SecretBytes& so_pin) {
  if (label.empty() || label.size() > longest_label) {
    return Error{ErrorKind::bad_argument,
                 "a token's label has 1 to 32 bytes; nothing was sent to the card"};
  }
  if (auto status = check_length(so_pin, true); !status) return status;
  begin();
  auto has_officer = has_salt(Role::security_officer);
  if (!has_officer) return has_officer.take_error();
  if (*has_officer) {
    if (auto status = login(Role::security_officer, so_pin); !status) return status;
  }
  auto status = login_.initialise(so_pin, as_bytes(label), !*has_officer);
  forget_state();
  forget_objects();
  return status;
}

}  // namespace kilt::card::etoken
