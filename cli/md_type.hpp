// SPDX-License-Identifier: Apache-2.0
// A digest by the name that mbedTLS has for it.
#pragma once

#include <mbedtls/md.h>

#include "drivers/rsa_padding.hpp"

namespace kilt::cli {

[[nodiscard]] inline mbedtls_md_type_t md_type(card::Digest digest) {
  switch (digest) {
    case card::Digest::sha1:
      return MBEDTLS_MD_SHA1;
    case card::Digest::sha224:
      return MBEDTLS_MD_SHA224;
    case card::Digest::sha256:
      return MBEDTLS_MD_SHA256;
    case card::Digest::sha384:
      return MBEDTLS_MD_SHA384;
    case card::Digest::sha512:
      return MBEDTLS_MD_SHA512;
  }
  return MBEDTLS_MD_NONE;
}

}  // namespace kilt::cli
