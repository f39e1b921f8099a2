// SPDX-License-Identifier: Apache-2.0
// The driver's side of kzid-real-card.vec, an exchange with a real card: the commands byte for
// byte, the answers understood, the signatures verified by OpenSSL.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>

#include "apdu/trace.hpp"
#include "drivers/certificate.hpp"
#include "drivers/config.hpp"
#include "drivers/kzid_card.hpp"
#include "drivers/registry.hpp"
#include "tests/apdu/scripted_transport.hpp"
#include "tests/drivers/kaztoken_fixture.hpp"
#include "tests/openssl.hpp"

namespace kilt::test {
namespace {

using card::ObjectClass;
using card::Role;
using card::Scheme;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
namespace command = card::kzid::command;

const Bytes atr = from_hex("3B3E950053 4F4D412D633030372D44533161").value();
/// SHA-1 of "test", and its DigestInfo.
const Bytes digest = from_hex("A94A8FE5CCB19BA61C4C0873D391E987982FBBD3").value();
Bytes digest_info() {
  Bytes whole = from_hex("3021300906052B0E03021A05000414").value();
  append(whole, digest);
  return whole;
}

SecretBytes pin() {
  return SecretBytes::copy_of(as_bytes("1234"));
}

apdu::VectorFile vectors() {
  auto file = apdu::VectorFile::load(KILT_SOURCE_DIR "/tests/vectors/kzid-real-card.vec");
  EXPECT_TRUE(file.ok());
  return std::move(*file);
}

/// Over T=0 the Le of a case 4 command is not on the wire [7816-3 §12.2].
apdu::VectorFile as_over_t0() {
  auto file = vectors();
  for (auto& step : file.steps) {
    std::string text = step.command.text();
    if (!text.starts_with("00 46")) continue;
    text.resize(text.size() - 3);
    step.command = apdu::Pattern::parse(text).value();
  }
  return file;
}

/// All that the utility did, by the driver's builders. The public keys and the signatures.
struct Played {
  std::vector<card::PublicKey> keys;
  std::vector<Bytes> signatures;
};

void play(card::Link& link, Played& played) {
  const auto ok = [&](const card::Command& sent) {
    const auto answer = link.send(sent);
    ASSERT_TRUE(answer.ok()) << answer.error().message();
    ASSERT_TRUE(answer->ok()) << sent.operation;
  };
  ok(command::select_master());
  ok(command::verify(Role::user, pin()));
  ok(command::select_application());
  for (std::uint8_t number = 7; number <= 8; ++number) {
    ok(command::generate(number));
    const auto value = link.send(command::read_public_key(number));
    ASSERT_TRUE(value.ok()) << value.error().message();
    const auto key = card::kzid::parse_key_object(number, value->data);
    ASSERT_TRUE(key.ok()) << key.error().message();
    played.keys.push_back(*key);
    ok(command::set_environment(number));
    const auto signature = link.send(command::sign(digest_info()));
    ASSERT_TRUE(signature.ok()) << signature.error().message();
    played.signatures.push_back(signature->data);
  }
  for (std::uint8_t number = 9; number <= 10; ++number) {
    EXPECT_EQ(link.send(command::generate(number))->status.value, 0x6900);
    EXPECT_EQ(link.send(command::read_public_key(number))->status.value, 0x6A82);
    ok(command::set_environment(number));
    EXPECT_EQ(link.send(command::sign(digest_info()))->status.value, 0x6A82);
  }
}

bool openssl_accepts(const card::PublicKey& key, ByteView signature) {
  const TemporaryDirectory directory;
  const Ran ran =
      run("openssl pkeyutl -verify -pubin -keyform DER -inkey " +
          directory.write("key.der", card::subject_public_key_info(key)) +
          " -pkeyopt rsa_padding_mode:pkcs1 -pkeyopt digest:sha1 -in " +
          directory.write("digest", digest) + " -sigfile " + directory.write("sig", signature));
  return ran.status == 0;
}

TEST(KzidRealCard, EveryCommandIsTheUtilitysByteForByte) {
  for (const auto protocol : {apdu::Protocol::t1, apdu::Protocol::t0}) {
    auto file = protocol == apdu::Protocol::t1 ? vectors() : as_over_t0();
    auto transport = std::make_unique<apdu::ReplayTransport>(std::move(file), atr, protocol);
    transport->simulated = false;  // all of it was observed: nothing is kept back
    auto* replay = transport.get();
    card::Link link(std::move(transport), nullptr);
    Played played;
    play(link, played);
    EXPECT_TRUE(replay->finished()) << "stopped before step " << replay->position();
    ASSERT_EQ(played.signatures.size(), 2u);
    for (std::size_t i = 0; i < 2; ++i) {
      EXPECT_EQ(played.keys[i].bits(), 2048u);
      EXPECT_TRUE(openssl_accepts(played.keys[i], played.signatures[i]));
      EXPECT_FALSE(openssl_accepts(played.keys[1 - i], played.signatures[i])) << "a witness";
    }
  }
}

/// The real card, as far as it is known: what the file says, to whatever command of it, whenever;
/// 6D00 to all else.
class RealCard : public ScriptedTransport {
 public:
  RealCard()
      : ScriptedTransport([this](ByteView wire) { return answer(wire); }), file_(as_over_t0()) {
    spoken = apdu::Protocol::t0;
  }
  [[nodiscard]] bool is_simulated() const override { return false; }
  [[nodiscard]] ByteView atr() const override { return atr_; }
  Status reset() override {
    ++resets;
    return {};
  }
  std::vector<std::string> strange;   ///< commands that no real card was seen to take
  std::map<std::uint8_t, Bytes> odd;  ///< answers for key objects, instead of what was seen
  Bytes to_strangers{0x6D, 0x00};
  std::optional<Bytes> to_signature;
  int resets = 0;
  Bytes atr_ = test::atr;

 private:
  Result<Bytes> answer(ByteView wire) {
    const auto& steps = file_.steps;
    const std::uint8_t ins = wire.size() > 1 ? wire[1] : 0;
    const bool goes_on = ins == 0xC0;
    // GET DATA names the object behind 4D, length, FF, A0.
    if (ins == 0xCB && wire.size() > 9 && odd.contains(wire[9])) return odd.at(wire[9]);
    if (ins == 0x88 && to_signature) return *to_signature;
    // A signature is made with the key of the last MSE, which stands before it in the file.
    const std::size_t from = ins == 0x88 ? environment_ : goes_on ? next_ : 0;
    for (std::size_t i = from; i < (goes_on ? next_ + 1 : steps.size()); ++i) {
      if (!steps[i].command.matches(wire)) continue;
      next_ = i + 1;
      if (ins == 0x22) environment_ = i;
      return steps[i].answer.fill({});
    }
    strange.push_back(to_hex(wire));
    return to_strangers;
  }
  apdu::VectorFile file_;
  std::size_t next_ = 0, environment_ = 0;
};

class KzidOnRealCard : public ::testing::Test {
 protected:
  KzidOnRealCard() { insert(atr); }
  void insert(const Bytes& as) {
    auto made = std::make_unique<RealCard>();
    made->atr_ = as;
    real = made.get();
    card = std::make_unique<card::kzid::KzidCard>(
        std::make_unique<card::Link>(std::move(made), nullptr),
        card::SideFiles(directory.file("kilt")));
  }
  TemporaryDirectory directory;
  RealCard* real = nullptr;
  std::unique_ptr<card::Card> card;
};

TEST_F(KzidOnRealCard, KeysAreFoundAndSign) {
  const auto found = card->list();
  ASSERT_TRUE(found.ok()) << found.error().message();
  ASSERT_EQ(found->keys.size(), 2u);
  ASSERT_EQ(found->public_keys.size(), 2u);
  EXPECT_EQ(found->keys[0].label, "key 7");
  EXPECT_EQ(found->keys[1].label, "key 8");
  EXPECT_EQ(found->keys[0].id, found->public_keys[0].id);
  ASSERT_TRUE(card->login(Role::user, pin()).ok());
  for (const auto& key : found->keys) {
    const auto value = card->read_public_key(key.ref);
    ASSERT_TRUE(value.ok());
    const auto signature = card->sign(key, Scheme::rsa_pkcs1, digest_info());
    ASSERT_TRUE(signature.ok()) << signature.error().message();
    EXPECT_TRUE(openssl_accepts(*value, *signature));
    EXPECT_EQ(key.id, card::default_key_id(*value));
  }
  EXPECT_THAT(real->strange, IsEmpty()) << "nothing was sent that was not seen before";
  ASSERT_TRUE(card->logout().ok());
  EXPECT_EQ(real->resets, 1);
}

TEST_F(KzidOnRealCard, AKeyIsFoundAndSignsWithinTheBudget) {
  const auto found = card->list_classes({true, false, false, false});
  ASSERT_TRUE(found.ok() && found->keys.size() == 2);
  ASSERT_TRUE(card->pin_status(Role::user).ok());
  ASSERT_TRUE(card->login(Role::user, pin()).ok());
  ASSERT_TRUE(card->sign(found->keys[1], Scheme::rsa_pkcs1, digest_info()).ok());
  // Two keys to look into, three exchanges each; the PIN is verified in the MF, as it was seen.
  EXPECT_LE(real->sent.size(), 14u);
  real->sent.clear();
  ASSERT_TRUE(card->sign(found->keys[1], Scheme::rsa_pkcs1, digest_info()).ok());
  EXPECT_EQ(real->sent.size(), 2u);
}

TEST_F(KzidOnRealCard, SaysWhereNobodyCountsWrongPins) {
  EXPECT_EQ(card->pin_status(Role::user)->unwatched, "");
  card = std::make_unique<card::kzid::KzidCard>(
      std::make_unique<card::Link>(std::make_unique<RealCard>(), nullptr),
      card::SideFiles(std::string()));
  EXPECT_THAT(card->pin_status(Role::user)->unwatched, HasSubstr("HOME"));
}

TEST_F(KzidOnRealCard, APinThatCanBeNoneIsNotSent) {
  for (const char* wrong : {"12 4", "1234 ", "qwer", "\xD0\x99\xD0\xA6",
                            "\xEF\xBB\xBF"
                            "1234",
                            "12345678 9"}) {
    const auto refused = card->login(Role::user, SecretBytes::copy_of(as_bytes(wrong)));
    ASSERT_FALSE(refused.ok()) << wrong;
    EXPECT_EQ(refused.error().kind,
              std::string_view(wrong).size() > 8 ? ErrorKind::pin_length : ErrorKind::pin_invalid);
  }
  EXPECT_TRUE(real->sent.empty());
}

/// A file that it may not have; what it says to that is not known.
TEST_F(KzidOnRealCard, HasASerialNumberWhateverItSaysToAGuess) {
  for (const char* answer : {"6982", "6985", "6283", "6700", "6999", "6A81", "9000"}) {
    insert(atr);
    real->to_strangers = from_hex(answer).value();
    card->link().set_permissions({true, true});
    const auto info = card->token_info();
    ASSERT_TRUE(info.ok()) << answer << info.error().message();
    EXPECT_FALSE(real->strange.empty());
    if (std::string_view(answer) != "6A81") continue;
    const auto found = card->list();
    ASSERT_TRUE(found.ok()) << answer << found.error().message();
    EXPECT_EQ(found->keys.size(), 2u) << answer;
    EXPECT_EQ(found->public_keys.size(), 2u) << answer;
  }
}

/// 6985 to a signature is how an empty object is thought to answer [facts kzid B5].
TEST_F(KzidOnRealCard, MakesNoKeyWhereOneMayBe) {
  real->odd[7] = {0x6A, 0x88};
  real->to_signature = Bytes{0x69, 0x85};
  ASSERT_TRUE(card->login(Role::user, pin()).ok());
  card::GenerateRequest request;
  request.usage.sign = true;
  const auto refused = card->generate(request);
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().kind, ErrorKind::refused) << refused.error().message();
  for (const auto& sent : real->sent)
    EXPECT_NE(sent[1], 0x46) << "GENERATE";
}

TEST_F(KzidOnRealCard, NoGuessReachesIt) {
  const auto pin_state = card->pin_status(Role::user);
  ASSERT_TRUE(pin_state.ok()) << "a counter that may not be asked is an unknown one";
  EXPECT_FALSE(pin_state->tries_left.has_value());
  EXPECT_FALSE(pin_state->blocked || pin_state->logged_in);
  ASSERT_TRUE(card->login(Role::user, pin()).ok());
  EXPECT_TRUE(card->pin_status(Role::user)->logged_in);
  const auto refused = [](const auto& result) {
    EXPECT_EQ(result.error().kind, ErrorKind::refused);
    EXPECT_THAT(result.error().message(), HasSubstr("kilt trace record"));
  };
  refused(card->change_pin(Role::user, pin(), SecretBytes::copy_of(as_bytes("4321"))));
  refused(card->random(8));
  const auto found = card->list();
  ASSERT_TRUE(found.ok() && found->keys.size() == 2);
  refused(card->delete_object(found->keys[0].ref));
  refused(card->login(Role::security_officer, SecretBytes::copy_of(as_bytes("87654321"))));
  EXPECT_THAT(real->strange, IsEmpty());
}

TEST_F(KzidOnRealCard, SaysBeforehandWhatTheGuardKeepsBack) {
  using card::Work;
  const auto guarded = {Work::change, Work::remove, Work::change_pin, Work::unblock_pin};
  for (const auto work : {Work::generate, Work::import, Work::install, Work::initialise})
    EXPECT_TRUE(card->allows(work).ok()) << static_cast<int>(work);
  for (const auto work : guarded) {
    const auto allowed = card->allows(work);
    ASSERT_FALSE(allowed.ok()) << static_cast<int>(work);
    EXPECT_EQ(allowed.error().kind, ErrorKind::refused);
  }
  card->link().set_permissions({true, true});
  for (const auto work : guarded)
    EXPECT_TRUE(card->allows(work).ok()) << static_cast<int>(work);
  EXPECT_THAT(real->sent, IsEmpty());
  insert(from_hex("3B771800004B4153414B4944").value());
  for (const auto work : {Work::generate, Work::install, Work::change_pin, Work::remove})
    EXPECT_FALSE(card->allows(work).ok()) << static_cast<int>(work);
}

TEST_F(KzidOnRealCard, AnOddAnswerForAKeyObjectHidesNoOther) {
  for (const char* odd : {"6985", "6A80", "6982", "6D00", "6900"}) {
    SCOPED_TRACE(odd);
    insert(atr);
    real->odd[9] = real->odd[10] = from_hex(odd).value();
    auto found = card->list();
    ASSERT_TRUE(found.ok()) << why(found);
    EXPECT_EQ(found->keys.size(), 2u);
    EXPECT_TRUE(card->serial().ok());
    insert(atr);
    real->odd[7] = from_hex(odd).value();
    found = card->list();
    ASSERT_TRUE(found.ok()) << why(found);
    ASSERT_EQ(found->keys.size(), 1u);
    EXPECT_EQ(found->keys[0].label, "key 8");
    EXPECT_EQ(*card->serial(), to_hex(found->keys[0].id).substr(0, 16));
    real->odd[8] = Bytes{0x90};
    card->forget_objects();
    EXPECT_FALSE(card->list().ok()) << "that is no answer";
  }
  insert(atr);
  real->odd[7] = from_hex("6982").value();
  EXPECT_EQ(card->list()->keys.size(), 1u);
  real->odd.clear();
  ASSERT_TRUE(card->login(Role::user, pin()).ok());
  EXPECT_EQ(card->list()->keys.size(), 2u) << "a login may open it";
}

TEST_F(KzidOnRealCard, NoPairIsGeneratedOverAnother) {
  ASSERT_TRUE(card->login(Role::user, pin()).ok());
  card::GenerateRequest request;
  request.usage.sign = true;
  const auto made = card->generate(request);
  ASSERT_FALSE(made.ok());
  EXPECT_EQ(made.error().kind, ErrorKind::no_space);
  EXPECT_THAT(made.error().message(), HasSubstr("no key object 9, A"));
  for (const auto& sent : real->sent)
    EXPECT_FALSE(sent.starts_with("0046")) << sent;
}

TEST_F(KzidOnRealCard, ItsCertificatesAreKeptBesideIt) {
  const auto key = card->read_public_key({ObjectClass::private_key, 8});
  ASSERT_TRUE(key.ok());
  const Bytes der = certificate_for(*key, "Somebody", 1468);
  const auto installed = card->install_certificate({}, der);
  ASSERT_TRUE(installed.ok()) << why(installed);
  EXPECT_EQ(installed->kept_in, card::SideFiles(directory.file("kilt")).path(*key));
  insert(atr);
  const auto found = card->list();
  ASSERT_TRUE(found.ok() && found->certificates.size() == 1) << why(found);
  EXPECT_EQ(found->certificates[0].id, found->keys[1].id);
  EXPECT_EQ(*card->read_certificate(found->certificates[0].ref), der);
  EXPECT_THAT(real->strange, IsEmpty());
}

/// Whether somebody who writes this serial into kilt.toml gives leave by it.
bool may_guess(const std::string& serial) {
  card::Config config;
  config.allow_assumed = {serial};
  return config.allows_assumed(serial);
}

TEST_F(KzidOnRealCard, ItsSerialIsThatOfItsFirstKey) {
  const auto info = card->token_info();
  ASSERT_TRUE(info.ok()) << info.error().message();
  const auto key = card->read_public_key({ObjectClass::private_key, 7});
  ASSERT_TRUE(key.ok());
  EXPECT_EQ(info->serial, to_hex(card::default_key_id(*key)).substr(0, 16));
  EXPECT_EQ(info->label, "KZ ID CARD");
  EXPECT_EQ(*card->serial(), info->serial);
  EXPECT_TRUE(may_guess(info->serial));
  EXPECT_TRUE(real->strange.empty()) << "that EF.GDO is there is a guess";
}

TEST_F(KzidOnRealCard, UnprovenCardsAreSentNothing) {
  for (const char* other : {"3B FA 18 00 FF 80 31 FE 45 00 31 80 73 94 41 00 00 90 00 90",
                            "3B 77 18 00 00 4B 41 53 41 4B 49 44",
                            "3B 8C 80 01 50 F5 6F F8 2B E1 F3 5E 11 33 81 C7 3C"}) {
    insert(from_hex(other).value());
    const auto info = card->token_info();
    ASSERT_TRUE(info.ok()) << info.error().message();
    EXPECT_THAT(info->label, HasSubstr("unproven"));
    EXPECT_EQ(info->serial.size(), 16u);
    EXPECT_FALSE(may_guess(info->serial) || may_guess(*card->serial()))
        << "it would be leave for every card of the make";
    card::Config config;
    config.allow_assumed = {to_hex(real->atr())};
    EXPECT_TRUE(config.allows_assumed(info->serial, real->atr())) << "that is what its owner wants";
    EXPECT_EQ(card->list().error().kind, ErrorKind::refused);
    const auto login = card->login(Role::user, pin());
    ASSERT_FALSE(login.ok());
    EXPECT_EQ(login.error().kind, ErrorKind::refused);
    EXPECT_FALSE(card->sign({{ObjectClass::private_key, 7}, "", {}, card::KeyType::rsa, 2048, {}},
                            Scheme::rsa_pkcs1, digest_info())
                     .ok());
    EXPECT_THAT(real->sent, IsEmpty());
    // With leave it is the same card.
    card->link().set_permissions({true, true});
    EXPECT_TRUE(card->login(Role::user, pin()).ok());
  }
}

TEST(KzidAtrs, AreItsOwn) {
  const auto driver_of = [](const char* other) {
    const auto found = card::candidates(from_hex(other).value());
    return found.size() == 1 ? std::string(found[0]->name) : std::to_string(found.size());
  };
  for (const char* known :
       {"3B 3E 95 00 53 4F 4D 41 2D 63 30 30 37 2D 44 53 31 61",
        "3B 3E 95 00 53 4F 4D 41 2D 63 30 30 37 2D 44 53 31 62",
        "3B 39 19 00 53 4F 4D 41 44 53 33 30 31", "3B 39 19 00 53 4F 4D 41 44 53 33 30 33",
        "3B 77 18 00 00 4B 41 53 41 4B 49 44",
        "3B FA 18 00 FF 80 31 FE 45 00 31 80 73 94 41 00 00 90 00 90",
        "3B 8C 80 01 50 F5 6F F8 2B E1 F3 5E 11 33 81 C7 3C",
        "3B 8C 80 01 50 01 02 03 04 E1 F3 5E 11 33 81 C7 EE"}) {
    EXPECT_EQ(driver_of(known), "kzid") << known;
  }
  EXPECT_EQ(driver_of("3B 3E 95 00 53 4F 4D 41 2D 63 30 30 37 2D 44 53 31 63"), "0");
  EXPECT_EQ(driver_of("3B 8C 80 01 50 5C 4B 71 A1 52 74 53 43 77 81 83 D9"), "kaztoken");
  using card::Evidence;
  using card::kzid::evidence_of;
  EXPECT_EQ(evidence_of(from_hex("3B39190053 4F4D414453333031").value()), Evidence::related);
  EXPECT_EQ(evidence_of(atr), Evidence::observed);
  EXPECT_EQ(evidence_of(from_hex("3B771800004B4153414B4944").value()), Evidence::assumed);
}

// ---- what a card may answer for a public key -------------------------------------------------

TEST(KzidPublicKey, IsReadWithOrWithoutItsExponent) {
  Bytes modulus(256, 0xC5);
  const auto object = [&](std::string_view tail, std::string_view length) {
    Bytes made = from_hex(std::string("FFA0098201") + std::string(length)).value();
    append(made, from_hex(tail).value());
    return made;
  };
  Bytes answer = object("7F4982010481820100", "09");
  append(answer, modulus);
  EXPECT_EQ(card::kzid::parse_key_object(9, answer)->modulus, modulus);
  EXPECT_EQ(card::kzid::parse_key_object(9, answer)->exponent, from_hex("010001").value());
  EXPECT_EQ(card::kzid::parse_key_object(8, answer).error().kind, ErrorKind::protocol);
  Bytes longer = object("7F4982010981820100", "0E");
  append(longer, modulus);
  append(longer, from_hex("8203010003").value());
  EXPECT_EQ(card::kzid::parse_key_object(9, longer)->exponent, from_hex("010003").value());
  // A leading zero is no byte of the number.
  Bytes zero = object("7F4982010581820101 00", "0A");
  append(zero, modulus);
  EXPECT_EQ(card::kzid::parse_key_object(9, zero)->modulus, modulus);
  for (std::size_t size = 0; size < answer.size(); ++size) {
    EXPECT_FALSE(card::kzid::parse_key_object(9, ByteView(answer).first(size)).ok()) << size;
  }
  Bytes even = answer;
  even.back() = 0xC4;
  EXPECT_FALSE(card::kzid::parse_key_object(9, even).ok());
  answer.push_back(0);
  EXPECT_FALSE(card::kzid::parse_key_object(9, answer).ok());
}

}  // namespace
}  // namespace kilt::test
