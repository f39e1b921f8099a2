// SPDX-License-Identifier: Apache-2.0
// The ordered list of drivers and the choice of one for a card. The list is made by kilt_card() in
// CMake; its order is the match order.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "apdu/result.hpp"
#include "drivers/card.hpp"
#include "drivers/link.hpp"

namespace kilt::card {

/// An ATR with a mask of the same length; an empty mask means every bit counts.
struct AtrPattern {
  Bytes atr;
  Bytes mask;
  const char* device;  ///< for people: "Kaztoken (USB token)"
  [[nodiscard]] bool matches(ByteView other) const;
};

/// How far identify() looks around on a device with several applications.
enum class LookFor {
  tokens,     ///< applications that kilt can use
  everything  ///< others too, so that people can be told of them; costs a command or two each
};

/// The commands for one kind of token, as the table of evidence shows them.
struct CommandSet {
  const char* card;
  EvidenceFloor floor;
  std::vector<Command> commands;
};

struct Driver {
  const char* name;  ///< as in kilt_card(): "kaztoken"
  const CardModel& (*model)();
  std::vector<AtrPattern> (*atrs)();
  /// Looks at the card itself where the ATR is shared (at most two APDUs, reading only); null:
  /// the ATR is proof enough. unknown_card when it is not ours.
  Status (*probe)(Link& link);
  std::unique_ptr<Card> (*make)(std::unique_ptr<Link> link);
  /// One example of every kind of command the driver sends: the table of evidence is made of them.
  std::vector<Command> (*commands)();

  // For devices that hold several applications, each usable one a token of its own; null for cards
  // that are one token. Then `probe` and `make` are not called.

  /// Looks which applications are there (reading only). unknown_card when it is not ours, after two
  /// APDUs at most; more only where one of them found an application, or where everything is looked
  /// for and the ATR is of no other maker's cards. At least one when it succeeds.
  Result<std::vector<Application>> (*applications)(Link& link, LookFor what) = nullptr;
  /// Selects one of those just found, a usable one.
  Status (*select_application)(Link& link, const std::vector<Application>& all,
                               std::size_t which) = nullptr;
  /// The token of the application just selected.
  std::unique_ptr<Card> (*make_application)(std::unique_ptr<Link> link,
                                            const Application& which) = nullptr;
  /// What is sent to applications whose commands are not among `commands`.
  CommandSet (*other_commands)() = nullptr;
};

/// The table of evidence in README.md, in Markdown.
[[nodiscard]] std::string evidence_table();

[[nodiscard]] std::span<const Driver* const> drivers();
/// Drivers whose ATR pattern takes this ATR, in match order.
[[nodiscard]] std::vector<const Driver*> candidates(ByteView atr);
/// The card behind a transport. unknown_card (with the ATR in the text) after at most two APDUs, or
/// as Driver::applications says; unsupported when the device is known but holds no application that
/// we can use (the text names those it has). Holds a transaction of its own while it probes.
///
/// `index`: which of the usable applications of a device, as Card::applications() lists them;
/// not_found where there are fewer. Each needs a transport of its own.
Result<std::unique_ptr<Card>> identify(std::unique_ptr<apdu::Transport> transport,
                                       apdu::Recorder* recorder, std::size_t index = 0,
                                       LookFor what = LookFor::everything);

}  // namespace kilt::card
