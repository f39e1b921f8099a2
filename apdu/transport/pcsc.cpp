// SPDX-License-Identifier: Apache-2.0
// pcscd's readers: which there are, and waiting for them to change.
#include <condition_variable>
#include <list>
#include <new>

#include "apdu/transport/pcsc_card.hpp"
#include "apdu/transport/pcsc_service.hpp"
#include "apdu/transport/readers.hpp"

namespace kilt::apdu {
namespace {

using namespace std::chrono_literals;

// pcscd 1.9 compares the number of readers with what it was when the wait began, so one that
// came just before is seen only by looking again.
constexpr auto longest_sleep = 5s;
constexpr auto service_look_out = 250ms;  // how often pcscd is tried while it is away
constexpr auto cancel_again = 5ms;        // SCardCancel is lost unless the waiter sleeps already
constexpr auto cancel_limit = 2s;

class PcscSource : public ReaderSource {
 public:
  PcscSource() : service_(std::make_shared<PcscService>()), waits_(std::make_unique<Waits>()) {}
  ~PcscSource() override {
    if (!service_->inherited()) return;
    // Contexts and locks are the parent's; see pcsc_service.hpp.
    (void)new (std::nothrow) std::shared_ptr<PcscService>(std::move(service_));
    (void)waits_.release();
  }

  Result<std::vector<ReaderState>> states() override;
  Status wait(const std::vector<ReaderState>& known, std::chrono::milliseconds timeout) override {
    return wait_or_stop(known, timeout, WakeFlag());
  }
  Status wait_or_stop(const std::vector<ReaderState>& known, std::chrono::milliseconds timeout,
                      const WakeFlag& stop) override;
  void nudge() override;
  void cancel() override {
    quit_.raise();
    nudge();
  }
  Result<std::unique_ptr<Transport>> connect(const std::string& name) override {
    return connect_as(name, name);
  }
  Result<std::unique_ptr<Transport>> connect_as(const std::string& name,
                                                const std::string& shown_as) override {
    return PcscCard::connect(service_, name, shown_as);
  }
  [[nodiscard]] bool owns(const std::string& name) const override {
    return service_->reader(name).ok();
  }
  [[nodiscard]] std::string label() const override { return "pcsc"; }
  void abandon() override {}  // the destructor sees for itself that it is in another process

 private:
  struct Sleeper {
    SCARDCONTEXT context;
    const WakeFlag* stop;
  };
  /// Who sleeps in SCardGetStatusChange, and contexts to sleep with.
  struct Waits {
    std::mutex mutex;
    std::condition_variable left;
    std::list<Sleeper> sleepers;
    std::vector<PcscContext> idle;
  };
  LONG sleep(const std::vector<PcscReader>& readers, Clock::time_point until, const WakeFlag& stop);
  void pause(std::chrono::milliseconds most, Clock::time_point deadline, const WakeFlag& stop);
  std::optional<PcscContext> borrow_context();

  std::shared_ptr<PcscService> service_;
  std::unique_ptr<Waits> waits_;
  WakeFlag quit_;
};

Result<std::vector<ReaderState>> PcscSource::states() {
  auto readers = service_->readers();
  if (!readers) return readers.take_error();
  std::vector<ReaderState> states;
  for (auto& reader : *readers)
    states.push_back(std::move(reader.state));
  return states;
}

Status PcscSource::wait_or_stop(const std::vector<ReaderState>& known,
                                std::chrono::milliseconds timeout, const WakeFlag& stop) {
  const auto deadline = deadline_after(timeout);
  bool was_away = false;
  for (;;) {
    if (quit_.raised()) return Error{ErrorKind::cancelled, "waiting for a card was given up"};
    if (stop.raised()) return {};
    auto readers = service_->readers();
    if (!readers && !known.empty()) return {};
    if (readers) {
      const bool same =
          std::equal(readers->begin(), readers->end(), known.begin(), known.end(),
                     [](const PcscReader& a, const ReaderState& b) { return a.state == b; });
      if (!same || was_away) return {};
    }
    if (Clock::now() >= deadline) return {};
    if (!readers) {
      was_away = true;
      pause(service_look_out, deadline, stop);
      continue;
    }
    const auto until = std::min(deadline, Clock::now() + longest_sleep);
    // Something else than a card has changed, or pcscd has died: not in a tight circle.
    if (sleep(*readers, until, stop) != SCARD_E_TIMEOUT) pause(10ms, deadline, stop);
  }
}

void PcscSource::pause(std::chrono::milliseconds most, Clock::time_point deadline,
                       const WakeFlag& stop) {
  std::array<pollfd, 2> flags{{{quit_.fd(), POLLIN, 0}, {stop.fd(), POLLIN, 0}}};
  ::poll(flags.data(), flags.size(), poll_timeout(std::min(deadline, Clock::now() + most)));
}

std::optional<PcscContext> PcscSource::borrow_context() {
  {
    const std::lock_guard lock(waits_->mutex);
    if (!waits_->idle.empty()) {
      std::optional<PcscContext> context(std::move(waits_->idle.back()));
      waits_->idle.pop_back();
      return context;
    }
  }
  auto made = PcscContext::establish();
  if (!made) return std::nullopt;
  return std::optional<PcscContext>(std::move(*made));
}

LONG PcscSource::sleep(const std::vector<PcscReader>& readers, Clock::time_point until,
                       const WakeFlag& stop) {
  std::vector<SCARD_READERSTATE> states;
  for (const auto& reader : readers) {
    states.push_back({});
    states.back().szReader = reader.state.name.c_str();
    states.back().dwCurrentState = reader.raw;
  }
  if (states.size() < PCSCLITE_MAX_READERS_CONTEXTS) {  // one more entry is refused
    states.push_back({});
    states.back().szReader = R"(\\?PnP?\Notification)";
  }
  auto context = borrow_context();
  if (!context) return SCARD_E_NO_SERVICE;
  std::unique_lock lock(waits_->mutex);
  const auto me = waits_->sleepers.insert(waits_->sleepers.end(), {context->get(), &stop});
  // Looked at under the lock: whoever raises a flag from here on finds us in the list.
  LONG code = SCARD_E_CANCELLED;
  if (!quit_.raised() && !stop.raised()) {
    lock.unlock();
    code = SCardGetStatusChange(context->get(), static_cast<DWORD>(poll_timeout(until)),
                                states.data(), static_cast<DWORD>(states.size()));
    lock.lock();
  }
  waits_->sleepers.erase(me);
  waits_->left.notify_all();
  if (!service_lost(code)) waits_->idle.push_back(std::move(*context));
  lock.unlock();  // before a context of no more use is released
  return code;
}

void PcscSource::nudge() {
  const auto deadline = deadline_after(cancel_limit);
  std::unique_lock lock(waits_->mutex);
  for (;;) {
    bool any = false;
    for (const auto& sleeper : waits_->sleepers) {
      if (!quit_.raised() && !sleeper.stop->raised()) continue;
      any = true;
      SCardCancel(sleeper.context);
    }
    // After the limit they wake by themselves at the end of their sleep.
    if (!any || Clock::now() >= deadline) return;
    waits_->left.wait_for(lock, cancel_again);
  }
}

}  // namespace

std::unique_ptr<ReaderSource> make_pcsc_source() {
  return std::make_unique<PcscSource>();
}

}  // namespace kilt::apdu
