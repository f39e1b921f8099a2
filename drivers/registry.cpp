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

namespace {

std::string rows(const CommandSet& set) {
  std::string text;
  for (const auto& command : set.commands) {
    const Evidence evidence = set.floor.evidence_of(command);
    text += std::string("| ") + set.card + " | " + command.operation + " | " + to_string(evidence) +
            (command.destroys ? ", destroys" : "") + " | " +
            (set.floor.lowers(command) ? set.floor.source + std::string(" of ") : "") +
            command.source + " |\n";
  }
  return text;
}

}  // namespace

std::string evidence_table() {
  std::string table = "| card | command | evidence | source |\n|---|---|---|---|\n";
  for (const auto* driver : drivers()) {
    table += rows({driver->name, {}, driver->commands()});
    if (driver->other_commands) table += rows(driver->other_commands());
  }
  return table;
}

namespace {

std::string names_of(const std::vector<Application>& applications) {
  std::string names;
  for (const auto& application : applications)
    names += (names.empty() ? "" : ", ") + std::string(application.name);
  return names;
}

Error no_such_application(const std::string& device, std::size_t index) {
  return {ErrorKind::not_found, device + " has no token number " + std::to_string(index + 1)};
}

/// The index-th usable application, as an index into all of them.
Result<std::size_t> usable(const std::vector<Application>& applications, std::size_t index,
                           const std::string& device) {
  std::size_t seen = 0;
  for (std::size_t i = 0; i < applications.size(); ++i) {
    if (applications[i].usable && seen++ == index) return i;
  }
  if (seen > 0) return no_such_application(device, index);
  return Error{ErrorKind::unsupported,
               device + " holds " + names_of(applications) + ", which kilt does not support"};
}

/// The card as this driver sees it; unknown_card when it is not the driver's. The link is taken
/// only when nothing can fail any more: the transaction ends on its transport.
Result<std::unique_ptr<Card>> open_with(const Driver& driver, std::unique_ptr<Link>& link,
                                        const std::string& device, std::size_t index,
                                        LookFor what) {
  auto transaction = apdu::Transaction::begin(link->transport());
  if (!transaction) return transaction.take_error();
  if (driver.applications) {
    auto all = driver.applications(*link, what);
    if (!all) return all.take_error();
    auto which = usable(*all, index, device);
    if (!which) return which.take_error();
    if (auto status = driver.select_application(*link, *all, *which); !status)
      return status.take_error();
    const Application chosen = (*all)[*which];
    link->set_applications(std::move(*all));
    return driver.make_application(std::move(link), chosen);
  }
  if (driver.probe) {
    if (auto status = driver.probe(*link); !status) return status.take_error();
  }
  if (index > 0) return no_such_application(device, index);
  return driver.make(std::move(link));
}

}  // namespace

Result<std::unique_ptr<Card>> identify(std::unique_ptr<apdu::Transport> transport,
                                       apdu::Recorder* recorder, std::size_t index, LookFor what) {
  const Bytes atr = copy_of(transport->atr());
  const auto found = candidates(atr);
  if (found.empty()) return unknown(atr);
  auto link = std::make_unique<Link>(std::move(transport), recorder);
  for (const auto* driver : found) {
    const auto patterns = driver->atrs();
    const std::string device = matching(patterns, atr)->device;
    link->set_card_name(device);
    auto card = open_with(*driver, link, device, index, what);
    if (card || card.error().kind != ErrorKind::unknown_card) return card;
  }
  return unknown(atr);
}

}  // namespace kilt::card
