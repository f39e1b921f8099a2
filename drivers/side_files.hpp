// SPDX-License-Identifier: Apache-2.0
// Certificates kept beside a card that has no room for them, one file for each key:
// DIRECTORY/HEX.der, where HEX is the SHA-256 of the modulus. Every byte in there is untrusted:
// what is not a certificate of just that key counts as absent. A driver may keep other small files
// there under names of its own.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "apdu/result.hpp"
#include "drivers/model.hpp"

namespace kilt::card {

class SideFiles {
 public:
  /// `directory`: absolute; made when the first file is written. Empty: there is no place for side
  /// files, reading finds none and writing is `unsupported`.
  explicit SideFiles(std::string directory) : directory_(std::move(directory)) {}
  /// $XDG_DATA_HOME/kilt, else ~/.local/share/kilt, where ~ is HOME, or what the system says of
  /// the user if HOME is not set, is not to be trusted (setuid) or is somebody else's (sudo).
  static SideFiles of_this_user();

  /// The certificate (DER) of this RSA key. Nothing where there is no file, or none of ours: a
  /// symbolic link, another owner, others may write it, too long, not this key's certificate.
  [[nodiscard]] std::optional<Bytes> read(const PublicKey& key) const;
  /// Replaces the file in one step, so that a crash leaves the old one or the new.
  /// key_mismatch; bad_data, also with the system's reason.
  Status write(const PublicKey& key, ByteView der) const;
  /// not_found when there was none.
  Status remove(const PublicKey& key) const;
  /// Of this key's file, whether there is one or not; empty without a place.
  [[nodiscard]] std::string path(const PublicKey& key) const;

  /// What the file of this name (without a slash) holds: at most `longest` bytes. Nothing where
  /// read() would find none; what is in it is for the caller to judge.
  [[nodiscard]] std::optional<Bytes> get(const std::string& name) const;
  /// As write(). 0600.
  Status put(const std::string& name, ByteView content) const;
  /// What put() would say of the place, which is made if it is missing: bad_data with the reason,
  /// unsupported where there is no place.
  [[nodiscard]] Status can_put() const;
  /// not_found when there was none.
  Status drop(const std::string& name) const;
  /// Whether some file's name ends so. Costs no card anything, so it is asked first.
  [[nodiscard]] bool has_any(std::string_view ending) const;

  static constexpr std::size_t longest = 16384;
  static constexpr std::string_view certificate_ending = ".der";

 private:
  std::string directory_;
};

}  // namespace kilt::card
