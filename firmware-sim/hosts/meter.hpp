// SPDX-License-Identifier: Apache-2.0
// What went over one reader's contacts: counters for --count and `stats`, and --trace.
#pragma once

#include <array>
#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <string>

#include "apdu/bytes.hpp"
#include "apdu/result.hpp"
#include "firmware-sim/chip.hpp"
#include "firmware-sim/hosts/card_process.hpp"
#include "firmware-sim/hosts/unique_fd.hpp"

namespace kilt::sim {

class Meter {
 public:
  /// Vector format (apdu/trace.hpp). Made new, mode 0600. Errors: bad_argument.
  Status trace_to(const std::string& path, const Profile& card);

  /// `is_private` as Chip::is_private says.
  void exchange(ByteView command, ByteView answer, bool is_private = false);
  /// A command that got no answer. What nobody can say of a card that is gone is private.
  void unanswered(ByteView command, const char* why, bool is_private = true);
  void reset();
  void card_says(const CardMeters& now) { now_ = now; }
  /// A card's process ended; the next one counts its writes from zero.
  void card_left();

  /// {"apdus", "to_card" and "from_card" in bytes, "resets", "nvram_writes", "busy_ms" (as long as
  /// the real card would have computed), "ins": {"A4": n, …}}
  [[nodiscard]] nlohmann::json json() const;

 private:
  void count(ByteView command);
  void write(const std::string& text);

  UniqueFd trace_;
  const Profile* card_ = nullptr;  ///< says what is secret; set with trace_
  bool answer_is_secret_ = false;
  std::uint64_t apdus_ = 0;
  std::uint64_t to_card_ = 0;
  std::uint64_t from_card_ = 0;
  std::uint64_t resets_ = 0;
  CardMeters before_{};  ///< of earlier cards in this reader
  CardMeters now_{};
  std::array<std::uint64_t, 256> ins_{};
};

/// What ISO 7816-4 and -8 make secret, and the card (null: no card in particular).
[[nodiscard]] Secrets secrets_of(ByteView command, const Profile* card = nullptr);
/// One command as a trace shows it: {pin} in place of Lc and body where the body is a PIN or a key;
/// header, Lc, {any:N} and Le of one that is private.
[[nodiscard]] std::string masked(ByteView command, const Profile* card = nullptr,
                                 bool is_private = false);

}  // namespace kilt::sim
