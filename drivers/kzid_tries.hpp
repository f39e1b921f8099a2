// SPDX-License-Identifier: Apache-2.0
// How many tries a PIN had left when a card last said so. The question for the counter is a guess
// [facts kzid B3], which no real card gets without leave; only a wrong PIN is answered with it, to
// the one process that sent it. So the number is kept beside the certificates, for the next
// process to know that the last try is near. It holds no PIN, and where it cannot be read or
// written nothing but the number is missing.
#pragma once

#include <optional>
#include <string>
#include <utility>

#include "drivers/model.hpp"
#include "drivers/side_files.hpp"

namespace kilt::card::kzid {

class TriesMemory {
 public:
  explicit TriesMemory(SideFiles files) : files_(std::move(files)) {}

  /// Nothing is kept of any card, so no card need be told from another.
  [[nodiscard]] bool is_empty() const;
  /// `card`: what tells it from others, letters and digits.
  [[nodiscard]] std::optional<int> recall(const std::string& card, Role role) const;
  /// A number that is not 1 to 15 is forgotten: none left is for the card alone to say, which may
  /// have been unblocked elsewhere meanwhile, and asking a blocked one costs nothing.
  void keep(const std::string& card, Role role, int tries) const;
  void forget(const std::string& card, Role role) const;

 private:
  SideFiles files_;
};

}  // namespace kilt::card::kzid
