// SPDX-License-Identifier: Apache-2.0
// One simulated reader: whether a card is in, its power, and the queue of what it is asked. The
// hosts (socket, vpcd) are its users.
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "firmware-sim/hosts/card_process.hpp"
#include "firmware-sim/hosts/meter.hpp"

namespace kilt::sim {

class Reader {
 public:
  using Done = std::function<void(Code code, Bytes payload)>;
  using Told = std::function<void(Status)>;

  /// The reader is empty until insert().
  Reader(Loop& loop, std::string name, CardSpec spec);
  Reader(const Reader&) = delete;
  Reader& operator=(const Reader&) = delete;

  [[nodiscard]] const std::string& name() const { return name_; }
  [[nodiscard]] const Profile& profile() const { return *spec_.profile; }
  [[nodiscard]] bool present() const { return facts_.has_value(); }
  [[nodiscard]] std::uint32_t insertions() const { return insertions_; }
  [[nodiscard]] std::uint32_t epoch() const { return epoch_; }
  /// Of the card that is in.
  [[nodiscard]] const CardFacts& facts() const { return *facts_; }
  [[nodiscard]] Meter& meter() { return meter_; }

  /// Starts the card's process; `told` hears when the card is in. busy when one is in already.
  void insert(Told told);
  /// The same reader, another card: new serial, keys and memory. In place of the old one.
  void insert_fresh(Told told);
  /// At once, whatever the card is doing; open requests end with no_card.
  void remove();
  /// Called after each insertion and removal.
  void on_change(std::function<void()> hear) { changed_.push_back(std::move(hear)); }

  // Requests are carried out one after the other. Answers: done, no_card, mute, failed.
  void power_on(Done done);  ///< no effect when the card has power
  void power_off(Done done);
  void reset(Done done);  ///< warm; powers the card on if it was off
  void transmit(Bytes command, Done done);
  void fault(const std::string& spec, Done done);
  /// Nothing but its place in the queue: all earlier requests are finished.
  void barrier(Done done);

  /// Facts and counters as one JSON document.
  [[nodiscard]] nlohmann::json stats() const;

 private:
  enum class Kind { power_on, power_off, reset, transmit, fault, barrier };
  struct Job {
    Kind kind;
    Bytes payload;
    Done done;
  };
  void submit(Kind kind, Bytes payload, Done done);
  void advance();
  void ask(const Job& job);
  void finish(Code code, Bytes payload, bool is_private = false);
  void account(const Job& job, Code code, ByteView payload, bool is_private);
  void card_ready(const Result<CardFacts>& facts);
  void drop_card();
  void changed();

  Loop& loop_;
  std::string name_;
  CardSpec spec_;
  Meter meter_;
  std::unique_ptr<CardProcess> card_;
  Told inserting_;  ///< who waits for the card to start
  std::optional<CardFacts> facts_;
  std::uint32_t insertions_ = 0;
  std::uint32_t epoch_ = 0;
  bool powered_ = false;
  bool working_ = false;  ///< the front of jobs_ is with the card
  int fresh_cards_ = 0;
  std::deque<Job> jobs_;
  std::vector<std::function<void()>> changed_;
};

}  // namespace kilt::sim
