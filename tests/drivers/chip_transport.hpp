// SPDX-License-Identifier: Apache-2.0
// A simulated chip as a transport, in one process: it counts exchanges, and can be pulled, torn or
// made to lie at a given one.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "apdu/transport/transport.hpp"
#include "firmware-sim/chip.hpp"

namespace kilt::test {

/// What several connections to one chip share.
struct ChipBench {
  explicit ChipBench(const char* profile_name = "kaztoken", sim::ChipOptions chip_options = {})
      : profile(sim::find_profile(profile_name)), options(std::move(chip_options)) {
    insert();
  }
  /// Power on with the memory as it is.
  void insert() {
    chip = profile->make(nvram, options);
    chip->power_on();
    ++epoch;
  }

  sim::Nvram nvram;
  const sim::Profile* profile;
  sim::ChipOptions options;
  std::unique_ptr<sim::Chip> chip;
  std::uint64_t epoch = 0;
  std::uint64_t exchanges = 0;  ///< since somebody set it to 0
  std::uint64_t pull_at = 0;    ///< the exchange that finds the card gone; 0: never
  bool simulated = true;
  std::function<void(Bytes&)> distort;            ///< changes answers
  std::function<void(ByteView, ByteView)> watch;  ///< sees commands and answers
};

class ChipTransport : public apdu::Transport {
 public:
  explicit ChipTransport(ChipBench& bench) : bench_(bench), atr_(bench.chip->atr()) {}

  [[nodiscard]] const std::string& reader() const override { return reader_; }
  [[nodiscard]] ByteView atr() const override { return atr_; }
  [[nodiscard]] apdu::Protocol protocol() const override {
    return bench_.profile->protocol == sim::Protocol::t0 ? apdu::Protocol::t0 : apdu::Protocol::t1;
  }
  [[nodiscard]] apdu::Limits limits() const override {
    return {bench_.profile->max_command, bench_.profile->max_response, bench_.profile->extended};
  }
  [[nodiscard]] bool is_simulated() const override { return bench_.simulated; }

  Result<Bytes> transmit(ByteView command) override {
    ++bench_.exchanges;
    if (bench_.pull_at != 0 && bench_.exchanges >= bench_.pull_at) dead_ = true;
    if (dead_) return Error{ErrorKind::removed, "the card was pulled"};
    try {
      Bytes answer = bench_.chip->transmit(command).bytes;
      if (bench_.distort) bench_.distort(answer);
      if (bench_.watch) bench_.watch(command, answer);
      return answer;
    } catch (const sim::PowerCut&) {
      dead_ = true;
      return Error{ErrorKind::removed, "the card lost its power"};
    }
  }
  Status reset() override {
    bench_.chip->reset();
    ++bench_.epoch;
    return {};
  }
  Result<std::uint64_t> begin() override { return bench_.epoch; }
  void end() override {}
  void set_leave(apdu::Leave) override {}
  void abandon() override {}

 private:
  ChipBench& bench_;
  Bytes atr_;
  std::string reader_ = "kilt simulator (test)";
  bool dead_ = false;
};

}  // namespace kilt::test
