// SPDX-License-Identifier: Apache-2.0
#include "drivers/registry.hpp"

namespace kilt::card {

bool AtrPattern::matches(ByteView other) const {
  if (other.size() != atr.size()) return false;
  for (std::size_t i = 0; i < atr.size(); ++i) {
    const std::uint8_t care = mask.empty() ? 0xFF : mask[i];
    if ((atr[i] & care) != (other[i] & care)) return false;
  }
  return true;
}

namespace {

const AtrPattern* matching(const std::vector<AtrPattern>& patterns, ByteView atr) {
  for (const auto& pattern : patterns) {
    if (pattern.matches(atr)) return &pattern;
  }
  return nullptr;
}

Error unknown(ByteView atr) {
  return {ErrorKind::unknown_card, "no driver knows a card with the ATR " + to_hex(atr) + ""};
}

}  // namespace

std::vector<const Driver*> candidates(ByteView atr) {
  std::vector<const Driver*> found;
  for (const auto* driver : drivers()) {
    if (matching(driver->atrs(), atr)) found.push_back(driver);
  }
  return found;
}

std::string evidence_table() {
  std::string table = "| card | command | evidence | source |\n|---|---|---|---|\n";
  for (const auto* driver : drivers()) {
    for (const auto& command : driver->commands()) {
      table += std::string("| ") + driver->name + " | " + command.operation + " | " +
               to_string(command.evidence) + (command.destroys ? ", destroys" : "") + " | " +
               command.source + " |\n";
    }
  }
  return table;
}

Result<std::unique_ptr<Card>> identify(std::unique_ptr<apdu::Transport> transport,
                                       apdu::Recorder* recorder) {
  const Bytes atr = copy_of(transport->atr());
  const auto found = candidates(atr);
  if (found.empty()) return unknown(atr);
  auto link = std::make_unique<Link>(std::move(transport), recorder);
  for (const auto* driver : found) {
    const auto patterns = driver->atrs();
    link->set_card_name(matching(patterns, atr)->device);
    if (driver->probe) {
      auto transaction = apdu::Transaction::begin(link->transport());
      if (!transaction) return transaction.take_error();
      if (auto status = driver->probe(*link); !status) {
        if (status.error().kind == ErrorKind::unknown_card) continue;
        return status.take_error();
      }
    }
    return driver->make(std::move(link));
  }
  return unknown(atr);
}

}  // namespace kilt::card
