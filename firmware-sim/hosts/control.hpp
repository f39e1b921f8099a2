// SPDX-License-Identifier: Apache-2.0
// The other end of `K`: what kilt-sim insert, remove, fault and stats do.
#pragma once

#include <string>

#include "apdu/result.hpp"

namespace kilt::sim {

/// Which reader is meant: a socket path, or the n-th (from 1) of $KILT_SIM, a comma list that
/// `kilt-sim run` sets. bad_argument says what is missing.
Result<std::string> control_socket(const std::string& path, std::size_t reader);

/// Sends one control text; the answer is a JSON document. no_service when nobody is there.
Result<std::string> send_control(const std::string& socket, const std::string& text);

}  // namespace kilt::sim
