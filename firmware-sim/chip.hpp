// SPDX-License-Identifier: Apache-2.0
// The seam between a simulated card (pure: bytes in, bytes out, no I/O, no clock of its own) and
// the hosts that put it into a reader.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "apdu/bytes.hpp"
#include "apdu/result.hpp"
#include "firmware-sim/nvram.hpp"

namespace kilt::sim {

enum class Protocol { t0, t1 };

/// What went over the wire, and how long the real card would have taken for it.
struct Answer {
  Bytes bytes;                            ///< data and status word
  std::chrono::microseconds duration{0};  ///< virtual; the host sleeps it with --timing real
};

/// One simulated card in one reader. Non-volatile state is in the Nvram; everything else is lost
/// by power_off and reset. Not thread-safe: the host serialises.
class Chip {
 public:
  virtual ~Chip() = default;
  [[nodiscard]] virtual Bytes atr() const = 0;
  [[nodiscard]] virtual Protocol protocol() const = 0;
  virtual void power_on() = 0;
  virtual void power_off() = 0;
  virtual void reset() = 0;  ///< warm reset: volatile state is lost, power stays
  virtual Answer transmit(ByteView command) = 0;
  /// Whether this command, were it sent now, reads or writes the content of a file that not
  /// everybody may read: then no trace shows its body, nor its answer's data. Well formed or not.
  [[nodiscard]] virtual bool is_private(ByteView command) const = 0;
  /// As printed on the device and as a driver reports it; hosts name the card by it.
  [[nodiscard]] virtual std::string serial() const { return {}; }
};

struct ChipOptions {
  Bytes atr;               ///< empty: the profile's own
  std::string serial;      ///< empty: the profile's own; hex digits, as printed on the device
  std::uint64_t seed = 0;  ///< of keys and random numbers; 0 = from the system
  bool blank = false;      ///< never initialised, instead of as its owner gets it
  std::string factory;     ///< another way of delivery that the profile knows; empty: the usual one
  std::size_t memory = 0;  ///< bytes of file memory; 0: the profile's own
};

/// What of one exchange no trace may show.
struct Secrets {
  bool body = false;    ///< of the command: a PIN, what proves one, a private key or a part of it
  bool answer = false;  ///< its data: what was deciphered
};

/// A kind of card. One object per name that `kilt-sim run --card` takes.
struct Profile {
  const char* name;
  const char* description;
  Protocol protocol;
  std::size_t max_command;  ///< bytes of an encoded APDU that the real reader lets through
  std::size_t max_response;
  bool extended;  ///< reader of this device passes extended APDUs
  /// Personalises `nvram` if it is empty, then runs on it. Null for an NVRAM that check_state()
  /// refuses as another profile's.
  std::unique_ptr<Chip> (*make)(Nvram& nvram, const ChipOptions& options);
  /// Ways of delivery beside the usual one, for ChipOptions::factory.
  std::span<const std::string_view> factories = {};
  /// Secrets in commands that are the card's own, beside those of ISO 7816-4 and -8 that the meter
  /// knows by itself; null: there are none. `command` as it came over the wire, well formed or not.
  Secrets (*secrets)(ByteView command) = nullptr;
};

/// All profiles, in the order of kilt_card() in CMake.
[[nodiscard]] std::span<const Profile* const> profiles();
[[nodiscard]] const Profile* find_profile(std::string_view name);

/// Whether Profile::make may be called: the profile knows the way of delivery, and an NVRAM that
/// already holds a card must hold one of this profile and, where `options` name a serial, of that
/// serial (bad_argument otherwise). Of the other options only the seed, the memory and a given ATR
/// matter to a card that exists already.
[[nodiscard]] Status check_state(const Nvram& nvram, const Profile& profile,
                                 const ChipOptions& options);

}  // namespace kilt::sim
