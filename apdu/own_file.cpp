// SPDX-License-Identifier: Apache-2.0
#include "apdu/own_file.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace kilt::apdu {
namespace {

int above_stderr(int fd) {
  if (fd < 0 || fd > STDERR_FILENO) return fd;
  const int higher = ::fcntl(fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
  ::close(fd);
  return higher;
}

}  // namespace

OwnFile OwnFile::append_to(const std::string& path, int flags) {
  constexpr int always = O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOCTTY;
  OwnFile file;
  file.number = above_stderr(::open(path.c_str(), always | flags, 0600));
  struct stat opened {};
  if (file.number < 0 || ::fstat(file.number, &opened) != 0) return file;
  file.device = opened.st_dev;
  file.inode = opened.st_ino;
  return file;
}

bool OwnFile::is_ours() const {
  struct stat now {};
  return number >= 0 && ::fstat(number, &now) == 0 && now.st_dev == device && now.st_ino == inode;
}

void OwnFile::close() {
  if (is_ours()) ::close(number);
  number = -1;
}

}  // namespace kilt::apdu
