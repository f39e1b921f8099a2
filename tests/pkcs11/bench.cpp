// SPDX-License-Identifier: Apache-2.0
#include "tests/pkcs11/bench.hpp"

#include <utility>

#include "pkcs11/module.hpp"

namespace kilt::test {
namespace {

using apdu::ReaderState;

Bench* the_bench = nullptr;

/// A connection to the card that was in when it was made.
class BenchTransport : public apdu::Transport {
 public:
  BenchTransport(Bench& bench, std::string name, std::shared_ptr<BenchCard> card,
                 std::uint64_t insertions)
      : bench_(bench), name_(std::move(name)), card_(std::move(card)), insertions_(insertions) {
    atr_ = card_->chip ? card_->chip->atr() : card_->unknown_atr;
  }
  ~BenchTransport() override {
    if (abandoned_) return;
    end();
    const std::lock_guard lock(bench_.mutex);
    ++bench_.disconnects;
    if (leave_ == apdu::Leave::reset && !gone()) {
      card_->chip->reset();
      ++card_->epoch;
    }
  }
  [[nodiscard]] const std::string& reader() const override { return name_; }
  [[nodiscard]] ByteView atr() const override { return atr_; }
  [[nodiscard]] apdu::Protocol protocol() const override {
    return card_->profile.protocol == sim::Protocol::t0 ? apdu::Protocol::t0 : apdu::Protocol::t1;
  }
  [[nodiscard]] apdu::Limits limits() const override {
    return {card_->profile.max_command, card_->profile.max_response, card_->profile.extended};
  }
  [[nodiscard]] bool is_simulated() const override { return true; }

  Result<Bytes> transmit(ByteView command) override {
    if (card_->before) card_->before(command);
    const std::lock_guard lock(bench_.mutex);
    ++card_->exchanges;
    if (card_->pull_at != 0 && card_->exchanges >= card_->pull_at) take_out();
    if (gone()) return removed();
    if (!card_->chip) return Bytes{0x6D, 0x00};
    if (card_->fail_next != 0 && command[1] == card_->fail_next) {
      card_->fail_next = 0;
      return Bytes{0x6F, 0x00};
    }
    return card_->chip->transmit(command).bytes;
  }
  Status reset() override {
    const std::lock_guard lock(bench_.mutex);
    if (gone()) return removed();
    card_->chip->reset();
    return {};
  }
  Result<std::uint64_t> begin() override {
    std::unique_lock lock(bench_.mutex);
    bench_.changed.wait(lock, [&] { return gone() || !card_->held; });
    if (gone()) return removed();
    holds_ = card_->held = true;
    return card_->epoch;
  }
  void end() override {
    const std::lock_guard lock(bench_.mutex);
    if (!std::exchange(holds_, false)) return;
    card_->held = false;
    bench_.changed.notify_all();
  }
  void set_leave(apdu::Leave leave) override { leave_ = leave; }
  void abandon() override {
    abandoned_ = true;
    ++bench_.abandoned;
  }

 private:
  static Error removed() { return {ErrorKind::removed, "the card was pulled"}; }
  [[nodiscard]] bool gone() const {
    const auto reader = bench_.readers.find(name_);
    return reader == bench_.readers.end() || reader->second.card != card_ ||
           reader->second.insertions != insertions_;
  }
  void take_out() {
    if (gone()) return;
    bench_.readers[name_].card = nullptr;
    ++bench_.readers[name_].insertions;
    card_->chip->power_off();
    bench_.changed.notify_all();
  }

  Bench& bench_;
  std::string name_;
  std::shared_ptr<BenchCard> card_;
  std::uint64_t insertions_;
  Bytes atr_;
  apdu::Leave leave_ = apdu::Leave::as_it_is;
  bool holds_ = false;
  bool abandoned_ = false;
};

class BenchSource : public apdu::ReaderSource {
 public:
  explicit BenchSource(Bench& bench) : bench_(bench) {}

  Result<std::vector<ReaderState>> states() override {
    const std::lock_guard lock(bench_.mutex);
    if (!bench_.service) return Error{ErrorKind::no_service, "the service is not there"};
    return now();
  }
  Status wait(const std::vector<ReaderState>& known, std::chrono::milliseconds timeout) override {
    std::unique_lock lock(bench_.mutex);
    const auto ready = [&] { return cancelled_ || now() != known; };
    if (timeout == std::chrono::milliseconds::max()) {
      bench_.changed.wait(lock, ready);
    } else {
      bench_.changed.wait_for(lock, timeout, ready);
    }
    if (cancelled_) return Error{ErrorKind::cancelled, "cancelled"};
    return {};
  }
  void cancel() override {
    const std::lock_guard lock(bench_.mutex);
    cancelled_ = true;
    bench_.changed.notify_all();
  }
  Result<std::unique_ptr<apdu::Transport>> connect(const std::string& name) override {
    const std::lock_guard lock(bench_.mutex);
    const auto reader = bench_.readers.find(name);
    if (reader == bench_.readers.end()) return Error{ErrorKind::no_reader, "no such reader"};
    if (!reader->second.card) return Error{ErrorKind::no_card, "no card"};
    ++bench_.connects;
    return std::unique_ptr<apdu::Transport>(std::make_unique<BenchTransport>(
        bench_, name, reader->second.card, reader->second.insertions));
  }
  [[nodiscard]] bool owns(const std::string& name) const override {
    const std::lock_guard lock(bench_.mutex);
    return bench_.readers.count(name) != 0;
  }
  void abandon() override { ++bench_.abandoned; }

 private:
  std::vector<ReaderState> now() const {
    std::vector<ReaderState> states;
    if (!bench_.service) return states;
    for (const auto& [name, reader] : bench_.readers) {
      ReaderState state{name};
      state.present = reader.card != nullptr;
      state.insertions = reader.insertions;
      state.simulated = true;
      if (state.present) {
        state.atr = reader.card->chip ? reader.card->chip->atr() : reader.card->unknown_atr;
      }
      states.push_back(std::move(state));
    }
    return states;
  }
  Bench& bench_;
  bool cancelled_ = false;
};

Result<std::unique_ptr<apdu::Readers>> open_bench(const std::string&) {
  std::vector<std::unique_ptr<apdu::ReaderSource>> sources;
  sources.push_back(std::make_unique<BenchSource>(*the_bench));
  return std::make_unique<apdu::Readers>(std::move(sources));
}

}  // namespace

BenchCard::BenchCard(std::uint64_t seed, bool blank, const char* name)
    : profile(*sim::find_profile(name)) {
  sim::ChipOptions options;
  options.seed = seed;
  options.blank = blank;
  chip = profile.make(nvram, options);
}

Bench::Bench() {
  the_bench = this;
  p11::set_readers_factory(open_bench);
}

Bench::~Bench() {
  p11::set_readers_factory(nullptr);
  the_bench = nullptr;
}

Bench* Bench::current() {
  return the_bench;
}

void Bench::add_reader(const std::string& name) {
  const std::lock_guard lock(mutex);
  readers[name];
  changed.notify_all();
}

void Bench::remove_reader(const std::string& name) {
  const std::lock_guard lock(mutex);
  readers.erase(name);
  changed.notify_all();
}

void Bench::insert(const std::string& reader, const std::shared_ptr<BenchCard>& card) {
  const std::lock_guard lock(mutex);
  readers[reader].card = card;
  ++readers[reader].insertions;
  card->pull_at = 0;
  card->held = false;
  ++card->epoch;
  if (card->chip) card->chip->power_on();
  changed.notify_all();
}

void Bench::pull(const std::string& reader) {
  const std::lock_guard lock(mutex);
  if (readers[reader].card && readers[reader].card->chip) readers[reader].card->chip->power_off();
  readers[reader].card = nullptr;
  ++readers[reader].insertions;
  changed.notify_all();
}

void Bench::reset(BenchCard& card) {
  const std::lock_guard lock(mutex);
  card.chip->reset();
  ++card.epoch;
}

std::uint16_t Bench::foreign(BenchCard& card, ByteView command) {
  std::unique_lock lock(mutex);
  changed.wait(lock, [&] { return !card.held; });
  const Bytes answer = card.chip->transmit(command).bytes;
  return static_cast<std::uint16_t>(answer[answer.size() - 2] << 8 | answer.back());
}

void Bench::set_service(bool there) {
  const std::lock_guard lock(mutex);
  service = there;
  changed.notify_all();
}

}  // namespace kilt::test
