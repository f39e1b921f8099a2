// SPDX-License-Identifier: Apache-2.0
// A number about a card's PIN that the next process has to know, because the card will not tell it:
// the tries that were left when the card last said so (the question for the counter is a guess on
// an ID card [facts kzid B3]), or the wrong PINs since the last right one (an eToken never says how
// many are left [facts etoken §5.4]). Kept beside the certificates. It holds no PIN. Where it
// cannot be kept, who is asked for a PIN has to know that nobody counts (PinInfo::unwatched).
#pragma once

#include <optional>
#include <string>
#include <utility>

#include "drivers/model.hpp"
#include "drivers/side_files.hpp"

namespace kilt::card {

class PinNotes {
 public:
  /// `ending`: of the files, such as ".tries".
  PinNotes(SideFiles files, const char* ending) : files_(std::move(files)), ending_(ending) {}

  /// Whether keep() could, before anything depends on it; SideFiles::can_put().
  [[nodiscard]] Status can_keep() const { return files_.can_put(); }
  /// Nothing is kept of any card, so no card need be told from another.
  [[nodiscard]] bool is_empty() const;
  /// 1 to 15. `card`: what tells it from others, letters and digits.
  [[nodiscard]] std::optional<int> recall(const std::string& card, Role role) const;
  /// A number that is not 1 to 15 is forgotten.
  void keep(const std::string& card, Role role, int number) const;
  void forget(const std::string& card, Role role) const;

 private:
  [[nodiscard]] std::string file_name(const std::string& card, Role role) const;

  SideFiles files_;
  const char* ending_;
};

}  // namespace kilt::card
