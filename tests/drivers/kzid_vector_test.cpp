// SPDX-License-Identifier: Apache-2.0
// The driver's side of kzid.vec: it must send what stands behind ">", each workflow within the
// budget that the file states. KILT_WRITE_VECTOR=FILE writes the conversation as the driver has it
// now with the simulated card, to be compared with the old one by eye.
#include <cstdio>
#include <fstream>

#include "apdu/trace.hpp"
#include "tests/drivers/kzid_fixture.hpp"

namespace kilt::test {
namespace {

using card::Role;
using card::Scheme;

struct Conversation {
  std::unique_ptr<card::Card> card;
  card::KeyPair pair;
};

struct Workflow {
  const char* name;
  std::size_t budget;  ///< exchanges, a reset counted as one
  void (*run)(Conversation&);
};

template <class T>
void expect_ok(const Result<T>& result) {
  EXPECT_TRUE(result.ok()) << why(result);
}

const Bytes digest_info(51, 0x31);

const Workflow workflows[] = {
    {"identify", 4, [](Conversation& c) { expect_ok(c.card->token_info()); }},
    {"pin status", 1, [](Conversation& c) { expect_ok(c.card->pin_status(Role::user)); }},
    {"list a card as handed out", 7, [](Conversation& c) { expect_ok(c.card->list()); }},
    {"verify wrong", 2,
     [](Conversation& c) {
       EXPECT_EQ(c.card->login(Role::user, secret("0000")).error().tries_left, 2);
     }},
    {"log in", 1, [](Conversation& c) { expect_ok(c.card->login(Role::user, secret(id_pin))); }},
    {"generate the first pair", 29,
     [](Conversation& c) {
       auto pair = c.card->generate(key_request("1", 2048, "AUTH"));
       expect_ok(pair);
       if (pair) c.pair = *pair;
     }},
    {"first signature", 3,
     [](Conversation& c) {
       expect_ok(c.card->sign(c.pair.private_key, Scheme::rsa_pkcs1, digest_info));
     }},
    {"later signature", 2,
     [](Conversation& c) {
       expect_ok(c.card->sign(c.pair.private_key, Scheme::rsa_pkcs1, digest_info));
     }},
    {"install a certificate", 23,
     [](Conversation& c) {
       expect_ok(c.card->install_certificate({}, certificate_for(c.pair.public_key, "A", 600)));
     }},
    {"log out", 1, [](Conversation& c) { expect_ok(c.card->logout()); }},
    {"find a key, log in, sign", 12,
     [](Conversation& c) {
       c.card->forget_objects();
       const auto found = c.card->list_classes({true, false, false, false});
       ASSERT_TRUE(found.ok() && found->keys.size() == 1) << why(found);
       expect_ok(c.card->pin_status(Role::user));
       expect_ok(c.card->login(Role::user, secret(id_pin)));
       expect_ok(c.card->sign(found->keys[0], Scheme::rsa_pkcs1, digest_info));
     }},
    {"list all and read", 18,
     [](Conversation& c) {
       c.card->forget_objects();
       const auto found = c.card->list();
       ASSERT_TRUE(found.ok() && found->certificates.size() == 1) << why(found);
       const auto key = c.card->read_public_key(found->keys[0].ref);
       ASSERT_TRUE(key.ok()) << why(key);
       EXPECT_EQ(*key, c.pair.public_key);
       const auto der = c.card->read_certificate(found->certificates[0].ref);
       ASSERT_TRUE(der.ok()) << why(der);
       EXPECT_EQ(*der, certificate_for(c.pair.public_key, "A", 600));
     }},
    {"random", 1, [](Conversation& c) { expect_ok(c.card->random(8)); }},
    {"change the PIN", 2,
     [](Conversation& c) {
       expect_ok(c.card->change_pin(Role::user, secret(id_pin), secret("567890")));
     }},
    {"unblock with the PUK", 4,
     [](Conversation& c) {
       expect_ok(c.card->login(Role::security_officer, secret(id_puk)));
       expect_ok(c.card->set_user_pin(secret(id_pin)));
     }},
    {"delete the certificate and the key", 31,
     [](Conversation& c) {
       expect_ok(c.card->login(Role::user, secret(id_pin)));
       const auto found = c.card->list();
       ASSERT_TRUE(found.ok() && found->certificates.size() == 1) << why(found);
       expect_ok(c.card->delete_object(found->certificates[0].ref));
       expect_ok(c.card->delete_object(c.pair.private_key.ref));
     }},
};

constexpr const char* atr = "3B3E9500534F4D412D633030372D44533161";

std::string heading(const Workflow& workflow) {
  return std::string("workflow: ") + workflow.name + "; budget: " + std::to_string(workflow.budget);
}

/// No certificate is ever kept beside the card here.
std::unique_ptr<card::Card> make_card(std::unique_ptr<apdu::Transport> transport) {
  return std::make_unique<card::kzid::KzidCard>(
      std::make_unique<card::Link>(std::move(transport), nullptr), card::SideFiles(std::string()));
}

TEST(KzidVector, DriverSaysWhatTheFileSays) {
  auto file = apdu::VectorFile::load(KILT_SOURCE_DIR "/tests/vectors/kzid.vec");
  ASSERT_TRUE(file.ok()) << why(file);
  const auto steps = file->steps;
  auto transport = std::make_unique<apdu::ReplayTransport>(std::move(*file), from_hex(atr).value(),
                                                           apdu::Protocol::t0);
  auto* replay = transport.get();
  Conversation conversation{make_card(std::move(transport)), {}};
  for (const auto& workflow : workflows) {
    const auto from = replay->position();
    ASSERT_LT(from, steps.size()) << "the file ends before " << workflow.name;
    EXPECT_NE(steps[from].comment.find(heading(workflow)), std::string::npos)
        << "line " << steps[from].line << " should begin `; " << heading(workflow) << "`";
    workflow.run(conversation);
    ASSERT_FALSE(HasFailure()) << workflow.name << ", at line "
                               << (replay->position() < steps.size()
                                       ? steps[replay->position()].line
                                       : 0);
    EXPECT_LE(replay->position() - from, workflow.budget) << workflow.name;
  }
  EXPECT_TRUE(replay->finished());
}

/// A right PIN is a placeholder, so that the file holds none that works.
std::string written(std::string hex) {
  const bool is_right_pin = hex.ends_with("3132333430303030") || hex.ends_with("3837363534333231");
  if (hex.starts_with("002000") && is_right_pin) hex.replace(8, std::string::npos, "{pin}");
  for (const std::size_t at : {8, 6, 4, 2}) {
    if (at < hex.size()) hex.insert(at, " ");
  }
  return hex;
}

/// Resets are steps of the file, too.
class Recorded : public ChipTransport {
 public:
  Recorded(ChipBench& bench, std::ofstream& out) : ChipTransport(bench), out_(out) {}
  Status reset() override {
    out_ << "! reset\n";
    return ChipTransport::reset();
  }

 private:
  std::ofstream& out_;
};

TEST(KzidVector, DriverMeetsTheSimulatedCardWithinTheBudgets) {
  sim::ChipOptions options;
  options.seed = 42;
  options.serial = "7F1FBCFF";
  ChipBench bench("kzid", options);
  const char* target = std::getenv("KILT_WRITE_VECTOR");
  std::ofstream out;
  if (target) out.open(target);
  bench.watch = [&](ByteView command, ByteView answer) {
    const bool is_random = command.size() > 1 && command[1] == 0x84;
    const std::string told =
        is_random ? "{rnd:" + std::to_string(answer.size() - 2) + "} 9000" : to_hex(answer);
    out << "> " << written(to_hex(command)) << "\n< " << told << "\n";
  };
  Conversation conversation{make_card(std::make_unique<Recorded>(bench, out)), {}};
  for (const auto& workflow : workflows) {
    out << "\n; " << heading(workflow) << "\n";
    bench.exchanges = 0;
    workflow.run(conversation);
    EXPECT_LE(bench.exchanges, workflow.budget) << workflow.name;
    if (target) std::printf("%s: %d\n", workflow.name, static_cast<int>(bench.exchanges));
  }
}

}  // namespace
}  // namespace kilt::test
