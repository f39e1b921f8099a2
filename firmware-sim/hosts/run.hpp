// SPDX-License-Identifier: Apache-2.0
// `kilt-sim run`: readers, cards, the way they are reached, and COMMAND, from start to clean end.
#pragma once

#include "firmware-sim/hosts/options.hpp"

namespace kilt::sim {

/// Runs until COMMAND ends, or until SIGINT, SIGTERM or SIGHUP where there is none. The value is
/// the exit status: COMMAND's, as a shell has it, or 0. An error: nothing was run.
Result<int> run(const RunOptions& options);

}  // namespace kilt::sim
