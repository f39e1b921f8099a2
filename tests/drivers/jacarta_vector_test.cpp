// SPDX-License-Identifier: Apache-2.0
// The driver's side of jacarta.vec: it must send what stands behind ">", each workflow within the
// budget that the file states. KILT_WRITE_VECTOR=FILE writes the conversation as the driver has it
// now with the simulated card, to be compared with the old one by eye. Nothing is masked in it: the
// card's random bytes are those of its seed, and ours count from 00; times are placeholders.
#include <openssl/bn.h>

#include <cstdlib>
#include <fstream>

#include "apdu/trace.hpp"
#include "drivers/jacarta_card.hpp"
#include "tests/drivers/jacarta_fixture.hpp"

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

/// A key made elsewhere (openssl genrsa), so that an import is the same each time.
card::RsaPrivateKey some_key() {
  const auto number = [](const char* hex) { return from_hex(hex).value(); };
  card::RsaPrivateKey key;
  key.modulus = number(
      "EDDBABE8981F73559F625EC03F161CBA60C344EF1DE0F4BB0AF66D7B607F507D"
      "C6306AD9646DD631440FC08BDBADA4E7483B3CC83D43C5E80CAFFCBB69C44E7D"
      "EE2E945A5EA8730B964BB7BFA73F0F41501860F2DCEBD294F782CB8A24E31200"
      "17E8E86BD5D2BF6DD98719256036AA6F7B780D2DD154D6F3E2C1F2DEC0A4F3C1");
  key.public_exponent = {0x01, 0x00, 0x01};
  key.prime1 = SecretBytes::copy_of(
      number("FBA0741CD6A0F66FA77AA57CEF656A0439280353378B1D68E07FE1A5CA7481A4"
             "579BEDFF97B58BE7C24798E9217CB1D8E8CF618E2889564DAA2C85091A00F5AF"));
  key.prime2 = SecretBytes::copy_of(
      number("F1FDF537134DADBF94B34513A231EDF53F456855C81E33EF83FE44EB46327AE8"
             "6B9094CBD6401290129958CA66A9F2747843BF3B4E2D7E5CD334B4BF14C4798F"));
  key.exponent1 = SecretBytes::copy_of(
      number("341319D49A0A87D5C5A8593548EA090DC4B26635C3A9F3B52FB8E77F032E2762"
             "568B3BAF08BB96AFA9025E3FE92140412EB53470522D520212B4D1F7773D399B"));
  key.exponent2 = SecretBytes::copy_of(
      number("545B9165F7A6B690F8875DE7303D739470D003451413E34AF59A67F014727882"
             "192D3791AF487AB01AABB656285FCA136BF141F2AC98135ACC8DAD0C8772CE65"));
  key.coefficient = SecretBytes::copy_of(
      number("707E7F14F6EE6F994AEFC627C85167EC953E5376E2A47379E7A014D398E3F748"
             "1A79EB64F6DE10460B2B7C4F451B1A1CC4144F6D6794B5F1FCF3B573EF3EEE91"));
  return key;
}

Bytes public_power(const card::PublicKey& key, const Bytes& block) {
  const auto number = [](ByteView bytes) {
    return std::unique_ptr<BIGNUM, decltype(&BN_free)>(
        BN_bin2bn(bytes.data(), static_cast<int>(bytes.size()), nullptr), BN_free);
  };
  const std::unique_ptr<BN_CTX, decltype(&BN_CTX_free)> context(BN_CTX_new(), BN_CTX_free);
  const auto result = number({}), m = number(block), e = number(key.exponent),
             n = number(key.modulus);
  EXPECT_EQ(BN_mod_exp(result.get(), m.get(), e.get(), n.get(), context.get()), 1);
  Bytes bytes(key.modulus.size());
  BN_bn2binpad(result.get(), bytes.data(), static_cast<int>(bytes.size()));
  return bytes;
}

const Workflow workflows[] = {
    {"identify", 2, [](Conversation& c) { EXPECT_EQ(c.card->model().name, "JACARTA"); }},
    {"serial, label, pin status", 4,
     [](Conversation& c) {
       expect_ok(c.card->token_info());
       expect_ok(c.card->pin_status(Role::user));
     }},
    {"list a token as sold", 6, [](Conversation& c) { expect_ok(c.card->list()); }},
    {"log in with a wrong PIN", 3,
     [](Conversation& c) {
       EXPECT_EQ(c.card->login(Role::user, secret("99999999")).error().tries_left, 9);
     }},
    {"log in", 3,
     [](Conversation& c) { expect_ok(c.card->login(Role::user, secret(jacarta_user_pin))); }},
    {"generate", 29,
     [](Conversation& c) {
       auto pair = c.card->generate(key_request("K1", 2048, "Key One"));
       expect_ok(pair);
       if (pair) c.pair = *pair;
     }},
    {"first signature", 2,
     [](Conversation& c) {
       expect_ok(c.card->sign(c.pair.private_key, Scheme::rsa_pkcs1, digest_info));
     }},
    {"later signature", 1,
     [](Conversation& c) {
       expect_ok(c.card->sign(c.pair.private_key, Scheme::rsa_pkcs1, digest_info));
     }},
    {"the bare power", 3,
     [](Conversation& c) {
       expect_ok(c.card->sign(c.pair.private_key, Scheme::rsa_raw, Bytes(256, 0x42)));
     }},
    {"decrypt", 5,
     [](Conversation& c) {
       // "hello" under this very key, which is that of the card's seed.
       Bytes block{0x00, 0x02};
       block.resize(256 - 6, 0x55);
       append(block, {0x00, 'h', 'e', 'l', 'l', 'o'});
       const auto cryptogram = public_power(c.pair.public_key, block);
       const auto plain = c.card->decrypt(c.pair.private_key, Scheme::rsa_pkcs1, cryptogram);
       ASSERT_TRUE(plain.ok()) << why(plain);
       EXPECT_EQ(as_text(*plain), "hello");
     }},
    {"install a certificate of 486 bytes", 12,
     [](Conversation& c) {
       expect_ok(c.card->install_certificate({}, certificate_for(c.pair.public_key, "A", 486)));
     }},
    {"log out", 1, [](Conversation& c) { expect_ok(c.card->logout()); }},
    {"list, log in, sign", 8,
     [](Conversation& c) {
       c.card->forget_state();
       c.card->forget_objects();
       const auto found = c.card->list();
       ASSERT_TRUE(found.ok() && found->keys.size() == 1) << why(found);
       expect_ok(c.card->login(Role::user, secret(jacarta_user_pin)));
       expect_ok(c.card->sign(found->keys[0], Scheme::rsa_pkcs1, digest_info));
     },
     true},
    {"random", 1, [](Conversation& c) { expect_ok(c.card->random(32)); }},
    {"store private data", 8,
     [](Conversation& c) {
       expect_ok(c.card->store_data({"note", "kilt", {}, true}, as_bytes("private")));
     }},
    {"change a label", 18,
     [](Conversation& c) {
       card::AttributeChange change;
       change.label = "another label";
       expect_ok(c.card->change_attributes(c.pair.private_key.ref, change));
     }},
    {"change the PIN", 7,
     [](Conversation& c) {
       expect_ok(c.card->change_pin(Role::user, secret(jacarta_user_pin), secret("another pin")));
     }},
    {"officer unblocks", 10,
     [](Conversation& c) {
       expect_ok(c.card->login(Role::security_officer, secret(jacarta_officer_pin)));
       expect_ok(c.card->set_user_pin(secret(jacarta_user_pin)));
     }},
    {"import a key", 30,
     [](Conversation& c) {
       expect_ok(c.card->login(Role::user, secret(jacarta_user_pin)));
       card::ImportRequest request;
       request.label = "imported";
       expect_ok(c.card->import_private_key(request, some_key()));
     }},
    {"delete the key", 14,
     [](Conversation& c) { expect_ok(c.card->delete_object(c.pair.private_key.ref)); }},
    {"initialise", 99,
     [](Conversation& c) {
       expect_ok(c.card->initialise("kilt", secret(jacarta_officer_pin)));
       EXPECT_EQ(c.card->login(Role::user, secret(jacarta_user_pin)).error().kind,
                 ErrorKind::pin_not_set);
     }},
    {"officer sets the user PIN", 17,
     [](Conversation& c) {
       expect_ok(c.card->login(Role::security_officer, secret(jacarta_officer_pin)));
       expect_ok(c.card->set_user_pin(secret(jacarta_user_pin)));
     }},
};

std::string file_name() {
  return std::string(KILT_SOURCE_DIR) + "/tests/vectors/jacarta.vec";
}
constexpr const char* atr = "3BDC18FF8191FE1FC38073C821136601061159000128";

std::string heading(const Workflow& workflow) {
  return std::string("workflow: ") + workflow.name + "; budget: " + std::to_string(workflow.budget);
}

/// Our side's random bytes, the same each time: 00 01 02...
card::jacarta::RandomSource counting() {
  auto next = std::make_shared<std::uint8_t>(0);
  return [next](std::size_t count) -> Result<Bytes> {
    Bytes bytes(count);
    for (auto& byte : bytes)
      byte = (*next)++;
    return bytes;
  };
}

/// As identify() makes it, but for the random bytes.
std::unique_ptr<card::Card> make_card(std::unique_ptr<apdu::Transport> transport) {
  const auto* driver = card::candidates(transport->atr()).front();
  EXPECT_STREQ(driver->name, "jacarta");
  auto link = std::make_unique<card::Link>(std::move(transport), nullptr);
  const auto all = driver->applications(*link, card::LookFor::tokens);
  EXPECT_TRUE(all.ok()) << why(all);
  if (!all) return nullptr;
  const auto selected = driver->select_application(*link, *all, 0);
  EXPECT_TRUE(selected.ok()) << why(selected);
  return std::make_unique<card::jacarta::JacartaCard>(std::move(link), counting());
}

TEST(JacartaVector, DriverSaysWhatTheFileSays) {
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
    // identify() ran before the first workflow.
    const auto from = &workflow == workflows ? 0 : replay->position();
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

/// "00 A4 08 04 04...", in lines that the eye can take.
std::string written(const std::string& hex, std::size_t header) {
  constexpr std::size_t line = 128;
  std::string text;
  for (std::size_t i = 0; i < hex.size(); i += 2) {
    if (i > 0 && i <= header) text += " ";
    if (i > 0 && i % line == 0) text += "\n  ";
    text += hex.substr(i, 2);
  }
  return text;
}

/// Files hold a time: in TokenInfo "20261122083000Z ", in EEEF the date alone.
std::string without_times(std::string text) {
  const std::string info = "0100010132303", date = "02C708323";
  if (const auto at = text.find(info); at != std::string::npos)
    text.replace(at + 8, 28, " {any:14} ");
  if (const auto at = text.find(date); at != std::string::npos)
    text.replace(at + 6, 16, " {any:8} ");
  return text;
}

TEST(JacartaVector, DriverMeetsTheSimulatedCardWithinTheBudgets) {
  sim::ChipOptions options;
  options.seed = 42;
  options.serial = "0B5234A1C3D90007";
  ChipBench bench("jacarta", options);
  const char* target = std::getenv("KILT_WRITE_VECTOR");
  std::ofstream out;
  if (target) out.open(target);
  bool is_first = true;
  const auto begin = [&](const Workflow& workflow) {
    out << (is_first ? "" : "\n") << "; " << heading(workflow) << "\n";
    is_first = false;
    bench.exchanges = 0;
  };
  bench.watch = [&](ByteView command, ByteView answer) {
    out << "> " << without_times(written(to_hex(command), 8)) << "\n< "
        << without_times(written(to_hex(answer), 0)) << "\n";
  };
  begin(workflows[0]);
  Conversation conversation{make_card(std::make_unique<ChipTransport>(bench)), {}};
  ASSERT_NE(conversation.card, nullptr);
  for (const auto& workflow : workflows) {
    if (workflow.reset_first) {
      bench.chip->reset();
      out << "\n! reset\n";
    }
    if (&workflow != workflows) begin(workflow);
    workflow.run(conversation);
    EXPECT_LE(bench.exchanges, workflow.budget) << workflow.name;
    if (target) printf("%s: %d\n", workflow.name, static_cast<int>(bench.exchanges));
  }
}

}  // namespace
}  // namespace kilt::test
