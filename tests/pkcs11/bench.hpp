// SPDX-License-Identifier: Apache-2.0
// Readers and simulated cards in one process, under the whole module: cards can be put in, pulled
// at a given exchange, reset by others, held up, and an unknown card is one as well.
#pragma once

#include <condition_variable>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "apdu/transport/readers.hpp"
#include "firmware-sim/chip.hpp"

namespace kilt::test {

/// A card that can be put into any reader. Its memory stays when it is out.
struct BenchCard {
  explicit BenchCard(std::uint64_t seed = 7, bool blank = false, const char* profile = "kaztoken");
  const sim::Profile& profile;
  sim::Nvram nvram;
  std::unique_ptr<sim::Chip> chip;
  Bytes unknown_atr{};  ///< instead of a chip: a card that nobody knows
  std::uint64_t epoch = 1;
  std::uint64_t exchanges = 0;           ///< since somebody set it to 0
  std::uint64_t pull_at = 0;             ///< the exchange that finds the card gone; 0: never
  std::uint8_t fail_next = 0;            ///< an INS that is answered 6F00 once, not done
  bool held = false;                     ///< a connection is inside a transaction
  std::function<void(ByteView)> before;  ///< sees commands, without any lock of the bench
};

class Bench {
 public:
  /// The bench that the module's readers come from while this object lives.
  Bench();
  Bench(const Bench&) = delete;
  ~Bench();
  [[nodiscard]] static Bench* current();

  void add_reader(const std::string& name);
  void remove_reader(const std::string& name);
  void insert(const std::string& reader, const std::shared_ptr<BenchCard>& card);
  void pull(const std::string& reader);
  /// Another program resets the card.
  void reset(BenchCard& card);
  /// Another program sends a command, in a transaction of its own; the status word.
  std::uint16_t foreign(BenchCard& card, ByteView command);
  void set_service(bool there);

  // For the readers and connections below.
  std::mutex mutex;
  std::condition_variable changed;
  struct Reader {
    std::shared_ptr<BenchCard> card;
    std::uint64_t insertions = 0;
  };
  std::map<std::string, Reader> readers;
  bool service = true;
  unsigned connects = 0;
  unsigned disconnects = 0;  ///< that said something to the card's side
  unsigned abandoned = 0;
};

}  // namespace kilt::test
