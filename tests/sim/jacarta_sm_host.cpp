// SPDX-License-Identifier: Apache-2.0
// The host's half of LASER's secure messaging, by OpenSSL: the judge of the simulated card's.
#include <openssl/bn.h>
#include <openssl/evp.h>

#include <memory>

#include "tests/sim/jacarta_card.hpp"

namespace kilt::sim::test {
namespace {

using BigNumber = std::unique_ptr<BIGNUM, decltype(&BN_free)>;

BigNumber number(ByteView bytes) {
  return {BN_bin2bn(bytes.data(), static_cast<int>(bytes.size()), nullptr), BN_free};
}

BigNumber prime() {
  return {BN_get_rfc2409_prime_768(nullptr), BN_free};
}

Bytes exclusive_or(ByteView a, ByteView b) {
  Bytes out = copy_of(a);
  for (std::size_t i = 0; i < out.size(); ++i)
    out[i] ^= b[i];
  return out;
}

Bytes pad(ByteView bytes) {
  Bytes out = copy_of(bytes);
  out.push_back(0x80);
  while (out.size() % 8 != 0)
    out.push_back(0);
  return out;
}

std::string tlv(const std::string& tag, ByteView value) {
  return tag + (value.size() > 0x7F ? "81" : "") + hex_byte(value.size()) + to_hex(value);
}

}  // namespace

Bytes modp_768_modulus() {
  Bytes out(96);
  BN_bn2bin(prime().get(), out.data());
  return out;
}

Bytes modp_768_power(ByteView base, ByteView exponent) {
  const auto b = number(base);
  const auto e = number(exponent);
  const BigNumber result(BN_new(), BN_free);
  const std::unique_ptr<BN_CTX, decltype(&BN_CTX_free)> context(BN_CTX_new(), BN_CTX_free);
  EXPECT_EQ(BN_mod_exp(result.get(), b.get(), e.get(), prime().get(), context.get()), 1);
  Bytes out(96);
  EXPECT_EQ(BN_bn2binpad(result.get(), out.data(), 96), 96);
  return out;
}

Bytes openssl_sha1(ByteView text) {
  Bytes digest(20);
  unsigned size = 0;
  EXPECT_EQ(EVP_Digest(text.data(), text.size(), digest.data(), &size, EVP_sha1(), nullptr), 1);
  return digest;
}

Bytes openssl_des3(ByteView key, ByteView blocks, bool encrypt) {
  const std::unique_ptr<EVP_CIPHER_CTX, decltype(&EVP_CIPHER_CTX_free)> context(
      EVP_CIPHER_CTX_new(), EVP_CIPHER_CTX_free);
  const Bytes iv(8);
  Bytes out(blocks.size() + 8);
  int size = 0;
  EXPECT_EQ(EVP_CipherInit_ex(context.get(), EVP_des_ede_cbc(), nullptr, key.data(), iv.data(),
                              encrypt ? 1 : 0),
            1);
  EVP_CIPHER_CTX_set_padding(context.get(), 0);
  EXPECT_EQ(EVP_CipherUpdate(context.get(), out.data(), &size, blocks.data(),
                             static_cast<int>(blocks.size())),
            1);
  out.resize(static_cast<std::size_t>(size));
  return out;
}

SmHost::SmHost(ByteView shared, ByteView challenge)
    : encryption_key_(exclusive_or(shared.first(16), challenge.first(16))),
      mac_key_(exclusive_or(shared.subspan(24, 16), challenge.subspan(16, 16))) {}

Bytes SmHost::mac_of(ByteView header, ByteView objects) {
  for (std::size_t i = 8; i-- > 0 && ++counter_[i] == 0;) {
  }
  Bytes text = counter_;
  if (!header.empty()) append(text, pad(header));
  if (!objects.empty()) append(text, pad(objects));
  // Single DES by 3DES with one key twice.
  Bytes single = copy_of(ByteView(mac_key_).first(8));
  append(single, ByteView(mac_key_).first(8));
  Bytes last = copy_of(ByteView(text).last(8));
  if (text.size() > 8) {
    const Bytes front = openssl_des3(single, ByteView(text).first(text.size() - 8), true);
    last = exclusive_or(last, ByteView(front).last(8));
  }
  return openssl_des3(mac_key_, last, true);
}

std::string SmHost::wrap(const std::string& command, const std::string& outer_le) {
  Bytes wire = *from_hex(command);
  const Bytes header{static_cast<std::uint8_t>(wire[0] | 0x0C), wire[1], wire[2], wire[3]};
  ByteView rest = ByteView(wire).subspan(4);
  std::string objects;
  if (rest.size() > 1) {
    Bytes body{0x01};
    append(body, openssl_des3(encryption_key_, pad(rest.subspan(1, rest[0])), true));
    objects += tlv("87", body);
    rest = rest.subspan(1 + rest[0]);
  }
  if (!rest.empty()) objects += tlv("97", rest.first(1));
  objects += "8E08" + to_hex(mac_of(header, *from_hex(objects)));
  return to_hex(header) + hex_byte(objects.size() / 2) + objects + outer_le;
}

std::string SmHost::unwrap(const std::string& answer) {
  constexpr std::size_t mac_part = 10, status_part = 4;
  const Bytes wire = *from_hex(answer);
  if (wire.size() < mac_part + status_part + 2) return "? bare " + answer;
  const ByteView all = ByteView(wire).first(wire.size() - 2);
  const ByteView authenticated = all.first(all.size() - mac_part);
  const auto mac_object = all.last(mac_part);
  if (mac_object[0] != 0x8E || mac_object[1] != 8 ||
      !equal(mac_object.subspan(2), mac_of({}, authenticated))) {
    return "? wrong MAC";
  }
  const auto status = authenticated.last(status_part);
  if (status[0] != 0x99 || status[1] != 2 || !equal(status.last(2), ByteView(wire).last(2))) {
    return "? another status";
  }
  ByteView body = authenticated.first(authenticated.size() - status_part);
  if (body.empty()) return to_hex(status.last(2));
  const std::size_t head = body[1] == 0x82 ? 4 : body[1] == 0x81 ? 3 : 2;
  if (body[0] != 0x87 || body[head] != 0x01) return "? no 87";
  Bytes text = openssl_des3(encryption_key_, body.subspan(head + 1), false);
  while (!text.empty() && text.back() == 0)
    text.pop_back();
  if (text.empty() || text.back() != 0x80) return "? padding";
  text.pop_back();
  return to_hex(text) + to_hex(status.last(2));
}

}  // namespace kilt::sim::test
