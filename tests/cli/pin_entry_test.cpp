// SPDX-License-Identifier: Apache-2.0
#include "cli/pin_entry.hpp"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <cstdlib>
#include <filesystem>
#include <fstream>

namespace kilt::cli {
namespace {

class PinEntryTest : public testing::Test {
 protected:
  PinEntryTest() {
    std::string name = testing::TempDir() + "kilt-pin-XXXXXX";
    folder_ = mkdtemp(name.data());
    console_.quiet = true;
  }
  ~PinEntryTest() override { std::filesystem::remove_all(folder_); }

  Result<SecretBytes> from_file(const std::string& content, mode_t mode = 0600) {
    const std::string path = folder_ + "/pin";
    std::ofstream(path, std::ios::trunc) << content;
    chmod(path.c_str(), mode);
    return read_pin({.file = path, .fd = {}, .variable = {}}, console_);
  }
  static std::string text(const Result<SecretBytes>& pin) {
    return pin ? as_text(pin->view()) : "error: " + pin.error().message();
  }

  std::string folder_;
  Console console_;
};

TEST_F(PinEntryTest, a_file_without_its_line_end) {
  EXPECT_EQ(text(from_file("12345678")), "12345678");
  EXPECT_EQ(text(from_file("12345678\n")), "12345678");
  EXPECT_EQ(text(from_file("12345678\r\n")), "12345678");
  EXPECT_EQ(text(from_file(" 12 \n")), " 12 ");
  EXPECT_TRUE(console_.warnings().empty());
}

TEST_F(PinEntryTest, a_file_that_others_can_read_is_warned_of) {
  EXPECT_EQ(text(from_file("1234", 0644)), "1234");
  ASSERT_EQ(console_.warnings().size(), 1U);
  EXPECT_EQ(console_.warnings()[0].find("1234"), std::string::npos);
}

TEST_F(PinEntryTest, nothing_and_too_much_are_refused) {
  EXPECT_EQ(from_file("").error().kind, ErrorKind::bad_argument);
  EXPECT_EQ(from_file("\n").error().kind, ErrorKind::bad_argument);
  const auto endless = from_file(std::string(5000, '7'));
  ASSERT_FALSE(endless);
  EXPECT_EQ(endless.error().kind, ErrorKind::pin_length);
  EXPECT_EQ(endless.error().message().find("777"), std::string::npos);
  EXPECT_EQ(read_pin({.file = folder_ + "/none", .fd = {}, .variable = {}}, console_).error().kind,
            ErrorKind::bad_argument);
  EXPECT_EQ(read_pin({.file = folder_, .fd = {}, .variable = {}}, console_).error().kind,
            ErrorKind::bad_argument);
}

TEST_F(PinEntryTest, two_pins_on_one_descriptor) {
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  ASSERT_EQ(write(ends[1], "old\nnew\n", 8), 8);
  close(ends[1]);
  const PinOptions options{.file = {}, .fd = ends[0], .variable = {}};
  EXPECT_EQ(text(read_pin(options, console_)), "old");
  EXPECT_EQ(text(read_pin(options, console_)), "new");
  EXPECT_FALSE(read_pin(options, console_));
  close(ends[0]);
  EXPECT_EQ(read_pin(options, console_).error().kind, ErrorKind::bad_argument);
}

TEST_F(PinEntryTest, a_source_is_read_when_it_is_opened) {
  EXPECT_EQ(
      PinSource::open({.file = folder_ + "/none", .fd = {}, .variable = {}}, console_).error().kind,
      ErrorKind::bad_argument);
  std::ofstream(folder_ + "/pin") << "1234";
  auto source = PinSource::open({.file = folder_ + "/pin", .fd = {}, .variable = {}}, console_);
  ASSERT_TRUE(source);
  std::filesystem::remove(folder_ + "/pin");
  EXPECT_EQ(text(source->take("PIN", true)), "1234");
}

TEST_F(PinEntryTest, a_variable_is_taken_away) {
  setenv("KILT_TEST_PIN", "12345678", 1);
  const char* where = std::getenv("KILT_TEST_PIN");
  const PinOptions options{.file = {}, .fd = {}, .variable = "KILT_TEST_PIN"};
  EXPECT_EQ(text(read_pin(options, console_)), "12345678");
  EXPECT_EQ(std::getenv("KILT_TEST_PIN"), nullptr);
  EXPECT_EQ(std::string_view(where, 8), std::string_view("\0\0\0\0\0\0\0\0", 8));
  EXPECT_EQ(read_pin(options, console_).error().kind, ErrorKind::bad_argument);
}

TEST_F(PinEntryTest, one_source_only) {
  CLI::App app;
  PinOptions options;
  add_pin_options(app, options, "pin", "the user PIN");
  EXPECT_THROW(app.parse("--pin-file a --pin-env B"), CLI::ParseError);
  EXPECT_THROW(app.parse("--pin 1234"), CLI::ParseError);
}

}  // namespace
}  // namespace kilt::cli
