// SPDX-License-Identifier: Apache-2.0
// Recording exchanges into a vector file, and playing one back.
#include "apdu/trace.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <ctime>

namespace kilt::apdu {
namespace {

/// "00 A4 04", in lines of at most 32 bytes; the second and later ones begin with white space.
std::string spaced_hex(ByteView bytes) {
  static constexpr std::size_t per_line = 32;
  std::string text;
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    if (i > 0) text += i % per_line == 0 ? "\n  " : " ";
    text += to_hex(bytes.subspan(i, 1));
  }
  return text;
}

std::string header_hex(const CommandApdu& command) {
  const std::uint8_t header[] = {command.cla(), command.ins(), command.p1(), command.p2()};
  return spaced_hex(header);
}

/// Instructions whose body holds a PIN or a key, whoever sent them and however they were marked:
/// VERIFY, CHANGE REFERENCE DATA, RESET RETRY COUNTER, and their BER-TLV twins with the odd code.
bool names_a_secret(const CommandApdu& command) {
  const auto even = static_cast<std::uint8_t>(command.ins() & 0xFE);
  return even == ins::verify || even == ins::change_reference_data ||
         even == ins::reset_retry_counter;
}

bool is_masked(const CommandApdu& command) {
  return command.is_secret() || (names_a_secret(command) && !command.body().empty());
}

std::string any_of(std::size_t count) {
  return "{any:" + std::to_string(count) + "}";
}

/// Header, Lc and Le as they are: with them the trace still tells what was read or written where.
std::string private_text(const CommandApdu& command) {
  const Bytes wire = command.encode();
  const std::size_t header = command.needs_extended() ? 7 : 5;
  const std::size_t count = command.body().size();
  std::string text = spaced_hex(ByteView(wire).first(header)) + " " + any_of(count);
  const ByteView le = ByteView(wire).subspan(header + count);
  return le.empty() ? text : text + " " + spaced_hex(le);
}

std::string command_text(const CommandApdu& command, bool is_private) {
  if (!is_masked(command) && is_private && !command.body().empty()) return private_text(command);
  if (!is_masked(command)) return spaced_hex(command.encode());
  std::string text = header_hex(command) + (command.body().empty() ? "" : " {pin}");
  if (command.ne()) {
    const bool wide = command.needs_extended();
    Bytes le;
    append_be16(le, *command.ne());
    text += " " + spaced_hex(ByteView(le).subspan(wide ? 0 : 1));
  }
  return text;
}

std::string answer_text(ByteView answer, bool masked) {
  if (!masked || answer.size() <= 2) return spaced_hex(answer);
  const std::size_t count = answer.size() - 2;
  return any_of(count) + " " + spaced_hex(answer.subspan(count));
}

std::string as_comment(std::string_view text) {
  std::string lines = "; ";
  for (char c : text) {
    if (c == '\n') {
      lines += "\n; ";
    } else if (c != '\r') {
      lines += c;
    }
  }
  return lines + "\n";
}

std::string new_file_header() {
  const std::time_t now = std::time(nullptr);
  std::tm day{};
  ::gmtime_r(&now, &day);
  char date[16];
  std::strftime(date, sizeof date, "%Y-%m-%d", &day);
  return std::string("source: recorded by kilt\ndate: ") + date + "\n\n";
}

}  // namespace

Result<std::unique_ptr<Recorder>> Recorder::open(const std::string& path) {
  const auto fail = [&path] {
    return Error{ErrorKind::bad_argument, "trace file " + path + ": " + std::strerror(errno)};
  };
  const auto file = OwnFile::append_to(path, O_NOFOLLOW);
  if (file.number < 0) return fail();
  std::unique_ptr<Recorder> recorder(new Recorder(file));
  struct stat status {};
  if (::fstat(file.number, &status) != 0) return fail();
  if (S_ISREG(status.st_mode) && status.st_size == 0) recorder->write(new_file_header());
  return recorder;
}

Recorder::~Recorder() {
  file_.close();
}

void Recorder::write(const std::string& text) {
  if (!file_.is_ours()) return;
  std::string_view rest = text;
  while (!rest.empty()) {
    const ssize_t count = ::write(file_.number, rest.data(), rest.size());
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) return;  // a full disk must not stop the work that is traced
    rest.remove_prefix(static_cast<std::size_t>(count));
  }
}

void Recorder::comment(std::string_view text) {
  const std::lock_guard lock(mutex_);
  write(as_comment(text));
}

bool Recorder::has_secret_answer(const CommandApdu& command) {
  // PSO: DECIPHER, with the plain value as its answer [7816-8 §11.12].
  return command.answer_is_secret() ||
         (command.ins() == ins::perform_security_operation && command.p1() == 0x80);
}

void Recorder::exchange(const CommandApdu& command, ByteView answer, Hidden hidden) {
  const bool masked = hidden.answer || has_secret_answer(command);
  const std::string text =
      "> " + command_text(command, hidden.body) + "\n< " + answer_text(answer, masked) + "\n";
  const std::lock_guard lock(mutex_);
  write(text);
}

void Recorder::failed(const CommandApdu& command, const Error& error, Hidden hidden) {
  const std::lock_guard lock(mutex_);
  write(as_comment("> " + command_text(command, hidden.body)) +
        as_comment("failed: " + error.message()));
}

ReplayTransport::ReplayTransport(VectorFile file, Bytes atr, Protocol protocol, Limits limits)
    : file_(std::move(file)), atr_(std::move(atr)), protocol_(protocol), limits_(limits) {}

Result<Bytes> ReplayTransport::transmit(ByteView command) {
  // Only the header of what was sent is told: its body may be a PIN.
  const std::string sent = "the command " +
                           spaced_hex(command.first(std::min<std::size_t>(command.size(), 4))) +
                           " of " + std::to_string(command.size()) + " bytes was sent";
  if (finished()) {
    return Error{ErrorKind::protocol, "replay: after the last step " + sent};
  }
  const VectorStep& step = file_.steps[next_];
  const std::string where = "replay, line " + std::to_string(step.line) + ": ";
  if (step.kind == VectorStep::Kind::reset) {
    return Error{ErrorKind::protocol, where + "a reset is expected, but " + sent};
  }
  if (!step.command.matches(command)) {
    return Error{ErrorKind::protocol, where + step.command.text() + " is expected, but " + sent};
  }
  auto answer = step.answer.fill({});
  if (!answer) return answer.error().within(where + "the answer cannot be played");
  ++next_;
  return answer;
}

Status ReplayTransport::reset() {
  if (finished() || file_.steps[next_].kind != VectorStep::Kind::reset) {
    const std::string where =
        finished() ? "after the last step" : "line " + std::to_string(file_.steps[next_].line);
    return Error{ErrorKind::protocol, "replay, " + where + ": a reset that is not expected"};
  }
  ++next_;
  ++epoch_;
  return {};
}

}  // namespace kilt::apdu
