// SPDX-License-Identifier: Apache-2.0
// PINs of a token with Aladdin's applet, and a token set up from the ground.
#include <algorithm>

#include "drivers/etoken72k_card.hpp"

namespace kilt::card::etoken {
namespace {

constexpr std::size_t longest_label = 32;  ///< as much as any program shows
constexpr int most_failures = 15;          ///< that PinNotes keeps

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
  const auto info = files_.select(file::salt_of(role));
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

/// Keeps in mind what the card said of a PIN that was sent: the next process would not know how
/// near the end of the tries is, for the card never tells [facts etoken §5.4].
Status EtokenCard::noted(Role role, Status outcome) {
  const bool is_wrong = !outcome && outcome.error().kind == ErrorKind::pin_incorrect;
  if (!is_wrong && (!outcome || failures_.is_empty())) return outcome;
  const auto number = serial();
  if (!number) return outcome;
  if (is_wrong) {
    const int before = failures_.recall(*number, role).value_or(0);
    failures_.keep(*number, role, std::min(before + 1, most_failures));
  } else {
    failures_.forget(*number, role);
  }
  return outcome;
}

/// The serial number is asked for only where there are notes of any token.
int EtokenCard::failures(Role role) {
  if (failures_.is_empty()) return 0;
  const auto number = serial();
  return number ? failures_.recall(*number, role).value_or(0) : 0;
}

Status EtokenCard::login(Role role, const SecretBytes& pin) {
  if (auto status = check_length(pin, false); !status) return status;
  if (login_.role()) {
    if (auto left = logout(); !left) return left;
  }
  // noted() wants it; asked afterwards, it could cost the login by a selection of the applet.
  if (!failures_.is_empty()) (void)serial().ok();
  begin();
  auto salt = this->salt(role);
  if (!salt) return salt.take_error();
  pin_is_set_[index(role)] = true;
  // What speaks for the vendor's objects may be read now.
  std::erase_if(objects_, [](const auto& object) { return object.second.is_foreign; });
  return noted(role, login_.begin(role, pin, *salt));
}

/// All programs that keep the PIN would spend a try each when one of them changes it.
Status EtokenCard::login_again(Role role, const SecretBytes& pin) {
  begin();
  auto salt = this->salt(role);
  if (!salt) return salt.take_error();
  if (auto same = login_.confirm_salt(role, *salt); !same) return same;
  return login(role, pin);
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
  // Before a try is spent on what is not done anyway.
  if (auto status = allows(Work::change_pin); !status) return status;
  if (auto status = login(role, old_pin); !status) return status;
  return login_.change(role, new_pin);
}

Status EtokenCard::set_user_pin(const SecretBytes& new_pin) {
  if (auto status = check_length(new_pin, true); !status) return status;
  if (auto status = allows(Work::unblock_pin); !status) return status;
  if (auto status = login_.require(Role::security_officer, "setting the user PIN"); !status)
    return status;
  if (auto status = login_.set_user_pin(new_pin); !status) return status;
  pin_is_set_[index(Role::user)] = true;
  return noted(Role::user, {});
}

Status EtokenCard::initialise(const std::string& label, const SecretBytes& so_pin) {
  if (label.empty() || label.size() > longest_label) {
    return Error{ErrorKind::bad_argument,
                 "a token's label has 1 to 32 bytes; nothing was sent to the card"};
  }
  if (auto status = check_length(so_pin, true); !status) return status;
  if (auto status = allows(Work::initialise); !status) return status;
  begin();
  auto has_officer = has_salt(Role::security_officer);
  if (!has_officer) return has_officer.take_error();
  if (*has_officer) {
    if (auto status = login(Role::security_officer, so_pin); !status) return status;
  }
  auto status = login_.initialise(so_pin, as_bytes(label), !*has_officer);
  login_.forget();
  forget_state();
  forget_objects();
  if (!status) return status;
  (void)noted(Role::security_officer, {}).ok();
  return noted(Role::user, {});
}

}  // namespace kilt::card::etoken
