// SPDX-License-Identifier: Apache-2.0
#include "drivers/kzid_tries.hpp"

namespace kilt::card::kzid {
namespace {

constexpr const char* ending = ".tries";
constexpr int most = 15;  // what 63Cx has room for [7816-4 table 6]

std::string file_name(const std::string& card, Role role) {
  return card + (role == Role::user ? ".user" : ".officer") + ending;
}

}  // namespace

bool TriesMemory::is_empty() const {
  return !files_.has_any(ending);
}

std::optional<int> TriesMemory::recall(const std::string& card, Role role) const {
  const auto content = files_.get(file_name(card, role));
  if (!content || content->size() != 1 || content->front() < 1 || content->front() > most)
    return std::nullopt;
  return content->front();
}

void TriesMemory::keep(const std::string& card, Role role, int tries) const {
  if (tries < 1 || tries > most) return forget(card, role);
  (void)files_.put(file_name(card, role), Bytes{static_cast<std::uint8_t>(tries)});
}

void TriesMemory::forget(const std::string& card, Role role) const {
  (void)files_.drop(file_name(card, role));
}

}  // namespace kilt::card::kzid
