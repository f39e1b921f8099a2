// SPDX-License-Identifier: Apache-2.0
#include "tests/sim/kzid_test_card.hpp"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <openssl/rsa.h>

#include <memory>

namespace kilt::sim::test {
namespace kzid_commands {

std::string generate(std::uint8_t key) {
  return "00 46 02 00 05 A4 03 84 01" + hex_byte(0x80u | key) + "00";
}
std::string get_modulus(std::uint8_t key) {
  return "00 CB 3F FF 0B 4D 09 FF A0" + hex_byte(key) + "05 7F 49 02 81 00";
}
std::string get_modulus_and_exponent(std::uint8_t key) {
  return "00 CB 3F FF 0D 4D 0B FF A0" + hex_byte(key) + "07 7F 49 04 81 00 82 00";
}
std::string set_key(std::uint8_t key) {
  return "00 22 41 A4 09 95 01 40 84 01" + hex_byte(0x80u | key) + "80 01 02";
}
std::string sign(const std::string& input) {
  return "00 88 02 00" + hex_byte(from_hex(input)->size()) + input;
}
std::string delete_key(std::uint8_t key) {
  return "00 EE 3F FF 05 4D 03 FF A0" + hex_byte(key);
}
std::string create_ef(std::size_t size, std::size_t id) {
  return "00 E0 00 00 0D 62 0B 80 02" + hex_be16(size) + "82 01 01 83 02" + hex_be16(id);
}

}  // namespace kzid_commands

namespace {

using Key = std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)>;
using Context = std::unique_ptr<EVP_PKEY_CTX, decltype(&EVP_PKEY_CTX_free)>;

Key public_key(ByteView modulus) {
  constexpr unsigned exponent = 65537;
  const std::unique_ptr<BIGNUM, decltype(&BN_free)> n(
      BN_bin2bn(modulus.data(), static_cast<int>(modulus.size()), nullptr), BN_free);
  const std::unique_ptr<OSSL_PARAM_BLD, decltype(&OSSL_PARAM_BLD_free)> builder(
      OSSL_PARAM_BLD_new(), OSSL_PARAM_BLD_free);
  OSSL_PARAM_BLD_push_BN(builder.get(), OSSL_PKEY_PARAM_RSA_N, n.get());
  OSSL_PARAM_BLD_push_uint(builder.get(), OSSL_PKEY_PARAM_RSA_E, exponent);
  const std::unique_ptr<OSSL_PARAM, decltype(&OSSL_PARAM_free)> params(
      OSSL_PARAM_BLD_to_param(builder.get()), OSSL_PARAM_free);
  const Context context(EVP_PKEY_CTX_new_from_name(nullptr, "RSA", nullptr), EVP_PKEY_CTX_free);
  EVP_PKEY* key = nullptr;
  EVP_PKEY_fromdata_init(context.get());
  EXPECT_EQ(EVP_PKEY_fromdata(context.get(), &key, EVP_PKEY_PUBLIC_KEY, params.get()), 1);
  return {key, EVP_PKEY_free};
}

}  // namespace

std::string KzidCard::exchange(const std::string& hex) {
  std::string answer = send(hex);
  if (answer.size() == 4 && answer.starts_with("6C")) {
    const std::string command = to_hex(*from_hex(hex)).substr(0, 8);
    answer = send(command + answer.substr(2));
  }
  for (int pieces = 0; pieces < 16; ++pieces) {
    const std::string status = answer.size() < 4 ? "" : answer.substr(answer.size() - 4);
    if (!status.starts_with("61")) break;
    answer.resize(answer.size() - 4);
    answer += send("00 C0 00 00" + status.substr(2));
  }
  return answer;
}

Bytes KzidCard::data(const std::string& hex) {
  const std::string answer = exchange(hex);
  if (!answer.ends_with("9000")) {
    ADD_FAILURE() << hex << " is answered " << answer;
    return {};
  }
  return *from_hex(answer.substr(0, answer.size() - 4));
}

void KzidCard::enter() {
  EXPECT_EQ(send(kzid_commands::select_mf), "9000");
  log_in();
  EXPECT_EQ(send(kzid_commands::select_df), "9000");
}

void KzidCard::load(std::uint8_t key, const ForeignRsaKey& value) {
  kzid::KeyObjects(nvram(), key)
      .store(key, {value.n, value.e}, {value.p, value.q, value.qinv, value.dp, value.dq});
}

Bytes KzidCard::modulus(std::uint8_t key) {
  constexpr std::size_t header = 15;
  const Bytes object = data(kzid_commands::get_modulus(key));
  EXPECT_EQ(object.size(), header + 256);
  return object.size() < header ? Bytes{} : copy_of(ByteView(object).subspan(header));
}

Bytes KzidCard::signature(std::uint8_t key, const std::string& input) {
  EXPECT_EQ(send(kzid_commands::set_key(key)), "9000");
  return data(kzid_commands::sign(input));
}

const ForeignRsaKey& foreign_key_2048() {
  static const auto& key = *new ForeignRsaKey(foreign_rsa_key(2048));
  return key;
}

Bytes recovered_by_openssl(ByteView modulus, ByteView signature) {
  const Key key = public_key(modulus);
  const Context context(EVP_PKEY_CTX_new(key.get(), nullptr), EVP_PKEY_CTX_free);
  EXPECT_EQ(EVP_PKEY_verify_recover_init(context.get()), 1);
  EXPECT_EQ(EVP_PKEY_CTX_set_rsa_padding(context.get(), RSA_PKCS1_PADDING), 1);
  Bytes recovered(modulus.size());
  std::size_t size = recovered.size();
  if (EVP_PKEY_verify_recover(context.get(), recovered.data(), &size, signature.data(),
                              signature.size()) != 1) {
    return {};
  }
  recovered.resize(size);
  return recovered;
}

bool openssl_verifies_sha1(ByteView modulus, ByteView text, ByteView signature) {
  const Key key = public_key(modulus);
  const std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context(EVP_MD_CTX_new(),
                                                                        EVP_MD_CTX_free);
  EXPECT_EQ(EVP_DigestVerifyInit(context.get(), nullptr, EVP_sha1(), nullptr, key.get()), 1);
  return EVP_DigestVerify(context.get(), signature.data(), signature.size(), text.data(),
                          text.size()) == 1;
}

}  // namespace kilt::sim::test
