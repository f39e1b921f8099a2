// SPDX-License-Identifier: Apache-2.0
// ISO/IEC 7816-15 (PKCS #15) directories: bytes to structs and back, in the form that OpenSC
// writes and reads. Pure functions; every byte is untrusted. What a reader does not know it skips,
// and keeps when an entry is rewritten.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "apdu/result.hpp"
#include "drivers/model.hpp"

namespace kilt::card::pkcs15 {

/// Kinds of directory files; the value is the tag in ODF [7816-15 §8.3].
enum class Kind : std::uint8_t {
  private_keys = 0xA0,
  public_keys = 0xA1,
  certificates = 0xA4,
  data = 0xA7,
  authentication = 0xA8,
};
/// The directory that lists the objects of a class.
[[nodiscard]] Kind kind_of(ObjectClass object_class);

/// One line of ODF: where the directory of one kind is. `path` as written, 3F00 first.
struct DirectoryPointer {
  std::uint8_t tag = 0;
  Bytes path;
};

/// Cuts a directory into whole entries, up to a 00 or the end. protocol when they do not add up or
/// are more than 512.
Result<std::vector<Bytes>> split(ByteView directory);

/// Lines that hold no path (objects inside ODF itself) are skipped.
Result<std::vector<DirectoryPointer>> parse_odf(ByteView odf);
Bytes encode(const DirectoryPointer& pointer);

struct TokenInformation {
  Bytes serial;
  std::string manufacturer, label;
  std::string last_update;  ///< GeneralizedTime "20261122041100Z"; empty if none
};
Result<TokenInformation> parse_token_info(ByteView file);
Bytes encode(const TokenInformation& info);

/// CommonObjectAttributes [7816-15 §8.2.2].
struct Common {
  std::string label;
  bool is_private = false;
  bool modifiable = true;
  Bytes auth_id{};            ///< of the PIN that guards it; empty if none
  bool user_consent = false;  ///< the PIN is wanted before every use; read only
};

/// KeyUsageFlags bits [7816-15 §8.2.5], most significant first as in a BIT STRING.
KeyUsage usage_of_private(ByteView bits);
/// Of a public key, in terms of the private key it belongs to: verify reads as sign.
KeyUsage usage_of_public(ByteView bits);
Bytes private_usage_bits(const KeyUsage& usage);
Bytes public_usage_bits(const KeyUsage& usage);

struct PrivateKey {
  Common common{"", true, true, {}, false};
  KeyType type = KeyType::rsa;
  Bytes id{};
  KeyUsage usage{};
  bool sensitive = true;
  bool extractable = false;
  bool always_sensitive = false;
  bool never_extractable = false;
  bool local = false;
  std::uint32_t reference = 0;
  Bytes subject{};  ///< DER Name
  Bytes path{};
  std::size_t bits = 0;
};

struct PublicKeyEntry {
  Common common;
  KeyType type = KeyType::rsa;
  Bytes id{};
  KeyUsage usage{};  ///< of the private key
  std::uint32_t reference = 0;
  Bytes path{};  ///< of the EF that holds the value
  std::size_t bits = 0;
};

struct CertificateEntry {
  Common common;
  Bytes id{};
  bool authority = false;
  bool trusted = false;
  Bytes path{};
};

struct DataEntry {
  Common common;
  std::string application;
  Bytes object_id{};  ///< DER OBJECT IDENTIFIER, whole
  Bytes path{};
};

struct PinEntry {
  Common common{"", true, true, {}, false};
  Bytes auth_id{};
  bool security_officer = false;
  bool unblock_disabled = false;
  std::size_t min_length = 0, max_length = 0, stored_length = 0;
  std::uint32_t reference = 0;
};

/// Each reads one entry. unsupported: an entry of a kind not known here (to be skipped);
/// protocol: broken.
Result<PrivateKey> parse_private_key(ByteView entry);
Result<PublicKeyEntry> parse_public_key(ByteView entry);
Result<CertificateEntry> parse_certificate(ByteView entry);
Result<DataEntry> parse_data(ByteView entry);
Result<PinEntry> parse_pin(ByteView entry);

Bytes encode(const PrivateKey& key);
Bytes encode(const PublicKeyEntry& key);
Bytes encode(const CertificateEntry& certificate);
Bytes encode(const DataEntry& data);
Bytes encode(const PinEntry& pin);

/// What may be changed in an entry that is there; everything else in it stays byte for byte.
struct Edit {
  std::optional<std::string> label{};
  std::optional<Bytes> id{};
  std::optional<Bytes> subject{};            ///< private keys only
  std::optional<std::uint32_t> reference{};  ///< keys only
};
Result<Bytes> rewrite(Kind kind, ByteView entry, const Edit& edit);

}  // namespace kilt::card::pkcs15
