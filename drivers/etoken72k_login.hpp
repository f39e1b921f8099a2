// SPDX-License-Identifier: Apache-2.0
// Who is logged in on Aladdin's applet. The PIN never goes over the wire: a key is derived from it,
// and the card's challenge is encrypted under that key [facts etoken §5.4].
#pragma once

#include <array>
#include <functional>
#include <optional>

#include "drivers/etoken72k_commands.hpp"

namespace kilt::card::etoken {

/// The PKCS #12 KDF [RFC 7292 appendix B] with SHA-1, ID 3, 999 rounds, over the PIN (UTF-8 in,
/// BMPString with two zero bytes inside): a key for 3DES. pin_invalid for a PIN that is no UTF-8,
/// or has characters outside the BMP; pin_length beyond pin::max_length.
Result<SecretBytes> derive_key(const SecretBytes& pin, ByteView salt);
/// Characters of a PIN in UTF-8; pin_invalid as above.
Result<std::size_t> length_of(const SecretBytes& pin);
/// One block, 3DES-EDE3.
Bytes respond(const SecretBytes& key, ByteView challenge);
/// 3DES-EDE3-CBC; `text` is whole blocks.
Bytes encrypt(const SecretBytes& key, ByteView iv, const SecretBytes& text);

/// The login that *we* made, with the key to make it again.
class Login {
 public:
  /// Wrong PINs since the last right one, as far as anybody noted them.
  using Failures = std::function<int(Role)>;
  /// What the card said when it refused a key that renew() sent.
  using Refused = std::function<void(Role, const Status&)>;

  Login(Link& link, Failures failures, Refused refused)
      : link_(link), failures_(std::move(failures)), refused_(std::move(refused)) {}

  /// With the card's salt in hand, read in this transaction: derives the key and answers one
  /// challenge. At most one try.
  Status begin(Role role, const SecretBytes& pin, ByteView salt);
  /// A protected read may use up the login [facts etoken §5.4]: the same key once more. Not where
  /// a wrong PIN was noted since, and not where the salt, read again unless it was in this
  /// transaction, is another: not_logged_in, and no try is spent. A key that the card refuses is
  /// forgotten, so that no second try is ever spent by itself, and told, for it was a wrong PIN
  /// like any other. Whether the salt's file is selected now.
  Result<bool> renew();
  /// Only our side; the card's ends when the applet is selected again.
  void forget();
  /// not_logged_in where the role's last login was made with another salt: who sets a PIN makes one
  /// (prepare()).
  [[nodiscard]] Status confirm_salt(Role role, ByteView salt) const;

  [[nodiscard]] std::optional<Role> role() const { return role_; }
  /// A PIN that was found blocked and not set anew since.
  [[nodiscard]] bool is_blocked(Role role) const { return blocked_[index(role)]; }
  void forget_blocked() { blocked_ = {}; }
  [[nodiscard]] Status require(Role role, const char* what) const;

  /// A new PIN as the card takes it: a salt of its own, and the key made of both, encrypted under
  /// `under` with a challenge of the card as the initial vector.
  struct NewPin {
    Bytes salt;
    Bytes encrypted_key;
    SecretBytes key;
  };
  Result<NewPin> prepare(const SecretBytes& pin, const SecretBytes& under);
  /// Under the login of its role.
  Status change(Role role, const SecretBytes& pin);
  /// Under the officer's login.
  Status set_user_pin(const SecretBytes& pin);
  /// Under the officer's login, or, on a blank card, without one.
  Status initialise(const SecretBytes& so_pin, ByteView label, bool blank);

  Result<Bytes> challenge();

 private:
  static constexpr std::size_t index(Role role) { return role == Role::user ? 0 : 1; }
  Status answer_challenge(Role role, const SecretBytes& key);
  Status read_salt_again(Role role);
  void learn_salt(Role role, Bytes salt);

  Link& link_;
  const Failures failures_;
  const Refused refused_;
  std::optional<Role> role_;
  std::array<bool, 2> blocked_{};
  SecretBytes key_;
  std::array<Bytes, 2> salts_;                 ///< of each role's last login
  std::optional<std::uint64_t> salt_read_in_;  ///< the transaction
};

}  // namespace kilt::card::etoken
