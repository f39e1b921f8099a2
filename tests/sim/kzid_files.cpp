// SPDX-License-Identifier: Apache-2.0
// Files of the ID card: SELECT as observed, the rest as ISO 7816-4 and -9 have it
// [facts jacarta B2, B3, B5, C1, C3].
#include "tests/sim/kzid_test_card.hpp"

namespace kilt::sim::test {
namespace {

using namespace kzid_commands;

const char* const select_odf = "00 A4 02 0C 02 5031";
const char* const select_certificate = "00 A4 02 0C 02 4301";

std::string delete_ef(const std::string& id) {
  return "00 E4 00 00 02" + id;
}

TEST(KzidFiles, SelectionGoesByTheMf) {
  KzidCard card;
  EXPECT_EQ(card.send(select_df), "9000");
  EXPECT_EQ(card.send(select_df), "6A82");  // not from within: no DF 0101 in DF 0101
  EXPECT_EQ(card.send("00 A4 00 0C 02 2F02"), "6A82");
  EXPECT_EQ(card.send(select_mf), "9000");
  EXPECT_EQ(card.send("00 A4 00 0C 02 5031"), "6A82");
  EXPECT_EQ(card.send("00 A4 00 0C 02 2F00"), "6A82");  // no EF.DIR
  EXPECT_EQ(card.send("00 A4 00 0C 02 2F02"), "9000");
  EXPECT_EQ(card.send(select_df), "9000");
  EXPECT_EQ(card.send("00 A4 00 0C 02 5031"), "9000");
  EXPECT_EQ(card.send("00 A4 02 0C 02 5032"), "9000");
}

TEST(KzidFiles, AFailedSelectionChangesNothing) {
  KzidCard card;
  EXPECT_EQ(card.send(select_df), "9000");
  EXPECT_EQ(card.send(select_odf), "9000");
  EXPECT_EQ(card.send("00 A4 02 0C 02 9999"), "6A82");
  EXPECT_EQ(card.data("00 B0 00 00 04"), Bytes(4));
}

TEST(KzidFiles, SelectionIsStrictInItsParameters) {
  KzidCard card;
  EXPECT_EQ(card.send("00 A4 04 0C 0C A000000063504B43532D3135"), "6A82");
  EXPECT_EQ(card.send("00 A4 04 00 07 A0000002471001"), "6A82");
  EXPECT_EQ(card.send("00 A4 08 0C 04 01015031"), "6A86");
  EXPECT_EQ(card.send("00 A4 03 0C"), "6A86");
  EXPECT_EQ(card.send("00 A4 00 00 02 3F00"), "6A86");
  EXPECT_EQ(card.send("00 A4 00 0D 02 3F00"), "6A86");
  EXPECT_EQ(card.send("00 A4 00 0C 01 3F"), "6700");
  EXPECT_EQ(card.send("00 A4 00 0C"), "6700");
  EXPECT_EQ(card.send("00 A4 00 0C 04 3F000101"), "6700");
  EXPECT_EQ(card.send("00 A4 02 0C 02 0101"), "6A82");  // a DF is no EF
}

TEST(KzidFiles, ControlParameters) {
  KzidCard card;
  EXPECT_EQ(card.exchange("00 A4 00 04 02 3F00"),
            "62078201388302"
            "3F009000");
  EXPECT_EQ(card.exchange("00 A4 00 04 02 0101"),
            "62078201388302"
            "01019000");
  EXPECT_EQ(card.send("00 A4 02 04 02 4404"), "610D");
  EXPECT_EQ(card.send("00 C0 00 00 0D"),
            "620B8002040082010183024404"
            "9000");
}

TEST(KzidFiles, DirectoriesAsTheOwnerGetsThem) {
  struct Directory {
    const char* id;
    std::size_t size;
  };
  KzidCard card;
  EXPECT_EQ(card.send(select_df), "9000");
  for (const auto& [id, size] : {Directory{"5031", 128},
                                 {"5032", 128},
                                 {"4401", 128},
                                 {"4402", 1024},
                                 {"4403", 1024},
                                 {"4404", 1024}}) {
    SCOPED_TRACE(id);
    EXPECT_EQ(card.exchange(std::string("00 A4 02 04 02") + id),
              "620B8002" + hex_be16(size) + "8201018302" + id + "9000");
    Bytes content;
    while (content.size() < size) {
      const auto part = std::min<std::size_t>(size - content.size(), 0xE7);
      append(content, card.data("00 B0" + hex_be16(content.size()) + hex_byte(part)));
    }
    EXPECT_EQ(content, Bytes(size));
    EXPECT_EQ(card.send("00 B0" + hex_be16(size) + "01"), "6B00");
  }
}

TEST(KzidFiles, BlankHasNoDirectoriesButKeysAndPin) {
  KzidCard card("kzid", true);
  card.enter();
  for (const char* id : {"5031", "5032", "4401", "4402", "4403", "4404", "4301"})
    EXPECT_EQ(card.send(std::string("00 A4 02 0C 02") + id), "6A82") << id;
  EXPECT_EQ(card.send(get_modulus(7)), "6A88");
  EXPECT_EQ(card.send(select_mf), "9000");
  EXPECT_EQ(card.send("00 A4 02 0C 02 2F02"), "9000");
}

TEST(KzidFiles, GlobalDataTellsTheSerial) {
  KzidCard card;
  EXPECT_EQ(card.chip().serial(), "48E243B5");
  EXPECT_EQ(card.send("00 A4 02 0C 02 2F02"), "9000");
  EXPECT_EQ(card.send("00 B0 00 00 00"), "6C06");
  EXPECT_EQ(card.send("00 B0 00 00 06"), "5A0448E243B59000");
  card.log_in();
  EXPECT_EQ(card.send("00 D6 00 00 01 5A"), "6982");  // nobody writes here
  EXPECT_EQ(card.send(delete_ef("2F02")), "6982");
  EXPECT_EQ(card.send(create_ef(16, 0x2F00)), "6982");
}

TEST(KzidFiles, ReadingIsFreeAndWritingTheUsers) {
  KzidCard card;
  EXPECT_EQ(card.send(select_df), "9000");
  EXPECT_EQ(card.send(select_odf), "9000");
  EXPECT_EQ(card.send("00 D6 00 00 02 3000"), "6982");
  card.log_in();
  EXPECT_EQ(card.send("00 D6 00 00 02 3007"), "9000");
  EXPECT_EQ(card.send("00 D6 00 7E 02 AABB"), "9000");
  card.power_cycle();
  EXPECT_EQ(card.send(select_df), "9000");
  EXPECT_EQ(card.send(select_odf), "9000");
  EXPECT_EQ(card.send("00 B0 00 00 03"), "3007009000");
  EXPECT_EQ(card.send("00 B0 00 7E 02"), "AABB9000");
}

TEST(KzidFiles, LimitsOfReadAndUpdate) {
  KzidCard card;
  card.enter();
  EXPECT_EQ(card.send("00 B0 00 00 01"), "6986");
  EXPECT_EQ(card.send("00 D6 00 00 01 00"), "6986");
  EXPECT_EQ(card.send(select_odf), "9000");
  EXPECT_EQ(card.send("00 B0 00 80 01"), "6B00");
  EXPECT_EQ(card.send("00 B0 7F FF 01"), "6B00");
  EXPECT_EQ(card.send("00 B0 80 00 01"), "6A86");  // no short identifiers
  EXPECT_EQ(card.send("00 B0 91 00 01"), "6A86");
  EXPECT_EQ(card.send("00 B0 00 00 01 00"), "6700");
  EXPECT_EQ(card.send("00 D6 00 80 01 00"), "6B00");
  EXPECT_EQ(card.send("00 D6 00 7F 02 0102"), "6A84");
  EXPECT_EQ(card.send("00 B0 00 7F 01"), "009000");  // and nothing was written
  EXPECT_EQ(card.send("00 D6 91 00 01 00"), "6A86");
  EXPECT_EQ(card.send("00 D6 00 00"), "6700");
}

TEST(KzidFiles, LeOverT0) {
  KzidCard card;
  card.enter();
  EXPECT_EQ(card.send("00 A4 02 0C 02 4404"), "9000");
  const std::string block(510, 'A');
  EXPECT_EQ(card.send("00 D6 00 00 FF" + block), "9000");
  EXPECT_EQ(card.send("00 D6 00 FF FF" + block), "9000");
  const Bytes all = card.send_bytes(*from_hex("00B0000000"));
  ASSERT_EQ(all.size(), 258u);  // Le 00 is 256, not nothing
  EXPECT_EQ(ByteView(all).first(256).back(), 0xAA);
  EXPECT_EQ(card.send_bytes(*from_hex("00B0000EE7")).size(), 0xE7u + 2);
  // At the end the card says how much there is, and gives it when asked for that.
  EXPECT_EQ(card.send("00 B0 03 F0 00"), "6C10");
  EXPECT_EQ(card.send("00 B0 03 F0 20"), "6C10");
  EXPECT_EQ(card.send("00 B0 03 F0 10"), std::string(32, '0') + "9000");
  EXPECT_EQ(card.send("00 B0 03 F0 04"), "000000009000");
  EXPECT_EQ(card.send("00 C0 00 00 10"), "6985");  // nothing waits
}

TEST(KzidFiles, CertificatesAreMadeWrittenAndDeleted) {
  KzidCard card;
  card.enter();
  EXPECT_EQ(card.send(select_certificate), "6A82");
  EXPECT_EQ(card.send(create_ef(1500, 0x4301)), "9000");
  EXPECT_EQ(card.send("00 D6 05 DA 02 CAFE"), "9000");  // the new file is current
  EXPECT_EQ(card.send(create_ef(8, 0x4301)), "6A89");
  EXPECT_EQ(card.send(select_certificate), "9000");
  EXPECT_EQ(card.send("00 B0 05 D8 04"), "0000CAFE9000");
  EXPECT_EQ(card.send(delete_ef("4301")), "9000");
  EXPECT_EQ(card.send("00 B0 00 00 01"), "6986");
  EXPECT_EQ(card.send(delete_ef("4301")), "6A82");
  EXPECT_EQ(card.send(select_certificate), "6A82");
}

TEST(KzidFiles, DeletingAnotherFileKeepsTheSelection) {
  KzidCard card;
  card.enter();
  EXPECT_EQ(card.send(create_ef(8, 0x4301)), "9000");
  EXPECT_EQ(card.send(create_ef(4, 0x4302)), "9000");
  EXPECT_EQ(card.send(delete_ef("4301")), "9000");
  EXPECT_EQ(card.send("00 B0 00 00 04"), "000000009000");
}

TEST(KzidFiles, MakingAndDeletingNeedsTheUserAndTheDf) {
  KzidCard card;
  EXPECT_EQ(card.send(select_df), "9000");
  EXPECT_EQ(card.send(create_ef(8, 0x4301)), "6982");
  EXPECT_EQ(card.send(delete_ef("5031")), "6982");
  card.log_in();
  EXPECT_EQ(card.send(create_ef(8, 0x4301)), "9000");
  EXPECT_EQ(card.send(select_mf), "9000");
  EXPECT_EQ(card.send(create_ef(8, 0x4302)), "6982");
  EXPECT_EQ(card.send(delete_ef("0101")), "6982");
  EXPECT_EQ(card.send(delete_ef("4301")), "6A82");
  card.reset();
  EXPECT_EQ(card.send(select_df), "9000");
  EXPECT_EQ(card.send(delete_ef("4301")), "6982");
  EXPECT_EQ(card.send(select_certificate), "9000");
}

TEST(KzidFiles, MalformedCreationsMakeNothing) {
  KzidCard card;
  card.enter();
  for (const char* body : {"0D 6F 0B 8002 0010 820101 8302 4301",  // another template
                           "0D 62 0B 8202 0101 800110 8302 4301",  // mangled
                           "0D 62 0B 820101 8002 0010 8302 4301",  // another order
                           "0D 62 0B 8002 0010 820138 8302 4301",  // a DF
                           "0D 62 0B 8002 0010 820102 8302 4301",  // records
                           "0D 62 0B 8002 0000 820101 8302 4301",  // no size
                           "0D 62 0B 8002 8000 820101 8302 4301",  // out of reach of READ BINARY
                           "0D 62 0B 8002 0010 820101 8302 3F00",  // reserved
                           "0D 62 0B 8002 0010 820101 8302 FFFF",  // reserved
                           "0D 62 0B 8002 0010 820101 8302 0000",  // reserved
                           "0C 62 0A 8001 10 820101 8302 4301",    // size of one byte
                           "10 62 0E 8002 0010 820101 8302 4301 880101",  // something more
                           "0E 62 0B 8002 0010 820101 8302 4301 00",      // something behind
                           "0D 62 0C 8002 0010 820101 8302 4301",         // longer than it is
                           "02 62 00", "01 62"}) {
    EXPECT_EQ(card.send(std::string("00 E0 00 00") + body), "6A80") << body;
  }
  EXPECT_EQ(card.send("00 E0 00 00"), "6A80");
  EXPECT_EQ(card.send("00 E0 01 00 0D 62 0B 8002 0010 820101 8302 4301"), "6A86");
  EXPECT_EQ(card.send("00 E4 00 00"), "6700");
  EXPECT_EQ(card.send("00 E4 00 00 04 83024301"), "6700");
  EXPECT_EQ(card.send("00 E4 01 00 02 4301"), "6A86");
  EXPECT_EQ(card.send(select_certificate), "6A82");
}

TEST(KzidFiles, MemoryIsWhatWasAskedFor) {
  KzidCard card("kzid", true, 4096);
  card.enter();
  EXPECT_EQ(card.send(create_ef(3000, 0x4301)), "9000");
  EXPECT_EQ(card.send(create_ef(3000, 0x4302)), "6A84");
  EXPECT_EQ(card.send("00 A4 02 0C 02 4302"), "6A82");
  EXPECT_EQ(card.send(delete_ef("4301")), "9000");
  EXPECT_EQ(card.send(create_ef(3000, 0x4302)), "9000");
}

TEST(KzidFiles, FourLongCertificatesFit) {
  KzidCard card;
  card.enter();
  for (std::size_t id = 0x4301; id <= 0x4304; ++id)
    EXPECT_EQ(card.send(create_ef(2500, id)), "9000");
}

}  // namespace
}  // namespace kilt::sim::test
