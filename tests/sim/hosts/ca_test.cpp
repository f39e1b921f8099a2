// SPDX-License-Identifier: Apache-2.0
// The test CA, judged by OpenSSL.
#include <gmock/gmock.h>

#include "tests/sim/hosts/running_sim.hpp"

namespace kilt::sim::test {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

class Ca : public ::testing::Test {
 protected:
  void SetUp() override { ASSERT_EQ(sim({"ca", "init", ca_}).status, 0); }
  static Finished sim(std::vector<std::string> words) {
    words.insert(words.begin(), kilt_sim());
    return run(words);
  }
  static Finished openssl(std::vector<std::string> words) {
    words.insert(words.begin(), "openssl");
    return run(words);
  }
  std::string request(const std::string& subject, std::vector<std::string> more = {}) {
    std::vector<std::string> words{
        "req",     "-new",           "-newkey", "rsa:2048",           "-nodes",
        "-keyout", scratch_ / "key", "-out",    scratch_ / "request", "-utf8",
        "-subj",   subject};
    words.insert(words.end(), more.begin(), more.end());
    EXPECT_EQ(openssl(words).status, 0);
    return scratch_ / "request";
  }
  std::string issued(const std::string& from, const std::string& purpose) {
    const auto done =
        sim({"ca", "issue", ca_, from, "-o", scratch_ / "cert", "--purpose", purpose});
    EXPECT_EQ(done.status, 0) << done.err;
    return openssl({"x509", "-in", scratch_ / "cert", "-noout", "-text", "-nameopt", "utf8"}).out;
  }
  void expect_valid() {
    const auto done =
        openssl({"verify", "-x509_strict", "-CAfile", ca_ + "/ca.pem", scratch_ / "cert"});
    EXPECT_EQ(done.status, 0) << done.err;
  }

  Scratch scratch_;
  std::string ca_ = scratch_ / "ca";
};

TEST_F(Ca, IssuesTheSignProfile) {
  const auto from =
      request("/CN=ТЕСТОВ ТЕСТ/SN=ТЕСТОВ/serialNumber=IIN123456789011/C=KZ/GN=ТЕСТОВИЧ",
              {"-addext", "subjectAltName=email:a@b.kz,IP:192.0.2.1"});
  EXPECT_THAT(issued(from, "sign"),
              AllOf(HasSubstr("CN=ТЕСТОВ ТЕСТ"), HasSubstr("Digital Signature, Non Repudiation\n"),
                    HasSubstr("E-mail Protection, 1.2.398.3.3.4.1.1\n"),
                    HasSubstr("Policy: 1.2.398.3.3.2.3\n"), HasSubstr("email:a@b.kz\n"),
                    Not(HasSubstr("192.0.2.1"))));
  expect_valid();
}

TEST_F(Ca, IssuesTheAuthProfile) {
  EXPECT_THAT(issued(request("/CN=A B/serialNumber=IIN123456789011/C=KZ"), "auth"),
              AllOf(HasSubstr("Digital Signature, Key Encipherment\n"),
                    HasSubstr("TLS Web Client Authentication, 1.2.398.3.3.4.1.1\n"),
                    HasSubstr("Policy: 1.2.398.3.3.2.4\n"), Not(HasSubstr("Alternative"))));
  expect_valid();
}

TEST_F(Ca, KnowsAnOrganisationByItsBin) {
  EXPECT_THAT(issued(request("/CN=A B/C=KZ/O=X/OU=BIN123456789021"), "sign"),
              AllOf(HasSubstr("1.2.398.3.3.4.1.2\n"), HasSubstr("Policy: 1.2.398.3.3.2.1\n")));
  expect_valid();
}

TEST_F(Ca, TakesDer) {
  const auto from = request("/CN=A");
  ASSERT_EQ(openssl({"req", "-in", from, "-outform", "der", "-out", scratch_ / "der"}).status, 0);
  issued(scratch_ / "der", "sign");
  expect_valid();
}

TEST_F(Ca, RefusesWhatItCannotVouchFor) {
  const auto from = request("/CN=A");
  ASSERT_EQ(openssl({"req", "-in", from, "-outform", "der", "-out", scratch_ / "der"}).status, 0);
  const auto issue = [&](const std::string& file) {
    return sim({"ca", "issue", ca_, file, "-o", scratch_ / "none"});
  };
  ASSERT_EQ(run({"/bin/sh", "-c",
                 "printf B | dd of=" + (scratch_ / "der") + " bs=1 seek=21 conv=notrunc 2>&1"})
                .status,
            0);
  EXPECT_THAT(issue(scratch_ / "der").err, HasSubstr("signature was not made by the key"));
  EXPECT_THAT(issue(scratch_ / "key").err, HasSubstr("no PKCS#10 request"));
  EXPECT_THAT(issue("/nonexistent").err, HasSubstr("/nonexistent"));
  ASSERT_EQ(
      openssl({"req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
               "-keyout", scratch_ / "key", "-out", scratch_ / "ec", "-subj", "/CN=A"})
          .status,
      0);
  EXPECT_THAT(issue(scratch_ / "ec").err, HasSubstr("RSA"));
  EXPECT_EQ(read_text(scratch_ / "none"), "");
}

TEST_F(Ca, IsNotOverwritten) {
  const auto before = read_text(ca_ + "/ca.pem");
  EXPECT_NE(sim({"ca", "init", ca_}).status, 0);
  EXPECT_EQ(read_text(ca_ + "/ca.pem"), before);
}

}  // namespace
}  // namespace kilt::sim::test
