// SPDX-License-Identifier: Apache-2.0
#include "drivers/pin_notes.hpp"

namespace kilt::card {
namespace {

constexpr int most = 15;  // what 63Cx has room for [7816-4 table 6]

}  // namespace

std::string PinNotes::file_name(const std::string& card, Role role) const {
  return card + (role == Role::user ? ".user" : ".officer") + ending_;
}

bool PinNotes::is_empty() const {
  return !files_.has_any(ending_);
}

std::optional<int> PinNotes::recall(const std::string& card, Role role) const {
  const auto content = files_.get(file_name(card, role));
  if (!content || content->size() != 1 || content->front() < 1 || content->front() > most)
    return std::nullopt;
  return content->front();
}

void PinNotes::keep(const std::string& card, Role role, int number) const {
  if (number < 1 || number > most) return forget(card, role);
  (void)files_.put(file_name(card, role), Bytes{static_cast<std::uint8_t>(number)});
}

void PinNotes::forget(const std::string& card, Role role) const {
  (void)files_.drop(file_name(card, role));
}

}  // namespace kilt::card
