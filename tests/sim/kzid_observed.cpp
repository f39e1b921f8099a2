// SPDX-License-Identifier: Apache-2.0
// What the NCA's verifier saw real cards do [facts jacarta B2], in its order: the simulated card
// says the same, and OpenSSL takes what it signed.
#include "tests/sim/kzid_test_card.hpp"

namespace kilt::sim::test {
namespace {

using namespace kzid_commands;

constexpr std::size_t modulus_at = 15;

/// One key object of the verifier's run, byte by byte: every length and status word as observed.
void expect_as_observed(KzidCard& card, std::uint8_t key) {
  SCOPED_TRACE(hex_byte(key));
  EXPECT_EQ(card.send(generate(key)), "9000");
  EXPECT_EQ(card.send(get_modulus(key)), "6100");
  const std::string first = card.send("00 C0 00 00 00");
  ASSERT_EQ(first.size(), 2 * (256 + 2));
  EXPECT_TRUE(first.starts_with("FFA0" + hex_byte(key) + "8201097F4982010481820100")) << first;
  EXPECT_TRUE(first.ends_with("610F"));
  const std::string second = card.send("00 C0 00 00 0F");
  ASSERT_EQ(second.size(), 2 * (15 + 2));
  EXPECT_TRUE(second.ends_with("9000"));
  const Bytes modulus =
      *from_hex(first.substr(2 * modulus_at, 2 * (256 - modulus_at)) + second.substr(0, 30));
  ASSERT_EQ(modulus.size(), 256u);
  EXPECT_GE(modulus[0], 0x80);

  EXPECT_EQ(card.send(set_key(key)), "9000");
  EXPECT_EQ(card.send(sign()), "6100");
  const std::string answer = card.send("00 C0 00 00 00");
  ASSERT_EQ(answer.size(), 2 * (256 + 2));
  EXPECT_TRUE(answer.ends_with("9000"));
  const Bytes signature = *from_hex(answer.substr(0, 512));
  EXPECT_EQ(recovered_by_openssl(modulus, signature), *from_hex(digest_info));
  EXPECT_TRUE(openssl_verifies_sha1(modulus, as_bytes("test"), signature));
  EXPECT_FALSE(openssl_verifies_sha1(modulus, as_bytes("Test"), signature));
}

void expect_absent(KzidCard& card, std::uint8_t key) {
  SCOPED_TRACE(hex_byte(key));
  EXPECT_EQ(card.send(generate(key)), "6900");
  EXPECT_EQ(card.send(get_modulus(key)), "6A82");
  EXPECT_EQ(card.send(set_key(key)), "9000");
  EXPECT_EQ(card.send(sign()), "6A82");
}

void begin(KzidCard& card) {
  EXPECT_EQ(card.send("00 A4 00 0C 02 3F 00"), "9000");
  EXPECT_EQ(card.send("00 20 00 02 08 31 32 33 34 30 30 30 30"), "9000");
  EXPECT_EQ(card.send("00 A4 00 0C 02 01 01"), "9000");
}

TEST(KzidObserved, CardWithTwoKeyObjects) {
  KzidCard card("kzid-2sdo");
  begin(card);
  expect_as_observed(card, 0x07);
  expect_as_observed(card, 0x08);
  expect_absent(card, 0x09);
  expect_absent(card, 0x0A);
}

TEST(KzidObserved, CardWithFourKeyObjects) {
  KzidCard card;
  begin(card);
  for (std::uint8_t key = 0x07; key <= 0x0A; ++key)
    expect_as_observed(card, key);
  expect_absent(card, 0x06);
  expect_absent(card, 0x0B);
}

TEST(KzidObserved, AtrAndProtocol) {
  KzidCard card;
  EXPECT_EQ(to_hex(card.chip().atr()), "3B3E9500534F4D412D633030372D44533161");
  EXPECT_EQ(card.chip().protocol(), Protocol::t0);
}

TEST(KzidObserved, GenerationAlsoWithoutLe) {
  KzidCard card;
  begin(card);
  EXPECT_EQ(card.send("00 46 02 00 05 A4 03 84 01 87"), "9000");
}

}  // namespace
}  // namespace kilt::sim::test
