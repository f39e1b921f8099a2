// SPDX-License-Identifier: Apache-2.0
#include <mbedtls/hmac_drbg.h>
#include <mbedtls/md.h>
#include <sys/random.h>

#include <algorithm>
#include <stdexcept>

#include "firmware-sim/crypto.hpp"

namespace kilt::sim {

struct Random::State {
  State() { mbedtls_hmac_drbg_init(&drbg); }
  ~State() { mbedtls_hmac_drbg_free(&drbg); }
  State(const State&) = delete;
  State& operator=(const State&) = delete;
  mbedtls_hmac_drbg_context drbg;
};

namespace {

Bytes seed_material(std::uint64_t seed, std::uint32_t start) {
  if (seed == 0) {
    Bytes material(48);
    if (::getrandom(material.data(), material.size(), 0) != 48) {
      throw std::runtime_error("the system gives no random numbers");
    }
    return material;
  }
  Bytes material = copy_of(as_bytes("kilt-sim"));
  for (int shift = 56; shift >= 0; shift -= 8) {
    material.push_back(static_cast<std::uint8_t>(seed >> shift));
  }
  append_be16(material, start >> 16);
  append_be16(material, start & 0xFFFF);
  return material;
}

}  // namespace

Random::Random(std::uint64_t seed, std::uint32_t start) : state_(std::make_unique<State>()) {
  Bytes material = seed_material(seed, start);
  const auto* sha256 = mbedtls_md_info_from_type(MBEDTLS_MD_SHA256);
  const int failed =
      mbedtls_hmac_drbg_seed_buf(&state_->drbg, sha256, material.data(), material.size());
  wipe(material);
  if (failed != 0) throw std::runtime_error("the random generator cannot be seeded");
}

Random::~Random() = default;

void Random::fill(std::span<std::uint8_t> out) {
  while (!out.empty()) {
    const auto part = out.first(std::min<std::size_t>(out.size(), MBEDTLS_HMAC_DRBG_MAX_REQUEST));
    if (mbedtls_hmac_drbg_random(&state_->drbg, part.data(), part.size()) != 0) {
      throw std::runtime_error("the random generator failed");
    }
    out = out.subspan(part.size());
  }
}

Bytes Random::bytes(std::size_t count) {
  Bytes out(count);
  fill(out);
  return out;
}

int Random::for_mbedtls(void* self, unsigned char* out, std::size_t count) noexcept {
  static_cast<Random*>(self)->fill({out, count});
  return 0;
}

void Random::for_nettle(void* self, std::size_t count, std::uint8_t* out) noexcept {
  static_cast<Random*>(self)->fill({out, count});
}

}  // namespace kilt::sim
