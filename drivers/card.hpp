// SPDX-License-Identifier: Apache-2.0
// The Card interface: everything a kind of card can be asked for. One implementation per driver.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "apdu/result.hpp"
#include "drivers/link.hpp"
#include "drivers/model.hpp"

namespace kilt::card {

struct GenerateRequest {
  KeyType type = KeyType::rsa;
  std::size_t bits = 2048;
  Bytes id;  ///< empty: the driver takes the SHA-1 of the public key
  std::string private_label, public_label;
  KeyUsage usage;
  Bytes subject{};
};

struct KeyPair {
  KeyInfo private_key;
  PublicKeyInfo public_info;
  PublicKey public_key;
};

struct ImportRequest {
  Bytes id;
  std::string label;
  KeyUsage usage;
  Bytes subject{};
};

struct CertificateRequest {
  Bytes id;           ///< empty: that of the key it fits
  std::string label;  ///< empty: that of the key it fits
  bool authority = false;
  /// A certificate that fits no key on the card is refused (key_mismatch) unless this is set.
  bool allow_without_key = false;
};

struct DataRequest {
  std::string label, application;
  Bytes object_id{};
  bool is_private = false;
};

/// What may be asked for beforehand.
enum class Work { generate, import, install, change, remove, change_pin, unblock_pin, initialise };

/// Only what is set is changed.
struct AttributeChange {
  std::optional<std::string> label;
  std::optional<Bytes> id;
  std::optional<Bytes> subject;
};

/// One inserted card of a known kind.
///
/// Every call needs a transaction on the link's transport, held by the caller (Token, CLI).
/// Not thread-safe. No call spends a PIN try except login, change_pin, unblock_pin and initialise,
/// and those at most one. Errors are ErrorKind as documented there; a call that failed left the
/// card as it was, or the text says what it left.
class Card {
 public:
  virtual ~Card() = default;

  [[nodiscard]] virtual const CardModel& model() const = 0;
  [[nodiscard]] virtual Link& link() = 0;
  /// All applications of the device that this card is one of, usable ones in the order in which
  /// identify() counts them. Empty where device and token are one.
  [[nodiscard]] virtual std::vector<Application> applications() { return link().applications(); }

  /// refused where the guard (Link) would refuse a command of this work, so that nobody types a
  /// PIN, and no try of one is spent, for what is not done. Sends nothing.
  [[nodiscard]] virtual Status allows(Work) { return {}; }

  /// The card lost its volatile state (a new epoch): forget selection, login and environment.
  virtual void forget_state() = 0;
  /// Somebody else may have changed the objects: forget what was read of them.
  virtual void forget_objects() = 0;

  virtual Result<TokenInfo> token_info() = 0;
  /// The serial number alone, as in TokenInfo: at most one APDU.
  virtual Result<std::string> serial() {
    auto info = token_info();
    if (!info) return info.take_error();
    return info->serial;
  }
  /// Spends no try and needs no login. Cheap (at most one APDU).
  virtual Result<PinInfo> pin_status(Role role) = 0;

  /// pin_incorrect with tries_left, pin_blocked, pin_length and pin_invalid (not sent). Does not
  /// guard the last try: its callers do, with pin_status(). A role already logged in is checked
  /// again with this PIN (a right PIN is a success, a wrong one costs a try).
  virtual Status login(Role role, const SecretBytes& pin) = 0;
  /// As login(), of a program that repeats a PIN which was right, because the login was lost, and
  /// that nobody told to. not_logged_in, and nothing sent, where the card shows that the PIN was
  /// changed since.
  virtual Status login_again(Role role, const SecretBytes& pin) { return login(role, pin); }
  /// Whether this PIN can be typed on the reader's keys: there are some, and the card takes the PIN
  /// as it is typed.
  [[nodiscard]] virtual bool takes_pin_from_pad(Role) { return false; }
  /// As login(), with a PIN that no program sees. Also cancelled (given up, or nobody was there).
  virtual Status login_from_pad(Role) {
    return Error{ErrorKind::unsupported, "this card's PIN cannot be typed on a reader's keys"};
  }
  /// Success also when nobody is logged in.
  virtual Status logout() = 0;
  /// Verifies `old_pin` itself; ends logged out or in the role that was changed.
  virtual Status change_pin(Role role, const SecretBytes& old_pin, const SecretBytes& new_pin) = 0;
  /// Sets the user PIN under a security officer's login; creates it where the card has none yet,
  /// and resets its counter. not_logged_in without that login. May end that login (a card may do
  /// so when it leaves its initialisation).
  virtual Status set_user_pin(const SecretBytes& new_pin) = 0;

  /// Objects visible now. Private data objects appear only under the user's login.
  virtual Result<Directory> list() = 0;
  /// The same for some classes only: finding a private key by its id need not pay for the
  /// certificates' directory. May hand back more than was asked for.
  virtual Result<Directory> list_classes(const ObjectClasses&) { return list(); }
  virtual Result<PublicKey> read_public_key(const ObjectRef& key) = 0;       ///< of either half
  virtual Result<Bytes> read_certificate(const ObjectRef& certificate) = 0;  ///< DER
  virtual Result<Bytes> read_data(const ObjectRef& data) = 0;

  /// Never destroys an existing key. no_space, exists, unsupported (size), not_logged_in.
  virtual Result<KeyPair> generate(const GenerateRequest& request) = 0;
  virtual Result<KeyInfo> import_private_key(const ImportRequest& request, RsaPrivateKey key) = 0;
  virtual Result<PublicKeyInfo> store_public_key(const ImportRequest& request,
                                                 const PublicKey& key) = 0;
  /// exists, and nothing written: this very certificate is on the card already, under the id that
  /// it would get and under the label that the request names, if it names one.
  virtual Result<CertificateInfo> install_certificate(const CertificateRequest& request,
                                                      ByteView der) = 0;
  virtual Result<DataInfo> store_data(const DataRequest& request, ByteView value) = 0;
  virtual Status change_attributes(const ObjectRef& object, const AttributeChange& change) = 0;
  virtual Status delete_object(const ObjectRef& object) = 0;

  /// bad_argument when the input does not fit the scheme and key size; not_found when another key
  /// has the place of this one by now. What the card computes is checked with the key's public half
  /// where that was read; where it was not, the card is asked first whether it still describes this
  /// key (identity.hpp), as far as that costs little.
  virtual Result<Bytes> sign(const KeyInfo& key, Scheme scheme, ByteView input) = 0;
  virtual Result<Bytes> decrypt(const KeyInfo& key, Scheme scheme, ByteView input) = 0;

  /// Erases the card and gives it `label` and this security officer's PIN. On a card that was
  /// initialised before, `so_pin` must be its present one: it is verified first, and when it is
  /// wrong nothing was changed. The user PIN is unset afterwards (set_user_pin).
  virtual Status initialise(const std::string& label, const SecretBytes& so_pin) = 0;
  virtual Result<Bytes> random(std::size_t count) = 0;
};

}  // namespace kilt::card
