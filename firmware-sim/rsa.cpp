// SPDX-License-Identifier: Apache-2.0
// RSA.
#include "firmware-sim/crypto.hpp"

#include <mbedtls/rsa.h>
#include <mbedtls/version.h>

#include <new>

namespace kilt::sim {

namespace {

#if MBEDTLS_VERSION_NUMBER >= 0x03000000
void init_rsa(mbedtls_rsa_context* rsa) {
  mbedtls_rsa_init(rsa);
}
#else
void init_rsa(mbedtls_rsa_context* rsa) {
  mbedtls_rsa_init(rsa, MBEDTLS_RSA_PKCS_V15, 0);
}
#endif

class Mpi {
 public:
  Mpi() { mbedtls_mpi_init(&value_); }
  explicit Mpi(ByteView number) : Mpi() {
    if (mbedtls_mpi_read_binary(&value_, number.data(), number.size()) != 0) {
      throw std::bad_alloc();
    }
  }
  ~Mpi() { mbedtls_mpi_free(&value_); }
  Mpi(const Mpi&) = delete;
  Mpi& operator=(const Mpi&) = delete;
  mbedtls_mpi* get() { return &value_; }
  const mbedtls_mpi* get() const { return &value_; }
  [[nodiscard]] Bytes bytes(std::size_t size) const {
    Bytes out(size);
    if (mbedtls_mpi_write_binary(&value_, out.data(), out.size()) != 0) out.clear();
    return out;
  }

 private:
  mbedtls_mpi value_;
};

Error not_a_key() {
  return {ErrorKind::bad_data, "the parts are no RSA key"};
}

/// e = dp^-1 mod (p - 1): the value that is loaded does not hold the public exponent, and every
/// usual one is smaller than p.
bool public_exponent_of(const RsaPrimes& primes, Mpi& e) {
  Mpi p(primes.p);
  Mpi dp(primes.dp);
  Mpi p_minus_1;
  return mbedtls_mpi_sub_int(p_minus_1.get(), p.get(), 1) == 0 &&
         mbedtls_mpi_inv_mod(e.get(), dp.get(), p_minus_1.get()) == 0;
}

}  // namespace

struct RsaKey::State {
  State() { init_rsa(&rsa); }
  ~State() { mbedtls_rsa_free(&rsa); }
  State(const State&) = delete;
  State& operator=(const State&) = delete;
  mutable mbedtls_rsa_context rsa;
};

RsaKey::RsaKey(std::unique_ptr<State> state) : state_(std::move(state)) {}
RsaKey::RsaKey(RsaKey&&) noexcept = default;
RsaKey& RsaKey::operator=(RsaKey&&) noexcept = default;
RsaKey::~RsaKey() = default;

Result<RsaKey> RsaKey::generate(Random& random, unsigned bits) {
  constexpr int exponent = 65537;
  auto state = std::make_unique<State>();
  if (mbedtls_rsa_gen_key(&state->rsa, Random::for_mbedtls, &random, bits, exponent) != 0) {
    return Error{ErrorKind::unsupported, "an RSA key of this size cannot be generated"};
  }
  return RsaKey(std::move(state));
}

Result<RsaKey> RsaKey::from_primes(const RsaPrimes& primes) {
  auto state = std::make_unique<State>();
  Mpi e;
  if (!public_exponent_of(primes, e)) return not_a_key();
  const Mpi p(primes.p);
  const Mpi q(primes.q);
  if (mbedtls_rsa_import(&state->rsa, nullptr, p.get(), q.get(), nullptr, e.get()) != 0 ||
      mbedtls_rsa_complete(&state->rsa) != 0 || mbedtls_rsa_check_privkey(&state->rsa) != 0) {
    return not_a_key();
  }
  RsaKey key(std::move(state));
  const RsaPrimes own = key.primes();
  if (own.dp != primes.dp || own.dq != primes.dq || own.qinv != primes.qinv) return not_a_key();
  return key;
}

std::size_t RsaKey::size() const {
  return mbedtls_rsa_get_len(&state_->rsa);
}

Bytes RsaKey::modulus() const {
  Mpi n;
  mbedtls_rsa_export(&state_->rsa, n.get(), nullptr, nullptr, nullptr, nullptr);
  return n.bytes(size());
}

Bytes RsaKey::public_exponent() const {
  Mpi e;
  mbedtls_rsa_export(&state_->rsa, nullptr, nullptr, nullptr, nullptr, e.get());
  return e.bytes(mbedtls_mpi_size(e.get()));
}

RsaPrimes RsaKey::primes() const {
  const std::size_t half = size() / 2;
  Mpi p, q, dp, dq, qp;
  mbedtls_rsa_export(&state_->rsa, nullptr, p.get(), q.get(), nullptr, nullptr);
  mbedtls_rsa_export_crt(&state_->rsa, dp.get(), dq.get(), qp.get());
  return {p.bytes(half), q.bytes(half), qp.bytes(half), dp.bytes(half), dq.bytes(half)};
}

// d is right when it is dp modulo p - 1 and dq modulo q - 1; modulo which multiple of both it was
// computed is the key maker's choice.
bool RsaKey::has_private_exponent(ByteView d) const {
  Mpi n, p, q, dp, dq, qp, rest;
  const Mpi given(d);
  mbedtls_rsa_export(&state_->rsa, n.get(), p.get(), q.get(), nullptr, nullptr);
  mbedtls_rsa_export_crt(&state_->rsa, dp.get(), dq.get(), qp.get());
  const auto is_rest = [&](Mpi& prime, const Mpi& expected) {
    return mbedtls_mpi_sub_int(prime.get(), prime.get(), 1) == 0 &&
           mbedtls_mpi_mod_mpi(rest.get(), given.get(), prime.get()) == 0 &&
           mbedtls_mpi_cmp_mpi(rest.get(), expected.get()) == 0;
  };
  return mbedtls_mpi_cmp_mpi(given.get(), n.get()) < 0 && is_rest(p, dp) && is_rest(q, dq);
}

Result<Bytes> RsaKey::private_operation(ByteView input, Random& random) const {
  if (input.size() != size()) return Error{ErrorKind::bad_argument, "input of another length"};
  Bytes output(size());
  if (mbedtls_rsa_private(&state_->rsa, Random::for_mbedtls, &random, input.data(),
                          output.data()) != 0) {
    return Error{ErrorKind::bad_argument, "input is not below the modulus"};
  }
  return output;
}

}  // namespace kilt::sim
