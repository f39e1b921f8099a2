// SPDX-License-Identifier: Apache-2.0
// JaCarta's attribute files: what describes a key, or is a certificate or a data object
// [facts jacarta A11, A16 #32-#34]. Bytes to structs and back; no card here.
//
//   header(7)  00, FID high, FID high, FID low, length of header and attributes (2), their number
//   attributes type(2) flags(1) length(2) value
//   stamp(4)   freshness counters of containers and files, little-endian
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <vector>

#include "apdu/bytes.hpp"
#include "apdu/result.hpp"

namespace kilt::card::jacarta {

/// Low 16 bits of PKCS#11's CKA numbers; the vendor's own begin with 80.
enum class Type : std::uint16_t {
  object_class = 0x0000,
  token = 0x0001,
  is_private = 0x0002,
  label = 0x0003,
  application = 0x0010,
  value = 0x0011,
  object_id = 0x0012,
  certificate_type = 0x0080,
  issuer = 0x0081,
  serial_number = 0x0082,
  trusted = 0x0086,
  key_type = 0x0100,
  subject = 0x0101,
  id = 0x0102,
  sensitive = 0x0103,
  encrypt = 0x0104,
  decrypt = 0x0105,
  wrap = 0x0106,
  unwrap = 0x0107,
  sign = 0x0108,
  sign_recover = 0x0109,
  verify = 0x010A,
  verify_recover = 0x010B,
  derive = 0x010C,
  start_date = 0x0110,
  end_date = 0x0111,
  modulus = 0x0120,
  modulus_bits = 0x0121,
  public_exponent = 0x0122,
  extractable = 0x0162,
  local = 0x0163,
  never_extractable = 0x0164,
  always_sensitive = 0x0165,
  key_gen_mechanism = 0x0166,
  modifiable = 0x0170,
  vendor_public = 0x8010,
  digest = 0x8013,  ///< SHA-1 of the whole file with these 20 bytes zero
};

namespace flag {
inline constexpr std::uint8_t none = 0x00, modifiable = 0x10, to_true = 0x30, to_false = 0x50,
                              officer_to_true = 0x32;
}

struct Attribute {
  Type type;
  std::uint8_t flags;
  Bytes value;
};
[[nodiscard]] Attribute truth(Type type, bool value, std::uint8_t flags = flag::none);
/// A CK_ULONG: four bytes, little-endian.
[[nodiscard]] Attribute ulong(Type type, std::uint32_t value, std::uint8_t flags = flag::none);

/// The counters of cardcf. They only count; 65535 is followed by 0.
struct Freshness {
  std::uint16_t containers = 0, files = 0;
  bool operator==(const Freshness&) const = default;
  [[nodiscard]] Freshness after(int changes) const {
    return {static_cast<std::uint16_t>(containers + changes),
            static_cast<std::uint16_t>(files + changes)};
  }
};

/// The whole file. A leading `digest` attribute gets its value here. bad_argument beyond what
/// lengths of two bytes can say.
Result<Bytes> encode(std::uint16_t fid, const std::vector<Attribute>& attributes,
                     const Freshness& stamp);

/// Where an attribute's value stands in its file.
struct Place {
  std::uint8_t flags = 0;
  std::size_t at = 0, length = 0;
};
using Index = std::map<Type, Place>;

/// A file of which parts are known: the rest is fetched when somebody wants it.
class PartialFile {
 public:
  /// Reads `count` bytes (1..256) at `offset`; fewer only where the file ends.
  using Fetch = std::function<Result<Bytes>(std::size_t offset, std::size_t count)>;

  PartialFile() = default;
  explicit PartialFile(std::size_t size) : content_(size), known_(size) {}
  /// A whole file, as it was written.
  explicit PartialFile(Bytes content)
      : content_(std::move(content)), known_(content_.size(), true) {}

  [[nodiscard]] std::size_t size() const { return content_.size(); }
  [[nodiscard]] bool knows(std::size_t at, std::size_t count) const;
  /// The bytes, fetched where they are not known; what stands behind them comes along up to 256
  /// bytes. protocol when they are beyond the end or the card has fewer than it said.
  Result<ByteView> bytes(std::size_t at, std::size_t count, const Fetch& fetch);
  /// Whether `count` bytes from `at` on are those of `other` from `there` on, as far as both are
  /// known.
  [[nodiscard]] bool agrees(std::size_t at, const PartialFile& other, std::size_t there,
                            std::size_t count) const;
  /// How many bytes from `at` on are known without a gap.
  [[nodiscard]] std::size_t known_from(std::size_t at) const;

 private:
  Bytes content_;
  std::vector<bool> known_;
};

/// Whether this begins as a valid file of this identifier does; such a file was written to its end.
[[nodiscard]] bool has_valid_header(ByteView first_bytes, std::uint16_t fid, std::size_t file_size);

/// Goes through a valid file and notes where attributes stand, until all of `wanted` were met or
/// the file ends. Values are passed over without being read. protocol for a file that does not add
/// up.
Status find_attributes(PartialFile& file, const std::vector<Type>& wanted,
                       const PartialFile::Fetch& fetch, Index& index);

/// All attributes of a whole file. protocol.
Result<std::vector<Attribute>> decode(ByteView file, std::uint16_t fid);

/// Whether the SHA-1 in a whole file is right, or zero, which the vendor's software takes as well.
[[nodiscard]] bool digest_is_right(ByteView file);

}  // namespace kilt::card::jacarta
