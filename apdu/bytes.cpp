// SPDX-License-Identifier: Apache-2.0
#include "apdu/bytes.hpp"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <new>
#include <stdexcept>
#include <utility>

namespace kilt {
namespace {

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

bool is_space(char c) {
  return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/// Whole pages, because locking and dump exclusion work on pages only.
std::size_t pages_for(std::size_t size) {
  const auto page = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
  return (size + page - 1) / page * page;
}

}  // namespace

std::optional<Bytes> from_hex(std::string_view text) {
  Bytes bytes;
  int high = -1;
  for (char c : text) {
    if (is_space(c)) continue;
    const int digit = hex_digit(c);
    if (digit < 0) return std::nullopt;
    if (high < 0) {
      high = digit;
    } else {
      bytes.push_back(static_cast<std::uint8_t>(high << 4 | digit));
      high = -1;
    }
  }
  if (high >= 0) return std::nullopt;
  return bytes;
}

std::string to_hex(ByteView bytes) {
  static constexpr char digits[] = "0123456789ABCDEF";
  std::string text;
  text.reserve(bytes.size() * 2);
  for (auto byte : bytes) {
    text += digits[byte >> 4];
    text += digits[byte & 0xF];
  }
  return text;
}

bool equal(ByteView a, ByteView b) {
  return std::ranges::equal(a, b);
}

Bytes reversed(ByteView bytes) {
  return {bytes.rbegin(), bytes.rend()};
}

void append(Bytes& to, ByteView more) {
  to.insert(to.end(), more.begin(), more.end());
}
void append(Bytes& to, std::initializer_list<std::uint8_t> more) {
  to.insert(to.end(), more.begin(), more.end());
}
void append_be16(Bytes& to, std::size_t value) {
  to.push_back(static_cast<std::uint8_t>(value >> 8));
  to.push_back(static_cast<std::uint8_t>(value));
}

void wipe(std::span<std::uint8_t> memory) {
  if (!memory.empty()) ::explicit_bzero(memory.data(), memory.size());
}

SecretBytes::SecretBytes(std::size_t capacity) : capacity_(capacity) {
  if (capacity == 0) return;
  const std::size_t length = pages_for(capacity);
  void* memory =
      ::mmap(nullptr, length, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) throw std::bad_alloc();
  // Each of these may be refused (RLIMIT_MEMLOCK, old kernel); the secret is then merely wiped.
  (void)::mlock(memory, length);
  (void)::madvise(memory, length, MADV_DONTDUMP);
  (void)::madvise(memory, length, MADV_WIPEONFORK);
  data_ = static_cast<std::uint8_t*>(memory);
}

SecretBytes SecretBytes::copy_of(ByteView secret) {
  SecretBytes copy(secret.size());
  copy.append(secret);
  return copy;
}

SecretBytes::SecretBytes(SecretBytes&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)),
      size_(std::exchange(other.size_, 0)),
      capacity_(std::exchange(other.capacity_, 0)) {}

SecretBytes& SecretBytes::operator=(SecretBytes&& other) noexcept {
  if (this != &other) {
    std::swap(data_, other.data_);
    std::swap(size_, other.size_);
    std::swap(capacity_, other.capacity_);
    other.wipe();
  }
  return *this;
}

SecretBytes::~SecretBytes() {
  if (data_ == nullptr) return;
  kilt::wipe({data_, capacity_});
  ::munmap(data_, pages_for(capacity_));
}

void SecretBytes::append(ByteView more) {
  if (more.size() > capacity_ - size_) throw std::length_error("SecretBytes: over its capacity");
  if (more.empty()) return;
  std::memcpy(data_ + size_, more.data(), more.size());
  size_ += more.size();
}

void SecretBytes::append(std::initializer_list<std::uint8_t> more) {
  append(ByteView(more.begin(), more.size()));
}

void SecretBytes::resize(std::size_t size) {
  if (size > capacity_) throw std::length_error("SecretBytes: over its capacity");
  if (size > size_) {
    std::memset(data_ + size_, 0, size - size_);
  } else if (size < size_) {
    kilt::wipe({data_ + size, size_ - size});
  }
  size_ = size;
}

void SecretBytes::wipe() {
  if (data_ != nullptr) kilt::wipe({data_, capacity_});
  size_ = 0;
}

bool SecretBytes::equals(ByteView other) const {
  if (other.size() != size_) return false;
  std::uint8_t difference = 0;
  for (std::size_t i = 0; i < size_; ++i)
    difference |= static_cast<std::uint8_t>(data_[i] ^ other[i]);
  return difference == 0;
}

}  // namespace kilt
