// SPDX-License-Identifier: Apache-2.0
// Error -> CK_RV: the one table.
#pragma once

#include "apdu/result.hpp"
#include "pkcs11/cryptoki.hpp"

namespace kilt::p11 {

/// The code that says most of what happened. Whether the running function may return it is
/// nearest_listed()'s business, at the module's edge.
[[nodiscard]] CK_RV to_rv(ErrorKind kind);

/// As above, and writes the error into the log: what failed, the status word, the causes.
CK_RV report(const Error& error);

}  // namespace kilt::p11
