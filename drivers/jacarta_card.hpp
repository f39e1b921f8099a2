// SPDX-License-Identifier: Apache-2.0
// The LASER applet of a JaCarta as a Card. What each operation means is said in card.hpp; how it is
// done is spread over jacarta_card and _list (looking), _use (using keys), _enrol (keys made),
// _install (certificates, data), _change (changes), _format (a card set up).
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <set>

#include "drivers/card.hpp"
#include "drivers/jacarta_describe.hpp"
#include "drivers/jacarta_objects.hpp"
#include "drivers/jacarta_pins.hpp"
#include "drivers/refusals.hpp"

namespace kilt::card::jacarta {

struct MadeFile;

class JacartaCard final : public Card {
 public:
  /// The LASER applet is selected. `random` is the system's but in tests.
  explicit JacartaCard(std::unique_ptr<Link> link, RandomSource random = host_random);

  [[nodiscard]] const CardModel& model() const override { return jacarta::model(); }
  [[nodiscard]] Link& link() override { return *link_; }
  void forget_state() override;
  void forget_objects() override {
    objects_.distrust();
    asked_ = false;
  }

  Result<TokenInfo> token_info() override;
  Result<std::string> serial() override;
  Result<PinInfo> pin_status(Role role) override;

  Status login(Role role, const SecretBytes& pin) override;
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
  // -- jacarta_card.cpp: looking
  /// A call begins. Within one transaction nobody selected anything since the call before.
  void begin();
  Result<Bytes> serial_bytes();
  /// EF TokenInfo; empty when there is none.
  Result<Bytes> token_info_file();
  /// With what TokenInfo says of a PIN that initialisation left.
  Result<Pins::State> state_of_pin(Role role);
  Result<PublicKey> public_value(std::uint16_t index);
  Result<PublicKey> public_value_from_certificate(std::uint16_t index);
  const PublicKey* known_public_key(std::uint16_t index);
  /// The object that a private key was found in last, or where most are.
  [[nodiscard]] FilePath key_object(std::uint16_t index) const;
  /// Selects a private key, in whichever of the two objects it is.
  Result<FileFacts> select_key(std::uint16_t index);
  /// Drops what was worked out of objects that are forgotten by now.
  void follow_objects();
  /// ObjectFiles::check(), and notes that the counters were read.
  Status check_objects();

  // -- jacarta_list.cpp: listing
  struct ListedKey {
    std::uint16_t index = 0;
    KeyInfo info;
  };
  Result<std::vector<ListedKey>> private_keys();
  Result<std::vector<PublicKeyInfo>> public_keys();
  Result<std::vector<CertificateInfo>> certificates();
  Result<std::vector<DataInfo>> data_objects();
  Result<KeyInfo> private_key_info(ObjectFile& object);
  Result<PublicKeyInfo> public_key_info(ObjectFile& object);
  Result<std::optional<CertificateInfo>> certificate_info(std::uint16_t fid);
  Result<std::optional<DataInfo>> data_info(Area area, std::uint16_t fid);
  Status read_flags(ObjectFile& object, std::initializer_list<std::pair<Type, bool*>> flags);
  Status read_names(ObjectFile& object, std::string& label, Bytes& id);
  Result<std::size_t> bits_of_key(std::uint16_t index);
  Result<bool> is_listed(const FilePath& key_object);
  Result<bool> is_unfinished(std::uint16_t index);
  Result<bool> is_taken(std::uint16_t index);

  // -- jacarta_use.cpp: using keys
  Status confirm(const KeyInfo& key);
  Status compare_id(const KeyInfo& key);
  Status check_place(const KeyInfo& key, std::uint16_t index);
  Error withheld(const KeyInfo& key, std::uint16_t index, const std::optional<PublicKey>& judge);
  Result<Bytes> compute(const KeyInfo& key, const Command& command, ByteView block);
  Result<Bytes> decipher(const KeyInfo& key, ByteView input);

  // -- jacarta_enrol.cpp: making keys
  Status prepare_write(const char* what);
  Status check_new_key(const Bytes& id, const std::string& label, std::size_t bits);
  Result<std::vector<std::uint16_t>> free_indexes();
  Result<std::uint16_t> create_key_object(std::size_t bits);
  Result<PublicKey> generate_value(std::uint16_t index, std::size_t bits);
  Status load_value(std::uint16_t index, const RsaPrivateKey& key);
  Result<KeyPair> finish_pair(NewPair& pair);
  Status write_pair(const NewPair& pair, bool is_first_key);
  Status write_public_half(const NewPair& pair, Freshness stamp);
  Status enter_in_map(const NewPair& pair, bool is_first_key);
  void undo_pair(std::uint16_t index, bool keep_private);
  static void complete_map(ContainerMap& map, const std::vector<ListedKey>& keys);

  // -- jacarta_install.cpp: certificates and data
  Result<std::optional<ListedKey>> key_of(const PublicKey& key, const Bytes& hint);
  Result<bool> has_value(std::uint16_t index, const PublicKey& key);
  Result<std::optional<std::string>> find_same(const Bytes& id, const std::string& label,
                                               ByteView der);
  Result<std::uint16_t> certificate_place(const std::optional<ListedKey>& key);
  Result<std::optional<ListedKey>> key_without_half(const PublicKey& key, const Bytes& id);
  Status mark_default(std::uint16_t index);

  // -- jacarta_change.cpp: changing
  Result<ObjectFile*> find_object(const ObjectRef& object);
  /// What was known of an object, and of a private key's public half: the only thing that tells
  /// two keys with one name apart.
  struct Known {
    std::optional<KnownObject> object, half;
  };
  [[nodiscard]] Known known(const ObjectRef& object) const;
  Status confirm(const Known& before);
  Status remove_key_object(std::uint16_t index);
  Status delete_private_key(std::uint16_t index);
  Status delete_public_key(std::uint16_t index);

  // -- jacarta_format.cpp: setting up
  Status allow_creation(const FileFacts& master);
  Status erase();
  Result<Freshness> first_counters();
  Status create_all(const std::string& label, const SecretBytes& so_pin, const Freshness& counters);
  Status make_files(const Result<std::vector<MadeFile>>& files);
  Status make_file(const FilePath& parent, const NewFile& file, ByteView content);
  Status create_user_pin(const SecretBytes& new_pin);
  Status mark_user_pin();

  std::unique_ptr<Link> link_;
  Files files_;
  Pins pins_;
  ObjectFiles objects_;

  std::optional<std::uint64_t> transaction_;  ///< of the call before
  bool asked_ = false;                        ///< the counters were read in this transaction
  std::optional<Bytes> serial_, token_info_;
  std::optional<std::vector<std::uint16_t>> private_objects_;  ///< key objects, by their last id
  std::map<std::uint16_t, PublicKey> public_values_;           ///< by index
  std::set<std::uint16_t> signature_only_;  ///< indexes of keys that are signature_key_object()
  std::uint64_t values_generation_ = 0;     ///< of objects_, when both were right
};

}  // namespace kilt::card::jacarta
