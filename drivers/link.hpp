// SPDX-License-Identifier: Apache-2.0
// A driver's way to its card: commands that say how we know them, through a guard that keeps
// guesses away from real cards (design §2), to the channel.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "apdu/channel.hpp"
#include "drivers/model.hpp"

namespace kilt::card {

/// A command with its pedigree. Built by the named builders of a driver, sent by Link.
struct Command {
  apdu::CommandApdu apdu;
  Evidence evidence = Evidence::assumed;
  const char* operation = "";  ///< for people: "generate a key pair"
  const char* source = "";     ///< "[facts kaztoken §4.4]", "[7816-4 §11.2.2]"
  bool destroys = false;       ///< erases keys that cannot be had back (format, delete all)
  /// The PIN is typed on the reader's keys and comes into the body there.
  std::optional<apdu::PinEntry> from_pad{};
};

/// What the user allowed for this token (kilt.toml, typed serial).
struct Permissions {
  bool allow_assumed = false;  ///< serial is listed in allow_assumed
  bool allow_destroy = false;  ///< serial was typed or given (CLI), or is listed
};

/// No command counts as known better than this: the card is a relative of the one that our facts
/// are about.
struct EvidenceFloor {
  Evidence evidence = Evidence::published;
  const char* source = "";  ///< what says that it is one

  [[nodiscard]] bool lowers(const Command& command) const { return command.evidence < evidence; }
  [[nodiscard]] Evidence evidence_of(const Command& command) const {
    return lowers(command) ? evidence : command.evidence;
  }
};

class Link {
 public:
  Link(std::unique_ptr<apdu::Transport> transport, apdu::Recorder* recorder);

  /// refused (nothing was sent) for an assumed command on a reader that is not simulated without
  /// allow_assumed, and for a destroying one of evidence related or weaker without allow_destroy
  /// or allow_assumed. The text names card, operation and the way to help (`kilt trace record`).
  /// A command from the pad: also unsupported (the reader has none), cancelled, pin_length
  /// by what the person did.
  Result<apdu::ResponseApdu> send(const Command& command);

  /// What send() would say of this command before anything is sent.
  [[nodiscard]] Status allows(const Command& command) const;

  void set_permissions(Permissions permissions) { permissions_ = permissions; }
  void set_card_name(std::string name) { card_name_ = std::move(name); }
  void set_floor(EvidenceFloor floor) { floor_ = floor; }
  /// What identify() found on a device with several applications.
  void set_applications(std::vector<Application> all) { applications_ = std::move(all); }
  [[nodiscard]] const std::vector<Application>& applications() const { return applications_; }
  [[nodiscard]] apdu::Transport& transport() { return *transport_; }
  /// Transport::transaction(): while it stays the same, what is selected is what we selected.
  [[nodiscard]] std::optional<std::uint64_t> transaction() const {
    return transport_->transaction();
  }
  [[nodiscard]] bool has_pin_pad() const { return transport_->has_pin_pad(); }
  [[nodiscard]] apdu::Channel& channel() { return channel_; }

 private:
  Result<apdu::ResponseApdu> send_from_pad(const Command& command);

  std::unique_ptr<apdu::Transport> transport_;
  apdu::Channel channel_;
  Permissions permissions_;
  EvidenceFloor floor_;
  std::string card_name_ = "card";
  std::vector<Application> applications_;
};

}  // namespace kilt::card
