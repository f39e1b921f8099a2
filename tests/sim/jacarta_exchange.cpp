// SPDX-License-Identifier: Apache-2.0
// The sequences that the vendor's own driver sends, byte by byte [facts jacarta A16 "Exact
// sequences"], and the files that they leave.
#include <algorithm>

#include "tests/sim/jacarta_card.hpp"
#include "tests/sim/witness.hpp"

namespace kilt::sim::test {
namespace {

/// Every command of `script`, as hex with or without white space, is answered 9000.
void run(LaserCard& card, const std::vector<std::string>& script) {
  for (const auto& command : script) {
    std::string plain = to_hex(*from_hex(command));
    EXPECT_EQ(card.sw(plain), "9000") << command;
  }
}

/// UPDATE BINARY in steps of FF.
void write(LaserCard& card, const std::string& path, const Bytes& content) {
  card.select(path);
  for (std::size_t at = 0; at < content.size(); at += 0xFF) {
    const auto step = std::min<std::size_t>(0xFF, content.size() - at);
    const auto part = ByteView(content).subspan(at, step);
    EXPECT_EQ(card.send("00D6" + hex_be16(at) + hex_byte(step) + to_hex(part)), "9000");
  }
}

std::string read(LaserCard& card, const std::string& path, std::size_t size) {
  card.select(path);
  std::string content;
  for (std::size_t at = 0; at < size; at += 0x100) {
    const auto step = std::min<std::size_t>(0x100, size - at);
    const std::string answer = card.send("00B0" + hex_be16(at) + hex_byte(step));
    EXPECT_EQ(answer.size(), 2 * step + 4) << path;
    content += answer.substr(0, 2 * step);
  }
  return content;
}

TEST(LaserExchange, Start) {
  LaserCard card;
  EXPECT_EQ(card.sw("00A4040C0C A0000001644C415345520001 00"), "9000");
  EXPECT_EQ(card.send("80CB011400"), "0B5234A1C3D900079000");
  EXPECT_EQ(card.send("80CB018000").size(), 2u * (3 + 2));
  EXPECT_EQ(card.send("80CB018800").size(), 2u * (5 + 2));
  EXPECT_EQ(card.send("80A4080C063F003000C00000"),
            "62238A01048302C000800200A18701418409546F6B656E496E666F860800000030003000309000");
  const std::string info = card.send("00B00000A1");
  // As the vendor's driver leaves it, but for label, time and serial of that card.
  const std::string head =
      to_hex(as_bytes("JaCarta                         "
                      "Aladdin R.D.                    "
                      "JaCarta PKI     0b5234a1c3d90007"));
  EXPECT_EQ(info.substr(0, head.size()), head);
  EXPECT_EQ(info.substr(head.size()),
            "0C00000000000000000000000000000000000000"
            "0A00000004000000"
            "FFFFFFFF00000000FFFFFFFF00000000"
            "01000101"
            "32303236313132323030303030305A20"
            "00"
            "9000");
  EXPECT_EQ(card.send("80A4080C043F00002000"),
            "622F8A01048302002080020010870148850FC0010000AAAA041000000000001010"
            "860E00FF003000FF001000FF001000009000");
  EXPECT_EQ(card.sw("80A4080C043F00001000"), "9000");
  EXPECT_EQ(card.sw("80A4080C063F003000300100"), "9000");
  EXPECT_EQ(card.send("8030010000"), "D1020001D20A867F636D617066696C659000");
  EXPECT_EQ(card.send("8030380000"), "D10200009000");
  EXPECT_EQ(card.send("8030080000"), "D10200009000");
  EXPECT_EQ(card.sw("80A4080C063F003000300200"), "9000");
  EXPECT_EQ(card.send("8030010000"), "D10200009000");
  EXPECT_EQ(card.sw("80A4080C083F0030003003400100"), "9000");
  EXPECT_EQ(card.send("00B0000008"), "00060003020002009000");
  for (const char* probe : {"80A4080C043F002F0000", "80A4040C0FE828BD080FA000000167455349474E00",
                            "80A4040C07D276000144800000", "80A4080C043F00501500",
                            "00A4040C0FE828BD080FA000000167455349474E00"}) {
    EXPECT_EQ(card.sw(probe), "6A82") << probe;
  }
}

TEST(LaserExchange, LoginInBothForms) {
  LaserCard card;
  EXPECT_EQ(card.sw("80A4080C043F00002000"), "9000");
  const std::string challenge = card.send("0084000008");
  ASSERT_EQ(challenge.size(), 20u);
  Bytes key = openssl_sha1(as_bytes("1234567890"));
  key.resize(16);
  const Bytes text = *from_hex("1011121314151617" + challenge.substr(0, 16));
  EXPECT_EQ(card.send("8020000010" + to_hex(openssl_des3(key, text, true))), "9000");
  EXPECT_EQ(card.send("00200000"), "9000");
  card.reset();
  card.select(user_ko);
  EXPECT_EQ(card.send("00200000"), "63CA");
  EXPECT_EQ(card.send("002000000A31323334353637383930"), "9000");
  EXPECT_EQ(card.send("00200000"), "9000");
}

TEST(LaserExchange, KeyPairThenCertificateThenDeletion) {
  LaserCard card;
  card.log_in_user();
  run(card, {"80A4080C063F003000300200",
             "00E0080026 6224 8A0104 83020041 80020100 8505050C2000A3"
             "860E0000002000FF0000002000200020 7100",
             "80A4080C083F0030003002004100"});
  const std::string first = card.send("004700000BAC0980010781810301000100");
  ASSERT_EQ(first.size(), 2u * 258);
  EXPECT_EQ(first.substr(0, 18), "7F4982010981820100");
  EXPECT_EQ(first.substr(512), "610E");
  const std::string second = card.send("00C000000E");
  EXPECT_EQ(second.substr(18), "82030100019000");
  const std::string modulus = first.substr(18, 512 - 18) + second.substr(0, 18);
  ASSERT_EQ(modulus.size(), 512u);

  run(card, {"80A4080C063F003000300200",
             "00E001001E 621C 8A0104 83020200 800200A8 84056B78733030 86080000002000FF0020"});
  write(card, "3F00300030020200", Bytes(0xA8, 0x11));
  run(card, {"80A4080C083F0030003001867F00", "00E40000", "80A4080C063F003000300100",
             "00E0010021 621F 8A0104 8302867F 80020266 8408636D617066696C65"
             "86080000002000200020"});
  write(card, "3F0030003001867F", Bytes(0x266, 0x22));
  run(card,
      {"80A4080C083F0030003003400100", "00D6000008 0006000303000300", "80A4080C063F003000300100"});
  const std::string fcp =
      "6282012F 8A0104 83020081 80020100 8505050C2000A3"
      "860E000000FF00FF0000000000000000 71820109 9003010001 91820100" +
      modulus;
  const auto links = chained("00E00800", to_hex(*from_hex(fcp)), "");
  ASSERT_EQ(links.size(), 2u);
  EXPECT_EQ(links[0].substr(0, 10), "10E00800FF");
  EXPECT_EQ(links[1].substr(0, 10), "00E0080034");
  run(card, links);
  run(card, {"80A4080C063F003000300100",
             "00E0010017 6215 8A0104 83020140 800201A7 86080000002000FF0020"});
  write(card, "3F00300030010140", Bytes(0x1A7, 0x33));
  run(card,
      {"80A4080C083F0030003003400100", "00D6000008 0006000304000400", "80A4080C063F003000300100",
       "00E001001E 621C 8A0104 83028400 80020297 84056B78633030 86080000002000FF0020"});
  write(card, "3F00300030018400", Bytes(0x297, 0x44));
  EXPECT_EQ(read(card, "3F00300030018400", 0x297), to_hex(Bytes(0x297, 0x44)));

  // The key signs, with the card's padding.
  card.select_key(1);
  const std::string info = "3031300D060960864801650304020105000420" + std::string(64, '7');
  const std::string signature = card.send("002A9E8A358033" + info + "00");
  ASSERT_EQ(signature.size(), 2u * 258);
  const std::string block = to_hex(rsa_public_operation(*from_hex(modulus), Bytes{1, 0, 1},
                                                        ByteView(*from_hex(signature)).first(256)));
  EXPECT_EQ(block, "0001" + std::string(2 * (256 - 3 - 51), 'F') + "00" + info);

  // Deleting the private key needs no PIN: that is the vendor's rule.
  card.reset();
  run(card, {"80A4080C083F0030003002004100", "00E40000"});
  EXPECT_EQ(card.sw("80A4080C083F0030003002020000"), "9000");
  EXPECT_EQ(card.sw("00E40000"), "6982");
  card.log_in_user();
  run(card, {"80A4080C083F0030003002020000", "00E40000"});
  EXPECT_EQ(card.sw("80A4080C083F0030003001008100"), "9000");
}

TEST(LaserExchange, SelectByIdentifierLooksBesideTheSelectedObject) {
  LaserCard card;
  card.log_in_user();
  run(card, {"80A4080C083F0030003001867F00", "80A4000C02867F00", "00E40000"});
  EXPECT_EQ(card.sw("80A4000C02867F00"), "6A82");
}

TEST(LaserExchange, ChangePin) {
  LaserCard card;
  card.log_in_user();
  run(card, {"80A4080C043F00002000"});
  SmHost host = card.open_channel();
  const std::string wire = host.wrap("802400000C620A81083837363534333231");
  EXPECT_EQ(wire.substr(0, 16), "8C2400001D871101");
  const std::string answer = card.send(wire);
  EXPECT_EQ(answer.size(), 2u * (4 + 10 + 2));
  EXPECT_EQ(host.unwrap(answer), "9000");
  EXPECT_EQ(card.send("8086FFFF"), "9000");
  card.reset();
  EXPECT_EQ(card.present(user_ko, "1234567890"), "63C9");
  EXPECT_EQ(card.present_secure(user_ko, "87654321"), "9000");
}

TEST(LaserExchange, Unblock) {
  LaserCard card;
  for (int left = 9; left >= 0; --left) {
    EXPECT_EQ(card.present(user_ko, "0000"), "63C" + std::to_string(left));
  }
  EXPECT_EQ(card.present(user_ko, "1234567890"), "6983");
  EXPECT_EQ(card.sw("80A4080C043F00002000"), "9000");
  EXPECT_EQ(card.send("802C0000"), "6982");
  card.log_in_so();
  card.select(user_ko);
  EXPECT_EQ(card.send("802C0000"), "9000");
  EXPECT_EQ(card.change_pin("246810"), "9000");
  EXPECT_EQ(card.present(user_ko, "246810"), "9000");
  // One of ten unblocks is spent: the byte behind the tries.
  EXPECT_NE(card.send(select_path(user_ko)).find("850FC0010000AA9A0410"), std::string::npos);
}

TEST(LaserExchange, ImportInFiveLinks) {
  LaserCard card;
  card.log_in_user();
  card.create_private_key(2, 2048);
  card.select_key(2);
  const auto key = foreign_rsa_key(2048);
  const std::string body = "62820495 9003010001 91820100" + to_hex(key.n) + "92820100" +
                           to_hex(key.d) + "93820100" + to_hex(key.p) + to_hex(key.q) + "94820180" +
                           to_hex(key.dp) + to_hex(key.dq) + to_hex(key.qinv);
  const auto links = chained("80240000", to_hex(*from_hex(body)), "");
  ASSERT_EQ(links.size(), 5u);
  EXPECT_EQ(links[0].substr(0, 10), "90240000FF");
  EXPECT_EQ(links[4].substr(0, 10), "802400009D");
  run(card, links);
  const std::string signature = card.send("002A9E8A0D800B68656C6C6F20776F726C6400");
  const Bytes block = rsa_public_operation(key.n, key.e, ByteView(*from_hex(signature)).first(256));
  EXPECT_EQ(to_hex(ByteView(block).last(12)), "0068656C6C6F20776F726C64");
}

TEST(LaserExchange, InitialisesABlankCard) {
  ChipOptions options = LaserCard::options();
  options.blank = true;
  LaserCard card(options);
  EXPECT_EQ(card.sw("80A4080C043F00001000"), "6A82");
  EXPECT_EQ(card.sw("80A4080C043F00300000"), "6A82");
  const std::string so =
      "00E0080037 6235 8A0104 83020010 80020010 850EC001000033000000000000000000"
      "860E00FF001000FF001000FF00FF0000 81083030303030303030";
  card.select("3F00");
  EXPECT_EQ(card.sw(so), "6982");
  EXPECT_EQ(card.present(transport_ko, "1234"), "9000");
  card.select("3F00");
  run(card, {so,
             "00E0080037 6235 8A0104 83020020 8002000A 850EC0010000A0000000000000000000"
             "860E00FF003000FF001000FF00100000 81083131313131313131",
             "00E0080035 6233 8A0104 83020002 80020010 850E800100003004100000000000FFFF"
             "860E000000FF00FF0010000000000000 81064C415345522B"});
  EXPECT_EQ(card.sw("00E0080035 6233 8A0104 83020002 80020010 850E800100003004100000000000FFFF"
                    "860E000000FF00FF0010000000000000 81064C415345522B"),
            "6A89");
  run(card, {"80A4080C023F0000",
             "00E0010025 6223 8A0104 83021000 80020001 840C566572696669636174696F6E"
             "86080000000000000000",
             "80A4080C043F00100000", "00D600000101", "80A4080C023F0000",
             "00E0080032 6230 8A0104 83020035 8002000E 850500010F0000"
             "860E000000FF00FF0010000000000000 810CE30A89020010890200208800",
             "00E0080032 6230 8A0104 83020030 8002000E 850500010F0000"
             "860E000000FF00FF0010000000000000 810CE30A89020010890200208800",
             "00E0080038 6236 8A0104 83020032 80020012 850500010F0000"
             "860E000000FF00FF0010000000000000 8112E31089020010890200208902000288008800",
             "00E0380024 6222 8A0104 83023000 80020000 8407415345504B4353"
             "860C0010001000FF001000000010"});
  card.select("3F003000");
  const std::string df =
      "00E0380023 6221 8A0104 83023001 80020000 84065055424C4943"
      "860C0000000000FF001000000010";
  EXPECT_EQ(card.sw(df), "6982");
  EXPECT_EQ(card.present(so_ko, "00000000"), "9000");
  card.select("3F003000");
  run(card, {df, "80A4080C063F003000300100", "80A4030C00"});
  // The SO's PIN is stored: deleted and created again.
  run(card, {"80A4080C043F00001000", "00E40000", "80A4080C023F0000",
             "00E0080037 6235 8A0104 83020010 80020010 850EC0010000AA041000000000001010"
             "860E00FF001000FF001000FF00FF0000 81083030303030303030"});
  EXPECT_EQ(card.status(so_ko), "63CA");  // a new PIN, not presented yet
}

TEST(LaserExchange, ErasesByTheSo) {
  LaserCard card;
  card.log_in_so();
  run(card, {"80A4080C043F00300000", "00E40100", "80A4080C043F00100000", "00E40000"});
  for (const char* ko : {"0030", "0032", "0035", "0002", "0020", "0010"}) {
    run(card, {std::string("80A4080C043F00") + ko + "00", "00E40000"});
  }
  card.select("3F00");
  EXPECT_EQ(card.send("8030080000"), "D1020001D20200019000");  // the transport PIN
  EXPECT_EQ(card.send("8030010000"), "D10200009000");
  EXPECT_EQ(card.send("8030380000"), "D10200009000");
}

// One complete set of files [facts jacarta A16], where it does not hold that card's own data.
TEST(LaserDelivery, FilesAsTheVendorsDriverLeavesThem) {
  LaserCard card;
  EXPECT_EQ(read(card, "3F001000", 1), "01");
  EXPECT_EQ(read(card, "3F00300030034000", 18), "0010414C444E534E00000B5234A1C3D90007");
  EXPECT_EQ(read(card, "3F00300030034002", 10), "00086D73637000000000");
  EXPECT_EQ(read(card, "3F003000EEED", 4), "02D00164");
  EXPECT_EQ(read(card, "3F003000EEEE", 173),
            "02C00700000A000A000102C1010002C20A0004100000000000000002C30A00041000000000000000"
            "02C5040000000002C6040000000002C8010002C9013302CA04000346DC02CB010002CC010002CD01"
            "0002CF010002D102101002D202101002D33F" +
                std::string(2 * 63, '0') + "02D5010002D6010102D70100");
  EXPECT_EQ(read(card, "3F003000EEEF", 15).substr(0, 14), "02C4010002C708");
  Bytes map = *from_hex(read(card, "3F0030003001867F", 807));
  EXPECT_EQ(to_hex(ByteView(map).first(12)), "0086867F03230A8013100014");
  const Bytes hash(map.begin() + 12, map.begin() + 32);
  std::fill(map.begin() + 12, map.begin() + 32, std::uint8_t{0});
  EXPECT_EQ(openssl_sha1(map), hash);
  EXPECT_EQ(card.send(select_path("3F003000B000")),
            "62228A01048302B0008002001A87014184085573657248697374860800300030003000309000");
  EXPECT_EQ(card.sw("00B000001A"), "6982");
  EXPECT_EQ(card.send(select_path("3F00300030033005")),
            "62228A0104830230058002000087017884046D736370860C0030003000FF0030000000FF9000");
}

TEST(LaserDelivery, PinsOfTheGuidesAndOfTheMaker) {
  LaserCard card;
  EXPECT_EQ(card.present(user_ko, "1234567890"), "9000");
  EXPECT_EQ(card.present(so_ko, "00000000"), "9000");
  ChipOptions options = LaserCard::options();
  options.factory = "aladdin";
  LaserCard by_aladdin(options);
  EXPECT_EQ(by_aladdin.present(user_ko, "11111111"), "9000");
  EXPECT_EQ(by_aladdin.present(so_ko, "00000000"), "9000");
  const auto& profile = *find_profile("jacarta");
  EXPECT_TRUE(check_state(Nvram(), profile, options).ok());
  options.factory = "nobody";
  EXPECT_FALSE(check_state(Nvram(), profile, options).ok());
  options.factory = "aladdin";
  EXPECT_FALSE(check_state(Nvram(), *find_profile("kaztoken"), options).ok());
  options.blank = true;
  EXPECT_FALSE(check_state(Nvram(), profile, options).ok());
}

TEST(LaserDelivery, ABlankCardHasTheTransportPinOnly) {
  ChipOptions options = LaserCard::options();
  options.blank = true;
  LaserCard card(options);
  EXPECT_EQ(card.send(select_path("3F00")),
            "621C8A010583023F0080020000870178860C0001000100FF00FF00FF00FF9000");
  EXPECT_EQ(card.send("8030080000"), "D1020001D20200019000");
  EXPECT_EQ(card.send("8030010000"), "D10200009000");
  EXPECT_EQ(card.send("8030380000"), "D10200009000");
}

TEST(LaserDelivery, TheSerialIsThatOfTheOptionsOrDrawn) {
  ChipOptions options = LaserCard::options();
  options.serial = "48E243B5";
  Nvram nvram;
  LaserCard card(nvram, options);
  EXPECT_EQ(card.send("80CB011400"), "0000000048E243B59000");
  EXPECT_EQ(card.card().chip().serial(), "0000000048E243B5");
  EXPECT_TRUE(check_state(nvram, *find_profile("jacarta"), options).ok());
  options.serial.clear();
  LaserCard drawn(options);
  EXPECT_EQ(drawn.send("80CB011400").substr(0, 2), "0B");
  EXPECT_EQ(drawn.card().chip().serial() + "9000", drawn.send("80CB011400"));
  EXPECT_EQ(LaserCard(options).send("80CB011400"), drawn.send("80CB011400"));  // by the seed
}

}  // namespace
}  // namespace kilt::sim::test
