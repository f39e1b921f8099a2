// SPDX-License-Identifier: Apache-2.0
// The national ID card as a Card. What each operation means is said in card.hpp; how it is done is
// spread over kzid_card (looking), kzid_use (PINs, using keys), kzid_enrol (keys made),
// kzid_install (certificates), kzid_objects (changing, deleting).
#pragma once

#include <memory>
#include <optional>
#include <set>

#include "drivers/card.hpp"
#include "drivers/certificate.hpp"
#include "drivers/kzid_directory.hpp"
#include "drivers/kzid_keys.hpp"
#include "drivers/kzid_pins.hpp"
#include "drivers/pin_notes.hpp"
#include "drivers/refusals.hpp"
#include "drivers/side_files.hpp"

namespace kilt::card::kzid {

class KzidCard final : public Card {
 public:
  /// `side_files`: certificates of cards that have no directories for them.
  KzidCard(std::unique_ptr<Link> link, SideFiles side_files);

  [[nodiscard]] const CardModel& model() const override { return kzid::model(); }
  [[nodiscard]] Link& link() override { return *link_; }
  /// `remove` is meant of keys, and of certificates on the card; one beside it needs no leave.
  [[nodiscard]] Status allows(Work work) override;
  void forget_state() override;
  void forget_objects() override;

  Result<TokenInfo> token_info() override;
  /// Of EF.GDO. A card without: the first half of the SHA-1 of the first key's modulus; one that
  /// has no keys either, or may not be asked: `no_serial`.
  Result<std::string> serial() override;
  /// Where the card does not tell the counter: what it said of the last wrong PIN, to whatever
  /// process of this user. Then a card's first key may be read to know it again.
  Result<PinInfo> pin_status(Role role) override;

  Status login(Role role, const SecretBytes& pin) override;
  [[nodiscard]] bool takes_pin_from_pad(Role) override { return link_->has_pin_pad(); }
  Status login_from_pad(Role role) override;
  /// By a reset of the card, because no command ends its login. Other programs' logins end, too.
  Status logout() override;
  Status change_pin(Role role, const SecretBytes& old_pin, const SecretBytes& new_pin) override;
  Status set_user_pin(const SecretBytes& new_pin) override;

  /// All key objects are looked into, whatever the directories say of them.
  Result<Directory> list() override { return list_classes({}); }
  /// Private keys alone: where the card's directory names some, its word is taken.
  Result<Directory> list_classes(const ObjectClasses& which) override;
  Result<PublicKey> read_public_key(const ObjectRef& key) override;
  Result<Bytes> read_certificate(const ObjectRef& certificate) override;
  Result<Bytes> read_data(const ObjectRef& data) override;

  /// Into an empty key object. Where the card has no directories the key gets no label, and an id
  /// cannot be chosen. unsupported for a key that is not to sign; a wish to decrypt besides is
  /// passed over, and KeyInfo::usage says so.
  Result<KeyPair> generate(const GenerateRequest& request) override;
  Result<KeyInfo> import_private_key(const ImportRequest& request, RsaPrivateKey key) override;
  Result<PublicKeyInfo> store_public_key(const ImportRequest& request,
                                         const PublicKey& key) override;
  /// On the card when it has directories, else into a side file (CertificateInfo::kept_in), where a
  /// key has one certificate, under the label and the id of the key, and needs no login for it.
  Result<CertificateInfo> install_certificate(const CertificateRequest& request,
                                              ByteView der) override;
  Result<DataInfo> store_data(const DataRequest& request, ByteView value) override;
  Status change_attributes(const ObjectRef& object, const AttributeChange& change) override;
  /// With a private key goes its public half: they are one object of the card.
  Status delete_object(const ObjectRef& object) override;

  Result<Bytes> sign(const KeyInfo& key, Scheme scheme, ByteView input) override;
  Result<Bytes> decrypt(const KeyInfo& key, Scheme scheme, ByteView input) override;

  Status initialise(const std::string& label, const SecretBytes& so_pin) override;
  Result<Bytes> random(std::size_t count) override;

 private:
  Status end_login_of_other(Role role);
  using Kind = pkcs15::Kind;

  /// What the directories say of the keys: by number.
  struct Described {
    std::map<std::uint8_t, pkcs15::PrivateKey> keys;
    std::map<std::uint8_t, pkcs15::PublicKeyEntry> public_keys;
  };
  struct ListedCertificate {
    std::uint16_t file = 0;
    pkcs15::CertificateEntry entry;
    Bytes raw;
  };

  // -- kzid_card.cpp: looking
  void begin() { place_.begin(); }
  Result<std::map<std::uint8_t, pkcs15::PrivateKey>> described_keys();
  Result<Described> described();
  Result<std::map<std::uint8_t, PublicKey>> keys_on_card();
  Result<std::vector<KeyInfo>> private_keys(bool look);
  Result<std::vector<KeyInfo>> named_keys(bool look);
  Result<std::vector<PublicKeyInfo>> public_keys();
  Result<std::vector<ListedCertificate>> certificates();
  Result<std::vector<CertificateInfo>> all_certificates();
  Result<std::vector<CertificateInfo>> side_certificates();
  Result<PublicKey> key_value(std::uint8_t number);
  Result<std::optional<std::string>> first_key_hash();

  // -- kzid_use.cpp
  std::optional<std::string> mark();
  Status noted(Role role, Status outcome);
  Status confirm_described(const KeyInfo& key);

  // -- kzid_enrol.cpp: making
  Status begin_write();
  Status prepare_write(const char* what);
  Status begin_application();
  Result<bool> is_taken(const Bytes& id);
  Status announce(std::uint8_t number, const pkcs15::PublicKeyEntry& half);
  Status describe_all();
  Result<bool> is_doubtful(std::uint8_t number);
  Result<std::uint8_t> empty_object();
  Result<KeyPair> make_pair(const GenerateRequest& request, std::uint8_t number, bool described);
  Status set_entry(Kind kind, std::uint8_t number, std::optional<Bytes> entry);

  // -- kzid_install.cpp: certificates
  Result<std::optional<std::uint8_t>> key_of(const PublicKey& key, const Bytes& hint);
  Result<pkcs15::CertificateEntry> certificate_entry(const CertificateRequest& request,
                                                     const Certificate& certificate,
                                                     std::optional<std::uint8_t> number);
  Result<std::uint16_t> put_certificate(pkcs15::CertificateEntry entry, ByteView der);
  Result<CertificateInfo> install_beside(const CertificateRequest& request, ByteView der);
  Status check_not_there(const pkcs15::CertificateEntry& entry, bool any_label, ByteView der);
  void add_subject(std::uint8_t number, const Bytes& subject);

  // -- kzid_objects.cpp: changing
  Status delete_key(std::uint8_t number);
  Status delete_certificate(std::uint32_t token);
  Status replace_entry(Kind kind, const Bytes& old, std::optional<Bytes> changed);
  Result<Bytes> find_entry(Kind kind, std::uint32_t token);

  std::unique_ptr<Link> link_;
  Place place_;
  Pins pins_;
  Keys keys_;
  Directories directories_;
  std::set<std::uint8_t> used_;  ///< key objects, since objects were looked at
  SideFiles side_files_;
  /// None left is for the card alone to say, which may have been unblocked elsewhere meanwhile; and
  /// asking a blocked one costs nothing.
  PinNotes tries_;
  bool has_number_ = false;  ///< serial_ is of the card, not made of its first key
  std::optional<std::string> serial_;
  std::map<std::uint16_t, Bytes> bodies_;  ///< certificates read
};

/// The number of the key object that a directory entry names by its reference; nothing for others.
[[nodiscard]] std::optional<std::uint8_t> number_of(std::uint32_t reference);

/// Stands for the serial number of a card that has nothing of its own to be known by. Permissions
/// are given by serial number, and what all cards of a make share must not carry one: leading zeros
/// do not count there, so that this is no number at all (Config::allows_assumed).
inline constexpr const char* no_serial = "0000000000000000";

/// ObjectRef::token of the certificate that is kept beside the card for a key.
inline constexpr std::uint32_t side_token = 0x10000;

[[nodiscard]] KeyInfo key_info(std::uint8_t number, const pkcs15::PrivateKey& entry);
[[nodiscard]] PublicKeyInfo public_info(std::uint8_t number, const pkcs15::PublicKeyEntry& entry,
                                        bool local);
/// What can be said of a key that no directory knows.
[[nodiscard]] pkcs15::PrivateKey undescribed(std::uint8_t number, const PublicKey& key);

}  // namespace kilt::card::kzid
