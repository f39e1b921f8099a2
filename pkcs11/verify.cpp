// SPDX-License-Identifier: Apache-2.0
#include "pkcs11/verify.hpp"

#include <mbedtls/rsa.h>
#include <mbedtls/version.h>

#include <algorithm>

#include "drivers/rsa_padding.hpp"

namespace kilt::p11 {
namespace {

/// A public key in mbedTLS's hands, for the bare power alone: 2.28 verifies and encrypts only with
/// one hash for the encoding and its mask, while callers may name two.
class RsaPublic {
 public:
  explicit RsaPublic(const card::PublicKey& key) {
#if MBEDTLS_VERSION_MAJOR < 3
    mbedtls_rsa_init(&context_, MBEDTLS_RSA_PKCS_V15, 0);
#else
    mbedtls_rsa_init(&context_);
#endif
    usable_ = key.type == card::KeyType::rsa &&
              mbedtls_rsa_import_raw(&context_, key.modulus.data(), key.modulus.size(), nullptr, 0,
                                     nullptr, 0, nullptr, 0, key.exponent.data(),
                                     key.exponent.size()) == 0 &&
              mbedtls_rsa_complete(&context_) == 0 && mbedtls_rsa_check_pubkey(&context_) == 0;
  }
  RsaPublic(const RsaPublic&) = delete;
  RsaPublic& operator=(const RsaPublic&) = delete;
  ~RsaPublic() {
    mbedtls_rsa_free(&context_);
  }

  [[nodiscard]] bool usable() const {
    return usable_;
  }
  [[nodiscard]] std::size_t size() const {
    return mbedtls_rsa_get_len(&context_);
  }

  /// The bare power; empty when the block is not below the modulus.
  std::optional<Bytes> power(ByteView block) {
    Bytes out(size());
    if (block.size() != size() || mbedtls_rsa_public(&context_, block.data(), out.data()) != 0) {
      return std::nullopt;
    }
    return out;
  }

 private:
  mbedtls_rsa_context context_;
  bool usable_ = false;
};

/// What a signature over a message of this (padded) kind must be the power of; empty when the
/// mechanism could not have made one.
std::optional<Bytes> expected_block(const Preparation& preparation, ByteView text, std::size_t k) {
  if (preparation.mechanism->encoding == Encoding::raw) {
    if (text.size() > k) return std::nullopt;
    Bytes block(k - text.size(), 0x00);
    append(block, text);
    return block;
  }
  auto block = card::pkcs1_type1_pad(text, k);
  if (!block) return std::nullopt;
  return std::move(*block);
}

/// `text` is what was padded: the message, its DigestInfo, or for PSS its digest.
CK_RV verify_text(const Preparation& preparation, const card::PublicKey& key, ByteView text,
                  ByteView signature) {
  RsaPublic rsa(key);
  if (!rsa.usable()) return CKR_FUNCTION_FAILED;
  if (preparation.mechanism->encoding == Encoding::pss) {
    if (text.size() != digest_size(preparation.hash)) return CKR_DATA_LEN_RANGE;
    if (signature.size() != rsa.size()) return CKR_SIGNATURE_LEN_RANGE;
    const auto block = rsa.power(signature);
    return block && card::pss_matches(*block, text, rsa_digest(preparation.hash),
                                      rsa_digest(preparation.mgf_hash), preparation.salt_length,
                                      key.bits())
               ? CKR_OK
               : CKR_SIGNATURE_INVALID;
  }
  const auto expected = expected_block(preparation, text, rsa.size());
  if (!expected) return CKR_DATA_LEN_RANGE;
  if (signature.size() != rsa.size()) return CKR_SIGNATURE_LEN_RANGE;
  const auto block = rsa.power(signature);
  return block && *block == *expected ? CKR_OK : CKR_SIGNATURE_INVALID;
}

/// 00 01 FF.. 00 data: at least eight FF, nothing else before the separator.
std::optional<Bytes> data_of_type1(ByteView block) {
  if (block.size() < 11 || block[0] != 0x00 || block[1] != 0x01) return std::nullopt;
  std::size_t at = 2;
  while (at < block.size() && block[at] == 0xFF)
    ++at;
  if (at < 10 || at == block.size() || block[at] != 0x00) return std::nullopt;
  return copy_of(block.subspan(at + 1));
}

/// Random octets without zeros [RFC 8017 §7.2.1 step 2].
bool fill_nonzero(Bytes& out) {
  if (!fill_random(out)) return false;
  for (auto& octet : out) {
    while (octet == 0) {
      if (!fill_random({&octet, 1})) return false;
    }
  }
  return true;
}

CK_RV encode_plain(const Preparation& preparation, ByteView plain, std::size_t k, Bytes& block) {
  if (plain.size() > preparation.max_input(CKF_ENCRYPT)) return CKR_DATA_LEN_RANGE;
  if (preparation.mechanism->encoding == Encoding::raw) {
    block.assign(k - plain.size(), 0x00);
    append(block, plain);
    return CKR_OK;
  }
  const bool oaep = preparation.mechanism->encoding == Encoding::oaep;
  Bytes random(oaep ? digest_size(preparation.hash) : k - plain.size() - 3);
  if (!(oaep ? fill_random(random) : fill_nonzero(random))) return CKR_FUNCTION_FAILED;
  auto encoded =
      oaep ? card::oaep_encode(plain, rsa_digest(preparation.hash),
                               rsa_digest(preparation.mgf_hash), preparation.label, random, k)
           : card::pkcs1_type2_pad(plain, random, k);
  if (!encoded) return CKR_DATA_LEN_RANGE;
  block = std::move(*encoded);
  return CKR_OK;
}

}  // namespace

CK_RV verify(const Preparation& preparation, const card::PublicKey& key, ByteView message,
             ByteView signature) {
  if (const auto kind = preparation.digest()) {
    return verify_digest(preparation, key, digest_of(*kind, message), signature);
  }
  return verify_text(preparation, key, message, signature);
}

CK_RV verify_digest(const Preparation& preparation, const card::PublicKey& key, ByteView digest,
                    ByteView signature) {
  const auto kind = preparation.digest();
  if (!kind || digest.size() != digest_size(*kind)) return CKR_DATA_LEN_RANGE;
  if (preparation.mechanism->encoding == Encoding::pss) {
    return verify_text(preparation, key, digest, signature);
  }
  return verify_text(preparation, key, card::digest_info(rsa_digest(*kind), digest), signature);
}

CK_RV verify_recover(const Preparation& preparation, const card::PublicKey& key, ByteView signature,
                     Bytes& data) {
  RsaPublic rsa(key);
  if (!rsa.usable()) return CKR_FUNCTION_FAILED;
  if (signature.size() != rsa.size()) return CKR_SIGNATURE_LEN_RANGE;
  auto block = rsa.power(signature);
  if (block && preparation.mechanism->encoding != Encoding::raw) block = data_of_type1(*block);
  if (!block) return CKR_SIGNATURE_INVALID;
  data = std::move(*block);
  return CKR_OK;
}

CK_RV encrypt(const Preparation& preparation, const card::PublicKey& key, ByteView plain,
              Bytes& cryptogram) {
  RsaPublic rsa(key);
  if (!rsa.usable() || rsa.size() != preparation.size()) return CKR_FUNCTION_FAILED;
  Bytes block;
  const CK_RV rv = encode_plain(preparation, plain, rsa.size(), block);
  if (rv != CKR_OK) return rv;
  auto power = rsa.power(block);
  wipe(block);
  if (!power) return CKR_DATA_INVALID;
  cryptogram = std::move(*power);
  return CKR_OK;
}

}  // namespace kilt::p11
