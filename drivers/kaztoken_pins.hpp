// SPDX-License-Identifier: Apache-2.0
// Kaztoken's two PINs, and who is logged in.
#pragma once

#include <optional>

#include "drivers/kaztoken.hpp"

namespace kilt::card::kaztoken {

/// Tracks the login that *we* made: the card keeps a login until logout, reset or power-off,
/// whichever program made it [facts kaztoken §10.1 #15].
class Pins {
 public:
  explicit Pins(Link& link) : link_(link) {}

  Result<PinInfo> status(Role role);
  /// At most one try is spent: 6F86 (somebody is logged in) costs none and is answered by a logout
  /// and one repetition [facts kaztoken §3.5].
  Status login(Role role, const SecretBytes& pin);
  Status login_from_pad(Role role) { return login(role, command::verify_from_pad(role)); }
  Status logout();
  /// Under the login of `role`, or for the user's PIN of the officer.
  Status load(Role role, const SecretBytes& new_pin);
  Status reset_user_counter();

  [[nodiscard]] std::optional<Role> role() const { return role_; }
  void forget() { role_.reset(); }
  /// not_logged_in unless the user is.
  [[nodiscard]] Status require_user(const char* what) const;

  [[nodiscard]] static Status check_length(Role role, std::size_t length, bool is_new);

 private:
  Status login(Role role, const Command& verify);
  Error wrong_pin(Role role);
  Link& link_;
  std::optional<Role> role_;
};

}  // namespace kilt::card::kaztoken
