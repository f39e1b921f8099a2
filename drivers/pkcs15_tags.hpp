// SPDX-License-Identifier: Apache-2.0
// Tags and flag bits of ISO/IEC 7816-15 that its reader and its writer share.
#pragma once

#include <cstddef>
#include <cstdint>

namespace kilt::card::pkcs15 {

namespace tags {
inline constexpr std::uint32_t boolean = 0x01;
inline constexpr std::uint32_t integer = 0x02;
inline constexpr std::uint32_t bit_string = 0x03;
inline constexpr std::uint32_t octet_string = 0x04;
inline constexpr std::uint32_t object_identifier = 0x06;
inline constexpr std::uint32_t enumerated = 0x0A;
inline constexpr std::uint32_t utf8_string = 0x0C;
inline constexpr std::uint32_t generalized_time = 0x18;
inline constexpr std::uint32_t sequence = 0x30;
inline constexpr std::uint32_t token_label = 0x80;           ///< TokenInfo, [0] label
inline constexpr std::uint32_t last_update = 0xA5;           ///< TokenInfo, [5] lastUpdate
inline constexpr std::uint32_t sub_class_attributes = 0xA0;  ///< [0] of an object
inline constexpr std::uint32_t type_attributes = 0xA1;       ///< [1] of an object
inline constexpr std::uint32_t gost_key = 0xA4;              ///< OpenSC's choice for GOST keys
inline constexpr std::uint32_t implicit_trust = 0x83;        ///< CommonCertificateAttributes [3]
inline constexpr std::uint32_t pin_reference = 0x80;         ///< PasswordAttributes [0]
}  // namespace tags

/// Bit numbers, 0 the most significant of the first byte.
namespace flags {
inline constexpr std::size_t object_private = 0;
inline constexpr std::size_t object_modifiable = 1;
inline constexpr std::size_t usage_encrypt = 0;
inline constexpr std::size_t usage_decrypt = 1;
inline constexpr std::size_t usage_sign = 2;
inline constexpr std::size_t usage_sign_recover = 3;
inline constexpr std::size_t usage_wrap = 4;
inline constexpr std::size_t usage_unwrap = 5;
inline constexpr std::size_t usage_verify = 6;
inline constexpr std::size_t usage_verify_recover = 7;
inline constexpr std::size_t usage_derive = 8;
inline constexpr std::size_t usage_non_repudiation = 9;
inline constexpr std::size_t access_sensitive = 0;
inline constexpr std::size_t access_extractable = 1;
inline constexpr std::size_t access_always_sensitive = 2;
inline constexpr std::size_t access_never_extractable = 3;
inline constexpr std::size_t access_local = 4;
inline constexpr std::size_t pin_case_sensitive = 0;
inline constexpr std::size_t pin_unblock_disabled = 3;
inline constexpr std::size_t pin_initialized = 4;
inline constexpr std::size_t pin_security_officer = 7;
}  // namespace flags

}  // namespace kilt::card::pkcs15
