// SPDX-License-Identifier: Apache-2.0
// The commands of the eToken applet, for the applet alone, and how their parameters are read:
// SIMPLE-TLV, in the order of the facts, nothing left out and nothing behind [facts etoken §5.1].
#pragma once

#include "apdu/tlv.hpp"
#include "firmware-sim/profiles/etoken72k_applet.hpp"

// What is in the files. The card keeps what hosts write as it is: attributes (10xx/0001 and the
// like), certificates and data are bytes to it, of which it reads none; how the vendor's software
// encodes attributes is not public [facts etoken §5.6], and the card enforces no encoding. It has
// no objects when it is delivered. What it writes itself (etoken72k_system.cpp and
// etoken72k_keys.cpp say what of it is assumed):
//
//   5000/0001        label: 21 <length> <text>, laid by INITIALISE
//   5000/000A        nine bytes 05 01 08 00 0A 03 00 00 57, as a real token has them
//   5000/000E, 000F  salt of the security officer, of the user: 20 bytes and nothing else; the key
//                    that belongs to it is beside the file and shown to nobody
//   5000/0002, 3, 6  zeros
//   0220/30xx/0002   public half of a key, written when it is generated or imported: 11 <modulus>
//                    12 <public exponent>, big-endian; who writes 0001 beside it is the host
//
// Tags and lengths are those of SIMPLE-TLV: one byte, or FF and two for the length.
namespace kilt::sim::etoken72k {

/// Tags of parameters and answers. Published: 01-04, 09, 0A, 0E, 10; the others are assumed.
namespace tag {
inline constexpr std::uint8_t file_type = 0x01;
inline constexpr std::uint8_t file_id = 0x02;
inline constexpr std::uint8_t size = 0x03;  ///< of a file in bytes; of a key in bits
inline constexpr std::uint8_t acl = 0x04;
inline constexpr std::uint8_t first_entry = 0x09;
inline constexpr std::uint8_t entries = 0x0A;
inline constexpr std::uint8_t offset = 0x0E;
inline constexpr std::uint8_t salt = 0x0F;
inline constexpr std::uint8_t payload = 0x10;
inline constexpr std::uint8_t modulus = 0x11;
inline constexpr std::uint8_t public_exponent = 0x12;
inline constexpr std::uint8_t p = 0x13;
inline constexpr std::uint8_t q = 0x14;
inline constexpr std::uint8_t dp = 0x15;
inline constexpr std::uint8_t dq = 0x16;
inline constexpr std::uint8_t qinv = 0x17;
inline constexpr std::uint8_t label = 0x21;
}  // namespace tag

/// Files of the applet, from its root [facts etoken §5.6].
namespace path {
inline constexpr std::uint16_t root_id = 0x6666;
[[nodiscard]] FilePath root();         ///< 6666
[[nodiscard]] FilePath file_system();  ///< 6666/5000
[[nodiscard]] FilePath objects();      ///< 6666/5000/0220
[[nodiscard]] FilePath salt_of(Role role);
/// The private key inside a key object: not listed, not selected, not read.
[[nodiscard]] FilePath private_key_of(const FilePath& key_object);
}  // namespace path

/// Of a token label: what PKCS #11 has room for. assumed.
inline constexpr std::size_t longest_label = 32;

/// The value of the next object, which must have this tag; empty otherwise.
[[nodiscard]] std::optional<ByteView> take(ByteView& rest, std::uint8_t tag);
/// Likewise, and the value must have this size.
[[nodiscard]] std::optional<ByteView> take(ByteView& rest, std::uint8_t tag, std::size_t size);
[[nodiscard]] std::optional<std::uint16_t> take_be16(ByteView& rest, std::uint8_t tag);

Reply select_applet(Applet& applet, const Command& command);
Reply select_file(Applet& applet, const Command& command);
Reply list_directory(Applet& applet, const Command& command);
Reply read_file(Applet& applet, const Command& command);
Reply write_file(Applet& applet, const Command& command);
Reply create_file(Applet& applet, const Command& command);
Reply delete_file(Applet& applet, const Command& command);

Reply get_challenge(Applet& applet, const Command& command);
Reply log_in(Applet& applet, const Command& command);
Reply change_pin(Applet& applet, const Command& command);
Reply set_user_pin(Applet& applet, const Command& command);

Reply generate_key(Applet& applet, const Command& command);
Reply import_key(Applet& applet, const Command& command);
Reply private_operation(Applet& applet, const Command& command);

Reply get_information(Applet& applet, const Command& command);
Reply get_data(Applet& applet, const Command& command);
Reply initialise(Applet& applet, const Command& command);

}  // namespace kilt::sim::etoken72k
