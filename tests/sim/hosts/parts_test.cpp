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
  ASSERT_TRUE(meter.trace_to(path, "kaztoken"));
  meter.exchange(hex("002A808602 0011"), hex("6103"));
  meter.exchange(hex("00C0000003"), hex("5151519000"));
  meter.exchange(hex("0084000003"), hex("7171719000"));
  std::ifstream file(path);
  const std::string trace{std::istreambuf_iterator<char>(file), {}};
  EXPECT_THAT(trace, HasSubstr("> 00 C0 00 00 03\n< {any:3} 90 00\n"));
  EXPECT_THAT(trace, HasSubstr("< 71 71 71 90 00\n"));
  std::remove(path.c_str());
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
