// SPDX-License-Identifier: Apache-2.0
#include "firmware-sim/pin.hpp"

#include <algorithm>
#include <array>

namespace kilt::sim {
namespace {

std::string cell_of(std::uint8_t reference) {
  const std::uint8_t one[] = {reference};
  return "pin:" + to_hex(one);
}
std::string tries_cell(std::uint8_t reference) {
  return cell_of(reference) + ":tries";
}
std::string value_cell(std::uint8_t reference) {
  return cell_of(reference) + ":value";
}

/// Takes the same time for any candidate of any length.
bool same_pin(ByteView stored, ByteView candidate) {
  std::array<std::uint8_t, PinStore::max_length> padded{};
  std::array<std::uint8_t, PinStore::max_length> expected{};
  std::copy_n(candidate.begin(), std::min(candidate.size(), padded.size()), padded.begin());
  std::copy_n(stored.begin(), std::min(stored.size(), expected.size()), expected.begin());
  unsigned difference = static_cast<unsigned>(stored.size() ^ candidate.size());
  for (std::size_t i = 0; i < padded.size(); ++i)
    difference |= padded[i] ^ expected[i];
  return difference == 0;
}

}  // namespace

std::optional<PinAttributes> PinStore::find(std::uint8_t reference) const {
  const Bytes* cell = nvram_.read(cell_of(reference));
  if (cell == nullptr || cell->size() < 2) return std::nullopt;
  return PinAttributes{(*cell)[0], (*cell)[1], copy_of(ByteView(*cell).subspan(2))};
}

void PinStore::create(std::uint8_t reference, const PinAttributes& attributes,
                      std::uint8_t tries_left) {
  set_tries(reference, tries_left);
  Bytes cell{attributes.min_length, attributes.max_tries};
  append(cell, attributes.security);
  nvram_.write(cell_of(reference), cell);  // last: before it the PIN does not exist
}

bool PinStore::has_value(std::uint8_t reference) const {
  return nvram_.read(value_cell(reference)) != nullptr;
}

void PinStore::set_value(std::uint8_t reference, ByteView pin) {
  nvram_.write(value_cell(reference), pin);
}

std::uint8_t PinStore::tries_left(std::uint8_t reference) const {
  const Bytes* cell = nvram_.read(tries_cell(reference));
  return cell == nullptr || cell->empty() ? 0 : (*cell)[0];
}

void PinStore::set_tries(std::uint8_t reference, std::uint8_t left) {
  nvram_.write(tries_cell(reference), ByteView(&left, 1));
}

void PinStore::reset_tries(std::uint8_t reference) {
  if (const auto pin = find(reference)) set_tries(reference, pin->max_tries);
}

PinCheck PinStore::check(std::uint8_t reference, ByteView candidate) {
  const std::uint8_t left = tries_left(reference);
  if (left == 0) return PinCheck::blocked;
  const Bytes* value = nvram_.read(value_cell(reference));
  if (value == nullptr) return PinCheck::no_value;
  const Bytes stored = *value;
  set_tries(reference, static_cast<std::uint8_t>(left - 1));
  if (!same_pin(stored, candidate)) return PinCheck::wrong;
  reset_tries(reference);
  return PinCheck::correct;
}

}  // namespace kilt::sim
