// SPDX-License-Identifier: Apache-2.0
#include "cli/files.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <mbedtls/base64.h>
#include <mbedtls/md.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <functional>

#include "cli/interrupt.hpp"
#include "cli/md_type.hpp"

namespace kilt::cli {
namespace {

Error file_error(const std::string& path, const char* what) {
  return {ErrorKind::bad_data,
          fmt::format("{} cannot be {}: {}", path, what, std::strerror(errno))};
}

/// A descriptor that closes itself, unless it is one of the standard three.
class File {
 public:
  explicit File(int fd) : fd_(fd) {}
  ~File() {
    if (fd_ > STDERR_FILENO) close(fd_);
  }
  File(const File&) = delete;
  File& operator=(const File&) = delete;
  [[nodiscard]] int fd() const { return fd_; }

 private:
  int fd_;
};

/// Feeds the file to `take` block by block; a false answer ends it.
Status for_each_block(const std::string& path, const std::function<bool(ByteView)>& take) {
  const File file(path == "-" ? STDIN_FILENO : open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (file.fd() < 0) return file_error(path, "opened");
  Bytes block(64 * 1024);
  for (;;) {
    const ssize_t count = read(file.fd(), block.data(), block.size());
    if (count < 0 && errno == EINTR && interrupted() == 0) continue;
    if (count < 0) return file_error(path, "read");
    if (count == 0) return {};
    if (!take(ByteView(block).first(static_cast<std::size_t>(count)))) return {};
  }
}

Status write_all(int fd, ByteView content, const std::string& path) {
  while (!content.empty()) {
    const ssize_t count = write(fd, content.data(), content.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return file_error(path, "written");
    content = content.subspan(static_cast<std::size_t>(count));
  }
  return {};
}

/// A device or a pipe cannot be renamed over; a link should stay one.
bool is_special(const std::string& path) {
  struct stat info {};
  return lstat(path.c_str(), &info) == 0 && !S_ISREG(info.st_mode);
}

class Hash {
 public:
  explicit Hash(card::Digest digest) : size_(card::digest_size(digest)) {
    mbedtls_md_init(&context_);
    const mbedtls_md_info_t* info = mbedtls_md_info_from_type(md_type(digest));
    good_ = info != nullptr && mbedtls_md_setup(&context_, info, 0) == 0 &&
            mbedtls_md_starts(&context_) == 0;
  }
  ~Hash() { mbedtls_md_free(&context_); }
  Hash(const Hash&) = delete;
  Hash& operator=(const Hash&) = delete;

  bool update(ByteView block) {
    good_ = good_ && mbedtls_md_update(&context_, block.data(), block.size()) == 0;
    return good_;
  }
  Result<Bytes> finish() {
    Bytes out(size_);
    if (good_ && mbedtls_md_finish(&context_, out.data()) == 0) return out;
    return Error{ErrorKind::internal, "the digest cannot be computed"};
  }

 private:
  std::size_t size_;
  bool good_ = false;
  mbedtls_md_context_t context_{};
};

}  // namespace

Result<Bytes> read_file(const std::string& path, std::size_t limit) {
  Bytes content;
  auto done = for_each_block(path, [&](ByteView block) {
    append(content, block);
    return content.size() <= limit;
  });
  if (!done) return done.take_error();
  if (content.size() > limit) {
    return Error{ErrorKind::bad_data, fmt::format("{} is larger than {} bytes", path, limit)};
  }
  return content;
}

Result<OutputFile> OutputFile::open(const std::string& path) {
  if (path.empty()) return Error{ErrorKind::bad_data, "the file to be written has no name"};
  if (path == "-") return OutputFile("standard output", STDOUT_FILENO, "");
  if (is_special(path)) {
    const int fd = ::open(path.c_str(), O_WRONLY | O_CLOEXEC);
    if (fd < 0) return file_error(path, "written");
    return OutputFile(path, fd, "");
  }
  if (access(path.c_str(), F_OK) == 0 && access(path.c_str(), W_OK) != 0) {
    return file_error(path, "written");
  }
  std::string beside = path + ".XXXXXX";
  const int fd = mkostemp(beside.data(), O_CLOEXEC);
  if (fd < 0) return file_error(path, "written");
  return OutputFile(path, fd, std::move(beside));
}

OutputFile::OutputFile(OutputFile&& other) noexcept
    : path_(std::move(other.path_)),
      fd_(std::exchange(other.fd_, -1)),
      beside_(std::exchange(other.beside_, "")) {}

OutputFile::~OutputFile() {
  if (fd_ > STDERR_FILENO) close(fd_);
  if (!beside_.empty()) unlink(beside_.c_str());
}

Status OutputFile::commit(ByteView content) {
  struct stat info {};
  // A link to a file: what it held before goes.
  if (beside_.empty() && fd_ > STDERR_FILENO && fstat(fd_, &info) == 0 && S_ISREG(info.st_mode) &&
      ftruncate(fd_, 0) != 0) {
    return file_error(path_, "written");
  }
  if (auto done = write_all(fd_, content, path_); !done || beside_.empty()) return done;
  const mode_t mask = umask(0);
  umask(mask);
  fchmod(fd_, 0666 & ~mask);
  if (rename(beside_.c_str(), path_.c_str()) != 0) return file_error(path_, "written");
  beside_.clear();
  return {};
}

Result<Bytes> digest_file(const std::string& path, card::Digest digest) {
  Hash hash(digest);
  auto done = for_each_block(path, [&](ByteView block) { return hash.update(block); });
  if (!done) return done.take_error();
  return hash.finish();
}

Result<Bytes> digest_of(ByteView content, card::Digest digest) {
  Hash hash(digest);
  hash.update(content);
  return hash.finish();
}

std::string to_pem(const std::string& label, ByteView der) {
  std::size_t size = 0;
  mbedtls_base64_encode(nullptr, 0, &size, der.data(), der.size());
  std::string text(size, '\0');
  mbedtls_base64_encode(reinterpret_cast<unsigned char*>(text.data()), text.size(), &size,
                        der.data(), der.size());
  text.resize(size);
  std::string pem = fmt::format("-----BEGIN {}-----\n", label);
  for (std::size_t at = 0; at < text.size(); at += 64)
    pem += text.substr(at, 64) + "\n";
  return pem + fmt::format("-----END {}-----\n", label);
}

Result<Bytes> from_pem_or_der(ByteView content, const std::string& label) {
  const std::string text = as_text(content);
  const std::string head = fmt::format("-----BEGIN {}-----", label);
  const std::size_t begin = text.find(head);
  if (begin == std::string::npos) {
    // DER of anything we read is a SEQUENCE.
    if (!content.empty() && content[0] == 0x30) return copy_of(content);
    return Error{ErrorKind::bad_data, fmt::format("the file holds no {} in PEM or DER", label)};
  }
  const std::size_t from = begin + head.size();
  const std::size_t end = text.find(fmt::format("-----END {}-----", label), from);
  if (end == std::string::npos) return Error{ErrorKind::bad_data, "the PEM block has no end"};
  std::string body = text.substr(from, end - from);
  std::erase_if(body, [](char c) { return c == '\n' || c == '\r' || c == ' ' || c == '\t'; });
  Bytes der(body.size());
  std::size_t size = 0;
  if (mbedtls_base64_decode(der.data(), der.size(), &size,
                            reinterpret_cast<const unsigned char*>(body.data()),
                            body.size()) != 0) {
    return Error{ErrorKind::bad_data, "the PEM block is not base64"};
  }
  der.resize(size);
  return der;
}

}  // namespace kilt::cli
