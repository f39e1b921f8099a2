// SPDX-License-Identifier: Apache-2.0
#include "firmware-sim/profiles/etoken72k_crypto.hpp"

#include <mbedtls/des.h>
#include <mbedtls/md.h>
#include <mbedtls/pkcs12.h>

#include <algorithm>
#include <array>
#include <stdexcept>

namespace kilt::sim::etoken72k {
namespace {

class TripleDes {
 public:
  TripleDes() { mbedtls_des3_init(&context_); }
  ~TripleDes() { mbedtls_des3_free(&context_); }
  TripleDes(const TripleDes&) = delete;
  TripleDes& operator=(const TripleDes&) = delete;
  mbedtls_des3_context* get() { return &context_; }

 private:
  mbedtls_des3_context context_;
};

/// BMPString with its two zero bytes [RFC 7292 B.1].
SecretBytes bmp_string(std::string_view ascii) {
  SecretBytes text(2 * (ascii.size() + 1));
  for (const char character : ascii)
    text.append({0x00, static_cast<std::uint8_t>(character)});
  text.append({0x00, 0x00});
  return text;
}

void require(bool worked) {
  if (!worked) throw std::runtime_error("3DES or the PKCS #12 key derivation failed");
}

}  // namespace

SecretBytes derive_key(std::string_view pin, ByteView salt) {
  constexpr int id_of_mac_keys = 3;  // the applet takes its login key with it
  constexpr int iterations = 999;
  SecretBytes text = bmp_string(pin);
  SecretBytes key(key_size);
  key.resize(key_size);
  require(mbedtls_pkcs12_derivation(key.data(), key.size(), text.data(), text.size(), salt.data(),
                                    salt.size(), MBEDTLS_MD_SHA1, id_of_mac_keys, iterations) == 0);
  return key;
}

Bytes response_to(ByteView challenge, ByteView key) {
  require(challenge.size() == block_size && key.size() == key_size);
  TripleDes des;
  Bytes response(block_size);
  require(mbedtls_des3_set3key_enc(des.get(), key.data()) == 0 &&
          mbedtls_des3_crypt_ecb(des.get(), challenge.data(), response.data()) == 0);
  return response;
}

SecretBytes unwrap_key(ByteView wrapped, ByteView key, ByteView iv) {
  require(wrapped.size() == key_size && key.size() == key_size && iv.size() == block_size);
  TripleDes des;
  std::array<std::uint8_t, block_size> chain{};
  std::copy(iv.begin(), iv.end(), chain.begin());
  SecretBytes unwrapped(key_size);
  unwrapped.resize(key_size);
  require(mbedtls_des3_set3key_dec(des.get(), key.data()) == 0 &&
          mbedtls_des3_crypt_cbc(des.get(), MBEDTLS_DES_DECRYPT, wrapped.size(), chain.data(),
                                 wrapped.data(), unwrapped.data()) == 0);
  return unwrapped;
}

}  // namespace kilt::sim::etoken72k
