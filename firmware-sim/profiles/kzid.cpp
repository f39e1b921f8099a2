// SPDX-License-Identifier: Apache-2.0
// The national ID card of the SOMA generation, its signature part [facts jacarta B1, B2, B5]. How
// it is delivered stands here; what it does, in kzid_*.
#include <array>

#include "apdu/tlv.hpp"
#include "firmware-sim/identity.hpp"
#include "firmware-sim/profiles/kzid_card.hpp"

namespace kilt::sim {
namespace {

using kzid::Card;

// "SOMA-c007-DS1a" in its historical bytes, T=0 only [facts jacarta B1].
constexpr std::array<std::uint8_t, 18> soma_atr{0x3B, 0x3E, 0x95, 0x00, 0x53, 0x4F,
                                                0x4D, 0x41, 0x2D, 0x63, 0x30, 0x30,
                                                0x37, 0x2D, 0x44, 0x53, 0x31, 0x61};

// assumed: nobody has published how much room certificates have.
constexpr std::size_t memory_size = std::size_t{32} * 1024;

void make_file(Card& card, const FilePath& path, FileType type, std::size_t size) {
  File file;
  file.path = path;
  file.type = type;
  file.size = static_cast<std::uint16_t>(size);
  card.files.create(file);
}

/// EF.GDO with the serial number, tag 5A [7816-6]. That this card has one is assumed.
void make_global_data(Card& card, const std::string& serial) {
  const Bytes number = *from_hex(serial.size() % 2 == 0 ? serial : "0" + serial);
  const Bytes object = apdu::BerWriter().put(kzid::serial_number_tag, number).bytes();
  const auto path = FilePath::below({kzid::global_data_id});
  make_file(card, path, FileType::transparent_ef, object.size());
  card.files.update(path, 0, object);
}

// The directories of ISO 7816-15 with identifiers as custom has them [facts jacarta C3], empty.
// That they stand in this DF, and their sizes, are assumed: on the real card nobody public has seen
// where certificates are [facts jacarta B3].
void make_pkcs15_files(Card& card) {
  struct Directory {
    std::uint16_t id;
    std::size_t size;
  };
  constexpr std::array<Directory, 6> directories{{
      {0x5031, 128},   // ODF
      {0x5032, 128},   // CIAInfo
      {0x4401, 128},   // authentication objects
      {0x4402, 1024},  // private keys
      {0x4403, 1024},  // public keys
      {0x4404, 1024},  // certificates
  }};
  for (const auto& directory : directories) {
    make_file(card, kzid::signature_df().child(directory.id), FileType::transparent_ef,
              directory.size);
  }
}

// Three tries of the user's PIN [facts jacarta B2]. assumed: the PIN of four digits that a
// simulated owner has, and the PUK of the service centre with ten tries.
void make_pins(Card& card) {
  constexpr std::uint8_t user_tries = 3;
  constexpr std::uint8_t puk_tries = 10;
  constexpr auto length = static_cast<std::uint8_t>(kzid::pin_field);
  card.pins.create(kzid::puk_reference, {length, puk_tries}, puk_tries);
  card.pins.set_value(kzid::puk_reference, as_bytes("87654321"));
  card.pins.create(kzid::user_reference, {length, user_tries}, user_tries);
  card.pins.set_value(kzid::user_reference, as_bytes("12340000"));
}

std::string drawn_serial(const ChipOptions& options) {
  constexpr std::uint32_t factory = 0;  // before any start that count_start() would number
  Random random(options.seed, factory);
  Bytes number = random.bytes(4);
  number[0] = static_cast<std::uint8_t>((number[0] & 0x0F) | 0x70);
  return to_hex(number);
}

Identity identity_of(const char* profile, const ChipOptions& options) {
  return {profile, options.atr.empty() ? copy_of(soma_atr) : options.atr,
          options.serial.empty() ? drawn_serial(options) : normal_serial(options.serial)};
}

void personalise(Card& card, const Identity& identity, bool with_pkcs15) {
  make_file(card, FilePath::mf(), FileType::df, 0);
  make_global_data(card, identity.serial);
  make_file(card, kzid::signature_df(), FileType::df, 0);
  if (with_pkcs15) make_pkcs15_files(card);
  make_pins(card);
}

std::unique_ptr<Chip> make(const char* name, std::uint8_t last_key, Nvram& nvram,
                           const ChipOptions& options) {
  const auto existing = Identity::load(nvram);
  if (existing && existing->profile != name) return nullptr;  // check_state() says it in words
  if (!existing && !nvram.empty()) nvram.erase_all();         // personalisation was cut off
  Identity identity = existing ? *existing : identity_of(name, options);

  const std::size_t memory = options.memory == 0 ? memory_size : options.memory;
  auto stopwatch = std::make_shared<Stopwatch>();
  auto card =
      std::make_unique<Card>(nvram, kzid::Configuration{last_key, memory, options.seed}, stopwatch);
  if (!existing) {
    personalise(*card, identity, !options.blank);
    identity.store(nvram);
  }
  if (!options.atr.empty()) identity.atr = options.atr;
  return std::make_unique<CardRuntime>(std::move(identity), Protocol::t0, std::move(card),
                                       std::move(stopwatch));
}

// Key objects 7 to A, or 7 and 8 only: both kinds of card exist [facts jacarta B2].
std::unique_ptr<Chip> make_four(Nvram& nvram, const ChipOptions& options) {
  return make("kzid", 0x0A, nvram, options);
}

std::unique_ptr<Chip> make_two(Nvram& nvram, const ChipOptions& options) {
  return make("kzid-2sdo", 0x08, nvram, options);
}

// Short APDUs: nothing longer was seen, and what is longer comes by GET RESPONSE [facts jacarta
// B2].
constexpr std::size_t short_command = 261;
constexpr std::size_t short_response = 258;

constexpr std::array<Profile, 2> table{{
    {"kzid", "National ID card (SOMA) with four key objects", Protocol::t0, short_command,
     short_response, false, make_four},
    {"kzid-2sdo", "National ID card (SOMA) with two key objects", Protocol::t0, short_command,
     short_response, false, make_two},
}};

}  // namespace

extern const std::span<const Profile> kzid_profiles;
constinit const std::span<const Profile> kzid_profiles{table};

}  // namespace kilt::sim
