// SPDX-License-Identifier: Apache-2.0
#include "firmware-sim/hosts/meter.hpp"

#include <fcntl.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstring>
#include <ctime>
#include <nlohmann/json.hpp>

#include "apdu/command.hpp"
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

/// VERIFY, CHANGE REFERENCE DATA, RESET RETRY COUNTER and their twins with the odd instruction byte
/// [7816-4 §11.6]. Cards also load keys by them, and by PUT DATA.
bool carries_secret(ByteView command) {
  // Four bytes of header, or five with Le, are a question about the state: nothing to hide.
  if (command.size() <= 5) return false;
  const auto even = static_cast<std::uint8_t>(command[1] & 0xFE);
  return even == apdu::ins::verify || even == apdu::ins::change_reference_data ||
         even == apdu::ins::reset_retry_counter || even == apdu::ins::put_data;
}

/// PSO with the plain value as its answer: DECIPHER [7816-8 §11.12].
bool is_decipher(ByteView command) {
  return command.size() > 2 && command[1] == apdu::ins::perform_security_operation &&
         command[2] == 0x80;
}

std::string any_of(std::size_t count) {
  return "{any:" + std::to_string(count) + "}";
}

/// Of a command over five bytes: with Lc and Le as they are; a broken one's header only.
std::string without_body(ByteView command) {
  const auto parsed = apdu::CommandApdu::parse(command);
  if (parsed && parsed->body().empty()) return spaced(command);
  const bool is_long = command[4] == 0;  // as sent, which may be longer than it need be
  const std::size_t header = !parsed ? 4 : is_long ? 7 : 5;
  const std::size_t count = parsed ? parsed->body().size() : command.size() - header;
  const ByteView le = command.subspan(header + count);
  return spaced(command.first(header)) + " " + any_of(count) + (le.empty() ? "" : " " + spaced(le));
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

Secrets secrets_of(ByteView command, const Profile* card) {
  Secrets found;
  if (card != nullptr && card->secrets != nullptr) found = card->secrets(command);
  found.body = found.body || carries_secret(command);
  found.answer = found.answer || is_decipher(command);
  return found;
}

std::string masked(ByteView command, const Profile* card, bool is_private) {
  if (command.size() <= 5) return spaced(command);  // there is no body
  if (!secrets_of(command, card).body) return is_private ? without_body(command) : spaced(command);
  std::string text = spaced(command.first(4)) + " {pin}";
  const auto parsed = apdu::CommandApdu::parse(command);
  if (parsed && parsed->ne()) {
    Bytes le;
    append_be16(le, *parsed->ne());
    text += " " + spaced(ByteView(le).subspan(parsed->needs_extended() ? 0 : 1));
  }
  return text;
}

Status Meter::trace_to(const std::string& path, const Profile& card) {
  trace_ = UniqueFd(::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
  if (!trace_) {
    return Error{ErrorKind::bad_argument,
                 "the trace file " + path + " cannot be written: " + std::strerror(errno)};
  }
  card_ = &card;
  write(std::string("card: ") + card.name +
        "\nsource: kilt-sim, what went over the simulated contacts\ndate: " + today() +
        "\nconfidence: simulated\n");
  return {};
}

void Meter::exchange(ByteView command, ByteView answer, bool is_private) {
  count(command);
  from_card_ += answer.size();
  if (!trace_) return;
  // What was deciphered may be a secret; over T=0 it comes by GET RESPONSE.
  const bool continued = command.size() > 1 && command[1] == apdu::ins::get_response;
  if (!continued) answer_is_secret_ = is_private || secrets_of(command, card_).answer;
  std::string text = spaced(answer);
  if (answer_is_secret_ && answer.size() > 2) {
    text = any_of(answer.size() - 2) + " " + spaced(answer.last(2));
  }
  write("> " + masked(command, card_, is_private) + "\n< " + text + "\n");
}

void Meter::unanswered(ByteView command, const char* why, bool is_private) {
  count(command);
  if (!trace_) return;
  write("; no answer (" + std::string(why) + ") to " + masked(command, card_, is_private) + "\n");
}

void Meter::reset() {
  ++resets_;
  if (trace_) write("! reset\n");
}

void Meter::card_left() {
  before_.nvram_writes += now_.nvram_writes;
  before_.busy_ms += now_.busy_ms;
  now_ = {};
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
          {"nvram_writes", before_.nvram_writes + now_.nvram_writes},
          {"busy_ms", before_.busy_ms + now_.busy_ms},
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
