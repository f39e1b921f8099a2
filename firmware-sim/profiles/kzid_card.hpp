// SPDX-License-Identifier: Apache-2.0
// The signature part of the national ID card as observed by the NCA's verifier [facts jacarta B2];
// what was not observed follows ISO 7816 and carries the word "assumed". State here; the commands
// stand in kzid_files, _pins, _keys, _data.
#pragma once

#include "firmware-sim/crypto.hpp"
#include "firmware-sim/filesystem.hpp"
#include "firmware-sim/pin.hpp"
#include "firmware-sim/profiles/kzid_objects.hpp"
#include "firmware-sim/runtime.hpp"

namespace kilt::sim::kzid {

/// The DF that holds keys and certificates, a child of the MF [facts jacarta B2].
[[nodiscard]] FilePath signature_df();
inline constexpr std::uint16_t global_data_id = 0x2F02;   ///< EF.GDO, in the MF; assumed
inline constexpr std::uint32_t serial_number_tag = 0x5A;  ///< in it [7816-6]

inline constexpr std::uint8_t user_reference = 0x02;  ///< [facts jacarta B2]
inline constexpr std::uint8_t puk_reference = 0x01;   ///< assumed
/// A PIN is always sent in a field of this length: four digits and four times '0' [facts jacarta
/// B2].
inline constexpr std::size_t pin_field = 8;

/// What things take on the real chip. assumed; nobody has measured one.
namespace timing {
inline constexpr std::chrono::milliseconds nvram_write{4};
inline constexpr std::chrono::milliseconds rsa_2048_private{400};
inline constexpr std::chrono::seconds rsa_2048_generation{20};
}  // namespace timing

struct Configuration {
  std::uint8_t last_key;  ///< the reference of the last key object
  std::size_t memory;     ///< file memory, bytes
  std::uint64_t seed;
};

/// Whose PIN was verified. Both may be at the same time (assumed).
struct Verified {
  bool user = false;
  bool puk = false;
};

class Card : public CommandSet {
 public:
  Card(Nvram& nvram, const Configuration& configuration, std::shared_ptr<Stopwatch> stopwatch);

  Reply execute(const Command& command) override;
  void forget() override;

  // Non-volatile.
  FileSystem files;
  PinStore pins;
  KeyObjects keys;

  // Volatile: gone with reset and power. Selection does not touch what is verified [facts jacarta
  // B2].
  FilePath current_df;
  std::optional<FilePath> current_ef;
  Verified verified;
  /// Set by MSE, whether or not there is such a key object. assumed: another DF drops it.
  std::optional<std::uint8_t> authentication_key;

  Random random;

  /// A key object is local to its DF; `reference` without the bit that says so.
  [[nodiscard]] bool has_key_object(std::uint8_t reference) const;
  /// How many bytes the host wants.
  [[nodiscard]] static std::size_t wanted(const Command& command);
  void spend(std::chrono::microseconds time) { stopwatch_->spend(time); }

 private:
  Nvram& nvram_;
  std::shared_ptr<Stopwatch> stopwatch_;
};

Reply select(Card& card, const Command& command);
Reply read_binary(Card& card, const Command& command);
Reply update_binary(Card& card, const Command& command);
Reply create_file(Card& card, const Command& command);
Reply delete_file(Card& card, const Command& command);

Reply verify(Card& card, const Command& command);
Reply change_reference_data(Card& card, const Command& command);
Reply reset_retry_counter(Card& card, const Command& command);

Reply generate_key_pair(Card& card, const Command& command);
Reply manage_security_environment(Card& card, const Command& command);
Reply internal_authenticate(Card& card, const Command& command);

Reply get_challenge(Card& card, const Command& command);
Reply get_data(Card& card, const Command& command);
Reply delete_data(Card& card, const Command& command);

}  // namespace kilt::sim::kzid
