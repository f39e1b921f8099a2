// SPDX-License-Identifier: Apache-2.0
// Files that commands write: told in time when they cannot be, whole or not at all.
#include "cli/files.hpp"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

namespace kilt::cli {
namespace {

namespace fs = std::filesystem;

class OutputFileTest : public testing::Test {
 protected:
  OutputFileTest() {
    std::string name = testing::TempDir() + "kilt-out-XXXXXX";
    folder_ = mkdtemp(name.data());
  }
  ~OutputFileTest() override { fs::remove_all(folder_); }

  [[nodiscard]] std::string in(const std::string& name) const { return folder_ + "/" + name; }
  [[nodiscard]] std::string content(const std::string& name) const {
    std::ifstream file(in(name));
    return {std::istreambuf_iterator<char>(file), {}};
  }
  [[nodiscard]] long count() const {
    return std::distance(fs::directory_iterator(folder_), fs::directory_iterator());
  }
  void put(const std::string& name, const std::string& text) const {
    std::ofstream(in(name)) << text;
  }

  std::string folder_;
};

TEST_F(OutputFileTest, is_there_only_when_it_is_whole) {
  {
    auto file = OutputFile::open(in("a"));
    ASSERT_TRUE(file);
    EXPECT_FALSE(fs::exists(in("a")));
    ASSERT_TRUE(file->commit(as_bytes("text")));
    EXPECT_EQ(content("a"), "text");
  }
  EXPECT_EQ(content("a"), "text");
  EXPECT_EQ(count(), 1);
}

TEST_F(OutputFileTest, without_an_end_leaves_what_was_there) {
  put("a", "old");
  { ASSERT_TRUE(OutputFile::open(in("a"))); }
  EXPECT_EQ(content("a"), "old");
  EXPECT_EQ(count(), 1);
  auto file = OutputFile::open(in("a"));
  ASSERT_TRUE(file && file->commit(as_bytes("new")));
  EXPECT_EQ(content("a"), "new");
}

TEST_F(OutputFileTest, has_the_rights_of_a_new_file) {
  const mode_t before = umask(027);
  auto file = OutputFile::open(in("a"));
  ASSERT_TRUE(file && file->commit({}));
  umask(before);
  struct stat info {};
  ASSERT_EQ(stat(in("a").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0640U);
}

TEST_F(OutputFileTest, says_at_once_where_nothing_can_be_written) {
  for (const auto& path : {in("no/where"), folder_, std::string("")}) {
    auto file = OutputFile::open(path);
    ASSERT_FALSE(file) << path;
    EXPECT_EQ(file.error().kind, ErrorKind::bad_data);
  }
  if (geteuid() != 0) {
    put("read-only", "old");
    chmod(in("read-only").c_str(), 0444);
    EXPECT_FALSE(OutputFile::open(in("read-only")));
  }
}

TEST_F(OutputFileTest, goes_through_a_link_and_a_device) {
  put("real", "something longer");
  fs::create_symlink("real", in("link"));
  auto file = OutputFile::open(in("link"));
  ASSERT_TRUE(file && file->commit(as_bytes("short")));
  EXPECT_EQ(content("real"), "short");
  EXPECT_TRUE(fs::is_symlink(in("link")));
  auto device = OutputFile::open("/dev/null");
  EXPECT_TRUE(device && device->commit(as_bytes("x")));
  auto full = OutputFile::open("/dev/full");
  EXPECT_TRUE(full && !full->commit(as_bytes("x")));
}

}  // namespace
}  // namespace kilt::cli
