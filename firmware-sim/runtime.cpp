// SPDX-License-Identifier: Apache-2.0
#include "firmware-sim/runtime.hpp"

#include <algorithm>

namespace kilt::sim {
namespace {

using apdu::CommandApdu;
using apdu::StatusWord;
namespace sw = apdu::sw;

// assumed: 9600 bit/s cards are history; a USB token moves a byte in about 10 microseconds and
// needs a millisecond for any command.
constexpr std::chrono::microseconds per_command{1000};
constexpr std::chrono::microseconds per_byte{10};

Bytes encoded(StatusWord status) {
  return {status.sw1(), status.sw2()};
}

Bytes encoded(Bytes data, StatusWord status) {
  append(data, {status.sw1(), status.sw2()});
  return data;
}

/// Longest answer of one short APDU [7816-4 §5.3].
constexpr std::size_t longest_answer = CommandApdu::le_max_short;

/// 6Cxx and 61xx carry a length in their second byte; 256 is written 00, and so is what is more
/// [facts jacarta B5].
Bytes status_with_length(std::uint8_t sw1, std::size_t length) {
  return {sw1, static_cast<std::uint8_t>(std::min(length, longest_answer))};
}

/// A command that all short encodings can carry: Lc up to 255 [facts kaztoken §2, §7.1].
Result<CommandApdu> parse_short(ByteView wire) {
  auto command = CommandApdu::parse(wire);
  if (!command) return command;
  const auto encoding = command->encoding_case();
  const bool long_form = wire.size() > 5 && wire[4] == 0;
  if (long_form || command->needs_extended() || encoding == apdu::Case::c2_extended) {
    return Error{ErrorKind::protocol, "extended length", sw::wrong_length.value};
  }
  return command;
}

Command typed(const CommandApdu& apdu) {
  return {apdu.cla(), apdu.ins(), apdu.p1(), apdu.p2(), copy_of(apdu.body()), apdu.ne()};
}

}  // namespace

CardRuntime::CardRuntime(Identity identity, Protocol protocol, std::unique_ptr<CommandSet> commands,
                         std::shared_ptr<Stopwatch> stopwatch)
    : identity_(std::move(identity)),
      protocol_(protocol),
      commands_(std::move(commands)),
      stopwatch_(std::move(stopwatch)) {
  commands_->over_t0 = protocol_ == Protocol::t0;
}

void CardRuntime::power_on() {
  powered_ = true;
  reset();
}

void CardRuntime::power_off() {
  reset();
  powered_ = false;
}

void CardRuntime::reset() {
  pending_.clear();
  stopwatch_->take();
  commands_->forget();
}

Answer CardRuntime::transmit(ByteView wire) {
  if (!powered_) return {encoded(sw::no_diagnosis)};
  Bytes answer = protocol_ == Protocol::t0 ? answer_t0(wire) : answer_t1(wire);
  stopwatch_->spend(per_command + per_byte * (wire.size() + answer.size()));
  return {std::move(answer), stopwatch_->take()};
}

Reply CardRuntime::run(const Command& command) {
  try {
    return commands_->execute(command);
  } catch (const NvramFailure&) {
    return sw::memory_failure;
  }
}

Bytes CardRuntime::answer_t1(ByteView wire) {
  const auto apdu = commands_->extended_length ? CommandApdu::parse(wire) : parse_short(wire);
  if (!apdu) return encoded(sw::wrong_length);
  const Command command = typed(*apdu);
  Reply reply = run(command);
  if (reply.data.empty()) return encoded(reply.status);
  // Nobody fetches what a case 1 or 3 command was not asked for.
  if (!command.ne) return encoded(reply.status);
  if (reply.data.size() > *command.ne && !reply.beyond_ne) {
    if (reply.repeatable) return status_with_length(0x6C, reply.data.size());
    reply.data.resize(*command.ne);
  }
  return encoded(std::move(reply.data), reply.status);
}

// T=0 [7816-3 §12.2]: P3 is Lc or Le, and the card cannot tell a command without data from one
// that asks for 256 bytes. Here P3 = 00 asks for nothing in particular, and what the command
// yields is announced by 61xx [facts kaztoken §10.1 #30].
Bytes CardRuntime::answer_t0(ByteView wire) {
  const auto apdu = parse_short(wire);
  if (!apdu) return encoded(sw::wrong_length);
  Command command = typed(*apdu);
  if (command.ins == apdu::ins::get_response && command.cla == 0x00 && command.data.empty()) {
    return get_response(command.ne.value_or(longest_answer));
  }
  pending_.clear();
  const bool with_data = !command.data.empty();
  const std::size_t p3 = command.ne.value_or(longest_answer);
  if (with_data || p3 == longest_answer) command.ne.reset();

  Reply reply = run(command);
  if (reply.data.empty()) return encoded(reply.status);
  if (reply.status != sw::ok) return encoded(std::move(reply.data), reply.status);
  if (!with_data && reply.data.size() == p3) return encoded(std::move(reply.data), sw::ok);
  if (!with_data && reply.repeatable && wire.size() == 5) {
    return status_with_length(0x6C, reply.data.size());
  }
  return hold_back(std::move(reply.data));
}

Bytes CardRuntime::hold_back(Bytes data) {
  pending_ = std::move(data);
  return status_with_length(0x61, pending_.size());
}

Bytes CardRuntime::get_response(std::size_t wanted) {
  if (pending_.empty()) return encoded(sw::conditions_not_satisfied);
  if (wanted > pending_.size()) {
    if (wanted != longest_answer) return status_with_length(0x6C, pending_.size());
    wanted = pending_.size();
  }
  const auto split = pending_.begin() + static_cast<std::ptrdiff_t>(wanted);
  Bytes now(pending_.begin(), split);
  pending_.erase(pending_.begin(), split);
  if (pending_.empty()) return encoded(std::move(now), sw::ok);
  append(now, status_with_length(0x61, pending_.size()));
  return now;
}

}  // namespace kilt::sim
