// SPDX-License-Identifier: Apache-2.0
// Secure messaging: the published vectors [facts jacarta A16], OpenSSL as the other side, and what
// happens to tampered commands.
#include "firmware-sim/profiles/jacarta_sm.hpp"

#include <algorithm>

#include "tests/sim/jacarta_card.hpp"

namespace kilt::sim::test {
namespace {

using jacarta::KeyAgreement;
using jacarta::SecureChannel;

Bytes hex(const char* digits) {
  return *from_hex(digits);
}

const char* const x = "86DD1CF45142E904CB2E99C2721FAC3CA198C6CA";
const char* const y = "8367CD66FDD136BBA8BA23F8805BB050DD6289401C8EC3B0BE44A3C233EEF90D";
const char* const card_public =
    "6BCE58FAB9599DCBA898CC457FFA3860F407CCB5375AFD73272C16211632756744790014FACBF83BE792726B30FC9D"
    "A193CE4E65451F7BBA3FFDC9FB884141EB5D338F7B6FDFB18561F4A1E12550166F8F2885FB0B942AC8A356E8A30E53"
    "6C9A";
const char* const host_public =
    "98CE47B407E9F83E6E96E9C9A654B28E10146E89CC763BBDD7262AA3961E67D298BF4898DC5A8E6A7950A9E88F3789"
    "274EB1EFF8201E90E3AE20260B3B77D7737B2495FAF430306B8CE2FE2641834B1506F3C4638FEC262947FC3923235A"
    "A13C";
const char* const shared =
    "BD7429D66E29C428D2557D7CC85F8FB997E276B27FC00467DB9A6E77837FFC8DD001324DDBD5F2223A32BA504FD6B6"
    "A706F448D538EF291DF65620CCD12A65AB59EEDDFFDA164ABEA76263F5B56B952E3340C3A15645F2E4D2AE0695BB83"
    "B922";
const char* const challenge = "404142434445464748494A4B4C4D4E4F505152535455565758595A5B5C5D5E5F";

Command command(const char* wire) {
  const auto parsed = apdu::CommandApdu::parse(hex(wire));
  EXPECT_TRUE(parsed.ok());
  return {parsed->cla(), parsed->ins(),           parsed->p1(),
          parsed->p2(),  copy_of(parsed->body()), parsed->ne()};
}

TEST(LaserSm, TheGroupIsOakleysFirst) {
  EXPECT_EQ(copy_of(KeyAgreement::modulus()), modp_768_modulus());
  EXPECT_EQ(copy_of(KeyAgreement::generator()), Bytes{2});
}

TEST(LaserSm, AgreementAsInThePublishedVector) {
  const KeyAgreement card(hex(y));
  EXPECT_EQ(card.public_value(), hex(card_public));
  EXPECT_EQ(*card.shared(hex(host_public)), hex(shared));
  EXPECT_EQ(modp_768_power(hex(card_public), hex(x)), hex(shared));
  // Leading zeros or none: the same number.
  Bytes longer(4);
  append(longer, hex(host_public));
  EXPECT_EQ(*card.shared(longer), hex(shared));
}

TEST(LaserSm, PublicValuesOutsideTheGroupAreRefused) {
  const KeyAgreement card(hex(y));
  Bytes last = modp_768_modulus();
  EXPECT_FALSE(card.shared(last).ok());
  --last.back();
  EXPECT_FALSE(card.shared(last).ok());
  EXPECT_FALSE(card.shared(Bytes{0}).ok());
  EXPECT_FALSE(card.shared(Bytes{1}).ok());
  EXPECT_FALSE(card.shared(Bytes(200, 0xFF)).ok());
  EXPECT_TRUE(card.shared(Bytes{2}).ok());
}

TEST(LaserSm, ThreeExchangesAsPublished) {
  SecureChannel card(hex(shared), hex(challenge));
  auto first = card.unwrap(
      command("8C2400001D871101C2BC13A7ADD08F63F399856FA92F807D8E08E6332690A8DD32EB00"));
  ASSERT_EQ(first.status, apdu::sw::ok);
  EXPECT_EQ(first.command.cla, 0x80);
  EXPECT_EQ(first.command.data, hex("620A81083837363534333231"));
  EXPECT_FALSE(first.command.ne.has_value());
  EXPECT_EQ(card.protect({}, apdu::sw::ok), hex("990290008E08E9FAB984023A8C14"));

  auto second = card.unwrap(command("8CCB01140D9701008E081021DB045799B7CB00"));
  ASSERT_EQ(second.status, apdu::sw::ok);
  EXPECT_TRUE(second.command.data.empty());
  EXPECT_EQ(second.command.ne, 256u);
  EXPECT_EQ(card.protect(hex(laser_serial), apdu::sw::ok),
            hex("87110121E99905C38E7F54B8CF4E8F7B1FCDE4990290008E082E251175DF209497"));

  auto third = card.unwrap(command("8CA4080C188709013C31F456C1B221649701008E08EDDF6104688FB80700"));
  ASSERT_EQ(third.status, apdu::sw::ok);
  EXPECT_EQ(third.command.data, hex("3F000020"));
  EXPECT_EQ(card.protect({}, apdu::sw::file_not_found), hex("99026A828E08F1223C47053D4354"));
}

TEST(LaserSm, OpenSslAgreesWithTheVectorsAndTheCard) {
  SmHost host(hex(shared), hex(challenge));
  SecureChannel card(hex(shared), hex(challenge));
  EXPECT_EQ(host.wrap("802400000C620A81083837363534333231"),
            "8C2400001D871101C2BC13A7ADD08F63F399856FA92F807D8E08E6332690A8DD32EB00");
  EXPECT_EQ(host.unwrap("990290008E08E9FAB984023A8C149000"), "9000");
  SmHost second(hex(shared), hex(challenge));
  for (std::size_t size = 0; size < 0x70; ++size) {
    const Bytes data(size, 0x80);  // the padding byte itself
    const std::string plain = "80240000" + (size == 0 ? "" : hex_byte(size) + to_hex(data)) + "00";
    auto inner = card.unwrap(command(second.wrap(plain).c_str()));
    ASSERT_EQ(inner.status, apdu::sw::ok) << size;
    EXPECT_EQ(inner.command.data, data);
    const std::string answer = to_hex(card.protect(data, apdu::sw::end_of_file)) + "6282";
    EXPECT_EQ(second.unwrap(answer), to_hex(data) + "6282");
  }
}

TEST(LaserSm, SecureVerifyAsPublished) {
  Bytes key = jacarta::sha1(as_bytes("1234567890"));
  key.resize(16);
  EXPECT_EQ(key, hex("01B307ACBA4F54F55AAFC33BB06BBBF6"));
  const Bytes text = hex("1011121314151617A0A1A2A3A4A5A6A7");
  const Bytes cryptogram = hex("BADCA03397244A2621159779C7FC3C26");
  EXPECT_EQ(jacarta::des3_encrypt(key, text), cryptogram);
  EXPECT_EQ(jacarta::des3_decrypt(key, cryptogram), text);
  EXPECT_EQ(openssl_des3(key, text, true), cryptogram);
}

// ---- on the card

TEST(LaserSm, AnyCommandRunsInsideTheChannel) {
  LaserCard card;
  SmHost host = card.open_channel();
  EXPECT_EQ(host.unwrap(card.send(host.wrap("80CB011400"))), std::string(laser_serial) + "9000");
  EXPECT_EQ(host.unwrap(card.send(host.wrap("80A4080C043F00009900"))), "6A82");
  const std::string fcp = host.unwrap(card.send(host.wrap("80A4080C043F00002000")));
  EXPECT_EQ(fcp, card.send(select_path(user_ko)));
  EXPECT_EQ(host.unwrap(card.send(host.wrap("0020000003313131"))), "63C9");
  EXPECT_EQ(host.unwrap(card.send(host.wrap("002000000A31323334353637383930"))), "9000");
  EXPECT_EQ(card.send("00200000"), "9000");  // in the clear beside it: it stays open
  EXPECT_EQ(host.unwrap(card.send(host.wrap("00990000"))), "6D00");
  EXPECT_EQ(card.send("8086FFFF"), "9000");
  EXPECT_EQ(card.send(host.wrap("80CB011400")), "6985");
}

TEST(LaserSm, OneProtectedAnswerMayBeLongerThanItsOuterLe) {
  LaserCard card;
  SmHost host = card.open_channel();
  card.select("3F003000C000");
  // Le inside and outside the same [facts jacarta A16 #29].
  const std::string text = host.unwrap(card.send(host.wrap("00B0000010", "10")));
  EXPECT_EQ(text, to_hex(as_bytes("JaCarta         ")) + "9000");
}

TEST(LaserSm, ALongAnswerWaitsForGetResponseInTheClear) {
  LaserCard card;
  card.log_in_user();
  card.create_private_key(1, 2048);
  card.select_key(1);
  SmHost host = card.open_channel();
  const std::string answer = card.whole(host.wrap("00" + generate_command(2048).substr(2)));
  const std::string inner = host.unwrap(answer);
  ASSERT_EQ(inner.size(), 2u * (5 + 4 + 256 + 5 + 2));
  EXPECT_EQ(inner.substr(0, 18), "7F4982010981820100");
  EXPECT_EQ(host.unwrap(card.send(host.wrap("80CB011400"))), std::string(laser_serial) + "9000");
}

TEST(LaserSm, ChainsRunInside) {
  LaserCard card;
  card.log_in_user();
  card.create_private_key(1, 2048);
  const Bytes modulus = card.generate(1, 2048);
  SmHost host = card.open_channel();
  const std::string body = "82820100" + std::string(2 * 255, '0') + "03";
  // Links of 200 bytes: protected they still fit.
  EXPECT_EQ(host.unwrap(card.send(host.wrap("102A800CC8" + body.substr(0, 400)))), "9000");
  const std::string rest = body.substr(400);
  const std::string answer =
      host.unwrap(card.whole(host.wrap("002A800C" + hex_byte(rest.size() / 2) + rest + "00")));
  EXPECT_EQ(answer.substr(0, 8), "80820100");
  EXPECT_EQ(answer.size(), 2u * (4 + 256 + 2));
}

std::string flipped(const std::string& command, std::size_t byte) {
  Bytes bytes = *from_hex(command);
  bytes.at(byte) ^= 1;
  return to_hex(bytes);
}

TEST(LaserSm, ATamperedCommandEndsTheChannelAndDoesNothing) {
  const std::string change = "802400000C620A81083837363534333231";
  const std::size_t length = 5 + 0x1D;
  for (std::size_t at = 2; at < length; ++at) {
    if (at == 4) continue;  // another Lc is another command
    LaserCard card;
    card.log_in_user();
    SmHost host = card.open_channel();
    SCOPED_TRACE(at);
    const std::string word = card.send(flipped(host.wrap(change), at));
    const bool lost_mac = at == 5 + 19;  // the tag 8E
    EXPECT_TRUE(word == "6988" || (lost_mac && word == "6987")) << word;
    EXPECT_EQ(card.send(host.wrap(change)), "6985");  // no channel any more
    EXPECT_EQ(card.present(user_ko, "87654321"), "63C9");
    EXPECT_EQ(card.present(user_ko, "1234567890"), "9000");
  }
}

TEST(LaserSm, ReplayMissingObjectsAndRubbishEndTheChannel) {
  LaserCard card;
  {
    SmHost host = card.open_channel();
    const std::string once = host.wrap("80CB011400");
    EXPECT_EQ(host.unwrap(card.send(once)), std::string(laser_serial) + "9000");
    EXPECT_EQ(card.send(once), "6988");  // the counter moved
    EXPECT_EQ(card.send(once), "6985");
  }
  for (const char* rubbish : {"8CCB01140397010000",  // no MAC
                              "8CCB0114"
                              "0D"
                              "8E080000000000000000970100"
                              "00",  // the MAC before Le
                              "8CCB0114"
                              "0F"
                              "9702000 08E080000000000000000"
                              "00",
                              "8CCB0114"
                              "0D"
                              "9701008E080000000000000000"
                              "00",
                              "8CCB0114"
                              "01"
                              "87"
                              "00",
                              "8CCB0114"
                              "00"}) {
    std::string digits = rubbish;
    digits.erase(std::remove(digits.begin(), digits.end(), ' '), digits.end());
    SmHost host = card.open_channel();
    const std::string word = card.send(digits);
    EXPECT_TRUE(word == "6987" || word == "6988") << rubbish << ": " << word;
    EXPECT_EQ(card.send(host.wrap("80CB011400")), "6985") << rubbish;
  }
}

TEST(LaserSm, OpeningTakesAnOfferOfItsOwn) {
  LaserCard card;
  const std::string mine = to_hex(modp_768_power(Bytes{2}, Bytes{9}));
  const std::string open = "8086000060" + mine + "20";
  EXPECT_EQ(card.send(open), "6985");
  EXPECT_EQ(card.sw("8048008000"), "9000");
  EXPECT_EQ(card.sw(open), "9000");
  EXPECT_EQ(card.sw(open), "6985");
  EXPECT_EQ(card.sw("8048008000"), "9000");
  EXPECT_EQ(card.sw("8086000001"
                    "01"
                    "20"),
            "6A80");
  EXPECT_EQ(card.sw("8048008000"), "9000");
  EXPECT_EQ(card.sw("8086000003"
                    "010203"
                    "20"),
            "9000");  // short: no leading zeros
  EXPECT_NE(card.send("8048008000"), card.send("8048008000"));
  EXPECT_EQ(card.send("8048000000"), "6A86");
  EXPECT_EQ(card.send("8086000100"), "6A86");
}

TEST(LaserSm, SelectionOfTheAppletAndResetEndIt) {
  LaserCard card;
  SmHost host = card.open_channel();
  EXPECT_EQ(card.sw(select_laser), "9000");
  EXPECT_EQ(card.send(host.wrap("80CB011400")), "6985");
  host = card.open_channel();
  card.reset();
  EXPECT_EQ(card.send(host.wrap("80CB011400")), "6985");
  host = card.open_channel();
  EXPECT_EQ(host.unwrap(card.send(host.wrap("8086FFFF"))), "6985");  // closing is in the clear
}

}  // namespace
}  // namespace kilt::sim::test
