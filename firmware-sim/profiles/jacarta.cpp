// SPDX-License-Identifier: Apache-2.0
// JaCarta: which applets are on the device and how it is delivered [facts jacarta A1-A3]. LASER's
// commands stand in jacarta_*, the PRO applet's in etoken72k_*.
#include <algorithm>
#include <array>

#include "firmware-sim/identity.hpp"
#include "firmware-sim/profiles/etoken72k_device.hpp"
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

/// What the applets of a device share.
struct Making {
  Nvram& nvram;
  const ChipOptions& options;
  std::string serial;
  std::shared_ptr<Random> random;
  std::shared_ptr<Stopwatch> stopwatch;
  bool fresh;  ///< nothing is in the NVRAM yet: personalise

  [[nodiscard]] std::size_t memory(std::size_t usual) const {
    return options.memory == 0 ? usual : options.memory;
  }
};

/// Null when its files do not fit into the memory that was asked for.
std::unique_ptr<Applet> make_laser(const Making& making) {
  const auto& options = making.options;
  auto laser = std::make_unique<Laser>(
      making.nvram, LaserConfiguration{whole_serial(making.serial), making.memory(laser_memory)},
      making.random, making.stopwatch);
  if (!making.fresh) return laser;
  make_blank(*laser);
  if (options.blank) return laser;
  const bool done = initialise(*laser, options.factory.empty() ? usual_pins : aladdin_pins);
  return done ? std::move(laser) : nullptr;
}

/// JaCarta PRO: the eToken's applet among others [facts jacarta A13].
class Pro : public Applet {
 public:
  explicit Pro(const Making& making)
      : applet_(making.nvram,
                etoken72k::Configuration{making.serial, making.memory(etoken72k::memory_size)},
                making.random, making.stopwatch) {
    if (making.fresh) applet_.personalise(making.options.blank);
  }
  [[nodiscard]] bool is_named(ByteView aid) const override {
    return etoken72k::Applet::is_named(aid);
  }
  Reply select(const Command& command) override { return applet_.execute(command); }
  Reply execute(const Command& command) override { return applet_.execute(command); }
  void forget() override { applet_.forget(); }
  [[nodiscard]] bool is_private(std::uint8_t instruction) const override {
    return applet_.is_private(instruction);
  }

 private:
  etoken72k::Applet applet_;
};

Applets pki_applets(const Making& making) {
  Applets applets;
  applets.push_back(make_laser(making));
  applets.push_back(std::make_unique<Cryptotoken>());
  return applets;
}

Applets combined_applets(const Making& making) {
  Applets applets;
  applets.push_back(make_laser(making));
  applets.push_back(std::make_unique<Pro>(making));
  return applets;
}

struct Delivery {
  const char* profile;
  Applets (*make_applets)(const Making& making);
  bool extended_length;
};

std::unique_ptr<Chip> make(const Delivery& delivery, Nvram& nvram, const ChipOptions& options) {
  const auto existing = Identity::load(nvram);
  if (existing && existing->profile != delivery.profile) return nullptr;  // see check_state()
  if (!existing && !nvram.empty()) nvram.erase_all();  // personalisation was cut off
  Identity identity = existing ? *existing : identity_of(delivery.profile, options);

  auto stopwatch = std::make_shared<Stopwatch>();
  auto random = std::make_shared<Random>(options.seed, options.seed == 0 ? 0 : count_start(nvram));
  Applets applets = delivery.make_applets(
      {nvram, options, identity.serial, std::move(random), stopwatch, !existing.has_value()});
  if (std::find(applets.begin(), applets.end(), nullptr) != applets.end()) return nullptr;
  if (!existing) identity.store(nvram);
  if (!options.atr.empty()) identity.atr = options.atr;
  identity.serial = whole_serial(identity.serial);
  auto device = std::make_unique<Device>(std::move(applets));
  device->extended_length = delivery.extended_length;
  return std::make_unique<CardRuntime>(std::move(identity), Protocol::t1, std::move(device),
                                       std::move(stopwatch));
}

std::unique_ptr<Chip> make_pki(Nvram& nvram, const ChipOptions& options) {
  return make({"jacarta", pki_applets, false}, nvram, options);
}

std::unique_ptr<Chip> make_pro(Nvram& nvram, const ChipOptions& options) {
  return etoken72k::make_device({"jacarta-pro", atr}, nvram, options);
}

std::unique_ptr<Chip> make_combined(Nvram& nvram, const ChipOptions& options) {
  return make({"jacarta-combined", combined_applets, true}, nvram, options);
}

Secrets combined_secrets(ByteView command) {
  const Secrets laser = secrets(command), pro = etoken72k::secrets(command);
  return {.body = laser.body || pro.body, .answer = laser.answer || pro.answer};
}

// LASER knows short APDUs only; the token's reader exchanges TPDUs, so what else its applets know
// passes [facts jacarta A3, A4].
constexpr std::size_t short_command = 261;
constexpr std::size_t short_response = 258;

constexpr std::array<Profile, 3> table{{
    {"jacarta", "JaCarta PKI (LASER), with a GOST applet that is only there", Protocol::t1,
     short_command, short_response, false, make_pki, factories, secrets},
    {"jacarta-pro",
     "JaCarta PRO: the eToken's applet",
     Protocol::t1,
     etoken72k::max_command,
     etoken72k::max_response,
     true,
     make_pro,
     {},
     etoken72k::secrets},
    {"jacarta-combined", "JaCarta with both, LASER and PRO", Protocol::t1, etoken72k::max_command,
     etoken72k::max_response, true, make_combined, factories, combined_secrets},
}};

}  // namespace

extern const std::span<const Profile> jacarta_profiles;
constinit const std::span<const Profile> jacarta_profiles{table};

}  // namespace kilt::sim
