// SPDX-License-Identifier: Apache-2.0
#include "firmware-sim/hosts/workspace.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>

#include "firmware-sim/hosts/unique_fd.hpp"

namespace kilt::sim {

Result<Workspace> Workspace::make() {
  const char* asked = ::secure_getenv("TMPDIR");
  std::string base = asked && *asked ? asked : "/dev/shm";
  if (::access(base.c_str(), W_OK | X_OK) != 0) base = "/tmp";
  std::string path = base + "/kilt-sim.XXXXXX";
  if (!::mkdtemp(path.data())) {
    return Error{ErrorKind::no_permission,
                 "no temporary directory can be made in " + base + ": " + std::strerror(errno)};
  }
  return Workspace(std::move(path));
}

Workspace::Workspace(Workspace&& other) noexcept : path_(std::exchange(other.path_, {})) {}

Workspace::~Workspace() {
  std::error_code ignored;
  if (!path_.empty()) std::filesystem::remove_all(path_, ignored);
}

Result<std::string> Workspace::directory(const std::string& name) const {
  std::string path = file(name);
  if (::mkdir(path.c_str(), 0700) != 0) {
    return Error{ErrorKind::internal, "the directory " + path + " cannot be made"};
  }
  return path;
}

Status write_file(const std::string& path, const std::string& text) {
  const auto failed = [&] {
    return Error{ErrorKind::bad_argument,
                 "the file " + path + " cannot be written: " + std::strerror(errno)};
  };
  const UniqueFd file(::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
  if (!file) return failed();
  std::size_t done = 0;
  while (done < text.size()) {
    const auto now = ::write(file.get(), text.data() + done, text.size() - done);
    if (now < 0 && errno != EINTR) return failed();
    if (now > 0) done += static_cast<std::size_t>(now);
  }
  return {};
}

}  // namespace kilt::sim
