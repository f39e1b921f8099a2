// SPDX-License-Identifier: Apache-2.0
#include "firmware-sim/hosts/card_process.hpp"

#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace kilt::sim {

CardProcess::CardProcess(Loop& loop, const CardSpec& spec,
                         std::function<void(Result<CardFacts>)> ready)
    : ready_(std::move(ready)) {
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) {
    loop.post([this] { died(); });
    return;
  }
  UniqueFd ours(ends[0]);
  UniqueFd theirs(ends[1]);
  pid_ = ::fork();
  if (pid_ == 0) serve_card(theirs.get(), spec);
  link_ = std::make_unique<Stream>(loop, std::move(ours));
  link_->on_message = [this](const Message& message) { hear(message); };
  link_->on_closed = [this] { died(); };
}

CardProcess::~CardProcess() {
  link_.reset();
  if (pid_ <= 0) return;
  ::kill(pid_, SIGKILL);
  while (::waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) {
  }
}

void CardProcess::ask(CardRequest request, ByteView payload, Done done) {
  done_ = std::move(done);
  if (link_) link_->send({static_cast<std::uint8_t>(request), copy_of(payload)});
}

void CardProcess::hush() {
  ready_ = nullptr;
  done_ = nullptr;
  on_death = nullptr;
}

void CardProcess::hear(const Message& message) {
  if (ready_) return hear_ready(message);
  constexpr std::size_t meters_size = 9;
  if (message.payload.size() < meters_size || !done_) return died();
  const auto done = std::move(done_);
  done_ = nullptr;
  const CardMeters meters{get_u32(message.payload, 0), get_u32(message.payload, 4),
                          message.payload[8] != 0};
  done(static_cast<Code>(message.code), copy_of(ByteView(message.payload).subspan(meters_size)),
       meters);
}

void CardProcess::hear_ready(const Message& message) {
  const auto ready = std::move(ready_);
  ready_ = nullptr;
  const ByteView payload = message.payload;
  if (message.code != 0) {
    return ready(Error{static_cast<ErrorKind>(payload[0]), as_text(payload.subspan(1))});
  }
  // protocol u8, ATR (u8 + bytes), serial: written by serve_card of this very program.
  const std::size_t atr_size = payload[1];
  CardFacts facts;
  facts.protocol = payload[0] == 0 ? Protocol::t0 : Protocol::t1;
  facts.atr = copy_of(payload.subspan(2, atr_size));
  facts.serial = as_text(payload.subspan(2 + atr_size));
  ready(facts);
}

void CardProcess::died() {
  if (ready_) {
    const auto ready = std::move(ready_);
    ready_ = nullptr;
    return ready(Error{ErrorKind::internal, "the card's process ended before the card was ready"});
  }
  // A copy: whoever hears of it may want to hear nothing more.
  if (const auto tell = on_death) tell();
}

}  // namespace kilt::sim
