// SPDX-License-Identifier: Apache-2.0
// The parts of the hosts that need no running program.
#include <gmock/gmock.h>

#include <cstdio>
#include <fstream>

#include "firmware-sim/ca_oid.hpp"
#include "firmware-sim/hosts/allow_list.hpp"
#include "firmware-sim/hosts/loop.hpp"
#include "firmware-sim/hosts/meter.hpp"
#include "firmware-sim/hosts/options.hpp"
#include "firmware-sim/hosts/stream.hpp"

namespace kilt::sim {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

Bytes hex(const char* text) {
  return from_hex(text).value();
}

TEST(Framing, TakesWholeMessagesOnly) {
  Bytes buffer = hex("00000003 54 AABB 000000");
  auto first = take_message(buffer);
  ASSERT_TRUE(first.ok() && first->has_value());
  EXPECT_EQ((*first)->code, 0x54);
  EXPECT_EQ((*first)->payload, hex("AABB"));
  auto second = take_message(buffer);
  ASSERT_TRUE(second.ok());
  EXPECT_FALSE(second->has_value());
  append(buffer, hex("01 53"));
  second = take_message(buffer);
  ASSERT_TRUE(second.ok() && second->has_value());
  EXPECT_TRUE((*second)->payload.empty());
  EXPECT_TRUE(buffer.empty());
}

TEST(Framing, RefusesLengthsThatCannotBe) {
  for (const char* text : {"00000000", "00011171", "FFFFFFFF"}) {
    Bytes buffer = hex(text);
    EXPECT_FALSE(take_message(buffer).ok()) << text;
  }
}

TEST(Framing, EncodesWhatItTakes) {
  Bytes wire = encode({'T', hex("00A40000")});
  EXPECT_EQ(to_hex(wire), "000000055400A40000");
}

TEST(Masking, HidesBodiesOfPinCommandsInAnyClass) {
  EXPECT_EQ(masked(hex("80DB003103 130105")), "80 DB 00 31 {pin}") << "a part of a key";
  EXPECT_EQ(masked(hex("0020000208 3132333435363738")), "00 20 00 02 {pin}");
  EXPECT_EQ(masked(hex("1024000208 3132333435363738")), "10 24 00 02 {pin}");
  EXPECT_EQ(masked(hex("802C000208 3132333435363738")), "80 2C 00 02 {pin}");
  EXPECT_EQ(masked(hex("00210002 08 3132333435363738 00")), "00 21 00 02 {pin} 00");
  EXPECT_EQ(masked(hex("002000027F 31323334")), "00 20 00 02 {pin}") << "broken, but a PIN";
  EXPECT_EQ(masked(hex("0020000200")), "00 20 00 02 00");
  EXPECT_EQ(masked(hex("00200002")), "00 20 00 02");
  EXPECT_EQ(masked(hex("00A4000C023F00")), "00 A4 00 0C 02 3F 00");
  EXPECT_EQ(masked(hex("00")), "00");
}

TEST(Masking, HidesWhatWasDeciphered) {
  const std::string path = ::testing::TempDir() + "kilt-meter-trace";
  Meter meter;
  ASSERT_TRUE(meter.trace_to(path, *find_profile("kaztoken")));
  meter.exchange(hex("002A808602 0011"), hex("6103"));
  meter.exchange(hex("00C0000003"), hex("5151519000"));
  meter.exchange(hex("0084000003"), hex("7171719000"));
  std::ifstream file(path);
  const std::string trace{std::istreambuf_iterator<char>(file), {}};
  EXPECT_THAT(trace, HasSubstr("> 00 C0 00 00 03\n< {any:3} 90 00\n"));
  EXPECT_THAT(trace, HasSubstr("< 71 71 71 90 00\n"));
  std::remove(path.c_str());
}

struct Said {
  const char* command;
  const char* answer;
  bool is_private = false;
};

/// The trace of a conversation with this card; empty where it was not built in.
std::string trace_of(const char* card, const std::vector<Said>& conversation) {
  const auto* profile = find_profile(card);
  if (profile == nullptr) return {};
  const std::string path = ::testing::TempDir() + "kilt-meter-life-" + card;
  Meter meter;
  EXPECT_TRUE(meter.trace_to(path, *profile));
  for (const auto& said : conversation) {
    meter.exchange(hex(said.command), hex(said.answer), said.is_private);
    meter.unanswered(hex(said.command), "mute", said.is_private);
    meter.unanswered(hex(said.command), "card removed");
  }
  std::ifstream file(path);
  const std::string trace{std::istreambuf_iterator<char>(file), {}};
  std::remove(path.c_str());
  EXPECT_FALSE(trace.empty());
  return trace;
}

/// Neither as hex nor as text.
void expect_hidden(std::string trace, std::initializer_list<const char*> secrets) {
  for (const char* secret : secrets)
    EXPECT_THAT(trace, Not(HasSubstr(as_text(hex(secret))))) << secret;
  std::erase(trace, ' ');
  for (const char* secret : secrets)
    EXPECT_THAT(trace, Not(HasSubstr(secret)));
}

TEST(Masking, HidesContentsOfPrivateFiles) {
  const auto trace = trace_of("kaztoken", {{"00A4080C020501", "9000"},
                                           {"00D6000205 AAAAAAAAAA", "9000", true},
                                           {"00D6000209 AAAAAAAAAA", "6700", true},
                                           {"00D6000000 0005 AAAAAAAAAA", "6700", true},
                                           {"8018000004 AAAAAAAA 05", "BBBBBBBBBB 9000", true},
                                           {"00B0000205", "6105", true},
                                           {"00C0000005", "BBBBBBBBBB 9000"},
                                           {"00B0000002", "CCCC 9000"}});
  if (trace.empty()) GTEST_SKIP();
  expect_hidden(trace, {"AAAA", "BBBB"});
  for (const char* seen :
       {"> 00 A4 08 0C 02 05 01\n< 90 00\n", "> 00 D6 00 02 05 {any:5}\n< 90 00\n",
        "> 00 D6 00 02 {any:6}\n< 67 00\n", "> 00 D6 00 00 00 00 05 {any:5}\n< 67 00\n",
        "> 80 18 00 00 04 {any:4} 05\n< {any:5} 90 00\n", "> 00 B0 00 02 05\n< 61 05\n",
        "> 00 C0 00 00 05\n< {any:5} 90 00\n", "> 00 B0 00 00 02\n< CC CC 90 00\n",
        "; no answer (card removed) to 00 A4 08 0C 02 {any:2}\n"}) {
    EXPECT_THAT(trace, HasSubstr(seen));
  }
}

constexpr const char* user_pin = "31323334353637383930";
constexpr const char* officer_pin = "3837363534333231";
constexpr const char* plain_text = "68656C6C6F";
constexpr const char* plain_tail = "51525354";
constexpr const char* key_part = "A1A2A3A4";
constexpr const char* key_tail = "B1B2B3B4";

const std::vector<Said>& life_of_laser() {
  static const auto& life = *new std::vector<Said>{
      {"00E0080037 6235 8A0104 83020010 80020010 850EC0010000AA041000000000001010"
       "860E00FF001000FF001000FF00FF0000 81083837363534333231",
       "9000"},
      {"00E0080039 6237 8A0104 83020020 80020010 850EC0010000AA041000000000001010"
       "860E00FF003000FF001000FF00100000 810A31323334353637383930",
       "9000"},
      {"10E0080004 62358A01", "9000"},
      {"00E008000A 81083837363534333231", "9000"},
      {"0CE008000A 81083837363534333231", "6987"},
      {"00E008000C 810A31323334353637383930", "6A80"},
      {"00E00800FF 810A31323334353637383930", "6700"},
      {"002000000A 31323334353637383930", "9000"},
      {"8C2400001D 871101C2BC13A7ADD08F63F399856FA92F807D8E08E6332690A8DD32EB00",
       "990290008E08E9FAB984023A8C149000"},
      {"802400000C 620A 8108 3837363534333231", "6982"},
      {"802C0000", "9000"},
      {"9024000008 62089304 A1A2A3A4", "9000"},
      {"8024000004 B1B2B3B4", "9000"},
      {"002A800A06 820401020304 00", "8005 68656C6C6F 9000"},
      {"002A800C06 820401020304 00", "6104"},
      {"00C0000004", "51525354 9000"},
  };
  return life;
}

const std::vector<Said>& life_of_etoken() {
  static const auto& life = *new std::vector<Said>{
      {"8017000008", "0102030405060708 9000"},
      {"801100200A 1008 3837363534333231", "9000"},
      {"8011002015 1008 3837363534333231", "6700"},
      {"80DB003106 1304 A1A2A3A4", "9000"},
      {"80DB013106 1404 B1B2B3B4", "9000"},
      {"802400200C 0F04 01020304 1004 A1A2A3A4", "9000"},
      {"802C00200C 0F04 01020304 1004 B1B2B3B4", "9000"},
      {"808E000012 0F04 01020304 1004 A1A2A3A4 2104 6B696C74", "9000"},
      {"800C033106 100401020304 00", "1005 68656C6C6F 9000"},
      {"800C0331000006 100401020304 0000", "1004 51525354 9000"},
  };
  return life;
}

TEST(Masking, ALifeOfJacarta) {
  for (const char* card : {"jacarta", "jacarta-combined"}) {
    if (find_profile(card) == nullptr) GTEST_SKIP();
    auto life = life_of_laser();
    life.push_back(
        {"00E0080026 6224 8A0104 83020041 80020100 8505050C2000A3"
         "860E0000002000FF0000002000200020 7100",
         "9000"});
    life.push_back({"002A9E8A05 8003313131 00", "5A5B5C 9000"});
    const auto trace = trace_of(card, life);
    expect_hidden(trace, {user_pin, officer_pin, plain_text, plain_tail, key_part, key_tail});
    EXPECT_THAT(trace, HasSubstr("> 00 E0 08 00 {pin}\n< 90 00\n"));
    EXPECT_THAT(trace, HasSubstr("< {any:7} 90 00\n"));
    EXPECT_THAT(trace, HasSubstr("85 05 05 0C 20 00 A3")) << "a key object without a value";
    EXPECT_THAT(trace, HasSubstr("< 5A 5B 5C 90 00\n")) << "a signature";
  }
}

TEST(Masking, ALifeOfTheETokensApplet) {
  for (const char* card : {"etoken72k", "etoken5110", "jacarta-pro", "jacarta-combined"}) {
    if (find_profile(card) == nullptr) GTEST_SKIP();
    const auto trace = trace_of(card, life_of_etoken());
    expect_hidden(trace, {officer_pin, plain_text, plain_tail, key_part, key_tail});
    EXPECT_THAT(trace, HasSubstr("> 80 11 00 20 {pin}\n< 90 00\n"));
    EXPECT_THAT(trace, HasSubstr("< 01 02 03 04 05 06 07 08 90 00\n")) << "the challenge alone";
  }
}

TEST(Masking, ALifeOfCardsWithIsosCommandsAlone) {
  for (const char* card : {"kaztoken", "kzid"}) {
    if (find_profile(card) == nullptr) GTEST_SKIP();
    const auto trace = trace_of(card, {{"0020000208 3837363534333231", "9000"},
                                       {"0024000212 38373635343332313132333435363738 3930", "9000"},
                                       {"002C000212 38373635343332313132333435363738 3930", "9000"},
                                       {"1024000308 7F48059203 A1A2A3", "9000"},
                                       {"002A808605 0001020304", "6105"},
                                       {"00C0000005", "68656C6C6F 9000"}});
    expect_hidden(trace, {user_pin, officer_pin, plain_text, "A1A2A3"});
  }
}

TEST(AllowList, IsMadeOrExtended) {
  EXPECT_THAT(allow_serials("", {"0A1B"}), HasSubstr("allow_assumed = [\"0A1B\", ]"));
  EXPECT_THAT(allow_serials("pin_cache = false\n", {"0A1B"}), HasSubstr("pin_cache = false"));
  const auto extended = allow_serials("allow_assumed = [\n \"77\"]\n[x]\ny = 1\n", {"1", "2"});
  EXPECT_THAT(extended, HasSubstr("allow_assumed = [\"1\", \"2\", \n \"77\"]"));
  const auto elsewhere = allow_serials("[x]\nallow_assumed = [\"77\"]\n", {"1"});
  EXPECT_EQ(elsewhere.find("allow_assumed = [\"1\""), 0) << "a table's key is not the top's";
  EXPECT_THAT(allow_serials("# allow_assumed = []\n", {"1"}),
              Not(HasSubstr("# allow_assumed = [\"1")));
}

TEST(ViaOption, KnowsItsForms) {
  EXPECT_EQ(Via::parse("socket")->kind, Via::Kind::socket);
  EXPECT_EQ(Via::parse("socket:/a/b")->path, "/a/b");
  EXPECT_EQ(Via::parse("pcscd")->kind, Via::Kind::pcscd);
  EXPECT_EQ(Via::parse("vpcd")->port, 0);
  EXPECT_EQ(Via::parse("vpcd:35963")->port, 35963);
  for (const char* text :
       {"", "usb", "socket:", "socket:/a,b", "vpcd:", "vpcd:x", "vpcd:0", "pcscd:1"}) {
    EXPECT_FALSE(Via::parse(text).ok()) << text;
  }
}

TEST(Numbered, FirstKeepsItsName) {
  EXPECT_EQ(numbered("f", 0), "f");
  EXPECT_EQ(numbered("f", 1), "f.2");
  EXPECT_EQ(numbered("", 1), "");
}

TEST(Oid, IsEncodedAsKnownElsewhere) {
  EXPECT_EQ(to_hex(encode_oid("1.2.840.113549.1.1.11")), "2A864886F70D01010B");
  EXPECT_EQ(to_hex(encode_oid("2.5.29.15")), "551D0F");
  EXPECT_EQ(to_hex(encode_oid("1.2.398.3.3.5.1.1")),
            "2A830E0303050101");  // [facts kz-pki-crypto §2.2]
}

TEST(LoopTimers, RunInOrderAndCanBeCancelled) {
  Loop loop;
  std::vector<int> ran;
  loop.after(std::chrono::milliseconds(400), [&] { ran.push_back(2); });
  const auto cancelled = loop.after(std::chrono::milliseconds(300), [&] { ran.push_back(9); });
  loop.post([&] {
    ran.push_back(1);
    loop.cancel(cancelled);
  });
  EXPECT_TRUE(loop.run_until([&] { return ran.size() == 2; }, std::chrono::seconds(10)));
  EXPECT_THAT(ran, ElementsAre(1, 2));
  EXPECT_FALSE(loop.run_until([] { return false; }, std::chrono::milliseconds(3)));
}

}  // namespace
}  // namespace kilt::sim
