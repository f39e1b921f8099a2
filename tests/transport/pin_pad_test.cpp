// SPDX-License-Identifier: Apache-2.0
// PIN_VERIFY_STRUCTURE byte by byte, as [PC/SC part 10 §2.5.2] and CCID's PIN data structure
// [CCID 1.1 §6.1.11.4] lay it out.
#include "apdu/transport/pin_pad.hpp"

#include <gtest/gtest.h>

namespace kilt::apdu {
namespace {

Bytes hex(std::string_view text) {
  return from_hex(text).value();
}

TEST(PinPad, AWholeBodyTakesItsLengthFromWhatIsTyped) {
  const auto made = pin_verify_structure(hex("00 20 00 02 00"), {4, 12, true});
  EXPECT_EQ(to_hex(made), to_hex(hex("1E 1E"        // time-outs, seconds
                                     "82"           // bytes, position 0, left, ASCII
                                     "00"           // no block: Lc follows the PIN
                                     "00"           // no length inside
                                     "0C 04"        // at most 12, at least 4
                                     "02"           // until the key that ends it
                                     "01 09 04 00"  // one message, English
                                     "00 00 00"     // prologue
                                     "05 00 00 00"  // length of the command
                                     "00 20 00 02 00")));
}

TEST(PinPad, ABlockKeepsItsFiller) {
  const auto command = hex("00 20 00 02 08 30 30 30 30 30 30 30 30");
  const auto made = pin_verify_structure(command, {4, 8, false});
  EXPECT_EQ(made[3], 0x08) << "the block's size";
  EXPECT_EQ(to_hex(ByteView(made).subspan(15)), "0D000000" + to_hex(command));
}

TEST(PinPad, TheReaderSendsWhatWasTyped) {
  const auto whole =
      parse_pin_verify_structure(pin_verify_structure(hex("00 20 00 02 00"), {4, 12, true}));
  ASSERT_TRUE(whole.ok());
  EXPECT_EQ(to_hex(command_with_pin(*whole, as_bytes("123456")).value().view()),
            "0020000206313233343536");
  EXPECT_FALSE(command_with_pin(*whole, as_bytes("123")).ok());
  EXPECT_FALSE(command_with_pin(*whole, as_bytes("1234567890123")).ok());

  const auto block = parse_pin_verify_structure(
      pin_verify_structure(hex("00 20 00 02 08 30 30 30 30 30 30 30 30"), {4, 8, false}));
  ASSERT_TRUE(block.ok());
  EXPECT_EQ(to_hex(command_with_pin(*block, as_bytes("1234")).value().view()),
            "00200002083132333430303030");
  EXPECT_EQ(to_hex(command_with_pin(*block, as_bytes("12345678")).value().view()),
            "00200002083132333435363738");
}

TEST(PinPad, WhatCannotBeDoneIsRefused) {
  const Bytes good =
      pin_verify_structure(hex("00 20 00 02 08 FF FF FF FF FF FF FF FF"), {4, 8, false});
  ASSERT_TRUE(parse_pin_verify_structure(good).ok());
  EXPECT_FALSE(parse_pin_verify_structure({}).ok());
  for (std::size_t length = 0; length < good.size(); ++length) {
    EXPECT_FALSE(parse_pin_verify_structure(ByteView(good).first(length)).ok()) << length;
  }
  const auto with = [&](std::size_t at, std::uint8_t value) {
    Bytes bad = good;
    bad[at] = value;
    return parse_pin_verify_structure(bad);
  };
  EXPECT_FALSE(with(2, 0x81).ok()) << "BCD";
  EXPECT_FALSE(with(3, 0x48).ok()) << "a length of four bits inside";
  EXPECT_FALSE(with(3, 0x0F).ok()) << "a block longer than the command";
  EXPECT_FALSE(with(4, 0x01).ok());
  EXPECT_FALSE(with(6, 0x09).ok()) << "at least nine, at most eight";
  EXPECT_FALSE(with(15, 0xFF).ok());
}

}  // namespace
}  // namespace kilt::apdu
