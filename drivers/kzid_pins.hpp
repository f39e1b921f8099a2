// SPDX-License-Identifier: Apache-2.0
// The ID card's PIN and its unblocking code (the security officer), and who is logged in.
#pragma once

#include <optional>

#include "drivers/kzid_place.hpp"

namespace kilt::card::kzid {

/// Tracks the login that *we* made. The card knows no command that ends one.
class Pins {
 public:
  explicit Pins(Place& place) : place_(place) {}

  /// Any answer that is not understood, or a card that may not be asked, is a counter that is not
  /// known.
  Result<PinInfo> status(Role role);
  /// Costs a try when the PIN is wrong, and no more.
  Status login(Role role, const SecretBytes& pin);
  Status login_from_pad(Role role);
  Status change(Role role, const SecretBytes& old_pin, const SecretBytes& new_pin);
  /// Under the officer's login.
  Status reset_user(const SecretBytes& new_pin);

  [[nodiscard]] std::optional<Role> role() const { return role_; }
  /// The card answered its last status() for this role with the counter or the login, so nobody
  /// need remember it.
  [[nodiscard]] bool tells(Role role) const {
    return role == Role::user ? tells_user_ : tells_officer_;
  }
  /// The card may hold a login because of us.
  [[nodiscard]] bool may_be_open() const { return may_be_open_; }
  /// Nobody is logged in any more.
  void forget();
  /// The card says that the login is gone.
  void lost() { role_.reset(); }
  /// not_logged_in unless the user is.
  [[nodiscard]] Status require_user(const char* what) const;

  /// Whether it can be this PIN at all: its length, and digits only.
  [[nodiscard]] static Status check(Role role, const SecretBytes& pin);
  [[nodiscard]] static Status check_new(Role role, const SecretBytes& pin);

 private:
  Result<apdu::ResponseApdu> send(Command (*build)(Role, const SecretBytes&, const SecretBytes&),
                                  Role role, const SecretBytes& pin, const SecretBytes& other);
  Status logged_in(Role role, const Status& judged);
  Status judge(Role role, const Result<apdu::ResponseApdu>& answer, const char* doing);

  Place& place_;
  std::optional<Role> role_;
  bool may_be_open_ = false;
  bool tells_user_ = false, tells_officer_ = false;
};

}  // namespace kilt::card::kzid
