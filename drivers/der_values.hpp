// SPDX-License-Identifier: Apache-2.0
// Contents of the DER types that certificates and requests are made of [X.690 §8, §11].
// Every function takes or gives content octets, without tag and length, unless it says otherwise.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "apdu/bytes.hpp"
#include "apdu/tlv.hpp"

namespace kilt::card::der {

inline constexpr std::uint32_t boolean = 0x01;
inline constexpr std::uint32_t integer = 0x02;
inline constexpr std::uint32_t bit_string = 0x03;
inline constexpr std::uint32_t octet_string = 0x04;
inline constexpr std::uint32_t null = 0x05;
inline constexpr std::uint32_t object_identifier = 0x06;
inline constexpr std::uint32_t utf8_string = 0x0C;
inline constexpr std::uint32_t printable_string = 0x13;
inline constexpr std::uint32_t ia5_string = 0x16;
inline constexpr std::uint32_t utc_time = 0x17;
inline constexpr std::uint32_t generalized_time = 0x18;
inline constexpr std::uint32_t sequence = 0x30;
inline constexpr std::uint32_t set = 0x31;

/// "1.2.398.3.3.5"; empty for content that is no object identifier (arcs up to 2^64-1).
[[nodiscard]] std::optional<std::string> oid_to_text(ByteView content);
/// The reverse; empty for text that is no object identifier.
[[nodiscard]] std::optional<Bytes> oid_from_text(std::string_view dotted);

/// The number's octets without leading zeros; empty optional for a negative, empty or not minimally
/// encoded INTEGER. Zero is the empty string of octets.
[[nodiscard]] std::optional<Bytes> unsigned_from_integer(ByteView content);
/// Content of an INTEGER that is not negative, from octets with or without leading zeros.
[[nodiscard]] Bytes integer_from_unsigned(ByteView number);

/// Octets of a BIT STRING that must fill its last octet; empty optional otherwise.
[[nodiscard]] std::optional<ByteView> whole_octets(ByteView content);

/// "2026-11-22T04:11:00Z" from a UTCTime or GeneralizedTime as [RFC 5280 §4.1.2.5] allows them.
[[nodiscard]] std::optional<std::string> time_to_text(const apdu::Tlv& object);

/// Whether tag and length take the fewest octets that they can [X.690 §10.1].
[[nodiscard]] bool has_minimal_length(const apdu::Tlv& object);

}  // namespace kilt::card::der
