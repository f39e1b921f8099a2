// SPDX-License-Identifier: Apache-2.0
// Over vpcd a card counts as real, and kilt refuses commands that are only assumed. COMMAND gets a
// kilt.toml that allows them for the simulated cards.
#pragma once

#include <string>
#include <vector>

namespace kilt::sim {

/// `toml` with the serials added to its top-level allow_assumed, which is made if it is not there.
[[nodiscard]] std::string allow_serials(const std::string& toml,
                                        const std::vector<std::string>& serials);

}  // namespace kilt::sim
