// SPDX-License-Identifier: Apache-2.0
// Kaztoken as a Card. What each operation means is said in card.hpp; how it is done is spread over
// kaztoken_card (looking), kaztoken_use (using keys), kaztoken_enrol (keys made), kaztoken_install
// (certificates), kaztoken_objects (changes), kaztoken_format (a card set up).
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <set>

#include "drivers/card.hpp"
#include "drivers/kaztoken_application.hpp"
#include "drivers/kaztoken_keys.hpp"
#include "drivers/kaztoken_pins.hpp"
#include "drivers/refusals.hpp"

namespace kilt::card::kaztoken {

class KaztokenCard final : public Card {
 public:
  explicit KaztokenCard(std::unique_ptr<Link> link);

  [[nodiscard]] const CardModel& model() const override { return kaztoken::model(); }
  [[nodiscard]] Link& link() override { return *link_; }
  void forget_state() override;
  void forget_objects() override;

  Result<TokenInfo> token_info() override;
  Result<std::string> serial() override;
  Result<PinInfo> pin_status(Role role) override { return pins_.status(role); }

  Status login(Role role, const SecretBytes& pin) override;
  [[nodiscard]] bool takes_pin_from_pad(Role) override { return link_->has_pin_pad(); }
  Status login_from_pad(Role role) override;
  Status logout() override;
  Status change_pin(Role role, const SecretBytes& old_pin, const SecretBytes& new_pin) override;
  Status set_user_pin(const SecretBytes& new_pin) override;

  Result<Directory> list() override { return list_classes({}); }
  Result<Directory> list_classes(const ObjectClasses& which) override;
  Result<PublicKey> read_public_key(const ObjectRef& key) override;
  Result<Bytes> read_certificate(const ObjectRef& certificate) override;
  Result<Bytes> read_data(const ObjectRef& data) override;

  Result<KeyPair> generate(const GenerateRequest& request) override;
  Result<KeyInfo> import_private_key(const ImportRequest& request, RsaPrivateKey key) override;
  Result<PublicKeyInfo> store_public_key(const ImportRequest& request,
                                         const PublicKey& key) override;
  Result<CertificateInfo> install_certificate(const CertificateRequest& request,
                                              ByteView der) override;
  Result<DataInfo> store_data(const DataRequest& request, ByteView value) override;
  Status change_attributes(const ObjectRef& object, const AttributeChange& change) override;
  Status delete_object(const ObjectRef& object) override;

  Result<Bytes> sign(const KeyInfo& key, Scheme scheme, ByteView input) override;
  Result<Bytes> decrypt(const KeyInfo& key, Scheme scheme, ByteView input) override;

  Status initialise(const std::string& label, const SecretBytes& so_pin) override;
  Result<Bytes> random(std::size_t count) override;

 private:
  using Kind = pkcs15::Kind;

  /// One object of a directory, with its entry as it stands on the card.
  template <class Entry>
  struct Listed {
    std::uint32_t token = 0;
    FilePath path;
    Entry entry;
    Bytes raw;
  };
  using ListedKey = Listed<pkcs15::PrivateKey>;
  using ListedPublicKey = Listed<pkcs15::PublicKeyEntry>;
  using ListedCertificate = Listed<pkcs15::CertificateEntry>;

  // -- kaztoken_card.cpp: looking
  void begin() { files_.begin(); }
  Result<std::vector<ListedKey>> private_keys();
  Result<std::vector<ListedPublicKey>> public_keys();
  Result<std::vector<ListedCertificate>> certificates();
  Result<std::vector<Listed<pkcs15::DataEntry>>> data_objects();
  static const ListedPublicKey* public_half(const std::vector<ListedPublicKey>& all,
                                            std::uint32_t token, const Bytes& id, std::size_t bits);
  static const ListedKey* private_half(const std::vector<ListedKey>& all,
                                       const ListedPublicKey& half);
  static const ListedPublicKey* same_number(const std::vector<ListedPublicKey>& all,
                                            std::uint32_t token, std::size_t bits);
  Result<PublicKey> public_value(const ListedPublicKey& key);
  Result<Bytes> cached_file(const FilePath& path);
  Status confirm(const KeyInfo& key);
  Result<Bytes> compute(const KeyInfo& key, Purpose purpose, ByteView block);
  const PublicKey* known_public_key(const KeyInfo& key);

  // -- kaztoken_enrol.cpp, kaztoken_install.cpp: making keys and certificates
  struct NewPair;
  Status prepare_write(const char* what);
  Status check_new_key(const Bytes& id, const std::string& label, std::size_t bits);
  Result<std::vector<std::uint16_t>> public_key_files();
  Result<ListedPublicKey> write_public_key(const NewPair& pair, std::uint32_t reference);
  Result<KeyInfo> write_private_key(const NewPair& pair, std::uint32_t reference, bool local);
  Result<std::uint8_t> create_files(NewPair& pair);
  Result<KeyPair> finish_pair(const NewPair& pair, std::uint8_t reference, Status filled,
                              bool local);
  Result<PublicKeyInfo> relabel(const ListedPublicKey& key, const std::string& label);
  /// Removes what was made before a step that failed, if that step did nothing on the card.
  void undo(const std::vector<FilePath>& files, const Error& why);
  Result<bool> has_value(const ListedPublicKey& candidate, const PublicKey& key);
  Result<std::optional<ListedKey>> key_of(const PublicKey& key, const Bytes& hint);
  Result<const ListedCertificate*> find_same(const std::vector<ListedCertificate>& all,
                                             const Bytes& id, const std::string& label,
                                             ByteView der);
  void add_subject(const ListedKey& key, const Bytes& subject);

  // -- kaztoken_objects.cpp: changing
  struct Found {
    FilePath path;
    Bytes raw;
  };
  Result<Found> find_entry(Kind kind, const ObjectRef& object);
  Status replace_entry(Kind kind, const Bytes& old, std::optional<Bytes> changed);
  Status delete_private_key(std::uint32_t token);
  void loosen_public_key(std::uint32_t reference);
  void note_change() { changed_ = true; }

  // -- kaztoken_format.cpp: setting up
  Status adopt();
  /// What a new application holds at once.
  struct ApplicationContent {
    rights::Who owner;  ///< of the lists
    Bytes pins, keys;   ///< their entries
    Bytes token_info;
  };
  Status create_application();
  Status fill_application(const ApplicationContent& content);
  Status set_up(const std::string& label, const SecretBytes& so_pin);
  Status list_user_pin();
  Status end_format();
  Status enter_in_list(const std::string& label);
  Status create_master_file();
  Status create_user_pin(const SecretBytes& new_pin);
  void write_last_update();

  std::unique_ptr<Link> link_;
  IsoFiles files_;
  Pins pins_;
  Application application_;
  Keys keys_;

  std::optional<Bytes> serial_;
  std::optional<std::vector<RawKey>> undescribed_;  ///< keys of a card without directories
  std::map<FilePath, Bytes> bodies_;                ///< files read in this login generation
  std::set<std::uint8_t> used_;  ///< keys by their number, since objects were looked at
  std::map<FilePath, PublicKey> public_values_;  ///< by the file that holds them
  bool changed_ = false;                         ///< TokenInfo's lastUpdate is owed
};

}  // namespace kilt::card::kaztoken
