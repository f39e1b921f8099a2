// SPDX-License-Identifier: Apache-2.0
#include "firmware-sim/profiles/kaztoken_rsf.hpp"

#include <algorithm>

namespace kilt::sim::kaztoken {
namespace {

// CryptoPro parameter set A; 30 and 40 would be B and C, which this chip has not. assumed: whether
// the Kaztoken chip has them is unknown, nettle's curve is A.
constexpr std::uint8_t parameter_set_a = 0x20;

constexpr std::size_t gost_size = 32;
constexpr std::size_t gap = 4;  // zeros behind p and behind q

constexpr std::size_t smallest_modulus = 512 / 8;
constexpr std::size_t largest_modulus = 2048 / 8;
constexpr std::size_t modulus_step = 128 / 8;

constexpr std::uint8_t key_tries = 0xAA;  // in every published key property

std::optional<RsfProperty> parse_pin(ByteView bytes) {
  RsfProperty pin{RsfKind::global_pin, bytes[1], static_cast<std::uint8_t>(bytes[3] >> 4),
                  static_cast<std::uint8_t>(bytes[3] & 0x0F)};
  constexpr std::size_t longest_pin = 32;
  const bool sane = pin.min_length >= 1 && pin.min_length <= longest_pin && bytes[2] == 1 &&
                    pin.max_tries >= 1 && pin.tries_left >= 1 && pin.tries_left <= pin.max_tries;
  if (!sane) return std::nullopt;
  return pin;
}

Bytes little_endian(ByteView big_endian, std::size_t size) {
  Bytes number = reversed(big_endian);
  number.resize(size);
  return number;
}

Status bad(const char* what) {
  return Error{ErrorKind::bad_data, what};
}

}  // namespace

std::optional<RsfProperty> RsfProperty::parse(ByteView bytes) {
  if (bytes.size() != size || bytes[4] != 0 || bytes[5] != 0) return std::nullopt;
  const auto kind = static_cast<RsfKind>(bytes[0]);
  std::uint8_t parameter = 0;
  switch (kind) {
    case RsfKind::global_pin:
      return parse_pin(bytes);
    case RsfKind::rsa_private:
    case RsfKind::rsa_public:
      // Rounds of Miller-Rabin; anything but 00 is refused [facts kaztoken §10.1 #12].
      parameter = 0x00;
      break;
    case RsfKind::gost_private:
    case RsfKind::gost_public:
      parameter = parameter_set_a;
      break;
    default:
      return std::nullopt;
  }
  if (bytes[1] != parameter || bytes[2] != 0 || bytes[3] != key_tries) return std::nullopt;
  return RsfProperty{kind};
}

std::size_t rsa_size(RsfKind kind, std::size_t file_size) {
  if (kind == RsfKind::rsa_public) return file_size / 3 * 2;
  return file_size < 2 * gap ? 0 : (file_size - 2 * gap) / 5 * 2;
}

bool fits(RsfKind kind, std::size_t size) {
  switch (kind) {
    case RsfKind::global_pin:
      return size >= 1 && size <= 0xFF;  // the first PIN's length, no limit [§10.1 #14]
    case RsfKind::gost_private:
      return size == gost_size;
    case RsfKind::gost_public:
      return size == 2 * gost_size;
    case RsfKind::rsa_private:
    case RsfKind::rsa_public:
      break;
  }
  const std::size_t modulus = rsa_size(kind, size);
  const std::size_t half = modulus / 2;
  const std::size_t exact = kind == RsfKind::rsa_public ? 3 * half : 5 * half + 2 * gap;
  return size == exact && modulus >= smallest_modulus && modulus <= largest_modulus &&
         modulus % modulus_step == 0;
}

FilePath private_keys() {
  return FilePath::below({0x1000, 0x1000, 0x6002});
}
FilePath public_keys() {
  return FilePath::below({0x1000, 0x1000, 0x6001});
}

FilePath home_of(RsfKind kind) {
  const bool is_public = kind == RsfKind::rsa_public || kind == RsfKind::gost_public;
  return is_public ? public_keys() : private_keys();
}

// p, 4 zeros, q, 4 zeros, q^-1 mod p, d mod (p-1), d mod (q-1) [facts kaztoken §3.4].
Bytes rsa_private_value(const RsaKey& key) {
  const RsaPrimes primes = key.primes();
  Bytes value = reversed(primes.p);
  value.resize(value.size() + gap);
  append(value, reversed(primes.q));
  value.resize(value.size() + gap);
  append(value, reversed(primes.qinv));
  append(value, reversed(primes.dp));
  append(value, reversed(primes.dq));
  return value;
}

Bytes rsa_public_value(const RsaKey& key) {
  Bytes value = little_endian(key.modulus(), key.size());
  append(value, little_endian(key.public_exponent(), key.size() / 2));
  return value;
}

Result<RsaKey> rsa_key_of(ByteView value) {
  const std::size_t half = rsa_size(RsfKind::rsa_private, value.size()) / 2;
  if (half == 0 || value.size() != 5 * half + 2 * gap) {
    return Error{ErrorKind::bad_data, "a private key value of another length"};
  }
  RsaPrimes primes;
  std::size_t at = 0;
  const auto take = [&](std::size_t skip) {
    Bytes number = reversed(value.subspan(at, half));
    at += half + skip;
    return number;
  };
  primes.p = take(gap);
  primes.q = take(gap);
  primes.qinv = take(0);
  primes.dp = take(0);
  primes.dq = take(0);
  return RsaKey::from_primes(primes);
}

Bytes gost_private_value(const GostKey& key) {
  return reversed(key.d);
}

Bytes gost_public_value(const GostKey& key) {
  Bytes value = reversed(key.x);
  append(value, reversed(key.y));
  return value;
}

// assumed: that the card looks at what it is given. A real one may take anything and fail later.
Status check_value(RsfKind kind, ByteView value) {
  switch (kind) {
    case RsfKind::rsa_private: {
      auto key = rsa_key_of(value);
      return key ? Status() : Status(key.take_error());
    }
    case RsfKind::rsa_public: {
      const bool odd_modulus = (value[0] & 1) != 0;
      const bool odd_exponent = (value[value.size() / 3 * 2] & 1) != 0;
      return odd_modulus && odd_exponent ? Status() : bad("no RSA public key");
    }
    case RsfKind::gost_private: {
      auto key = gost_from_private(reversed(value));
      return key ? Status() : Status(key.take_error());
    }
    case RsfKind::gost_public:
      return std::any_of(value.begin(), value.end(), [](auto b) { return b != 0; })
                 ? Status()
                 : bad("no point");
    case RsfKind::global_pin:
      break;
  }
  return bad("not a key");
}

}  // namespace kilt::sim::kaztoken
