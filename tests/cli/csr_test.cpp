// SPDX-License-Identifier: Apache-2.0
// Requests are read and verified by OpenSSL; what is wrong in a request is named before a card is
// asked to sign it.
#include "cli/csr.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "drivers/certificate.hpp"
#include "tests/openssl.hpp"

namespace kilt::cli {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

const test::OpensslRsa& key() {
  static const test::OpensslRsa made(2048);
  return made;
}

const CsrSubject person{
    .name = "CN=ТЕСТОВ ТЕСТ,SURNAME=ТЕСТОВ,SERIALNUMBER=IIN123456789011,C=KZ,GIVENNAME=ТЕСТОВИЧ",
    .email = "test@example.kz"};

/// The request as a file, signed by OpenSSL with the key that stands in for the card's.
std::string signed_request(const CsrSubject& subject) {
  const auto info = certification_request_info(subject, key().public_key());
  if (!info) throw std::runtime_error(info.error().message());
  const auto& directory = key().directory();
  test::must_run("openssl dgst -sha256 -sign " + key().key() + " -out " +
                 directory.file("signature") + " " + directory.write("info", *info));
  return directory.write("request", rsa_certification_request(*info, directory.read("signature")));
}

std::string openssl_reads(const std::string& file, const std::string& options) {
  return test::must_run("openssl req -inform DER -in " + file + " " + options);
}

TEST(Csr, OpensslVerifiesAndReadsIt) {
  const auto file = signed_request(person);
  EXPECT_THAT(openssl_reads(file, "-noout -verify"), HasSubstr("verify OK"));
  EXPECT_THAT(openssl_reads(file, "-noout -subject -nameopt utf8,sep_comma_plus,sname"),
              HasSubstr("CN=ТЕСТОВ ТЕСТ,SN=ТЕСТОВ,serialNumber=IIN123456789011,C=KZ,GN=ТЕСТОВИЧ"));
  EXPECT_EQ(openssl_reads(file, "-noout -pubkey"),
            test::must_run("cat " + key().public_key_file()));
  const auto text = openssl_reads(file, "-noout -text");
  EXPECT_THAT(text, HasSubstr("sha256WithRSAEncryption"));
  EXPECT_THAT(text, HasSubstr("email:test@example.kz"));
  EXPECT_THAT(text, Not(HasSubstr("critical")));
  EXPECT_THAT(text, Not(HasSubstr("1.2.398.3.3.5")));
}

TEST(Csr, StringsAreOfTheTypesThatTheCaIssues) {
  // [facts kz-pki §6]: serialNumber and C printable, the rest UTF-8.
  const auto parsed = test::must_run("openssl asn1parse -inform DER -in " + signed_request(person));
  EXPECT_THAT(parsed, HasSubstr("PRINTABLESTRING   :IIN123456789011"));
  EXPECT_THAT(parsed, HasSubstr("PRINTABLESTRING   :KZ"));
  EXPECT_THAT(parsed, HasSubstr("UTF8STRING"));
}

TEST(Csr, KeyStoreInfoIsAnExtensionWithOneIdentifier) {
  auto subject = person;
  subject.key_store = "1.2.398.3.3.5.1.1";
  subject.dns_names = {"signing.example.kz"};
  const auto file = signed_request(subject);
  EXPECT_THAT(openssl_reads(file, "-noout -verify"), HasSubstr("verify OK"));
  const auto text = openssl_reads(file, "-noout -text");
  EXPECT_THAT(text, HasSubstr("1.2.398.3.3.5"));
  EXPECT_THAT(text, HasSubstr("DNS:signing.example.kz"));
  // The octets that the CA's own certificates carry [facts kz-pki §2.2].
  EXPECT_THAT(to_hex(key().directory().read("info")),
              HasSubstr("06062A830E030305040C300A06082A830E0303050101"));
}

TEST(Csr, NothingAskedForIsAnEmptySetOfAttributes) {
  const auto info = certification_request_info({.name = "CN=a,C=KZ"}, key().public_key());
  ASSERT_TRUE(info);
  EXPECT_EQ(to_hex(ByteView(*info).last(2)), "A000");
  EXPECT_THAT(openssl_reads(signed_request({.name = "CN=a,C=KZ"}), "-noout -verify"),
              HasSubstr("verify OK"));
}

TEST(Csr, ACertificateIssuedFromItFitsTheKey) {
  const auto file = signed_request(person);
  test::must_run("openssl req -x509 -inform DER -in " + file + " -key " + key().key() +
                 " -copy_extensions copyall -outform DER -out " + key().directory().file("cert"));
  const auto certificate = card::Certificate::parse(key().directory().read("cert"));
  ASSERT_TRUE(certificate) << certificate.error().message();
  EXPECT_EQ(*certificate->key, key().public_key());
  EXPECT_EQ(certificate->subject_text, person.name);
}

TEST(Csr, MistakesAreNamed) {
  const auto complaint = [](const CsrSubject& subject) {
    const auto info = certification_request_info(subject, key().public_key());
    if (info) return std::string("accepted");
    EXPECT_EQ(info.error().kind, ErrorKind::bad_argument);
    return info.error().message();
  };
  EXPECT_THAT(complaint({.name = ""}), HasSubstr("empty"));
  EXPECT_THAT(complaint({.name = "ТЕСТОВ"}), HasSubstr("TYPE=value"));
  EXPECT_THAT(complaint({.name = "CN=a,C=Kazakhstan"}), HasSubstr("two capital letters"));
  for (const char* email : {"a", "@", "a@", "@b", "a@b@c", "a b@c", "ж@example.kz", "a@b\n"}) {
    EXPECT_THAT(complaint({.name = "CN=a", .email = email}), HasSubstr("no e-mail address"));
  }
  for (const char* name : {"", ".", "a..b", ".a", "a.", "a b", "ж.kz"}) {
    EXPECT_THAT(complaint({.name = "CN=a", .dns_names = {name}}), HasSubstr("no DNS name")) << name;
  }
  EXPECT_THAT(complaint({.name = "CN=a", .key_store = "token"}), HasSubstr("key store"));
  card::PublicKey gost;
  gost.type = card::KeyType::gost_512;
  EXPECT_EQ(certification_request_info(person, gost).error().kind, ErrorKind::unsupported);
}

TEST(Csr, WarningsAreNoErrors) {
  // The SDK's test persons have a wrong check digit [facts kz-pki §8.3].
  EXPECT_THAT(subject_warnings(person.name),
              ElementsAre("IIN123456789011: the check digit is wrong"));
  EXPECT_THAT(subject_warnings("CN=a,SERIALNUMBER=IIN000000000000,C=KZ"), IsEmpty());
  // 1·1 + 11·1 = 12 = 1 modulo 11; and a sum of 10 that goes to the second weights: 10·1 -> 1·1.
  EXPECT_THAT(subject_warnings("CN=a,SERIALNUMBER=IIN100000000011,C=KZ"), IsEmpty());
  EXPECT_THAT(subject_warnings("CN=a,SERIALNUMBER=IIN000000000101,C=KZ"), IsEmpty());
  EXPECT_THAT(subject_warnings("O=a"), ElementsAre("the name has no CN", "the name has no C"));
}

}  // namespace
}  // namespace kilt::cli
