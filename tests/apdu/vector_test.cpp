// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "apdu/trace.hpp"

namespace kilt::apdu {
namespace {

Pattern pattern(std::string_view text) {
  auto parsed = Pattern::parse(text);
  EXPECT_TRUE(parsed.ok()) << text;
  return parsed.ok() ? std::move(*parsed) : Pattern{};
}
bool fits(std::string_view text, std::string_view bytes) {
  return pattern(text).matches(from_hex(bytes).value());
}
std::string filled(std::string_view text, std::string_view pin) {
  auto bytes = pattern(text).fill(as_bytes(pin));
  return bytes.ok() ? to_hex(*bytes) : bytes.error().what;
}

TEST(Patterns, LiteralBytesFitThemselvesOnly) {
  EXPECT_TRUE(fits("00 A4 00 00", "00A40000"));
  EXPECT_TRUE(fits("00A4 0000", "00A40000"));
  EXPECT_FALSE(fits("00 A4 00 00", "00A4000000"));
  EXPECT_FALSE(fits("00 A4 00 00", "00A400"));
  EXPECT_FALSE(fits("00 A4 00 00", "00A40001"));
  EXPECT_FALSE(fits("00 A4 00 00", ""));
}

TEST(Patterns, CountedPlaceholdersFitThatManyBytes) {
  EXPECT_TRUE(fits("00 88 00 00 08 {rnd:8} 00", "0088000008 0102030405060708 00"));
  EXPECT_FALSE(fits("00 88 00 00 08 {rnd:8} 00", "0088000008 01020304050607 00"));
  EXPECT_TRUE(fits("{any:2} 90 00", "ABCD9000"));
  EXPECT_EQ(filled("{any:2} 90 00", ""), "00009000");
}

TEST(Patterns, AnyFitsAnyNumberOfBytes) {
  EXPECT_TRUE(fits("{any} 90 00", "9000"));
  EXPECT_TRUE(fits("{any} 90 00", "AABBCC9000"));
  EXPECT_TRUE(fits("6F {any} 90 00", "6FAABB9000"));
  EXPECT_FALSE(fits("6F {any} 90 00", "6F90"));
  EXPECT_FALSE(fits("6F {any} 90 00", "6FAA6A82"));
  EXPECT_EQ(pattern("{any} 90 00").fill({}).error().kind, ErrorKind::bad_data);
}

TEST(Patterns, PinBehindTheHeaderBringsItsLc) {
  EXPECT_TRUE(fits("00 20 00 02 {pin}", "00200002 04 31323334"));
  EXPECT_TRUE(fits("00 20 00 02 {pin}", "00200002 08 3132333435363738"));
  EXPECT_FALSE(fits("00 20 00 02 {pin}", "00200002")) << "no PIN at all";
  EXPECT_FALSE(fits("00 20 00 02 {pin}", "00200002 00"));
  EXPECT_FALSE(fits("00 20 00 02 {pin}", "00200002 05 31323334")) << "Lc and body differ";
  EXPECT_FALSE(fits("00 20 00 02 {pin}", "00200001 04 31323334")) << "another reference";
  EXPECT_TRUE(fits("00 20 00 02 {pin} 00", "00200002 04 31323334 00")) << "with Le";
  EXPECT_TRUE(fits("00 24 00 02 {pin}", "00240002 000100" + to_hex(Bytes(256))));
  EXPECT_EQ(filled("00 20 00 02 {pin}", "1234"), "002000020431323334");
  EXPECT_EQ(filled("00 24 00 02 {pin}", std::string(256, '0')).substr(0, 16), "0024000200010030");
}

TEST(Patterns, PinBehindAnLcIsTheBodyOrItsRest) {
  EXPECT_TRUE(fits("00 20 00 02 08 {pin}", "00200002 04 31323334"));
  EXPECT_TRUE(
      fits("00 24 01 02 0E 80 02 00 08 A5 08 {pin}", "00240102 0E 80020008A508 3132333435363738"));
  EXPECT_FALSE(fits("00 20 00 02 08 {pin}", "00200002 05 31323334"));
  EXPECT_EQ(filled("00 20 00 02 08 {pin}", "123456"), "0020000206313233343536");
  EXPECT_EQ(filled("00 20 00 02 00 {pin} 00", "1234"), "00200002043132333400");
  EXPECT_EQ(pattern("00 20 00 02 08 {pin}").fill({}).error().kind, ErrorKind::bad_data);
}

TEST(Patterns, RefuseWhatTheyCannotMean) {
  for (const char* bad : {"", "   ", "0", "zz", "00 {", "00 {pin", "00 {pn}", "{any:}", "{any:0}",
                          "{any:-1}", "{any:65545}", "{any:1x}", "{rnd}", "{any} {any}",
                          "00 20 00 02 {pin} {any}", "00 20 {pin}", "{any:65000} {any:65000}"}) {
    const auto parsed = Pattern::parse(bad);
    ASSERT_FALSE(parsed.ok()) << bad;
    EXPECT_EQ(parsed.error().kind, ErrorKind::bad_data) << bad;
  }
}

constexpr const char* example = R"(; a comment before the header
card: kaztoken
source: made up

; SELECT the MF [7816-4 §11.2.2]
> 00 A4 00 00 02 3F 00 00
< 6F 02
  80 00        ; FCI, shortened
  90 00

! reset
; VERIFY
> 00 20 00 02 {pin}
< 63 00
)";

TEST(VectorFiles, AreRead) {
  const auto file = VectorFile::parse(example);
  ASSERT_TRUE(file.ok()) << file.error().message();
  EXPECT_EQ(file->header.at("card"), "kaztoken");
  EXPECT_EQ(file->header.at("source"), "made up");
  ASSERT_EQ(file->steps.size(), 3U);
  EXPECT_EQ(file->steps[0].line, 6);
  EXPECT_EQ(file->steps[0].comment, "SELECT the MF [7816-4 §11.2.2]\nFCI, shortened");
  EXPECT_TRUE(file->steps[0].answer.matches(from_hex("6F0280009000").value()));
  EXPECT_EQ(file->steps[1].kind, VectorStep::Kind::reset);
  EXPECT_EQ(file->steps[2].line, 13);
  EXPECT_EQ(file->steps[2].comment, "VERIFY");
}

TEST(VectorFiles, SurviveWritingAndReading) {
  const auto file = VectorFile::parse(example);
  ASSERT_TRUE(file.ok());
  const auto again = VectorFile::parse(file->format());
  ASSERT_TRUE(again.ok()) << again.error().message() << file->format();
  EXPECT_EQ(again->format(), file->format());
  EXPECT_EQ(again->header, file->header);
  ASSERT_EQ(again->steps.size(), file->steps.size());
  for (std::size_t i = 0; i < file->steps.size(); ++i) {
    EXPECT_EQ(again->steps[i].kind, file->steps[i].kind);
    EXPECT_EQ(again->steps[i].command.text(), file->steps[i].command.text());
    EXPECT_EQ(again->steps[i].answer.text(), file->steps[i].answer.text());
    EXPECT_EQ(again->steps[i].comment, file->steps[i].comment);
  }
}

TEST(VectorFiles, LineEndsMayBeTheOtherKind) {
  EXPECT_TRUE(VectorFile::parse("card: x\r\n\r\n> 00 A4 00 00\r\n< 90 00\r\n").ok());
  EXPECT_TRUE(VectorFile::parse("> 00 A4 00 00\n< 90 00").ok()) << "no final newline";
  EXPECT_TRUE(VectorFile::parse("").ok());
}

TEST(VectorFiles, NameTheLineThatIsWrong) {
  const std::pair<const char*, const char*> cases[] = {
      {"> 00 A4 00 0\n< 90 00\n", "line 1:"},
      {"> 00 A4 00 00\n> 00 A4 00 00\n", "line 2:"},
      {"< 90 00\n", "line 1:"},
      {"> 00 A4 00 00\n", "line 1: the last command has no answer"},
      {"> 00 A4 00 00\n! reset\n", "line 2:"},
      {"! jump\n", "line 1:"},
      {"> 00 A4 00 00\n< 90 00\ncard: late\n", "line 3:"},
      {"card: a\ncard: b\n", "line 2:"},
      {"just text\n", "line 1:"},
      {"Card: upper\n", "line 1:"},
      {"\n  00 00\n", "line 2:"},
      {"> 00 A4\n  0 0 0\n< 90 00\n", "line 2:"},
  };
  for (const auto& [text, where] : cases) {
    const auto file = VectorFile::parse(text);
    ASSERT_FALSE(file.ok()) << text;
    EXPECT_EQ(file.error().kind, ErrorKind::bad_data);
    EXPECT_TRUE(file.error().what.starts_with(where)) << file.error().what;
  }
}

TEST(VectorFiles, AMissingFileSaysWhichAndWhy) {
  const auto file = VectorFile::load("/nonexistent/card.vec");
  ASSERT_FALSE(file.ok());
  EXPECT_NE(file.error().message().find("/nonexistent/card.vec"), std::string::npos);
  EXPECT_NE(file.error().message().find("No such file"), std::string::npos);
}

}  // namespace
}  // namespace kilt::apdu
