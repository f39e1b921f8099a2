// SPDX-License-Identifier: Apache-2.0
#include "firmware-sim/chaining.hpp"

namespace kilt::sim {

CommandChain::Step CommandChain::take(const Command& command) {
  if (open_ && (command.ins != ins_ || command.p1 != p1_ || command.p2 != p2_)) {
    drop();
    return Step::broken;
  }
  if (!open_) {
    drop();
    ins_ = command.ins;
    p1_ = command.p1;
    p2_ = command.p2;
  }
  total_ += command.data.size();
  if (total_ > limit_) {
    drop();
    return Step::too_long;
  }
  blocks_.push_back(command.data);
  open_ = command.chained();
  return open_ ? Step::more : Step::complete;
}

void CommandChain::drop() {
  open_ = false;
  total_ = 0;
  for (auto& block : blocks_)
    wipe(block);
  blocks_.clear();
}

Bytes CommandChain::joined() const {
  Bytes all;
  for (const auto& block : blocks_)
    append(all, block);
  return all;
}

}  // namespace kilt::sim
