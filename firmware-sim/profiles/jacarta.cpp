// SPDX-License-Identifier: Apache-2.0
// JaCarta: which applets are on the device and how it is delivered [facts jacarta A1-A3]. LASER's
// commands stand in jacarta_*.
#include <array>

#include "firmware-sim/identity.hpp"
#include "firmware-sim/profiles/jacarta_delivery.hpp"

namespace kilt::sim {
namespace {

using namespace jacarta;

// JaCarta PKI; the same chip carries the other applets [facts jacarta A2].
constexpr std::array<std::uint8_t, 22> atr{0x3B, 0xDC, 0x18, 0xFF, 0x81, 0x91, 0xFE, 0x1F,
                                           0xC3, 0x80, 0x73, 0xC8, 0x21, 0x13, 0x66, 0x01,
                                           0x06, 0x11, 0x59, 0x00, 0x01, 0x28};

// assumed: of the order of what is printed on the box.
constexpr std::size_t laser_memory = std::size_t{72} * 1024;

// What the NCA's guides tell owners, and what Aladdin's own profile says [facts jacarta A1].
constexpr DeliveryPins usual_pins{"00000000", "1234567890"};
constexpr DeliveryPins aladdin_pins{"00000000", "11111111"};
constexpr std::array<std::string_view, 1> factories{"aladdin"};

constexpr std::size_t serial_digits = 16;

std::string whole_serial(const std::string& digits) {
  return std::string(digits.size() < serial_digits ? serial_digits - digits.size() : 0, '0') +
         digits;
}

std::string drawn_serial(const ChipOptions& options) {
  constexpr std::uint32_t factory = 0;  // before any start that count_start() would number
  Random random(options.seed, factory);
  Bytes number = random.bytes(serial_digits / 2);
  number[0] = 0x0B;  // as on the one card whose number is known
  return to_hex(number);
}

Identity identity_of(const char* profile, const ChipOptions& options) {
  return {profile, options.atr.empty() ? copy_of(atr) : options.atr,
          options.serial.empty() ? drawn_serial(options) : normal_serial(options.serial)};
}

/// What an applet is made of.
struct Making {
  Nvram& nvram;
  const ChipOptions& options;
  std::string serial;
  std::shared_ptr<Stopwatch> stopwatch;
  bool fresh;  ///< nothing is in the NVRAM yet: personalise
};

std::unique_ptr<Applet> make_laser(const Making& making) {
  const auto& options = making.options;
  const std::size_t memory = options.memory == 0 ? laser_memory : options.memory;
  auto laser = std::make_unique<Laser>(
      making.nvram, LaserConfiguration{making.serial, memory, options.seed}, making.stopwatch);
  if (!making.fresh) return laser;
  make_blank(*laser);
  const bool blank = options.blank;
  if (!blank && !initialise(*laser, options.factory.empty() ? usual_pins : aladdin_pins)) {
    return nullptr;
  }
  return laser;
}

std::vector<Installed> pki_applets(const Making& making) {
  std::vector<Installed> applets;
  applets.push_back({copy_of(Laser::aid()), make_laser(making)});
  applets.push_back({copy_of(Cryptotoken::aid()), std::make_unique<Cryptotoken>()});
  return applets;
}

using MakeApplets = std::vector<Installed> (*)(const Making& making);

std::unique_ptr<Chip> make(const char* name, MakeApplets make_applets, Nvram& nvram,
                           const ChipOptions& options) {
  const auto existing = Identity::load(nvram);
  if (existing && existing->profile != name) return nullptr;  // check_state() says it in words
  if (!existing && !nvram.empty()) nvram.erase_all();         // personalisation was cut off
  Identity identity = existing ? *existing : identity_of(name, options);

  auto stopwatch = std::make_shared<Stopwatch>();
  auto applets = make_applets(
      {nvram, options, whole_serial(identity.serial), stopwatch, !existing.has_value()});
  for (const auto& installed : applets) {
    if (!installed.applet) return nullptr;  // does not fit into the memory that was asked for
  }
  if (!existing) identity.store(nvram);
  if (!options.atr.empty()) identity.atr = options.atr;
  identity.serial = whole_serial(identity.serial);
  return std::make_unique<CardRuntime>(std::move(identity), Protocol::t1,
                                       std::make_unique<Device>(std::move(applets)),
                                       std::move(stopwatch));
}

std::unique_ptr<Chip> make_pki(Nvram& nvram, const ChipOptions& options) {
  return make("jacarta", pki_applets, nvram, options);
}

// The token's reader exchanges TPDUs; the applet knows short APDUs only [facts jacarta A3, A4].
constexpr std::size_t short_command = 261;
constexpr std::size_t short_response = 258;

constexpr std::array<Profile, 1> table{{
    {"jacarta", "JaCarta PKI (LASER), with a GOST applet that is only there", Protocol::t1,
     short_command, short_response, false, make_pki, factories},
}};

}  // namespace

extern const std::span<const Profile> jacarta_profiles;
constinit const std::span<const Profile> jacarta_profiles{table};

}  // namespace kilt::sim
