// SPDX-License-Identifier: Apache-2.0
#include "drivers/link.hpp"

namespace kilt::card {
namespace {

Error refusal(const Command& command, const std::string& card, const std::string& why) {
  return {ErrorKind::refused,
          "refusing to " + std::string(command.operation) + " on this " + card + ": " + why};
}

}  // namespace

Link::Link(std::unique_ptr<apdu::Transport> transport, apdu::Recorder* recorder)
    : transport_(std::move(transport)), channel_(*transport_, recorder) {}

Result<apdu::ResponseApdu> Link::send(const Command& command) {
  if (!transport_->is_simulated() && !permissions_.allow_assumed) {
    if (command.evidence == Evidence::assumed && !command.identifies) {
      return refusal(command, card_name_,
                     std::string("nobody public says how this card does it, the command is our "
                                 "guess ") +
                         command.source +
                         "; record how the vendor's software does it with `kilt trace record`, or "
                         "list the card's serial under allow_assumed in kilt.toml");
    }
    if (command.destroys && command.evidence >= Evidence::related && !permissions_.allow_destroy) {
      return refusal(command, card_name_,
                     std::string("it destroys keys, and the command is known from a relative of "
                                 "this card only ") +
                         command.source +
                         "; give the card's serial number to confirm, and help with a recording "
                         "by `kilt trace record`");
    }
  }
  return channel_.send(command.apdu);
}

}  // namespace kilt::card
