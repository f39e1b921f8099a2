// SPDX-License-Identifier: Apache-2.0
// RSA on the eToken, judged by OpenSSL [facts etoken §5.5].
#include "tests/sim/etoken72k_host.hpp"

namespace kilt::sim::test {
namespace {

/// EMSA-PKCS1-v1_5 as a host makes it: below any modulus of its size.
Bytes block_of(std::size_t size) {
  Bytes block(size, 0xFF);
  block[0] = 0x00;
  block[1] = 0x01;
  block[size - 33] = 0x00;
  return block;
}

class EtokenKeys : public testing::Test {
 public:
  void SetUp() override { EXPECT_EQ(card.log_in(), "9000"); }

  void expect_signs(const std::string& id, std::size_t size) {
    const auto key = card.public_key(id);
    ASSERT_EQ(key.modulus.size(), size);
    const Bytes block = block_of(size);
    const Bytes signature = card.private_operation(id, block);
    ASSERT_EQ(signature.size(), size);
    EXPECT_EQ(rsa_public_operation(key.modulus, key.exponent, signature), block);
  }

  EtokenCard card;
};

TEST_F(EtokenKeys, GeneratedOneOf2048BitsSignsInOneExtendedApdu) {
  card.generate("3001", generate_2048);
  const auto key = card.public_key("3001");
  EXPECT_EQ(to_hex(key.exponent), "010001");
  ASSERT_EQ(key.modulus.size(), 256u);
  EXPECT_EQ(card.send("00 A4 08 0C 08 6666500002203001"), "9000");
  const Bytes block = block_of(256);
  const std::string answer =
      card.send("80 0C 03 31 00 01 04 10 FF 01 00" + to_hex(block) + "00 00");
  EXPECT_EQ(answer.substr(0, 8), "10FF0100");
  const Bytes signature = *from_hex(answer.substr(8, 512));
  EXPECT_EQ(answer.substr(520), "9000");
  EXPECT_EQ(rsa_public_operation(key.modulus, key.exponent, signature), block);
  // One login serves many [§5.5].
  expect_signs("3001", 256);
}

TEST_F(EtokenKeys, GeneratedOneOf1024BitsFitsAShortApdu) {
  card.generate("3001");
  expect_signs("3001", 128);
  EXPECT_EQ(card.send(select_path("6666500002203001")), "9000");
  const std::string block = to_hex(block_of(128));
  EXPECT_EQ(card.send("80 0C 03 31 82 1080" + block + "82").substr(0, 4), "1080");
  EXPECT_EQ(card.send("80 0C 03 31 84 10FF0080" + block + "00").substr(0, 4), "1080");
  EXPECT_EQ(card.send("80 0C 03 31 82 1080" + block + "81"), "6700");
  EXPECT_EQ(card.send("80 0C 03 31 82 1080" + block), "6700");
}

TEST_F(EtokenKeys, InputIsChecked) {
  card.generate("3001");
  EXPECT_EQ(card.send(command("80 0C 03 31", simple_tlv("10", Bytes(128, 0xFF))) + "00"), "6A80")
      << "not below the modulus";
  EXPECT_EQ(
      card.send(command("80 0C 03 31", simple_tlv("10", card.public_key("3001").modulus)) + "00"),
      "6985")
      << "the public key's file is selected";
  EXPECT_EQ(card.send(select_path("6666500002203001")), "9000");
  for (const std::size_t size : {0u, 127u, 129u}) {
    EXPECT_EQ(card.send(command("80 0C 03 31", simple_tlv("10", Bytes(size))) + "00"), "6A80");
  }
  const std::string good = simple_tlv("10", block_of(128));
  EXPECT_EQ(card.send(command("80 0C 03 31", good + "1000") + "00"), "6A80");
  EXPECT_EQ(card.send(command("80 0C 12 31", good) + "00"), "6A86");
  EXPECT_EQ(card.send(command("80 0C 03 30", good) + "00"), "6A86");
  EXPECT_EQ(card.send(select_path("666650000220")), "9000");
  EXPECT_EQ(card.send(command("80 0C 03 31", good) + "00"), "6985") << "no key object";
}

TEST_F(EtokenKeys, NeedALogin) {
  card.generate("3001");
  card.send(select_applet);
  EXPECT_EQ(card.send(select_path("6666500002203001")), "9000");
  const std::string sign = command("80 0C 03 31", simple_tlv("10", block_of(128))) + "00";
  EXPECT_EQ(card.send(sign), "6982");
  EXPECT_EQ(card.log_in(), "9000");
  EXPECT_EQ(card.send(select_path("6666500002203001")), "9000");
  EXPECT_EQ(card.sw(sign), "9000");
  EXPECT_EQ(card.sw(sign), "9000") << "is not used up";
  EXPECT_EQ(card.log_in(so_pin, so_role), "9000");
  EXPECT_EQ(card.send(select_path("6666500002203001")), "9000");
  EXPECT_EQ(card.send(sign), "6982");
  EXPECT_EQ(card.send(generate_1024), "6982");
}

TEST_F(EtokenKeys, ThePrivateKeyIsNowhereToBeSeen) {
  card.generate("3001");
  EXPECT_EQ(card.send("80 01 00 00 04 09020000 00"), "0A0200029000");
  for (const char* id : {"FFFF", "0001", "0003"}) {
    EXPECT_EQ(card.send(select_path(std::string("6666500002203001") + id)), "6A82") << id;
  }
  EXPECT_EQ(card.send(select_path("66665000022030010002")), "9000");
  EXPECT_EQ(card.send(write_at(0, Bytes{0})), "6982");
  EXPECT_EQ(card.send("80 E4 00 00"), "6982") << "the public key goes with its object";
}

TEST_F(EtokenKeys, GenerationNeedsAnEmptyKeyObject) {
  card.generate("3001");
  EXPECT_EQ(card.send(generate_1024), "6985") << "never over an existing key";
  EXPECT_EQ(card.send(select_path("666650000220")), "9000");
  EXPECT_EQ(card.send(generate_1024), "6985");
  EXPECT_EQ(card.send(create_df("2001")), "9000");
  EXPECT_EQ(card.send(generate_1024), "6985") << "20xx is no key object";
  EXPECT_EQ(card.send(select_path("666650000220")), "9000");
  EXPECT_EQ(card.send(create_df("3002")), "9000");
  for (const char* data : {"09 03020600 1203010001", "09 03020401 1203010001", "07 03020400 120103",
                           "09 03020400 1203010003", "04 03020400", "09 1203010001 03020400",
                           "0B 03020400 1203010001 1000"}) {
    EXPECT_EQ(card.send(std::string("80 46 00 31") + data), "6A80") << data;
  }
  EXPECT_EQ(card.send("80 46 01 31 09 03020400 1203010001"), "6A86");
  EXPECT_EQ(card.send(generate_1024), "9000");
  EXPECT_NE(card.public_key("3001").modulus, card.public_key("3002").modulus);
}

TEST_F(EtokenKeys, OneOfAKeyObjectCanBeDeleted) {
  card.generate("3001");
  EXPECT_EQ(card.send(select_path("6666500002203001")), "9000");
  EXPECT_EQ(card.send("80 E4 00 00"), "9000");
  EXPECT_EQ(card.send(select_path("6666500002203001")), "6A82");
  card.generate("3001");
  expect_signs("3001", 128);
}

// ---- import

struct Part {
  const char* tag;
  Bytes value;
};

std::vector<Part> parts_of(const ForeignRsaKey& key) {
  return {{"12", key.e},  {"13", key.p},  {"14", key.q},
          {"15", key.dp}, {"16", key.dq}, {"17", key.qinv}};
}

std::string import_parts(EtokenCard& card, const std::vector<Part>& parts) {
  for (std::size_t i = 0; i < parts.size(); ++i) {
    const bool last = i + 1 == parts.size();
    const std::string word = card.send(
        command(last ? "80 DB 01 31" : "80 DB 00 31", simple_tlv(parts[i].tag, parts[i].value)));
    if (last || word != "9000") return word;
  }
  return "";
}

TEST_F(EtokenKeys, ImportedOneSigns) {
  for (const unsigned bits : {1024u, 2048u}) {
    const auto key = foreign_rsa_key(bits);
    const std::string id = bits == 1024 ? "3001" : "3002";
    EXPECT_EQ(card.send(select_path("666650000220")), "9000");
    EXPECT_EQ(card.send(create_df(id)), "9000");
    EXPECT_EQ(import_parts(card, parts_of(key)), "9000");
    EXPECT_EQ(card.public_key(id).modulus, key.n);
    EXPECT_EQ(card.public_key(id).exponent, key.e);
    expect_signs(id, bits / 8);
  }
}

TEST_F(EtokenKeys, ImportTakesAnExponentPaddedLikeTheOthers) {
  const auto key = foreign_rsa_key(1024);
  auto parts = parts_of(key);
  parts[0].value.insert(parts[0].value.begin(), 61, 0x00);
  EXPECT_EQ(card.send(select_path("666650000220")), "9000");
  EXPECT_EQ(card.send(create_df("3001")), "9000");
  EXPECT_EQ(import_parts(card, parts), "9000");
  EXPECT_EQ(card.public_key("3001").exponent, key.e);
}

/// Made by OpenSSL; one of its exponents begins with a zero byte, which is kept on the wire.
ForeignRsaKey key_with_a_short_part() {
  const char* const n =
      "998DCA60F1FF0A315794CEE22569C1A298EEFF491ACEE90A8A322CE513B22814BA1824795A47"
      "D21195242CD476C0A93FEBB001EDB955ED00DD57CF8E6F4CD89BFCCF550FFEDEAD52B111B01F"
      "CB03AABBA59489FC6A3E551F1A831EF63BDDB583A68C31779AE2538164986FDCB7384C1B0307"
      "7CE90554BF9766FE32E10B6066BD";
  const char* const e = "010001";
  const char* const p =
      "CBDA3588668B5D311868E011413BF7666D91CC52F975B3320F47CBE9D8B40299002B1ECB247F"
      "077A9EAF3C63880F0A9D5DBC7E1D6A08228257C1BC477B7E1859";
  const char* const q =
      "C0D5A7DDF9073BDAA926D85EBC4F6E8D860300A362EF62BF8EFF445AF7384E74DB0F75651354"
      "43B7C12C5D013513BDA0414EE550EC386B4AA227BA1009EBB505";
  const char* const dp =
      "4A77E35879C56D7CD2E2F4FFB8A9F45DC9A71A5231692AD61DB8E7A7FC8EFDE7F0A4CFF1FBDA"
      "1FDC4E7DCB7CBCA66A0544C9E7F44CD8BDEA89AE6F5E59A19DB9";
  const char* const dq =
      "00EC8523612011BF587421314301B66BE32A7C844BE30DBC113953E083B2B75D83F72CFED0FA"
      "E4602B02C5674E13CC22CA6D5057F4E9C849D1411379243306E9";
  const char* const qinv =
      "AB7D5A7E067126D6E5EF54E56563AFE98692DD555EF5EF5EA7F43897EF312F6A79EEABC4AF47"
      "D07AF2606FE756F33E767683A2AD5534417605FB14AB87A32391";
  ForeignRsaKey key;
  key.n = *from_hex(n);
  key.e = *from_hex(e);
  key.p = *from_hex(p);
  key.q = *from_hex(q);
  key.dp = *from_hex(dp);
  key.dq = *from_hex(dq);
  key.qinv = *from_hex(qinv);
  return key;
}

TEST_F(EtokenKeys, ImportedPartsMayBeginWithZeroButNotBeShort) {
  const auto key = key_with_a_short_part();
  auto parts = parts_of(key);
  EXPECT_EQ(card.send(select_path("666650000220")), "9000");
  EXPECT_EQ(card.send(create_df("3001")), "9000");
  int short_ones = 0;
  for (std::size_t i = 3; i < parts.size(); ++i) {
    if (parts[i].value[0] != 0) continue;
    ++short_ones;
    auto wrong = parts;
    wrong[i].value.erase(wrong[i].value.begin());
    EXPECT_EQ(import_parts(card, wrong), "6A80");
  }
  EXPECT_GT(short_ones, 0);
  EXPECT_EQ(import_parts(card, parts), "9000");
  expect_signs("3001", 128);
}

TEST_F(EtokenKeys, ImportIsStrict) {
  const auto key = foreign_rsa_key(1024);
  const auto other = foreign_rsa_key(1024);
  const auto parts = parts_of(key);
  EXPECT_EQ(card.send(select_path("666650000220")), "9000");
  EXPECT_EQ(import_parts(card, parts), "6985") << "no key object";
  EXPECT_EQ(card.send(create_df("3001")), "9000");

  auto wrong = parts;
  wrong[2].value = other.q;
  EXPECT_EQ(import_parts(card, wrong), "6A80") << "parts of two keys";
  wrong = parts;
  wrong[0].value = {0x03};
  EXPECT_EQ(import_parts(card, wrong), "6A80") << "another exponent";
  EXPECT_EQ(import_parts(card, {parts.begin() + 1, parts.end()}), "6A80") << "one is missing";
  EXPECT_EQ(import_parts(card, {parts[0], parts[1], parts[1]}), "6A80") << "one came twice";
  EXPECT_EQ(import_parts(card, {{"18", key.e}}), "6A80");
  EXPECT_EQ(card.send(command("80 DB 00 31", simple_tlv("12", key.e) + simple_tlv("13", key.p))),
            "6A80")
      << "one part in a command";

  // Any other command in between begins it anew.
  EXPECT_EQ(card.send(command("80 DB 00 31", simple_tlv("12", key.e))), "9000");
  card.challenge();
  EXPECT_EQ(import_parts(card, {parts.begin() + 1, parts.end()}), "6A80");
  EXPECT_EQ(card.send("80 01 00 00 04 09020000 00"), "0A009000") << "and nothing was kept";
  EXPECT_EQ(import_parts(card, parts), "9000");
  EXPECT_EQ(import_parts(card, parts), "6985") << "not over a key";
}

// ---- the younger relative

TEST(Etoken5110, ReadsButDoesNotSignWithoutSecureMessaging) {
  EtokenCard card("etoken5110");
  EXPECT_EQ(card.log_in(), "9000");
  card.generate("3001");
  EXPECT_EQ(card.public_key("3001").modulus.size(), 128u);
  EXPECT_EQ(card.log_in(), "9000");
  EXPECT_EQ(card.send(select_path("6666500002203001")), "9000");
  EXPECT_EQ(card.send(command("80 0C 03 31", simple_tlv("10", block_of(128))) + "00"), "6982");
}

}  // namespace
}  // namespace kilt::sim::test
