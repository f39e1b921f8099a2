// SPDX-License-Identifier: Apache-2.0
// Kaztoken's data sheet: its files, its limits, and a builder for each of its commands, with how
// we know it. The card speaks the edge of the Rutoken ECP family.
#pragma once

#include <string>

#include "drivers/iso_card.hpp"
#include "drivers/link.hpp"
#include "drivers/model.hpp"
#include "drivers/pkcs15.hpp"

namespace kilt::card::kaztoken {

[[nodiscard]] const CardModel& model();

// ---- files [facts kaztoken §3.1, §10.1 #9-#11] -----------------------------------------------
namespace file {
inline constexpr FilePath application{0x5000};
inline constexpr FilePath odf{0x5000, 0x5031};
inline constexpr FilePath token_info{0x5000, 0x5032};
inline constexpr FilePath profile{0x5000, 0x4946};
inline constexpr FilePath application_list{0x2F00};
inline constexpr FilePath private_keys{0x1000, 0x1000, 0x6002};
inline constexpr FilePath public_keys{0x1000, 0x1000, 0x6001};
/// First identifiers of values inside the application; the low byte counts.
inline constexpr std::uint16_t public_key = 0x0200;
inline constexpr std::uint16_t certificate = 0x0300;
inline constexpr std::uint16_t data = 0x0400;
inline constexpr std::uint16_t private_data = 0x0500;
}  // namespace file

/// Identifier of a kind's directory file as OpenSC gives it.
[[nodiscard]] std::uint16_t directory_id(pkcs15::Kind kind);
/// "3F00 5000 0300" as PKCS #15 writes it.
[[nodiscard]] Bytes path_bytes(const FilePath& path);
/// The reverse; relative paths count from the application. protocol for what SELECT cannot take.
[[nodiscard]] Result<FilePath> parse_path(ByteView bytes);
[[nodiscard]] FilePath in_application(std::uint16_t id);
[[nodiscard]] FilePath private_key_file(std::uint8_t reference);
[[nodiscard]] FilePath public_key_file(std::uint8_t reference);

// ---- security attributes, tag 86 [facts kaztoken §3.3, §10.3] --------------------------------
namespace rights {
enum class Who : std::uint8_t {
  anybody = 0x00,
  officer = 0x01,
  user = 0x02,
  either = 0x03,
  nobody = 0xFF
};
/// For files and directories: read (or create file), update (or create key), delete.
[[nodiscard]] Bytes of_file(Who read, Who update, Who remove);
/// Read by anybody, written and deleted by the user: directories, public values.
[[nodiscard]] Bytes users_file();
/// The user's alone.
[[nodiscard]] Bytes users_secret_file();
[[nodiscard]] Bytes master_file();
[[nodiscard]] Bytes private_key();
[[nodiscard]] Bytes public_key();
[[nodiscard]] Bytes user_pin();
[[nodiscard]] Bytes officer_pin();
}  // namespace rights

/// The token's own label: more is cut by every PKCS#11 program.
inline constexpr std::size_t longest_label = 32;

/// Templates for CREATE FILE [facts kaztoken §3.2]: 80 size, 82 descriptor, 83 id, [85], 86.
[[nodiscard]] Bytes transparent_file(std::uint16_t id, std::size_t size, const Bytes& security);
[[nodiscard]] Bytes directory_file(std::uint16_t id, std::size_t size, const Bytes& security);
/// An internal file ("RSF"): a PIN or half a key, whose kind is in `properties` (tag 85).
[[nodiscard]] Bytes internal_file(std::uint16_t id, std::size_t size, ByteView properties,
                                  const Bytes& security);

/// Kinds of internal files, tag 85 [facts kaztoken §3.4].
namespace properties {
inline constexpr std::array<std::uint8_t, 6> rsa_private{0x23, 0x00, 0x00, 0xAA, 0x00, 0x00};
inline constexpr std::array<std::uint8_t, 6> rsa_public{0x33, 0x00, 0x00, 0xAA, 0x00, 0x00};
/// `tries` 1..15 stands in both halves of its byte: allowed and left.
[[nodiscard]] Bytes pin(std::size_t min_length, unsigned tries);
}  // namespace properties

/// Sizes of the values of internal files [facts kaztoken §3.4].
[[nodiscard]] constexpr std::size_t rsa_private_size(std::size_t bits) {
  return 5 * (bits / 16) + 8;
}
[[nodiscard]] constexpr std::size_t rsa_public_size(std::size_t bits) {
  return 3 * (bits / 16);
}

// ---- PINs [facts kaztoken §4.2, §10.1 #6, #7] ------------------------------------------------
namespace pin {
inline constexpr std::uint8_t officer = 0x01;
inline constexpr std::uint8_t user = 0x02;
inline constexpr std::size_t max_length = 32;
inline constexpr std::size_t officer_min = 8;
/// Tokens set up by OpenSC before 0.26 take four characters; a new PIN needs six, because some
/// newer tokens refuse less.
inline constexpr std::size_t user_min = 4;
inline constexpr std::size_t new_user_min = 6;
inline constexpr unsigned officer_tries = 10;
inline constexpr unsigned user_tries = 5;
[[nodiscard]] constexpr std::uint8_t reference(Role role) {
  return role == Role::user ? user : officer;
}
}  // namespace pin

// ---- commands --------------------------------------------------------------------------------
/// Where the plain file commands are known from.
inline constexpr Pedigree file_commands{Evidence::related, "[facts kaztoken §4.1]"};

enum class Purpose { sign, decipher };

namespace command {
Command first_child();
Command next_sibling(std::uint16_t previous);
Command verify(std::uint8_t reference, const SecretBytes& pin);
/// The same with the PIN from the reader's keys.
Command verify_from_pad(Role role);
Command verify_status(std::uint8_t reference);
Command logout();
/// Loads a whole value of up to 249 bytes into a PIN (reference) or the selected key file (0).
Command load_value(std::uint8_t reference, ByteView value);
Command reset_counter(std::uint8_t reference);
Command generate_rsa(std::uint8_t reference);
Command set_environment(Purpose purpose, std::uint8_t reference);
/// `block` and the answer are little-endian.
Command compute(Purpose purpose, ByteView block);
Command random(std::size_t count);
Command serial();
Command device_information();
/// Erases the whole card at once, and asks for no right [facts kaztoken §10.1 #27].
Command begin_format();
Command end_format();
}  // namespace command

/// CHANGE REFERENCE DATA for a value of any length: 80 02 length, then A5 blocks, each command of
/// the chain with its own A5 [facts kaztoken §4.3, §10.1 #33]. The value is wiped from our side as
/// each command goes.
Status load_long_value(Link& link, const SecretBytes& value);

}  // namespace kilt::card::kaztoken
