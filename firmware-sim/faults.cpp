// SPDX-License-Identifier: Apache-2.0
#include "firmware-sim/faults.hpp"

#include <signal.h>
#include <unistd.h>

#include <charconv>
#include <string>

namespace kilt::sim {
namespace {

using Action = Fault::Action;
using Trigger = Fault::Trigger;

std::vector<std::string_view> split(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  for (;;) {
    const auto at = text.find(separator);
    parts.push_back(text.substr(0, at));
    if (at == std::string_view::npos) return parts;
    text = text.substr(at + 1);
  }
}

std::optional<std::uint64_t> number(std::string_view text, int base) {
  std::uint64_t value = 0;
  const char* const end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, value, base);
  if (error != std::errc{} || stop != end || text.empty()) return std::nullopt;
  return value;
}

enum class Argument { none, decimal, decimal_or_none, status };

struct ActionName {
  std::string_view name;
  Action action;
  bool on_write;
  Argument argument;
};

constexpr ActionName action_names[] = {
    {"remove", Action::remove, false, Argument::none},
    {"remove-after", Action::remove_after, false, Argument::none},
    {"mute", Action::mute, false, Argument::none},
    {"slow", Action::slow, false, Argument::decimal},
    {"sw", Action::status, false, Argument::status},
    {"truncate", Action::truncate, false, Argument::decimal_or_none},
    {"oversize", Action::oversize, false, Argument::none},
    {"garbage", Action::garbage, false, Argument::none},
    {"kill", Action::kill, true, Argument::none},
    {"kill-after", Action::kill_after, true, Argument::none},
    {"tear", Action::tear, true, Argument::none},
};

const ActionName* find_action(std::string_view name) {
  for (const auto& known : action_names) {
    if (known.name == name) return &known;
  }
  return nullptr;
}

bool read_argument(Argument kind, std::span<const std::string_view> rest, Fault& fault) {
  constexpr std::uint32_t default_truncation = 1;
  constexpr std::uint64_t longest = 1'000'000;
  if (rest.empty()) {
    fault.argument = default_truncation;
    return kind == Argument::none || kind == Argument::decimal_or_none;
  }
  if (rest.size() != 1 || kind == Argument::none) return false;
  if (kind == Argument::status && rest[0].size() != 4) return false;
  const auto value = number(rest[0], kind == Argument::status ? 16 : 10);
  if (!value || *value > longest) return false;
  fault.argument = static_cast<std::uint32_t>(*value);
  return true;
}

bool read_trigger(const std::vector<std::string_view>& parts, Fault& fault, std::size_t& used) {
  used = 2;
  if (parts[0] == "ins") {
    used = 3;
    const auto ins = parts.size() < 3 ? std::nullopt : number(parts[1], 16);
    if (!ins || *ins > 0xFF) return false;
    fault.trigger = Trigger::ins;
    fault.ins = static_cast<std::uint8_t>(*ins);
  } else if (parts[0] == "apdu" || parts[0] == "nvram") {
    fault.trigger = parts[0] == "apdu" ? Trigger::apdu : Trigger::nvram;
  } else {
    return false;
  }
  const auto n = parts.size() < used ? std::nullopt : number(parts[used - 1], 10);
  if (!n || *n == 0) return false;
  fault.n = *n;
  return true;
}

std::optional<Fault> read_fault(std::string_view text) {
  const auto at = text.find('@');
  if (at == std::string_view::npos) return std::nullopt;
  const ActionName* action = find_action(text.substr(0, at));
  if (action == nullptr) return std::nullopt;
  Fault fault{action->action, Trigger::apdu};
  const auto parts = split(text.substr(at + 1), ':');
  std::size_t used = 0;
  if (!read_trigger(parts, fault, used)) return std::nullopt;
  if (action->on_write != (fault.trigger == Trigger::nvram)) return std::nullopt;
  if (!read_argument(action->argument, std::span(parts).subspan(used), fault)) return std::nullopt;
  return fault;
}

constexpr std::size_t beyond_any_answer = 300;

}  // namespace

Result<FaultPlan> FaultPlan::parse(std::string_view spec) {
  FaultPlan plan;
  if (spec.empty()) return plan;
  for (auto part : split(spec, ',')) {
    const auto fault = read_fault(part);
    if (!fault) {
      return Error{ErrorKind::bad_argument,
                   "\"" + std::string(part) +
                       "\" is no fault; examples: remove@apdu:3, sw@ins:2A:1:6F00, "
                       "slow@apdu:2:500, tear@nvram:4"};
    }
    plan.faults.push_back(*fault);
  }
  return plan;
}

FaultyChip::FaultyChip(Chip& chip, Nvram& nvram) : chip_(chip), nvram_(nvram) {
  nvram_.before_write = [this](std::uint64_t) { at_write(true); };
  nvram_.after_write = [this](std::uint64_t) { at_write(false); };
  arm({});
}

FaultyChip::~FaultyChip() {
  nvram_.before_write = nullptr;
  nvram_.after_write = nullptr;
}

void FaultyChip::arm(FaultPlan plan) {
  plan_ = std::move(plan);
  commands_ = 0;
  per_ins_.assign(256, 0);
  writes_at_arming_ = nvram_.writes();
}

void FaultyChip::at_write(bool before) {
  const auto n = nvram_.writes() - writes_at_arming_ + (before ? 1 : 0);
  for (auto& fault : plan_.faults) {
    if (fault.trigger != Trigger::nvram || fault.n != n || fault.done) continue;
    if ((fault.action == Action::kill_after) == before) continue;
    fault.done = true;
    if (fault.action == Action::tear) throw PowerCut{};
    ::kill(::getpid(), SIGKILL);
  }
}

Fault* FaultyChip::striking(std::uint8_t ins) {
  ++commands_;
  ++per_ins_[ins];
  Fault* first = nullptr;
  for (auto& fault : plan_.faults) {
    const bool hit =
        (fault.trigger == Trigger::apdu && fault.n == commands_) ||
        (fault.trigger == Trigger::ins && fault.ins == ins && fault.n == per_ins_[ins]);
    if (!hit || fault.done) continue;
    fault.done = true;
    if (first == nullptr) first = &fault;
  }
  return first;
}

Outcome FaultyChip::transmit(ByteView command) {
  const Fault* fault = striking(command.size() < 2 ? std::uint8_t{0} : command[1]);
  try {
    if (fault != nullptr) return disturbed(*fault, command);
    return {Outcome::Kind::answered, chip_.transmit(command)};
  } catch (const PowerCut&) {
    chip_.power_off();
    return {Outcome::Kind::removed};
  }
}

Outcome FaultyChip::disturbed(const Fault& fault, ByteView command) {
  Outcome outcome;
  switch (fault.action) {
    case Action::remove:
      chip_.power_off();
      outcome.kind = Outcome::Kind::removed;
      return outcome;
    case Action::mute:
      outcome.kind = Outcome::Kind::mute;
      return outcome;
    case Action::status:
      append_be16(outcome.answer.bytes, fault.argument);
      return outcome;
    default:
      break;
  }
  outcome.answer = chip_.transmit(command);
  Bytes& bytes = outcome.answer.bytes;
  if (fault.action == Action::remove_after) {
    chip_.power_off();
    outcome = {Outcome::Kind::removed};
  } else if (fault.action == Action::slow) {
    outcome.delay = std::chrono::milliseconds(fault.argument);
  } else if (fault.action == Action::truncate) {
    bytes.resize(std::min<std::size_t>(bytes.size(), fault.argument));
  } else if (fault.action == Action::oversize) {
    bytes.insert(bytes.begin(), beyond_any_answer, 0x5A);
  } else if (fault.action == Action::garbage) {
    std::uint8_t mask = 0xA5;
    for (auto& byte : bytes)
      byte ^= mask = static_cast<std::uint8_t>(mask * 5 + 1);
  }
  return outcome;
}

}  // namespace kilt::sim
