// SPDX-License-Identifier: Apache-2.0
// One inserted token, as all sessions of this application see it: its card, its lock, its login
// and its objects. A new insertion is a new Token.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <vector>

#include "drivers/config.hpp"
#include "pkcs11/connection.hpp"
#include "pkcs11/cryptoki.hpp"
#include "pkcs11/locking.hpp"
#include "pkcs11/object_store.hpp"

namespace kilt::p11 {

class Token {
 public:
  /// `insertions`: of the reader when the card was connected. `handles`: the module's source of
  /// object handles.
  Token(std::unique_ptr<card::Card> card, PinPolicy policy, const Locking& locking,
        std::uint64_t insertions, std::atomic<CK_ULONG>& handles);

  // Answered without the lock: no card, no waiting.
  [[nodiscard]] const card::CardModel& model() const { return connection_.model(); }
  [[nodiscard]] bool gone() const { return connection_.gone(); }
  void mark_gone() { connection_.mark_gone(); }
  [[nodiscard]] bool tell_removal() { return connection_.tell_removal(); }
  [[nodiscard]] std::optional<card::Role> role() const { return connection_.role(); }
  [[nodiscard]] bool is(card::Role role) const { return connection_.is(role); }
  [[nodiscard]] unsigned login_number() const { return connection_.login_number(); }
  [[nodiscard]] std::uint64_t insertions() const { return insertions_; }
  /// The tokens that the device carries, of which this is one; empty where it is the only one.
  [[nodiscard]] const std::vector<card::Application>& applications() const { return applications_; }

  /// Connection::with_card under this token's lock: the way of every operation to the card.
  template <class Use>
  auto with_card(Use&& use) -> std::invoke_result_t<Use&, card::Card&> {
    const Guard lock(mutex_);
    return connection_.with_card(use);
  }
  /// `use(ObjectStore&)` under this token's lock.
  template <class Use>
  auto with_objects(Use&& use) -> std::invoke_result_t<Use&, ObjectStore&> {
    const Guard lock(mutex_);
    return use(objects_);
  }

  /// Connection::resets(), for whom with_card() calls.
  [[nodiscard]] std::uint64_t resets() const { return connection_.resets(); }

  CK_RV info(CK_TOKEN_INFO& out);
  /// Right after identification: what kilt.toml allows for this serial.
  CK_RV permit(const card::Config& config);

  /// A session of this application more. CKR_SESSION_READ_WRITE_SO_EXISTS.
  CK_RV enter(bool read_write);
  /// A session less, with the session objects of it; the last one logs out.
  void leave(CK_SESSION_HANDLE session, bool read_write);

  /// A null PIN is typed on the reader's keys: CKR_ARGUMENTS_BAD where it cannot be.
  CK_RV login(card::Role role, const SecretBytes* pin);
  CK_RV confirm(const SecretBytes* pin);
  CK_RV logout();
  CK_RV initialise(const std::string& label, const SecretBytes& so_pin);
  CK_RV set_user_pin(const SecretBytes& pin);
  CK_RV change_pin(const SecretBytes& old_pin, const SecretBytes& new_pin);

  /// Logs out if we logged in, waiting for a running operation no longer than a moment; what is
  /// held up longer logs out when it ends.
  void close();
  /// For a forked child: forgets the connection if nobody was inside when it was forked.
  void abandon();

 private:
  CK_RV settled(const Status& status);
  void fill_pin_flags(card::Role role, const card::PinInfo& pin, CK_TOKEN_INFO& out) const;

  const std::vector<card::Application> applications_;
  Mutex mutex_;
  Connection connection_;
  ObjectStore objects_;
  std::uint64_t insertions_;
  bool unblocking_failed_ = false;  ///< C_SetPIN with what was not the security officer's PIN
  std::atomic<CK_ULONG> sessions_{0};
  std::atomic<CK_ULONG> read_write_sessions_{0};
};

}  // namespace kilt::p11
