// SPDX-License-Identifier: Apache-2.0
// The table of mechanisms, and the way from a CK_MECHANISM and data to what a card is asked for.
// No card is touched here: everything but the random salt of PSS is a pure function.
#pragma once

#include <optional>
#include <span>
#include <vector>

#include "apdu/bytes.hpp"
#include "drivers/model.hpp"
#include "pkcs11/cryptoki.hpp"
#include "pkcs11/digest.hpp"

namespace kilt::p11 {

/// What happens between the caller's data and the key's bare operation.
enum class Encoding : std::uint8_t {
  none,        ///< digests and key generation: no key operation
  pkcs1,       ///< [RFC 8017 §7.2, §9.2]; padded by the driver or the card
  pkcs1_info,  ///< as pkcs1, over the DigestInfo that we make
  raw,         ///< [P11 3.1 §6.1.11] left-padded with zeros to the length of the modulus
  pss,         ///< [RFC 8017 §9.1]
  oaep,        ///< [RFC 8017 §7.1]
};

/// One row of the table.
struct Mechanism {
  CK_MECHANISM_TYPE type = 0;
  const char* name = "";               ///< "CKM_SHA256_RSA_PKCS"
  std::optional<card::KeyType> key{};  ///< empty: takes no key (a digest)
  CK_FLAGS uses = 0;                   ///< CKF_SIGN | CKF_VERIFY ..., when the card has it all
  Encoding encoding = Encoding::none;
  card::Scheme scheme = card::Scheme::rsa_raw;  ///< what the card must offer; unused for digests
  std::optional<DigestKind> digest{};  ///< hashed on the host; such a mechanism is multi-part
};

[[nodiscard]] std::span<const Mechanism> all_mechanisms();
/// Null for a type that is not in the table.
[[nodiscard]] const Mechanism* find_mechanism(CK_MECHANISM_TYPE type);
/// Types that a card of this model offers, in the table's order. Digests are always among them.
[[nodiscard]] std::vector<CK_MECHANISM_TYPE> mechanisms_of(const card::CardModel& model);
/// Key sizes in bits and flags; CKF_HW where the card computes with the key. Empty: the model does
/// not offer it (CKR_MECHANISM_INVALID).
[[nodiscard]] std::optional<CK_MECHANISM_INFO> info(const card::CardModel& model,
                                                    CK_MECHANISM_TYPE type);

/// What a key must be known by to begin an operation: nothing of this costs an APDU.
struct KeyFacts {
  card::KeyType type = card::KeyType::rsa;
  std::size_t bits = 0;
};

/// A CK_MECHANISM that was checked for one operation, with its parameters copied. A plain value.
struct Preparation {
  const Mechanism* mechanism = nullptr;
  std::size_t bits = 0;                    ///< of the key
  DigestKind hash = DigestKind::sha1;      ///< pss, oaep
  DigestKind mgf_hash = DigestKind::sha1;  ///< pss, oaep
  std::size_t salt_length = 0;             ///< pss
  Bytes label{};                           ///< oaep

  /// Octets of the modulus: the length of every signature and cryptogram, and an upper bound of
  /// every plain text (which is what a length query of C_Decrypt is told, without asking the card).
  [[nodiscard]] std::size_t size() const { return (bits + 7) / 8; }
  /// The digest that C_SignUpdate / C_VerifyUpdate feed; empty for mechanisms that take their whole
  /// input at once, at most max_input() octets of it.
  [[nodiscard]] std::optional<DigestKind> digest() const { return mechanism->digest; }
  /// Longest input of a one-shot mechanism: sign k-11, k, the hash length; decrypt k; encrypt by
  /// encoding. Without meaning where digest() is set.
  [[nodiscard]] std::size_t max_input(CK_FLAGS use) const;
};

/// Checks `mechanism` for one use (exactly one of CKF_SIGN, CKF_VERIFY, CKF_DECRYPT, CKF_ENCRYPT,
/// CKF_SIGN_RECOVER, CKF_VERIFY_RECOVER) with such a key on such a card.
/// CKR_ARGUMENTS_BAD (null), CKR_MECHANISM_INVALID, CKR_MECHANISM_PARAM_INVALID,
/// CKR_KEY_TYPE_INCONSISTENT, CKR_KEY_SIZE_RANGE.
[[nodiscard]] CK_RV check_mechanism(const card::CardModel& model, const CK_MECHANISM* mechanism,
                                    CK_FLAGS use, const KeyFacts& key, Preparation& out);
/// For C_DigestInit. CKR_ARGUMENTS_BAD, CKR_MECHANISM_INVALID, CKR_MECHANISM_PARAM_INVALID.
[[nodiscard]] CK_RV check_digest(const CK_MECHANISM* mechanism, DigestKind& out);
/// For C_GenerateKeyPair. CKR_ARGUMENTS_BAD, CKR_MECHANISM_INVALID, CKR_MECHANISM_PARAM_INVALID.
[[nodiscard]] CK_RV check_generation(const card::CardModel& model, const CK_MECHANISM* mechanism,
                                     card::KeyType& out);
/// Whether the model takes a key of this size (generated or imported): CKR_OK, CKR_KEY_SIZE_RANGE.
[[nodiscard]] CK_RV check_key_size(const card::CardModel& model, card::KeyType type,
                                   std::size_t bits);

/// What Card::sign or Card::decrypt is to be called with.
struct CardInput {
  card::Scheme scheme = card::Scheme::rsa_raw;
  Bytes bytes{};
};

/// Signing (and sign-recover) of a whole message in one call. CKR_DATA_LEN_RANGE.
[[nodiscard]] CK_RV prepare_sign(const Preparation& preparation, ByteView message, CardInput& out);
/// The same from the finished digest of a mechanism with digest(). CKR_DATA_LEN_RANGE unless it is
/// of the hash's length.
[[nodiscard]] CK_RV prepare_sign_digest(const Preparation& preparation, ByteView digest,
                                        CardInput& out);
/// CKR_ENCRYPTED_DATA_LEN_RANGE unless the cryptogram has the length of the modulus.
[[nodiscard]] CK_RV prepare_decrypt(const Preparation& preparation, ByteView cryptogram,
                                    CardInput& out);
/// From what the card answered to the plain text. Wipes `answer`. CKR_ENCRYPTED_DATA_INVALID for
/// every wrong padding alike; CKR_DEVICE_ERROR when the answer has an impossible length.
[[nodiscard]] CK_RV finish_decrypt(const Preparation& preparation, Bytes&& answer, Bytes& plain);

/// Octets from the kernel's generator. False when it does not answer.
[[nodiscard]] bool fill_random(std::span<std::uint8_t> out);

}  // namespace kilt::p11
