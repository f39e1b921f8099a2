// SPDX-License-Identifier: Apache-2.0
#include "firmware-sim/hosts/options.hpp"

#include <fmt/format.h>

#include <charconv>
#include <random>

#include "firmware-sim/faults.hpp"

namespace kilt::sim {

namespace {

Error wrong_via(const std::string& text) {
  return {
      ErrorKind::bad_argument,
      "--via " + text + " is not known; it takes socket, socket:PATH, pcscd, vpcd or vpcd:PORT"};
}

/// A second card without a serial of its own must not pass for the first one.
std::string other_serial(std::uint64_t seed, std::size_t index) {
  const auto number =
      seed == 0 ? std::random_device{}() : std::mt19937_64(seed + index)() & 0xFFFFFFFFU;
  return fmt::format("{:08X}", number);
}

Result<std::string> checked_faults(const std::vector<std::string>& faults) {
  std::string all;
  for (const auto& fault : faults)
    all += (all.empty() ? "" : ",") + fault;
  if (auto plan = FaultPlan::parse(all); !plan) return plan.take_error().within("--fault " + all);
  return all;
}

}  // namespace

Result<Via> Via::parse(const std::string& text) {
  if (text == "socket") return Via{};
  if (text == "pcscd") return Via{Kind::pcscd};
  if (text == "vpcd") return Via{Kind::vpcd};
  const auto colon = text.find(':');
  if (colon == std::string::npos || colon + 1 == text.size()) return wrong_via(text);
  const std::string rest = text.substr(colon + 1);
  if (text.starts_with("socket:")) {
    if (rest.find(',') != std::string::npos) {
      return Error{ErrorKind::bad_argument, "the socket's path must not hold a comma"};
    }
    return Via{Kind::socket, rest};
  }
  std::uint16_t port = 0;
  const auto [end, error] = std::from_chars(rest.data(), rest.data() + rest.size(), port);
  const bool number = error == std::errc{} && end == rest.data() + rest.size() && port != 0;
  if (!text.starts_with("vpcd:") || !number) return wrong_via(text);
  return Via{Kind::vpcd, {}, port};
}

std::string known_cards() {
  std::string list;
  for (const Profile* profile : profiles()) {
    list += fmt::format("  {:<12} {}\n", profile->name, profile->description);
  }
  return list;
}

std::string numbered(const std::string& path, std::size_t index) {
  return index == 0 || path.empty() ? path : path + "." + std::to_string(index + 1);
}

Result<std::vector<CardSpec>> card_specs(const RunOptions& options, const std::string& workspace) {
  auto faults = checked_faults(options.faults);
  if (!faults) return faults.take_error();
  if (options.serials.size() > options.cards.size()) {
    return Error{ErrorKind::bad_argument, "more --serial than --card"};
  }
  std::vector<CardSpec> specs;
  for (std::size_t i = 0; i < options.cards.size(); ++i) {
    CardSpec spec;
    spec.profile = find_profile(options.cards[i]);
    if (!spec.profile) {
      return Error{ErrorKind::bad_argument,
                   "no card is called " + options.cards[i] + "; known are:\n" + known_cards()};
    }
    spec.fresh_state = workspace + "/card" + std::to_string(i + 1);
    spec.state = options.state.empty() ? spec.fresh_state : numbered(options.state, i);
    spec.options.atr = options.atr;
    spec.options.blank = options.blank;
    spec.options.factory = options.factory;
    spec.options.seed = options.seed == 0 ? 0 : options.seed + i;
    if (i < options.serials.size()) {
      spec.options.serial = options.serials[i];
    } else if (i > 0 && options.state.empty()) {
      spec.options.serial = other_serial(options.seed, i);
    }
    spec.faults = *faults;
    spec.real_time = options.real_time;
    specs.push_back(std::move(spec));
  }
  return specs;
}

}  // namespace kilt::sim
