// SPDX-License-Identifier: Apache-2.0
#include "firmware-sim/hosts/reader.hpp"

#include <nlohmann/json.hpp>
#include <random>

namespace kilt::sim {

namespace {

/// Eight digits, as Rutoken-like tokens print them [facts kaztoken §3]; other profiles take what
/// they need of it.
std::string another_serial() {
  std::random_device random;
  Bytes bytes;
  put_u32(bytes, random());
  return to_hex(bytes);
}

}  // namespace

Reader::Reader(Loop& loop, std::string name, CardSpec spec)
    : loop_(loop), name_(std::move(name)), spec_(std::move(spec)) {}

void Reader::insert(Told told) {
  if (card_) return told(Error{ErrorKind::busy, "a card is in " + name_ + " already"});
  inserting_ = std::move(told);
  card_ = std::make_unique<CardProcess>(
      loop_, spec_, [this](const Result<CardFacts>& facts) { card_ready(facts); });
  card_->on_death = [this] { drop_card(); };
}

void Reader::insert_fresh(Told told) {
  ++fresh_cards_;
  remove();
  const auto number = std::to_string(fresh_cards_);
  spec_.options.serial = another_serial();
  if (spec_.options.seed != 0) ++spec_.options.seed;
  if (!spec_.state.empty()) spec_.state = spec_.fresh_state + "." + number;
  // The old process is reaped from the loop; its successor comes after it.
  loop_.post([this, told = std::move(told)] { insert(told); });
}

void Reader::remove() {
  drop_card();
}

void Reader::card_ready(const Result<CardFacts>& facts) {
  const auto told = std::exchange(inserting_, nullptr);
  if (!facts) {
    loop_.post([old = std::shared_ptr<CardProcess>(std::move(card_))] {});
    return told(facts.error());
  }
  facts_ = *facts;
  spec_.faults.clear();  // a card that comes back after its fault is sound again
  powered_ = false;
  ++insertions_;
  ++epoch_;
  told({});
  changed();
  advance();
}

void Reader::drop_card() {
  if (!card_) return;
  // Destroyed from the loop: this may be called from inside one of its callbacks. An answer that is
  // under way already belongs to nobody.
  card_->hush();
  loop_.post([old = std::shared_ptr<CardProcess>(std::move(card_))] {});
  meter_.card_left();
  const bool was_in = facts_.has_value();
  facts_.reset();
  powered_ = false;
  working_ = false;
  const auto open = std::exchange(jobs_, {});
  for (const auto& job : open) {
    if (job.kind == Kind::transmit) meter_.unanswered(job.payload, "card removed");
    job.done(Code::no_card, {});
  }
  if (const auto told = std::exchange(inserting_, nullptr)) {
    told(Error{ErrorKind::removed, "the card was taken out before it was ready"});
  }
  if (was_in) changed();
}

void Reader::changed() {
  for (const auto& hear : changed_)
    hear();
}

void Reader::power_on(Done done) {
  submit(Kind::power_on, {}, std::move(done));
}
void Reader::power_off(Done done) {
  submit(Kind::power_off, {}, std::move(done));
}
void Reader::reset(Done done) {
  submit(Kind::reset, {}, std::move(done));
}
void Reader::barrier(Done done) {
  submit(Kind::barrier, {}, std::move(done));
}
void Reader::transmit(Bytes command, Done done) {
  submit(Kind::transmit, std::move(command), std::move(done));
}
void Reader::fault(const std::string& spec, Done done) {
  submit(Kind::fault, copy_of(as_bytes(spec)), std::move(done));
}

void Reader::submit(Kind kind, Bytes payload, Done done) {
  if (!present()) return done(Code::no_card, {});
  jobs_.push_back({kind, std::move(payload), std::move(done)});
  advance();
}

void Reader::advance() {
  while (!working_ && present() && !jobs_.empty()) {
    const Job& job = jobs_.front();
    const bool nothing_to_do = job.kind == Kind::barrier ||
                               (job.kind == Kind::power_on && powered_) ||
                               (job.kind == Kind::power_off && !powered_);
    working_ = true;
    if (nothing_to_do) {
      finish(Code::done, {});
    } else {
      ask(job);
    }
  }
}

void Reader::ask(const Job& job) {
  CardRequest request{};
  switch (job.kind) {
    case Kind::power_on:
      request = CardRequest::power_on;
      break;
    case Kind::power_off:
      request = CardRequest::power_off;
      break;
    // A card that had no power comes up fresh; that is a reset, too.
    case Kind::reset:
      request = powered_ ? CardRequest::reset : CardRequest::power_on;
      break;
    case Kind::transmit:
      request = CardRequest::transmit;
      break;
    case Kind::fault:
      request = CardRequest::fault;
      break;
    case Kind::barrier:
      break;
  }
  card_->ask(request, job.payload, [this](Code code, Bytes payload, CardMeters meters) {
    meter_.card_says(meters);
    finish(code, std::move(payload), meters.is_private);
    advance();
  });
}

void Reader::finish(Code code, Bytes payload, bool is_private) {
  const Job job = std::move(jobs_.front());
  jobs_.pop_front();
  working_ = false;
  account(job, code, payload, is_private);
  job.done(code, std::move(payload));
  // A card that tore itself out of the reader (a fault) is gone for everybody.
  if (code == Code::no_card) drop_card();
}

void Reader::account(const Job& job, Code code, ByteView payload, bool is_private) {
  const bool done = code == Code::done;
  switch (job.kind) {
    case Kind::transmit:
      if (done) {
        meter_.exchange(job.payload, payload, is_private);
      } else {
        meter_.unanswered(job.payload, code == Code::mute ? "mute" : "card removed", is_private);
      }
      break;
    case Kind::reset:
    case Kind::power_on:
      if (job.kind == Kind::reset && done) meter_.reset();
      if (done && (job.kind == Kind::reset || !powered_)) {
        powered_ = true;
        ++epoch_;
      }
      break;
    case Kind::power_off:
      if (done) powered_ = false;
      break;
    case Kind::fault:
    case Kind::barrier:
      break;
  }
}

nlohmann::json Reader::stats() const {
  auto stats = meter_.json();
  stats["reader"] = name_;
  stats["card"] = spec_.profile->name;
  stats["present"] = present();
  stats["insertions"] = insertions_;
  stats["epoch"] = epoch_;
  if (present()) stats["serial"] = facts_->serial;
  return stats;
}

}  // namespace kilt::sim
