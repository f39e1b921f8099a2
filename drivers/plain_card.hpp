// SPDX-License-Identifier: Apache-2.0
// A card that somebody else filled and that is only used: it knows its serial number, a login and a
// listing, and what its driver adds. Everything that changes such a card is refused until a driver
// overrides it.
#pragma once

#include "drivers/card.hpp"

namespace kilt::card {

/// The operations of Card that not every card has, each answering ErrorKind::unsupported with the
/// card's name, without sending anything. What they mean is said in card.hpp.
class PlainCard : public Card {
 public:
  Status change_pin(Role role, const SecretBytes& old_pin, const SecretBytes& new_pin) override;
  Status set_user_pin(const SecretBytes& new_pin) override;

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

 protected:
  /// "changing a PIN is not possible with KAZTOKEN"; `what` begins the sentence.
  [[nodiscard]] Error unsupported(const char* what) const;
};

}  // namespace kilt::card
