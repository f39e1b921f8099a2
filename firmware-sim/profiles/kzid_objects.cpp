// SPDX-License-Identifier: Apache-2.0
#include "firmware-sim/profiles/kzid_objects.hpp"

namespace kilt::sim::kzid {
namespace {

constexpr std::size_t modulus_size = KeyObjects::bits / 8;
constexpr std::size_t exponent_size = 3;
constexpr std::size_t half_size = modulus_size / 2;
constexpr std::size_t secret_at = modulus_size + exponent_size;
constexpr std::size_t cell_size = secret_at + 5 * half_size;

// A cell: modulus, exponent, then p, q, qinv, dp, dq.
std::string cell_of(std::uint8_t reference) {
  return "key:" + to_hex(ByteView(&reference, 1));
}

const Bytes* find(const Nvram& nvram, std::uint8_t reference) {
  const Bytes* cell = nvram.read(cell_of(reference));
  return cell != nullptr && cell->size() == cell_size ? cell : nullptr;
}

void wipe_parts(RsaPrimes& primes) {
  for (Bytes* part : {&primes.p, &primes.q, &primes.qinv, &primes.dp, &primes.dq})
    wipe(*part);
}

}  // namespace

bool KeyObjects::exists(std::uint8_t reference) const {
  return reference >= first_key && reference <= last_key_;
}

std::optional<PublicKey> KeyObjects::public_key(std::uint8_t reference) const {
  const Bytes* cell = find(nvram_, reference);
  if (cell == nullptr) return std::nullopt;
  const ByteView all = *cell;
  return PublicKey{copy_of(all.first(modulus_size)),
                   copy_of(all.subspan(modulus_size, exponent_size))};
}

std::optional<RsaKey> KeyObjects::private_key(std::uint8_t reference) const {
  const Bytes* cell = find(nvram_, reference);
  if (cell == nullptr) return std::nullopt;
  const auto part = [secret = ByteView(*cell).subspan(secret_at)](std::size_t n) {
    return copy_of(secret.subspan(n * half_size, half_size));
  };
  RsaPrimes primes{part(0), part(1), part(2), part(3), part(4)};
  auto key = RsaKey::from_primes(primes);
  wipe_parts(primes);
  if (!key) return std::nullopt;
  return std::move(*key);
}

void KeyObjects::store(std::uint8_t reference, const PublicKey& open, RsaPrimes secret) {
  Bytes cell;
  cell.reserve(cell_size);  // no copy is left behind by growing
  append(cell, open.modulus);
  append(cell, open.exponent);
  for (const Bytes* part : {&secret.p, &secret.q, &secret.qinv, &secret.dp, &secret.dq})
    append(cell, *part);
  wipe_parts(secret);
  if (open.modulus.size() != modulus_size || cell.size() != cell_size) throw NvramFailure{};
  nvram_.write(cell_of(reference), cell);
  wipe(cell);
}

void KeyObjects::clear(std::uint8_t reference) {
  nvram_.erase(cell_of(reference));
}

}  // namespace kilt::sim::kzid
