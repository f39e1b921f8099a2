// SPDX-License-Identifier: Apache-2.0
// The journal: what was written is there after any end of the process.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "firmware-sim/nvram.hpp"

namespace kilt::sim {
namespace {

class NvramFile : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = std::filesystem::temp_directory_path() / "kilt-nvram-XXXXXX";
    ASSERT_NE(::mkdtemp(name.data()), nullptr);
    directory_ = name;
    path_ = name + "/state";
  }
  void TearDown() override { std::filesystem::remove_all(directory_); }

  std::unique_ptr<Nvram> open() {
    auto nvram = Nvram::open(path_);
    EXPECT_TRUE(nvram.ok()) << (nvram.ok() ? "" : nvram.error().message());
    return nvram.ok() ? std::move(*nvram) : nullptr;
  }
  std::string content() const {
    std::ifstream file(path_, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
  }
  void set_content(const std::string& bytes) const {
    std::ofstream(path_, std::ios::binary | std::ios::trunc) << bytes;
  }

  std::string directory_, path_;
};

Bytes value_of(const Nvram& nvram, const std::string& cell) {
  const Bytes* value = nvram.read(cell);
  return value == nullptr ? Bytes{} : *value;
}

TEST_F(NvramFile, KeepsEveryKindOfWrite) {
  {
    auto nvram = open();
    EXPECT_TRUE(nvram->empty());
    nvram->write("a", Bytes{1, 2, 3, 4});
    nvram->write_at("a", 1, Bytes{9, 8});
    nvram->write("b", Bytes{5});
    nvram->write("c", Bytes{});
    nvram->erase("b");
    EXPECT_EQ(nvram->writes(), 5u);
  }
  auto nvram = open();
  EXPECT_EQ(value_of(*nvram, "a"), (Bytes{1, 9, 8, 4}));
  EXPECT_EQ(nvram->read("b"), nullptr);
  ASSERT_NE(nvram->read("c"), nullptr);
  EXPECT_EQ(nvram->writes(), 0u);
  nvram->erase_all();
  nvram.reset();
  EXPECT_TRUE(open()->empty());
}

TEST_F(NvramFile, TornAtAnyByteLeavesTheStateBeforeOrAfter) {
  {
    auto nvram = open();
    nvram->write("cell", Bytes(20, 0x11));
  }
  const std::string before = content();
  {
    auto nvram = open();
    nvram->write("cell", Bytes(20, 0x22));
  }
  const std::string after = content();
  for (std::size_t length = before.size(); length <= after.size(); ++length) {
    set_content(after.substr(0, length));
    auto nvram = open();
    const auto expected = length == after.size() ? Bytes(20, 0x22) : Bytes(20, 0x11);
    EXPECT_EQ(value_of(*nvram, "cell"), expected) << "cut at " << length;
    nvram->write("next", Bytes{7});  // the torn rest must not hide what comes later
    nvram.reset();
    EXPECT_EQ(value_of(*open(), "next"), Bytes{7});
  }
}

TEST_F(NvramFile, TornWhileItIsMadeIsNew) {
  open().reset();
  const std::string whole = content();
  for (std::size_t length = 0; length < whole.size(); ++length) {
    set_content(whole.substr(0, length));
    EXPECT_TRUE(open()->empty());
  }
}

TEST_F(NvramFile, AFlippedBitEndsTheJournalThere) {
  {
    auto nvram = open();
    nvram->write("a", Bytes{1});
    nvram->write("b", Bytes{2});
  }
  std::string bytes = content();
  bytes.back() = static_cast<char>(bytes.back() ^ 1);
  set_content(bytes);
  auto nvram = open();
  EXPECT_EQ(value_of(*nvram, "a"), Bytes{1});
  EXPECT_EQ(nvram->read("b"), nullptr);
}

TEST_F(NvramFile, RefusesAForeignFile) {
  set_content("this is somebody's letter");
  const auto nvram = Nvram::open(path_);
  ASSERT_FALSE(nvram.ok());
  EXPECT_EQ(nvram.error().kind, ErrorKind::bad_data);
  EXPECT_EQ(content(), "this is somebody's letter");
}

TEST_F(NvramFile, OneProcessAtATime) {
  auto first = open();
  const auto second = Nvram::open(path_);
  ASSERT_FALSE(second.ok());
  EXPECT_EQ(second.error().kind, ErrorKind::busy);
}

TEST_F(NvramFile, CompactsAndStaysLockedAndWhole) {
  auto nvram = open();
  const Bytes big(4096, 0x33);
  std::size_t longest = 0;
  for (int i = 0; i < 1000; ++i) {
    nvram->write("big", big);
    longest = std::max<std::size_t>(longest, std::filesystem::file_size(path_));
  }
  nvram->write("small", Bytes{1});
  EXPECT_LT(longest, 2u << 20);
  EXPECT_LT(std::filesystem::file_size(path_), longest);
  EXPECT_FALSE(Nvram::open(path_).ok());  // the lock moved to the new file
  nvram.reset();
  nvram = open();
  EXPECT_EQ(value_of(*nvram, "big"), big);
  EXPECT_EQ(value_of(*nvram, "small"), Bytes{1});
}

TEST(Nvram, APartThatDoesNotFitIsNoWrite) {
  Nvram nvram;
  nvram.write("a", Bytes{1, 2});
  EXPECT_THROW(nvram.write_at("a", 1, Bytes{3, 4}), NvramFailure);
  EXPECT_THROW(nvram.write_at("none", 0, Bytes{3}), NvramFailure);
  EXPECT_EQ(value_of(nvram, "a"), (Bytes{1, 2}));
  EXPECT_EQ(nvram.writes(), 1u);
}

TEST(Nvram, HooksSeeEachWriteAndMayPreventIt) {
  Nvram nvram;
  std::vector<std::uint64_t> before, after;
  nvram.before_write = [&](std::uint64_t n) {
    before.push_back(n);
    if (n == 2) throw PowerCut{};
  };
  nvram.after_write = [&](std::uint64_t n) { after.push_back(n); };
  nvram.write("a", Bytes{1});
  EXPECT_THROW(nvram.write("a", Bytes{2}), PowerCut);
  EXPECT_EQ(value_of(nvram, "a"), Bytes{1});
  EXPECT_THAT(before, testing::ElementsAre(1, 2));
  EXPECT_THAT(after, testing::ElementsAre(1));
}

TEST(Nvram, ListsCellsByPrefixInOrder) {
  Nvram nvram;
  for (const char* cell : {"b:2", "a", "b:1", "c", "b:"})
    nvram.write(cell, Bytes{});
  EXPECT_THAT(nvram.cells_with_prefix("b:"), testing::ElementsAre("b:", "b:1", "b:2"));
  EXPECT_TRUE(nvram.cells_with_prefix("d").empty());
}

}  // namespace
}  // namespace kilt::sim
