// SPDX-License-Identifier: Apache-2.0
#include "firmware-sim/hosts/meter.hpp"

#include <fcntl.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstring>
#include <ctime>
#include <nlohmann/json.hpp>

#include "apdu/iso7816.hpp"

namespace kilt::sim {

namespace {

std::string spaced(ByteView bytes) {
  std::string text;
  for (const auto byte : bytes) {
    if (!text.empty()) text += ' ';
    text += to_hex({&byte, 1});
  }
  return text;
}

bool carries_pin(ByteView command) {
  // Four bytes of header, or five with Le, are a question about the state: no PIN in them.
  if (command.size() <= 5) return false;
  return command[1] == apdu::ins::verify || command[1] == apdu::ins::change_reference_data ||
         command[1] == apdu::ins::reset_retry_counter;
}

std::string today() {
  const std::time_t now = std::time(nullptr);
  std::tm utc{};
  ::gmtime_r(&now, &utc);
  char text[16];
  std::strftime(text, sizeof text, "%Y-%m-%d", &utc);
  return text;
}

}  // namespace

std::string masked(ByteView command) {
  if (!carries_pin(command)) return spaced(command);
  return spaced(command.first(4)) + " {pin}";
}

Status Meter::trace_to(const std::string& path, const std::string& card) {
  trace_ = UniqueFd(::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
  if (!trace_) {
    return Error{ErrorKind::bad_argument,
                 "the trace file " + path + " cannot be written: " + std::strerror(errno)};
  }
  write("card: " + card + "\nsource: kilt-sim, what went over the simulated contacts\ndate: " +
        today() + "\nconfidence: simulated\n");
  return {};
}

void Meter::exchange(ByteView command, ByteView answer) {
  count(command);
  from_card_ += answer.size();
  if (trace_) write("> " + masked(command) + "\n< " + spaced(answer) + "\n");
}

void Meter::unanswered(ByteView command, const char* why) {
  count(command);
  if (trace_) write("; no answer (" + std::string(why) + ") to " + masked(command) + "\n");
}

void Meter::reset() {
  ++resets_;
  if (trace_) write("! reset\n");
}

void Meter::card_left() {
  nvram_before_ += nvram_writes_;
  nvram_writes_ = 0;
}

nlohmann::json Meter::json() const {
  nlohmann::json by_ins = nlohmann::json::object();
  for (std::size_t code = 0; code < ins_.size(); ++code) {
    const auto byte = static_cast<std::uint8_t>(code);
    if (ins_[code] > 0) by_ins[to_hex({&byte, 1})] = ins_[code];
  }
  return {{"apdus", apdus_},
          {"to_card", to_card_},
          {"from_card", from_card_},
          {"resets", resets_},
          {"nvram_writes", nvram_before_ + nvram_writes_},
          {"ins", std::move(by_ins)}};
}

void Meter::count(ByteView command) {
  ++apdus_;
  to_card_ += command.size();
  if (command.size() > 1) ++ins_[command[1]];
}

void Meter::write(const std::string& text) {
  // One write per exchange, so that a trace cut off by a kill ends at a line.
  if (::write(trace_.get(), text.data(), text.size()) < 0) trace_.reset();
}

}  // namespace kilt::sim
