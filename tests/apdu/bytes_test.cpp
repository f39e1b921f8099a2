// SPDX-License-Identifier: Apache-2.0
#include "apdu/bytes.hpp"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>
#include <sstream>
#include <stdexcept>

namespace kilt {
namespace {

TEST(Hex, IsReadInAnyCaseWithAnyWhiteSpace) {
  EXPECT_EQ(from_hex(" 00 a4\t04\n0C"), (Bytes{0x00, 0xA4, 0x04, 0x0C}));
  EXPECT_EQ(from_hex(""), Bytes{});
  EXPECT_EQ(from_hex("0 0"), Bytes{0x00});
}

TEST(Hex, RefusesWhatIsNone) {
  EXPECT_EQ(from_hex("0"), std::nullopt);
  EXPECT_EQ(from_hex("0G"), std::nullopt);
  EXPECT_EQ(from_hex("00:A4"), std::nullopt);
}

TEST(Hex, IsWrittenInUpperCase) {
  EXPECT_EQ(to_hex(Bytes{0x00, 0xAB, 0xFF}), "00ABFF");
}

TEST(BytesHelpers, TurnAndCompare) {
  EXPECT_EQ(reversed(Bytes{1, 2, 3}), (Bytes{3, 2, 1}));
  EXPECT_TRUE(equal(Bytes{1, 2}, Bytes{1, 2}));
  EXPECT_FALSE(equal(Bytes{1, 2}, Bytes{1}));
  Bytes grown;
  append_be16(grown, 0x1234);
  append(grown, {0xFF});
  EXPECT_EQ(grown, (Bytes{0x12, 0x34, 0xFF}));
}

TEST(SecretBytes, HoldsNoMoreThanItsCapacity) {
  SecretBytes secret(4);
  secret.append({1, 2, 3});
  EXPECT_THROW(secret.append({4, 5}), std::length_error);
  EXPECT_EQ(secret.size(), 3U);
  secret.append({4});
  EXPECT_THROW(secret.resize(5), std::length_error);
  EXPECT_TRUE(secret.equals(Bytes{1, 2, 3, 4}));
}

TEST(SecretBytes, ComparesLengthAndContent) {
  const auto secret = SecretBytes::copy_of(as_bytes("12345678"));
  EXPECT_TRUE(secret.equals(as_bytes("12345678")));
  EXPECT_FALSE(secret.equals(as_bytes("12345679")));
  EXPECT_FALSE(secret.equals(as_bytes("1234567")));
  EXPECT_FALSE(secret.equals({}));
}

TEST(SecretBytes, ShrinkingWipesWhatIsCutOff) {
  auto secret = SecretBytes::copy_of(as_bytes("12345678"));
  secret.resize(4);
  const std::uint8_t* hidden = secret.data() + 4;
  EXPECT_EQ(ByteView(hidden, 4)[0], 0);
  secret.resize(8);
  EXPECT_TRUE(secret.equals(Bytes{'1', '2', '3', '4', 0, 0, 0, 0}));
}

TEST(SecretBytes, WipingLeavesZeros) {
  auto secret = SecretBytes::copy_of(as_bytes("12345678"));
  const std::uint8_t* memory = secret.data();
  secret.wipe();
  EXPECT_TRUE(secret.empty());
  EXPECT_TRUE(equal(ByteView(memory, 8), Bytes(8)));
}

TEST(SecretBytes, MovingLeavesNothingBehind) {
  auto first = SecretBytes::copy_of(as_bytes("first"));
  auto second = SecretBytes::copy_of(as_bytes("second"));
  second = std::move(first);
  EXPECT_TRUE(second.equals(as_bytes("first")));
  EXPECT_TRUE(first.empty());  // NOLINT(bugprone-use-after-move): what is left is the question
  const SecretBytes third = std::move(second);
  EXPECT_TRUE(third.equals(as_bytes("first")));
  EXPECT_EQ(second.data(), nullptr);  // NOLINT(bugprone-use-after-move)
}

TEST(SecretBytes, CloneIsApart) {
  auto original = SecretBytes::copy_of(as_bytes("pin"));
  const auto copy = original.clone();
  original.wipe();
  EXPECT_TRUE(copy.equals(as_bytes("pin")));
}

/// The line of /proc/self/smaps that begins with `key`, for the mapping that holds `address`.
std::string smaps_line(const void* address, const std::string& key) {
  std::ifstream smaps("/proc/self/smaps");
  const auto wanted = reinterpret_cast<std::uintptr_t>(address);
  bool inside = false;
  for (std::string line; std::getline(smaps, line);) {
    std::uintptr_t from = 0, to = 0;
    if (std::sscanf(line.c_str(), "%lx-%lx ", &from, &to) == 2) {
      inside = from <= wanted && wanted < to;
    } else if (inside && line.starts_with(key)) {
      return line.substr(key.size()) + " ";
    }
  }
  return {};
}

TEST(SecretBytes, StaysOutOfCoreDumpsAndOfChildren) {
  const auto secret = SecretBytes::copy_of(as_bytes("12345678"));
  const std::string flags = smaps_line(secret.view().data(), "VmFlags:");
  ASSERT_NE(flags, "");
  EXPECT_NE(flags.find(" dd "), std::string::npos) << "not excluded from dumps:" << flags;
  EXPECT_NE(flags.find(" wf "), std::string::npos) << "inherited by a fork:" << flags;
  // mlock may be refused by RLIMIT_MEMLOCK; where it is not, the page is locked.
  if (flags.find(" lo ") == std::string::npos) {
    RecordProperty("mlock", "refused on this machine");
  }
}

TEST(SecretBytes, AForkedChildSeesZeros) {
  const auto secret = SecretBytes::copy_of(as_bytes("12345678"));
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) ::_exit(equal(ByteView(secret.view().data(), 8), Bytes(8)) ? 0 : 1);
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  ASSERT_TRUE(WIFEXITED(status));
  EXPECT_EQ(WEXITSTATUS(status), 0) << "the child could read the secret";
  EXPECT_TRUE(secret.equals(as_bytes("12345678")));
}

}  // namespace
}  // namespace kilt
