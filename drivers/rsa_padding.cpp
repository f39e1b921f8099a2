// SPDX-License-Identifier: Apache-2.0
#include "drivers/rsa_padding.hpp"

#include <mbedtls/md.h>

#include <algorithm>
#include <array>
#include <new>

#include "apdu/tlv.hpp"

namespace kilt::card {
namespace {

struct DigestFacts {
  mbedtls_md_type_t md;
  std::size_t size;
  std::array<std::uint8_t, 9> oid;  ///< content octets of the OBJECT IDENTIFIER
  std::size_t oid_size;
};

// [RFC 8017 appendix B.1]
constexpr std::array<DigestFacts, 5> facts_of_digests{{
    {MBEDTLS_MD_SHA1, 20, {0x2B, 0x0E, 0x03, 0x02, 0x1A}, 5},
    {MBEDTLS_MD_SHA224, 28, {0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x04}, 9},
    {MBEDTLS_MD_SHA256, 32, {0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01}, 9},
    {MBEDTLS_MD_SHA384, 48, {0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x02}, 9},
    {MBEDTLS_MD_SHA512, 64, {0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x03}, 9},
}};

const DigestFacts& facts(Digest digest) {
  return facts_of_digests[static_cast<std::size_t>(digest)];
}

/// One hash over several pieces, its state wiped afterwards.
Bytes hash_of(Digest digest, std::initializer_list<ByteView> pieces) {
  mbedtls_md_context_t context;
  mbedtls_md_init(&context);
  Bytes out(facts(digest).size);
  int failed = mbedtls_md_setup(&context, mbedtls_md_info_from_type(facts(digest).md), 0);
  if (failed == 0) failed = mbedtls_md_starts(&context);
  for (const auto piece : pieces) {
    if (failed == 0) failed = mbedtls_md_update(&context, piece.data(), piece.size());
  }
  if (failed == 0) failed = mbedtls_md_finish(&context, out.data());
  mbedtls_md_free(&context);
  if (failed != 0) throw std::bad_alloc();  // the only way that these calls can fail
  return out;
}

/// MGF1 [RFC 8017 B.2.1], laid over `target` by exclusive or.
void apply_mgf1(std::span<std::uint8_t> target, ByteView seed, Digest hash) {
  std::uint32_t counter = 0;
  for (std::size_t done = 0; done < target.size(); ++counter) {
    const std::array<std::uint8_t, 4> octets{
        static_cast<std::uint8_t>(counter >> 24), static_cast<std::uint8_t>(counter >> 16),
        static_cast<std::uint8_t>(counter >> 8), static_cast<std::uint8_t>(counter)};
    Bytes mask = hash_of(hash, {seed, octets});
    const auto count = std::min(mask.size(), target.size() - done);
    for (std::size_t i = 0; i < count; ++i)
      target[done + i] ^= mask[i];
    done += count;
    wipe(mask);
  }
}

/// Hides a value from the optimiser, so that masks stay masks and do not become branches.
std::uint32_t opaque(std::uint32_t value) {
  asm volatile("" : "+r"(value));
  return value;
}
/// All ones when value is 0, else 0.
std::uint32_t mask_if_zero(std::uint32_t value) {
  value = opaque(value);
  return opaque(((value | (0U - value)) >> 31) - 1U);
}
/// All ones when a < b, for values below 2^31.
std::uint32_t mask_if_less(std::uint32_t a, std::uint32_t b) {
  return opaque(0U - (opaque(a - b) >> 31));
}
std::uint32_t choose(std::uint32_t mask, std::uint32_t yes, std::uint32_t no) {
  return (mask & yes) | (~mask & no);
}

Error wrong_padding() {
  return {ErrorKind::bad_data, "the decrypted block has no valid padding"};
}

}  // namespace

std::size_t digest_size(Digest digest) {
  return facts(digest).size;
}

Result<Bytes> pkcs1_type1_pad(ByteView text, std::size_t size) {
  if (size < 11 || text.size() > size - 11) {
    return Error{ErrorKind::bad_argument,
                 "the text to sign is longer than the key's length less 11"};
  }
  Bytes block(size, 0xFF);
  const std::size_t start = size - text.size();
  block[0] = 0x00;
  block[1] = 0x01;
  block[start - 1] = 0x00;
  std::copy(text.begin(), text.end(), block.begin() + static_cast<std::ptrdiff_t>(start));
  return block;
}

Result<Bytes> pkcs1_type2_pad(ByteView text, ByteView filler, std::size_t size) {
  if (filler.size() < 8 || filler.size() + text.size() + 3 != size ||
      std::find(filler.begin(), filler.end(), 0) != filler.end()) {
    return Error{ErrorKind::bad_argument, "the text does not fit the key's length less 11"};
  }
  Bytes block{0x00, 0x02};
  block.reserve(size);
  append(block, filler);
  block.push_back(0x00);
  append(block, text);
  return block;
}

Result<Bytes> pkcs1_type2_unpad(ByteView block) {
  if (block.size() < 11) return wrong_padding();
  std::uint32_t bad = ~mask_if_zero(block[0]) | ~mask_if_zero(block[1] ^ 0x02U);
  std::uint32_t found = 0;
  std::uint32_t separator = 0;
  for (std::uint32_t i = 2; i < block.size(); ++i) {
    const std::uint32_t first_zero = mask_if_zero(block[i]) & ~found;
    separator = choose(first_zero, i, separator);
    found |= first_zero;
  }
  bad |= ~found | mask_if_less(separator, 10);  // at least eight octets of padding string
  if (bad != 0) return wrong_padding();
  return copy_of(block.subspan(separator + 1));
}

Result<Bytes> pss_encode(ByteView digest, Digest hash, Digest mgf_hash, ByteView salt,
                         std::size_t modulus_bits) {
  const std::size_t hash_size = digest_size(hash);
  if (digest.size() != hash_size) {
    return Error{ErrorKind::bad_argument, "the digest has not the length of its hash function"};
  }
  const std::size_t bits = modulus_bits == 0 ? 0 : modulus_bits - 1;
  const std::size_t size = (bits + 7) / 8;
  if (size < hash_size + salt.size() + 2) {
    return Error{ErrorKind::bad_argument, "the key is too short for this digest and salt"};
  }
  const std::array<std::uint8_t, 8> zeros{};
  const Bytes h = hash_of(hash, {zeros, digest, salt});
  Bytes encoded(size - salt.size() - hash_size - 2, 0x00);  // PS
  encoded.push_back(0x01);
  append(encoded, salt);
  apply_mgf1(encoded, h, mgf_hash);
  encoded[0] &= static_cast<std::uint8_t>(0xFF >> (8 * size - bits));
  append(encoded, h);
  encoded.push_back(0xBC);
  // With 8k+1 bits of modulus the encoding is one octet shorter than the block [RFC 8017 §8.1.1].
  encoded.insert(encoded.begin(), (modulus_bits + 7) / 8 - size, 0x00);
  return encoded;
}

bool pss_matches(ByteView block, ByteView digest, Digest hash, Digest mgf_hash,
                 std::size_t salt_length, std::size_t modulus_bits) {
  const std::size_t hash_size = digest_size(hash);
  const std::size_t bits = modulus_bits == 0 ? 0 : modulus_bits - 1;
  const std::size_t size = (bits + 7) / 8;
  if (block.size() != (modulus_bits + 7) / 8 || digest.size() != hash_size ||
      size < hash_size + 2 || salt_length > size - hash_size - 2) {
    return false;
  }
  if (block.size() != size && block[0] != 0x00) return false;
  const ByteView encoded = block.last(size);
  const ByteView h = encoded.subspan(size - hash_size - 1, hash_size);
  const auto used_bits = static_cast<std::uint8_t>(0xFF >> (8 * size - bits));
  if (encoded.back() != 0xBC || (encoded[0] & ~used_bits) != 0) return false;
  Bytes data = copy_of(encoded.first(size - hash_size - 1));
  apply_mgf1(data, h, mgf_hash);
  data[0] &= used_bits;
  const std::size_t separator = data.size() - salt_length - 1;
  const bool zeros_only =
      std::all_of(data.begin(), data.begin() + static_cast<std::ptrdiff_t>(separator),
                  [](std::uint8_t octet) { return octet == 0; });
  if (!zeros_only || data[separator] != 0x01) return false;
  const std::array<std::uint8_t, 8> zeros{};
  return equal(hash_of(hash, {zeros, digest, ByteView(data).last(salt_length)}), h);
}

Result<Bytes> oaep_encode(ByteView message, Digest hash, Digest mgf_hash, ByteView label,
                          ByteView seed, std::size_t size) {
  const std::size_t hash_size = digest_size(hash);
  if (size < 2 * hash_size + 2 || message.size() > size - 2 * hash_size - 2 ||
      seed.size() != hash_size) {
    return Error{ErrorKind::bad_argument,
                 "the message is too long for OAEP with this key and hash"};
  }
  Bytes data = hash_of(hash, {label});
  data.resize(size - hash_size - 2 - message.size(), 0x00);
  data.push_back(0x01);
  append(data, message);
  apply_mgf1(data, seed, mgf_hash);
  Bytes masked_seed = copy_of(seed);
  apply_mgf1(masked_seed, data, mgf_hash);
  Bytes block{0x00};
  append(block, masked_seed);
  append(block, data);
  return block;
}

Result<Bytes> oaep_decode(ByteView block, Digest hash, Digest mgf_hash, ByteView label) {
  const std::size_t hash_size = digest_size(hash);
  if (block.size() < 2 * hash_size + 2) {
    return Error{ErrorKind::bad_argument, "the key is too short for OAEP with this hash"};
  }
  Bytes seed = copy_of(block.subspan(1, hash_size));
  Bytes data = copy_of(block.subspan(1 + hash_size));
  apply_mgf1(seed, data, mgf_hash);
  apply_mgf1(data, seed, mgf_hash);
  wipe(seed);

  const Bytes label_hash = hash_of(hash, {label});
  std::uint32_t bad = ~mask_if_zero(block[0]);
  for (std::size_t i = 0; i < hash_size; ++i) {
    bad |= ~mask_if_zero(static_cast<std::uint32_t>(data[i] ^ label_hash[i]));
  }
  std::uint32_t found = 0;
  std::uint32_t separator = 0;
  for (std::uint32_t i = static_cast<std::uint32_t>(hash_size); i < data.size(); ++i) {
    const std::uint32_t first_other = ~mask_if_zero(data[i]) & ~found;
    separator = choose(first_other, i, separator);
    bad |= first_other & ~mask_if_zero(data[i] ^ 0x01U);
    found |= first_other;
  }
  bad |= ~found;
  Bytes message;
  if (bad == 0) message = copy_of(ByteView(data).subspan(separator + 1));
  wipe(data);
  if (bad != 0) return wrong_padding();
  return message;
}

Bytes digest_info(Digest hash, ByteView digest) {
  const DigestFacts& about = facts(hash);
  apdu::BerWriter algorithm;
  algorithm.put(0x06, ByteView(about.oid).first(about.oid_size)).put(0x05, ByteView{});
  apdu::BerWriter content;
  content.put(0x30, algorithm).put(0x04, digest);
  return apdu::BerWriter().put(0x30, content).bytes();
}

}  // namespace kilt::card
