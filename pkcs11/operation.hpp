// SPDX-License-Identifier: Apache-2.0
// What a session remembers between the first and the last call of an operation.
#pragma once

#include <optional>
#include <variant>
#include <vector>

#include "pkcs11/digest.hpp"
#include "pkcs11/mechanism.hpp"
#include "pkcs11/output.hpp"

namespace kilt::p11 {

/// The uses of a key, as CK_MECHANISM_INFO's flags name them; each has its own place in a session.
enum class Use : unsigned char { encrypt, decrypt, sign, sign_recover, verify, verify_recover };
inline constexpr std::size_t use_count = 6;

[[nodiscard]] constexpr CK_FLAGS flag_of(Use use) {
  constexpr CK_FLAGS flags[] = {CKF_ENCRYPT,      CKF_DECRYPT, CKF_SIGN,
                                CKF_SIGN_RECOVER, CKF_VERIFY,  CKF_VERIFY_RECOVER};
  return flags[static_cast<std::size_t>(use)];
}

/// An operation with a key. The key is a copy of what was known when the operation began.
struct Operation {
  Preparation preparation;
  std::variant<card::KeyInfo, card::PublicKey> key;
  CK_OBJECT_HANDLE object = CK_INVALID_HANDLE;  ///< of a private key
  /// In the certificate that the program read, where nothing was read of the private key itself,
  /// and Connection::resets() then.
  std::optional<card::PublicKey> shown{};
  std::uint64_t resets = 0;
  /// The card wants the PIN before this use and C_Login(CKU_CONTEXT_SPECIFIC) has not come yet.
  bool unconfirmed = false;
  unsigned login = 0;       ///< of a private key: Connection::login_number() at the beginning
  bool multi_part = false;  ///< an Update has come
  std::optional<Digester> digester{};  ///< where the mechanism hashes
  Bytes gathered{};                    ///< where it takes its input at once
  /// What the card decrypted although the caller's buffer was too small: its second call is
  /// answered from here, and only with the same cryptogram.
  Bytes cryptogram{}, plain{};

  Operation() = default;
  Operation(Operation&&) = default;
  Operation& operator=(Operation&&) = default;
  ~Operation() { forget_plain(); }
  void forget_plain() {
    if (!plain.empty()) wipe(plain);
    plain.clear();
  }

  /// As the card is to use it. Somebody reset the card, and may have put another key there: then it
  /// has to be that of the certificate. Without a reset a certificate that fits no key, which
  /// others may have left, hinders nobody.
  [[nodiscard]] card::KeyInfo private_key(std::uint64_t resets_now) const {
    auto info = std::get<card::KeyInfo>(key);
    if (shown && !info.value && resets_now != resets) info.value = shown;
    return info;
  }
  [[nodiscard]] const card::PublicKey& public_key() const { return std::get<card::PublicKey>(key); }
  /// Takes a part of the input. CKR_DATA_LEN_RANGE past what the mechanism can take.
  CK_RV gather(ByteView part, CK_FLAGS use) {
    multi_part = true;
    if (digester) {
      digester->update(part);
      return CKR_OK;
    }
    if (part.size() > preparation.max_input(use) - gathered.size()) return CKR_DATA_LEN_RANGE;
    append(gathered, part);
    return CKR_OK;
  }
};

/// An object search: found at C_FindObjectsInit, told piece by piece.
struct Search {
  std::vector<CK_OBJECT_HANDLE> found;
  unsigned login = 0;  ///< Token::login_number() when these were visible
  std::size_t next = 0;
};

}  // namespace kilt::p11
