// SPDX-License-Identifier: Apache-2.0
// kilt.toml: what a machine's owner or a user decided for every program that uses kilt. The module
// and the command read it alike.
//
//   readers = "pcsc"                    # or ["pcsc", "socket:/run/card"]
//   allow_assumed = ["0A1B2C3D"]        # serials whose tokens may get commands nobody vouches for;
//                                       # ATR of a card that tells none
//   pin_cache = true                    # restore a login after a foreign reset
//   spend_last_try = false              # let a login use the last try of a PIN
//   log = "info"                        # as KILT_LOG
//   trace = "/tmp/card.vec"             # as KILT_TRACE
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "apdu/bytes.hpp"

namespace kilt::card {

struct Config {
  std::string readers;  ///< comma list as Readers::open() takes it; empty: its default
  std::vector<std::string> allow_assumed;  ///< token serials or ATRs, as written in the file
  bool pin_cache = true;
  bool spend_last_try = false;
  std::string log;    ///< what KILT_LOG says, else the file; empty: no log
  std::string trace;  ///< what KILT_TRACE says, else the file; empty: no trace

  /// Whether `serial` is listed in allow_assumed; letter case and leading zeros do not matter.
  /// A card that nothing tells from its like (no serial, or nothing but zeros) is listed by its
  /// whole ATR, where a '?' stands for a digit that differs at every touch. A card with a serial
  /// never is: its owner did not name it.
  [[nodiscard]] bool allows_assumed(std::string_view serial, ByteView atr = {}) const;
};

struct LoadedConfig {
  Config config;
  /// For people, whole sentences: what was wrong in which file and line. Never fatal; a key that
  /// is not understood, and every key of a file that cannot be read, keeps its earlier value.
  std::vector<std::string> problems;
};

/// Where the configuration comes from. A later file's key replaces an earlier file's.
struct ConfigSources {
  std::vector<std::string> files;
  bool files_must_exist = false;         ///< named by KILT_CONFIG: its absence is a problem
  std::optional<std::string> readers{};  ///< KILT_READERS
  std::optional<std::string> log{};      ///< KILT_LOG
  std::optional<std::string> trace{};    ///< KILT_TRACE

  /// /etc/kilt/kilt.toml, then $XDG_CONFIG_HOME/kilt/kilt.toml (or ~/.config); KILT_CONFIG
  /// replaces both (empty: no file at all). The environment is read with secure_getenv: a
  /// privileged program gets only the system's file.
  static ConfigSources from_environment();
};

[[nodiscard]] LoadedConfig load_config(const ConfigSources& sources);
[[nodiscard]] inline LoadedConfig load_config() {
  return load_config(ConfigSources::from_environment());
}

}  // namespace kilt::card
