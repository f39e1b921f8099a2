// SPDX-License-Identifier: Apache-2.0
// The LASER applet's two PINs, who is logged in, and how a new PIN reaches the card.
#pragma once

#include <functional>
#include <optional>
#include <utility>

#include "drivers/jacarta_files.hpp"

namespace kilt::card::jacarta {

/// Where random bytes of our side come from.
using RandomSource = std::function<Result<Bytes>(std::size_t count)>;
/// The system's.
Result<Bytes> host_random(std::size_t count);

/// What SELECT tells of a PIN's object [facts jacarta A7, A16 #13, #14].
struct PinFacts {
  std::optional<int> tries_left, tries_max;
  std::size_t min_length = pin::min_length, max_length = pin::max_length;
  /// The flag of the object's properties [facts jacarta A7]; taken for set where there are none.
  bool allows_secure_verify = true;
  /// A PIN that was stored by its owner's software has a policy; one that initialisation left there
  /// has none.
  bool has_policy = false;
};
[[nodiscard]] PinFacts parse_pin_facts(ByteView properties);

class Pins {
 public:
  Pins(Link& link, Files& files, RandomSource random)
      : link_(link), files_(files), random_(std::move(random)) {}

  struct State {
    PinInfo info;
    PinFacts facts;
  };
  /// One command; spends no try.
  Result<State> status(Role role);
  /// One try at most. The PIN goes in plain only where its object does not allow secure VERIFY,
  /// whatever the card answers to that.
  Status login(Role role, const SecretBytes& pin);
  /// Transport PIN 1, as every card is shipped; always plain [facts jacarta A8].
  Status login_for_transport();
  Status logout();
  /// A new value of this PIN, under secure messaging; whoever the card wants is logged in.
  /// protocol, removed or transport: the new PIN may be set.
  Status store(Role role, const SecretBytes& new_pin);
  Status reset_user_counter();

  /// The login that we made, unless the applet was selected anew since.
  [[nodiscard]] std::optional<Role> role() const;
  void forget() { role_.reset(); }
  /// not_logged_in unless the user is.
  [[nodiscard]] Status require_user(const char* what) const;
  Result<Bytes> random(std::size_t count) { return random_(count); }
  [[nodiscard]] static Status check_length(Role role, std::size_t length);

 private:
  Result<apdu::ResponseApdu> verify(const SecretBytes& pin, bool secure);
  Status judge(Role role, apdu::StatusWord status);

  Link& link_;
  Files& files_;
  RandomSource random_;
  std::optional<Role> role_;
  std::uint64_t applet_selections_ = 0;
};

}  // namespace kilt::card::jacarta
