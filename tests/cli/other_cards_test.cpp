// SPDX-License-Identifier: Apache-2.0
// Tokens unlike Kaztoken: counters that nobody tells, no factory PIN, mechanisms that a card lacks,
// devices with several applications.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <fstream>

#include "cli/context.hpp"
#include "cli/deletion.hpp"
#include "cli/files.hpp"
#include "cli/objects.hpp"
#include "cli/signing.hpp"
#include "tests/openssl.hpp"
#include "tests/pkcs11/fake_card.hpp"

namespace kilt::cli {
namespace {

using card::Role;
using test::FakeCard;
using test::FakeState;
using testing::HasSubstr;

/// A card with more to say than the fake one.
class OddCard : public FakeCard {
 public:
  explicit OddCard(std::shared_ptr<FakeState> state) : FakeCard(std::move(state)) {}
  [[nodiscard]] std::vector<card::Application> applications() override {
    return {{"Odd PKI", true}, {"Odd GOST", false}, {"Odd LT", false}};
  }
  Result<card::TokenInfo> token_info() override {
    card::TokenInfo info;
    info.serial = "01";
    info.initialized = initialized;
    return info;
  }
  Result<card::PinInfo> pin_status(Role role) override {
    auto info = FakeCard::pin_status(role);
    if (info) info->unwatched = unwatched;
    return info;
  }
  Result<card::PublicKey> read_public_key(const card::ObjectRef&) override { return half; }
  Result<Bytes> sign(const card::KeyInfo&, card::Scheme, ByteView) override { return signature; }

  bool initialized = true;
  std::string unwatched;  ///< why nobody counts wrong PINs
  Result<card::PublicKey> half = Error{ErrorKind::not_found, "it has no public half"};
  Bytes signature{};
};

class OtherCards : public testing::Test {
 protected:
  OtherCards() {
    card::Capability rsa;
    rsa.min_bits = rsa.max_bits = 2048;
    rsa.sign = {card::Scheme::rsa_pkcs1};
    state->model.name = "ODD";
    state->model.capabilities = {rsa};
    key.ref = {card::ObjectClass::private_key, 1};
    key.id = {1};
    key.bits = 2048;
    context.console.quiet = true;
  }
  void open(bool initialized = true) {
    auto card = std::make_unique<OddCard>(state);
    card->initialized = initialized;
    odd = card.get();
    auto made = Session::open(std::move(card));
    ASSERT_TRUE(made);
    session = *std::move(made);
  }
  Result<PinSource> typed(const std::string& pin) {
    const std::string path = testing::TempDir() + "kilt-odd-pin";
    std::ofstream(path) << pin;
    chmod(path.c_str(), 0600);
    auto source = PinSource::open({.file = path, .fd = {}, .variable = {}}, context.console);
    std::remove(path.c_str());
    return source;
  }

  std::shared_ptr<FakeState> state = std::make_shared<FakeState>();
  card::KeyInfo key;
  Context context;
  std::unique_ptr<Session> session;
  OddCard* odd = nullptr;  ///< the session's
};

TEST_F(OtherCards, an_unknown_counter_is_told_as_unknown) {
  open();
  auto source = typed("1234");
  ASSERT_TRUE(source);
  auto pin = ask_pin(context, *session, Role::user, *source);
  ASSERT_TRUE(pin);
  warn_of_factory_pin(context, *session, Role::user, *pin);  // it has none
  EXPECT_TRUE(context.console.warnings().empty());
  auto state_of_pin = session->with_card([](card::Card& c) { return c.pin_status(Role::user); });
  ASSERT_TRUE(state_of_pin);
  EXPECT_THAT(pin_line(*state_of_pin), HasSubstr("tries left: unknown"));
  EXPECT_TRUE(pin_json(*state_of_pin)["tries_left"].is_null());
}

TEST_F(OtherCards, a_wrong_pin_is_sent_once_whatever_the_counter) {
  open();
  auto done = session->logged_in(Role::user, SecretBytes::copy_of(as_bytes("0000")), false,
                                 [](card::Card&) -> Status { return {}; });
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().kind, ErrorKind::pin_incorrect);
  EXPECT_FALSE(done.error().tries_left);
  EXPECT_EQ(state->logins, 1U);
}

TEST_F(OtherCards, a_pin_that_nobody_counts_is_not_sent) {
  open();
  const auto try_it = [&](bool spend_last_try) {
    return session->logged_in(Role::user, SecretBytes::copy_of(as_bytes("1234")), spend_last_try,
                              [](card::Card&) -> Status { return {}; });
  };
  EXPECT_TRUE(try_it(false));
  odd->unwatched = "making the directory /home: Permission denied";
  state->logins = 0;
  auto refused = try_it(false);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().kind, ErrorKind::pin_last_try);
  EXPECT_THAT(refused.error().what, HasSubstr("neither the token nor this computer"));
  EXPECT_THAT(refused.error().what, HasSubstr("Permission denied"));
  EXPECT_THAT(std::string(explain(refused.error()).hint), HasSubstr("XDG_DATA_HOME"));
  EXPECT_EQ(state->logins, 0U);
  EXPECT_TRUE(try_it(true));
  state->tries = 3;  // a card that tells needs nobody else
  EXPECT_TRUE(try_it(false));
}

TEST_F(OtherCards, a_wrong_signature_is_withheld) {
  open();
  const test::OpensslRsa pair(2048);
  const auto mechanism = *find_mechanism("pkcs1-sha256");
  const Bytes text = copy_of(as_bytes("a binding document"));
  const auto digest = digest_of(text, mechanism.digest);
  ASSERT_TRUE(digest);
  const auto& directory = pair.directory();
  test::must_run("openssl dgst -sha256 -sign " + pair.key() + " -out " + directory.file("sig") +
                 " " + directory.write("text", text));
  odd->signature = directory.read("sig");
  const auto sign = [&] { return sign_and_verify(*odd, key, mechanism, *digest); };
  odd->half = pair.public_key();
  auto made = sign();
  ASSERT_TRUE(made) << made.error().message();
  EXPECT_EQ(*made, directory.read("sig"));

  odd->signature[100] ^= 0x01;
  made = sign();
  ASSERT_FALSE(made);
  EXPECT_EQ(made.error().kind, ErrorKind::verify_failed);
  EXPECT_THAT(made.error().what, HasSubstr("was not written"));
  EXPECT_THAT(signing_failed(made.error()).hint, HasSubstr("Repeat the command"));
  odd->half = Error{ErrorKind::protocol, "nonsense"};  // it may be there, so it must be read
  EXPECT_EQ(sign().error().kind, ErrorKind::protocol);
  odd->half = Error{ErrorKind::not_found, "it has no public half"};
  EXPECT_TRUE(sign());  // nobody can tell
  key.value = pair.public_key();
  EXPECT_EQ(sign().error().kind, ErrorKind::verify_failed);
}

TEST_F(OtherCards, a_certificate_beside_the_card_is_told_with_its_place) {
  open();
  card::CertificateInfo info{{card::ObjectClass::certificate, 1}, "key 7", {7}};
  EXPECT_EQ(certificate_line(info), "certificate  key 7             id 07");
  EXPECT_FALSE(certificate_json(*session, info).contains("kept_in"));
  info.kept_in = "/home/x\n/kilt/07.der";
  EXPECT_EQ(certificate_line(info),
            "certificate  key 7             id 07, kept on this computer in "
            "/home/x\\x0A/kilt/07.der");
  EXPECT_EQ(certificate_json(*session, info)["kept_in"], info.kept_in);
}

TEST_F(OtherCards, a_blocked_pin_has_no_tries_left) {
  card::PinInfo pin;
  pin.blocked = true;
  EXPECT_EQ(pin_json(pin)["tries_left"], 0);
}

TEST_F(OtherCards, a_blank_token_is_told_before_a_pin_is_asked_for) {
  open(false);
  auto source = typed("1234");
  ASSERT_TRUE(source);
  auto pin = ask_pin(context, *session, Role::user, *source);
  ASSERT_FALSE(pin);
  EXPECT_EQ(pin.error().kind, ErrorKind::pin_not_set);
  EXPECT_THAT(pin.error().what, HasSubstr("blank"));
}

TEST_F(OtherCards, a_mechanism_that_the_card_lacks_is_told_by_name) {
  const auto can = [&](const char* name) {
    return check_mechanism(state->model, key, *find_mechanism(name));
  };
  EXPECT_TRUE(can("pkcs1-sha256"));
  auto pss = can("pss");
  ASSERT_FALSE(pss);
  EXPECT_EQ(pss.error().kind, ErrorKind::unsupported);
  EXPECT_THAT(pss.error().what, HasSubstr("ODD"));
  EXPECT_THAT(pss.error().what, HasSubstr("pss-sha256"));
  state->model.capabilities[0].sign.push_back(card::Scheme::rsa_raw);
  EXPECT_TRUE(can("pss"));
  key.type = card::KeyType::gost_256;
  EXPECT_FALSE(can("pkcs1-sha256"));
}

TEST_F(OtherCards, applications_that_kilt_cannot_use_are_named) {
  open();
  EXPECT_EQ(unsupported_applications(*session), "Odd GOST, Odd LT");
  const Json json = token_json(*session);
  ASSERT_EQ(json["applications"].size(), 3U);
  EXPECT_EQ(json["applications"][1].dump(), R"({"name":"Odd GOST","usable":false})");
}

TEST_F(OtherCards, the_manufacturer_is_that_of_the_uri) {
  open();
  const Json json = token_json(*session);
  EXPECT_EQ(json["manufacturer"], "kilt");
  EXPECT_THAT(json["uri"].get<std::string>(), HasSubstr("manufacturer=kilt"));
}

TEST_F(OtherCards, an_object_is_deleted_only_where_it_still_is) {
  open();
  state->directory.keys = {key};
  bool worked = false;
  // Without a terminal and without --yes nothing goes on.
  Deletion deletion{.loss = "lost",
                    .object = key.ref,
                    .id = key.id,
                    .confirmed = true,
                    .work = [&](card::Card&) -> Status { return worked = true, Status{}; }};
  auto source = typed("1234");
  EXPECT_EQ(carry_out(context, *session, deletion, *source).error->kind, ErrorKind::bad_argument);
  context.token = "01";
  deletion.id = {2};  // its place was given to another meanwhile
  source = typed("1234");
  EXPECT_EQ(carry_out(context, *session, deletion, *source).error->kind, ErrorKind::not_found);
  EXPECT_FALSE(worked);
  deletion.id = key.id;
  source = typed("1234");
  EXPECT_FALSE(carry_out(context, *session, deletion, *source).error);
  EXPECT_TRUE(worked);
  deletion.work = [](card::Card&) -> Status { return Error{ErrorKind::removed, "gone"}; };
  source = typed("1234");
  EXPECT_THAT(carry_out(context, *session, deletion, *source).hint, HasSubstr("kilt list"));
}

TEST(Labels, are_measured_in_bytes_of_utf8) {
  EXPECT_TRUE(check_label("Менің кілтім", longest_token_label));
  EXPECT_TRUE(check_label(std::string(32, 'x'), longest_token_label));
  EXPECT_FALSE(check_label(std::string(33, 'x'), longest_token_label));
  const auto long_one = check_label("жеке куәлік кілті", longest_token_label);
  EXPECT_TRUE(long_one);
  const auto longer = check_label("жеке куәлік кілті 1", longest_token_label);
  ASSERT_FALSE(longer);
  EXPECT_EQ(longer.error().kind, ErrorKind::bad_argument);
  EXPECT_THAT(longer.error().what, HasSubstr("34 bytes"));
  EXPECT_FALSE(check_label("\xFFz", longest_token_label));
  EXPECT_FALSE(check_label("AUTH\nSIGN", longest_token_label));
  EXPECT_FALSE(check_label("\x1B[2J", longest_token_label));
}

}  // namespace
}  // namespace kilt::cli
