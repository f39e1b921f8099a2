// SPDX-License-Identifier: Apache-2.0
// Kaztoken: the USB token and the card of the same make, as relatives of Rutoken ECP
// [facts kaztoken §0, §1.1, §2]. How it is delivered stands here; what it does, in kaztoken_*.
#include <array>

#include "firmware-sim/identity.hpp"
#include "firmware-sim/profiles/kaztoken_card.hpp"

namespace kilt::sim {
namespace {

using kaztoken::Card;
using kaztoken::Phase;

// ATRs [facts kaztoken §1.1]: both say "KAZTOKEN" in their historical bytes.
constexpr std::array<std::uint8_t, 12> usb_atr{0x3B, 0x88, 0x01, 0x4B, 0x41, 0x5A,
                                               0x54, 0x4F, 0x4B, 0x45, 0x4E, 0x82};
constexpr std::array<std::uint8_t, 12> card_atr{0x3B, 0x98, 0x96, 0x00, 0x4B, 0x41,
                                                0x5A, 0x54, 0x4F, 0x4B, 0x45, 0x4E};

constexpr std::size_t memory_size = std::size_t{64} * 1024;

Bytes security(std::initializer_list<std::uint8_t> front) {
  Bytes attributes(front);
  attributes.resize(kaztoken::SecurityAttributes::size);
  return attributes;
}

void make_df(Card& card, const FilePath& path, Bytes attributes) {
  File df;
  df.path = path;
  df.type = FileType::df;
  df.security = std::move(attributes);
  card.files.create(df);
}

void make_system_files(Card& card) {
  // The user may create, the SO puts data, nobody deletes: as seen on a real token [§3.3].
  make_df(card, FilePath::mf(), security({0x47, 0x02, 0x02, 0x01, 0, 0, 0, 0xFF}));
  const Bytes system = security({0x43, 0x02, 0x02, 0, 0, 0, 0, 0xFF});
  for (const auto& path :
       {FilePath::below({0x1000}), FilePath::below({0x1000, 0x1000}),
        FilePath::below({0x1000, 0x1000, 0x6001}), FilePath::below({0x1000, 0x1000, 0x6002}),
        FilePath::below({0x1000, 0x1000, 0x6003}), FilePath::below({0x1000, 0x1000, 0x6004}),
        FilePath::below({0x1000, 0x1000, 0x6005}), FilePath::below({0x1000, 0x1001}),
        FilePath::below({0x1000, 0x1002}), FilePath::below({0x1000, 0x1003}),
        FilePath::below({0x1000, 0x1004}), FilePath::below({0x1000, 0x1001, 0x8001}),
        FilePath::below({0x1000, 0x1001, 0x8002})}) {
    make_df(card, path, system);
  }
  make_df(card, FilePath::below({0x6000}), system);
}

// The vendor's object map. Its format is not public; of a trace only the first four bytes and the
// block size are known [§4.9]. Identifier and attributes of the file are assumed.
void make_vendor_map(Card& card) {
  File map;
  map.path = FilePath::below({0x1000, 0x1001, 0x8001, 0x0001});
  map.size = 256;
  map.security = security({0x43, 0x00, 0x02, 0, 0, 0, 0, 0x02});
  card.files.create(map);
  card.files.update(map.path, 0, Bytes{0x52, 0x50, 0x01, 0x00});
}

// Factory PINs [§1.1], ten tries each. That the SO may set the user's PIN (03 in byte 2) is
// assumed: with 02 an unblocked PIN could not be replaced [§10.1 #5].
void make_factory_pins(Card& card) {
  constexpr std::uint8_t tries = 10;
  constexpr std::uint8_t so = 1;
  constexpr std::uint8_t user = 2;
  card.pins.create(so, {8, tries, security({0x43, 0xFF, 0x01, 0, 0, 0, 0, 0xFF})}, tries);
  card.pins.set_value(so, as_bytes("87654321"));
  card.pins.create(user, {6, tries, security({0x43, 0x01, 0x03, 0, 0, 0, 0, 0xFF})}, tries);
  card.pins.set_value(user, as_bytes("12345678"));
}

std::string drawn_serial(const ChipOptions& options) {
  constexpr std::uint32_t factory = 0;  // before any start that count_start() would number
  Random random(options.seed, factory);
  Bytes number = random.bytes(4);
  number[0] = static_cast<std::uint8_t>((number[0] & 0x3F) | 0x40);
  return to_hex(number);
}

Identity identity_of(const char* profile, ByteView own_atr, const ChipOptions& options) {
  return {profile, options.atr.empty() ? copy_of(own_atr) : options.atr,
          options.serial.empty() ? drawn_serial(options) : normal_serial(options.serial)};
}

std::unique_ptr<Chip> make(const char* name, ByteView own_atr, Protocol protocol, Nvram& nvram,
                           const ChipOptions& options) {
  const auto existing = Identity::load(nvram);
  if (existing && existing->profile != name) return nullptr;  // check_state() says it in words
  if (!existing && !nvram.empty()) nvram.erase_all();         // personalisation was cut off
  Identity identity = existing ? *existing : identity_of(name, own_atr, options);

  const std::size_t memory = options.memory == 0 ? memory_size : options.memory;
  auto stopwatch = std::make_shared<Stopwatch>();
  auto card = std::make_unique<Card>(
      nvram, kaztoken::Configuration{identity.serial, memory, options.seed}, stopwatch);
  if (!existing) {
    if (!options.blank) {
      make_system_files(*card);
      make_vendor_map(*card);
      make_factory_pins(*card);
    }
    card->set_phase(options.blank ? Phase::virgin : Phase::operational);
    identity.store(nvram);
  }
  if (!options.atr.empty()) identity.atr = options.atr;
  return std::make_unique<CardRuntime>(std::move(identity), protocol, std::move(card),
                                       std::move(stopwatch));
}

std::unique_ptr<Chip> make_usb(Nvram& nvram, const ChipOptions& options) {
  return make("kaztoken", usb_atr, Protocol::t1, nvram, options);
}

std::unique_ptr<Chip> make_card(Nvram& nvram, const ChipOptions& options) {
  return make("kaztoken-sc", card_atr, Protocol::t0, nvram, options);
}

// 261 bytes carry Lc FF, 258 an answer of 256 bytes: the reader in the token exchanges short APDUs
// only [§2].
constexpr std::size_t short_command = 261;
constexpr std::size_t short_response = 258;

constexpr std::array<Profile, 2> table{{
    {"kaztoken", "Kaztoken USB token", Protocol::t1, short_command, short_response, false,
     make_usb},
    {"kaztoken-sc", "Kaztoken SC, the same chip as a card (T=0)", Protocol::t0, short_command,
     short_response, false, make_card},
}};

}  // namespace

extern const std::span<const Profile> kaztoken_profiles;
constinit const std::span<const Profile> kaztoken_profiles{table};

}  // namespace kilt::sim
