// SPDX-License-Identifier: Apache-2.0
#include "drivers/plain_card.hpp"

namespace kilt::card {

Error PlainCard::unsupported(const char* what) const {
  return {ErrorKind::unsupported, std::string(what) + " is not possible with " + model().name};
}

Status PlainCard::change_pin(Role, const SecretBytes&, const SecretBytes&) {
  return unsupported("changing a PIN");
}

Status PlainCard::set_user_pin(const SecretBytes&) {
  return unsupported("setting the user's PIN");
}

Result<Bytes> PlainCard::read_certificate(const ObjectRef&) {
  return unsupported("reading a certificate");
}

Result<Bytes> PlainCard::read_data(const ObjectRef&) {
  return unsupported("reading a data object");
}

Result<KeyPair> PlainCard::generate(const GenerateRequest&) {
  return unsupported("generating a key pair");
}

Result<KeyInfo> PlainCard::import_private_key(const ImportRequest&, RsaPrivateKey) {
  return unsupported("importing a private key");
}

Result<PublicKeyInfo> PlainCard::store_public_key(const ImportRequest&, const PublicKey&) {
  return unsupported("storing a public key");
}

Result<CertificateInfo> PlainCard::install_certificate(const CertificateRequest&, ByteView) {
  return unsupported("installing a certificate");
}

Result<DataInfo> PlainCard::store_data(const DataRequest&, ByteView) {
  return unsupported("storing a data object");
}

Status PlainCard::change_attributes(const ObjectRef&, const AttributeChange&) {
  return unsupported("renaming an object");
}

Status PlainCard::delete_object(const ObjectRef&) {
  return unsupported("deleting an object");
}

Result<Bytes> PlainCard::sign(const KeyInfo&, Scheme, ByteView) {
  return unsupported("signing");
}

Result<Bytes> PlainCard::decrypt(const KeyInfo&, Scheme, ByteView) {
  return unsupported("decrypting");
}

Status PlainCard::initialise(const std::string&, const SecretBytes&) {
  return unsupported("initialising");
}

Result<Bytes> PlainCard::random(std::size_t) {
  return unsupported("getting random bytes");
}

}  // namespace kilt::card
