// SPDX-License-Identifier: Apache-2.0
// The driver's side of a vector file that tells common workflows: those that any card has. The
// driver is found by the header `card`, its card by `atr`. It must send what stands behind ">", and
// nothing else, each workflow within the budget that the file states; and with the simulated card
// it must need no more than that. A card whose life needs other words has a test of its own,
// NAME_vector_test.cpp.
#include <algorithm>
#include <charconv>
#include <iterator>
#include <sstream>

#include "apdu/trace.hpp"
#include "drivers/registry.hpp"
#include "drivers/rsa_check.hpp"
#include "drivers/rsa_padding.hpp"
#include "tests/drivers/chip_transport.hpp"
#include "tests/drivers/kaztoken_fixture.hpp"

namespace kilt::test {
namespace {

using card::Role;
using card::Scheme;

/// One card, and what the last `list` found on it.
struct Conversation {
  std::unique_ptr<card::Card> card;
  card::Directory found;
};

template <class T>
void expect_ok(const Result<T>& result) {
  EXPECT_TRUE(result.ok()) << why(result);
}

const Bytes text(51, 0x31);

Result<Bytes> sign(Conversation& c) {
  if (c.found.keys.empty()) return Error{ErrorKind::not_found, "no key was listed before"};
  return c.card->sign(c.found.keys.front(), Scheme::rsa_pkcs1, text);
}

void list(Conversation& c) {
  auto found = c.card->list();
  expect_ok(found);
  if (found) c.found = *found;
}

void log_in(Conversation& c) {
  expect_ok(c.card->login(Role::user, secret(c.card->model().factory.user_pin)));
}

/// The signature must be that of the key which the card names.
void sign_with_first_key(Conversation& c) {
  const auto signature = sign(c);
  ASSERT_TRUE(signature.ok()) << why(signature);
  const auto key = c.card->read_public_key(c.found.keys.front().ref);
  ASSERT_TRUE(key.ok()) << why(key);
  const auto block = card::pkcs1_type1_pad(text, key->modulus.size());
  EXPECT_TRUE(block.ok() && card::is_private_power(*key, *block, *signature))
      << "the signature does not fit the key that the card names";
}

struct Workflow {
  std::string_view name;
  void (*run)(Conversation&);
};

const Workflow common[] = {
    {"identify", [](Conversation& c) { expect_ok(c.card->token_info()); }},
    {"pin status", [](Conversation& c) { expect_ok(c.card->pin_status(Role::user)); }},
    {"list", list},
    {"verify wrong",
     [](Conversation& c) {
       const auto status = c.card->login(Role::user, secret("99999999"));
       ASSERT_FALSE(status.ok());
       EXPECT_EQ(status.error().kind, ErrorKind::pin_incorrect) << why(status);
     }},
    {"log in", log_in},
    {"sign", sign_with_first_key},
    {"sign without a login",
     [](Conversation& c) {
       const auto signature = sign(c);
       ASSERT_FALSE(signature.ok());
       EXPECT_EQ(signature.error().kind, ErrorKind::not_logged_in) << why(signature);
     }},
    {"log out", [](Conversation& c) { expect_ok(c.card->logout()); }},
    {"reset",
     [](Conversation& c) {
       expect_ok(c.card->link().transport().reset());
       c.card->forget_state();
       c.card->forget_objects();
     }},
    {"find a key, log in, sign",
     [](Conversation& c) {
       list(c);
       log_in(c);
       sign_with_first_key(c);
     }},
};

/// A workflow as the file tells it: its steps, from `; workflow: NAME; budget: N` to the next.
struct Told {
  const Workflow* workflow = nullptr;
  std::size_t budget = 0;
  std::size_t first = 0, end = 0;
  int line = 0;
};

Result<Told> read_heading(std::string_view comment) {
  constexpr std::string_view mark = "workflow: ", middle = "; budget: ";
  comment = comment.substr(0, comment.find('\n'));
  const auto at = comment.find(middle);
  if (at == std::string_view::npos)
    return Error{ErrorKind::bad_data, "a workflow without a budget"};
  const auto name = comment.substr(mark.size(), at - mark.size());
  const auto number = comment.substr(at + middle.size());
  Told told;
  const auto* const end = number.data() + number.size();
  if (std::from_chars(number.data(), end, told.budget).ptr != end || number.empty())
    return Error{ErrorKind::bad_data, "a budget that is no number"};
  const auto* const found = std::find_if(std::begin(common), std::end(common),
                                         [&](const auto& w) { return w.name == name; });
  if (found == std::end(common))
    return Error{ErrorKind::bad_data, "no common workflow is called " + std::string(name)};
  told.workflow = found;
  return told;
}

Result<std::vector<Told>> workflows_of(const apdu::VectorFile& file) {
  std::vector<Told> all;
  for (std::size_t i = 0; i < file.steps.size(); ++i) {
    const auto& step = file.steps[i];
    if (step.comment.starts_with("workflow: ")) {
      auto told = read_heading(step.comment);
      if (!told) return told.error().within("line " + std::to_string(step.line));
      told->first = i;
      told->line = step.line;
      all.push_back(*told);
    }
    if (all.empty()) return Error{ErrorKind::bad_data, "the first step belongs to no workflow"};
    all.back().end = i + 1;
  }
  return all;
}

/// The names in KILT_CARD_VECTORS, apart.
std::vector<std::string> vector_files() {
  std::istringstream names(KILT_CARD_VECTORS);
  return {std::istream_iterator<std::string>(names), {}};
}

class DriverVectors : public ::testing::TestWithParam<std::string> {
 protected:
  void SetUp() override {
    auto loaded = apdu::VectorFile::load(std::string(KILT_VECTORS_DIR "/").append(GetParam()));
    ASSERT_TRUE(loaded.ok()) << why(loaded);
    file = std::move(*loaded);
    for (const char* key : {"card", "atr", "protocol"})
      ASSERT_TRUE(file.header.contains(key)) << "header " << key << ": is missing";
    auto found = workflows_of(file);
    ASSERT_TRUE(found.ok()) << why(found);
    told = std::move(*found);
  }

  /// Each in a transaction of its own, as the module and the program make them.
  static void run(Conversation& conversation, const Told& what) {
    const auto transaction = apdu::Transaction::begin(conversation.card->link().transport());
    ASSERT_TRUE(transaction.ok());
    what.workflow->run(conversation);
  }

  apdu::VectorFile file;
  std::vector<Told> told;
};

TEST_P(DriverVectors, TheDriverSaysWhatTheFileSays) {
  const auto atr = from_hex(file.header["atr"]);
  ASSERT_TRUE(atr.has_value());
  const auto drivers = card::candidates(*atr);
  ASSERT_EQ(drivers.size(), 1u) << "drivers that take the file's ATR";
  EXPECT_EQ(drivers.front()->name, file.header["card"]);

  const auto protocol = file.header["protocol"] == "t0" ? apdu::Protocol::t0 : apdu::Protocol::t1;
  auto transport = std::make_unique<apdu::ReplayTransport>(file, *atr, protocol);
  const auto* replay = transport.get();
  auto made = card::identify(std::move(transport), nullptr);
  ASSERT_TRUE(made.ok()) << why(made);
  Conversation conversation{std::move(*made), {}};
  for (const auto& what : told) {
    SCOPED_TRACE(std::string(what.workflow->name) + ", line " + std::to_string(what.line));
    ASSERT_EQ(replay->position(), what.first);
    run(conversation, what);
    ASSERT_FALSE(HasFailure());
    EXPECT_EQ(replay->position(), what.end) << "the file has more than the driver says";
    EXPECT_LE(what.end - what.first, what.budget);
  }
  EXPECT_TRUE(replay->finished());
}

TEST_P(DriverVectors, TheDriverMeetsTheSimulatedCardWithinTheBudgets) {
  sim::ChipOptions options;
  options.seed = 42;
  options.serial = file.header["serial"];
  ASSERT_NE(sim::find_profile(file.header["card"]), nullptr);
  ChipBench bench(file.header["card"].c_str(), options);
  auto made = card::identify(std::make_unique<ChipTransport>(bench), nullptr);
  ASSERT_TRUE(made.ok()) << why(made);
  Conversation conversation{std::move(*made), {}};
  for (const auto& what : told) {
    SCOPED_TRACE(std::string(what.workflow->name) + ", line " + std::to_string(what.line));
    bench.exchanges = 0;
    run(conversation, what);
    EXPECT_LE(bench.exchanges, what.budget);
  }
}

INSTANTIATE_TEST_SUITE_P(Cards, DriverVectors, ::testing::ValuesIn(vector_files()),
                         [](const auto& param) {
                           std::string name = param.param.substr(0, param.param.find('.'));
                           std::replace(name.begin(), name.end(), '-', '_');
                           return name;
                         });

}  // namespace
}  // namespace kilt::test
