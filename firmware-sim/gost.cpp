// SPDX-License-Identifier: Apache-2.0
#include <gmp.h>
#include <nettle/ecc-curve.h>
#include <nettle/ecc.h>
#include <nettle/gostdsa.h>

#include "firmware-sim/crypto.hpp"

namespace kilt::sim {

namespace {

constexpr std::size_t gost_size = 32;

// In nettle CryptoPro-A is named gc256b, as the later standard calls the same curve.
const ecc_curve* curve() {
  return nettle_get_gost_gc256b();
}

class Number {
 public:
  Number() { mpz_init(value_); }
  explicit Number(ByteView big_endian) : Number() {
    mpz_import(value_, big_endian.size(), 1, 1, 0, 0, big_endian.data());
  }
  ~Number() { mpz_clear(value_); }
  Number(const Number&) = delete;
  Number& operator=(const Number&) = delete;
  mpz_ptr get() { return value_; }
  [[nodiscard]] Bytes bytes() const {
    Bytes out(gost_size);
    const std::size_t used = (mpz_sizeinbase(value_, 2) + 7) / 8;
    if (mpz_sgn(value_) != 0) {
      mpz_export(out.data() + (gost_size - used), nullptr, 1, 1, 0, 0, value_);
    }
    return out;
  }

 private:
  mpz_t value_;
};

class Scalar {
 public:
  Scalar() { ecc_scalar_init(&value_, curve()); }
  ~Scalar() { ecc_scalar_clear(&value_); }
  Scalar(const Scalar&) = delete;
  Scalar& operator=(const Scalar&) = delete;
  ecc_scalar* get() { return &value_; }
  [[nodiscard]] bool set(ByteView d) {
    Number number(d);
    return d.size() == gost_size && ecc_scalar_set(&value_, number.get()) == 1;
  }

 private:
  ecc_scalar value_{};
};

class Point {
 public:
  Point() { ecc_point_init(&value_, curve()); }
  ~Point() { ecc_point_clear(&value_); }
  Point(const Point&) = delete;
  Point& operator=(const Point&) = delete;
  ecc_point* get() { return &value_; }

 private:
  ecc_point value_{};
};

class Dsa {
 public:
  Dsa() { dsa_signature_init(&value_); }
  ~Dsa() { dsa_signature_clear(&value_); }
  Dsa(const Dsa&) = delete;
  Dsa& operator=(const Dsa&) = delete;
  dsa_signature* get() { return &value_; }

 private:
  dsa_signature value_{};
};

GostKey pair_of(Scalar& scalar, Point& point) {
  Number d, x, y;
  ecc_scalar_get(scalar.get(), d.get());
  ecc_point_get(point.get(), x.get(), y.get());
  return {d.bytes(), x.bytes(), y.bytes()};
}

}  // namespace

GostKey gost_generate(Random& random) {
  Scalar scalar;
  Point point;
  gostdsa_generate_keypair(point.get(), scalar.get(), &random, Random::for_nettle);
  return pair_of(scalar, point);
}

Result<GostKey> gost_from_private(ByteView d) {
  Scalar scalar;
  Point point;
  if (!scalar.set(d)) return Error{ErrorKind::bad_data, "the number is no private key"};
  ecc_point_mul_g(point.get(), scalar.get());
  return pair_of(scalar, point);
}

Result<GostSignature> gost_sign(ByteView d, ByteView digest_le, Random& random) {
  Scalar scalar;
  if (!scalar.set(d)) return Error{ErrorKind::bad_data, "the number is no private key"};
  Dsa signature;
  gostdsa_sign(scalar.get(), &random, Random::for_nettle, digest_le.size(), digest_le.data(),
               signature.get());
  Number r, s;
  mpz_set(r.get(), signature.get()->r);
  mpz_set(s.get(), signature.get()->s);
  return GostSignature{r.bytes(), s.bytes()};
}

bool gost_verify(ByteView x, ByteView y, ByteView digest_le, const GostSignature& signature) {
  Point point;
  Number px(x), py(y);
  if (ecc_point_set(point.get(), px.get(), py.get()) != 1) return false;
  Dsa dsa;
  Number r(signature.r), s(signature.s);
  mpz_set(dsa.get()->r, r.get());
  mpz_set(dsa.get()->s, s.get());
  return gostdsa_verify(point.get(), digest_le.size(), digest_le.data(), dsa.get()) == 1;
}

}  // namespace kilt::sim
