// SPDX-License-Identifier: Apache-2.0
#include "tests/sim/etoken72k_host.hpp"

#include <openssl/evp.h>
#include <openssl/pkcs12.h>

#include <memory>

#include "apdu/tlv.hpp"

namespace kilt::sim::test {
namespace {

Bytes encrypt(const EVP_CIPHER* cipher, ByteView key, const std::uint8_t* iv, ByteView plain) {
  const std::unique_ptr<EVP_CIPHER_CTX, decltype(&EVP_CIPHER_CTX_free)> context(
      EVP_CIPHER_CTX_new(), EVP_CIPHER_CTX_free);
  Bytes out(plain.size() + 8);
  int size = 0;
  EXPECT_EQ(EVP_EncryptInit_ex(context.get(), cipher, nullptr, key.data(), iv), 1);
  EXPECT_EQ(EVP_CIPHER_CTX_set_padding(context.get(), 0), 1);
  EXPECT_EQ(EVP_EncryptUpdate(context.get(), out.data(), &size, plain.data(),
                              static_cast<int>(plain.size())),
            1);
  out.resize(static_cast<std::size_t>(size));
  return out;
}

}  // namespace

Bytes openssl_login_key(const std::string& pin, ByteView salt) {
  Bytes unicode;
  for (const char c : pin)
    append(unicode, {0x00, static_cast<std::uint8_t>(c)});
  append(unicode, {0x00, 0x00});
  Bytes own_salt = copy_of(salt);
  Bytes key(24);
  EXPECT_EQ(PKCS12_key_gen_uni(unicode.data(), static_cast<int>(unicode.size()), own_salt.data(),
                               static_cast<int>(own_salt.size()), PKCS12_MAC_ID, 999,
                               static_cast<int>(key.size()), key.data(), EVP_sha1()),
            1);
  return key;
}

Bytes openssl_des3_ecb(ByteView key, ByteView block) {
  return encrypt(EVP_des_ede3_ecb(), key, nullptr, block);
}

Bytes openssl_des3_cbc(ByteView key, ByteView iv, ByteView plain) {
  return encrypt(EVP_des_ede3_cbc(), key, iv.data(), plain);
}

Bytes data_of(const std::string& answer) {
  if (!answer.ends_with("9000")) {
    ADD_FAILURE() << "answer " << answer;
    return {};
  }
  return *from_hex(answer.substr(0, answer.size() - 4));
}

std::string simple_tlv(const std::string& tag, ByteView value) {
  Bytes object;
  apdu::append_simple_tlv(object, (*from_hex(tag))[0], value);
  return to_hex(object);
}

std::string command(const std::string& header, const std::string& body_hex) {
  const Bytes body = *from_hex(body_hex);
  const std::string length =
      body.size() <= 255 ? hex_byte(body.size()) : "00" + hex_be16(body.size());
  return header + length + to_hex(body);
}

std::string create_df(const std::string& id, const std::string& acl) {
  return command("80 E0 00 00", "010101 0202" + id + "03020000 0408" + acl);
}

std::string create_ef(const std::string& id, std::size_t size, const std::string& acl) {
  return command("80 E0 00 00", "010102 0202" + id + "0302" + hex_be16(size) + "0408" + acl);
}

std::string write_at(std::size_t offset, ByteView part) {
  return command("80 15 00 00", "0E02" + hex_be16(offset) + simple_tlv("10", part));
}

std::string read_at(std::size_t offset, const std::string& le) {
  return "80 18 00 00 04 0E02" + hex_be16(offset) + le;
}

std::string select_path(const std::string& path) {
  return command("00 A4 08 0C", path);
}

EtokenCard::EtokenCard(const char* profile, bool blank, std::size_t memory)
    : TestCard(profile, blank, memory) {
  EXPECT_EQ(sw(select_applet), "9000");
}

EtokenCard::EtokenCard(Nvram& nvram, const char* profile, const ChipOptions& options)
    : TestCard(nvram, profile, options) {
  EXPECT_EQ(sw(select_applet), "9000");
}

Bytes EtokenCard::challenge() {
  return data_of(send("80 17 00 00 08"));
}

const Bytes& EtokenCard::salt(const std::string& role) {
  auto& salt = salts_[role];
  if (salt.empty()) {
    EXPECT_EQ(send(select_path(role == user_role ? "66665000000F" : "66665000000E")), "9000");
    salt = data_of(send(read_at(0, "14")));
    EXPECT_EQ(salt.size(), 20u);
  }
  return salt;
}

Bytes EtokenCard::login_key(const std::string& pin, const std::string& role) {
  return openssl_login_key(pin, salt(role));
}

std::string EtokenCard::log_in(const std::string& pin, const std::string& role) {
  const Bytes key = login_key(pin, role);
  return send("80 11 00" + role + "0A 1008" + to_hex(openssl_des3_ecb(key, challenge())));
}

std::string EtokenCard::log_in_wrongly(const std::string& role) {
  challenge();
  return send("80 11 00" + role + "0A 1008 0102030405060708");
}

std::string EtokenCard::new_credential(ByteView new_salt, const std::string& new_pin,
                                       ByteView wrapping_key) {
  const Bytes key = openssl_login_key(new_pin, new_salt);
  return "0F14" + to_hex(new_salt) + "1018" +
         to_hex(openssl_des3_cbc(wrapping_key, challenge(), key));
}

void EtokenCard::generate(const std::string& id, const char* command) {
  EXPECT_EQ(send(select_path("666650000220")), "9000");
  EXPECT_EQ(send(create_df(id)), "9000");
  EXPECT_EQ(send(command), "9000");
}

EtokenCard::PublicKey EtokenCard::public_key(const std::string& id) {
  EXPECT_EQ(send(select_path("666650000220" + id + "0002")), "9000");
  Bytes body = data_of(send(read_at(0)));
  while (body.size() % 256 == 0 && body.size() < 512) {
    const Bytes more = data_of(send(read_at(body.size())));
    if (more.empty()) break;
    append(body, more);
  }
  ByteView rest = body;
  const auto modulus = apdu::read_simple_tlv(rest);
  if (!modulus) return {};
  const auto exponent = apdu::read_simple_tlv(rest);
  if (!exponent) return {};
  EXPECT_TRUE(rest.empty());
  EXPECT_EQ(modulus->tag, 0x11u);
  EXPECT_EQ(exponent->tag, 0x12u);
  return {copy_of(modulus->value), copy_of(exponent->value)};
}

Bytes EtokenCard::private_operation(const std::string& id, ByteView block) {
  EXPECT_EQ(send(select_path("666650000220" + id)), "9000");
  const std::string le = block.size() < 255 ? "00" : "0000";
  Bytes answer =
      data_of(send(kilt::sim::test::command("80 0C 03 31", simple_tlv("10", block)) + le));
  ByteView rest = answer;
  const auto object = apdu::read_simple_tlv(rest);
  if (!object) return {};
  EXPECT_TRUE(rest.empty());
  EXPECT_EQ(object->tag, 0x10u);
  return copy_of(object->value);
}

}  // namespace kilt::sim::test
