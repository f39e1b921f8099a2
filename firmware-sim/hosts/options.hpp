// SPDX-License-Identifier: Apache-2.0
// What `kilt-sim run` was asked for.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "apdu/bytes.hpp"
#include "apdu/result.hpp"
#include "firmware-sim/hosts/card_process.hpp"

namespace kilt::sim {

/// --via.
struct Via {
  enum class Kind { socket, pcscd, vpcd } kind = Kind::socket;
  std::string path{};      ///< socket:PATH; empty: in the workspace
  std::uint16_t port = 0;  ///< vpcd:PORT; 0: a private pcscd with vpcd

  /// bad_argument lists the forms.
  static Result<Via> parse(const std::string& text);
};

struct RunOptions {
  std::vector<std::string> cards{};
  Via via{};
  std::string state{};
  bool blank = false;
  std::string factory{};
  Bytes atr{};
  std::vector<std::string> serials{};
  std::uint64_t seed = 0;
  bool real_time = false;
  std::vector<std::string> faults{};
  std::string count{};
  std::string trace{};
  bool guard = false;
  std::string pinpad{};  ///< what a person types on the readers' keys; empty: they have none
  std::vector<std::string> command{};
};

/// The names that --card takes, in order, each with its description on a line.
[[nodiscard]] std::string known_cards();

/// One spec per --card. How options are shared out is in the help of `kilt-sim run`. `workspace`
/// keeps the journals of cards that are forgotten at the end. bad_argument names unknown cards,
/// wrong faults, an odd ATR, too many serials.
Result<std::vector<CardSpec>> card_specs(const RunOptions& options, const std::string& workspace);

/// "FILE" for the first of several, "FILE.2" for the second.
[[nodiscard]] std::string numbered(const std::string& path, std::size_t index);

}  // namespace kilt::sim
