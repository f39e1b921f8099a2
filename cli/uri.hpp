// SPDX-License-Identifier: Apache-2.0
// PKCS#11 URIs [RFC 7512]: how a token or an object is named so that every program finds it again.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "apdu/result.hpp"
#include "drivers/model.hpp"

namespace kilt::cli {

/// The attributes that kilt understands; an absent one matches everything [RFC 7512 §2.5].
struct Pkcs11Uri {
  std::optional<std::string> token{}, manufacturer{}, serial{}, model{};
  std::optional<std::string> object{};
  std::optional<Bytes> id{};
  std::optional<std::string> type{};        ///< cert, data, private, public, secret-key
  std::optional<std::string> pin_source{};  ///< query attribute: a path, or file:PATH

  /// Attributes in the order of the RFC's examples; bytes that need it percent-encoded. The
  /// pin-source is left out: it belongs to one machine, not to the object.
  [[nodiscard]] std::string print() const;
  [[nodiscard]] bool names_object() const { return object || id || type; }
};

/// bad_argument for what is no PKCS#11 URI, and for a pin-value: a PIN does not belong on a command
/// line. Attributes of slots and libraries are accepted and not compared.
Result<Pkcs11Uri> parse_uri(std::string_view text);
[[nodiscard]] inline bool is_uri(std::string_view text) {
  return text.starts_with("pkcs11:");
}

/// The token's attributes as the PKCS#11 module shows them.
[[nodiscard]] Pkcs11Uri token_uri(const card::CardModel& model, const card::TokenInfo& token);
[[nodiscard]] bool matches_token(const Pkcs11Uri& uri, const card::CardModel& model,
                                 const card::TokenInfo& token);

}  // namespace kilt::cli
