// SPDX-License-Identifier: Apache-2.0
// Certificates beside a card: where they are, who may write them, what is ignored.
#include <gtest/gtest.h>
#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "drivers/side_files.hpp"
#include "tests/drivers/kaztoken_fixture.hpp"
#include "tests/openssl.hpp"

namespace kilt::test {
namespace {

using card::PublicKey;
using card::SideFiles;

PublicKey some_key(std::uint8_t seed) {
  PublicKey key;
  key.modulus = Bytes(256, seed);
  key.modulus.back() |= 1;
  key.exponent = {0x01, 0x00, 0x01};
  return key;
}

class SideFile : public ::testing::Test {
 protected:
  [[nodiscard]] static unsigned mode(const std::string& path) {
    struct stat status {};
    return ::stat(path.c_str(), &status) == 0 ? status.st_mode & 07777 : 0;
  }
  TemporaryDirectory home;
  std::string place = home.file("share/kilt");
  SideFiles files{place};
  PublicKey key = some_key(0xC1);
  Bytes der = certificate_for(key, "Somebody", 1468);
};

TEST_F(SideFile, IsWrittenReadAndRemoved) {
  EXPECT_FALSE(files.read(key).has_value());
  EXPECT_EQ(files.remove(key).error().kind, ErrorKind::not_found);
  const auto written = files.write(key, der);
  ASSERT_TRUE(written.ok()) << why(written);
  EXPECT_EQ(files.read(key), der);
  EXPECT_FALSE(files.read(some_key(0xC3)).has_value());
  EXPECT_EQ(mode(place), 0700u);
  EXPECT_EQ(mode(files.path(key)), 0600u);
  const Bytes renewed = certificate_for(key, "Somebody else", 900);
  ASSERT_TRUE(files.write(key, renewed).ok());
  EXPECT_EQ(files.read(key), renewed);
  EXPECT_EQ(must_run("ls -A " + place).size(), 64u + 5) << "one file, nothing beside it";
  ASSERT_TRUE(files.remove(key).ok());
  EXPECT_FALSE(files.read(key).has_value());
}

TEST_F(SideFile, IsNamedByTheModulus) {
  Bytes modulus = key.modulus;
  const auto sum = must_run("sha256sum " + home.write("modulus", modulus));
  EXPECT_EQ(files.path(key), place + "/" + sum.substr(0, 64) + ".der");
  key.modulus.insert(key.modulus.begin(), 0);
  EXPECT_EQ(files.path(key), place + "/" + sum.substr(0, 64) + ".der") << "a leading zero";
}

TEST_F(SideFile, HoldsTheKeysCertificateOrNothing) {
  EXPECT_EQ(files.write(some_key(0xC3), der).error().kind, ErrorKind::key_mismatch);
  EXPECT_EQ(files.write(key, Bytes(100, 0x30)).error().kind, ErrorKind::key_mismatch);
  EXPECT_EQ(files.write(key, certificate_for(key, "Long", SideFiles::longest + 1)).error().kind,
            ErrorKind::bad_data);
  EXPECT_EQ(mode(place), 0u) << "nothing was made for what was not taken";
  ASSERT_TRUE(files.write(key, der).ok());
  const std::string path = files.path(key);
  const auto put = [&](ByteView content) {
    std::ofstream(path, std::ios::binary)
        .write(reinterpret_cast<const char*>(content.data()),
               static_cast<std::streamsize>(content.size()));
  };
  for (const Bytes& bad :
       {Bytes{}, Bytes(10, 0x30), certificate_for(some_key(0xC3), "Another key"),
        certificate_for(key, "Long", SideFiles::longest + 1), Bytes(1 << 20, 0x30)}) {
    put(bad);
    EXPECT_FALSE(files.read(key).has_value()) << bad.size();
  }
  put(der);
  EXPECT_TRUE(files.read(key).has_value());
}

TEST_F(SideFile, FollowsNoSymbolicLink) {
  ASSERT_TRUE(files.write(key, der).ok());
  const std::string path = files.path(key);
  const std::string elsewhere = home.write("elsewhere.der", der);
  ASSERT_EQ(::unlink(path.c_str()), 0);
  ASSERT_EQ(::symlink(elsewhere.c_str(), path.c_str()), 0);
  EXPECT_FALSE(files.read(key).has_value());
  // Writing replaces the link, not what it points to.
  const Bytes renewed = certificate_for(key, "Renewed");
  ASSERT_TRUE(files.write(key, renewed).ok());
  EXPECT_EQ(read_file(elsewhere), der);
  EXPECT_EQ(files.read(key), renewed);
  // Nor is the directory one.
  const SideFiles through(home.file("link"));
  ASSERT_EQ(::symlink(place.c_str(), home.file("link").c_str()), 0);
  EXPECT_FALSE(through.read(key).has_value());
  EXPECT_FALSE(through.write(key, der).ok());
}

TEST_F(SideFile, ThatOthersMayWriteIsIgnored) {
  ASSERT_TRUE(files.write(key, der).ok());
  ASSERT_EQ(::chmod(files.path(key).c_str(), 0666), 0);
  EXPECT_FALSE(files.read(key).has_value());
  ASSERT_EQ(::chmod(files.path(key).c_str(), 0644), 0);
  EXPECT_TRUE(files.read(key).has_value());
  ASSERT_EQ(::chmod(place.c_str(), 0777), 0);
  EXPECT_FALSE(files.read(key).has_value());
  EXPECT_FALSE(files.write(key, der).ok());
}

TEST_F(SideFile, ThatIsNoFileIsIgnored) {
  ASSERT_TRUE(files.write(key, der).ok());
  const std::string path = files.path(key);
  ASSERT_EQ(::unlink(path.c_str()), 0);
  ASSERT_EQ(::mkfifo(path.c_str(), 0600), 0);
  EXPECT_FALSE(files.read(key).has_value()) << "and does not wait for a writer";
  ASSERT_EQ(::unlink(path.c_str()), 0);
  ASSERT_EQ(::mkdir(path.c_str(), 0700), 0);
  EXPECT_FALSE(files.read(key).has_value());
  EXPECT_FALSE(files.write(key, der).ok());
  EXPECT_FALSE(files.remove(key).ok());
  EXPECT_EQ(must_run("ls -A " + place).size(), 64u + 5) << "what was begun is taken away";
}

TEST_F(SideFile, OfAnotherKindStandBesideTheCertificates) {
  EXPECT_FALSE(files.has_any(".small"));
  EXPECT_EQ(mode(place), 0u) << "looking makes nothing";
  ASSERT_TRUE(files.put("one.small", Bytes{1, 2}).ok());
  EXPECT_EQ(files.get("one.small"), (Bytes{1, 2}));
  EXPECT_EQ(mode(place + "/one.small"), 0600u);
  EXPECT_TRUE(files.has_any(".small"));
  EXPECT_FALSE(files.has_any(SideFiles::certificate_ending));
  ASSERT_TRUE(files.put("one.small", Bytes{3}).ok());
  EXPECT_EQ(files.get("one.small"), Bytes{3});
  EXPECT_FALSE(files.get("two.small").has_value());
  ASSERT_TRUE(files.drop("one.small").ok());
  EXPECT_EQ(files.drop("one.small").error().kind, ErrorKind::not_found);
  EXPECT_FALSE(files.has_any(".small"));
  EXPECT_FALSE(SideFiles(std::string()).put("one.small", Bytes{1}).ok());
  EXPECT_FALSE(SideFiles(std::string()).has_any(".small"));
}

TEST_F(SideFile, HasNoPlaceWithoutAHome) {
  const SideFiles nowhere{std::string()};
  EXPECT_FALSE(nowhere.read(key).has_value());
  EXPECT_EQ(nowhere.write(key, der).error().kind, ErrorKind::unsupported);
  EXPECT_EQ(nowhere.remove(key).error().kind, ErrorKind::not_found);
  EXPECT_EQ(nowhere.path(key), "");
}

TEST_F(SideFile, StandsWhereTheUsersDataStand) {
  const auto set = [](const char* name, const char* value) {
    value ? ::setenv(name, value, 1) : ::unsetenv(name);
  };
  const auto starts = [&](const char* with) {
    return SideFiles::of_this_user().path(key).starts_with(with);
  };
  set("XDG_DATA_HOME", "/data");
  const auto mine = home.file("me");
  ASSERT_EQ(::mkdir(mine.c_str(), 0700), 0);
  set("HOME", mine.c_str());
  EXPECT_TRUE(starts("/data/kilt/"));
  set("XDG_DATA_HOME", "relative");
  EXPECT_TRUE(starts((mine + "/.local/share/kilt/").c_str()));
  set("XDG_DATA_HOME", nullptr);
  EXPECT_TRUE(starts((mine + "/.local/share/kilt/").c_str()));
  // Without one of his own in the environment the system's word counts: a service has no HOME, and
  // sudo may leave another user's.
  const passwd* entry = ::getpwuid(::geteuid());
  ASSERT_NE(entry, nullptr);
  const std::string known = std::string(entry->pw_dir) + "/.local/share/kilt/";
  set("HOME", nullptr);
  EXPECT_TRUE(starts(known.c_str()));
  if (::geteuid() == 0) {
    ASSERT_EQ(::chown(mine.c_str(), 1, 1), 0);
    set("HOME", mine.c_str());
    EXPECT_TRUE(starts(known.c_str()));
  }
}

TEST_F(SideFile, SaysBeforehandWhetherItCanBeKept) {
  EXPECT_EQ(SideFiles(std::string()).can_put().error().kind, ErrorKind::unsupported);
  const SideFiles deep(home.file("a/b/c"));
  EXPECT_TRUE(deep.can_put().ok());
  EXPECT_EQ(must_run("ls -A " + home.file("a/b/c")), "") << "no file is left of the question";
  ASSERT_TRUE(deep.put("one.small", Bytes{1}).ok());
  EXPECT_TRUE(deep.can_put().ok());

  ASSERT_EQ(::chmod(home.file("a/b/c").c_str(), 0775), 0);
  const auto shared = deep.can_put();
  EXPECT_EQ(shared.error().kind, ErrorKind::bad_data);
  EXPECT_NE(shared.error().message().find("0700"), std::string::npos) << shared.error().message();
  EXPECT_FALSE(deep.put("two.small", Bytes{1}).ok());

  const SideFiles in_file(home.write("file", Bytes{}) + "/kilt");
  EXPECT_FALSE(in_file.can_put().ok());
  EXPECT_FALSE(in_file.put("one.small", Bytes{1}).ok());
  EXPECT_FALSE(SideFiles("/proc/nothing/kilt").can_put().ok());
}

TEST_F(SideFile, MakesNothingInAnotherUsersHome) {
  if (::geteuid() != 0) GTEST_SKIP() << "only root can make another user's home";
  const auto his = home.file("his");
  ASSERT_EQ(::mkdir(his.c_str(), 0755), 0);
  ASSERT_EQ(::chown(his.c_str(), 1, 1), 0);
  const SideFiles there(his + "/.local/share/kilt");
  const auto refused = there.put("one.small", Bytes{1});
  EXPECT_EQ(refused.error().kind, ErrorKind::bad_data);
  EXPECT_EQ(there.can_put().error().kind, ErrorKind::bad_data);
  struct stat status {};
  EXPECT_NE(::stat((his + "/.local").c_str(), &status), 0);
}

}  // namespace
}  // namespace kilt::test
