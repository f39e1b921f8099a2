// SPDX-License-Identifier: Apache-2.0
// JaCarta's data sheet: the applets of a device, and of the LASER applet (JaCarta PKI) the files,
// rules, limits, and a builder for each command, with how we know it.
#pragma once

#include <string>
#include <string_view>

#include "drivers/iso_card.hpp"
#include "drivers/link.hpp"
#include "drivers/model.hpp"

namespace kilt::card::jacarta {

[[nodiscard]] const CardModel& model();

// ---- applets [facts jacarta A1] --------------------------------------------------------------
enum class Applet { laser, pro, gost, data_store };
[[nodiscard]] const char* name_of(Applet applet);

/// How well the commands are known on the card with this ATR: published for JaCarta, related where
/// cards of other makers have the applet, alone or with the same ATR [facts jacarta A2]. No command
/// counts as known better than that.
[[nodiscard]] Evidence evidence_of(ByteView atr);

// ---- files [facts jacarta A9] ----------------------------------------------------------------
namespace file {
inline constexpr FilePath application{0x3000};
inline constexpr FilePath open_objects{0x3000, 0x3001};    ///< "PUBLIC"
inline constexpr FilePath hidden_objects{0x3000, 0x3002};  ///< "PRIVATE"
inline constexpr FilePath minidriver{0x3000, 0x3003};      ///< "MD"
inline constexpr FilePath freshness{0x3000, 0x3003, 0x4001};
inline constexpr FilePath token_info{0x3000, 0xC000};
inline constexpr std::uint16_t container_map = 0x867F;
}  // namespace file

/// Highest number of an attribute file; a key's own file has the number one higher.
inline constexpr std::uint16_t index_max = 0x1D;
/// Keys beyond this number have no record in the container map that the vendor's software reads
/// [facts jacarta A16 #37], so kilt makes none.
inline constexpr std::uint16_t mapped_index_max = 0x0B;

/// What an attribute file describes, and how its identifier is made [facts jacarta A9].
namespace id {
inline constexpr std::uint16_t public_key = 0x0140;       ///< | index
inline constexpr std::uint16_t private_key = 0x0200;      ///< | index
inline constexpr std::uint16_t certificate = 0x0440;      ///< + n, no key
inline constexpr std::uint16_t certificate_max = 0x05FF;  //
inline constexpr std::uint16_t key_certificate = 0x8400;  ///< | index of its key
inline constexpr std::uint16_t data = 0x0600;             ///< + n
inline constexpr std::uint16_t data_max = 0x06FF;
/// A copy made while the file itself is written anew. Such identifiers are of a class that nobody
/// knows, so only kilt looks at them. assumed
inline constexpr std::uint16_t copy_bit = 0x0800;
/// In an ObjectRef: a data object among the hidden ones. Otherwise its token is the identifier.
inline constexpr std::uint32_t hidden_bit = 0x10000;

[[nodiscard]] constexpr bool is_index(std::uint32_t fid, std::uint16_t base) {
  return fid >= base && fid <= static_cast<std::uint32_t>(base + index_max);
}
[[nodiscard]] constexpr bool is_private_key(std::uint32_t fid) {
  return is_index(fid, private_key);
}
[[nodiscard]] constexpr bool is_public_key(std::uint32_t fid) {
  return is_index(fid, public_key);
}
[[nodiscard]] constexpr bool is_certificate(std::uint32_t fid) {
  return is_index(fid, key_certificate) || (fid >= certificate && fid <= certificate_max);
}
[[nodiscard]] constexpr bool is_data(std::uint32_t fid) {
  return fid >= data && fid <= data_max;
}
}  // namespace id

/// bad_argument for more than 2048 bytes.
[[nodiscard]] Status check_subject(ByteView subject);

/// Key objects by their number 1..1E, which is one more than the index.
[[nodiscard]] FilePath private_key_object(std::uint16_t index);
/// Where a key for signatures only stands instead; nobody saw one made [facts jacarta A9].
[[nodiscard]] FilePath signature_key_object(std::uint16_t index);
[[nodiscard]] FilePath public_key_object(std::uint16_t index);

// ---- PINs [facts jacarta A8] -----------------------------------------------------------------
namespace pin {
inline constexpr FilePath transport{0x0001};
inline constexpr FilePath officer{0x0010};
inline constexpr FilePath user{0x0020};
inline constexpr std::size_t min_length = 4, max_length = 16;
/// Transport PIN 1 as every card is shipped: allows initialisation.
inline constexpr const char* transport_default = "1234";
[[nodiscard]] inline const FilePath& object(Role role) {
  return role == Role::user ? user : officer;
}
}  // namespace pin

// ---- files made [facts jacarta A6, A7] -------------------------------------------------------
/// P1 of CREATE FILE. There is a type 39, "DO", too: no file of A9 is one, how it is read is not
/// public, so kilt neither lists nor makes any; data objects are EFs, as the vendor's software
/// has them.
enum class FileType : std::uint8_t { ef = 0x01, ko = 0x08, df = 0x38 };

/// The template for CREATE FILE in the vendor's order.
struct NewFile {
  FileType type = FileType::ef;
  std::uint16_t id = 0;
  std::size_t size = 0;
  std::string name{};  ///< at most 16 bytes; empty: none
  Bytes properties{};  ///< of a key object
  Bytes rules{};       ///< two bytes per operation
  Bytes content{};     ///< of a key object, not secret
  /// Of a PIN object: goes behind `content`, as 81 L PIN.
  SecretBytes pin{};
};
[[nodiscard]] SecretBytes file_template(const NewFile& file);

/// Two bytes per operation [facts jacarta A6, A16 #26]. Order for an EF: read, write, admin,
/// delete; KO: read, update, admin, delete, generate, PIN reset, use.
namespace rules {
/// Vendor's, but for one byte: deleting needs the user PIN here, nothing there.
[[nodiscard]] Bytes private_key();
[[nodiscard]] Bytes public_key();
[[nodiscard]] Bytes attributes();
[[nodiscard]] Bytes open_data();
[[nodiscard]] Bytes hidden_data();
[[nodiscard]] Bytes container_map();
[[nodiscard]] Bytes officer_pin();
[[nodiscard]] Bytes user_pin();
}  // namespace rules

/// `05 0C 20 00 A3`: RSA-CRT, sign and decrypt [facts jacarta A7, A16 #15].
[[nodiscard]] Bytes rsa_properties();
/// A PIN object as it stands once its PIN was stored: 10 tries, 10 unblocks, 4 to 16 characters
/// [facts jacarta A16 #14].
[[nodiscard]] Bytes stored_pin_properties();

// ---- commands --------------------------------------------------------------------------------
namespace command {
Command select_applet(Applet applet);
/// 80 A4 08 0C with the whole path, 3F00 included.
Command select(const FilePath& path);
Command list_files(FileType type);
Command read_binary(std::size_t offset, std::size_t count);
Command update_binary(std::size_t offset, ByteView data);
Command create(const NewFile& file);
/// The selected file.
Command remove(bool is_df);
/// The same while the card is erased.
Command erase(bool is_df);
Command serial();
Command challenge(std::size_t count);
Command verify(const SecretBytes& pin);
Command verify_secure(ByteView cryptogram);
Command logout();
/// New value of the selected PIN object; goes under secure messaging only.
Command update_pin(const SecretBytes& new_pin);
Command reset_counter();
Command dh_parameters();
Command open_channel(ByteView public_value);
Command close_channel();
/// alg: 06, 07, 08 for 1024, 2048, 4096 bits.
Command generate_rsa(std::size_t bits);
/// 62 L {90 e, 91 n, 92 d, 93 p q, 94 dP dQ qInv} of the selected key object.
Command import_rsa(SecretBytes value);
/// The card pads (block type 1).
Command sign(ByteView text);
/// The bare power: sign and decrypt.
Command raw(ByteView block);
/// The card takes the padding away.
Command decipher(ByteView cryptogram);
}  // namespace command

}  // namespace kilt::card::jacarta
