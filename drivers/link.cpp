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

Status Link::allows(const Command& command) const {
  if (transport_->is_simulated() || permissions_.allow_assumed) return {};
  const Evidence evidence = floor_.evidence_of(command);
  const char* source = floor_.lowers(command) ? floor_.source : command.source;
  if (evidence == Evidence::assumed) {
    return refusal(command, card_name_,
                   std::string("nobody public says how this card does it, the command is our "
                               "guess ") +
                       source +
                       "; to send it all the same, list the card's serial, or its ATR where it "
                       "tells no serial but zeros, under allow_assumed in kilt.toml, and help with "
                       "a recording by `kilt trace record`");
  }
  if (command.destroys && evidence >= Evidence::related && !permissions_.allow_destroy) {
    return refusal(command, card_name_,
                   std::string("it destroys keys, and the command is known from a relative of "
                               "this card only ") +
                       source +
                       "; give the card's serial number where the command takes one to confirm, or "
                       "list it under allow_assumed in kilt.toml, and help with a recording by "
                       "`kilt trace record`");
  }
  return {};
}

Result<apdu::ResponseApdu> Link::send(const Command& command) {
  if (auto allowed = allows(command); !allowed) return allowed.take_error();
  return command.from_pad ? send_from_pad(command) : channel_.send(command.apdu);
}

Result<apdu::ResponseApdu> Link::send_from_pad(const Command& command) {
  Bytes wire = command.apdu.encode();
  if (wire.size() == 4) wire.push_back(0);  // Lc, which the reader fills in
  const auto answer = transport_->transmit_from_pad(wire, *command.from_pad);
  if (!answer) return answer.error();
  auto response = apdu::ResponseApdu::parse(*answer);
  if (!response) return response;
  namespace pad = apdu::pad_status;
  switch (response->status.value) {
    case pad::timed_out:
      return Error{ErrorKind::cancelled, "nobody typed a PIN on the reader's keys in time",
                   pad::timed_out};
    case pad::cancelled:
      return Error{ErrorKind::cancelled, "the PIN was given up on the reader's keys",
                   pad::cancelled};
    case pad::wrong_length:
      return Error{ErrorKind::pin_length, "the PIN typed on the reader's keys is too short or long",
                   pad::wrong_length};
    default:
      return response;
  }
}

}  // namespace kilt::card
