// SPDX-License-Identifier: Apache-2.0
#include "firmware-sim/profiles/jacarta_crypto.hpp"

#include <mbedtls/bignum.h>
#include <mbedtls/des.h>
#include <mbedtls/md.h>

#include <array>
#include <new>

namespace kilt::sim::jacarta {
namespace {

// [RFC 2409 §6.1].
constexpr std::array<std::uint8_t, 96> modp_768{
    0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xC9, 0x0F, 0xDA, 0xA2, 0x21, 0x68, 0xC2, 0x34,
    0xC4, 0xC6, 0x62, 0x8B, 0x80, 0xDC, 0x1C, 0xD1, 0x29, 0x02, 0x4E, 0x08, 0x8A, 0x67, 0xCC, 0x74,
    0x02, 0x0B, 0xBE, 0xA6, 0x3B, 0x13, 0x9B, 0x22, 0x51, 0x4A, 0x08, 0x79, 0x8E, 0x34, 0x04, 0xDD,
    0xEF, 0x95, 0x19, 0xB3, 0xCD, 0x3A, 0x43, 0x1B, 0x30, 0x2B, 0x0A, 0x6D, 0xF2, 0x5F, 0x14, 0x37,
    0x4F, 0xE1, 0x35, 0x6D, 0x6D, 0x51, 0xC2, 0x45, 0xE4, 0x85, 0xB5, 0x76, 0x62, 0x5E, 0x7E, 0xC6,
    0xF4, 0x4C, 0x42, 0xE9, 0xA6, 0x3A, 0x36, 0x20, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF};
constexpr std::array<std::uint8_t, 1> base_2{2};

class Number {
 public:
  Number() { mbedtls_mpi_init(&value_); }
  explicit Number(ByteView bytes) : Number() {
    if (mbedtls_mpi_read_binary(&value_, bytes.data(), bytes.size()) != 0) throw std::bad_alloc();
  }
  ~Number() { mbedtls_mpi_free(&value_); }
  Number(const Number&) = delete;
  Number& operator=(const Number&) = delete;
  mbedtls_mpi* get() { return &value_; }

 private:
  mbedtls_mpi value_;
};

Bytes power(ByteView base, ByteView exponent) {
  Number b(base), e(exponent), n(KeyAgreement::modulus()), result;
  Bytes out(KeyAgreement::modulus().size());
  if (mbedtls_mpi_exp_mod(result.get(), b.get(), e.get(), n.get(), nullptr) != 0 ||
      mbedtls_mpi_write_binary(result.get(), out.data(), out.size()) != 0) {
    throw std::bad_alloc();
  }
  return out;
}

enum class Direction { encrypt, decrypt };

Bytes des3(ByteView key, ByteView blocks, Direction direction) {
  mbedtls_des3_context context;
  mbedtls_des3_init(&context);
  const bool encrypt = direction == Direction::encrypt;
  int failed = encrypt ? mbedtls_des3_set2key_enc(&context, key.data())
                       : mbedtls_des3_set2key_dec(&context, key.data());
  std::array<std::uint8_t, des_block> iv{};
  Bytes out(blocks.size());
  if (failed == 0) {
    failed = mbedtls_des3_crypt_cbc(&context, encrypt ? MBEDTLS_DES_ENCRYPT : MBEDTLS_DES_DECRYPT,
                                    blocks.size(), iv.data(), blocks.data(), out.data());
  }
  mbedtls_des3_free(&context);
  return failed == 0 ? out : Bytes{};
}

}  // namespace

Bytes sha1(ByteView text) {
  Bytes digest(20);
  mbedtls_md(mbedtls_md_info_from_type(MBEDTLS_MD_SHA1), text.data(), text.size(), digest.data());
  return digest;
}

Bytes des3_encrypt(ByteView key, ByteView blocks) {
  return des3(key, blocks, Direction::encrypt);
}

Bytes des3_decrypt(ByteView key, ByteView blocks) {
  return des3(key, blocks, Direction::decrypt);
}

Bytes retail_mac(ByteView key, ByteView blocks) {
  // All but the last block under DES, which is 3DES with one key twice; the last under 3DES.
  Bytes single = copy_of(key.first(des_block));
  append(single, key.first(des_block));
  Bytes last = copy_of(blocks.last(des_block));
  const auto front = blocks.first(blocks.size() - des_block);
  if (!front.empty()) {
    const Bytes chained = des3_encrypt(single, front);
    for (std::size_t i = 0; i < des_block; ++i)
      last[i] ^= chained[chained.size() - des_block + i];
  }
  wipe(single);
  return des3_encrypt(key, last);
}

Bytes padded(ByteView bytes) {
  Bytes out = copy_of(bytes);
  out.push_back(0x80);
  out.resize((out.size() + des_block - 1) / des_block * des_block);
  return out;
}

std::optional<Bytes> unpadded(ByteView bytes) {
  std::size_t end = bytes.size();
  while (end > 0 && bytes[end - 1] == 0)
    --end;
  if (end == 0 || bytes[end - 1] != 0x80) return std::nullopt;
  return copy_of(bytes.first(end - 1));
}

ByteView KeyAgreement::modulus() {
  return modp_768;
}

ByteView KeyAgreement::generator() {
  return base_2;
}

Bytes KeyAgreement::public_value() const {
  return power(generator(), y_);
}

Result<Bytes> KeyAgreement::shared(ByteView theirs) const {
  Number value(theirs), n(modulus()), last;
  if (mbedtls_mpi_sub_int(last.get(), n.get(), 1) != 0) throw std::bad_alloc();
  if (mbedtls_mpi_cmp_int(value.get(), 1) <= 0 ||
      mbedtls_mpi_cmp_mpi(value.get(), last.get()) >= 0) {
    return Error{ErrorKind::bad_data, "the public value is outside the group"};
  }
  return power(theirs, y_);
}

}  // namespace kilt::sim::jacarta
