// SPDX-License-Identifier: Apache-2.0
// Programs that `kilt-sim run` starts: COMMAND and pcscd.
#pragma once

#include <sys/types.h>

#include <functional>
#include <string>
#include <utility>
#include <vector>

namespace kilt::sim {

using Environment = std::vector<std::pair<std::string, std::string>>;

/// Forks and executes `arguments` (looked up in PATH) with `environment` on top of ours and no
/// signal blocked or ignored by us. `prepare` runs in the child before. -1: fork failed. A program
/// that cannot be started ends with 127 (not found) or 126 and a line on standard error.
pid_t start_program(const std::vector<std::string>& arguments, const Environment& environment,
                    const std::function<void()>& prepare = {});

/// As a shell has it: the exit status, or 128 and the signal.
[[nodiscard]] int exit_status(int wait_status);

}  // namespace kilt::sim
