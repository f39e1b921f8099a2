// SPDX-License-Identifier: Apache-2.0
// A pcscd of our own next to the system's: /run/pcscd and the drivers of real readers covered by
// private mounts, and for vpcd, which listens on every interface, a network that holds nothing but
// loopback.
#pragma once

#include <sys/types.h>

#include "apdu/result.hpp"
#include "firmware-sim/hosts/unique_fd.hpp"

namespace kilt::sim {

/// In the forked child, before it becomes pcscd. As a plain user through a user namespace. Ends
/// the process with a message on standard error when pcscd could not work. Root without the right
/// to unshare shares /run/pcscd with the system, which does no harm; with `network` it must have
/// it.
void enter_private_run(bool network);

/// A TCP socket that belongs to the network namespace of process `pid`. Errors: transport.
Result<UniqueFd> socket_inside(pid_t pid);

}  // namespace kilt::sim
