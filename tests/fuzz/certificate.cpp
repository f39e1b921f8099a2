// SPDX-License-Identifier: Apache-2.0
// Certificates, names and public keys: what is read is within the input and is written back as one
// reads it; text for people holds no control character.
#include "drivers/certificate.hpp"

#include <algorithm>

#include "drivers/x500_name.hpp"
#include "tests/fuzz/fuzz.hpp"

namespace kilt::fuzz {
namespace {

void check_key(const card::PublicKey& key) {
  const Bytes info = card::subject_public_key_info(key);
  if (info.empty()) return;  // GOST parameters that kilt does not write
  const auto again = card::parse_subject_public_key_info(info);
  check(again.ok() && *again == key, "a key that is written is read back");
}

void check_text(const std::string& text) {
  check(std::none_of(text.begin(), text.end(),
                     [](char c) { return static_cast<std::uint8_t>(c) < 0x20 || c == 0x7F; }),
        "text for people holds no control character");
}

void check_certificate(const card::Certificate& certificate, ByteView input) {
  check(equal(certificate.der, input), "the certificate is the whole input");
  check(certificate.not_before.size() == 20 && certificate.not_after.size() == 20,
        "dates are whole");
  check(card::name_to_text(certificate.subject).ok(), "the subject is a name");
  check(card::name_to_text(certificate.issuer).ok(), "the issuer is a name");
  check_text(certificate.subject_text);
  check_text(certificate.issuer_text);
  check_text(certificate.common_name);
  if (certificate.key) check_key(*certificate.key);
}

/// A name made of text shows as text that makes the same name.
void check_name_text(ByteView input) {
  const auto name = card::name_from_text(as_text(input));
  if (!name.ok()) return;
  const auto text = card::name_to_text(*name);
  check(text.ok(), "a name that was made can be shown");
  const auto again = card::name_from_text(*text);
  check(again.ok() && *again == *name, "and makes the same name again");
}

}  // namespace

std::vector<Bytes> seeds() {
  std::vector<Bytes> made;
  for (const char* text : {"CN=ТЕСТОВ ТЕСТ,SURNAME=ТЕСТОВ,SERIALNUMBER=IIN123456789011,C=KZ",
                           "1.2.398.3.10=a\\,b\\20\\D0\\96 , O=\\#x\\ ,E=a@b.kz"}) {
    made.push_back(copy_of(as_bytes(text)));
  }
  return made;
}

}  // namespace kilt::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace kilt;
  const ByteView bytes(data, size);
  const auto certificate = card::Certificate::parse(bytes);
  if (certificate.ok()) {
    fuzz::check_certificate(*certificate, bytes);
  } else {
    fuzz::check(certificate.error().kind == ErrorKind::bad_data, "what is refused is bad data");
  }
  if (const auto key = card::parse_subject_public_key_info(bytes); key.ok()) fuzz::check_key(*key);
  if (const auto key = card::parse_rsa_public_key(bytes); key.ok()) fuzz::check_key(*key);
  if (const auto text = card::name_to_text(bytes); text.ok()) fuzz::check_text(*text);
  fuzz::check_name_text(bytes);
  return 0;
}
