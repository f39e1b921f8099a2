// SPDX-License-Identifier: Apache-2.0
#include "firmware-sim/profiles/etoken72k_device.hpp"

#include "firmware-sim/identity.hpp"

namespace kilt::sim::etoken72k {
namespace {

namespace sw = apdu::sw;

Bytes serial_bytes(const std::string& serial) {
  constexpr std::size_t digits = 8;
  const std::string last = serial.size() < digits ? serial : serial.substr(serial.size() - digits);
  return from_hex(last).value_or(Bytes{});
}

class Device : public CommandSet {
 public:
  Device(Nvram& nvram, const Configuration& configuration, std::shared_ptr<Random> random,
         std::shared_ptr<Stopwatch> stopwatch)
      : applet(nvram, configuration, std::move(random), std::move(stopwatch)) {
    extended_length = applet.extended_length;
  }

  Reply execute(const Command& command) override {
    const bool by_name = command.cla == apdu::cla::interindustry &&
                         command.ins == apdu::ins::select &&
                         command.p1 == static_cast<std::uint8_t>(apdu::SelectMode::by_df_name);
    if (applet.selected() || (by_name && Applet::is_named(command.data))) {
      return applet.execute(command);
    }
    return manage(command);
  }
  void forget() override { applet.forget(); }
  [[nodiscard]] bool is_private(std::uint8_t instruction) const override {
    return applet.is_private(instruction);
  }

  Applet applet;

 private:
  /// The card manager, which is selected after a reset. It names itself to nobody: its AID is
  /// answered 6A82 like any other [facts etoken §5.1]. Its status words are assumed.
  [[nodiscard]] Reply manage(const Command& command) const {
    if (command.cla != apdu::cla::interindustry && command.cla != apdu::cla::proprietary) {
      return sw::cla_not_supported;
    }
    if (command.ins == apdu::ins::select && command.cla == apdu::cla::interindustry) {
      const bool by_name = command.p1 == static_cast<std::uint8_t>(apdu::SelectMode::by_df_name);
      return by_name ? sw::file_not_found : sw::wrong_p1_p2;
    }
    if (command.ins == apdu::ins::get_data) return get_data(command);
    return sw::ins_not_supported;
  }

  /// Card production life cycle data [GlobalPlatform card specification H.6]: 42 bytes, of which
  /// this card knows its serial number only.
  [[nodiscard]] Reply get_data(const Command& command) const {
    constexpr std::uint16_t cplc = 0x9F7F;
    constexpr std::size_t size = 42;
    constexpr std::size_t serial_at = 12;
    if (command.p1_p2() != cplc) return sw::reference_not_found;
    if (!command.data.empty() || !command.ne) return sw::wrong_length;
    Bytes answer{0x9F, 0x7F, size};
    const Bytes serial = serial_bytes(applet.configuration.serial);
    answer.resize(answer.size() + serial_at);
    append(answer, serial);
    answer.resize(3 + size);
    return answer;
  }
};

std::string drawn_serial(const ChipOptions& options) {
  constexpr std::uint32_t factory = 0;  // before any start that count_start() would number
  Random random(options.seed, factory);
  Bytes number = random.bytes(4);
  number[0] = 0x02;  // assumed: serials of this kind are small numbers
  return to_hex(number);
}

Identity identity_of(const Delivery& delivery, const ChipOptions& options) {
  return {delivery.profile, options.atr.empty() ? copy_of(delivery.atr) : options.atr,
          options.serial.empty() ? drawn_serial(options) : normal_serial(options.serial)};
}

}  // namespace

std::unique_ptr<Chip> make_device(const Delivery& delivery, Nvram& nvram,
                                  const ChipOptions& options) {
  const auto existing = Identity::load(nvram);
  if (existing && existing->profile != delivery.profile) return nullptr;  // see check_state()
  if (!existing && !nvram.empty()) nvram.erase_all();  // personalisation was cut off
  Identity identity = existing ? *existing : identity_of(delivery, options);

  const std::size_t memory = options.memory == 0 ? memory_size : options.memory;
  auto stopwatch = std::make_shared<Stopwatch>();
  auto random = std::make_shared<Random>(options.seed, options.seed == 0 ? 0 : count_start(nvram));
  auto device = std::make_unique<Device>(
      nvram, Configuration{identity.serial, memory, delivery.model}, std::move(random), stopwatch);
  if (!existing) {
    device->applet.personalise(options.blank);
    identity.store(nvram);
  }
  if (!options.atr.empty()) identity.atr = options.atr;
  return std::make_unique<CardRuntime>(std::move(identity), Protocol::t1, std::move(device),
                                       std::move(stopwatch));
}

}  // namespace kilt::sim::etoken72k
