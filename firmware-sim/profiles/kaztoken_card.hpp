// SPDX-License-Identifier: Apache-2.0
// The operating system of the Rutoken ECP family, as far as it is public [facts kaztoken §3, §4,
// corrected by §10]. State here; the commands stand in kaztoken_files, _pins, _keys, _system.
// "assumed" marks what nobody public says and we chose.
#pragma once

#include <functional>

#include "firmware-sim/chaining.hpp"
#include "firmware-sim/crypto.hpp"
#include "firmware-sim/filesystem.hpp"
#include "firmware-sim/pin.hpp"
#include "firmware-sim/profiles/kaztoken_rights.hpp"
#include "firmware-sim/runtime.hpp"

namespace kilt::sim::kaztoken {

/// Life of the card, non-volatile [facts kaztoken §4.8, §10.1 #28].
enum class Phase : std::uint8_t {
  virgin = 0,          ///< never initialised: no MF, and none can be made before 80 8A
  initialisation = 1,  ///< between 80 8A and 80 84: access rules are not enforced
  operational = 2,
  erasing = 3,  ///< 80 8A is under way; taken up again after a power cut
};

/// What things take on the real chip. assumed, from what Rutoken users report.
namespace timing {
inline constexpr std::chrono::milliseconds nvram_write{4};
inline constexpr std::chrono::milliseconds rsa_2048_private{300};
inline constexpr std::chrono::milliseconds gost_private{90};
inline constexpr std::chrono::seconds rsa_2048_generation{20};
inline constexpr std::chrono::milliseconds gost_generation{250};
}  // namespace timing

struct Configuration {
  std::string serial;  ///< hex digits
  std::size_t memory;  ///< file memory, bytes
  std::uint64_t seed;
};

class Card : public CommandSet {
 public:
  Card(Nvram& nvram, const Configuration& configuration, std::shared_ptr<Stopwatch> stopwatch);

  Reply execute(const Command& command) override;
  void forget() override;
  [[nodiscard]] bool is_private(std::uint8_t instruction) const override;

  // Non-volatile.
  FileSystem files;
  PinStore pins;
  [[nodiscard]] Phase phase() const;
  void set_phase(Phase phase);
  /// Erases files and PINs and leaves the card in its initialisation phase. Can be cut anywhere.
  void erase();

  // Volatile: gone with reset and power.
  FilePath current_df;
  std::optional<FilePath> current_ef;
  Role role = Role::nobody;
  std::optional<std::uint8_t> signature_key;   ///< set by MSE, template B6
  std::optional<std::uint8_t> decryption_key;  ///< set by MSE, template B8
  CommandChain chain;

  Random random;
  const Configuration configuration;

  /// False in no case during the initialisation phase.
  [[nodiscard]] bool allowed(ByteView attributes, Access access) const;
  /// How many bytes the host wants; empty when it must say and did not.
  [[nodiscard]] std::optional<std::size_t> wanted(const Command& command) const;
  void spend(std::chrono::microseconds time) { stopwatch_->spend(time); }

 private:
  Nvram& nvram_;
  std::shared_ptr<Stopwatch> stopwatch_;
};

// The commands. Each gets the last command of its chain; the blocks are in card.chain.
Reply select(Card& card, const Command& command);
Reply read_binary(Card& card, const Command& command);
Reply update_binary(Card& card, const Command& command);
Reply create_file(Card& card, const Command& command);
Reply delete_file(Card& card, const Command& command);

Reply verify(Card& card, const Command& command);
Reply change_reference_data(Card& card, const Command& command);
Reply reset_retry_counter(Card& card, const Command& command);
Reply log_out(Card& card, const Command& command);

Reply manage_security_environment(Card& card, const Command& command);
Reply perform_security_operation(Card& card, const Command& command);
Reply generate_key_pair(Card& card, const Command& command);
/// CHANGE REFERENCE DATA with P2 = 00: into the selected internal file. `value` as put together
/// from the A5 objects.
Reply load_key(Card& card, ByteView value);

Reply get_challenge(Card& card, const Command& command);
Reply get_data(Card& card, const Command& command);
Reply begin_initialisation(Card& card, const Command& command);
Reply end_initialisation(Card& card, const Command& command);

}  // namespace kilt::sim::kaztoken
