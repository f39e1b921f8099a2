// SPDX-License-Identifier: Apache-2.0
#include "firmware-sim/hosts/namespaces.hpp"

#include <fcntl.h>
#include <net/if.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <string>

namespace kilt::sim {

namespace {

constexpr const char* run_directory = "/run/pcscd";  // compiled into pcscd, as is the next
constexpr const char* driver_directory = "/usr/lib/pcsc/drivers";

[[noreturn]] void give_up(const char* doing) {
  std::fprintf(stderr,
               "kilt-sim: %s: %s; a private pcscd needs root or unprivileged user namespaces\n",
               doing, std::strerror(errno));
  ::_exit(126);
}

void write_proc(const char* path, const std::string& text) {
  const UniqueFd file(::open(path, O_WRONLY | O_CLOEXEC));
  if (!file || ::write(file.get(), text.data(), text.size()) < 0) give_up(path);
}

/// Root inside, the same user outside.
void become_root_inside() {
  const auto uid = std::to_string(::geteuid());
  const auto gid = std::to_string(::getegid());
  if (::unshare(CLONE_NEWUSER) != 0) give_up("unshare(CLONE_NEWUSER)");
  write_proc("/proc/self/setgroups", "deny");
  write_proc("/proc/self/uid_map", "0 " + uid + " 1");
  write_proc("/proc/self/gid_map", "0 " + gid + " 1");
}

bool mounts_below_root_are_private() {
  return ::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0;
}

/// Moves this process's root up to that of its mount namespace: from a working directory that lies
/// outside the root, ".." leads up to there [chroot(2)].
bool climb_out_of_chroot() {
  if (::chdir("/") != 0 || ::chroot("/run") != 0) return false;
  for (struct stat here{}, above{}; ::stat(".", &here) == 0 && ::stat("..", &above) == 0;) {
    if (here.st_dev == above.st_dev && here.st_ino == above.st_ino) return ::chroot(".") == 0;
    if (::chdir("..") != 0) return false;
  }
  return false;
}

/// What is mounted here from now on is seen by nobody else. In a chroot "/" is no mount point and
/// cannot be told so; then the namespace's own root is, and the chroot entered again.
void keep_mounts_private() {
  if (mounts_below_root_are_private()) return;
  if (errno != EINVAL) give_up("mount /");
  const UniqueFd root(::open("/", O_PATH | O_DIRECTORY | O_CLOEXEC));
  const UniqueFd work(::open(".", O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!climb_out_of_chroot() || !mounts_below_root_are_private()) give_up("mount / from a chroot");
  if (::fchdir(root.get()) != 0 || ::chroot(".") != 0 || ::fchdir(work.get()) != 0) {
    give_up("returning to the chroot");
  }
}

void cover_run_directory() {
  keep_mounts_private();
  struct stat found {};
  if (::stat(run_directory, &found) != 0 && ::mkdir(run_directory, 0755) != 0) {
    if (::mount("tmpfs", "/run", "tmpfs", 0, "mode=755") != 0) give_up("mount /run");
    if (::mkdir(run_directory, 0755) != 0) give_up(run_directory);
  }
  if (::mount("tmpfs", run_directory, "tmpfs", 0, "mode=755") != 0) give_up("mount /run/pcscd");
}

/// pcscd would hot-plug real readers and take them from the system's pcscd.
void cover_usb_drivers() {
  std::error_code none;
  for (const auto& entry : std::filesystem::directory_iterator(driver_directory, none)) {
    if (entry.path().extension() != ".bundle") continue;
    if (::mount("tmpfs", entry.path().c_str(), "tmpfs", MS_RDONLY, nullptr) != 0) {
      give_up("mount over the USB drivers");
    }
  }
}

void bring_loopback_up() {
  const UniqueFd socket(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  ifreq request{};
  std::strcpy(request.ifr_name, "lo");
  if (::ioctl(socket.get(), SIOCGIFFLAGS, &request) != 0) give_up("loopback");
  request.ifr_flags = static_cast<short>(request.ifr_flags | IFF_UP);
  if (::ioctl(socket.get(), SIOCSIFFLAGS, &request) != 0) give_up("loopback");
}

enum class Joined { yes, same, no };

Joined join(const std::string& name, pid_t pid, int kind) {
  const std::string path = "/proc/" + std::to_string(pid) + "/ns/" + name;
  struct stat theirs {};
  struct stat ours {};
  if (::stat(path.c_str(), &theirs) != 0) return Joined::no;
  if (::stat(("/proc/self/ns/" + name).c_str(), &ours) != 0) return Joined::no;
  if (ours.st_ino == theirs.st_ino) return Joined::same;
  const UniqueFd there(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  return there && ::setns(there.get(), kind) == 0 ? Joined::yes : Joined::no;
}

void pass(int link, int fd) {
  char byte = 0;
  iovec data{&byte, 1};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof fd)] = {};
  msghdr message{};
  message.msg_iov = &data;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof control;
  cmsghdr* header = CMSG_FIRSTHDR(&message);
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  header->cmsg_len = CMSG_LEN(sizeof fd);
  std::memcpy(CMSG_DATA(header), &fd, sizeof fd);
  (void)::sendmsg(link, &message, 0);
}

UniqueFd take(int link) {
  char byte = 0;
  iovec data{&byte, 1};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
  msghdr message{};
  message.msg_iov = &data;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof control;
  if (::recvmsg(link, &message, MSG_CMSG_CLOEXEC) <= 0) return {};
  const cmsghdr* header = CMSG_FIRSTHDR(&message);
  if (!header || header->cmsg_type != SCM_RIGHTS) return {};
  int fd = -1;
  std::memcpy(&fd, CMSG_DATA(header), sizeof fd);
  return UniqueFd(fd);
}

}  // namespace

void enter_private_run(bool network) {
  const bool root = ::geteuid() == 0;
  if (!root) become_root_inside();
  if (::unshare(CLONE_NEWNS | (network ? CLONE_NEWNET : 0)) != 0) {
    if (!root || network) give_up("unshare");
    ::mkdir(run_directory, 0755);
    return;
  }
  cover_run_directory();
  cover_usb_drivers();
  if (network) bring_loopback_up();
}

Result<UniqueFd> socket_inside(pid_t pid) {
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) {
    return Error{ErrorKind::transport, "socketpair failed"};
  }
  const UniqueFd ours(ends[0]);
  UniqueFd theirs(ends[1]);
  // A process that joined a user namespace cannot come back, so another one does it.
  const pid_t helper = ::fork();
  if (helper == 0) {
    // "same" network: the other process is still on its way into its own, and this port of ours
    // may belong to anybody.
    const bool there = join("user", pid, CLONE_NEWUSER) != Joined::no &&
                       join("net", pid, CLONE_NEWNET) == Joined::yes;
    const int fd = there ? ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0) : -1;
    if (fd >= 0) pass(theirs.get(), fd);
    ::_exit(0);
  }
  theirs.reset();
  UniqueFd socket = take(ours.get());
  while (helper > 0 && ::waitpid(helper, nullptr, 0) < 0 && errno == EINTR) {
  }
  if (!socket) {
    return Error{ErrorKind::transport, "no socket can be made in the network of the private pcscd"};
  }
  return socket;
}

}  // namespace kilt::sim
