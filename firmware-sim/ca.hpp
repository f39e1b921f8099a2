// SPDX-License-Identifier: Apache-2.0
// A test CA in a directory: issues RSA certificates of the shape that Kazakhstan's national CA gave
// to individuals and organisations, from PKCS#10 requests. Nobody trusts it, and nobody should: its
// key lies beside it in the clear.
#pragma once

#include <string>

#include "apdu/result.hpp"
#include "firmware-sim/ca_certificate.hpp"

namespace kilt::sim {

/// Makes `directory` with ca.key.pem (mode 0600) and ca.pem. exists when there is a CA in it.
Status ca_init(const std::string& directory, unsigned bits);

/// A certificate (PEM, one year) for the request (PEM or DER) in the file `request`. Its own
/// signature is checked first. not_found: no CA there; bad_data: no request, or a damaged one;
/// unsupported: its key is not RSA; verify_failed: signed by another key than the one it holds.
Result<std::string> ca_issue(const std::string& directory, const std::string& request,
                             Purpose purpose);

}  // namespace kilt::sim
