// SPDX-License-Identifier: Apache-2.0
#include "firmware-sim/chaining.hpp"

namespace kilt::sim {

namespace sw = apdu::sw;

std::optional<apdu::StatusWord> CommandChain::admit(const Command& command, bool may_be_chained) {
  if (!may_be_chained) {
    if (command.chained()) return sw::chaining_not_supported;
    if (!open_) return std::nullopt;
    drop();
    return sw::last_of_chain_expected;
  }
  switch (take(command)) {
    case Step::more:
      return sw::ok;
    case Step::broken:
      return sw::last_of_chain_expected;
    case Step::too_long:
      return sw::wrong_length;
    case Step::complete:
      break;
  }
  return std::nullopt;
}

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
