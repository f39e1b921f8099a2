// SPDX-License-Identifier: Apache-2.0
// A simulated card in a test: hex in, hex out.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "firmware-sim/chip.hpp"

namespace kilt::sim::test {

class TestCard {
 public:
  static constexpr std::uint64_t seed = 42;

  explicit TestCard(const char* profile = "kaztoken", bool blank = false, std::size_t memory = 0);
  /// On an NVRAM that outlives it.
  TestCard(Nvram& nvram, const char* profile, const ChipOptions& options);

  /// White space in `hex` does not count. The answer in upper case without separators.
  std::string send(const std::string& hex);
  /// Only the status word.
  std::string sw(const std::string& hex);
  Bytes send_bytes(ByteView command);
  void reset() { chip_->reset(); }
  void power_cycle();
  [[nodiscard]] Chip& chip() { return *chip_; }
  [[nodiscard]] Nvram& nvram() { return *nvram_; }

  void log_in_user() { EXPECT_EQ(send("00 20 00 02 08 3132333435363738"), "9000"); }
  void log_in_so() { EXPECT_EQ(send("00 20 00 01 08 3837363534333231"), "9000"); }
  void log_out() { EXPECT_EQ(send("80 40 00 00"), "9000"); }
  /// Both key files of reference `rr`, with the usual attributes.
  void create_rsa_files(std::uint8_t rr, unsigned bits);
  void create_gost_files(std::uint8_t rr);

 private:
  std::unique_ptr<Nvram> own_;
  Nvram* nvram_;
  std::unique_ptr<Chip> chip_;
};

/// "07" of 7.
std::string hex_byte(std::size_t value);
std::string hex_be16(std::size_t value);
/// CREATE FILE command with template 6F; `property` empty for a plain file; `security` is the front
/// part, filled up with zeros to 15 bytes.
std::string create(std::size_t size, const std::string& descriptor, std::size_t id,
                   const std::string& property, std::string security);

/// A directory that goes away with the test.
class TemporaryDirectory {
 public:
  TemporaryDirectory();
  ~TemporaryDirectory();
  TemporaryDirectory(const TemporaryDirectory&) = delete;
  TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;
  [[nodiscard]] std::string file(const std::string& name) const { return path_ + "/" + name; }

 private:
  std::string path_;
};

}  // namespace kilt::sim::test
