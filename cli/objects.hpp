// SPDX-License-Identifier: Apache-2.0
// Objects on a token as people and programs name them: label, CKA_ID in hex, PKCS#11 URI.
#pragma once

#include <string>

#include "cli/report.hpp"
#include "cli/session.hpp"
#include "cli/uri.hpp"
#include "drivers/certificate.hpp"

namespace kilt::cli {

[[nodiscard]] std::string to_string(card::KeyType type);  ///< "rsa"
[[nodiscard]] std::vector<std::string> to_names(const card::KeyUsage& usage);
/// The reverse of to_names for one name; false if it is not known.
[[nodiscard]] bool add_usage(card::KeyUsage& usage, const std::string& name);

/// URI of one object of the token; `type` as RFC 7512 has it: private, public, cert, data.
[[nodiscard]] std::string object_uri(const Session& session, const std::string& type,
                                     const Bytes& id, const std::string& label);

[[nodiscard]] Json token_json(const Session& session);
[[nodiscard]] Json key_json(const Session& session, const card::KeyInfo& key);
/// "kept_in" only where the certificate is not on the card.
[[nodiscard]] Json certificate_json(const Session& session, const card::CertificateInfo& info);
/// What the certificate itself says, added to what the directory says.
void add_certificate_body(Json& json, const card::Certificate& certificate, std::time_t now);
[[nodiscard]] Json pin_json(const card::PinInfo& pin);

/// Labels in bytes of UTF-8: of a token as every PKCS#11 program can show it (CK_TOKEN_INFO), of an
/// object as its directory can hold it (pkcs15-ub-label [7816-15 §8.2.2]).
inline constexpr std::size_t longest_token_label = 32, longest_object_label = 255;
/// bad_argument for a label that is longer, that is no UTF-8 or that steers a terminal: it would be
/// cut or garbled later.
Status check_label(const std::string& label, std::size_t longest);

inline constexpr const char* blank_line = "The token is blank; `kilt init` makes it ready.\n";

/// "JaCarta GOST" for each application of the token's device that kilt cannot use, in one line;
/// empty if there is none.
[[nodiscard]] std::string unsupported_applications(const Session& session);

/// "key          SIGN  RSA 2048  id 4A5B" lines.
[[nodiscard]] std::string key_line(const card::KeyInfo& key);
[[nodiscard]] std::string certificate_line(const card::CertificateInfo& info);
[[nodiscard]] std::string pin_line(const card::PinInfo& pin);

/// By label, by CKA_ID in hex, or by PKCS#11 URI; with an empty selector the only one there is.
/// not_found; bad_argument when several fit (with their list).
Result<card::KeyInfo> find_key(const card::Directory& directory, const std::string& selector);
Result<card::CertificateInfo> find_certificate(const card::Directory& directory,
                                               const std::string& selector);

}  // namespace kilt::cli
