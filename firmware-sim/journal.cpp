// SPDX-License-Identifier: Apache-2.0
#include "firmware-sim/journal.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <string_view>

#include "firmware-sim/nvram.hpp"

namespace kilt::sim {
namespace {

constexpr std::string_view magic = "kilt-sim nvram 1\n";
constexpr std::size_t frame_size = 8;            // length u32, CRC-32 u32, big-endian
constexpr std::size_t longest_record = 1 << 20;  // a cell never comes near this
constexpr std::size_t always_allowed = 1 << 20;  // a journal this short is left alone

/// CRC-32 of IEEE 802.3, reflected, as in zlib: finds a torn record, no more is asked of it.
std::uint32_t crc32(ByteView bytes) {
  std::uint32_t crc = 0xFFFFFFFF;
  for (auto byte : bytes) {
    crc ^= byte;
    for (int bit = 0; bit < 8; ++bit)
      crc = (crc >> 1) ^ ((crc & 1) != 0 ? 0xEDB88320 : 0);
  }
  return ~crc;
}

void append_be32(Bytes& to, std::size_t value) {
  append_be16(to, value >> 16 & 0xFFFF);
  append_be16(to, value & 0xFFFF);
}

std::uint32_t be32(ByteView four) {
  return static_cast<std::uint32_t>(be16(four[0], four[1])) << 16 | be16(four[2], four[3]);
}

Bytes framed(ByteView record) {
  Bytes frame;
  append_be32(frame, record.size());
  append_be32(frame, crc32(record));
  append(frame, record);
  return frame;
}

bool write_all(int fd, ByteView bytes) {
  while (!bytes.empty()) {
    const auto n = ::write(fd, bytes.data(), bytes.size());
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return false;
    bytes = bytes.subspan(static_cast<std::size_t>(n));
  }
  return true;
}

std::optional<Bytes> read_all(int fd) {
  Bytes content;
  Bytes chunk(65536);
  for (;;) {
    const auto n = ::read(fd, chunk.data(), chunk.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return std::nullopt;
    if (n == 0) return content;
    append(content, ByteView(chunk).first(static_cast<std::size_t>(n)));
  }
}

Error system_error(const std::string& what, const std::string& path) {
  return {ErrorKind::bad_argument, what + " " + path + ": " + std::strerror(errno)};
}

/// Opens and locks. A file that another process renamed over ours between open and lock is tried
/// again: the lock must be on what the path names.
Result<int> open_locked(const std::string& path) {
  for (int attempt = 0; attempt < 10; ++attempt) {
    const int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (fd < 0) return system_error("opening the state file", path);
    if (::flock(fd, LOCK_EX | LOCK_NB) != 0) {
      ::close(fd);
      return Error{ErrorKind::busy, "another kilt-sim holds the state file " + path};
    }
    struct stat ours {
    }, named{};
    if (::fstat(fd, &ours) == 0 && ::stat(path.c_str(), &named) == 0 &&
        ours.st_ino == named.st_ino && ours.st_dev == named.st_dev) {
      return fd;
    }
    ::close(fd);
  }
  return Error{ErrorKind::busy, "the state file " + path + " is replaced again and again"};
}

/// Length of the part that consists of whole records, each given to `replay`.
Result<std::size_t> replay_records(ByteView content, const std::function<bool(ByteView)>& replay) {
  std::size_t good = magic.size();
  ByteView rest = content.subspan(good);
  while (rest.size() >= frame_size) {
    const std::size_t length = be32(rest);
    if (length > longest_record || length > rest.size() - frame_size) break;
    const auto record = rest.subspan(frame_size, length);
    if (crc32(record) != be32(rest.subspan(4))) break;
    if (!replay(record)) {
      return Error{ErrorKind::bad_data, "the state file holds a record of an unknown kind"};
    }
    rest = rest.subspan(frame_size + length);
    good += frame_size + length;
  }
  return good;
}

void sync_directory_of(const std::string& path) {
  const auto slash = path.rfind('/');
  const std::string directory = slash == std::string::npos ? "." : path.substr(0, slash + 1);
  const int fd = ::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return;
  ::fsync(fd);
  ::close(fd);
}

}  // namespace

JournalFile::JournalFile(JournalFile&& other) noexcept
    : path_(std::move(other.path_)),
      fd_(std::exchange(other.fd_, -1)),
      size_(other.size_),
      compacted_size_(other.compacted_size_) {}

JournalFile::~JournalFile() {
  if (fd_ >= 0) ::close(fd_);
}

Result<JournalFile> JournalFile::open(const std::string& path,
                                      const std::function<bool(ByteView record)>& replay) {
  auto fd = open_locked(path);
  if (!fd) return fd.take_error();
  JournalFile file(path, *fd);
  const auto content = read_all(file.fd_);
  if (!content) return system_error("reading the state file", path);

  const ByteView start = as_bytes(magic).first(std::min(magic.size(), content->size()));
  if (!equal(ByteView(*content).first(start.size()), start)) {
    return Error{ErrorKind::bad_data, path + " is no state file of kilt-sim"};
  }
  if (content->size() < magic.size()) {  // new, or torn in its very first write
    if (::ftruncate(file.fd_, 0) != 0 || !write_all(file.fd_, as_bytes(magic))) {
      return system_error("writing the state file", path);
    }
    file.size_ = file.compacted_size_ = magic.size();
    return file;
  }
  const auto good = replay_records(*content, replay);
  if (!good) return good.error();
  if (*good != content->size() && ::ftruncate(file.fd_, static_cast<off_t>(*good)) != 0) {
    return system_error("dropping a torn record from the state file", path);
  }
  file.size_ = *good;
  file.compacted_size_ = magic.size();
  return file;
}

void JournalFile::append(ByteView record) {
  const Bytes frame = framed(record);
  if (!write_all(fd_, frame)) {
    // A rest of the record would be dropped when the file is opened, but hide the next one.
    [[maybe_unused]] const int undone = ::ftruncate(fd_, static_cast<off_t>(size_));
    throw NvramFailure{};
  }
  size_ += frame.size();
}

bool JournalFile::has_grown() const {
  return size_ > always_allowed && size_ / 4 > compacted_size_;
}

void JournalFile::compact(const std::vector<Bytes>& records) {
  compacted_size_ = size_;  // if it fails it is not tried again with every write
  const std::string temporary = path_ + ".new";
  const int fd = ::open(temporary.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0600);
  if (fd < 0) return;
  Bytes content = copy_of(as_bytes(magic));
  for (const auto& record : records)
    kilt::append(content, framed(record));
  if (::flock(fd, LOCK_EX | LOCK_NB) != 0 || !write_all(fd, content) || ::fsync(fd) != 0 ||
      ::rename(temporary.c_str(), path_.c_str()) != 0) {
    ::unlink(temporary.c_str());
    ::close(fd);
    return;
  }
  sync_directory_of(path_);
  ::close(std::exchange(fd_, fd));
  size_ = compacted_size_ = content.size();
}

}  // namespace kilt::sim
