// SPDX-License-Identifier: Apache-2.0
// Vector files: one text format for recorded traces, replay, conformance, fuzz seeds and
// documentation. Format: apdu/README.md.
//
//   card: kaztoken            header lines "key: value" (card, source, date, confidence)
//   ; comment                 with the clause or reason
//   > 00 20 00 02 {pin}       a command; its answer must follow
//   < 90 00                   ; what follows a semicolon is comment here too
//   ! reset                   a warm reset between two exchanges
//
// A line that begins with white space goes on where the > or < line above it ended.
// Placeholders stand for bytes that differ from run to run: {pin} the body of a secret command
// (right after the four header bytes: with its Lc; behind an Lc: the body or the rest of it, and
// that Lc then fits any length), {rnd:N} N random bytes, {any:N} N bytes of any value, {any} any
// number. At most one of {pin} and {any} stands in a line.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "apdu/command.hpp"
#include "apdu/own_file.hpp"
#include "apdu/result.hpp"
#include "apdu/transport/transport.hpp"

namespace kilt::apdu {

/// A line of hex with placeholders, ready to be matched.
class Pattern {
 public:
  static Result<Pattern> parse(std::string_view text);
  [[nodiscard]] bool matches(ByteView bytes) const;
  /// Concrete bytes: placeholders with a length become zeros; {pin} becomes `pin`, with Lc before
  /// it set to its length. bad_data for {any} without length.
  [[nodiscard]] Result<Bytes> fill(ByteView pin) const;
  [[nodiscard]] const std::string& text() const { return text_; }

 private:
  struct Piece {
    enum class Kind { literal, any_of_length, any, pin } kind;
    Bytes bytes;
    std::size_t length = 0;
    [[nodiscard]] bool variable() const { return kind == Kind::any || kind == Kind::pin; }
  };
  Status add_placeholder(std::string_view name);
  Status add(Piece piece);
  [[nodiscard]] bool matches_pin_body(ByteView bytes, std::size_t at, std::size_t end) const;
  [[nodiscard]] std::size_t fixed_length(std::size_t first, std::size_t last) const;
  [[nodiscard]] bool fixed_match(ByteView bytes, std::size_t first, std::size_t last,
                                 std::size_t ignored) const;

  std::string text_;
  std::vector<Piece> pieces_;
  /// Index of the one piece of variable length; the number of pieces when there is none.
  std::size_t variable_ = 0;
};

struct VectorStep {
  enum class Kind { exchange, reset } kind = Kind::exchange;
  Pattern command;
  Pattern answer;
  int line = 0;
  std::string comment;  ///< comments directly above
};

struct VectorFile {
  std::map<std::string, std::string> header;
  std::vector<VectorStep> steps;

  /// bad_data with the line number. `text` is untrusted: sizes are bounded.
  static Result<VectorFile> parse(std::string_view text);
  static Result<VectorFile> load(const std::string& path);
  /// The file as text that parse() reads back to the same steps.
  [[nodiscard]] std::string format() const;
};

/// Writes exchanges as they happen. Secrets are masked by construction: the recorder is handed the
/// command value, and for a secret body it writes {pin} without looking at it. Bodies of VERIFY,
/// CHANGE REFERENCE DATA (which also loads keys) and RESET RETRY COUNTER are masked even when
/// nobody marked them, whatever their class byte; what PSO: DECIPHER answers, and what a command
/// marked so answers, is masked as {any:N}, and so are both sides of a private exchange.
/// Commands stand as they went over the wire, over T=0 in its forms.
/// Thread-safe; each exchange is written whole and flushed. Once the program closed the file's
/// descriptor nothing is written any more.
class Recorder {
 public:
  /// Creates or appends, mode 0600. Errors: bad_argument with the system's reason.
  static Result<std::unique_ptr<Recorder>> open(const std::string& path);
  ~Recorder();
  void comment(std::string_view text);
  /// What no trace shows of one exchange, beside what its command tells by itself.
  struct Hidden {
    bool body = false;    ///< header and length stay to be seen
    bool answer = false;  ///< also of a GET RESPONSE that goes on with one that is secret
  };
  void exchange(const CommandApdu& command, ByteView answer, Hidden hidden);
  void exchange(const CommandApdu& command, ByteView answer) { exchange(command, answer, {}); }
  void failed(const CommandApdu& command, const Error& error, Hidden hidden);
  void failed(const CommandApdu& command, const Error& error) { failed(command, error, {}); }
  [[nodiscard]] static bool has_secret_answer(const CommandApdu& command);

 private:
  explicit Recorder(const OwnFile& file) : file_(file) {}
  void write(const std::string& text);
  std::mutex mutex_;
  OwnFile file_;
};

/// A transport that plays the card's side of a vector file: each command must match the next step.
/// A mismatch is a protocol error that names the line. `finished()` tells whether all steps ran.
class ReplayTransport : public Transport {
 public:
  ReplayTransport(VectorFile file, Bytes atr, Protocol protocol = Protocol::t1, Limits limits = {});
  [[nodiscard]] const std::string& reader() const override { return reader_; }
  [[nodiscard]] ByteView atr() const override { return atr_; }
  [[nodiscard]] Protocol protocol() const override { return protocol_; }
  [[nodiscard]] Limits limits() const override { return limits_; }
  [[nodiscard]] bool is_simulated() const override { return simulated; }
  Result<Bytes> transmit(ByteView command) override;
  Status reset() override;
  Result<std::uint64_t> begin() override { return epoch_; }
  void end() override {}
  void set_leave(Leave) override {}
  void abandon() override {}
  [[nodiscard]] bool finished() const { return next_ == file_.steps.size(); }
  [[nodiscard]] std::size_t position() const { return next_; }

  bool simulated = true;

 private:
  VectorFile file_;
  std::string reader_ = "replay";
  Bytes atr_;
  Protocol protocol_;
  Limits limits_;
  std::size_t next_ = 0;
  std::uint64_t epoch_ = 1;
};

}  // namespace kilt::apdu
