// SPDX-License-Identifier: Apache-2.0
#include "drivers/jacarta_container.hpp"

#include <algorithm>

namespace kilt::card::jacarta {
namespace {

constexpr std::size_t name_characters = 40, flags_at = 80, least_records = 5;
constexpr std::uint8_t flag_valid = 0x01, flag_default = 0x02;

void put_le16(Bytes& to, std::size_t at, std::size_t value) {
  to[at] = static_cast<std::uint8_t>(value);
  to[at + 1] = static_cast<std::uint8_t>(value >> 8);
}

}  // namespace

Bytes container_name(ByteView id) {
  constexpr std::size_t bits_per_byte = 7, bit_bytes = 5;
  Bytes name, top_bits(bit_bytes);
  for (std::size_t i = 0; i < id.size(); ++i) {
    std::uint8_t byte = id[i];
    if ((byte & 0x7F) == 0x5C) byte = 0x5B;  // a backslash separates paths
    if ((byte & 0x7F) == 0x00) byte = 0x01;
    if ((byte & 0x80) != 0 && i / bits_per_byte < bit_bytes)
      top_bits[i / bits_per_byte] |= static_cast<std::uint8_t>(0x40 >> i % bits_per_byte);
    name.push_back(byte & 0x7F);
  }
  top_bits.erase(std::find(top_bits.begin(), top_bits.end(), 0), top_bits.end());
  append(name, top_bits);
  if (name.size() > name_characters) name.resize(name_characters);
  return name;
}

Bytes encode(const Container& container) {
  constexpr std::size_t exchange_bits_at = 84, name_length_at = 86, converted_at = 88,
                        converted_id_size = 25;
  Bytes record(container_record_size);
  const Bytes name = container_name(container.id);
  for (std::size_t i = 0; i < name.size(); ++i)
    record[2 * i] = name[i];
  record[flags_at] =
      static_cast<std::uint8_t>(flag_valid | (container.is_default ? flag_default : 0));
  put_le16(record, exchange_bits_at, container.bits);
  put_le16(record, name_length_at, name.size());
  if (container.id.size() == converted_id_size) record[converted_at] = 0x80;
  return record;
}

ContainerMap::ContainerMap(Bytes value) : records_(std::move(value)) {
  // A new card's map has a length that is no multiple of a record's, and is empty.
  records_.resize(records_.size() / container_record_size * container_record_size);
}

std::uint8_t& ContainerMap::flags(std::size_t index) {
  const std::size_t needed = (index + 1) * container_record_size;
  if (records_.size() < needed) records_.resize(needed);
  return records_[index * container_record_size + flags_at];
}

bool ContainerMap::has(std::size_t index) const {
  const std::size_t at = index * container_record_size + flags_at;
  return at < records_.size() && (records_[at] & flag_valid) != 0;
}

bool ContainerMap::is_default(std::size_t index) const {
  return has(index) && (records_[index * container_record_size + flags_at] & flag_default) != 0;
}

bool ContainerMap::has_default() const {
  for (std::size_t index = 0; index < records_.size() / container_record_size; ++index) {
    if (is_default(index)) return true;
  }
  return false;
}

void ContainerMap::set(std::size_t index, const Container& container) {
  flags(index) = 0;  // makes room
  const Bytes record = encode(container);
  std::copy(record.begin(), record.end(),
            records_.begin() + static_cast<std::ptrdiff_t>(index * container_record_size));
}

void ContainerMap::set_default(std::size_t index) {
  flags(index) |= flag_default;
}

void ContainerMap::clear(std::size_t index) {
  flags(index) = 0;
  std::fill_n(records_.begin() + static_cast<std::ptrdiff_t>(index * container_record_size),
              container_record_size, std::uint8_t{0});
}

Bytes ContainerMap::value() const {
  std::size_t count = least_records;
  for (std::size_t index = 0; index < records_.size() / container_record_size; ++index) {
    if (has(index)) count = std::max(count, index + 2);
  }
  Bytes made = records_;
  made.resize(std::max(records_.size(), count * container_record_size));
  return made;
}

}  // namespace kilt::card::jacarta
