// SPDX-License-Identifier: Apache-2.0
// Files that commands read and write: documents, certificates in PEM or DER, signatures.
#pragma once

#include <string>

#include "apdu/result.hpp"
#include "drivers/rsa_padding.hpp"

namespace kilt::cli {

/// The whole file ("-": standard input), at most `limit` bytes. bad_data with the system's reason.
Result<Bytes> read_file(const std::string& path, std::size_t limit);
/// The whole content or nothing: written beside and renamed. "-" is standard output.
Status write_file(const std::string& path, ByteView content);
/// The digest of a file of any size ("-": standard input).
Result<Bytes> digest_file(const std::string& path, card::Digest digest);
Result<Bytes> digest_of(ByteView content, card::Digest digest);

/// PEM [RFC 7468] with lines of 64 characters.
[[nodiscard]] std::string to_pem(const std::string& label, ByteView der);
/// DER as it stands, or out of the first PEM block of that label. bad_data when neither is there.
Result<Bytes> from_pem_or_der(ByteView content, const std::string& label);

}  // namespace kilt::cli
