// SPDX-License-Identifier: Apache-2.0
// mbedTLS numbers that free and wipe themselves.
#pragma once

#include <mbedtls/bignum.h>

#include "apdu/bytes.hpp"

namespace kilt::card {

class Number {
 public:
  Number() { mbedtls_mpi_init(&value_); }
  /// Not ok() when there is no memory for it.
  explicit Number(ByteView big_endian) : Number() {
    ok_ = mbedtls_mpi_read_binary(&value_, big_endian.data(), big_endian.size()) == 0;
  }
  Number(const Number&) = delete;
  Number& operator=(const Number&) = delete;
  ~Number() { mbedtls_mpi_free(&value_); }
  [[nodiscard]] bool ok() const { return ok_; }
  [[nodiscard]] std::size_t size() const { return mbedtls_mpi_size(&value_); }  ///< bytes
  [[nodiscard]] std::size_t bits() const { return mbedtls_mpi_bitlen(&value_); }
  [[nodiscard]] bool odd() const { return mbedtls_mpi_get_bit(&value_, 0) == 1; }
  mbedtls_mpi* operator*() { return &value_; }

 private:
  mbedtls_mpi value_;
  bool ok_ = true;
};

}  // namespace kilt::card
