// SPDX-License-Identifier: Apache-2.0
// The simulated card of an imaginary kind, to be copied for a real one. In this order: what the
// card is (its numbers), what it does with each command, how it is delivered, and the entry of the
// table at the end. A profile that outgrows one file goes on in NAME_*.cpp beside it.
//
// Nothing here comes from the driver: each number stands here with its own source, and the vector
// file judges both. What the runtime does for every card (APDU encodings, T=0, reset, power) is in
// firmware-sim/runtime.hpp, PINs and NVRAM in pin.hpp and nvram.hpp.
#include <array>

#include "firmware-sim/crypto.hpp"
#include "firmware-sim/identity.hpp"
#include "firmware-sim/pin.hpp"
#include "firmware-sim/runtime.hpp"

namespace kilt::sim {
namespace {

namespace ins = apdu::ins;
namespace sw = apdu::sw;

// ---- the card's numbers ----------------------------------------------------------------------

// T=1, nine historical bytes "IMAGINARY", check byte [imaginary §1].
constexpr std::array<std::uint8_t, 13> factory_atr{0x3B, 0x89, 0x01, 0x49, 0x4D, 0x41, 0x47,
                                                   0x49, 0x4E, 0x41, 0x52, 0x59, 0xC7};
constexpr std::array<std::uint8_t, 6> application{0xF0, 0x49, 0x4D, 0x41, 0x47, 0x01};  // [§2]
constexpr std::uint8_t user_pin = 0x01;                                                 // [§3]
constexpr const char* factory_pin = "1234";                                             // [§3]
constexpr std::uint8_t shortest_pin = 4, tries = 3;                                     // [§3]
constexpr std::uint16_t serial_object = 0x005A;   // four bytes, eight at most           // [§4]
constexpr std::uint16_t modulus_object = 0x0081;  // [§5]
constexpr unsigned key_bits = 2048;               // [§5]
constexpr std::size_t key_size = key_bits / 8;
constexpr std::size_t longest_text = 102;  // 40 % of the modulus [§6]

// What things take on the real chip. assumed; nobody will ever measure one.
constexpr std::chrono::milliseconds nvram_write{4}, rsa_private{300};

// ---- NVRAM: cells beside those of identity and PINs ------------------------------------------

constexpr const char* serial_cell = "serial";
constexpr const char* key_cell = "key";  // p, q, qinv, dp, dq, each half of the modulus' length

/// One write: the key is there whole, or not at all.
void store_key(Nvram& nvram, const RsaKey& key) {
  const RsaPrimes primes = key.primes();
  Bytes cell;
  for (const Bytes* part : {&primes.p, &primes.q, &primes.qinv, &primes.dp, &primes.dq})
    append(cell, *part);
  nvram.write(key_cell, cell);
}

std::optional<RsaKey> load_key(const Nvram& nvram) {
  constexpr std::size_t half = key_size / 2;
  const Bytes* cell = nvram.read(key_cell);
  if (cell == nullptr || cell->size() != 5 * half) return std::nullopt;
  const auto part = [cell](std::size_t n) {
    return copy_of(ByteView(*cell).subspan(n * half, half));
  };
  auto key = RsaKey::from_primes({part(0), part(1), part(2), part(3), part(4)});
  if (!key) return std::nullopt;
  return std::move(*key);
}

// ---- the commands ----------------------------------------------------------------------------

/// The operating system of the card. What is volatile stands in members and goes with forget();
/// what is not, in NVRAM.
class ImaginaryCard : public CommandSet {
 public:
  ImaginaryCard(Nvram& nvram, std::uint64_t seed, std::shared_ptr<Stopwatch> stopwatch)
      : nvram_(nvram),
        pins_(nvram),
        random_(seed, seed == 0 ? 0 : count_start(nvram)),
        stopwatch_(std::move(stopwatch)) {}

  Reply execute(const Command& command) override {
    // assumed: no chaining, no secure messaging, no logical channels.
    if (command.cla != apdu::cla::interindustry) return sw::cla_not_supported;
    const auto writes = nvram_.writes();
    Reply reply = run(command);
    stopwatch_->spend(nvram_write * (nvram_.writes() - writes));
    return reply;
  }

  void forget() override { selected_ = verified_ = false; }

  /// As it leaves the factory: a PIN and, unless it is blank, a key.
  void personalise(const std::string& serial, bool blank) {
    nvram_.write(serial_cell, *from_hex(serial.size() % 2 == 0 ? serial : "0" + serial));
    if (!blank) {
      const auto key = RsaKey::generate(random_, key_bits);
      if (!key) throw NvramFailure{};
      store_key(nvram_, *key);
    }
    pins_.create(user_pin, {shortest_pin, tries}, tries);
    pins_.set_value(user_pin, as_bytes(factory_pin));
  }

 private:
  Reply run(const Command& command) {
    if (command.ins == ins::select) return select(command);
    if (!selected_) return sw::conditions_not_satisfied;  // assumed: nothing outside of the AID
    switch (command.ins) {
      case ins::verify:
        return verify(command);
      case ins::get_data:
        return get_data(command);
      case ins::perform_security_operation:
        return compute_signature(command);
      default:
        return sw::ins_not_supported;
    }
  }

  /// By name, without an answer. A name that is not there leaves the selection [§2].
  Reply select(const Command& command) {
    constexpr std::uint16_t by_name_no_answer = 0x040C;
    if (command.p1_p2() != by_name_no_answer) return sw::wrong_p1_p2;
    if (!equal(command.data, application)) return sw::file_not_found;
    selected_ = true;
    return sw::ok;
  }

  /// P1 00 checks, or tells the tries left when there is no data (assumed, [7816-4 §11.6.6]);
  /// P1 FF logs out [§3].
  Reply verify(const Command& command) {
    constexpr std::uint8_t check = 0x00, log_out = 0xFF;
    if (command.p2 != user_pin) return sw::reference_not_found;
    if (command.p1 == log_out && command.data.empty()) {
      verified_ = false;
      return sw::ok;
    }
    if (command.p1 != check) return sw::wrong_p1_p2;
    if (command.data.empty()) return verified_ ? sw::ok : tries_left();
    verified_ = pins_.check(user_pin, command.data) == PinCheck::correct;
    return verified_ ? sw::ok : tries_left();
  }

  /// 63Cx, down to 63C0 for the last wrong PIN; a blocked one is 6983 (assumed: from the same
  /// answer on).
  [[nodiscard]] apdu::StatusWord tries_left() const {
    const unsigned left = pins_.tries_left(user_pin);
    if (left == 0) return sw::authentication_blocked;
    return {static_cast<std::uint16_t>(0x63C0 | left)};
  }

  /// Free to read. The value alone, without tag and length [7816-4 §11.5.3; §4, §5].
  Reply get_data(const Command& command) {
    Reply reply;
    reply.repeatable = true;  // changes nothing, so a wrong Le may be answered 6Cxx
    if (command.p1_p2() == serial_object) {
      reply.data = *nvram_.read(serial_cell);
      return reply;
    }
    const auto key = load_key(nvram_);
    if (command.p1_p2() != modulus_object || !key) return sw::reference_not_found;
    reply.data = key->modulus();
    return reply;
  }

  /// EMSA-PKCS1-v1_5 [RFC 8017 §9.2] around what was sent: the card pads and does not hash [§6].
  Reply compute_signature(const Command& command) {
    constexpr std::uint16_t digital_signature = 0x9E9A;
    if (command.p1_p2() != digital_signature) return sw::wrong_p1_p2;
    if (command.data.empty() || command.data.size() > longest_text) return sw::wrong_data;
    if (command.ne.value_or(0) < key_size) return sw::wrong_length;
    const auto key = load_key(nvram_);
    if (!key) return sw::reference_not_found;
    if (!verified_) return sw::security_status_not_satisfied;
    Bytes block{0x00, 0x01};
    block.resize(key_size - command.data.size() - 1, 0xFF);
    block.push_back(0x00);
    append(block, command.data);
    stopwatch_->spend(rsa_private);
    auto signature = key->private_operation(block, random_);
    if (!signature) return sw::memory_failure;
    return std::move(*signature);
  }

  Nvram& nvram_;
  PinStore pins_;
  Random random_;
  std::shared_ptr<Stopwatch> stopwatch_;
  bool selected_ = false, verified_ = false;
};

// ---- delivery --------------------------------------------------------------------------------

constexpr const char* name = "imaginary";

std::string drawn_serial(std::uint64_t seed) {
  constexpr std::uint32_t factory = 0;  // before any start that count_start() would number
  return to_hex(Random(seed, factory).bytes(4));
}

Identity new_identity(const ChipOptions& options) {
  return {name, options.atr.empty() ? copy_of(factory_atr) : options.atr,
          options.serial.empty() ? drawn_serial(options.seed) : normal_serial(options.serial)};
}

std::unique_ptr<Chip> make(Nvram& nvram, const ChipOptions& options) {
  const auto existing = Identity::load(nvram);
  if (existing && existing->profile != name) return nullptr;  // check_state() says it in words
  if (!existing && !nvram.empty()) nvram.erase_all();         // personalisation was cut off
  Identity identity = existing ? *existing : new_identity(options);
  auto stopwatch = std::make_shared<Stopwatch>();
  auto card = std::make_unique<ImaginaryCard>(nvram, options.seed, stopwatch);
  if (!existing) {
    card->personalise(identity.serial, options.blank);
    identity.store(nvram);  // last: without it the card never left the factory
  }
  if (!options.atr.empty()) identity.atr = options.atr;
  return std::make_unique<CardRuntime>(std::move(identity), Protocol::t1, std::move(card),
                                       std::move(stopwatch));
}

// One line for each name that `kilt-sim run --card` takes. The reader passes short APDUs only.
constexpr std::array<Profile, 1> table{{
    {name, "A card that does not exist, with one RSA key", Protocol::t1, 261, 258, false, make},
}};

}  // namespace

// NAME_profiles, as CMake makes the table of the names in kilt_card().
extern const std::span<const Profile> imaginary_profiles;
constinit const std::span<const Profile> imaginary_profiles{table};

}  // namespace kilt::sim
