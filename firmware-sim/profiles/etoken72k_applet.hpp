// SPDX-License-Identifier: Apache-2.0
// The applet of eToken PRO 72K (Java), as far as it is public [facts etoken §5]; "assumed" marks
// what nobody public says and we chose. Made to be built in: a card may hold it beside others.
//
// A device of its own is one line of etoken72k_device.hpp. A card of several applets owns an
// Applet, hands it every command while it is selected(), and the SELECT by DF name for which
// is_named() is true; when it selects another applet it calls forget(). It sets extended_length.
#pragma once

#include <array>
#include <map>
#include <optional>

#include "firmware-sim/crypto.hpp"
#include "firmware-sim/filesystem.hpp"
#include "firmware-sim/profiles/etoken72k_acl.hpp"
#include "firmware-sim/runtime.hpp"

namespace kilt::sim::etoken72k {

/// Bytes of data in an APDU, as 9F65 of the FCI says [facts etoken §5.1]; that answers are bounded
/// likewise is assumed.
inline constexpr std::size_t max_data = 530;

/// What things take on the real chip. assumed; nobody has measured one.
namespace timing {
inline constexpr std::chrono::milliseconds nvram_write{5};
inline constexpr std::chrono::milliseconds triple_des{10};
inline constexpr std::chrono::milliseconds rsa_2048_private{600};
inline constexpr std::chrono::seconds rsa_2048_generation{30};
}  // namespace timing

enum class Model {
  pro_72k,
  sc_5110,  ///< signs under secure messaging only, whose keys nobody public knows
};

struct Configuration {
  std::string serial;  ///< hex digits
  std::size_t memory;  ///< file memory, bytes
  Model model = Model::pro_72k;
};

/// Salt and key of a role: the key is what the PIN was derived to.
struct Credential {
  Bytes salt;
  SecretBytes key;
};

class Applet : public CommandSet {
 public:
  /// All its NVRAM cells begin with "etoken:".
  Applet(Nvram& nvram, Configuration configuration, std::shared_ptr<Random> random,
         std::shared_ptr<Stopwatch> stopwatch);

  /// On an NVRAM without this applet. `blank`: never initialised, instead of as its owner gets it
  /// (factory PINs, no objects).
  void personalise(bool blank);

  [[nodiscard]] static bool is_named(ByteView df_name);
  [[nodiscard]] bool selected() const { return selected_; }
  /// Takes what came while the applet was selected, and the SELECT that selects it.
  Reply execute(const Command& command) override;
  /// Reset, power-off, or another applet is selected.
  void forget() override;
  [[nodiscard]] bool is_private(std::uint8_t instruction) const override;

  // What follows is for the applet's own parts (etoken72k_*.cpp).

  // Non-volatile.
  FileSystem files;
  /// Empty: the role's PIN was never set.
  [[nodiscard]] std::optional<Credential> credential(Role role) const;
  /// Salt and key in one write.
  apdu::StatusWord set_credential(Role role, ByteView salt, ByteView key);
  [[nodiscard]] std::uint8_t tries_left(Role role) const;
  void set_tries(Role role, std::uint8_t left);
  void reset_tries(Role role);
  /// With all that is in it. Cut in the middle, it is finished before the next command.
  void remove(const File& file);
  /// Erases the eToken file system and lays a new one without a user PIN; likewise.
  void lay_anew(ByteView salt, ByteView key, ByteView label);

  // Volatile: gone with reset, power and deselection.
  FilePath current_df;
  std::optional<FilePath> current_ef;
  Role role = Role::nobody;
  Bytes challenge;  ///< for one use; empty: none
  using KeyParts = std::map<std::uint8_t, Bytes>;
  KeyParts import;  ///< parts of the key that is being imported, by their tags

  Random& random() { return *random_; }
  const Configuration configuration;

  /// What SELECT and DIRECTORY can see: not the private key inside a key object.
  [[nodiscard]] std::optional<File> find(const FilePath& path) const;
  [[nodiscard]] std::vector<File> children(const FilePath& df) const;
  void make_current(const File& file);
  void drop_import();
  [[nodiscard]] bool allowed(const File& file, Access access) const;
  void spend(std::chrono::microseconds time) { stopwatch_->spend(time); }

 private:
  Reply dispatch(const Command& command);
  void finish_what_was_cut();
  void lay(ByteView salt, ByteView key, ByteView label);

  Nvram& nvram_;
  std::shared_ptr<Random> random_;
  std::shared_ptr<Stopwatch> stopwatch_;
  bool selected_ = false;
};

}  // namespace kilt::sim::etoken72k
