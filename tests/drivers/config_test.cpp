// SPDX-License-Identifier: Apache-2.0
#include "drivers/config.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

namespace kilt::card {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class ConfigTest : public testing::Test {
 protected:
  ConfigTest() {
    std::string name = testing::TempDir() + "kilt-config-XXXXXX";
    folder_ = mkdtemp(name.data());
  }
  ~ConfigTest() override { std::filesystem::remove_all(folder_); }

  std::string write(const std::string& name, const std::string& text) {
    const std::string path = folder_ + "/" + name;
    std::ofstream(path) << text;
    return path;
  }
  LoadedConfig load(const std::string& text) {
    return load_config(ConfigSources{.files = {write("kilt.toml", text)}});
  }

  std::string folder_;
};

TEST_F(ConfigTest, absent_files_leave_the_defaults) {
  const auto loaded = load_config(ConfigSources{.files = {folder_ + "/none", folder_ + "/a/b"}});
  EXPECT_THAT(loaded.problems, IsEmpty());
  EXPECT_EQ(loaded.config.readers, "");
  EXPECT_TRUE(loaded.config.pin_cache);
  EXPECT_FALSE(loaded.config.spend_last_try);
  EXPECT_FALSE(loaded.config.allows_assumed(""));
}

TEST_F(ConfigTest, reads_every_key) {
  const auto loaded = load(
      "readers = ['pcsc', 'socket:/run/x']\nallow_assumed = ['0a1b', '77']\npin_cache = false\n"
      "spend_last_try = true\nlog = 'debug'\ntrace = '/t'\n");
  EXPECT_THAT(loaded.problems, IsEmpty());
  EXPECT_EQ(loaded.config.readers, "pcsc,socket:/run/x");
  EXPECT_THAT(loaded.config.allow_assumed, ElementsAre("0a1b", "77"));
  EXPECT_FALSE(loaded.config.pin_cache);
  EXPECT_TRUE(loaded.config.spend_last_try);
  EXPECT_EQ(loaded.config.log, "debug");
  EXPECT_EQ(loaded.config.trace, "/t");
  EXPECT_TRUE(loaded.config.allows_assumed("A1B"));
  EXPECT_FALSE(loaded.config.allows_assumed("A1B0"));
}

TEST_F(ConfigTest, a_card_without_a_serial_is_listed_by_its_atr) {
  const Bytes atr = from_hex("3B771800004B4153414B4944").value();
  const Bytes other = from_hex("3B771800004B4153414B4945").value();
  for (const char* listed : {"3B771800004B4153414B4944", "3b 77 18 00 00 4b 41 53 41 4b 49 44",
                             "3B:77:18:00:00:4B:41:53:41:4B:49:44", "3B7718 ???? 4B4153414B4944"}) {
    const auto config = load("allow_assumed = ['77', '" + std::string(listed) + "']\n").config;
    EXPECT_TRUE(config.allows_assumed("0000000000000000", atr)) << listed;
    EXPECT_TRUE(config.allows_assumed("", atr)) << listed;
    EXPECT_FALSE(config.allows_assumed("0000000000000000", other)) << listed;
    EXPECT_FALSE(config.allows_assumed("0000000000000000")) << listed;
    EXPECT_FALSE(config.allows_assumed("1", atr)) << "it is told by its serial, " << listed;
  }
  for (const char* listed : {"", "0", "0000000000000000", "3B", "3B771800004B4153414B49440"}) {
    const auto config = load("allow_assumed = ['" + std::string(listed) + "']\n").config;
    EXPECT_FALSE(config.allows_assumed("0000000000000000", atr)) << listed;
    EXPECT_FALSE(config.allows_assumed("0000000000000000")) << listed;
  }
}

TEST_F(ConfigTest, readers_may_be_one_string) {
  EXPECT_EQ(load("readers = 'usb'").config.readers, "usb");
}

TEST_F(ConfigTest, a_later_file_replaces_key_by_key) {
  const auto first = write("a", "readers = 'usb'\npin_cache = false\n");
  const auto second = write("b", "readers = 'pcsc'\n");
  const auto loaded = load_config(ConfigSources{.files = {first, second}});
  EXPECT_EQ(loaded.config.readers, "pcsc");
  EXPECT_FALSE(loaded.config.pin_cache);
}

TEST_F(ConfigTest, an_unknown_key_is_reported_and_the_rest_holds) {
  const auto loaded = load("pin_cash = true\npin_cache = false\n");
  ASSERT_EQ(loaded.problems.size(), 1U);
  EXPECT_THAT(loaded.problems[0], HasSubstr("kilt.toml:1: the key \"pin_cash\" is not known"));
  EXPECT_FALSE(loaded.config.pin_cache);
}

TEST_F(ConfigTest, a_wrong_type_is_reported_and_the_default_holds) {
  const auto loaded =
      load("pin_cache = 'no'\nallow_assumed = [1]\nreaders = 5\nspend_last_try = 1\nlog = true\n");
  EXPECT_EQ(loaded.problems.size(), 5U);
  EXPECT_TRUE(loaded.config.pin_cache);
  EXPECT_FALSE(loaded.config.spend_last_try);
  EXPECT_THAT(loaded.config.allow_assumed, IsEmpty());
  EXPECT_EQ(loaded.config.readers, "");
}

TEST_F(ConfigTest, a_broken_file_is_reported_and_nothing_of_it_is_used) {
  const auto loaded = load("pin_cache = false\nreaders = \n");
  ASSERT_EQ(loaded.problems.size(), 1U);
  EXPECT_THAT(loaded.problems[0], HasSubstr("kilt.toml:2: "));
  EXPECT_TRUE(loaded.config.pin_cache);
}

TEST_F(ConfigTest, what_is_no_file_is_reported) {
  EXPECT_EQ(load_config(ConfigSources{.files = {folder_}}).problems.size(), 1U);
  EXPECT_EQ(load_config(ConfigSources{.files = {folder_ + "/none"}, .files_must_exist = true})
                .problems.size(),
            1U);
  const std::string pipe = folder_ + "/pipe";
  ASSERT_EQ(mkfifo(pipe.c_str(), 0600), 0);
  EXPECT_EQ(load_config(ConfigSources{.files = {pipe}}).problems.size(), 1U);
  EXPECT_EQ(load(std::string(300 * 1024, '#')).problems.size(), 1U);
}

TEST_F(ConfigTest, the_environment_wins) {
  const auto file = write("kilt.toml", "readers = 'usb'\nlog = 'info'\n");
  setenv("KILT_CONFIG", file.c_str(), 1);
  setenv("KILT_READERS", "socket:/s", 1);
  setenv("KILT_LOG", "debug", 1);
  const auto loaded = load_config();
  unsetenv("KILT_CONFIG");
  unsetenv("KILT_READERS");
  unsetenv("KILT_LOG");
  EXPECT_THAT(loaded.problems, IsEmpty());
  EXPECT_EQ(loaded.config.readers, "socket:/s");
  EXPECT_EQ(loaded.config.log, "debug");
}

TEST_F(ConfigTest, the_usual_places) {
  unsetenv("KILT_CONFIG");
  setenv("XDG_CONFIG_HOME", "/x", 1);
  EXPECT_THAT(ConfigSources::from_environment().files,
              ElementsAre("/etc/kilt/kilt.toml", "/x/kilt/kilt.toml"));
  setenv("XDG_CONFIG_HOME", "relative", 1);
  setenv("HOME", "/h", 1);
  EXPECT_THAT(ConfigSources::from_environment().files,
              ElementsAre("/etc/kilt/kilt.toml", "/h/.config/kilt/kilt.toml"));
  unsetenv("XDG_CONFIG_HOME");
}

}  // namespace
}  // namespace kilt::card
