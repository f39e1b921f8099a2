// SPDX-License-Identifier: Apache-2.0
// Command chaining, the card's side [7816-4 §5.3.3]. The blocks stay apart, because there are
// cards that give each block a structure of its own.
#pragma once

#include <optional>
#include <vector>

#include "firmware-sim/runtime.hpp"

namespace kilt::sim {

class CommandChain {
 public:
  enum class Step {
    more,      ///< kept; the next block may come
    complete,  ///< blocks() is everything
    broken,    ///< another command inside a chain: the chain is dropped, 6883
    too_long,  ///< more than the card keeps: dropped, 6700
  };
  /// What all blocks together may hold.
  static constexpr std::size_t max_total = 2048;
  explicit CommandChain(std::size_t limit = max_total) : limit_(limit) {}

  /// Any command on its way in: nothing when it may be run now (blocks() is everything then), else
  /// the answer to it. assumed: a command that may not be chained is refused once in the middle of
  /// a chain, and ends it.
  std::optional<apdu::StatusWord> admit(const Command& command, bool may_be_chained);
  /// Takes a command of a kind that may be chained.
  Step take(const Command& command);
  [[nodiscard]] bool open() const { return open_; }
  void drop();
  /// Of the chain that is complete; an unchained command is a chain of one block.
  [[nodiscard]] const std::vector<Bytes>& blocks() const { return blocks_; }
  [[nodiscard]] Bytes joined() const;

 private:
  bool open_ = false;
  std::uint8_t ins_ = 0, p1_ = 0, p2_ = 0;
  std::size_t limit_;
  std::size_t total_ = 0;
  std::vector<Bytes> blocks_;
};

}  // namespace kilt::sim
