// SPDX-License-Identifier: Apache-2.0
#include "drivers/side_files.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <mbedtls/md.h>
#include <pwd.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <utility>

#include "drivers/certificate.hpp"

namespace kilt::card {
namespace {

/// A file descriptor that is closed with its scope.
class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  Descriptor(Descriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Descriptor& operator=(Descriptor&&) = delete;
  ~Descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  [[nodiscard]] bool ok() const { return fd_ >= 0; }
  int operator*() const { return fd_; }
  int release() { return std::exchange(fd_, -1); }

 private:
  int fd_;
};

struct CloseListing {
  void operator()(DIR* listing) const { ::closedir(listing); }
};

Error system_error(const std::string& doing, const std::string& path) {
  return {ErrorKind::bad_data, doing + " " + path + ": " + std::strerror(errno)};
}

Error no_place() {
  return {ErrorKind::unsupported,
          "there is no place for files beside the card: neither XDG_DATA_HOME nor HOME names a "
          "directory, and this user has none"};
}

/// Of this user, and written by nobody else.
bool is_ours(const struct stat& status) {
  return status.st_uid == ::geteuid() && (status.st_mode & (S_IWGRP | S_IWOTH)) == 0;
}

Result<Descriptor> open_directory(const std::string& path) {
  Descriptor directory(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  struct stat status {};
  if (!directory.ok() || ::fstat(*directory, &status) != 0) {
    const bool is_other = errno == ENOTDIR || errno == ELOOP;
    auto error = system_error("opening the directory", path);
    if (is_other) error.what = path + " is a link, or no directory, and is left alone";
    return error;
  }
  if (is_ours(status)) return directory;
  return Error{ErrorKind::bad_data,
               path +
                   " belongs to another user, or others may write to it, so nothing in it is "
                   "believed; it should be yours, with mode 0700"};
}

/// The directory, or the nearest one above it that exists.
std::string existing(std::string path) {
  struct stat status {};
  while (path.size() > 1 && ::lstat(path.c_str(), &status) != 0)
    path.resize(std::max<std::size_t>(path.rfind('/'), 1));
  return path;
}

/// The directory and those above it, 0700 where they are missing. Not in the home of another user,
/// who could not use them.
Status make_directories(const std::string& path) {
  const auto start = existing(path);
  struct stat status {};
  if (start == path) return {};
  if (::stat(start.c_str(), &status) != 0) return system_error("looking at", start);
  if (status.st_uid != ::geteuid() && status.st_uid != 0) {
    return Error{ErrorKind::bad_data, start + " belongs to another user, so nothing is made in it"};
  }
  for (std::size_t at = path.find('/', start == "/" ? 1 : start.size() + 1);;
       at = path.find('/', at + 1)) {
    const std::string part = path.substr(0, at);
    if (::mkdir(part.c_str(), 0700) != 0 && errno != EEXIST)
      return system_error("making the directory", part);
    if (at == std::string::npos) return {};
  }
}

std::string file_name(const PublicKey& key) {
  ByteView modulus = key.modulus;
  while (!modulus.empty() && modulus.front() == 0)
    modulus = modulus.subspan(1);
  std::array<std::uint8_t, 32> digest{};
  if (modulus.empty() || mbedtls_md(mbedtls_md_info_from_type(MBEDTLS_MD_SHA256), modulus.data(),
                                    modulus.size(), digest.data()) != 0) {
    return {};
  }
  std::string name = to_hex(digest);
  for (char& c : name)
    c = static_cast<char>(c >= 'A' && c <= 'F' ? c - 'A' + 'a' : c);
  return name + std::string(SideFiles::certificate_ending);
}

bool fits(const PublicKey& key, ByteView der) {
  const auto certificate = Certificate::parse(der);
  return certificate && certificate->key && *certificate->key == key;
}

bool write_all(int fd, ByteView rest) {
  while (!rest.empty()) {
    const ssize_t count = ::write(fd, rest.data(), rest.size());
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) return false;
    rest = rest.subspan(static_cast<std::size_t>(count));
  }
  return true;
}

/// A file of a name that no other thread or process has: they write one after the other.
class FileBeside {
 public:
  FileBeside(const Descriptor& directory, const std::string& name)
      : directory_(directory), name_(name + "." + random_name() + ".new"), file_(create()) {}
  FileBeside(const FileBeside&) = delete;
  ~FileBeside() {
    if (file_.ok() && !is_renamed_) ::unlinkat(*directory_, name_.c_str(), 0);
  }
  [[nodiscard]] bool ok() const { return file_.ok(); }
  bool write(ByteView content) { return write_all(*file_, content); }
  bool rename_to(const std::string& name) {
    is_renamed_ = ::fsync(*file_) == 0 &&
                  ::renameat(*directory_, name_.c_str(), *directory_, name.c_str()) == 0;
    return is_renamed_;
  }

 private:
  static std::string random_name() {
    std::array<std::uint8_t, 8> bytes{};
    (void)!::getrandom(bytes.data(), bytes.size(), 0);
    return to_hex(bytes);
  }
  [[nodiscard]] int create() const {
    return ::openat(*directory_, name_.c_str(),
                    O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
  }
  const Descriptor& directory_;
  std::string name_;
  Descriptor file_;
  bool is_renamed_ = false;
};

/// At most longest + 1 bytes.
Bytes read_some(int fd) {
  Bytes content(SideFiles::longest + 1);
  std::size_t size = 0;
  while (size < content.size()) {
    const ssize_t count = ::read(fd, content.data() + size, content.size() - size);
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) break;
    size += static_cast<std::size_t>(count);
  }
  content.resize(size);
  return content;
}

std::string from_environment(const char* name) {
  const char* value = ::secure_getenv(name);
  // [XDG Base Directory Specification] a relative path counts as none.
  return value != nullptr && value[0] == '/' ? value : std::string();
}

/// Empty where the system knows none, or none that is there: "/nonexistent" is a custom.
std::string home_in_passwd() {
  std::array<char, 4096> room{};
  passwd entry{};
  passwd* found = nullptr;
  if (::getpwuid_r(::geteuid(), &entry, room.data(), room.size(), &found) != 0 || found == nullptr)
    return {};
  struct stat status {};
  const std::string home = found->pw_dir != nullptr ? found->pw_dir : "";
  const bool is_there = home.starts_with('/') && ::stat(home.c_str(), &status) == 0;
  return is_there ? home : std::string();
}

}  // namespace

SideFiles SideFiles::of_this_user() {
  if (const auto data = from_environment("XDG_DATA_HOME"); !data.empty())
    return SideFiles(data + "/kilt");
  auto home = from_environment("HOME");
  struct stat status {};
  const bool is_own =
      !home.empty() && ::stat(home.c_str(), &status) == 0 && status.st_uid == ::geteuid();
  if (!is_own) home = home_in_passwd();
  return SideFiles(home.empty() ? home : home + "/.local/share/kilt");
}

std::string SideFiles::path(const PublicKey& key) const {
  const auto name = file_name(key);
  return directory_.empty() || name.empty() ? std::string() : directory_ + "/" + name;
}

std::optional<Bytes> SideFiles::read(const PublicKey& key) const {
  auto content = get(file_name(key));
  if (!content || !fits(key, *content)) return std::nullopt;
  return content;
}

Status SideFiles::write(const PublicKey& key, ByteView der) const {
  const auto name = file_name(key);
  if (directory_.empty() || name.empty()) return no_place();
  if (der.size() > longest) {
    return Error{ErrorKind::bad_data, "the certificate is longer than 16384 bytes"};
  }
  if (!fits(key, der)) {
    return Error{ErrorKind::key_mismatch, "the certificate is not that of the key"};
  }
  return put(name, der);
}

Status SideFiles::remove(const PublicKey& key) const {
  auto dropped = drop(file_name(key));
  if (dropped || dropped.error().kind != ErrorKind::not_found) return dropped;
  return Error{ErrorKind::not_found, "there is no certificate beside the card for this key"};
}

std::optional<Bytes> SideFiles::get(const std::string& name) const {
  if (directory_.empty() || name.empty()) return std::nullopt;
  const auto directory = open_directory(directory_);
  if (!directory) return std::nullopt;
  // O_NONBLOCK: a FIFO of that name must not hold us up.
  const Descriptor file(
      ::openat(**directory, name.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
  struct stat status {};
  if (!file.ok() || ::fstat(*file, &status) != 0) return std::nullopt;
  if (!S_ISREG(status.st_mode) || !is_ours(status)) return std::nullopt;
  Bytes content = read_some(*file);
  if (content.size() > longest) return std::nullopt;
  return content;
}

Status SideFiles::put(const std::string& name, ByteView content) const {
  if (directory_.empty() || name.empty()) return no_place();
  if (auto made = make_directories(directory_); !made) return made;
  const auto opened = open_directory(directory_);
  if (!opened) return opened.error();
  const Descriptor& directory = *opened;
  FileBeside file(directory, name);
  if (!file.ok() || !file.write(content) || !file.rename_to(name))
    return system_error("writing", directory_ + "/" + name);
  ::fsync(*directory);
  return {};
}

Status SideFiles::can_put() const {
  if (directory_.empty()) return no_place();
  if (auto made = make_directories(directory_); !made) return made;
  const auto directory = open_directory(directory_);
  if (!directory) return directory.error();
  // A byte: a full disk still takes an empty file.
  FileBeside file(*directory, "probe");
  const bool is_room = file.ok() && file.write(Bytes{0});
  return is_room ? Status{} : system_error("writing to", directory_);
}

Status SideFiles::drop(const std::string& name) const {
  const Error none{ErrorKind::not_found, "there is no such file beside the card"};
  if (directory_.empty() || name.empty()) return none;
  const auto directory = open_directory(directory_);
  if (!directory) return none;
  if (::unlinkat(**directory, name.c_str(), 0) == 0) return {};
  if (errno == ENOENT) return none;
  return system_error("deleting", directory_ + "/" + name);
}

bool SideFiles::has_any(std::string_view ending) const {
  if (directory_.empty()) return false;
  auto directory = open_directory(directory_);
  if (!directory) return false;
  const std::unique_ptr<DIR, CloseListing> listing(::fdopendir(**directory));
  if (!listing) return false;
  (void)directory->release();  // the listing closes it
  while (const auto* entry = ::readdir(listing.get())) {
    if (std::string_view(entry->d_name).ends_with(ending)) return true;
  }
  return false;
}

}  // namespace kilt::card
