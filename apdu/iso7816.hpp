// SPDX-License-Identifier: Apache-2.0
// The vocabulary of ISO/IEC 7816-4, -8, -9: instruction codes, tags, status words. Spelled as in
// the standards; nothing here belongs to one card. Bibliography: apdu/README.md.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace kilt::apdu {

/// Instruction bytes [7816-4 table 4, 7816-8 table 1, 7816-9 table 1].
namespace ins {
inline constexpr std::uint8_t verify = 0x20;
inline constexpr std::uint8_t manage_security_environment = 0x22;
inline constexpr std::uint8_t change_reference_data = 0x24;
inline constexpr std::uint8_t perform_security_operation = 0x2A;
inline constexpr std::uint8_t reset_retry_counter = 0x2C;
inline constexpr std::uint8_t generate_asymmetric_key_pair = 0x46;
inline constexpr std::uint8_t external_authenticate = 0x82;
inline constexpr std::uint8_t get_challenge = 0x84;
inline constexpr std::uint8_t internal_authenticate = 0x88;
inline constexpr std::uint8_t select = 0xA4;
inline constexpr std::uint8_t read_binary = 0xB0;
inline constexpr std::uint8_t get_response = 0xC0;
inline constexpr std::uint8_t get_data = 0xCA;
inline constexpr std::uint8_t get_data_odd = 0xCB;
inline constexpr std::uint8_t update_binary = 0xD6;
inline constexpr std::uint8_t put_data = 0xDA;
inline constexpr std::uint8_t create_file = 0xE0;
inline constexpr std::uint8_t delete_file = 0xE4;
}  // namespace ins

/// Class byte bits [7816-4 §5.4.1].
namespace cla {
inline constexpr std::uint8_t interindustry = 0x00;
inline constexpr std::uint8_t chaining = 0x10;  ///< more commands of this chain follow
inline constexpr std::uint8_t proprietary = 0x80;
}  // namespace cla

/// SELECT P1 [7816-4 §11.2.2, table 62].
enum class SelectMode : std::uint8_t {
  by_id = 0x00,
  child_df = 0x01,
  child_ef = 0x02,
  parent = 0x03,
  by_df_name = 0x04,
  path_from_mf = 0x08,
  path_from_current = 0x09,
};

/// SELECT P2, answer part [7816-4 table 63].
enum class SelectAnswer : std::uint8_t { fci = 0x00, fcp = 0x04, none = 0x0C };

/// Tags of file control information [7816-4 table 11] and of security templates [7816-4 §10.4].
namespace tag {
inline constexpr std::uint32_t fcp_template = 0x62;
inline constexpr std::uint32_t fci_template = 0x6F;
inline constexpr std::uint32_t file_size = 0x80;
inline constexpr std::uint32_t allocated_size = 0x81;
inline constexpr std::uint32_t file_descriptor = 0x82;
inline constexpr std::uint32_t file_identifier = 0x83;
inline constexpr std::uint32_t df_name = 0x84;
inline constexpr std::uint32_t proprietary = 0x85;
inline constexpr std::uint32_t security_attribute_proprietary = 0x86;
inline constexpr std::uint32_t life_cycle = 0x8A;
inline constexpr std::uint32_t key_reference_private = 0x84;
inline constexpr std::uint32_t application_template = 0x61;
inline constexpr std::uint32_t application_identifier = 0x4F;
}  // namespace tag

/// MSE P2: which template is set [7816-4 table 79].
enum class ControlTemplate : std::uint8_t {
  digital_signature = 0xB6,
  confidentiality = 0xB8,
  authentication = 0xA4
};

/// SW1-SW2 [7816-4 §5.6], kept as the card sent it.
struct StatusWord {
  std::uint16_t value = 0;

  constexpr bool operator==(const StatusWord&) const = default;
  [[nodiscard]] constexpr std::uint8_t sw1() const { return static_cast<std::uint8_t>(value >> 8); }
  [[nodiscard]] constexpr std::uint8_t sw2() const { return static_cast<std::uint8_t>(value); }
  [[nodiscard]] constexpr bool ok() const { return value == 0x9000; }
  /// 61xx: xx more bytes wait for GET RESPONSE (0 = 256).
  [[nodiscard]] constexpr bool more_data() const { return sw1() == 0x61; }
  /// 6Cxx: repeat with Le = xx.
  [[nodiscard]] constexpr bool wrong_le() const { return sw1() == 0x6C; }
  /// 63Cx: x tries left [7816-4 table 6].
  [[nodiscard]] constexpr std::optional<int> tries_left() const {
    if ((value & 0xFFF0) != 0x63C0) return std::nullopt;
    return value & 0xF;
  }
};

namespace sw {
inline constexpr StatusWord ok{0x9000};
inline constexpr StatusWord end_of_file{0x6282};
inline constexpr StatusWord verification_failed{0x6300};
inline constexpr StatusWord execution_error{0x6400};
inline constexpr StatusWord memory_failure{0x6581};
inline constexpr StatusWord wrong_length{0x6700};
inline constexpr StatusWord last_of_chain_expected{0x6883};
inline constexpr StatusWord chaining_not_supported{0x6884};
inline constexpr StatusWord incompatible_file{0x6981};
inline constexpr StatusWord security_status_not_satisfied{0x6982};
inline constexpr StatusWord authentication_blocked{0x6983};
inline constexpr StatusWord reference_data_not_usable{0x6984};
inline constexpr StatusWord conditions_not_satisfied{0x6985};
inline constexpr StatusWord no_current_ef{0x6986};
inline constexpr StatusWord wrong_data{0x6A80};
inline constexpr StatusWord function_not_supported{0x6A81};
inline constexpr StatusWord file_not_found{0x6A82};
inline constexpr StatusWord not_enough_memory{0x6A84};
inline constexpr StatusWord wrong_p1_p2{0x6A86};
inline constexpr StatusWord reference_not_found{0x6A88};
inline constexpr StatusWord file_exists{0x6A89};
inline constexpr StatusWord offset_outside{0x6B00};
inline constexpr StatusWord ins_not_supported{0x6D00};
inline constexpr StatusWord cla_not_supported{0x6E00};
inline constexpr StatusWord no_diagnosis{0x6F00};
}  // namespace sw

/// What the standard says of a status word, in a few words; cards may mean something of their own.
[[nodiscard]] std::string meaning(StatusWord status);

}  // namespace kilt::apdu
