// SPDX-License-Identifier: Apache-2.0
// The national ID card's data sheet: its generations, files, key objects and PINs, and a builder
// for each of its commands, with how we know it. The signature part of the card is of the kind of
// CEN/TS 15480-2 (IAS-ECC): RSA keys are numbered objects in a directory of their own.
#pragma once

#include "drivers/iso_card.hpp"
#include "drivers/link.hpp"
#include "drivers/model.hpp"
#include "drivers/pkcs15.hpp"

namespace kilt::card::kzid {

[[nodiscard]] const CardModel& model();

// ---- generations [facts kzid B1] -------------------------------------------------------------

/// How well the command set is known on the card with this ATR: observed on "SOMA-c007", related on
/// its forerunner of the same maker, assumed on the cards that nobody has written about (2009,
/// 2022, contactless). No command counts as known better than that.
[[nodiscard]] Evidence evidence_of(ByteView atr);
/// Token label: the model's name, and where the command set is assumed, that it is.
[[nodiscard]] std::string label_of(ByteView atr);

// ---- files -----------------------------------------------------------------------------------
namespace file {
inline constexpr std::uint16_t master = 0x3F00;
/// DF of the signature part, a child of the MF [facts kzid B2]. A DG1 of the same number stands in
/// the passport application; that is another one.
inline constexpr std::uint16_t application = 0x0101;
/// EF.GDO in the MF: 5A, length, serial number [facts kzid B3].
inline constexpr std::uint16_t serial = 0x2F02;
// In DF 0101, assumed: the customary numbers of PKCS #15 [facts kzid C3].
inline constexpr std::uint16_t odf = 0x5031;
inline constexpr std::uint16_t token_info = 0x5032;
inline constexpr std::uint16_t certificate = 0x4301;  ///< the first; the low byte counts
}  // namespace file

/// Identifier of a kind's directory in DF 0101 where ODF names none; assumed.
[[nodiscard]] std::uint16_t directory_id(pkcs15::Kind kind);
/// "3F00 0101 4301" as PKCS #15 writes it; without `id` that of DF 0101.
[[nodiscard]] Bytes path_bytes(std::optional<std::uint16_t> id = std::nullopt);
/// The file of such a path, absolute or relative to DF 0101; nothing for one somewhere else.
[[nodiscard]] std::optional<std::uint16_t> parse_path(ByteView bytes);

// ---- key objects [facts kzid B2] -------------------------------------------------------------
namespace key {
inline constexpr std::uint8_t first = 0x07, last = 0x0A;
inline constexpr std::size_t bits = 2048;
/// INTERNAL AUTHENTICATE takes 40 % of the modulus, the rule of IAS-ECC [facts kzid B3].
[[nodiscard]] constexpr std::size_t longest_input(std::size_t modulus_size) {
  return modulus_size * 2 / 5;
}
/// As MSE and GENERATE name a key: bit 8 says that it belongs to the current DF.
[[nodiscard]] constexpr std::uint8_t reference(std::uint8_t number) {
  return static_cast<std::uint8_t>(0x80 | number);
}
}  // namespace key

// ---- PINs ------------------------------------------------------------------------------------
namespace pin {
inline constexpr std::uint8_t user = 0x02;  ///< [facts kzid B2]
/// The unblocking code of the service centre plays the security officer; assumed.
inline constexpr std::uint8_t officer = 0x01;
/// The field on the wire: ASCII, filled up on the right with '0' [facts kzid B2].
inline constexpr std::size_t field = 8;
inline constexpr std::size_t user_min = 1;      ///< the rest is filled up, as with four digits
inline constexpr std::size_t new_user_min = 4;  ///< what the verifier takes [facts kzid B2]
inline constexpr int user_tries = 3;            ///< [facts kzid B2]
[[nodiscard]] constexpr std::uint8_t reference(Role role) {
  return role == Role::user ? user : officer;
}
/// Eight characters for the wire. So 1234 and 12340 are one PIN. `pin` has at most eight.
[[nodiscard]] SecretBytes padded(const SecretBytes& pin);
}  // namespace pin

// ---- commands --------------------------------------------------------------------------------
namespace command {
Command select_master();
Command select_application();
/// Without an answer: over T=0 one with control information costs two exchanges.
Command select_file(std::uint16_t id);
Command select_file_control(std::uint16_t id);
Command read(std::size_t offset, std::size_t count);
Command update(std::size_t offset, ByteView data);
Command create(std::uint16_t id, std::size_t size);
Command remove(std::uint16_t id);
/// EF.GDO, with the MF selected.
Command select_serial();
Command read_serial();

Command verify(Role role, const SecretBytes& pin);
/// The same with the PIN from the reader's keys, laid over the filler.
Command verify_from_pad(Role role);
Command verify_status(Role role);
Command change_pin(Role role, const SecretBytes& old_pin, const SecretBytes& new_pin);
Command reset_counter(const SecretBytes& new_pin);

/// Overwrites the pair that the object holds: sent only for an empty one.
Command generate(std::uint8_t number);
/// The same into an object of which only a guess says that it is empty.
Command generate_unsurely(std::uint8_t number);
Command read_public_key(std::uint8_t number);
Command free_object(std::uint8_t number);
Command set_environment(std::uint8_t number);
Command sign(ByteView input);
Command random();
/// What random() is answered with.
inline constexpr std::size_t random_step = 8;
}  // namespace command

}  // namespace kilt::card::kzid
