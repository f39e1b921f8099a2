// SPDX-License-Identifier: Apache-2.0
// Keys: generated, loaded, used; judged by OpenSSL and its GOST engine
// [facts kaztoken §3.4, §4.3-§4.5, §10.1 #1-#3, #12, #25, #33, #34].
#include "firmware-sim/crypto.hpp"
#include "tests/sim/sim_card.hpp"
#include "tests/sim/witness.hpp"

namespace kilt::sim::test {
namespace {

const char* const mse_sign = "00 22 41 B6 03 840101";
const char* const mse_decipher = "00 22 41 B8 03 840101";
const char* const generate = "00 46 80 01 00";
const char* const select_private = "00 A4 08 0C 08 1000100060020001";
const char* const select_public = "00 A4 08 0C 08 1000100060010001";

/// An answer without its 9000, or nothing.
Bytes data_of(const std::string& answer) {
  if (!answer.ends_with("9000")) {
    ADD_FAILURE() << "answer " << answer;
    return {};
  }
  return *from_hex(answer.substr(0, answer.size() - 4));
}

class Keys : public testing::Test {
 public:
  void SetUp() override { card.log_in_user(); }

  /// The whole operation over the wire, big-endian in and out.
  Bytes pso(const char* p1p2, const Bytes& block) {
    const Bytes wire = reversed(block);
    const std::string hex = to_hex(wire);
    if (wire.size() <= 255) {
      return reversed(
          data_of(card.send(std::string("00 2A") + p1p2 + hex_byte(wire.size()) + hex + "00")));
    }
    EXPECT_EQ(card.send(std::string("10 2A") + p1p2 + "FF" + hex.substr(0, 510)), "9000");
    return reversed(data_of(card.send(std::string("00 2A") + p1p2 + hex_byte(wire.size() - 255) +
                                      hex.substr(510) + "00")));
  }
  static Bytes message(std::size_t size) {
    Bytes block(size, 0x5C);
    block[0] = 0x00;
    return block;
  }

  /// In blocks of 255 bytes, each with its A5 object [§10.1 #33].
  void load(ByteView value, const std::string& last_status = "9000") {
    Bytes block = *from_hex("8002" + hex_be16(value.size()));
    while (true) {
      const std::size_t room = std::min<std::size_t>(value.size(), 255 - block.size() - 2);
      append(block, {0xA5, static_cast<std::uint8_t>(room)});
      append(block, value.first(room));
      value = value.subspan(room);
      const std::string cla = value.empty() ? "00" : "10";
      EXPECT_EQ(card.send(cla + "24 01 00" + hex_byte(block.size()) + to_hex(block)),
                value.empty() ? last_status : "9000");
      if (value.empty()) return;
      block.clear();
    }
  }

  TestCard card;
};

Bytes private_value(const ForeignRsaKey& key) {
  Bytes value = reversed(key.p);
  append(value, {0, 0, 0, 0});
  append(value, reversed(key.q));
  append(value, {0, 0, 0, 0});
  append(value, reversed(key.qinv));
  append(value, reversed(key.dp));
  append(value, reversed(key.dq));
  return value;
}

Bytes public_value(const ForeignRsaKey& key) {
  Bytes value = reversed(key.n);
  Bytes exponent = reversed(key.e);
  exponent.resize(key.n.size() / 2);
  append(value, exponent);
  return value;
}

const Bytes exponent_65537{0x01, 0x00, 0x01};

TEST_F(Keys, Rsa2048GeneratedAndUsed) {
  card.create_rsa_files(1, 2048);
  const auto made = card.chip().transmit(*from_hex("00 46 80 01 08 A606940401000100 00"));
  ASSERT_EQ(made.bytes.size(), 258u);
  EXPECT_GT(made.duration, std::chrono::seconds(5));  // as long as a chip would take
  const Bytes n = reversed(ByteView(made.bytes).first(256));
  EXPECT_NE(n[0] & 0x80, 0);

  EXPECT_EQ(card.send(mse_sign), "9000");
  const Bytes block = message(256);
  EXPECT_EQ(rsa_public_operation(n, exponent_65537, pso("9E9A", block)), block);
  EXPECT_EQ(card.send(mse_decipher), "9000");
  EXPECT_EQ(rsa_public_operation(n, exponent_65537, pso("8086", block)), block);
}

TEST_F(Keys, BothFormsOfGenerateMakeExponent65537) {
  for (const char* form : {"00 46 80 01 00", "00 46 80 01 08 A606940403000000 00"}) {
    TestCard other;
    other.log_in_user();
    other.create_rsa_files(1, 512);
    const Bytes n = reversed(data_of(other.send(form)));
    ASSERT_EQ(n.size(), 64u);
    EXPECT_EQ(other.send(mse_sign), "9000");
    const Bytes block = message(64);
    const Bytes signature =
        reversed(data_of(other.send("00 2A 9E 9A 40" + to_hex(reversed(block)) + "00")));
    EXPECT_EQ(rsa_public_operation(n, exponent_65537, signature), block) << form;
  }
}

TEST_F(Keys, SizesInStepsOf128Bits) {
  for (unsigned bits : {512u, 640u, 768u, 1024u, 1280u, 1536u, 1792u, 2048u}) {
    TestCard other;
    other.log_in_user();
    other.create_rsa_files(1, bits);
  }
  for (std::size_t half : {16u, 28u, 36u, 136u, 256u}) {  // 256, 448, 576, 2176, 4096 bits
    EXPECT_EQ(card.send(create(5 * half + 8, "1000", 1, "230000AA0000", "46 00 02 02 00 00 00 02")),
              "6A80")
        << half;
    EXPECT_EQ(card.send(create(3 * half, "1000", 1, "330000AA0000", "46 00 02 00 00 00 00 02")),
              "6A80")
        << half;
  }
  EXPECT_EQ(card.send(create(0x0287, "1000", 1, "230000AA0000", "46 00 02 02 00 00 00 02")),
            "6A80");
}

TEST_F(Keys, PropertiesThatTheChipRefuses) {
  for (const char* property : {"230100AA0000",  // rounds of Miller-Rabin [§10.1 #12]
                               "230001AA0000", "230000AA0100", "23000055 0000", "430000AA0000"}) {
    EXPECT_EQ(card.send(create(0x0288, "1000", 1, to_hex(*from_hex(property)),
                               "46 00 02 02 00 00 00 02")),
              "6A80")
        << property;
  }
  for (const char* set : {"00", "10", "30", "40"}) {  // B and C are not in this chip
    EXPECT_EQ(card.send(create(32, "1000", 1, std::string("03") + set + "00AA0000",
                               "46 00 02 02 00 00 00 02")),
              "6A80")
        << set;
  }
  EXPECT_EQ(card.send(create(32, "1000", 0x100, "032000AA0000", "46 00 02 02 00 00 00 02")),
            "6A80");
}

TEST_F(Keys, FilesGoToTheDfOfTheirKindWhateverIsCurrent) {
  EXPECT_EQ(card.sw("00 A4 08 0C 02 6000"), "9000");
  card.create_gost_files(7);
  EXPECT_EQ(card.sw("00 A4 08 0C 08 1000100060020007"), "9000");
  EXPECT_EQ(card.sw("00 A4 08 0C 08 1000100060010007"), "9000");
  EXPECT_EQ(card.sw("00 A4 08 0C 04 60000007"), "6A82");
  // Also when the right DF is current; and the same number twice is refused [§10.1 #29].
  EXPECT_EQ(card.sw("00 A4 08 0C 06 100010006002"), "9000");
  EXPECT_EQ(card.send(create(32, "1000", 7, "032000AA0000", "46 00 02 02 00 00 00 02")), "6A89");
  EXPECT_EQ(card.send(create(32, "1000", 8, "032000AA0000", "46 00 02 02 00 00 00 02")), "9000");
  EXPECT_EQ(card.send("00 A4 08 00 08 1000100060020008 00"),
            "6F2C800200208102002082021000830200088506032000AA0000"
            "860F4600020200000002000000000000008A01059000");
}

TEST_F(Keys, ImportedRsaKeySigns) {
  for (unsigned bits : {1024u, 2048u}) {
    const auto key = foreign_rsa_key(bits);
    EXPECT_EQ(card.sw(select_private), "6A82");
    card.create_rsa_files(1, bits);
    EXPECT_EQ(card.send(mse_sign), "9000");
    EXPECT_EQ(card.sw("00 2A 9E 9A 01 00 00"), "6985");  // nothing loaded yet
    EXPECT_EQ(card.sw(select_private), "9000");
    load(private_value(key));
    EXPECT_EQ(card.sw(select_public), "9000");
    load(public_value(key));
    const Bytes block = message(bits / 8);
    EXPECT_EQ(rsa_public_operation(key.n, key.e, pso("9E9A", block)), block);
    EXPECT_EQ(card.send("00 E4 00 00 02 0001"), "9000");
    EXPECT_EQ(card.sw(select_private), "9000");
    EXPECT_EQ(card.send("00 E4 00 00 02 0001"), "9000");
    EXPECT_EQ(card.sw("00 2A 9E 9A 01 00 00"), "6A88");
  }
}

TEST_F(Keys, LoadRefusesWhatIsNoKeyAndKeepsTheOldOne) {
  const auto key = foreign_rsa_key(512);
  card.create_rsa_files(1, 512);
  EXPECT_EQ(card.sw(select_private), "9000");
  const Bytes good = private_value(key);
  load(good);
  Bytes bad = good;
  bad[5] ^= 1;
  load(bad, "6A80");
  load(ByteView(good).first(good.size() - 1), "6A80");
  load(Bytes(good.size()), "6A80");
  EXPECT_EQ(card.send(mse_sign), "9000");
  const Bytes block = message(64);
  EXPECT_EQ(rsa_public_operation(key.n, key.e, pso("9E9A", block)), block);
}

TEST_F(Keys, EveryBlockOfALoadBeginsWithA5) {
  const auto key = foreign_rsa_key(512);
  card.create_rsa_files(1, 512);
  EXPECT_EQ(card.sw(select_private), "9000");
  const std::string value = to_hex(private_value(key));  // 168 bytes
  const std::string head = "8002" + hex_be16(168);
  EXPECT_EQ(card.send("10 24 01 00 6A" + head + "A564" + value.substr(0, 200)), "9000");
  EXPECT_EQ(card.send("00 24 01 00 44" + value.substr(200)), "6A80");
  EXPECT_EQ(card.send("10 24 01 00 6A" + head + "A564" + value.substr(0, 200)), "9000");
  EXPECT_EQ(card.send("00 24 01 00 46 A544" + value.substr(200)), "9000");
  // The length behind A5 is a plain byte above 7F as well, and never BER.
  EXPECT_EQ(card.send("00 24 01 00 AE" + head + "A5A8" + value), "9000");
  EXPECT_EQ(card.send("00 24 01 00 AF" + head + "A581A8" + value), "6A80");
  EXPECT_EQ(card.sw("00 A4 00 0C 02 3F00"), "9000");
  EXPECT_EQ(card.send("00 24 01 00 AE" + head + "A5A8" + value), "6986");  // no file selected
}

TEST_F(Keys, GenerateNeedsBothFilesOfOneKind) {
  EXPECT_EQ(card.send(generate), "6A88");
  EXPECT_EQ(card.send(create(32, "1000", 1, "032000AA0000", "46 00 02 02 00 00 00 02")), "9000");
  EXPECT_EQ(card.send(generate), "6A88");
  EXPECT_EQ(card.send(create(96, "1000", 1, "330000AA0000", "46 00 02 00 00 00 00 02")), "9000");
  EXPECT_EQ(card.send(generate), "6985");
  card.create_rsa_files(2, 512);
  EXPECT_EQ(card.send("00 46 00 02 00"), "6A86");
  EXPECT_EQ(card.send("00 46 80 00 00"), "6A86");
  EXPECT_EQ(card.send("00 46 80 02 08 A606940301000100 00"), "6A80");
  EXPECT_EQ(card.send("00 46 80 02"), "6700");     // nobody would see the modulus
  EXPECT_EQ(card.send("00 46 80 02 3F"), "6700");  // nor all of it
  EXPECT_EQ(card.send(generate), "6985");
}

TEST_F(Keys, SecurityEnvironment) {
  card.create_rsa_files(1, 512);
  card.send(generate);
  const std::string sign = "00 2A 9E 9A 40 " + std::string(128, '0') + " 00";
  const std::string decipher = "00 2A 80 86 40 " + std::string(128, '0') + " 00";
  EXPECT_EQ(card.sw(sign), "6985");
  EXPECT_EQ(card.send("00 22 41 B6 03 840102"), "6A88");
  EXPECT_EQ(card.send("00 22 41 B6 04 81020001"), "6A80");  // refused by newer firmware [§10.1 #25]
  EXPECT_EQ(card.send("00 22 41 B6 07 840101 81020001"), "6A80");
  EXPECT_EQ(card.send("00 22 81 B6 03 840101"), "6A86");
  EXPECT_EQ(card.send("00 22 41 A4 03 840101"), "6A86");
  EXPECT_EQ(card.send(mse_sign), "9000");
  EXPECT_EQ(card.sw(sign), "9000");
  EXPECT_EQ(card.sw(decipher), "6985");  // set for signing only
  EXPECT_EQ(card.send(mse_decipher), "9000");
  EXPECT_EQ(card.sw(decipher), "9000");
  EXPECT_EQ(card.sw("00 A4 00 0C 02 3F00"), "9000");
  EXPECT_EQ(card.sw(sign), "9000");  // it outlives SELECT
  card.reset();
  card.log_in_user();
  EXPECT_EQ(card.sw(sign), "6985");  // but not a reset
  EXPECT_EQ(card.send(mse_sign), "9000");
  EXPECT_EQ(card.send("00 2A 9E 9A 3F" + std::string(126, '0') + "00"), "6700");
  EXPECT_EQ(card.send("00 2A 9E 9A 41" + std::string(130, '0') + "00"), "6700");
  EXPECT_EQ(card.send("00 2A 9E 9A 40" + std::string(128, '0')), "6700");         // no Le
  EXPECT_EQ(card.send("00 2A 9E 9A 40" + std::string(128, 'F') + "00"), "6A80");  // above n
  EXPECT_EQ(card.send("00 2A 9E 9C 40" + std::string(128, '0') + "00"), "6A86");
}

TEST_F(Keys, ChainsAreWatched) {
  card.create_rsa_files(1, 512);
  card.send(generate);
  EXPECT_EQ(card.send(mse_sign), "9000");
  const std::string half(64, '0');
  EXPECT_EQ(card.send("10 2A 9E 9A 20" + half), "9000");
  EXPECT_EQ(card.send("00 84 00 00 08"), "6883");                // another command in between
  EXPECT_EQ(card.send("00 2A 9E 9A 20" + half + "00"), "6700");  // the chain is gone
  EXPECT_EQ(card.send("10 2A 9E 9A 20" + half), "9000");
  EXPECT_EQ(card.send("00 2A 80 86 20" + half + "00"), "6883");
  EXPECT_EQ(card.send("10 2A 9E 9A 20" + half), "9000");
  EXPECT_EQ(card.sw("00 2A 9E 9A 20" + half + "00"), "9000");
  EXPECT_EQ(card.send("10 2A 9E 9A 20" + half), "9000");
  card.reset();
  EXPECT_EQ(card.send("00 84 00 00 01").size(), 6u);
  std::string answer = "9000";
  for (int i = 0; i < 20 && answer == "9000"; ++i) {
    answer = card.send("10 2A 9E 9A FF" + std::string(510, '0'));
  }
  EXPECT_EQ(answer, "6700");  // endless chains end
}

TEST_F(Keys, GostGeneratedAndJudgedByTheEngine) {
  card.create_gost_files(1);
  EXPECT_EQ(card.send("00 46 80 01 08 A606940401000100 00"), "6A80");
  const Bytes open = data_of(card.send(generate));
  ASSERT_EQ(open.size(), 64u);
  EXPECT_EQ(card.send(mse_sign), "9000");
  Bytes digest(32);
  for (std::size_t i = 0; i < digest.size(); ++i)
    digest[i] = static_cast<std::uint8_t>(i + 1);
  const Bytes signature = data_of(card.send("00 2A 9E 9A 20" + to_hex(digest) + "00"));
  ASSERT_EQ(signature.size(), 64u);
  EXPECT_TRUE(gost_engine_verifies(open, digest, reversed(signature)));
  digest[0] ^= 1;
  EXPECT_FALSE(gost_engine_verifies(open, digest, reversed(signature)));
  EXPECT_EQ(card.send("00 2A 9E 9A 1F" + std::string(62, '1') + "00"), "6700");
  EXPECT_EQ(card.send(mse_decipher), "9000");
  EXPECT_EQ(card.send("00 2A 80 86 20" + std::string(64, '1') + "00"), "6985");
}

TEST_F(Keys, GostLoadedFromOutside) {
  card.create_gost_files(1);
  EXPECT_EQ(card.sw(select_private), "9000");
  load(Bytes(32), "6A80");
  load(Bytes(32, 0xFF), "6A80");  // above the order of the group
  Random random(3, 0);
  const GostKey key = gost_generate(random);
  load(reversed(key.d));
  EXPECT_EQ(card.send(mse_sign), "9000");
  const Bytes digest(32, 0x42);
  const Bytes signature = data_of(card.send("00 2A 9E 9A 20" + to_hex(digest) + "00"));
  Bytes open = reversed(key.x);
  append(open, reversed(key.y));
  EXPECT_TRUE(gost_engine_verifies(open, digest, reversed(signature)));
}

// The vector of a simulated card elsewhere, checked with the GOST engine [facts kaztoken §10.4].
TEST(GostVector, Verifies) {
  const Bytes open = *from_hex(
      "07FF032B90D6E12C44A68454D5188DC877DF7800CAEDBC50A401CB4B5A9EC593"
      "641F70B3EDB9C638AF76D809997A3BB84A74BD809AD04CA58AD697DDB1DC55FD");
  const Bytes digest =
      *from_hex("0102030405060708090A0B0C0D0E0F101112131415161718191A1B1C1D1E1F20");
  const Bytes wire = *from_hex(
      "3B845434097B131E2874A7B4A7558895247F2156E9545B68D807FB3A1D7A6B49"
      "AEDCDCB264F59A0A067DC1F46BB845FBD0A9CC66407266FCE3E440A7099E4991");
  const auto le = [](const Bytes& bytes, std::size_t at) {
    return reversed(ByteView(bytes).subspan(at, 32));
  };
  GostSignature signature{le(wire, 0), le(wire, 32)};
  EXPECT_TRUE(gost_verify(le(open, 0), le(open, 32), digest, signature));
  EXPECT_TRUE(gost_engine_verifies(open, digest, reversed(wire)));
  std::swap(signature.r, signature.s);
  EXPECT_FALSE(gost_verify(le(open, 0), le(open, 32), digest, signature));
}

TEST(Seed, SameSeedSameKeys) {
  const auto key = [](std::uint64_t seed) {
    Nvram nvram;
    ChipOptions options;
    options.seed = seed;
    TestCard card(nvram, "kaztoken", options);
    card.log_in_user();
    card.create_gost_files(1);
    return card.chip().serial() + card.send(generate);
  };
  EXPECT_EQ(key(5), key(5));
  EXPECT_NE(key(5), key(6));
  EXPECT_NE(key(0), key(0));
}

}  // namespace
}  // namespace kilt::sim::test
