// SPDX-License-Identifier: Apache-2.0
// A traced exchange in words, by the standards' names alone: what a card means by a command of its
// own is said in its driver.
#pragma once

#include <optional>
#include <string>

#include "apdu/iso7816.hpp"
#include "apdu/trace.hpp"

namespace kilt::cli {

struct TracedStep {
  std::string command;  ///< "SELECT, path from the MF", "reset"
  std::optional<apdu::StatusWord> status;
  std::string meaning;  ///< of the status word
  std::string text;     ///< one line of all that
};

[[nodiscard]] TracedStep explain_step(const apdu::VectorStep& step);

}  // namespace kilt::cli
