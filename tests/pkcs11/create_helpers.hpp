// SPDX-License-Identifier: Apache-2.0
// Certificates and their templates for tests.
#pragma once

#include "drivers/certificate.hpp"
#include "tests/pkcs11/module_fixture.hpp"

namespace kilt::test {

/// Made up, of the right shape for that key; nobody signed it. Filled up to `size` octets.
Bytes certificate_for(const card::PublicKey& key, const std::string& name, std::size_t size = 0);

inline Attributes certificate_template(const Bytes& der, const std::string& id,
                                       bool on_token = true) {
  return Attributes()
      .number(CKA_CLASS, CKO_CERTIFICATE)
      .number(CKA_CERTIFICATE_TYPE, CKC_X_509)
      .flag(CKA_TOKEN, on_token)
      .add(CKA_ID, id)
      .add(CKA_LABEL, "AUTH")
      .add(CKA_VALUE, der);
}

}  // namespace kilt::test
