// SPDX-License-Identifier: Apache-2.0
#include "apdu/tlv.hpp"

#include <gtest/gtest.h>

namespace kilt::apdu {
namespace {

Bytes hex(const char* text) {
  return from_hex(text).value();
}

TEST(BerReader, ReadsTagsOfOneToThreeBytes) {
  const Bytes bytes = hex("30 00  5F24 01 AA  7F8149 02 0102");
  BerReader reader(bytes);
  auto first = reader.expect(0x30);
  ASSERT_TRUE(first.ok());
  EXPECT_TRUE(first->constructed());
  EXPECT_EQ(reader.peek(), 0x5F24U);
  EXPECT_TRUE(equal(reader.expect(0x5F24)->value, Bytes{0xAA}));
  const auto third = reader.next();
  ASSERT_TRUE(third.ok());
  EXPECT_EQ(third->tag, 0x7F8149U);
  EXPECT_TRUE(equal(third->whole, hex("7F8149020102")));
  EXPECT_TRUE(reader.done());
  EXPECT_TRUE(reader.finish().ok());
}

TEST(BerReader, ReadsLengthsOfOneToFourBytes) {
  for (const std::size_t length : {0U, 1U, 127U, 128U, 255U, 256U, 65535U, 65536U}) {
    BerWriter writer;
    writer.put(0x04, Bytes(length, 0x11));
    BerReader reader(writer.bytes());
    const auto object = reader.next();
    ASSERT_TRUE(object.ok()) << length;
    EXPECT_EQ(object->value.size(), length);
    EXPECT_TRUE(reader.finish().ok());
  }
}

TEST(BerReader, RefusesWhatIsBroken) {
  for (const char* broken : {
           "30",                // no length
           "3005 0102",         // longer than what holds it
           "3080 0000",         // indefinite
           "3084 00000001 AA",  // length field of more than three bytes
           "3082 01",           // length cut off
           "1F",                // tag cut off
           "1F81 80 81 01 00",  // tag of more than three bytes
           "30 83 FFFFFF 00",   // claims 16 MiB
       }) {
    const Bytes bytes = hex(broken);
    BerReader reader(bytes);
    const auto object = reader.next();
    ASSERT_FALSE(object.ok()) << broken;
    EXPECT_EQ(object.error().kind, ErrorKind::protocol);
  }
  BerReader empty({});
  EXPECT_FALSE(empty.next().ok());
  EXPECT_EQ(empty.peek(), 0U);
}

TEST(BerReader, NamesBothTagsWhenTheWrongOneComes) {
  const Bytes bytes = hex("0201 05");
  BerReader reader(bytes);
  const auto wrong = reader.expect(0x30);
  ASSERT_FALSE(wrong.ok());
  EXPECT_NE(wrong.error().what.find("30"), std::string::npos);
  EXPECT_NE(wrong.error().what.find("02"), std::string::npos);
  EXPECT_TRUE(reader.expect(0x02).ok()) << "a refused object is not consumed";
}

TEST(BerReader, AnOptionalObjectIsTakenOnlyWhenItIsThere) {
  const Bytes bytes = hex("0201 05");
  BerReader reader(bytes);
  EXPECT_EQ(reader.optional(0x0C).value(), std::nullopt);
  EXPECT_TRUE(reader.optional(0x02).value().has_value());
  EXPECT_EQ(reader.optional(0x02).value(), std::nullopt);
}

TEST(BerReader, WhatIsLeftIsAnErrorUnlessSkipped) {
  const Bytes bytes = hex("0201 05 0101 FF");
  BerReader strict(bytes);
  ASSERT_TRUE(strict.next().ok());
  EXPECT_FALSE(strict.finish().ok());
  strict.skip_rest();
  EXPECT_TRUE(strict.finish().ok());
}

/// How many levels can be entered; `why` is what the refusal said.
int levels_below(BerReader& reader, std::string& why) {
  auto inner = reader.enter(0x30);
  if (!inner.ok()) {
    why = inner.error().what;
    return 0;
  }
  return 1 + levels_below(*inner, why);
}

TEST(BerReader, NestingHasALimit) {
  Bytes nested;
  for (int i = 0; i < BerReader::max_depth + 4; ++i) {
    BerWriter writer;
    writer.put(0x30, nested);
    nested = writer.bytes();
  }
  BerReader outermost(nested);
  std::string why;
  EXPECT_EQ(levels_below(outermost, why), BerReader::max_depth);
  EXPECT_NE(why.find("too deep"), std::string::npos) << why;
}

TEST(FindTag, LooksAtTheTopLevelOnly) {
  const Bytes bytes = hex("6F04 8002 0010  8A01 05");
  EXPECT_TRUE(equal(find_tag(bytes, 0x8A).value(), Bytes{0x05}));
  EXPECT_EQ(find_tag(bytes, 0x80), std::nullopt);
  EXPECT_EQ(find_tag(hex("6F04 80"), 0x8A), std::nullopt);
}

TEST(BerWriter, WritesMinimalLengths) {
  BerWriter inner;
  inner.put(0x02, {0x01});
  BerWriter writer;
  writer.put(0x30, inner).raw(hex("0500"));
  EXPECT_EQ(writer.bytes(), hex("3003 020101 0500"));
  EXPECT_EQ(BerWriter().put(0x04, Bytes(128)).bytes()[1], 0x81);
  EXPECT_EQ(BerWriter().put(0x04, Bytes(256)).bytes()[1], 0x82);
  EXPECT_EQ(BerWriter().put(0x5F24, {}).bytes(), hex("5F2400"));
}

TEST(SimpleTlv, GoesBothWays) {
  for (const std::size_t length : {0U, 1U, 254U, 255U, 256U, 65535U}) {
    Bytes bytes;
    append_simple_tlv(bytes, 0x42, Bytes(length, 0x07));
    ByteView rest = bytes;
    const auto object = read_simple_tlv(rest);
    ASSERT_TRUE(object.ok()) << length;
    EXPECT_EQ(object->tag, 0x42U);
    EXPECT_EQ(object->value.size(), length);
    EXPECT_TRUE(rest.empty());
  }
}

TEST(SimpleTlv, RefusesWhatIsBroken) {
  for (const char* broken : {"", "42", "0000", "FF00", "4203 0102", "42FF 01", "42FF 0003 0102"}) {
    const Bytes bytes = hex(broken);
    ByteView rest = bytes;
    EXPECT_FALSE(read_simple_tlv(rest).ok()) << broken;
    EXPECT_EQ(rest.size(), bytes.size()) << "nothing is consumed";
  }
}

}  // namespace
}  // namespace kilt::apdu
