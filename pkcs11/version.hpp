// SPDX-License-Identifier: Apache-2.0
// Versions that the module tells.
#pragma once

#include "pkcs11/cryptoki.hpp"

namespace kilt::p11 {

inline constexpr CK_VERSION cryptoki_2_40{2, 40};
inline constexpr CK_VERSION cryptoki_3_0{3, 0};
inline constexpr CK_VERSION library_version{0, 1};

}  // namespace kilt::p11
