// SPDX-License-Identifier: Apache-2.0
// The way to one inserted card: transactions, resets made by others, the login and its return,
// removal. No lock of its own: the token's is held by whoever calls.
#pragma once

#include <atomic>
#include <memory>
#include <optional>
#include <type_traits>
#include <utility>

#include "drivers/card.hpp"

namespace kilt::p11 {

/// What kilt.toml says about PINs.
struct PinPolicy {
  bool cache = true;            ///< keep the PIN while logged in, to restore a login
  bool spend_last_try = false;  ///< let a login use the last try
};

class Connection {
 public:
  Connection(std::unique_ptr<card::Card> card, PinPolicy policy);
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;
  /// Logs out if we logged in.
  ~Connection();

  [[nodiscard]] const card::CardModel& model() const { return card_->model(); }
  /// The card or its reader went away. Asked and told from any thread, without the lock.
  [[nodiscard]] bool gone() const { return gone_; }
  void mark_gone() { gone_ = true; }
  /// True once: the application has not been told yet that the token is gone.
  [[nodiscard]] bool tell_removal() { return !removal_told_.exchange(true); }
  /// Who is logged in through us. Asked from any thread, without the lock.
  [[nodiscard]] std::optional<card::Role> role() const;
  [[nodiscard]] bool is(card::Role role) const { return role_ == static_cast<int>(role); }
  /// Another number for each login, 0 while nobody is logged in. Asked from any thread.
  [[nodiscard]] unsigned login_number() const { return role_ < 0 ? 0 : logins_.load(); }
  /// Grows when somebody else may have changed the card, and at login and logout: what was read
  /// of its objects before is old.
  [[nodiscard]] std::uint64_t generation() const { return generation_; }

  /// How often others reset the card, as far as was seen.
  [[nodiscard]] std::uint64_t resets() const { return resets_; }

  /// Notices, as with_card() does, whether others reset the card since our last transaction.
  Status look();

  /// Runs `use` on the card within one transaction, and once more if the card says that nobody is
  /// logged in and the login could be restored. Errors of a card that went away are `removed`.
  template <class Use>
  auto with_card(Use&& use) -> std::invoke_result_t<Use&, card::Card&> {
    auto transaction = begin();
    if (!transaction) return transaction.take_error();
    auto result = use(*card_);
    if (!result && may_return(result.error()) && restore_login()) {
      result = use(*card_);
    }
    if (!result) return settle(result.take_error());
    return result;
  }

  /// Whether this PIN can be typed on the reader's keys.
  [[nodiscard]] bool takes_pin_from_pad(card::Role role) { return card_->takes_pin_from_pad(role); }
  /// pin_last_try (nothing sent) where the policy keeps the last try; else as Card::login. A null
  /// PIN is typed on the reader's keys; such a login cannot be restored.
  Status login(card::Role role, const SecretBytes* pin);
  /// Checks the PIN of the role that is logged in once more, for a key that wants that.
  Status confirm(const SecretBytes* pin);
  /// Sends the card's logout. The login is forgotten whatever the card answers.
  Status logout();
  /// Changes the PIN of `role` and leaves the login as it was.
  Status change_pin(card::Role role, const SecretBytes& old_pin, const SecretBytes& new_pin);
  /// Sets the user's PIN: under the security officer's login, or with that officer's PIN for as
  /// long as this takes.
  Status set_user_pin(const SecretBytes& new_pin);
  Status unblock_user_pin(const SecretBytes& so_pin, const SecretBytes& new_pin);
  Status initialise(const std::string& label, const SecretBytes& so_pin);
  /// Within with_card(): Card::pin_status; remembers the counter.
  Result<card::PinInfo> pin_status(card::Role role);
  /// Within with_card(): Card::token_info, asked once in a generation.
  Result<card::TokenInfo> token_info();

  /// The PIN in use is the one the maker set, as far as a login here has shown.
  [[nodiscard]] bool has_factory_pin(card::Role role) const { return memory_of(role).factory; }
  /// Whether tries are missing from that PIN's counter, as far as can be known: some cards do not
  /// tell the counter's maximum, and then the highest value seen here stands for it.
  /// `ours`: so many were spent here just now, and do not count.
  [[nodiscard]] bool is_count_low(const card::PinInfo& info, int ours = 0) const;
  /// The next wrong PIN may be the last that the card takes, as far as can be known.
  [[nodiscard]] bool is_final_try(const card::PinInfo& info) const;
  /// The PIN is blocked, or its card does not tell.
  [[nodiscard]] bool may_be_blocked(card::Role role);
  /// Whether a wrong PIN of this role, sent again and again by a program that takes it for another,
  /// would leave its owner tries enough. Where nobody tells the counter, one is too much.
  [[nodiscard]] bool has_tries_to_spare(card::Role role);
  /// Objects were changed by us: what was read before is old.
  void objects_changed() {
    ++generation_;
    has_changed_ = true;
  }
  /// For a forked child.
  void abandon() { card_->link().transport().abandon(); }

 private:
  struct PinMemory {
    bool factory = false;
    unsigned failures = 0;  ///< tries lost through us since the last right PIN
    int most = 0;           ///< the highest counter seen
  };

  Result<apdu::Transaction> begin();
  bool restore_login();
  Error settle(Error error);
  void forget_login();
  /// Others may have changed them.
  void forget_objects();
  Status guard_last_try(card::Role role, const card::PinInfo& info);
  Status checked_login(card::Role role, const SecretBytes* pin);
  Status restore_role(std::optional<card::Role> before, const SecretBytes& pin);
  void restore_after_wrong_pin(card::Role role, const SecretBytes* wrong);
  [[nodiscard]] static bool is_refusal(const Error& error);
  /// Nobody is logged in, for another reason than that a driver tried the PIN and was refused.
  bool may_return(const Error& error);
  void remember(card::Role role, const SecretBytes* pin, const Status& outcome);
  [[nodiscard]] const PinMemory& memory_of(card::Role role) const {
    return memory_[role == card::Role::user ? 0 : 1];
  }
  [[nodiscard]] PinMemory& memory_of(card::Role role) {
    return memory_[role == card::Role::user ? 0 : 1];
  }

  std::unique_ptr<card::Card> card_;
  PinPolicy policy_;
  std::atomic<bool> gone_{false};
  std::atomic<bool> removal_told_{false};
  std::atomic<int> role_{-1};
  std::atomic<unsigned> logins_{0};
  std::uint64_t epoch_ = 0;
  std::uint64_t generation_ = 0;
  std::uint64_t resets_ = 0;
  bool has_changed_ = false;  ///< we changed objects: others shall notice, by a reset when we go
  SecretBytes pin_;
  PinMemory memory_[2];
  std::optional<card::TokenInfo> info_;
  std::uint64_t info_generation_ = 0;
};

}  // namespace kilt::p11
