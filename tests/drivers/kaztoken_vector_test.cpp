// SPDX-License-Identifier: Apache-2.0
// The driver's side of kaztoken.vec: it must send what stands behind ">", each workflow within the
// budget that the file states. KILT_WRITE_VECTOR=FILE writes the conversation as the driver has it
// now with the simulated card, to be compared with the old one by eye.
#include <cstdlib>
#include <fstream>

#include "apdu/trace.hpp"
#include "tests/drivers/kaztoken_fixture.hpp"

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
  std::size_t budget;
  void (*run)(Conversation&);
  bool reset_first = false;
};

template <class T>
void expect_ok(const Result<T>& result) {
  EXPECT_TRUE(result.ok()) << why(result);
}

const Bytes digest_info(51, 0x31);

const Workflow workflows[] = {
    {"identify", 4, [](Conversation& c) { expect_ok(c.card->token_info()); }},
    {"pin status", 1, [](Conversation& c) { expect_ok(c.card->pin_status(Role::user)); }},
    {"list a token as sold", 3, [](Conversation& c) { expect_ok(c.card->list()); }},
    {"verify wrong", 2,
     [](Conversation& c) {
       EXPECT_EQ(c.card->login(Role::user, secret("00000000")).error().tries_left, 9);
     }},
    {"log in", 1, [](Conversation& c) { expect_ok(c.card->login(Role::user, secret(user_pin))); }},
    {"adopt and generate", 37,
     [](Conversation& c) {
       auto pair = c.card->generate(key_request("1", 1024, "AUTH"));
       expect_ok(pair);
       if (pair) c.pair = *pair;
     }},
    {"first signature", 3,
     [](Conversation& c) {
       expect_ok(c.card->sign(c.pair.private_key, Scheme::rsa_pkcs1, digest_info));
     }},
    {"later signature", 1,
     [](Conversation& c) {
       expect_ok(c.card->sign(c.pair.private_key, Scheme::rsa_pkcs1, digest_info));
     }},
    {"decrypt", 3,
     [](Conversation& c) {
       Bytes cryptogram(128, 0x42);
       expect_ok(c.card->decrypt(c.pair.private_key, Scheme::rsa_raw, cryptogram));
     }},
    {"install a certificate", 17,
     [](Conversation& c) {
       expect_ok(c.card->install_certificate({}, certificate_for(c.pair.public_key, "A", 300)));
     }},
    {"log out", 4, [](Conversation& c) { expect_ok(c.card->logout()); }},
    {"find a key, log in, sign", 11,
     [](Conversation& c) {
       c.card->forget_state();
       c.card->forget_objects();
       const auto found = c.card->list_classes({true, false, false, false});
       ASSERT_TRUE(found.ok() && found->keys.size() == 1) << why(found);
       expect_ok(c.card->pin_status(Role::user));
       expect_ok(c.card->login(Role::user, secret(user_pin)));
       expect_ok(c.card->sign(found->keys[0], Scheme::rsa_pkcs1, digest_info));
     },
     true},
    {"list all and read", 13,
     [](Conversation& c) {
       c.card->forget_objects();
       const auto found = c.card->list();
       ASSERT_TRUE(found.ok() && found->certificates.size() == 1) << why(found);
       const auto key = c.card->read_public_key(found->keys[0].ref);
       ASSERT_TRUE(key.ok()) << why(key);
       EXPECT_EQ(*key, c.pair.public_key);
       const auto der = c.card->read_certificate(found->certificates[0].ref);
       ASSERT_TRUE(der.ok()) << why(der);
       EXPECT_EQ(*der, certificate_for(c.pair.public_key, "A", 300));
     }},
    {"random", 1, [](Conversation& c) { expect_ok(c.card->random(32)); }},
    {"change the PIN", 3,
     [](Conversation& c) {
       expect_ok(c.card->change_pin(Role::user, secret(user_pin), secret(user_pin)));
     }},
    {"officer unblocks", 11,
     [](Conversation& c) {
       expect_ok(c.card->login(Role::security_officer, secret(officer_pin)));
       expect_ok(c.card->set_user_pin(secret(user_pin)));
     }},
    {"delete the key", 15,
     [](Conversation& c) {
       expect_ok(c.card->login(Role::user, secret(user_pin)));
       expect_ok(c.card->delete_object(c.pair.private_key.ref));
     }},
};

std::string file_name() {
  return std::string(KILT_SOURCE_DIR) + "/tests/vectors/kaztoken.vec";
}
constexpr const char* atr = "3B88014B415A544F4B454E82";

std::string heading(const Workflow& workflow) {
  return std::string("workflow: ") + workflow.name + "; budget: " + std::to_string(workflow.budget);
}

/// Keeps a pointer to the transport that the card owns.
std::unique_ptr<card::Card> make_card(std::unique_ptr<apdu::Transport> transport) {
  auto made = card::identify(std::move(transport), nullptr);
  EXPECT_TRUE(made.ok()) << why(made);
  return made ? std::move(*made) : nullptr;
}

TEST(KaztokenVector, DriverSaysWhatTheFileSays) {
  auto file = apdu::VectorFile::load(file_name());
  ASSERT_TRUE(file.ok()) << why(file);
  const auto steps = file->steps;
  auto transport = std::make_unique<apdu::ReplayTransport>(std::move(*file), from_hex(atr).value());
  auto* replay = transport.get();
  Conversation conversation{make_card(std::move(transport)), {}};
  ASSERT_NE(conversation.card, nullptr);
  for (const auto& workflow : workflows) {
    if (workflow.reset_first) {
      ASSERT_TRUE(replay->reset().ok()) << "a reset must stand before " << workflow.name;
    }
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

/// "00 A4 08 00 04...", and a right PIN as {pin}: what differs from run to run is a placeholder.
std::string written(std::string hex) {
  const bool is_right_pin = hex.ends_with("3132333435363738") || hex.ends_with("3837363534333231");
  if (hex.starts_with("002000") && is_right_pin) hex.replace(8, std::string::npos, "{pin}");
  for (const std::size_t at : {8, 6, 4, 2}) {
    if (at < hex.size()) hex.insert(at, " ");
  }
  return hex;
}

std::string without_times(std::string hex) {
  const std::string mark = "180F3230";  // GeneralizedTime of this century
  if (const auto at = hex.find(mark); at != std::string::npos)
    hex.replace(at + 4, 30, " {any:15} ");
  // lastUpdate alone, as the driver renews it.
  if (hex.starts_with("00D600") && hex.size() == 40 && hex.substr(8, 4) == "0F32")
    hex.replace(10, 30, " {any:15}");
  return hex;
}

TEST(KaztokenVector, DriverMeetsTheSimulatedCardWithinTheBudgets) {
  sim::ChipOptions options;
  options.seed = 42;
  options.serial = "48E243B5";
  ChipBench bench("kaztoken", options);
  const char* target = std::getenv("KILT_WRITE_VECTOR");
  std::ofstream out;
  if (target) out.open(target);
  bench.watch = [&](ByteView command, ByteView answer) {
    const bool is_random = command.size() > 1 && command[1] == 0x84;
    const std::string told =
        is_random ? "{rnd:" + std::to_string(answer.size() - 2) + "} 9000" : to_hex(answer);
    out << "> " << written(without_times(to_hex(command))) << "\n< " << without_times(told) << "\n";
  };
  Conversation conversation{make_card(std::make_unique<ChipTransport>(bench)), {}};
  for (const auto& workflow : workflows) {
    if (workflow.reset_first) {
      bench.chip->reset();
      out << "\n! reset\n";
    }
    out << "\n; " << heading(workflow) << "\n";
    bench.exchanges = 0;
    workflow.run(conversation);
    EXPECT_LE(bench.exchanges, workflow.budget) << workflow.name;
    if (target) printf("%s: %d\n", workflow.name, static_cast<int>(bench.exchanges));
  }
}

}  // namespace
}  // namespace kilt::test
