// SPDX-License-Identifier: Apache-2.0
// The place of a file on a card. A plain value, so that data sheets are constants of the program:
// nothing of them has to be built when a process loads us, nor taken apart when it ends.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <initializer_list>
#include <string>

namespace kilt::card {

/// File identifiers below the MF, which is left out: {0x5000, 0x5031}. Empty: the MF itself.
class FilePath {
 public:
  /// Deeper than any file of our cards; who reads paths from a card checks their length first.
  static constexpr std::size_t deepest = 10;

  constexpr FilePath() = default;
  constexpr FilePath(std::initializer_list<std::uint16_t> ids) : FilePath(ids.begin(), ids.end()) {}
  constexpr FilePath(const std::uint16_t* first, const std::uint16_t* last) {
    for (; first != last; ++first)
      push_back(*first);
  }

  [[nodiscard]] constexpr std::size_t size() const { return size_; }
  [[nodiscard]] constexpr bool empty() const { return size_ == 0; }
  [[nodiscard]] constexpr const std::uint16_t* begin() const { return ids_.data(); }
  [[nodiscard]] constexpr const std::uint16_t* end() const { return ids_.data() + size_; }
  [[nodiscard]] constexpr std::uint16_t operator[](std::size_t i) const { return ids_[i]; }
  [[nodiscard]] constexpr std::uint16_t front() const { return ids_[0]; }
  [[nodiscard]] constexpr std::uint16_t back() const { return ids_[size_ - 1]; }
  /// The directory that holds this; of a path that is not empty.
  [[nodiscard]] constexpr FilePath parent() const { return {begin(), end() - 1}; }
  /// One deeper. What would be deeper than `deepest` has no place and is left out.
  constexpr void push_back(std::uint16_t id) {
    if (size_ < deepest) ids_[size_++] = id;
  }

  constexpr bool operator==(const FilePath&) const = default;
  /// For maps: some order.
  constexpr bool operator<(const FilePath& other) const {
    return std::lexicographical_compare(begin(), end(), other.begin(), other.end());
  }

 private:
  std::array<std::uint16_t, deepest> ids_{};  ///< zeros behind the last
  std::size_t size_ = 0;
};

/// "3F00/5000/5031", for errors.
[[nodiscard]] std::string to_string(const FilePath& path);

}  // namespace kilt::card
