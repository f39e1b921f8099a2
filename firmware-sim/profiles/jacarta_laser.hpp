// SPDX-License-Identifier: Apache-2.0
// LASER, the applet of JaCarta PKI [facts jacarta A4-A12, corrected by A16]. State here; the
// commands stand in jacarta_files, _create, _pins, _keys, _system. There is no security
// environment: the selected key object is the key. "assumed" marks what nobody public says.
#pragma once

#include <set>

#include "firmware-sim/chaining.hpp"
#include "firmware-sim/profiles/jacarta_device.hpp"
#include "firmware-sim/profiles/jacarta_object.hpp"
#include "firmware-sim/profiles/jacarta_sm.hpp"

namespace kilt::sim::jacarta {

/// What things take on the real chip. assumed; nobody has measured a JaCarta.
namespace timing {
inline constexpr std::chrono::milliseconds nvram_write{4};
inline constexpr std::chrono::milliseconds key_agreement{120};
inline constexpr std::chrono::milliseconds rsa_2048_private{350};
inline constexpr std::chrono::seconds rsa_2048_generation{15};
}  // namespace timing

struct LaserConfiguration {
  std::string serial;  ///< 16 hex digits
  std::size_t memory;  ///< file memory, bytes
};

class Laser : public Applet {
 public:
  /// All its NVRAM cells begin with "laser:".
  Laser(Nvram& nvram, LaserConfiguration options, std::shared_ptr<Random> random,
        std::shared_ptr<Stopwatch> stopwatch);
  [[nodiscard]] bool is_named(ByteView aid) const override;
  Reply select(const Command& command) override;
  Reply execute(const Command& command) override;
  void forget() override;
  [[nodiscard]] bool is_private(std::uint8_t instruction) const override;

  FileSystem files;
  const LaserConfiguration configuration;

  // Volatile: gone with reset, power and the selection of an applet.
  FilePath current_df = FilePath::mf();
  std::optional<FilePath> current;  ///< the selected EF or key object
  std::set<std::string> verified;   ///< paths of the PINs that were presented
  Bytes challenge;                  ///< of GET CHALLENGE, for the next command only
  CommandChain chain{longest_chain};
  std::optional<KeyAgreement> agreement;  ///< offered by 80 48, used up by 80 86
  std::optional<SecureChannel> channel;
  bool secured = false;  ///< the command that runs came under secure messaging

  [[nodiscard]] std::optional<Object> find(const FilePath& path) const;
  /// The selected object if it is of this kind.
  [[nodiscard]] std::optional<Object> selected_object(Kind kind) const;
  /// Of an RSA object or PIN of the card itself, never of the host.
  [[nodiscard]] PinBody pin_body(const Object& object) const;
  /// Whether the rule is met by what was presented, and by secure messaging where it asks for it.
  [[nodiscard]] bool allowed(Rule rule) const;
  Random& random() { return *random_; }
  void spend(std::chrono::microseconds time) { stopwatch_->spend(time); }

 private:
  /// RSA-4096 is imported with 2.3 KB.
  static constexpr std::size_t longest_chain = 4096;

  Reply execute_secured(const Command& command);
  Reply execute_plain(const Command& command);
  Reply run(const Command& command);
  Reply in_pieces(Reply reply, std::optional<std::size_t> wanted);
  Reply get_response(const Command& command);
  [[nodiscard]] bool presented(std::uint8_t key) const;

  Nvram& nvram_;
  std::shared_ptr<Random> random_;
  std::shared_ptr<Stopwatch> stopwatch_;
  Bytes pending_;  ///< what GET RESPONSE will fetch
};

/// As Profile::secrets, of the applet's commands.
[[nodiscard]] Secrets secrets(ByteView command);

// The commands. Each gets the last command of its chain; `laser.chain` joins the blocks.
Reply select_file(Laser& laser, const Command& command);
/// Class 00: by DF name only, as a host that looks for other applets does.
Reply select_by_name(Laser& laser, const Command& command);
Reply list_files(Laser& laser, const Command& command);
Reply read_binary(Laser& laser, const Command& command);
Reply update_binary(Laser& laser, const Command& command);
Reply create_file(Laser& laser, const Command& command);
Reply delete_file(Laser& laser, const Command& command);

Reply verify(Laser& laser, const Command& command);
Reply verify_secure(Laser& laser, const Command& command);
Reply update_key_object(Laser& laser, const Command& command);
Reply reset_retry_counter(Laser& laser, const Command& command);
Reply log_out(Laser& laser, const Command& command);

/// The RSA half of update_key_object: `value` is what 62 holds.
Reply import_rsa(Laser& laser, const Object& object, ByteView value);
Reply generate_key_pair(Laser& laser, const Command& command);
Reply perform_security_operation(Laser& laser, const Command& command);

Reply get_capability(Laser& laser, const Command& command);
Reply get_challenge(Laser& laser, const Command& command);
Reply offer_key_agreement(Laser& laser, const Command& command);
Reply open_or_close_channel(Laser& laser, const Command& command);

}  // namespace kilt::sim::jacarta
