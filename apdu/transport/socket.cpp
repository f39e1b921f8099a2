// SPDX-License-Identifier: Apache-2.0
// The simulator's socket as a reader. Protocol: firmware-sim/hosts/README.md, stated here anew.
#include <sys/socket.h>

#include <mutex>

#include "apdu/transport/readers.hpp"
#include "apdu/transport/socket_link.hpp"

namespace kilt::apdu {
namespace {

using namespace std::chrono_literals;

namespace code {
constexpr std::uint8_t done = 0, no_card = 1, mute = 2, not_understood = 3, failed = 4;
}  // namespace code

constexpr std::size_t atr_max = 33;  // TS and 32 more [7816-3 §8.2.1]
constexpr auto status_limit = 5s;
constexpr auto power_limit = 30s;
// The longest thing a card does is to look for primes; with real timing that takes minutes.
constexpr auto card_limit = 10min;
// Once cancel() was called, how long a simulator that hangs may still hold a call up.
constexpr auto card_grace = 5s;  // a logout, the end of a signature
constexpr auto status_grace = 200ms;
constexpr auto simulator_look_out = 100ms;  // how often a path is tried where nobody listens

/// Reads an answer's payload field by field; fails once for all.
class Fields {
 public:
  explicit Fields(ByteView data) : data_(data) {}
  std::uint8_t u8() { return static_cast<std::uint8_t>(number(1)); }
  std::uint32_t u32() { return number(4); }
  ByteView counted() {
    const std::size_t size = u8();
    if (size > data_.size()) return fail();
    const ByteView field = data_.first(size);
    data_ = data_.subspan(size);
    return field;
  }
  [[nodiscard]] bool finished() const { return good_ && data_.empty(); }

 private:
  ByteView fail() {
    good_ = false;
    data_ = {};
    return {};
  }
  std::uint32_t number(std::size_t size) {
    if (data_.size() < size) return fail(), 0;
    std::uint32_t value = 0;
    for (const std::uint8_t byte : data_.first(size))
      value = value << 8 | byte;
    data_ = data_.subspan(size);
    return value;
  }
  ByteView data_;
  bool good_ = true;
};

Error nonsense(const char* what) {
  return {ErrorKind::transport, std::string("the simulator's answer to ") + what + " is malformed"};
}

/// What an answer code other than `done` means to one who holds a connection.
Error refusal(const SocketAnswer& answer) {
  switch (answer.code) {
    case code::no_card:
      return {ErrorKind::removed, "the card was taken out"};
    case code::mute:
      return {ErrorKind::transport, "the card does not answer"};
    case code::not_understood:
      return {ErrorKind::transport, "the simulator did not understand the request"};
    case code::failed: {
      std::string why = as_text(
          ByteView(answer.payload).first(std::min<std::size_t>(answer.payload.size(), 200)));
      for (char& c : why) {
        if (static_cast<unsigned char>(c) < 0x20) c = ' ';
      }
      return {ErrorKind::transport, "the simulator failed: " + why};
    }
    default:
      return {ErrorKind::transport,
              "the simulator answered with the unknown code " + std::to_string(answer.code)};
  }
}

/// One request whose code must be `done`; the payload.
Result<Bytes> request(SocketLink& link, char what, ByteView payload, Clock::time_point deadline) {
  auto answer = link.ask(what, payload, deadline);
  if (!answer) return answer.take_error();
  if (answer->code != code::done) return refusal(*answer);
  return std::move(answer->payload);
}

// ---- one connection to a card ----------------------------------------------------------------

class SocketTransport : public Transport {
 public:
  static Result<std::unique_ptr<Transport>> connect(SocketLink link, std::string reader);
  ~SocketTransport() override;

  [[nodiscard]] const std::string& reader() const override { return reader_; }
  [[nodiscard]] ByteView atr() const override { return atr_; }
  [[nodiscard]] Protocol protocol() const override { return protocol_; }
  [[nodiscard]] Limits limits() const override { return limits_; }
  [[nodiscard]] bool is_simulated() const override { return true; }
  Result<Bytes> transmit(ByteView command) override;
  Status reset() override;
  Result<std::uint64_t> begin() override;
  void end() override;
  void set_leave(Leave leave) override { leave_ = leave; }
  void abandon() override { link_.close(); }

 private:
  SocketTransport(SocketLink link, std::string reader)
      : link_(std::move(link)), reader_(std::move(reader)), process_(::getpid()) {}
  Status parse_connect(ByteView payload);
  Result<Bytes> ask(char what, ByteView payload, Clock::time_point deadline);

  SocketLink link_;
  std::string reader_;
  Bytes atr_;
  Protocol protocol_ = Protocol::t1;
  Limits limits_;
  Leave leave_ = Leave::as_it_is;
  bool locked_ = false;
  const pid_t process_;
};

Result<std::unique_ptr<Transport>> SocketTransport::connect(SocketLink link, std::string reader) {
  auto answer = link.ask('C', {}, deadline_after(power_limit));
  if (!answer) return answer.take_error();
  if (answer->code == code::no_card) return Error{ErrorKind::no_card, "no card is in " + reader};
  if (answer->code != code::done) return refusal(*answer);
  std::unique_ptr<SocketTransport> made(new SocketTransport(std::move(link), std::move(reader)));
  if (auto parsed = made->parse_connect(answer->payload); !parsed) return parsed.take_error();
  return std::unique_ptr<Transport>(std::move(made));
}

Status SocketTransport::parse_connect(ByteView payload) {
  Fields fields(payload);
  fields.u32();  // insertions
  fields.u32();  // epoch: begin() asks anew
  const std::uint8_t protocol = fields.u8();
  limits_.max_command = fields.u32();
  limits_.max_response = fields.u32();
  const std::uint8_t extended = fields.u8();
  atr_ = copy_of(fields.counted());
  // An APDU has at least 4 bytes and at most 65544, an answer 2 to 65538 [7816-3 §12.1.3].
  if (!fields.finished() || protocol > 1 || extended > 1 || atr_.size() > atr_max ||
      limits_.max_command < 4 || limits_.max_command > 65544 || limits_.max_response < 2 ||
      limits_.max_response > 65538)
    return nonsense("connect");
  protocol_ = protocol == 0 ? Protocol::t0 : Protocol::t1;
  limits_.extended = extended == 1;
  return {};
}

SocketTransport::~SocketTransport() {
  // In a forked child the connection is the parent's: closing our copy says nothing.
  if (!link_.is_open() || process_ != ::getpid()) return;
  end();
  const std::uint8_t disposition = leave_ == Leave::reset ? 1 : 0;
  // Waits for the answer, so that a reset is done when this returns; nobody is left to tell.
  (void)link_.ask('D', ByteView(&disposition, 1), deadline_after(status_limit));
}

Result<Bytes> SocketTransport::ask(char what, ByteView payload, Clock::time_point deadline) {
  if (!link_.is_open()) return Error{ErrorKind::removed, "the card was taken out"};
  auto answer = request(link_, what, payload, deadline);
  // The card of this connection never comes back: the door stays shut from here on.
  if (!answer && answer.error().kind == ErrorKind::removed) link_.close();
  return answer;
}

Result<Bytes> SocketTransport::transmit(ByteView command) {
  if (command.size() < 4 || command.size() > limits_.max_command)
    return Error{ErrorKind::bad_argument, "a command of " + std::to_string(command.size()) +
                                              " bytes; this reader takes 4 to " +
                                              std::to_string(limits_.max_command)};
  auto answer = ask('T', command, deadline_after(card_limit));
  if (!answer) return answer;
  if (answer->size() < 2 || answer->size() > limits_.max_response)
    return Error{ErrorKind::protocol,
                 "the card's answer has " + std::to_string(answer->size()) + " bytes"};
  return answer;
}

Status SocketTransport::reset() {
  auto answer = ask('R', {}, deadline_after(card_limit));
  if (!answer) return answer.take_error();
  if (answer->size() != 4) return nonsense("reset");
  return {};
}

Result<std::uint64_t> SocketTransport::begin() {
  // Another program may hold the card as long as it likes; only cancel() ends that.
  auto answer = ask('L', {}, Clock::time_point::max());
  if (!answer) return answer.take_error();
  locked_ = true;
  Fields fields(*answer);
  const std::uint32_t epoch = fields.u32();
  if (fields.finished()) return std::uint64_t{epoch};
  end();
  return nonsense("lock");
}

void SocketTransport::end() {
  if (!std::exchange(locked_, false)) return;
  // A failure closes the link, which gives the lock back as well.
  (void)ask('U', {}, deadline_after(status_limit));
}

// ---- the reader ------------------------------------------------------------------------------

struct ReaderStatus {
  std::uint32_t insertions = 0;
  ReaderState state;
};

Result<ReaderStatus> parse_status(ByteView payload) {
  Fields fields(payload);
  ReaderStatus status;
  const std::uint8_t present = fields.u8();
  status.insertions = fields.u32();
  status.state.atr = copy_of(fields.counted());
  status.state.name = as_text(fields.counted());
  const bool printable = std::none_of(status.state.name.begin(), status.state.name.end(),
                                      [](unsigned char c) { return c < 0x20 || c == 0x7F; });
  if (!fields.finished() || present > 1 || status.state.atr.size() > atr_max ||
      status.state.name.empty() || !printable)
    return nonsense("status");
  status.state.present = present == 1;
  if (!status.state.present) status.state.atr.clear();
  status.state.simulated = true;
  return status;
}

Result<ReaderStatus> ask_status(SocketLink& link) {
  auto answer = request(link, 'S', {}, deadline_after(status_limit));
  if (!answer) return answer.take_error();
  return parse_status(*answer);
}

class SocketSource : public ReaderSource {
 public:
  explicit SocketSource(std::string path)
      : path_(std::move(path)),
        quit_(std::make_shared<WakeFlag>()),
        shared_(std::make_unique<Shared>()) {}
  ~SocketSource() override {
    // Its lock may be held by a thread of the parent.
    if (process_ != ::getpid()) (void)shared_.release();
  }

  Result<std::vector<ReaderState>> states() override;
  Status wait(const std::vector<ReaderState>& known, std::chrono::milliseconds timeout) override {
    return wait_or_stop(known, timeout, WakeFlag());
  }
  Status wait_or_stop(const std::vector<ReaderState>& known, std::chrono::milliseconds timeout,
                      const WakeFlag& stop) override;
  void cancel() override { quit_->raise(); }
  Result<std::unique_ptr<Transport>> connect(const std::string& name) override {
    return connect_as(name, name);
  }
  Result<std::unique_ptr<Transport>> connect_as(const std::string& name,
                                                const std::string& shown_as) override;
  [[nodiscard]] bool owns(const std::string& name) const override;
  [[nodiscard]] std::string label() const override { return path_; }
  void abandon() override {
    if (shared_->link) shared_->link->close();  // a child's copy: the parent's stays open
  }

 private:
  /// One connection is kept for asking. When it breaks, the simulator was started anew, and its
  /// counter of insertions with it: `lives` tells such cards apart.
  struct Shared {
    std::mutex mutex;
    std::optional<SocketLink> link;
    std::uint64_t lives = 0;
    std::string name;
  };
  Result<SocketLink> open(std::chrono::milliseconds grace) {
    return SocketLink::open(path_, deadline_after(status_limit), quit_, grace);
  }
  Status watch(SocketLink& link, const std::vector<ReaderState>& known, Clock::time_point deadline,
               const WakeFlag& stop);

  const std::string path_;
  const std::shared_ptr<WakeFlag> quit_;
  std::unique_ptr<Shared> shared_;
  const pid_t process_ = ::getpid();
};

Result<std::vector<ReaderState>> SocketSource::states() {
  const std::lock_guard lock(shared_->mutex);
  for (int attempt = 0;; ++attempt) {
    if (!shared_->link || !shared_->link->is_open()) {
      shared_->link.reset();
      auto link = open(status_grace);
      if (!link) return link.take_error();
      shared_->link.emplace(std::move(*link));
      ++shared_->lives;
    }
    auto status = ask_status(*shared_->link);
    if (!status) {
      shared_->link->close();
      // The kept connection belonged to a simulator of before; ask the one there is now.
      if (status.error().kind == ErrorKind::removed && attempt == 0) continue;
      if (status.error().kind != ErrorKind::removed) return status.take_error();
      return Error{ErrorKind::no_service, "the simulator closes every connection: " + path_};
    }
    status->state.insertions = shared_->lives << 32 | status->insertions;
    shared_->name = status->state.name;
    return std::vector<ReaderState>{std::move(status->state)};
  }
}

Status SocketSource::wait_or_stop(const std::vector<ReaderState>& known,
                                  std::chrono::milliseconds timeout, const WakeFlag& stop) {
  const auto deadline = deadline_after(timeout);
  const Error cancelled{ErrorKind::cancelled, "waiting for a card was given up"};
  for (;;) {
    if (quit_->raised()) return cancelled;
    // Opened before states() looks: both then speak to the same simulator, see Shared.
    auto link = open(status_grace);
    auto now = states();
    if (quit_->raised()) return cancelled;
    if (now && *now != known) return {};
    if (!now && !known.empty()) return {};
    if (link && now) {
      auto watched = watch(*link, known, deadline, stop);
      if (!watched || !known.empty()) return watched;
    }
    // Nobody is there, as before. Look out for a simulator now and then.
    const auto next_look = std::min(deadline, Clock::now() + simulator_look_out);
    std::array<pollfd, 2> flags{{{quit_->fd(), POLLIN, 0}, {stop.fd(), POLLIN, 0}}};
    ::poll(flags.data(), flags.size(), poll_timeout(next_look));
    if (stop.raised() || (Clock::now() >= deadline && !quit_->raised())) return {};
  }
}

Status SocketSource::watch(SocketLink& link, const std::vector<ReaderState>& known,
                           Clock::time_point deadline, const WakeFlag& stop) {
  const ReaderState& reader = known.front();
  const auto insertions = static_cast<std::uint32_t>(reader.insertions);
  Bytes seen{static_cast<std::uint8_t>(reader.present ? 1 : 0)};
  append(seen,
         {static_cast<std::uint8_t>(insertions >> 24), static_cast<std::uint8_t>(insertions >> 16),
          static_cast<std::uint8_t>(insertions >> 8), static_cast<std::uint8_t>(insertions)});
  // Whatever comes back, an answer, a refusal or the end of the connection, is worth a look.
  if (!link.send('W', seen, deadline_after(status_limit))) return {};
  for (;;) {
    std::array<pollfd, 3> waiting{
        {{link.fd(), POLLIN, 0}, {quit_->fd(), POLLIN, 0}, {stop.fd(), POLLIN, 0}}};
    const int ready = ::poll(waiting.data(), waiting.size(), poll_timeout(deadline));
    if (quit_->raised()) return Error{ErrorKind::cancelled, "waiting for a card was given up"};
    if (stop.raised() || ready > 0 || Clock::now() >= deadline) return {};
  }
}

Result<std::unique_ptr<Transport>> SocketSource::connect_as(const std::string& name,
                                                            const std::string& shown_as) {
  const Error absent{ErrorKind::no_reader, "there is no reader " + shown_as};
  auto link = open(card_grace);
  if (!link) {
    if (link.error().kind == ErrorKind::no_service) return absent;
    return link.take_error();
  }
  auto status = ask_status(*link);
  if (!status) {
    if (status.error().kind == ErrorKind::removed) return absent;
    return status.take_error();
  }
  if (status->state.name != name) return absent;
  return SocketTransport::connect(std::move(*link), shown_as);
}

bool SocketSource::owns(const std::string& name) const {
  const std::lock_guard lock(shared_->mutex);
  return shared_->link && shared_->name == name;
}

}  // namespace

std::unique_ptr<ReaderSource> make_socket_source(const std::string& path) {
  return std::make_unique<SocketSource>(path);
}

}  // namespace kilt::apdu
