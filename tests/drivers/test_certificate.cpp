// SPDX-License-Identifier: Apache-2.0
// Certificates made up for tests. X.509 by hand, because what is wanted is any size and any key.
#include "apdu/tlv.hpp"
#include "tests/drivers/kaztoken_fixture.hpp"

namespace kilt::test {
namespace {

using apdu::BerWriter;

BerWriter sequence(const BerWriter& inside) {
  BerWriter writer;
  writer.put(0x30, inside);
  return writer;
}

BerWriter name(const std::string& common_name) {
  BerWriter attribute;
  attribute.put(0x06, {0x55, 0x04, 0x03}).put(0x0C, as_bytes(common_name));
  BerWriter set;
  set.put(0x31, sequence(attribute));
  return sequence(set);
}

Bytes build(const card::PublicKey& key, const std::string& common_name, std::size_t filler) {
  BerWriter algorithm;  // sha256WithRSAEncryption
  algorithm.put(0x06, {0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 0x01, 0x01, 0x0B}).put(0x05, ByteView{});
  BerWriter validity;
  validity.put(0x17, as_bytes("260101000000Z")).put(0x17, as_bytes("300101000000Z"));
  BerWriter tbs;
  tbs.put(0x02, {0x01});
  tbs.raw(sequence(algorithm).bytes()).raw(name("Test CA").bytes());
  tbs.raw(sequence(validity).bytes()).raw(name(common_name).bytes());
  tbs.raw(card::subject_public_key_info(key));
  BerWriter certificate;
  certificate.raw(sequence(tbs).bytes()).raw(sequence(algorithm).bytes());
  Bytes signature(1 + 64 + filler, 0x5A);
  signature[0] = 0;
  certificate.put(0x03, signature);
  return sequence(certificate).bytes();
}

}  // namespace

Bytes certificate_for(const card::PublicKey& key, const std::string& common_name,
                      std::size_t size) {
  Bytes made = build(key, common_name, 0);
  if (size <= made.size()) return made;
  std::size_t filler = size - made.size();
  for (made = build(key, common_name, filler); made.size() > size;
       made = build(key, common_name, filler))
    --filler;
  return made;
}

}  // namespace kilt::test
