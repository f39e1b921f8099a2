// SPDX-License-Identifier: Apache-2.0
// Command and response APDUs as values [7816-4 §5.3], all seven encodings, and named builders.
#pragma once

#include <cstdint>
#include <optional>

#include "apdu/bytes.hpp"
#include "apdu/iso7816.hpp"
#include "apdu/result.hpp"

namespace kilt::apdu {

/// The seven encodings of [7816-4 §5.3 and 7816-3 §12.1.3]: 1, 2S, 3S, 4S, 2E, 3E, 4E.
enum class Case { c1, c2_short, c3_short, c4_short, c2_extended, c3_extended, c4_extended };

/// A command before it is cut for the wire. The body is either plain or secret; a secret body
/// stays in SecretBytes up to the transport and is masked in every trace.
class CommandApdu {
 public:
  static constexpr std::size_t le_max_short = 256;
  static constexpr std::size_t le_max_extended = 65536;

  CommandApdu(std::uint8_t cla, std::uint8_t ins, std::uint8_t p1, std::uint8_t p2)
      : cla_(cla), ins_(ins), p1_(p1), p2_(p2) {}

  CommandApdu& data(Bytes body);
  CommandApdu& secret(SecretBytes body);
  /// Ne: how many bytes are wanted, 1..65536. 256 is written as Le 00, 65536 as 0000.
  CommandApdu& expect(std::size_t ne);
  /// The answer is a secret (a deciphered text): masked in every trace.
  CommandApdu& hide_answer() {
    answer_is_secret_ = true;
    return *this;
  }
  CommandApdu& set_cla(std::uint8_t cla) {
    cla_ = cla;
    return *this;
  }
  CommandApdu clone() const;

  [[nodiscard]] std::uint8_t cla() const { return cla_; }
  [[nodiscard]] std::uint8_t ins() const { return ins_; }
  [[nodiscard]] std::uint8_t p1() const { return p1_; }
  [[nodiscard]] std::uint8_t p2() const { return p2_; }
  [[nodiscard]] ByteView body() const { return is_secret_ ? secret_.view() : ByteView(data_); }
  [[nodiscard]] bool is_secret() const { return is_secret_; }
  [[nodiscard]] bool answer_is_secret() const { return answer_is_secret_; }
  [[nodiscard]] std::optional<std::size_t> ne() const { return ne_; }

  /// Short whenever body and Ne allow it.
  [[nodiscard]] Case encoding_case() const;
  [[nodiscard]] bool needs_extended() const;
  [[nodiscard]] std::size_t encoded_size() const;
  /// Writes exactly encoded_size() bytes to the front of `out`.
  void encode_into(std::span<std::uint8_t> out) const;
  /// For commands without a secret body (asserted).
  [[nodiscard]] Bytes encode() const;
  /// Parses a command from the wire: all seven cases, nothing else. Errors: wrong_length as
  /// ErrorKind::protocol. A parsed body is never marked secret.
  static Result<CommandApdu> parse(ByteView wire);

 private:
  std::uint8_t cla_, ins_, p1_, p2_;
  bool is_secret_ = false;
  bool answer_is_secret_ = false;
  Bytes data_;
  SecretBytes secret_;
  std::optional<std::size_t> ne_;
};

struct ResponseApdu {
  Bytes data;
  StatusWord status;

  [[nodiscard]] bool ok() const { return status.ok(); }
  [[nodiscard]] Bytes encode() const;
  /// At least two bytes, at most 65538.
  static Result<ResponseApdu> parse(ByteView wire);
};

// Builders. Each names its clause; what a card does differently is said in its driver.

/// [7816-4 §11.2.2] SELECT. `answer` none = case 3, otherwise Le 00.
CommandApdu select(SelectMode mode, ByteView what, SelectAnswer answer);
/// [7816-4 §11.3.3] READ BINARY at `offset` (0..7FFF), `count` 1..65536 bytes.
CommandApdu read_binary(std::size_t offset, std::size_t count);
/// [7816-4 §11.3.5] UPDATE BINARY at `offset` (0..7FFF).
CommandApdu update_binary(std::size_t offset, ByteView data);
/// [7816-4 §11.6.6] VERIFY with the PIN bytes as they go over the wire.
CommandApdu verify(std::uint8_t reference, SecretBytes pin);
/// [7816-4 §11.6.6] VERIFY without data: asks for the state, spends no try.
CommandApdu verify_status(std::uint8_t reference);
/// [7816-4 §11.6.7] CHANGE REFERENCE DATA; `p1` 00 old and new, 01 new only.
CommandApdu change_reference_data(std::uint8_t p1, std::uint8_t reference, SecretBytes data);
/// [7816-4 §11.6.11] MANAGE SECURITY ENVIRONMENT, SET for computation (P1 41).
CommandApdu mse_set(ControlTemplate which, ByteView crdos);
/// [7816-8 §11.4] PSO: COMPUTE DIGITAL SIGNATURE (9E 9A), answer up to `ne` bytes.
CommandApdu pso_compute_digital_signature(ByteView input, std::size_t ne);
/// [7816-8 §11.12] PSO: DECIPHER (80 86), body exactly as given.
CommandApdu pso_decipher(ByteView body, std::size_t ne);
/// [7816-4 §11.6.3] GET CHALLENGE.
CommandApdu get_challenge(std::size_t count);
/// [7816-4 §11.5.3] GET DATA.
CommandApdu get_data(std::uint16_t tag, std::size_t ne);
/// [7816-9 §9.2] CREATE FILE with a whole FCP template.
CommandApdu create_file(ByteView fcp);
/// [7816-9 §9.4] DELETE FILE by identifier.
CommandApdu delete_file(std::uint16_t id);

}  // namespace kilt::apdu
