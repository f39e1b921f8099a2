// SPDX-License-Identifier: Apache-2.0
// Aladdin's applet as a Card. What each operation means is said in card.hpp; how it is done is
// spread over etoken72k_card and _directory (looking), etoken72k_use (using keys), etoken72k_enrol
// (keys made), etoken72k_install (certificates and data), etoken72k_objects (changes),
// etoken72k_setup (PINs, a token set up).
#pragma once

#include <array>
#include <map>
#include <memory>
#include <optional>

#include "drivers/card.hpp"
#include "drivers/certificate.hpp"
#include "drivers/etoken72k_attributes.hpp"
#include "drivers/etoken72k_files.hpp"
#include "drivers/pin_notes.hpp"
#include "drivers/refusals.hpp"

namespace kilt::card::etoken {

class EtokenCard final : public Card {
 public:
  EtokenCard(std::unique_ptr<Link> link, const CardModel& model, SideFiles side_files);

  [[nodiscard]] const CardModel& model() const override { return model_; }
  [[nodiscard]] Link& link() override { return *link_; }
  [[nodiscard]] Status allows(Work work) override;
  void forget_state() override;
  void forget_objects() override;

  Result<TokenInfo> token_info() override;
  Result<std::string> serial() override;
  Result<PinInfo> pin_status(Role role) override;

  Status login(Role role, const SecretBytes& pin) override;
  Status logout() override;
  Status change_pin(Role role, const SecretBytes& old_pin, const SecretBytes& new_pin) override;
  Status login_again(Role role, const SecretBytes& pin) override;
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
  /// An object as its attributes describe it.
  struct Object {
    std::uint16_t id = 0;  ///< of its directory
    Attributes attributes;
    std::uint16_t file = file::attributes;  ///< where they are
    std::size_t file_size = 0;
    bool is_foreign = false;  ///< made by the vendor's software: attributes made up by us
    bool is_private = false;
  };
  using Ids = std::vector<std::uint16_t>;

  // -- etoken72k_directory.cpp, etoken72k_card.cpp: looking
  /// A call in the transaction of the one before finds selected what that one selected.
  void begin() {
    const auto now = link_->transaction();
    if (!now || now != transaction_) files_.begin();
    transaction_ = now;
  }
  /// All that is remembered of the objects was read in the transaction that is open still.
  [[nodiscard]] bool is_fresh() const {
    const auto now = link_->transaction();
    return now && now == objects_since_;
  }
  Result<Ids> ids();
  Result<Ids> ids_of(std::uint16_t kind);
  /// Null: unfinished, or private while nobody is logged in.
  Result<const Object*> object(std::uint16_t id);
  Result<std::vector<const Object*>> objects(std::uint16_t kind);
  Result<std::optional<Object>> read_object(std::uint16_t id);
  Result<std::optional<Object>> describe_foreign(std::uint16_t id);
  Result<bool> is_unfinished_key(std::uint16_t id);
  Result<std::optional<Certificate>> certificate_in(std::uint16_t id);
  Result<std::optional<Certificate>> certificate_for(std::uint16_t key, std::uint16_t id,
                                                     bool only_foreign);
  Result<std::optional<Certificate>> certificate_of(std::uint16_t key, bool only_foreign);
  Result<std::optional<Certificate>> proven_certificate(std::uint16_t key);
  [[nodiscard]] bool may_lack_its_key(std::uint16_t id, const Certificate& certificate) const;
  Result<const Object*> find(const ObjectRef& ref);
  Result<std::size_t> bits_of(const Object& key);
  Result<PublicKey> public_value(std::uint16_t id);
  Result<Bytes> body(std::uint16_t id);
  Status list_keys(Directory& into, const ObjectClasses& which);

  // -- etoken72k_use.cpp
  /// One private operation, under the user's login. False also of a key that this reader cannot
  /// use.
  Result<bool> is_private_half(std::uint16_t id, const PublicKey& key);
  Status confirm_place(const KeyInfo& key);
  Result<Bytes> compute(const KeyInfo& key, ByteView block, bool decrypts);
  Result<Bytes> compute_checked(const KeyInfo& key, ByteView block, bool decrypts);
  [[nodiscard]] std::optional<PublicKey> certified_key(const KeyInfo& key) const;
  Result<Bytes> compute_once(std::uint16_t id, ByteView block, bool decrypts);
  [[nodiscard]] Status check_reader(const apdu::CommandApdu& command) const;

  // -- etoken72k_enrol.cpp
  Status prepare_write(const char* what);
  Status check_new_key(const Bytes& id, const std::string& label, std::size_t bits);
  Result<std::uint16_t> create_object(std::uint16_t kind, const Rights& rights,
                                      std::uint16_t wanted_number = 0);
  Status remove_unfinished(std::uint16_t kind);
  Status import_parts(const RsaPrivateKey& key);
  Result<PublicKey> made_public_key(std::uint16_t id, std::size_t bits);
  void undo(std::uint16_t id);

  // -- etoken72k_install.cpp
  Result<const Object*> key_of(const PublicKey& key, const Bytes& hint);
  Result<bool> has_value(const Object& candidate, const PublicKey& key);
  Status check_not_there(const CertificateRequest& request, const Bytes& id, ByteView der);
  /// A directory of its own with value and then attributes; undone when that fails.
  Result<const Object*> store(std::uint16_t kind, ByteView value, const Attributes& attributes,
                              bool is_private, std::uint16_t wanted_number = 0);

  // -- etoken72k_objects.cpp
  Status create_attributes(std::uint16_t id, const Attributes& attributes, bool is_private);
  Status write_attributes(std::uint16_t id, const Attributes& attributes);
  Status move_attributes(const Object& object, ByteView content);

  // -- etoken72k_setup.cpp
  Result<Bytes> salt(Role role);
  Result<bool> has_salt(Role role);
  Status noted(Role role, Status outcome);
  int failures(Role role);
  [[nodiscard]] static constexpr std::size_t index(Role role) { return role == Role::user ? 0 : 1; }

  std::unique_ptr<Link> link_;
  const CardModel& model_;
  Login login_;
  Files files_;
  std::optional<std::uint64_t> transaction_;    ///< of the call before
  std::optional<std::uint64_t> objects_since_;  ///< the one in which objects were last forgotten
  PinNotes failures_;                           ///< wrong PINs since the last right one

  std::optional<std::string> serial_, label_;
  std::array<bool, 2> pin_is_set_{};  ///< by role; false: not known
  std::optional<Ids> ids_;
  std::map<std::uint16_t, Object> objects_;
  std::map<std::uint16_t, PublicKey> public_values_;
  std::map<std::uint16_t, Bytes> bodies_;  ///< of certificates and data objects
};

[[nodiscard]] KeyInfo key_info(std::uint16_t id, const Attributes& attributes, std::size_t bits);
[[nodiscard]] PublicKeyInfo public_key_info(std::uint16_t id, const Attributes& attributes,
                                            std::size_t bits);

}  // namespace kilt::card::etoken
