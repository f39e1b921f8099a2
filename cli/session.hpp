// SPDX-License-Identifier: Apache-2.0
// One token for the length of one command: transactions of one operation each, a login that ends
// with the operation it was made for, and the guard of the last try.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "drivers/card.hpp"

namespace kilt::cli {

class Session {
 public:
  /// Reads what the token says of itself; the card stays untouched otherwise.
  static Result<std::unique_ptr<Session>> open(std::unique_ptr<card::Card> card);

  [[nodiscard]] const card::TokenInfo& token() const { return token_; }
  [[nodiscard]] const card::CardModel& model() const { return card_->model(); }
  /// All applications of the device; empty where it has but one.
  [[nodiscard]] const std::vector<card::Application>& applications() const { return applications_; }
  [[nodiscard]] const std::string& reader() { return card_->link().transport().reader(); }
  /// "KAZTOKEN 0A1B2C3D (label)", safe for a terminal.
  [[nodiscard]] std::string name() const;

  void permit(card::Permissions permissions) { card_->link().set_permissions(permissions); }
  /// What the SO PIN allows to destroy, the serial being confirmed by the user.
  void permit_destruction();
  /// What is done next changes objects: the card is reset in the end, which is how other programs
  /// notice.
  void note_change() { changes_ = true; }
  /// Card::allows(), asked before a PIN is typed.
  Status allows(card::Work work);
  void set_allow_assumed(bool yes);

  /// Runs `work(Card&)` in a transaction of its own. Never call it while a human types.
  template <class Work>
  auto with_card(Work&& work) -> std::invoke_result_t<Work, card::Card&> {
    auto transaction = apdu::Transaction::begin(card_->link().transport());
    if (!transaction) return transaction.take_error();
    refresh(transaction->epoch());
    return std::forward<Work>(work)(*card_);
  }

  /// Logs in, runs `work(Card&)` and logs out, all in one transaction, so that no other program
  /// ever meets our login. pin_last_try and pin_blocked: nothing was sent. If we die in between,
  /// or the logout fails, the card is reset when the connection ends.
  template <class Work>
  auto logged_in(card::Role role, const SecretBytes& pin, bool spend_last_try, Work&& work)
      -> std::invoke_result_t<Work, card::Card&> {
    return with_card([&](card::Card& card) -> std::invoke_result_t<Work, card::Card&> {
      if (auto entered = enter(role, pin, spend_last_try); !entered) return entered.take_error();
      auto result = std::forward<Work>(work)(card);
      leave();
      return result;
    });
  }

  /// Runs `work(Card&)`, which verifies a PIN itself (change_pin, initialise): the same guard
  /// before it and the same logout after it.
  template <class Work>
  Status changing_pin(card::Role role, bool spend_last_try, Work&& work) {
    return with_card([&](card::Card& card) -> Status {
      if (auto state = may_try(role, spend_last_try); !state) return state.take_error();
      prepare_to_leave();
      Status done = std::forward<Work>(work)(card);
      leave();
      if (!done) return with_tries(role, done.take_error());
      return {};
    });
  }

  /// The state of a PIN, when a try may be spent on it; otherwise pin_last_try, pin_blocked or
  /// pin_not_set. Spends nothing itself. Needs a transaction.
  Result<card::PinInfo> may_try(card::Role role, bool spend_last_try);
  /// pin_incorrect with the tries left after it, asked from the card where its answer did not say.
  Error with_tries(card::Role role, Error error);

 private:
  explicit Session(std::unique_ptr<card::Card> card) : card_(std::move(card)) {}
  void refresh(std::uint64_t epoch);
  Status enter(card::Role role, const SecretBytes& pin, bool spend_last_try);
  void prepare_to_leave();
  void leave();

  std::unique_ptr<card::Card> card_;
  card::TokenInfo token_;
  std::vector<card::Application> applications_;
  card::Permissions permissions_;
  std::uint64_t epoch_ = 0;
  bool changes_ = false;
  bool epoch_known_ = false;
};

}  // namespace kilt::cli
