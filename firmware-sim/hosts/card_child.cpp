// SPDX-License-Identifier: Apache-2.0
// What runs in a card's own process.
#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <cstdio>
#include <exception>
#include <thread>

#include "firmware-sim/faults.hpp"
#include "firmware-sim/hosts/card_process.hpp"

namespace kilt::sim {

namespace {

/// A child forked from a host must not keep the host's sockets open, hear its signals or write
/// into the standard output that `kilt-sim run` prints its environment to.
void leave_the_host(int fd) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  ::prctl(PR_SET_NAME, "kilt-sim card");
  ::setpgid(0, 0);  // Ctrl-C in the terminal is for COMMAND and the host
  if (fd != 3) ::dup2(fd, 3);
  ::close_range(4, ~0U, 0);
  const int null = ::open("/dev/null", O_RDWR | O_CLOEXEC);
  if (null >= 0) ::dup2(null, STDIN_FILENO);
  ::dup2(STDERR_FILENO, STDOUT_FILENO);
  ::signal(SIGPIPE, SIG_IGN);
  sigset_t none;
  sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
}

class Card {
 public:
  explicit Card(const CardSpec& spec) : spec_(spec) {}

  Status make() {
    if (spec_.state.empty()) {
      nvram_ = std::make_unique<Nvram>();
    } else {
      auto opened = Nvram::open(spec_.state);
      if (!opened) return opened.take_error().within("opening the state file " + spec_.state);
      nvram_ = std::move(*opened);
    }
    if (auto fits = check_state(*nvram_, *spec_.profile, spec_.options); !fits) return fits;
    chip_ = spec_.profile->make(*nvram_, spec_.options);
    if (!chip_) return Error{ErrorKind::bad_argument, "the card cannot be made"};
    faulty_ = std::make_unique<FaultyChip>(*chip_, *nvram_);
    return arm(spec_.faults);
  }

  [[nodiscard]] Bytes facts() const {
    Bytes facts{static_cast<std::uint8_t>(chip_->protocol() == Protocol::t1)};
    put_short(facts, chip_->atr());
    append(facts, as_bytes(chip_->serial()));
    return facts;
  }

  Message answer(const Message& request) {
    switch (static_cast<CardRequest>(request.code)) {
      case CardRequest::power_on:
        chip_->power_on();
        return {};
      case CardRequest::power_off:
        chip_->power_off();
        return {};
      case CardRequest::reset:
        chip_->reset();
        return {};
      case CardRequest::transmit:
        return transmit(request.payload);
      case CardRequest::fault:
        return fault(as_text(request.payload));
    }
    return {static_cast<std::uint8_t>(Code::not_understood)};
  }

  [[nodiscard]] CardMeters meters() const {
    const auto busy = std::chrono::duration_cast<std::chrono::milliseconds>(busy_);
    return {static_cast<std::uint32_t>(nvram_->writes()), static_cast<std::uint32_t>(busy.count()),
            is_private_};
  }

 private:
  Status arm(const std::string& faults) {
    auto plan = FaultPlan::parse(faults);
    if (!plan) return plan.take_error();
    faulty_->arm(std::move(*plan));
    return {};
  }

  Message fault(const std::string& faults) {
    if (auto armed = arm(faults); !armed) {
      return {static_cast<std::uint8_t>(Code::failed), copy_of(as_bytes(armed.error().message()))};
    }
    return {};
  }

  Message transmit(ByteView command) {
    is_private_ = chip_->is_private(command);  // before it changes what is selected
    Outcome outcome = faulty_->transmit(command);
    std::this_thread::sleep_for(outcome.delay);
    switch (outcome.kind) {
      case Outcome::Kind::mute:
        return {static_cast<std::uint8_t>(Code::mute)};
      case Outcome::Kind::removed:
        return {static_cast<std::uint8_t>(Code::no_card)};
      case Outcome::Kind::answered:
        break;
    }
    busy_ += outcome.answer.duration;
    if (spec_.real_time) std::this_thread::sleep_for(outcome.answer.duration);
    return {static_cast<std::uint8_t>(Code::done), std::move(outcome.answer.bytes)};
  }

  const CardSpec& spec_;
  std::unique_ptr<Nvram> nvram_;
  std::unique_ptr<Chip> chip_;
  std::unique_ptr<FaultyChip> faulty_;
  std::chrono::microseconds busy_{0};
  bool is_private_ = false;
};

void serve(const CardSpec& spec) {
  constexpr int link = 3;
  Card card(spec);
  if (auto made = card.make(); !made) {
    Bytes why{static_cast<std::uint8_t>(made.error().kind)};
    append(why, as_bytes(made.error().message()));
    (void)write_message(link, {1, std::move(why)});
    return;
  }
  if (!write_message(link, {0, card.facts()})) return;
  while (true) {
    auto request = read_message(link);
    if (!request) return;  // the host is gone
    Message answer = card.answer(*request);
    Bytes counted;
    const CardMeters meters = card.meters();
    put_u32(counted, meters.nvram_writes);
    put_u32(counted, meters.busy_ms);
    counted.push_back(meters.is_private ? 1 : 0);
    append(counted, answer.payload);
    if (!write_message(link, {answer.code, std::move(counted)})) return;
  }
}

}  // namespace

void serve_card(int fd, const CardSpec& spec) {
  leave_the_host(fd);
  try {
    serve(spec);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "kilt-sim: the card %s stopped: %s\n", spec.profile->name, error.what());
    ::_exit(1);
  }
  ::_exit(0);
}

}  // namespace kilt::sim
