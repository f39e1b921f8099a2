// SPDX-License-Identifier: Apache-2.0
// Certificates of the national CA are read as OpenSSL reads them; what is no certificate is refused
// whole, wherever it breaks.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

#include "apdu/tlv.hpp"
#include "drivers/certificate.hpp"
#include "drivers/der_values.hpp"
#include "drivers/x500_name.hpp"
#include "tests/openssl.hpp"

namespace kilt::card {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

const std::filesystem::path folder = KILT_SOURCE_DIR "/tests/vectors/certs";

Bytes der_of(const std::string& name) {
  static const test::TemporaryDirectory directory;
  // -noout would hide it; asn1parse decodes any PEM, certificate or not.
  test::must_run("openssl asn1parse -noout -in " + (folder / name).string() + " -out " +
                 directory.file("der"));
  return directory.read("der");
}

std::vector<std::string> certificate_names() {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    const std::string name = entry.path().filename();
    if (name.size() > 4 && name.substr(name.size() - 4) == ".pem" &&
        name.find(".c") == std::string::npos) {
      names.push_back(name);
    }
  }
  std::sort(names.begin(), names.end());
  return names;
}

std::string openssl_says(const std::string& name, const std::string& what) {
  std::string line =
      test::must_run("openssl x509 -noout " + what + " -in " + (folder / name).string());
  while (!line.empty() && line.back() == '\n')
    line.pop_back();
  return line.substr(line.find('=') + 1);
}

/// OpenSSL's short names of attribute types, as kilt writes them.
std::string in_our_names(const std::string& text) {
  std::string out = "," + text;
  for (const auto& [theirs, ours] : {std::pair{",SN=", ",SURNAME="},
                                     {",GN=", ",GIVENNAME="},
                                     {",serialNumber=", ",SERIALNUMBER="},
                                     {",businessCategory=", ",BUSINESSCATEGORY="}}) {
    const auto at = out.find(theirs);
    if (at != std::string::npos) out.replace(at, std::string(theirs).size(), ours);
  }
  return out.substr(1);
}

class EveryCertificate : public ::testing::TestWithParam<std::string> {};

TEST_P(EveryCertificate, IsReadAsOpensslReadsIt) {
  const Bytes der = der_of(GetParam());
  const auto certificate = Certificate::parse(der);
  ASSERT_TRUE(certificate) << certificate.error().message();
  EXPECT_EQ(certificate->der, der);

  const std::string names = "-nameopt utf8,esc_2253,esc_ctrl,sep_comma_plus,sname ";
  EXPECT_EQ(certificate->subject_text, in_our_names(openssl_says(GetParam(), names + "-subject")));
  EXPECT_EQ(certificate->issuer_text, in_our_names(openssl_says(GetParam(), names + "-issuer")));
  EXPECT_EQ(certificate->not_before.substr(0, 10),
            openssl_says(GetParam(), "-startdate -dateopt iso_8601").substr(0, 10));
  EXPECT_EQ(certificate->not_after.substr(11),
            openssl_says(GetParam(), "-enddate -dateopt iso_8601").substr(11));

  apdu::BerReader serial(certificate->serial);
  const auto number = serial.expect(der::integer);
  ASSERT_TRUE(number);
  const Bytes digits = *der::unsigned_from_integer(number->value);
  EXPECT_EQ(to_hex(digits), openssl_says(GetParam(), "-serial"));
  std::string unescaped = certificate->subject_text;
  std::erase(unescaped, '\\');
  EXPECT_THAT(unescaped, HasSubstr("CN=" + certificate->common_name));
}

TEST_P(EveryCertificate, HasAKeyThatIsWrittenBackTheSame) {
  const auto certificate = Certificate::parse(der_of(GetParam()));
  ASSERT_TRUE(certificate && certificate->key);
  const PublicKey& key = *certificate->key;
  EXPECT_EQ(subject_public_key_info(key), certificate->spki);
  EXPECT_EQ(*parse_subject_public_key_info(certificate->spki), key);
  if (GetParam().find("rsa") != std::string::npos) {
    EXPECT_EQ(key.type, KeyType::rsa);
    EXPECT_EQ(to_hex(key.modulus), openssl_says(GetParam(), "-modulus"));
    EXPECT_EQ(*parse_rsa_public_key(rsa_public_key(key)), key);
  } else {
    const bool long_key = GetParam().find("gost512") != std::string::npos;
    EXPECT_EQ(key.type, long_key ? KeyType::gost_512 : KeyType::gost_256);
    EXPECT_EQ(key.point.size(), long_key ? 128U : 64U);
    // The point closes the certificate's key info as it stands [facts kz-pki §5].
    EXPECT_EQ(to_hex(ByteView(certificate->spki).last(key.point.size())), to_hex(key.point));
  }
}

TEST_P(EveryCertificate, IsRefusedWhenCutOffAnywhereOrFollowedByAnything) {
  Bytes der = der_of(GetParam());
  for (std::size_t size = 0; size < der.size(); ++size) {
    const auto result = Certificate::parse(ByteView(der).first(size));
    ASSERT_FALSE(result) << size;
    ASSERT_EQ(result.error().kind, ErrorKind::bad_data);
  }
  der.push_back(0x00);
  EXPECT_EQ(Certificate::parse(der).error().kind, ErrorKind::bad_data);
}

TEST_P(EveryCertificate, SurvivesDamage) {
  const Bytes der = der_of(GetParam());
  std::mt19937 random(7);
  for (int round = 0; round < 500; ++round) {
    Bytes damaged = der;
    for (auto flips = 1 + random() % 3; flips > 0; --flips) {
      damaged[random() % damaged.size()] = static_cast<std::uint8_t>(random());
    }
    const auto result = Certificate::parse(damaged);
    if (!result) {
      ASSERT_EQ(result.error().kind, ErrorKind::bad_data);
      ASSERT_FALSE(result.error().message().empty());
    } else {
      ASSERT_EQ(result->der, damaged);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Nca, EveryCertificate, ::testing::ValuesIn(certificate_names()),
                         [](const auto& instance) {
                           return instance.param.substr(0, instance.param.size() - 4);
                         });

TEST(Certificate, FieldsOfAnAuthenticationCertificate) {
  const auto certificate = Certificate::parse(der_of("user_rsa_auth_individual_2022_testCA.pem"));
  ASSERT_TRUE(certificate);
  EXPECT_EQ(certificate->subject_text,
            "CN=ТЕСТОВ ТЕСТ,SURNAME=ТЕСТОВ,SERIALNUMBER=IIN123456789011,C=KZ,GIVENNAME=ТЕСТОВИЧ");
  EXPECT_EQ(certificate->issuer_text, "C=KZ,CN=ҰКО 3.0 (RSA TEST)");
  EXPECT_EQ(certificate->common_name, "ТЕСТОВ ТЕСТ");
  EXPECT_EQ(to_hex(certificate->serial), "0214247C3FDA89FA641EA226987393CDAF3F5BAF24B3");
  EXPECT_EQ(certificate->not_before, "2022-01-18T04:38:49Z");
  EXPECT_EQ(certificate->not_after, "2023-01-18T04:38:49Z");
  EXPECT_FALSE(certificate->authority);
  EXPECT_THAT(certificate->key_usage, ElementsAre("digitalSignature", "keyEncipherment"));
  EXPECT_THAT(certificate->extended_key_usage,
              ElementsAre("1.3.6.1.5.5.7.3.2", "1.2.398.3.3.4.1.1"));
  EXPECT_THAT(certificate->policies, ElementsAre("1.2.398.3.3.2.4"));
  EXPECT_EQ(certificate->key->exponent, (Bytes{0x01, 0x00, 0x01}));
}

TEST(Certificate, FieldsOfAGost512Certificate) {
  const auto certificate = Certificate::parse(der_of("user_gost512_org_treasury_2026_testCA.pem"));
  ASSERT_TRUE(certificate);
  EXPECT_THAT(certificate->subject_text, HasSubstr("DC=ROLE02,CN=ТЕСТТОВ ТЕСТТ,"));
  EXPECT_THAT(certificate->subject_text, HasSubstr("O=АО \\\"ТЕСТ\\\",OU=BIN123456789021"));
  EXPECT_THAT(certificate->key_usage,
              ElementsAre("digitalSignature", "nonRepudiation", "keyAgreement"));
  EXPECT_THAT(certificate->policies, ElementsAre("1.2.398.3.3.2"));
  EXPECT_EQ(to_hex(certificate->key->parameters), "060A2A830E030A0101020201");
  // The fixed front of every 512-bit key [facts kz-pki §5].
  EXPECT_THAT(to_hex(certificate->spki),
              ::testing::StartsWith("3081AC302306092A830E030A010102023016060A2A830E030A010102020106"
                                    "082A830E030A01030303818400048180"));
}

TEST(Certificate, AuthoritiesAreKnown) {
  for (const char* name : {"prod_root_gost2004_2015.pem", "prod_nca_rsa_2018.pem",
                           "test_nca_gost512_2022.pem", "test_root_gost512_2022.pem"}) {
    const auto certificate = Certificate::parse(der_of(name));
    ASSERT_TRUE(certificate);
    EXPECT_TRUE(certificate->authority) << name;
    EXPECT_THAT(certificate->key_usage, ElementsAre("keyCertSign", "cRLSign")) << name;
  }
  EXPECT_FALSE(Certificate::parse(der_of("prod_tsa_gost512_2025.pem"))->authority);
}

TEST(Certificate, OtherDerIsRefused) {
  for (const char* name :
       {"test_crl_gost512_2022.crl.pem", "cms_gost512_individual_attached_with_tst.cms.pem"}) {
    EXPECT_EQ(Certificate::parse(der_of(name)).error().kind, ErrorKind::bad_data) << name;
  }
  EXPECT_FALSE(Certificate::parse(test::read_file(folder / "prod_nca_rsa_2018.pem")));
  for (const char* hex : {"", "00", "30", "3000", "3080", "308000000000", "0500", "30023000",
                          "3084FFFFFFFF", "30820000"}) {
    EXPECT_FALSE(Certificate::parse(*from_hex(hex))) << hex;
  }
}

/// A certificate made by OpenSSL with whatever `config` asks for.
Result<Certificate> made_by_openssl(const std::string& options) {
  const test::TemporaryDirectory directory;
  test::must_run("openssl req -x509 -nodes -utf8 -outform DER -keyout " + directory.file("key") +
                 " -out " + directory.file("der") + " " + options);
  return Certificate::parse(directory.read("der"));
}

TEST(Certificate, UnknownKeysAreNoReasonToRefuse) {
  const auto certificate = made_by_openssl(
      "-newkey ec -pkeyopt ec_paramgen_curve:P-256 -subj /CN=curve -days 20000 -sha256");
  ASSERT_TRUE(certificate) << certificate.error().message();
  EXPECT_FALSE(certificate->key);
  EXPECT_FALSE(certificate->spki.empty());
  EXPECT_GT(certificate->not_after, "2050");  // written as GeneralizedTime
  EXPECT_EQ(parse_subject_public_key_info(certificate->spki).error().kind, ErrorKind::unsupported);
}

TEST(Certificate, NamesOfManyKinds) {
  const auto multiple =
      made_by_openssl("-newkey rsa:1024 -multivalue-rdn -subj '/C=KZ+L=Astana/CN=a\\,b  #1 '");
  ASSERT_TRUE(multiple) << multiple.error().message();
  EXPECT_EQ(multiple->subject_text, "C=KZ+L=Astana,CN=a\\,b  #1\\ ");
  const auto none = made_by_openssl("-newkey rsa:1024 -subj /");
  ASSERT_TRUE(none);
  EXPECT_EQ(none->subject_text, "");
  EXPECT_EQ(none->common_name, "");
}

/// Name of one CN with this string type and these octets.
Bytes name_of(std::uint32_t string_type, std::string_view octets) {
  apdu::BerWriter attribute;
  attribute.put(der::object_identifier, {0x55, 0x04, 0x03}).put(string_type, as_bytes(octets));
  apdu::BerWriter set;
  set.put(der::sequence, attribute);
  apdu::BerWriter rdns;
  rdns.put(der::set, set);
  return apdu::BerWriter().put(der::sequence, rdns).bytes();
}

TEST(Name, StringTypesBecomeUtf8AndNothingElseGetsThrough) {
  const auto text = [](std::uint32_t type, std::string_view octets) {
    return *name_to_text(name_of(type, octets));
  };
  EXPECT_EQ(text(0x1E, std::string_view("\x04\x90\0A", 4)), "CN=ҐA");
  EXPECT_EQ(text(0x14, "\xE9"), "CN=é");
  EXPECT_EQ(text(0x1C, std::string_view("\0\1\xF6\0", 4)), "CN=😀");
  EXPECT_EQ(text(0x0C, "a\nb\x1B[31m"), "CN=a\\0Ab\\1B[31m");
  EXPECT_EQ(text(0x0C, "\xC0\xAF\xFF"), "CN=\\C0\\AF\\FF");
  EXPECT_EQ(text(0x0C, "#a"), "CN=\\#a");
  EXPECT_EQ(text(0x0C, " "), "CN=\\ ");
  EXPECT_EQ(text(0x02, "\x05"), "CN=#020105");
  EXPECT_EQ(name_attributes(name_of(0x0C, "a\nb\xFF"))->front().value, "a\uFFFDb\uFFFD");
  EXPECT_FALSE(name_to_text(*from_hex("3000 00")));
  EXPECT_FALSE(name_to_text(*from_hex("30023100")));
}

TEST(Name, TextOfEveryCertificateMakesItsNameAgain) {
  for (const auto& name : certificate_names()) {
    const auto certificate = Certificate::parse(der_of(name));
    ASSERT_TRUE(certificate);
    const auto made = name_from_text(certificate->subject_text);
    ASSERT_TRUE(made) << made.error().message();
    EXPECT_EQ(*name_to_text(*made), certificate->subject_text);
    if (name.rfind("user_gost512", 0) == 0) {
      EXPECT_EQ(to_hex(*made), to_hex(certificate->subject)) << name;
    }
  }
}

TEST(Name, MistakesAreNamed) {
  const auto complaint = [](std::string_view text) {
    const auto result = name_from_text(text);
    if (result) return std::string("accepted: ") + *name_to_text(*result);
    EXPECT_EQ(result.error().kind, ErrorKind::bad_argument);
    return result.error().message();
  };
  EXPECT_THAT(complaint(""), HasSubstr("empty"));
  EXPECT_THAT(complaint("  "), HasSubstr("empty"));
  EXPECT_THAT(complaint("CN"), HasSubstr("TYPE=value"));
  EXPECT_THAT(complaint("CN=a,"), HasSubstr("TYPE=value"));
  EXPECT_THAT(complaint("CN=a,,C=KZ"), HasSubstr("TYPE=value"));
  EXPECT_THAT(complaint(",CN=a"), HasSubstr("TYPE=value"));
  EXPECT_THAT(complaint("CN=Smith, John,C=KZ"), HasSubstr("at \"John\""));
  EXPECT_THAT(complaint("NAME=a"), HasSubstr("no such attribute type"));
  EXPECT_THAT(complaint("CN="), HasSubstr("empty"));
  EXPECT_THAT(complaint("CN= ,C=KZ"), HasSubstr("empty"));
  EXPECT_THAT(complaint("C=kz"), HasSubstr("two capital letters"));
  EXPECT_THAT(complaint("C=KAZ"), HasSubstr("two capital letters"));
  EXPECT_THAT(complaint("SN=IIN123456789011"), HasSubstr("SERIALNUMBER"));
  EXPECT_THAT(complaint("SERIALNUMBER=IIN12345678901"), HasSubstr("twelve digits"));
  EXPECT_THAT(complaint("OU=BIN12345678901X"), HasSubstr("twelve digits"));
  EXPECT_THAT(complaint("SERIALNUMBER=ИИН123456789011"), HasSubstr("Latin letters"));
  EXPECT_THAT(complaint("O=АО \"ТЕСТ\""), HasSubstr("write \\\""));
  EXPECT_THAT(complaint("CN=a+O=b"), HasSubstr("write \\+"));
  EXPECT_THAT(complaint("CN=a\\"), HasSubstr("backslash"));
  EXPECT_THAT(complaint("CN=a\\G1"), HasSubstr("backslash"));
  EXPECT_THAT(complaint("CN=#0500"), HasSubstr("#"));
  EXPECT_THAT(complaint("CN=\xFF"), HasSubstr("UTF-8"));
  EXPECT_THAT(complaint("CN=a\\0Ab"), HasSubstr("control"));
  EXPECT_THAT(complaint("E=ж@example.kz"), HasSubstr("ASCII"));
}

TEST(Name, SpacesAndCaseOfTypesDoNotMatter) {
  const auto name = name_from_text(" cn = ТЕСТОВ  ТЕСТ , serialNumber=IIN123456789011 ,gn=А,C=KZ ");
  ASSERT_TRUE(name) << name.error().message();
  EXPECT_EQ(*name_to_text(*name), "CN=ТЕСТОВ  ТЕСТ,SERIALNUMBER=IIN123456789011,GIVENNAME=А,C=KZ");
  EXPECT_EQ(*name_to_text(*name_from_text("1.2.398.3.10=x\\,y\\20\\D0\\96")),
            "1.2.398.3.10=x\\,y Ж");
}

TEST(DerValues, ObjectIdentifiers) {
  for (const char* text :
       {"0.0", "1.39", "2.5.4.3", "2.999.1", "1.2.398.3.3.5", "2.5.18446744073709551615"}) {
    const auto content = der::oid_from_text(text);
    ASSERT_TRUE(content) << text;
    EXPECT_EQ(der::oid_to_text(*content), text);
  }
  EXPECT_EQ(to_hex(*der::oid_from_text("1.2.398.3.10.1.1.2.2")), "2A830E030A01010202");
  for (const char* text : {"", "1", "1.", ".1", "1..2", "3.1", "1.40", "01.2", "1.02", "1.2.x",
                           "1.2.", "1.2.18446744073709551616", "-1.2"}) {
    EXPECT_FALSE(der::oid_from_text(text)) << text;
  }
  for (const char* hex : {"", "80", "8001", "2A80", "2A8001", "2AFFFFFFFFFFFFFFFFFFFFFF7F"}) {
    EXPECT_FALSE(der::oid_to_text(*from_hex(hex))) << hex;
  }
}

TEST(DerValues, Times) {
  const auto text = [](std::uint32_t tag, std::string_view digits) {
    return der::time_to_text({tag, as_bytes(digits), {}});
  };
  EXPECT_EQ(text(der::utc_time, "490101000000Z"), "2049-01-01T00:00:00Z");
  EXPECT_EQ(text(der::utc_time, "500101000000Z"), "1950-01-01T00:00:00Z");
  EXPECT_EQ(text(der::generalized_time, "20240229235959Z"), "2024-02-29T23:59:59Z");
  for (const char* wrong : {"20230229000000Z", "20241301000000Z", "20240100000000Z",
                            "20240101240000Z", "20240101006000Z", "20240101000060Z",
                            "2024010100000Z", "20240101000000", "2024010100000AZ"}) {
    EXPECT_FALSE(text(der::generalized_time, wrong)) << wrong;
  }
  EXPECT_FALSE(text(der::utc_time, "20240229235959Z"));
  EXPECT_FALSE(text(der::utf8_string, "20240229235959Z"));
}

TEST(DerValues, Integers) {
  EXPECT_EQ(der::unsigned_from_integer(*from_hex("0080")), from_hex("80"));
  EXPECT_EQ(der::unsigned_from_integer(*from_hex("00")), Bytes{});
  for (const char* hex : {"", "80", "FF", "0001", "0000"}) {
    EXPECT_FALSE(der::unsigned_from_integer(*from_hex(hex))) << hex;
  }
  EXPECT_EQ(to_hex(der::integer_from_unsigned(*from_hex("000080"))), "0080");
  EXPECT_EQ(to_hex(der::integer_from_unsigned({})), "00");
}

TEST(DefaultKeyId, IsTheShaOneOfTheModulus) {
  const auto certificate = Certificate::parse(der_of("user_rsa_sign_individual_2022_testCA.pem"));
  ASSERT_TRUE(certificate);
  const test::TemporaryDirectory directory;
  const std::string digest =
      test::must_run("openssl dgst -sha1 -r " + directory.write("n", certificate->key->modulus));
  EXPECT_EQ(to_hex(default_key_id(*certificate->key)), to_hex(*from_hex(digest.substr(0, 40))));
}

}  // namespace
}  // namespace kilt::card
