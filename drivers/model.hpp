// SPDX-License-Identifier: Apache-2.0
// Plain structs that drivers hand up: what is on a card, and how we know how to ask for it.
// Numbers big-endian without leading zeros unless a field says otherwise; labels UTF-8.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "apdu/bytes.hpp"

namespace kilt::card {

/// How we know a command (design §2). Order: the surer the smaller.
enum class Evidence { published, observed, related, assumed };
[[nodiscard]] const char* to_string(Evidence evidence);

/// The two PIN holders of a token.
enum class Role { user, security_officer };

enum class KeyType { rsa, gost_256, gost_512 };

/// What a private key operation is given and answers. Padding that a driver adds is host or card
/// work, which of both is the driver's business.
enum class Scheme {
  rsa_raw,    ///< block of modulus length in, block of modulus length out (no padding at all)
  rsa_pkcs1,  ///< sign: DigestInfo (or any text) in, EMSA-PKCS1-v1_5 signature out;
              ///< decrypt: cryptogram in, plain text without padding out
  gost_34_10_2004_256,  ///< 32-byte digest in, 64-byte signature out, s‖r big-endian (PKCS#11 form)
  gost_34_10_2015_512,  ///< 64-byte digest in, 128-byte signature out, s‖r big-endian
};

struct KeyUsage {
  bool sign = false;
  bool sign_recover = false;
  bool decrypt = false;
  bool unwrap = false;
  bool derive = false;
  bool non_repudiation = false;
  bool operator==(const KeyUsage&) const = default;
};

struct PublicKey {
  KeyType type = KeyType::rsa;
  Bytes modulus{};     ///< RSA n
  Bytes exponent{};    ///< RSA e
  Bytes point{};       ///< GOST: X‖Y, each little-endian, as in SubjectPublicKeyInfo [RFC 4491]
  Bytes parameters{};  ///< GOST: DER OBJECT IDENTIFIER of the parameter set
  [[nodiscard]] std::size_t bits() const;
  bool operator==(const PublicKey&) const = default;
};

/// Components of an RSA private key to be imported. All big-endian.
struct RsaPrivateKey {
  Bytes modulus, public_exponent;
  SecretBytes prime1, prime2, exponent1, exponent2, coefficient;
};

enum class ObjectClass { private_key, public_key, certificate, data };

/// Names one object on one card while the card stays in and the object exists. `token` is the
/// driver's own (a file id, a key reference); callers only keep and compare it.
struct ObjectRef {
  ObjectClass object_class = ObjectClass::private_key;
  std::uint32_t token = 0;
  auto operator<=>(const ObjectRef&) const = default;
};

struct KeyInfo {
  ObjectRef ref;
  std::string label;
  Bytes id;
  KeyType type = KeyType::rsa;
  std::size_t bits = 0;
  KeyUsage usage;
  Bytes subject{};     ///< DER Name; empty when the card keeps none
  bool local = false;  ///< generated on this card
  bool sensitive = true;
  bool always_sensitive = false;
  bool never_extractable = false;
  bool always_authenticate = false;  ///< the card wants the PIN before every use
  bool modifiable = true;
  /// The public half that was read of it before, if any: what the key computes must fit that. A
  /// driver forgets what it knows when others reset the card; who holds this does not.
  std::optional<PublicKey> value{};

  /// By which a result is judged: what was read of this key; else what the driver knows of the key
  /// in its place, which may be another by now; null if nobody knows.
  [[nodiscard]] const PublicKey* judge(const PublicKey* known) const {
    return value ? &*value : known;
  }
};

struct PublicKeyInfo {
  ObjectRef ref;
  std::string label;
  Bytes id;
  KeyType type = KeyType::rsa;
  std::size_t bits = 0;
  KeyUsage usage;  ///< of the private key it belongs to (sign here = verify there)
  bool local = false;
};

struct CertificateInfo {
  ObjectRef ref;
  std::string label;
  Bytes id;
  bool authority = false;  ///< a CA's certificate
  bool trusted = false;
  /// Path of the file on this computer that holds it because the card has no room for certificates;
  /// empty: it is on the card.
  std::string kept_in{};
};

struct DataInfo {
  ObjectRef ref;
  std::string label;
  std::string application;
  Bytes object_id{};  ///< DER OBJECT IDENTIFIER, may be empty
  bool is_private = false;
};

/// Classes of objects to list; every directory file left out saves the card's time.
struct ObjectClasses {
  bool private_keys = true;
  bool public_keys = true;
  bool certificates = true;
  bool data = true;
};

/// What one listing pass finds. Bodies (public key values, certificate DER, data) are read later,
/// by reference, when somebody asks.
struct Directory {
  std::vector<KeyInfo> keys;
  std::vector<PublicKeyInfo> public_keys;
  std::vector<CertificateInfo> certificates;
  std::vector<DataInfo> data;
};

struct PinInfo {
  Role role = Role::user;
  bool initialized = true;
  std::size_t min_length = 0;  ///< that a PIN on the card may have; a new one: new_min_length
  std::size_t max_length = 0;
  std::optional<int> tries_left;  ///< unknown where the card does not tell without spending one
  std::optional<int> tries_max;
  /// Wrong PINs since the last right one, as far as this user's programs know; for cards that never
  /// tell tries_left.
  int failures = 0;
  /// Why nobody counts wrong PINs: the card does not tell, and no note of them can be kept on this
  /// computer. Empty where somebody counts.
  std::string unwatched{};
  bool blocked = false;
  bool logged_in = false;  ///< the card holds this login now, whoever made it
  std::size_t new_min_length = 0;
};

struct TokenInfo {
  std::string label;
  std::string serial;            ///< upper-case hex as printed on the device where known
  std::string manufacturer;      ///< of the device
  std::string hardware_version;  ///< "1.20"; empty if unknown
  std::string firmware_version;
  bool initialized = true;  ///< false: blank card, only initialise() works
  bool has_random = false;
  bool write_protected = false;
};

/// PINs that the maker or the NCA sets. Never tried by themselves; a hint only (design §2).
struct FactoryDefaults {
  std::string user_pin;
  std::string so_pin;
  std::string other_user_pin{};  ///< of another way of delivery; empty: there is none

  /// Whether that is a PIN which everybody knows from the maker.
  [[nodiscard]] bool has(Role role, const SecretBytes& pin) const;
};

/// What a kind of card can do; known without touching the card.
struct Capability {
  KeyType type = KeyType::rsa;
  std::size_t min_bits = 0;
  std::size_t max_bits = 0;
  std::size_t bits_step = 0;  ///< sizes between are min + n*step
  bool generate = false;
  bool import = false;
  std::vector<Scheme> sign;
  std::vector<Scheme> decrypt;
  /// Where the sizes make no row of equal steps: exactly these, and bits_step says nothing.
  std::vector<std::size_t> sizes{};
  /// Whether keys of this size are made or taken.
  [[nodiscard]] bool has_size(std::size_t bits) const;
};

/// One of several applications (applets) of a device.
struct Application {
  const char* name = "";  ///< for people: "JaCarta GOST (Cryptotoken)"
  bool usable = false;    ///< kilt opens it as a token of its own; others are only reported
};

struct CardModel {
  std::string name;        ///< CKA model: "KAZTOKEN"
  std::string store_name;  ///< NCALayer's: "AKKaztokenStore"
  FactoryDefaults factory;
  std::vector<Capability> capabilities;
  bool has_so = true;
  bool has_data_objects = true;
  bool can_initialise = true;
  bool can_set_attributes = true;
};

}  // namespace kilt::card
