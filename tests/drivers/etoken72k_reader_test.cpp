// SPDX-License-Identifier: Apache-2.0
// An eToken in readers of other kinds, and the kind of eToken that does not sign.
#include <gmock/gmock.h>

#include <algorithm>

#include "tests/drivers/etoken72k_fixture.hpp"

namespace kilt::test {
namespace {

using card::ObjectClass;
using card::Role;
using card::Scheme;

class Etoken5110 : public Etoken {
 protected:
  Etoken5110() : Etoken("etoken5110") {}
};

TEST_F(Etoken5110, CanBeReadButNotSign) {
  ASSERT_TRUE(card->token_info().ok());
  ASSERT_TRUE(card->login(Role::user, secret(etoken_user_pin)).ok());
  auto found = list();
  if (found.keys.empty()) {
    const auto made = card->generate(key_request("1"));
    if (made) found = list();
  }
  card::KeyInfo key;
  key.ref = {ObjectClass::private_key, 0x3001};
  key.bits = 1024;
  if (!found.keys.empty()) key = found.keys[0];
  const auto signature = card->sign(key, Scheme::rsa_pkcs1, Bytes(20));
  ASSERT_FALSE(signature.ok());
  EXPECT_EQ(signature.error().kind, ErrorKind::unsupported) << why(signature);
  EXPECT_THAT(signature.error().message(), ::testing::HasSubstr("cannot sign"));
  EXPECT_TRUE(card->login(Role::user, secret(etoken_user_pin)).ok()) << "no try was lost";
}

// ---- readers ---------------------------------------------------------------------------------

/// The chip in a reader of another kind.
class OtherReader : public ChipTransport {
 public:
  OtherReader(ChipBench& bench, apdu::Limits limits) : ChipTransport(bench), limits_(limits) {}
  [[nodiscard]] apdu::Limits limits() const override { return limits_; }

 private:
  apdu::Limits limits_;
};

class EtokenReaders : public Etoken {
 protected:
  void connect_through(apdu::Limits limits) {
    auto made = card::identify(std::make_unique<OtherReader>(bench, limits), nullptr);
    ASSERT_TRUE(made.ok()) << why(made);
    card = std::move(*made);
    login();
  }
  const Bytes text = Bytes(20, 5);
};

TEST_F(EtokenReaders, AShortOneSignsWithShortKeysOnly) {
  connect_through({});
  const auto small = generate("1", 1024), large = generate("2", 2048);
  ASSERT_TRUE(
      card->install_certificate({}, certificate_for(large.public_key, "Somebody", 1468)).ok());
  EXPECT_TRUE(
      verifies(small.public_key, text, card->sign(small.private_key, Scheme::rsa_pkcs1, text)));
  const auto refused = card->sign(large.private_key, Scheme::rsa_pkcs1, text);
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().kind, ErrorKind::unsupported);
  EXPECT_THAT(refused.error().message(), ::testing::HasSubstr("extended APDU"));
  EXPECT_EQ(card->read_certificate(list().certificates[0].ref)->size(), 1468u);
}

TEST_F(EtokenReaders, ASilentOneIsTried) {
  apdu::Limits limits;
  limits.silent = true;
  connect_through(limits);
  std::size_t longest = 0, longest_other = 0;
  bench.watch = [&](ByteView command, ByteView) {
    auto& longer = command[1] == 0x0C ? longest : longest_other;
    longer = std::max(longer, command.size());
  };
  const auto pair = generate("2", 2048);
  EXPECT_TRUE(
      verifies(pair.public_key, text, card->sign(pair.private_key, Scheme::rsa_pkcs1, text)));
  EXPECT_EQ(longest, 4u + 3 + 260 + 2);
  EXPECT_LE(longest_other, 261u) << "what fits a short APDU is not tried in a long one";
}

TEST_F(EtokenReaders, OnARealOneNoTryIsSpentOnWhatIsRefusedAnyway) {
  using card::Work;
  const Work guesses[] = {Work::generate,   Work::import,      Work::install,   Work::remove,
                          Work::change_pin, Work::unblock_pin, Work::initialise};
  for (const auto work : guesses)
    EXPECT_TRUE(card->allows(work).ok());
  bench.simulated = false;
  spent();
  for (const auto work : guesses)
    EXPECT_EQ(card->allows(work).error().kind, ErrorKind::refused) << static_cast<int>(work);
  EXPECT_TRUE(card->allows(Work::change).ok()) << "WRITE is public";
  EXPECT_EQ(card->change_pin(Role::user, secret("0000000000"), secret("abcdefgh")).error().kind,
            ErrorKind::refused);
  EXPECT_EQ(card->set_user_pin(secret("abcdefgh")).error().kind, ErrorKind::refused);
  EXPECT_EQ(card->initialise("new", secret("0000000000")).error().kind, ErrorKind::refused);
  EXPECT_EQ(spent(), 0u);
  card::Permissions permissions;
  permissions.allow_assumed = true;
  card->link().set_permissions(permissions);
  for (const auto work : guesses)
    EXPECT_TRUE(card->allows(work).ok());
}

TEST_F(EtokenReaders, ARealOneIsAskedNothingThatNobodyVouchesFor) {
  login();
  const auto pair = generate("1", 2048);
  generate("9", 1024);
  ASSERT_TRUE(
      card->install_certificate({}, certificate_for(pair.public_key, "Somebody", 1468)).ok());
  reinsert();
  bench.simulated = false;
  std::vector<std::string> sent;
  bench.watch = [&](ByteView command, ByteView) { sent.push_back(to_hex(command.first(4))); };
  login();
  const auto found = list();
  ASSERT_EQ(found.keys.size(), 2u);
  EXPECT_EQ(card->read_certificate(found.certificates[0].ref)->size(), 1468u);
  EXPECT_TRUE(verifies(pair.public_key, text, card->sign(found.keys[0], Scheme::rsa_pkcs1, text)));
  EXPECT_EQ(card->decrypt(found.keys[0], Scheme::rsa_pkcs1, Bytes(256, 1)).error().kind,
            ErrorKind::refused);
  EXPECT_EQ(card->sign(found.keys[1], Scheme::rsa_pkcs1, text).error().kind, ErrorKind::refused);
  EXPECT_EQ(std::count(sent.begin(), sent.end(), "800C0331"), 1) << "the one signature";
  EXPECT_EQ(card->generate(key_request("2")).error().kind, ErrorKind::refused);
  EXPECT_EQ(card->delete_object(found.keys[0].ref).error().kind, ErrorKind::refused);
  EXPECT_EQ(card->store_data({"d", "a"}, Bytes(3)).error().kind, ErrorKind::refused);
  EXPECT_EQ(card->change_pin(Role::user, secret(etoken_user_pin), secret("abcdefgh")).error().kind,
            ErrorKind::refused);
  EXPECT_EQ(card->login(Role::security_officer, secret(etoken_officer_pin)).error().kind,
            ErrorKind::refused);
  EXPECT_EQ(card->initialise("new", secret(etoken_officer_pin)).error().kind, ErrorKind::refused);
  for (const auto& header : sent) {
    for (const char* assumed : {"80E0", "80E4", "8046", "80DB", "8024", "802C", "808E", "80110021"})
      EXPECT_FALSE(header.starts_with(assumed)) << header;
  }
  card::Permissions permissions;
  permissions.allow_assumed = true;
  card->link().set_permissions(permissions);
  login();
  EXPECT_TRUE(card->store_data({"d", "a"}, Bytes(3)).ok());
}

}  // namespace
}  // namespace kilt::test
