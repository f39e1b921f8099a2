// SPDX-License-Identifier: Apache-2.0
// The data sheet of Aladdin's applet: its files, its access rights, and a builder for each of its
// commands, with how we know it. Numbers on the wire are big-endian; parameters are SIMPLE-TLV.
#pragma once

#include <array>
#include <cstdint>

#include "drivers/iso_card.hpp"
#include "drivers/link.hpp"
#include "drivers/model.hpp"

namespace kilt::card::etoken {

// ---- files [facts etoken §5.6] ---------------------------------------------------------------
namespace file {
/// Paths count from the applet's root, which has no identifier of its own [facts etoken §5.2].
inline constexpr FilePath root{0x6666, 0x5000};
inline constexpr FilePath objects{0x6666, 0x5000, 0x0220};
/// Salt of the user's key. Absent or empty: the user's PIN was never set (assumed).
inline constexpr FilePath user_salt{0x6666, 0x5000, 0x000F};
/// assumed: nobody public says where the officer's salt is, nor the token's label.
inline constexpr FilePath officer_salt{0x6666, 0x5000, 0x000E};
inline constexpr FilePath label{0x6666, 0x5000, 0x0001};
[[nodiscard]] constexpr const FilePath& salt_of(Role role) {
  return role == Role::user ? user_salt : officer_salt;
}

/// What an object's identifier begins with; the low byte counts. Keys made by others begin with 50
/// and 60 and are left alone.
inline constexpr std::uint16_t certificate = 0x1000;
inline constexpr std::uint16_t data = 0x2000;
inline constexpr std::uint16_t key_pair = 0x3000;
inline constexpr std::uint16_t public_key = 0x4000;  ///< assumed: one that stands by itself

/// Inside an object's directory.
inline constexpr std::uint16_t attributes = 0x0001;
inline constexpr std::uint16_t value = 0x0002;
/// assumed: where attributes move when they do not fit their file; 0001 wins while it is there.
inline constexpr std::uint16_t other_attributes = 0x0003;
}  // namespace file

/// The class part of an object's identifier.
[[nodiscard]] constexpr std::uint16_t kind_of(std::uint16_t id) {
  return static_cast<std::uint16_t>(id & 0xFF00);
}
[[nodiscard]] FilePath object_directory(std::uint16_t id);
[[nodiscard]] FilePath object_file(std::uint16_t id, std::uint16_t inside);

// ---- file control information [facts etoken §5.3] --------------------------------------------
struct FileInfo {
  bool is_directory = false;
  std::size_t size = 0;             ///< bytes
  std::array<std::uint8_t, 8> acl;  ///< see Rights
};
/// protocol for anything that is not the control information of file `id`.
Result<FileInfo> parse_file_info(ByteView answer, std::uint16_t id);

/// Access rights, tag 04: one byte per operation; the order is assumed [facts etoken §5.3].
struct Rights {
  enum Who : std::uint8_t { anybody = 0x00, user = 0x11, officer = 0x21, nobody = 0xFF };
  Who read, write, create, remove, use, generate, admin, list;
};
/// A directory of an object's: listed by anybody, changed by the user. Of a key: used by the user.
[[nodiscard]] Rights rights_of_directory();
[[nodiscard]] Rights rights_of_file(bool is_private);
/// As tag 04 has them.
[[nodiscard]] std::array<std::uint8_t, 8> bytes_of(const Rights& rights);

// ---- PINs [facts etoken §5.4] ----------------------------------------------------------------
namespace pin {
inline constexpr std::size_t salt_size = 20;
inline constexpr std::size_t key_size = 24;
inline constexpr std::size_t challenge_size = 8;
/// Characters. assumed: the card sees no PIN and so cannot measure one.
inline constexpr std::size_t min_length = 4;
inline constexpr std::size_t new_min_length = 6;
/// mbedTLS derives keys from 64 bytes: two each, and two zeros at the end.
inline constexpr std::size_t max_length = 31;
/// P2 of LOGIN.
[[nodiscard]] constexpr std::uint8_t reference(Role role) {
  return role == Role::user ? 0x11 : 0x21;
}
}  // namespace pin

// ---- lengths ---------------------------------------------------------------------------------
/// Bytes of data in one APDU, as 9F65 of the applet's control information says [facts etoken §5.1].
inline constexpr std::size_t apdu_data = 0x0212;
/// One READ, in a short APDU and in an extended one (some room left under 0212).
inline constexpr std::size_t read_short = 256, read_extended = 512;
/// One WRITE: what its offset and the header of the data leave.
inline constexpr std::size_t write_short = 255 - 6, write_extended = 512;
/// What attribute, value and key files may have.
inline constexpr std::size_t longest_file = 0x7FFF;

/// Parts of a private key, as the tags of an import name them (assumed).
enum class KeyPart : std::uint8_t {
  exponent = 0x12,
  prime1 = 0x13,
  prime2 = 0x14,
  exponent1 = 0x15,
  exponent2 = 0x16,
  coefficient = 0x17
};

namespace command {
Command select_applet();
Command select(const FilePath& path, apdu::SelectAnswer answer);
Command directory();
Command read(std::size_t offset, std::size_t count);
Command write(std::size_t offset, ByteView data);
Command serial();
Command challenge();
/// The response is kept out of traces: with the challenge and the salt it would let PINs be tried
/// at home.
Command login(Role role, ByteView response);
/// The private power of a block of modulus length. Published for signing with 2048 bits, else
/// assumed. The answer of one that `decrypts` is kept out of traces.
Command compute(ByteView block, bool decrypts);

// assumed from here on
Command create(bool is_directory, std::uint16_t id, std::size_t size, const Rights& rights);
Command remove();
Command generate(std::size_t bits);
Command import_part(KeyPart part, ByteView value, bool is_last);
/// `salt`, and the new key encrypted under the old one of the role.
Command change_pin(Role role, ByteView salt, ByteView encrypted_key);
Command set_user_pin(ByteView salt, ByteView encrypted_key);
Command initialise(ByteView salt, ByteView encrypted_key, ByteView label);
}  // namespace command

}  // namespace kilt::card::etoken
