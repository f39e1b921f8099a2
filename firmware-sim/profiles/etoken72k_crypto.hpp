// SPDX-License-Identifier: Apache-2.0
// The secret of a login: derived from PIN and salt, proved by 3DES [facts etoken §5.4].
#pragma once

#include <string_view>

#include "apdu/bytes.hpp"

namespace kilt::sim::etoken72k {

inline constexpr std::size_t salt_size = 20;
inline constexpr std::size_t key_size = 24;
inline constexpr std::size_t block_size = 8;  ///< of 3DES: challenge, response, IV

/// PKCS #12 key derivation [RFC 7292 appendix B] with SHA-1, ID byte 3, 999 iterations. `pin` is
/// ASCII of at most 31 characters: the card derives only the PINs that it leaves the factory with.
[[nodiscard]] SecretBytes derive_key(std::string_view pin, ByteView salt);
/// What the host must send for this challenge: one block, 3DES-EDE3.
[[nodiscard]] Bytes response_to(ByteView challenge, ByteView key);
/// A new key of `key_size` bytes, wrapped by 3DES-EDE3-CBC. assumed, as PIN change is as a whole.
[[nodiscard]] SecretBytes unwrap_key(ByteView wrapped, ByteView key, ByteView iv);

}  // namespace kilt::sim::etoken72k
