// SPDX-License-Identifier: Apache-2.0
#include "drivers/laser_sm.hpp"

#include <mbedtls/des.h>
#include <mbedtls/md.h>

#include <algorithm>

#include "apdu/tlv.hpp"
#include "drivers/bignum.hpp"

namespace kilt::card::laser {
namespace {

constexpr std::size_t block_size = 8, key_size = 16;
constexpr std::size_t modulus_min_bits = 512, modulus_max_bits = 2048;
constexpr std::uint32_t cryptogram_tag = 0x87, le_tag = 0x97, status_tag = 0x99, mac_tag = 0x8E;
constexpr std::uint8_t padded_indicator = 0x01, protected_class = 0x0C;
constexpr std::size_t short_body_max = 255;

Error cipher_failed() {
  return {ErrorKind::internal, "mbedTLS refused a number or a key of secure messaging"};
}

/// 2 <= value <= N-2: values outside give the shared secret away.
bool is_safe(Number& value, Number& modulus) {
  Number most;
  return value.ok() && mbedtls_mpi_sub_int(*most, *modulus, 2) == 0 &&
         mbedtls_mpi_cmp_int(*value, 2) >= 0 && mbedtls_mpi_cmp_mpi(*value, *most) <= 0;
}

/// Two-key 3DES-CBC over whole blocks.
bool triple_des(ByteView key, bool encrypt, std::array<std::uint8_t, block_size> iv, ByteView in,
                std::uint8_t* out) {
  mbedtls_des3_context des;
  mbedtls_des3_init(&des);
  const bool ok = (encrypt ? mbedtls_des3_set2key_enc(&des, key.data())
                           : mbedtls_des3_set2key_dec(&des, key.data())) == 0 &&
                  mbedtls_des3_crypt_cbc(&des, encrypt ? MBEDTLS_DES_ENCRYPT : MBEDTLS_DES_DECRYPT,
                                         in.size(), iv.data(), in.data(), out) == 0;
  mbedtls_des3_free(&des);
  return ok;
}

/// [ISO/IEC 9797-1, algorithm 3]: DES-CBC with the first half of the key, the last block by 3DES.
bool retail_mac(ByteView key, ByteView padded, std::array<std::uint8_t, block_size>& mac) {
  std::array<std::uint8_t, block_size> chain{};
  const std::size_t but_last = padded.size() - block_size;
  if (but_last > 0) {
    Bytes scratch(but_last);
    mbedtls_des_context des;
    mbedtls_des_init(&des);
    const bool ok = mbedtls_des_setkey_enc(&des, key.data()) == 0 &&
                    mbedtls_des_crypt_cbc(&des, MBEDTLS_DES_ENCRYPT, but_last, chain.data(),
                                          padded.data(), scratch.data()) == 0;
    mbedtls_des_free(&des);
    if (!ok) return false;
  }
  return triple_des(key, true, chain, padded.subspan(but_last), mac.data());
}

/// 80 and zeros up to whole blocks [7816-4 §10.2.3.1].
void pad(Bytes& bytes) {
  bytes.push_back(0x80);
  bytes.resize((bytes.size() + block_size - 1) / block_size * block_size);
}

Bytes tlv(std::uint32_t tag, ByteView value) {
  apdu::BerWriter writer;
  writer.put(tag, value);
  return std::move(writer).bytes();
}

}  // namespace

Result<DhParameters> parse_dh_parameters(ByteView answer) {
  const std::string what = "reading the card's parameters for secure messaging";
  apdu::BerReader reader(answer);
  auto generator = reader.expect(0x80);
  if (!generator) return generator.take_error().within(what);
  auto modulus = reader.expect(0x81);
  if (!modulus) return modulus.take_error().within(what);
  auto card_public = reader.expect(0x82);
  if (!card_public) return card_public.take_error().within(what);
  if (auto end = reader.finish(); !end) return end.take_error().within(what);
  Number g(generator->value), n(modulus->value), y(card_public->value);
  if (!n.ok() || n.bits() < modulus_min_bits || n.bits() > modulus_max_bits || !n.odd() ||
      !is_safe(g, n) || !is_safe(y, n)) {
    return Error{ErrorKind::protocol,
                 "the card offers a Diffie-Hellman group or value that is not safe"};
  }
  return DhParameters{copy_of(generator->value), copy_of(modulus->value),
                      copy_of(card_public->value)};
}

Result<DhAgreement> agree(const DhParameters& parameters, ByteView exponent) {
  constexpr std::size_t least_randomness = 16;
  if (exponent.size() < least_randomness) {
    return Error{ErrorKind::bad_argument, "a Diffie-Hellman exponent needs 16 bytes or more"};
  }
  Number g(parameters.generator), n(parameters.modulus), y(parameters.card_public), x(exponent);
  Number ours, shared;
  if (!g.ok() || !n.ok() || !y.ok() || !x.ok() ||
      mbedtls_mpi_exp_mod(*ours, *g, *x, *n, nullptr) != 0 ||
      mbedtls_mpi_exp_mod(*shared, *y, *x, *n, nullptr) != 0) {
    return cipher_failed();
  }
  DhAgreement made;
  // Quirk: our value goes without left padding, the shared one is padded [facts jacarta A16 #28].
  made.public_value.resize(ours.size());
  made.shared = SecretBytes(n.size());
  made.shared.resize(n.size());
  if (mbedtls_mpi_write_binary(*ours, made.public_value.data(), made.public_value.size()) != 0 ||
      mbedtls_mpi_write_binary(*shared, made.shared.data(), made.shared.size()) != 0) {
    return cipher_failed();
  }
  return made;
}

Result<SessionKeys> derive_keys(ByteView shared, ByteView challenge) {
  constexpr std::size_t mac_offset = 24;
  if (challenge.size() != challenge_size) {
    return Error{ErrorKind::protocol, "the card's challenge for secure messaging has " +
                                          std::to_string(challenge.size()) + " bytes, not 32"};
  }
  if (shared.size() < mac_offset + key_size) {
    return Error{ErrorKind::protocol, "the shared secret is too short for two keys"};
  }
  const auto key = [&](std::size_t from, std::size_t challenge_from) {
    SecretBytes made(key_size);
    for (std::size_t i = 0; i < key_size; ++i)
      made.append({static_cast<std::uint8_t>(shared[from + i] ^ challenge[challenge_from + i])});
    return made;
  };
  return SessionKeys{key(0, 0), key(mac_offset, key_size)};
}

Result<Bytes> verify_cryptogram(ByteView pin, ByteView host_random, ByteView card_challenge) {
  if (host_random.size() != block_size || card_challenge.size() != block_size) {
    return Error{ErrorKind::protocol, "secure VERIFY takes 8 random bytes of each side"};
  }
  constexpr std::size_t sha1_size = 20;
  SecretBytes key(sha1_size);
  key.resize(sha1_size);
  if (mbedtls_md(mbedtls_md_info_from_type(MBEDTLS_MD_SHA1), pin.data(), pin.size(), key.data()) !=
      0) {
    return cipher_failed();
  }
  Bytes plain = copy_of(host_random);
  append(plain, card_challenge);
  Bytes cryptogram(plain.size());
  if (!triple_des(key.view().first(key_size), true, {}, plain, cryptogram.data()))
    return cipher_failed();
  return cryptogram;
}

Result<SecureChannel::Block> SecureChannel::mac_over(const Bytes& first, ByteView second) {
  Bytes input;
  for (int shift = 56; shift >= 0; shift -= 8)
    input.push_back(static_cast<std::uint8_t>(counter_ >> shift));
  if (!first.empty()) {
    append(input, first);
    pad(input);
  }
  if (!second.empty()) {
    append(input, second);
    pad(input);
  }
  Block mac;
  if (!retail_mac(keys_.mac.view(), input, mac)) return cipher_failed();
  return mac;
}

Result<apdu::CommandApdu> SecureChannel::wrap(const apdu::CommandApdu& plain) {
  Bytes objects;
  if (!plain.body().empty()) {
    SecretBytes padded(plain.body().size() + block_size);
    padded.append(plain.body());
    padded.append({0x80});
    padded.resize((padded.size() + block_size - 1) / block_size * block_size);
    Bytes value(1 + padded.size(), padded_indicator);
    if (!triple_des(keys_.encryption.view(), true, {}, padded.view(), value.data() + 1))
      return cipher_failed();
    append(objects, tlv(cryptogram_tag, value));
  }
  // Quirk: over T=0 a command with data has no Le of its own to protect.
  if (plain.ne() && !(t0_ && !plain.body().empty())) {
    append(objects, tlv(le_tag, Bytes{static_cast<std::uint8_t>(*plain.ne())}));
  }
  const auto cla = static_cast<std::uint8_t>(plain.cla() | protected_class);
  ++counter_;
  auto mac = mac_over({cla, plain.ins(), plain.p1(), plain.p2()}, objects);
  if (!mac) return mac.take_error();
  append(objects, tlv(mac_tag, *mac));
  if (objects.size() > short_body_max) {
    --counter_;  // it is not sent
    return Error{ErrorKind::bad_argument, "a command is too long for secure messaging"};
  }
  apdu::CommandApdu made(cla, plain.ins(), plain.p1(), plain.p2());
  if (plain.is_secret()) {
    made.secret(SecretBytes::copy_of(objects));
  } else {
    made.data(std::move(objects));
  }
  // The outer Le is 00 always [facts jacarta A16 #29].
  made.expect(apdu::CommandApdu::le_max_short);
  return made;
}

Result<Bytes> SecureChannel::decrypt(ByteView object) {
  const Error broken{ErrorKind::protocol, "a protected answer with a cryptogram of a wrong shape"};
  if (object.empty() || object[0] != padded_indicator) return broken;
  const ByteView cryptogram = object.subspan(1);
  if (cryptogram.empty() || cryptogram.size() % block_size != 0) return broken;
  Bytes plain(cryptogram.size());
  if (!triple_des(keys_.encryption.view(), false, {}, cryptogram, plain.data()))
    return cipher_failed();
  while (!plain.empty() && plain.back() == 0)
    plain.pop_back();
  if (plain.empty() || plain.back() != 0x80) return broken;
  plain.pop_back();
  return plain;
}

Result<apdu::ResponseApdu> SecureChannel::unwrap(const apdu::ResponseApdu& wrapped) {
  const auto broken = [&](const char* why) {
    return Error{ErrorKind::protocol, std::string("secure messaging: ") + why,
                 wrapped.status.value};
  };
  if (wrapped.data.empty()) return broken("the card answers without protection");
  apdu::BerReader reader(wrapped.data);
  auto cryptogram = reader.optional(cryptogram_tag);
  if (!cryptogram) return cryptogram.take_error().within("secure messaging");
  auto status = reader.expect(status_tag);
  if (!status) return status.take_error().within("secure messaging");
  auto mac = reader.expect(mac_tag);
  if (!mac) return mac.take_error().within("secure messaging");
  if (auto end = reader.finish(); !end) return end.take_error().within("secure messaging");
  if (status->value.size() != 2 || mac->value.size() != block_size)
    return broken("the status word or the MAC has a wrong length");
  Bytes covered;
  if (*cryptogram) append(covered, (*cryptogram)->whole);
  append(covered, status->whole);
  ++counter_;
  auto expected = mac_over({}, covered);
  if (!expected) return expected.take_error();
  if (!SecretBytes::copy_of(*expected).equals(mac->value)) {
    return Error{ErrorKind::verify_failed, "secure messaging: the card's MAC is wrong",
                 wrapped.status.value};
  }
  apdu::ResponseApdu plain;
  plain.status.value = be16(status->value[0], status->value[1]);
  if (plain.status.value != wrapped.status.value)
    return broken("the protected status word is not the one outside");
  if (*cryptogram) {
    auto data = decrypt((*cryptogram)->value);
    if (!data) return data.take_error();
    plain.data = std::move(*data);
  }
  return plain;
}

}  // namespace kilt::card::laser
