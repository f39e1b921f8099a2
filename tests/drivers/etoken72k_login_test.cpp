// SPDX-License-Identifier: Apache-2.0
// The parts of the eToken driver that need no chip: key derivation, attributes, and the exchanges
// that are public, word for word.
#include "drivers/etoken72k_login.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "drivers/etoken72k.hpp"
#include "drivers/etoken72k_attributes.hpp"
#include "drivers/etoken72k_files.hpp"
#include "drivers/registry.hpp"
#include "tests/apdu/scripted_transport.hpp"

namespace kilt::card::etoken {
namespace {

using test::ScriptedTransport;
using ::testing::ElementsAre;

SecretBytes secret(std::string_view text) {
  return SecretBytes::copy_of(as_bytes(text));
}

Bytes counting(std::size_t count) {
  Bytes bytes(count);
  for (std::size_t i = 0; i < count; ++i)
    bytes[i] = static_cast<std::uint8_t>(i);
  return bytes;
}

// ---- the key [facts etoken §5.4] -------------------------------------------------------------

TEST(EtokenKey, IsThatOfTheTestVector) {
  const auto key = derive_key(secret("public-test"), counting(20));
  ASSERT_TRUE(key.ok());
  EXPECT_EQ(to_hex(key->view()), "914E419E89810EDEA2F6D8C9E68507F53FEA14B0520FDA70");
  EXPECT_EQ(to_hex(respond(*key, from_hex("0011223344556677").value())), "E53775610CAF052C");
}

/// OpenSSL 3: openssl kdf -kdfopt digest:SHA1 -kdfopt hexpass:<BMPString> -kdfopt
/// hexsalt:000102..13 -kdfopt iter:999 -kdfopt id:3 -keylen 24 PKCS12KDF
TEST(EtokenKey, IsThatOfOpensslForOtherScriptsToo) {
  EXPECT_EQ(to_hex(derive_key(secret("кілт№1"), counting(20))->view()),
            "026EA89C8E43EF6A84B961C6F6EC8DB3CC1A67BACC3C95EE");
}

TEST(EtokenKey, OnlyTheBmpAndOnlyWholeCharacters) {
  EXPECT_EQ(*length_of(secret("п1№")), 3u);
  EXPECT_EQ(*length_of(secret("")), 0u);
  for (const char* bad : {"\xFF", "\xC0\x80", "\xF0\x9F\x94\x91", "\xED\xA0\x80", "\xE2\x82",
                          "a\x80", "\xE0\x80\x80"}) {
    EXPECT_EQ(length_of(secret(bad)).error().kind, ErrorKind::pin_invalid) << bad;
    EXPECT_EQ(derive_key(secret(bad), counting(20)).error().kind, ErrorKind::pin_invalid);
  }
  EXPECT_EQ(length_of(secret(std::string_view("a\0b", 3))).error().kind, ErrorKind::pin_invalid)
      << "two zero bytes end a BMPString";
  EXPECT_TRUE(derive_key(secret(std::string(31, '7')), counting(20)).ok());
  EXPECT_EQ(derive_key(secret(std::string(32, '7')), counting(20)).error().kind,
            ErrorKind::pin_length);
  EXPECT_EQ(derive_key(secret(""), counting(20)).error().kind, ErrorKind::pin_length);
}

/// NIST SP 800-67: three keys, one block; CBC chains from the vector on.
TEST(EtokenKey, CbcIsOfEdeOrder) {
  SecretBytes key =
      SecretBytes::copy_of(from_hex("0123456789ABCDEF23456789ABCDEF01456789ABCDEF0123").value());
  const Bytes block = copy_of(as_bytes("The qufc"));
  EXPECT_EQ(to_hex(respond(key, block)), "A826FD8CE53B855F");
  const Bytes zero(8);
  EXPECT_EQ(to_hex(encrypt(key, zero, SecretBytes::copy_of(block))), "A826FD8CE53B855F");
  const auto two = encrypt(key, block, SecretBytes::copy_of(Bytes(16)));
  EXPECT_EQ(to_hex(ByteView(two).first(8)), "A826FD8CE53B855F");
  EXPECT_EQ(to_hex(ByteView(two).subspan(8)), to_hex(respond(key, ByteView(two).first(8))));
}

// ---- attributes ------------------------------------------------------------------------------

TEST(EtokenAttributes, AreReadAsTheyWereWritten) {
  Attributes all;
  all.label = std::string(255, 'l');
  all.id = counting(64);
  all.subject = counting(300);
  all.usage.sign = all.usage.derive = all.usage.non_repudiation = true;
  all.local = all.trusted = true;
  all.application = "app";
  all.object_id = {0x06, 0x01, 0x2A};
  all.bits = 2048;
  all.public_label = "";
  Bytes content = encode(all);
  content.resize(content.size() + 40);
  const auto read = parse_attributes(content);
  ASSERT_TRUE(read.has_value());
  EXPECT_EQ(encode(*read), encode(all));
  EXPECT_EQ(read->public_label, "");
  EXPECT_EQ(read->usage, all.usage);
  Attributes small;
  small.label = "A";
  small.id = {1};
  small.local = true;
  small.bits = 1024;
  EXPECT_EQ(to_hex(encode(small)), "21014122010125010128020400");
}

TEST(EtokenAttributes, WhatIsNoneOfOurs) {
  for (const char* bad : {"", "00", "2101", "220101", "30820100", "210141FF0100", "2101412205"}) {
    EXPECT_FALSE(parse_attributes(from_hex(bad).value()).has_value()) << bad;
  }
  const auto newer = parse_attributes(from_hex("210141 7F03010203 2800 24 00").value());
  ASSERT_TRUE(newer.has_value());
  EXPECT_EQ(newer->label, "A");
  EXPECT_EQ(newer->bits, 0u);
}

// ---- public exchanges, word for word ---------------------------------------------------------

class EtokenWords : public ::testing::Test {
 protected:
  void script(std::vector<std::string> answers) {
    auto owned = std::make_unique<ScriptedTransport>(std::move(answers));
    transport = owned.get();
    transport->reader_limits = {539, 532, true};
    link = std::make_unique<Link>(std::move(owned), nullptr);
    login = std::make_unique<Login>(
        *link, [this](Role) { return failures; }, [this](Role, const Status&) { ++refusals; });
    files = std::make_unique<Files>(*link, *login);
  }
  const char* const fci = "6F10 8407A0000003120202 A5059F65020212 9000";
  ScriptedTransport* transport = nullptr;
  std::unique_ptr<Link> link;
  std::unique_ptr<Login> login;
  std::unique_ptr<Files> files;
  int failures = 0, refusals = 0;
};

TEST_F(EtokenWords, TheAppletIsRequired) {
  script({fci});
  EXPECT_TRUE(select_etoken_applet(*link).ok());
  EXPECT_THAT(transport->sent, ElementsAre("00A4040007A000000312020200"));
  for (const char* other : {"6A82", "9000", "6F0984 07A0000003120203 9000", "6A86", "6999",
                            "8407A0000003120202 9000", "6FFF 9000"}) {
    script({other});
    EXPECT_EQ(select_etoken_applet(*link).error().kind, ErrorKind::unknown_card) << other;
  }
  script({});
  EXPECT_EQ(select_etoken_applet(*link).error().kind, ErrorKind::removed);
}

TEST_F(EtokenWords, AWrongCardIsGivenUpAfterOneCommand) {
  for (const char* atr : {"3BD518008131FE7D8073C82110F4", "3BD5180081313A7D8073C82110 30"}) {
    struct Foreign : ScriptedTransport {
      using ScriptedTransport::ScriptedTransport;
      [[nodiscard]] ByteView atr() const override { return shown; }
      Bytes shown;
    };
    auto owned = std::make_unique<Foreign>(std::vector<std::string>{"6A82", "9000", "9000"});
    owned->shown = from_hex(atr).value();
    const auto card = identify(std::move(owned), nullptr);
    ASSERT_FALSE(card.ok());
    EXPECT_EQ(card.error().kind, ErrorKind::unknown_card);
  }
}

std::string filled(std::size_t count) {
  std::string hex;
  for (std::size_t i = 0; i < count; ++i)
    hex += "A5";
  return hex + "9000";
}

TEST_F(EtokenWords, AFileIsSelectedAndReadInLongPieces) {
  script({"010102 02020002 03020570 0408 0011FF1100FF2100 9000", filled(512), filled(512),
          filled(368)});
  const auto content = files->read_file({0x6666, 0x5000, 0x0002});
  ASSERT_TRUE(content.ok()) << content.error().message();
  EXPECT_EQ(*content, Bytes(0x570, 0xA5));
  EXPECT_THAT(transport->sent,
              ElementsAre("00A40804066666500000"
                          "0200",
                          "801800000000040E0200000200", "801800000000040E0202000200",
                          "801800000000040E0204000170"));
}

TEST_F(EtokenWords, ACardThatKnowsNoLongPiecesIsReadInShortOnes) {
  script({"010102 02020002 03020270 0408 0011FF1100FF2100 9000", "6700", filled(256), filled(256),
          filled(112)});
  const auto content = files->read_file({0x6666, 0x5000, 0x0002});
  ASSERT_TRUE(content.ok()) << content.error().message();
  EXPECT_EQ(content->size(), 0x270u);
  EXPECT_THAT(transport->sent,
              ElementsAre("00A408040666665000000200", "801800000000040E0200000200",
                          "80180000040E02000000", "80180000040E02010000", "80180000040E02020070"));
}

TEST_F(EtokenWords, AListOfFiles) {
  script({"9000", "0A06 1001 3001 1001 9000"});
  const auto ids = files->list({0x6666, 0x5000, 0x0220});
  ASSERT_TRUE(ids.ok()) << ids.error().message();
  EXPECT_THAT(*ids, ElementsAre(0x1001, 0x3001));
  EXPECT_THAT(transport->sent, ElementsAre("00A4080C06666650000220", "80010000040902000000"));
  for (const char* bad : {"0A03 100130 9000", "0B02 1001 9000", "0A09 1001 9000"}) {
    script({"9000", bad});
    EXPECT_EQ(files->list({0x6666, 0x5000, 0x0220}).error().kind, ErrorKind::protocol) << bad;
  }
  script({"9000", "9000"});
  EXPECT_TRUE(files->list({0x6666, 0x5000, 0x0220})->empty());
}

TEST_F(EtokenWords, TheAppletIsSelectedAgainWhereAnotherOneWas) {
  script({"6A82", "6A82", fci, "9000", "0A02 3001 9000", "6A82"});
  EXPECT_THAT(*files->list({0x6666, 0x5000, 0x0220}), ElementsAre(0x3001));
  EXPECT_THAT(transport->sent,
              ElementsAre("00A4080C06666650000220", "00A4080C026666", "00A4040007A000000312020200",
                          "00A4080C06666650000220", "80010000040902000000"));
  // In the middle of an operation a missing file is a missing file.
  EXPECT_EQ(files->select({0x6666, 0x5000, 0x0220, 0x3001, 0x0001}).error().kind,
            ErrorKind::not_found);
}

TEST_F(EtokenWords, AFileThatIsAbsentDoesNotCostTheLogin) {
  script({"6A82", "9000"});
  EXPECT_EQ(files->select({0x6666, 0x5000, 0x000F}).error().kind, ErrorKind::not_found);
  EXPECT_THAT(transport->sent, ElementsAre("00A408040666665000000F00", "00A4080C026666"))
      << "selecting the applet would end it";
}

TEST_F(EtokenWords, LoginByChallengeAndResponse) {
  script({"0011223344556677 9000", "9000"});
  ASSERT_TRUE(login->begin(Role::user, secret("public-test"), counting(20)).ok());
  EXPECT_THAT(transport->sent, ElementsAre("8017000008", "801100110A1008E53775610CAF052C"));
  EXPECT_EQ(login->role(), Role::user);
}

TEST_F(EtokenWords, OneRefusalEndsIt) {
  script({"0011223344556677 9000", "6300"});
  const auto status = login->begin(Role::user, secret("public-test"), counting(20));
  EXPECT_EQ(status.error().kind, ErrorKind::pin_incorrect);
  EXPECT_EQ(status.error().tries_left, std::nullopt);
  EXPECT_EQ(transport->sent.size(), 2u);
  EXPECT_EQ(login->renew().error().kind, ErrorKind::not_logged_in);
  EXPECT_EQ(transport->sent.size(), 2u);
}

const char* const its_salt = "000102030405060708090A0B0C0D0E0F10111213 9000";
const char* const other_salt = "000102030405060708090A0B0C0D0E0F10111214 9000";

TEST_F(EtokenWords, ALoginThatAReadUsedUpIsMadeAgain) {
  script({"0011223344556677 9000", "9000", "6982", "9000", its_salt, "0011223344556677 9000",
          "9000", "AB 9000", "6982", "9000", its_salt, "0011223344556677 9000", "6300"});
  ASSERT_TRUE(login->begin(Role::user, secret("public-test"), counting(20)).ok());
  const auto answer = files->send(command::read(0, 1));
  ASSERT_TRUE(answer.ok());
  EXPECT_EQ(to_hex(answer->data), "AB");
  // Refused: the key is forgotten, and nothing more is tried by itself.
  const auto refused = files->send(command::read(0, 1));
  EXPECT_EQ(refused.error().kind, ErrorKind::not_logged_in);
  EXPECT_EQ(refused.error().sw, 0x6300);
  EXPECT_EQ(refusals, 1);
  EXPECT_EQ(transport->sent.size(), 13u);
  EXPECT_EQ(login->role(), std::nullopt);
}

TEST_F(EtokenWords, WhatWasSelectedIsSelectedAgainAfterTheSalt) {
  const char* const info = "010102 02020002 03020014 0408 1111FF1100FF2100 9000";
  script({"0011223344556677 9000", "9000", info, "6982", "9000", its_salt, "0011223344556677 9000",
          "9000", info, its_salt});
  ASSERT_TRUE(login->begin(Role::user, secret("public-test"), counting(20)).ok());
  EXPECT_EQ(*files->read_file({0x6666, 0x5000, 0x0002}), counting(20));
  const std::string read = "80180000040E02000014", select = "00A40804066666500000";
  EXPECT_THAT(std::vector(transport->sent.begin() + 2, transport->sent.end()),
              ElementsAre(select + "0200", read, select + "0F00", read, "8017000008",
                          "801100110A1008E53775610CAF052C", select + "0200", read));
}

/// Nobody else can have changed the PIN in between.
TEST_F(EtokenWords, InItsOwnTransactionALoginReturnsWithoutALookAtTheSalt) {
  script({"0011223344556677 9000", "9000", "6982", "0011223344556677 9000", "9000", "AB 9000"});
  const auto transaction = apdu::Transaction::begin(*transport);
  ASSERT_TRUE(transaction.ok());
  ASSERT_TRUE(login->begin(Role::user, secret("public-test"), counting(20)).ok());
  EXPECT_TRUE(files->send(command::read(0, 1)).ok());
  EXPECT_EQ(transport->sent.size(), 6u);
}

TEST_F(EtokenWords, AnotherSaltOrNoneEndsItBeforeATryIsSpent) {
  const std::vector<std::vector<std::string>> ways{
      {"9000", other_salt}, {"9000", "0001 9000"}, {"6A82"}, {"6982"}};
  for (const auto& answers : ways) {
    std::vector<std::string> all{"0011223344556677 9000", "9000", "6982"};
    all.insert(all.end(), answers.begin(), answers.end());
    script(all);
    ASSERT_TRUE(login->begin(Role::user, secret("public-test"), counting(20)).ok());
    const auto refused = files->send(command::read(0, 1));
    EXPECT_EQ(refused.error().kind, ErrorKind::not_logged_in);
    EXPECT_EQ(refused.error().sw, 0) << "or it would be taken for the answer to the READ";
    EXPECT_EQ(transport->sent.size(), all.size());
    EXPECT_EQ(login->role(), std::nullopt);
    EXPECT_EQ(refusals, 0);
  }
}

TEST_F(EtokenWords, AWrongPinSomewhereElseEndsItBeforeAnythingIsSent) {
  script({"0011223344556677 9000", "9000", "6982"});
  ASSERT_TRUE(login->begin(Role::user, secret("public-test"), counting(20)).ok());
  failures = 1;
  const auto refused = files->send(command::read(0, 1));
  EXPECT_EQ(refused.error().kind, ErrorKind::not_logged_in);
  EXPECT_EQ(transport->sent.size(), 3u);
  EXPECT_EQ(login->role(), std::nullopt);
}

/// The module repeats a PIN that it keeps when a login was lost.
TEST_F(EtokenWords, TheSaltOfTheLastLoginTellsWhetherThePinWasChanged) {
  script({"0011223344556677 9000", "9000"});
  EXPECT_TRUE(login->confirm_salt(Role::user, Bytes(20)).ok()) << "there was none";
  ASSERT_TRUE(login->begin(Role::user, secret("public-test"), counting(20)).ok());
  login->forget();
  EXPECT_TRUE(login->confirm_salt(Role::user, counting(20)).ok());
  EXPECT_EQ(login->confirm_salt(Role::user, Bytes(20)).error().kind, ErrorKind::not_logged_in);
  EXPECT_TRUE(login->confirm_salt(Role::security_officer, Bytes(20)).ok());
}

TEST_F(EtokenWords, TheRawOperation) {
  const auto command = command::compute(Bytes(256, 0x11), false).apdu.encode();
  EXPECT_EQ(to_hex(ByteView(command).first(11)), "800C033100010410FF0100");
  EXPECT_EQ(command.size(), 4u + 3 + 260 + 2);
  EXPECT_EQ(to_hex(ByteView(command).last(2)), "0000");
  EXPECT_EQ(to_hex(ByteView(command::compute(Bytes(128), false).apdu.encode()).first(7)),
            "800C0331821080");
  EXPECT_TRUE(command::compute(Bytes(128), true).apdu.answer_is_secret());
}

TEST_F(EtokenWords, OnlyASignatureWith2048BitsIsPublished) {
  EXPECT_EQ(command::compute(Bytes(256), false).evidence, Evidence::published);
  EXPECT_EQ(command::compute(Bytes(256), true).evidence, Evidence::assumed);
  EXPECT_EQ(command::compute(Bytes(128), false).evidence, Evidence::assumed);
  EXPECT_EQ(command::compute(Bytes(128), true).evidence, Evidence::assumed);
}

TEST_F(EtokenWords, NoSecretInATrace) {
  EXPECT_TRUE(command::login(Role::user, Bytes(8)).apdu.is_secret());
  EXPECT_TRUE(command::import_part(KeyPart::prime1, Bytes(64), false).apdu.is_secret());
  EXPECT_TRUE(command::change_pin(Role::user, Bytes(20), Bytes(24)).apdu.is_secret());
  EXPECT_TRUE(command::set_user_pin(Bytes(20), Bytes(24)).apdu.is_secret());
  EXPECT_TRUE(command::initialise(Bytes(20), Bytes(24), {}).apdu.is_secret());
}

}  // namespace
}  // namespace kilt::card::etoken
