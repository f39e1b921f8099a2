// SPDX-License-Identifier: Apache-2.0
#include "drivers/rsa_check.hpp"

#include "drivers/bignum.hpp"

namespace kilt::card {
namespace {

/// a * b mod m = 1
bool is_inverse(Number& a, Number& b, Number& m) {
  Number product, rest;
  return mbedtls_mpi_mul_mpi(*product, *a, *b) == 0 &&
         mbedtls_mpi_mod_mpi(*rest, *product, *m) == 0 && mbedtls_mpi_cmp_int(*rest, 1) == 0;
}

/// e * d mod (p - 1) = 1
bool is_exponent(Number& e, Number& d, Number& p) {
  Number less;
  return mbedtls_mpi_sub_int(*less, *p, 1) == 0 && is_inverse(e, d, less);
}

}  // namespace

bool is_private_power(const PublicKey& key, ByteView input, ByteView result) {
  Number n(key.modulus), e(key.exponent), in(input), out(result), power;
  if (!n.ok() || !e.ok() || !in.ok() || !out.ok()) return false;
  if (mbedtls_mpi_exp_mod(*power, *out, *e, *n, nullptr) != 0) return false;
  return mbedtls_mpi_cmp_mpi(*power, *in) == 0;
}

Status check_private_key(const RsaPrivateKey& key) {
  const Error bad{ErrorKind::bad_data, "the private key's components do not belong together"};
  Number n(key.modulus), e(key.public_exponent), p(key.prime1.view()), q(key.prime2.view());
  Number dp(key.exponent1.view()), dq(key.exponent2.view()), coefficient(key.coefficient.view());
  for (const auto* number : {&n, &e, &p, &q, &dp, &dq, &coefficient}) {
    if (!number->ok()) return bad;
  }
  if (mbedtls_mpi_cmp_int(*p, 3) < 0 || mbedtls_mpi_cmp_int(*q, 3) < 0) return bad;
  Number product;
  const bool fits = mbedtls_mpi_mul_mpi(*product, *p, *q) == 0 &&
                    mbedtls_mpi_cmp_mpi(*product, *n) == 0 && is_exponent(e, dp, p) &&
                    is_exponent(e, dq, q) && is_inverse(q, coefficient, p);
  if (!fits) return bad;
  return {};
}

bool is_private_exponent(const RsaPrivateKey& key, ByteView exponent) {
  Number n(key.modulus), e(key.public_exponent), p(key.prime1.view()), q(key.prime2.view());
  Number d(exponent);
  for (const auto* number : {&n, &e, &p, &q, &d}) {
    if (!number->ok()) return false;
  }
  if (mbedtls_mpi_cmp_int(*p, 3) < 0 || mbedtls_mpi_cmp_int(*q, 3) < 0) return false;
  return mbedtls_mpi_cmp_mpi(*d, *n) < 0 && is_exponent(e, d, p) && is_exponent(e, d, q);
}

Result<SecretBytes> private_exponent(const RsaPrivateKey& key) {
  Number e(key.public_exponent), p(key.prime1.view()), q(key.prime2.view());
  Number p_less, q_less, product, common, order, rest, exponent;
  const bool made = e.ok() && p.ok() && q.ok() && mbedtls_mpi_sub_int(*p_less, *p, 1) == 0 &&
                    mbedtls_mpi_sub_int(*q_less, *q, 1) == 0 &&
                    mbedtls_mpi_gcd(*common, *p_less, *q_less) == 0 &&
                    mbedtls_mpi_mul_mpi(*product, *p_less, *q_less) == 0 &&
                    mbedtls_mpi_div_mpi(*order, *rest, *product, *common) == 0 &&
                    mbedtls_mpi_inv_mod(*exponent, *e, *order) == 0;
  SecretBytes bytes(key.modulus.size());
  bytes.resize(key.modulus.size());
  if (!made || mbedtls_mpi_write_binary(*exponent, bytes.data(), bytes.size()) != 0) {
    return Error{ErrorKind::bad_data, "the private key's components do not belong together"};
  }
  return bytes;
}

}  // namespace kilt::card
