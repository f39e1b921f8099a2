// SPDX-License-Identifier: Apache-2.0
// Files of the simulated Kaztoken, byte for byte [facts kaztoken §3.1, §3.2, §4.1, §10.1].
#include "tests/sim/sim_card.hpp"

namespace kilt::sim::test {
namespace {

const char* const select_mf = "00 A4 00 00 02 3F00 00";
const std::string zeros = "00000000000000";

/// A card in the initialisation phase with an MF, so that nothing is forbidden.
class FreshCard : public testing::Test {
 public:
  void SetUp() override {
    EXPECT_EQ(card.send("80 8A 00 00"), "9000");
    EXPECT_EQ(card.send(create(0, "3800", 0x3F00, "", "47 02 02 01 00 00 00 FF")), "9000");
  }
  void create_ef(std::size_t id, std::size_t size, const std::string& rights = "4300000000000000") {
    ASSERT_EQ(card.send(create(size, "0100", id, "", rights)), "9000");
  }
  void create_df(std::size_t id) {
    ASSERT_EQ(card.send(create(0, "3800", id, "", "43 00 00 00 00 00 00 00")), "9000");
  }
  TestCard card{"kaztoken", true};
};

TEST(OwnersCard, LooksAsItIsSold) {
  TestCard card;
  // The example of a real token's MF [facts kaztoken §4.13].
  EXPECT_EQ(card.send(select_mf),
            "6F20800200008202380083023F00860F47020201000000FF" + zeros + "8A01059000");
  EXPECT_EQ(card.sw("00 A4 08 00 02 5000 00"), "6A82");  // not set up by OpenSC
  EXPECT_EQ(card.sw("00 A4 08 00 02 2F00 00"), "6A82");
  EXPECT_EQ(card.sw("00 A4 08 00 02 6000 00"), "9000");
  for (const char* path : {"06 100010006001", "06 100010006002", "06 100010006003",
                           "06 100010006004", "06 100010006005", "04 10001002", "04 10001003",
                           "04 10001004", "06 100010018001", "06 100010018002"}) {
    EXPECT_EQ(card.sw(std::string("00 A4 08 00 ") + path + " 00"), "9000") << path;
  }
  EXPECT_EQ(card.sw("00 A4 08 00 08 1000100180010001 00"), "9000");
  EXPECT_EQ(card.send("00 B0 00 00 04"), "525001009000");
}

TEST(BlankCard, HasNothingAndTakesNothingBeforeItsInitialisation) {
  TestCard card("kaztoken", true);
  EXPECT_EQ(card.send(select_mf), "6A82");
  EXPECT_EQ(card.send("00 A4 08 00 04 5015 4946 00"), "6A82");
  EXPECT_EQ(card.send("00 20 00 02"), "6A88");
  const auto mf = create(0, "3800", 0x3F00, "", "47 02 02 01 00 00 00 FF");
  EXPECT_EQ(card.send(mf), "6985");
  EXPECT_EQ(card.send("80 84 4E 19"), "6985");
  EXPECT_EQ(card.send("80 8A 00 00"), "9000");
  EXPECT_EQ(card.send(select_mf), "6A82");
  EXPECT_EQ(card.send("80 84 4E 19"), "6985");  // nothing to protect yet
  card.power_cycle();                           // the phase is non-volatile [§10.1 #28]
  EXPECT_EQ(card.send(mf), "9000");
  EXPECT_EQ(card.send(mf), "6A89");
  EXPECT_EQ(card.sw(select_mf), "9000");
}

TEST_F(FreshCard, ControlInformationOfEachKind) {
  create_df(0x5000);
  create_ef(0x5031, 0x80, "43 00 01 00 00 00 00 01");
  EXPECT_EQ(card.send("00 A4 08 00 04 5000 5031 00"),
            "6F2480020080810200808202010083025031860F4300010000000001" + zeros + "8A01059000");
  EXPECT_EQ(card.send("00 A4 08 04 04 5000 5031 00").substr(0, 4), "6224");
  EXPECT_EQ(card.send("00 A4 08 0C 04 5000 5031"), "9000");
  EXPECT_EQ(card.send("00 A4 08 00 04 5000 5031"), "9000");  // nobody asked for data
}

TEST_F(FreshCard, SelectInEveryForm) {
  create_df(0x5000);
  create_ef(0x5031, 16);
  EXPECT_EQ(card.sw(select_mf), "9000");
  EXPECT_EQ(card.sw("00 A4 00 00 02 5031 00"), "6A82");  // not a child of the MF
  EXPECT_EQ(card.sw("00 A4 01 0C 02 5000"), "9000");
  EXPECT_EQ(card.sw("00 A4 02 0C 02 5031"), "9000");
  EXPECT_EQ(card.sw("00 B0 00 00 10"), "9000");
  EXPECT_EQ(card.sw("00 A4 01 0C 02 5031"), "6A82");  // an EF is no child DF
  EXPECT_EQ(card.sw("00 A4 00 0C 02 5031"), "9000");
  EXPECT_EQ(card.send("00 A4 03 00 00").substr(20, 8), "83023F00");
  EXPECT_EQ(card.sw("00 A4 02 0C 02 5000"), "6A82");            // nor a DF a child EF
  EXPECT_EQ(card.sw("00 A4 03 00 00"), "6A82");                 // above the MF is nothing
  EXPECT_EQ(card.sw("00 A4 08 0C 06 3F00 5000 5031"), "6A82");  // the path is written without it
  EXPECT_EQ(card.sw("00 A4 04 00 02 5000 00"), "6A86");         // no DF names
  EXPECT_EQ(card.sw("00 A4 09 00 02 5000 00"), "6A86");
  EXPECT_EQ(card.sw("00 A4 00 01 02 5000 00"), "6A86");
  EXPECT_EQ(card.sw("00 A4 08 00 03 500050 00"), "6A80");
  EXPECT_EQ(card.sw("00 A4 08 00 00"), "6A80");
}

TEST_F(FreshCard, FailedSelectLeavesTheSelection) {
  create_ef(0x2F00, 16);
  EXPECT_EQ(card.sw("00 A4 08 00 02 2F01 00"), "6A82");
  EXPECT_EQ(card.sw("00 B0 00 00 10"), "9000");
}

TEST_F(FreshCard, ListsByFirstAndNext) {
  create_ef(0x2F00, 16);
  create_df(0x5000);
  card.sw(select_mf);
  create_df(0x1000);
  card.sw(select_mf);
  std::vector<std::string> ids;
  std::string answer = card.send("00 A4 00 00 00");
  while (answer.ends_with("9000")) {
    const auto at = answer.find("8302");
    const std::string id = answer.substr(at + 4, 4);
    ids.push_back(id);
    if (answer.find("82023800") != std::string::npos) {
      // A DF has become current: what is inside is listed, so the parent comes first.
      EXPECT_EQ(card.send("00 A4 00 00 00"), "6A82");
      EXPECT_EQ(card.sw("00 A4 03 00 00"), "9000");
    }
    answer = card.send("00 A4 00 02 02" + id + "00");
  }
  EXPECT_EQ(answer, "6A82");
  EXPECT_EQ(ids, (std::vector<std::string>{"1000", "2F00", "5000"}));
  EXPECT_EQ(card.sw("00 A4 00 02 00"), "6A80");
}

TEST_F(FreshCard, ReadsWithinTheFile) {
  create_ef(0x0301, 600);
  EXPECT_EQ(card.sw("00 B0 00 00 00"), "9000");
  EXPECT_EQ(card.send("00 B0 00 00 00").size(), 2 * 258u);
  EXPECT_EQ(card.send("00 B0 02 57 01"), "009000");
  EXPECT_EQ(card.send("00 B0 02 58 01"), "6B00");
  EXPECT_EQ(card.send("00 B0 02 56 05"), "00006282");
  EXPECT_EQ(card.send("00 B0 02 56 00"), "00009000");
  EXPECT_EQ(card.send("00 B0 80 00 01"), "6A86");
  EXPECT_EQ(card.send("00 B0 00 00"), "6700");
  EXPECT_EQ(card.send("00 B0 00 00 01 AA 01"), "6700");
}

TEST_F(FreshCard, WritesWithinTheFile) {
  create_ef(0x0301, 300);
  EXPECT_EQ(card.send("00 D6 01 20 04 01020304"), "9000");
  EXPECT_EQ(card.send("00 B0 01 1F 06"), "0001020304009000");
  EXPECT_EQ(card.send("00 D6 01 2B 01 05"), "9000");
  EXPECT_EQ(card.send("00 D6 01 2B 02 0506"), "6A84");
  EXPECT_EQ(card.send("00 D6 01 2C 01 05"), "6B00");
  EXPECT_EQ(card.send("00 D6 00 00"), "6700");
  card.power_cycle();
  EXPECT_EQ(card.sw("00 B0 00 00 01"), "6986");  // the selection is volatile, the bytes are not
  EXPECT_EQ(card.sw("00 A4 08 0C 02 0301"), "9000");
  EXPECT_EQ(card.send("00 B0 01 20 04"), "010203049000");
}

TEST_F(FreshCard, NothingCurrentNothingRead) {
  EXPECT_EQ(card.send("00 B0 00 00 01"), "6986");
  EXPECT_EQ(card.send("00 D6 00 00 01 00"), "6986");
}

TEST_F(FreshCard, CreateRefusesWhatIsNoFile) {
  const std::string good = create(16, "0100", 0x0301, "", "43");
  EXPECT_EQ(card.send(create(16, "0100", 0x3F00, "", "43")), "6A89");
  for (std::size_t id : {0x0000, 0x3FFF, 0xFFFF}) {
    EXPECT_EQ(card.send(create(16, "0100", id, "", "43")), "6A80") << id;
  }
  EXPECT_EQ(card.send(create(0, "0100", 0x0301, "", "43")), "6A80");
  EXPECT_EQ(card.send(create(16, "0200", 0x0301, "", "43")), "6A80");  // no such type
  EXPECT_EQ(card.send(create(16, "1000", 0x0001, "", "43")), "6A80");  // a key without property
  EXPECT_EQ(card.send(create(16, "0100", 0x0301, "010601AA0000", "43")), "6A80");
  EXPECT_EQ(card.send(create(16, "0100", 0x0301, "", "43 04")), "6A80");  // no such condition
  EXPECT_EQ(card.send(create(16, "0100", 0x0301, "", "43 00 00 00 00 00 00 00 01")), "6A80");
  std::string template62 = good;
  template62.replace(10, 2, "62");
  EXPECT_EQ(card.send(template62), "6A80");
  // Attributes of another length than 15 [facts kaztoken §3.2].
  EXPECT_EQ(card.send("00E000001E 6F1C 80020010 82020100 83020301 860E" + std::string(28, '0')),
            "6A80");
  EXPECT_EQ(card.send("00E000001F 6F1D 82020100 80020010 83020301 860F" + std::string(30, '0')),
            "6A80");  // another order
  EXPECT_EQ(card.send("00E00000 01 6F"), "6A80");
  EXPECT_EQ(card.send("00E00000"), "6A80");
  EXPECT_EQ(card.send("00E00001" + good.substr(8)), "6A86");
  EXPECT_EQ(card.send(good), "9000");
  EXPECT_EQ(card.send(good), "6A89");
}

TEST_F(FreshCard, DeletesByIdInTheDfOfTheSelectedFile) {
  create_df(0x5000);
  create_ef(0x5031, 16);
  EXPECT_EQ(card.send("00 E4 00 00 02 5031"), "9000");
  EXPECT_EQ(card.sw("00 B0 00 00 01"), "6986");
  EXPECT_EQ(card.send("00 E4 00 00 02 5031"), "6A82");
  create_ef(0x5032, 16);
  EXPECT_EQ(card.send("00 E4 00 00"), "9000");  // the current file
  EXPECT_EQ(card.sw("00 A4 08 0C 04 5000 5032"), "6A82");
}

TEST_F(FreshCard, DeletesADfWithAllInIt) {
  create_df(0x5000);
  create_ef(0x5031, 16);
  card.sw(select_mf);
  EXPECT_EQ(card.send("00 E4 00 00 02 5000"), "9000");
  EXPECT_EQ(card.sw("00 A4 08 0C 02 5000"), "6A82");
  create_df(0x5000);
  EXPECT_EQ(card.sw("00 A4 08 0C 04 5000 5031"), "6A82");
  card.sw("00 A4 08 0C 02 5000");
  EXPECT_EQ(card.send("00 E4 00 00 02 5000"), "9000");  // itself; the parent becomes current
  EXPECT_EQ(card.sw("00 A4 01 0C 02 5000"), "6A82");
  EXPECT_EQ(card.send("00 E4 00 00 02 3F00"), "6985");
}

TEST_F(FreshCard, DeletedBytesDoNotComeBack) {
  create_ef(0x0301, 4);
  EXPECT_EQ(card.send("00 D6 00 00 04 01020304"), "9000");
  EXPECT_EQ(card.send("00 E4 00 00 02 0301"), "9000");
  create_ef(0x0301, 4);
  EXPECT_EQ(card.send("00 B0 00 00 04"), "000000009000");
}

TEST(SmallCard, IsFullWith6A84AndUsableAgainAfterDeletion) {
  TestCard card("kaztoken", true, 2048);
  EXPECT_EQ(card.send("80 8A 00 00"), "9000");
  EXPECT_EQ(card.send(create(0, "3800", 0x3F00, "", "47 02 02 01 00 00 00 FF")), "9000");
  EXPECT_EQ(card.send(create(1900, "0100", 0x0301, "", "43")), "9000");
  EXPECT_EQ(card.send(create(200, "0100", 0x0302, "", "43")), "6A84");
  EXPECT_EQ(card.sw("00 A4 08 0C 02 0302"), "6A82");
  EXPECT_EQ(card.send("00 E4 00 00 02 0301"), "9000");
  EXPECT_EQ(card.send(create(200, "0100", 0x0302, "", "43")), "9000");
}

TEST(Commands, UnknownOnesAreNamedSo) {
  TestCard card;
  EXPECT_EQ(card.send("00 10 00 00"), "6D00");
  EXPECT_EQ(card.send("80 20 00 02"), "6D00");
  EXPECT_EQ(card.send("00 40 00 00"), "6D00");
  EXPECT_EQ(card.send("20 A4 00 00 02 3F00"), "6E00");
  EXPECT_EQ(card.send("84 40 00 00"), "6E00");
  EXPECT_EQ(card.send("10 A4 00 00 02 3F00"), "6884");
  EXPECT_EQ(card.send("00 D0 00 00 01 00"), "6D00");               // no WRITE BINARY
  EXPECT_EQ(card.send("00 B2 01 04 00"), "6D00");                  // no records
  EXPECT_EQ(card.send("00 A4 00 00 00 00 02 3F00 0000"), "6700");  // nothing extended
}

TEST(Information, SerialAndDevice) {
  TestCard card;
  EXPECT_EQ(card.send("00 CA 01 81 00"), "0000000048E243B59000");  // [facts kaztoken §4.13]
  EXPECT_EQ(card.send("00 CA 01 81 04"), "6C08");
  EXPECT_EQ(card.chip().serial(), "48E243B5");
  const std::string information = card.send("00 CA 01 89 0C");
  EXPECT_EQ(information.size(), 2 * 14u);
  EXPECT_EQ(information.substr(0, 2), "01");
  EXPECT_EQ(information.substr(4, 2), "08");  // 64 KiB in units of eight
  EXPECT_EQ(card.send("00 CA 01 8C 00").substr(0, 16), "9F004100B0020200");
  EXPECT_EQ(card.send("00 CA 01 33 00"), "6A88");
  EXPECT_EQ(card.send("00 CA 01 81"), "6700");
}

TEST(Challenge, AsLongAsAskedForAndReproducible) {
  TestCard one;
  TestCard other;
  EXPECT_EQ(one.send("00 84 00 00"), "6700");
  EXPECT_EQ(one.send("00 84 00 00 08").size(), 2 * 10u);
  EXPECT_EQ(one.send("00 84 00 00 00").size(), 2 * 258u);
  EXPECT_EQ(one.send("00 84 01 00 08"), "6A86");
  other.send("00 84 00 00 08");
  EXPECT_NE(one.send("00 84 00 00 20"), one.send("00 84 00 00 20"));
  Nvram nvram;
  ChipOptions options;
  options.seed = 7;
  const std::string first = TestCard(nvram, "kaztoken", options).send("00 84 00 00 20");
  const std::string second = TestCard(nvram, "kaztoken", options).send("00 84 00 00 20");
  EXPECT_NE(first, second);  // the same card in a later run
  Nvram again;
  EXPECT_EQ(TestCard(again, "kaztoken", options).send("00 84 00 00 20"), first);
}

TEST(SmartCard, T0Forms) {
  TestCard card("kaztoken-sc");
  EXPECT_EQ(card.send("00 A4 00 00 02 3F00"), "6122");
  EXPECT_EQ(card.send("00 C0 00 00 22").substr(0, 4), "6F20");
  EXPECT_EQ(card.send("00 A4 08 0C 02 1000"), "6A86");  // an answer nobody fetches
  EXPECT_EQ(card.send("00 20 00 02 00"), "63CA");       // case 1 with P3
  EXPECT_EQ(card.send("00 20 00 02"), "63CA");
  EXPECT_EQ(card.send("80 40 00 00 00"), "9000");
  EXPECT_EQ(card.send("00 20 00 02 08 3132333435363738"), "9000");
  EXPECT_EQ(card.send("00 20 00 02 00"), "9000");
  EXPECT_EQ(card.send("00 84 00 00 00").size(), 2 * 258u);
  EXPECT_EQ(card.send("00 CA 01 81 00"), "6C08");
  EXPECT_EQ(card.send("00 CA 01 81 08"), "0000000048E243B59000");
  EXPECT_EQ(card.send("00 A4 00 00 02 3F00"), "6122");
  EXPECT_EQ(card.send("00 A4 00 00 00"), "6122");  // first child
}

TEST(State, BelongsToOneCard) {
  Nvram nvram;
  ChipOptions options;
  options.serial = "1234ab";
  const Profile* usb = find_profile("kaztoken");
  const Profile* sc = find_profile("kaztoken-sc");
  ASSERT_TRUE(check_state(nvram, *usb, options).ok());
  EXPECT_EQ(usb->make(nvram, options)->serial(), "001234AB");
  EXPECT_TRUE(check_state(nvram, *usb, {}).ok());
  EXPECT_TRUE(check_state(nvram, *usb, options).ok());
  const auto other_profile = check_state(nvram, *sc, {});
  ASSERT_FALSE(other_profile.ok());
  EXPECT_NE(other_profile.error().what.find("kaztoken"), std::string::npos);
  EXPECT_EQ(sc->make(nvram, {}), nullptr);
  options.serial = "5678";
  EXPECT_FALSE(check_state(nvram, *usb, options).ok());
  EXPECT_EQ(usb->make(nvram, {})->serial(), "001234AB");
  options = {};
  options.serial = "not hex";
  EXPECT_FALSE(check_state(Nvram(), *usb, options).ok());
  options = {};
  options.atr = Bytes(34, 0x3B);
  EXPECT_FALSE(check_state(Nvram(), *usb, options).ok());
}

TEST(State, PersonalisationThatWasCutOffIsDoneAgain) {
  for (std::uint64_t cut = 1;; ++cut) {
    Nvram nvram;
    nvram.before_write = [cut](std::uint64_t n) {
      if (n == cut) throw PowerCut{};
    };
    bool finished = true;
    try {
      find_profile("kaztoken")->make(nvram, {});
    } catch (const PowerCut&) {
      finished = false;
    }
    nvram.before_write = nullptr;
    if (finished) break;
    TestCard card(nvram, "kaztoken", {});
    EXPECT_EQ(card.send("00 20 00 02"), "63CA") << cut;
    EXPECT_EQ(card.sw("00 A4 08 0C 02 6000"), "9000") << cut;
    ASSERT_LT(cut, 1000u);
  }
}

TEST(Profiles, AreFoundByName) {
  ASSERT_NE(find_profile("kaztoken"), nullptr);
  EXPECT_EQ(find_profile("kaztoken")->protocol, Protocol::t1);
  EXPECT_EQ(find_profile("kaztoken")->max_command, 261u);
  EXPECT_EQ(find_profile("kaztoken")->max_response, 258u);
  EXPECT_FALSE(find_profile("kaztoken")->extended);
  EXPECT_EQ(find_profile("kaztoken-sc")->protocol, Protocol::t0);
  EXPECT_EQ(find_profile("none"), nullptr);
  EXPECT_EQ(to_hex(TestCard("kaztoken").chip().atr()), "3B88014B415A544F4B454E82");
  EXPECT_EQ(to_hex(TestCard("kaztoken-sc").chip().atr()), "3B9896004B415A544F4B454E");
}

}  // namespace
}  // namespace kilt::sim::test
