// SPDX-License-Identifier: Apache-2.0
#include "drivers/jacarta_attributes.hpp"

#include <mbedtls/md.h>

#include <algorithm>

namespace kilt::card::jacarta {
namespace {

constexpr std::size_t header_size = 7, attribute_header_size = 5, stamp_size = 4;
constexpr std::size_t digest_at = header_size + attribute_header_size, digest_size = 20;
constexpr std::size_t read_step = 256;
constexpr std::uint8_t valid = 0x00, filler = 0xFF;

Bytes digest_of(Bytes file) {
  std::fill_n(file.begin() + digest_at, digest_size, std::uint8_t{0});
  Bytes digest(digest_size);
  if (mbedtls_md(mbedtls_md_info_from_type(MBEDTLS_MD_SHA1), file.data(), file.size(),
                 digest.data()) != 0) {
    return {};
  }
  return digest;
}

void append_le16(Bytes& to, std::uint16_t value) {
  append(to, {static_cast<std::uint8_t>(value), static_cast<std::uint8_t>(value >> 8)});
}

bool begins_with_digest(ByteView file) {
  return file.size() >= digest_at + digest_size &&
         be16(file[header_size], file[header_size + 1]) ==
             static_cast<std::uint16_t>(Type::digest) &&
         be16(file[header_size + 3], file[header_size + 4]) == digest_size;
}

/// Attributes of a whole file need no fetching.
Result<Bytes> nothing_more(std::size_t, std::size_t) {
  return Error{ErrorKind::protocol, "an attribute file ends too early"};
}

}  // namespace

Attribute truth(Type type, bool value, std::uint8_t flags) {
  return {type, flags, {static_cast<std::uint8_t>(value ? 1 : 0)}};
}

Attribute ulong(Type type, std::uint32_t value, std::uint8_t flags) {
  Attribute made{type, flags, {}};
  for (int shift = 0; shift < 32; shift += 8)
    made.value.push_back(static_cast<std::uint8_t>(value >> shift));
  return made;
}

Result<Bytes> encode(std::uint16_t fid, const std::vector<Attribute>& attributes,
                     const Freshness& stamp) {
  const auto high = static_cast<std::uint8_t>(fid >> 8);
  Bytes file{valid,
             high,
             high,
             static_cast<std::uint8_t>(fid),
             0,
             0,
             static_cast<std::uint8_t>(attributes.size())};
  constexpr std::size_t longest = 0x7FFF - stamp_size;  // READ BINARY reaches no further
  for (const auto& attribute : attributes) {
    if (attribute.value.size() > longest - std::min(longest, file.size() + attribute_header_size)) {
      return Error{ErrorKind::bad_argument, "an object has 32 KB at most on this card"};
    }
    append_be16(file, static_cast<std::uint16_t>(attribute.type));
    file.push_back(attribute.flags);
    append_be16(file, attribute.value.size());
    append(file, attribute.value);
  }
  file[4] = static_cast<std::uint8_t>(file.size() >> 8);
  file[5] = static_cast<std::uint8_t>(file.size());
  append_le16(file, stamp.containers);
  append_le16(file, stamp.files);
  if (begins_with_digest(file)) {
    const Bytes digest = digest_of(file);
    if (digest.empty()) return Error{ErrorKind::internal, "mbedTLS has no SHA-1"};
    std::copy(digest.begin(), digest.end(), file.begin() + digest_at);
  }
  return file;
}

bool PartialFile::knows(std::size_t at, std::size_t count) const {
  return known_from(at) >= count;
}

std::size_t PartialFile::known_from(std::size_t at) const {
  std::size_t end = at;
  while (end < known_.size() && known_[end])
    ++end;
  return end - at;
}

bool PartialFile::agrees(std::size_t at, const PartialFile& other, std::size_t there,
                         std::size_t count) const {
  if (at + count > size() || there + count > other.size()) return false;
  for (std::size_t i = 0; i < count; ++i) {
    const bool both_known = known_[at + i] && other.known_[there + i];
    if (both_known && content_[at + i] != other.content_[there + i]) return false;
  }
  return true;
}

Result<ByteView> PartialFile::bytes(std::size_t at, std::size_t count, const Fetch& fetch) {
  if (at > content_.size() || count > content_.size() - at) {
    return Error{ErrorKind::protocol, "an attribute reaches beyond the end of its file"};
  }
  for (std::size_t next = at + known_from(at); next < at + count; next = at + known_from(at)) {
    std::size_t wanted = 1;
    while (wanted < read_step && next + wanted < content_.size() && !known_[next + wanted])
      ++wanted;
    auto piece = fetch(next, wanted);
    if (!piece) return piece.take_error();
    if (piece->empty() || piece->size() > wanted) {
      return Error{ErrorKind::protocol, "a file is shorter than the card said"};
    }
    std::copy(piece->begin(), piece->end(), content_.begin() + static_cast<std::ptrdiff_t>(next));
    std::fill_n(known_.begin() + static_cast<std::ptrdiff_t>(next), piece->size(), true);
  }
  return ByteView(content_).subspan(at, count);
}

bool has_valid_header(ByteView first, std::uint16_t fid, std::size_t file_size) {
  if (first.size() < header_size || file_size < header_size + stamp_size) return false;
  const std::size_t length = be16(first[4], first[5]);
  return first[0] == valid && be16(first[2], first[3]) == fid && first[1] == first[2] &&
         length >= header_size && length <= file_size - stamp_size;
}

Status find_attributes(PartialFile& file, const std::vector<Type>& wanted,
                       const PartialFile::Fetch& fetch, Index& index) {
  const auto all_found = [&] {
    return !wanted.empty() && std::all_of(wanted.begin(), wanted.end(),
                                          [&](Type type) { return index.count(type) > 0; });
  };
  const auto header = file.bytes(0, header_size, fetch);
  if (!header) return header.error();
  std::size_t left = (*header)[6];
  std::size_t at = header_size;
  const std::size_t end = file.size() - std::min(file.size(), stamp_size);
  while (left > 0 && at < end && !all_found()) {
    const auto first = file.bytes(at, 1, fetch);
    if (!first) return first.error();
    // Readers pass over filler between attributes; no type begins with it.
    if ((*first)[0] == filler) {
      ++at;
      continue;
    }
    if (end - at < attribute_header_size)
      return Error{ErrorKind::protocol, "an attribute file ends inside an attribute"};
    const auto head = file.bytes(at, attribute_header_size, fetch);
    if (!head) return head.error();
    const Place place{(*head)[2], at + attribute_header_size, be16((*head)[3], (*head)[4])};
    if (place.length > end - place.at)
      return Error{ErrorKind::protocol, "an attribute is longer than its file"};
    index.emplace(static_cast<Type>(be16((*head)[0], (*head)[1])), place);
    at = place.at + place.length;
    --left;
  }
  return {};
}

Result<std::vector<Attribute>> decode(ByteView file, std::uint16_t fid) {
  if (!has_valid_header(file, fid, file.size())) {
    return Error{ErrorKind::protocol, "an attribute file without a valid header"};
  }
  PartialFile whole(copy_of(file));
  Index index;
  if (auto status = find_attributes(whole, {}, nothing_more, index); !status)
    return status.take_error();
  std::vector<std::pair<Type, Place>> places(index.begin(), index.end());
  std::sort(places.begin(), places.end(),
            [](const auto& a, const auto& b) { return a.second.at < b.second.at; });
  std::vector<Attribute> attributes;
  attributes.reserve(places.size());
  for (const auto& [type, place] : places)
    attributes.push_back({type, place.flags, copy_of(file.subspan(place.at, place.length))});
  return attributes;
}

bool digest_is_right(ByteView file) {
  if (!begins_with_digest(file)) return true;
  const ByteView stored = file.subspan(digest_at, digest_size);
  if (std::all_of(stored.begin(), stored.end(), [](auto byte) { return byte == 0; })) return true;
  return equal(stored, digest_of(copy_of(file)));
}

}  // namespace kilt::card::jacarta
