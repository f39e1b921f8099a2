// SPDX-License-Identifier: Apache-2.0
// A driver, found by its name, on a card that answers anything. Input: which operation (1 byte),
// then answers, each a two-byte length and that many bytes; when they are used up the card is
// pulled. Seeds: what the card answers in each workflow of its vector file.
#include <algorithm>
#include <iterator>
#include <string_view>

#include "apdu/trace.hpp"
#include "drivers/registry.hpp"
#include "tests/apdu/scripted_transport.hpp"
#include "tests/fuzz/fuzz.hpp"

namespace kilt::fuzz {
namespace {

using namespace kilt::card;

const Driver& driver() {
  for (const auto* one : drivers()) {
    if (one->name == std::string_view(KILT_CARD)) return *one;
  }
  check(false, "the driver " KILT_CARD " is in the registry");
  std::abort();
}

apdu::VectorFile vector_file() {
  auto file = apdu::VectorFile::load(KILT_CARD_VECTOR);
  check(file.ok(), "the seed is a vector file");
  return std::move(*file);
}

/// The ATR that is the card's surest.
Bytes first_atr() {
  return driver().atrs().front().atr;
}

class Script : public test::ScriptedTransport {
 public:
  using ScriptedTransport::ScriptedTransport;
  [[nodiscard]] ByteView atr() const override { return atr_; }

 private:
  Bytes atr_ = first_atr();
};

SecretBytes pin() {
  const auto& factory = driver().model().factory.user_pin;
  return SecretBytes::copy_of(as_bytes(factory.empty() ? "12345678" : factory));
}

/// Each thing that the card says it has is read and used, and then changed.
void use_everything(Card& card) {
  const auto found = card.list();
  if (!found) return;
  for (const auto& key : found->public_keys)
    (void)card.read_public_key(key.ref).ok();
  for (const auto& key : found->keys) {
    (void)card.sign(key, Scheme::rsa_pkcs1, Bytes(51, 0x31)).ok();
    (void)card.decrypt(key, Scheme::rsa_pkcs1, Bytes(key.bits / 8, 0x42)).ok();
  }
  for (const auto& certificate : found->certificates)
    (void)card.read_certificate(certificate.ref).ok();
  for (const auto& data : found->data)
    (void)card.read_data(data.ref).ok();
}

void change_everything(Card& card) {
  const auto found = card.list();
  if (!found) return;
  AttributeChange change;
  change.label = std::string(250, 'x');
  for (const auto& key : found->keys) {
    (void)card.change_attributes(key.ref, change).ok();
    (void)card.delete_object(key.ref).ok();
  }
}

using Operation = void (*)(Card&);

const Operation operations[] = {
    use_everything,
    change_everything,
    [](Card& card) { (void)card.token_info().ok(); },
    [](Card& card) { (void)card.pin_status(Role::user).ok(); },
    [](Card& card) { (void)card.pin_status(Role::security_officer).ok(); },
    [](Card& card) { (void)card.login(Role::user, pin()).ok(); },
    [](Card& card) { (void)card.change_pin(Role::user, pin(), pin()).ok(); },
    [](Card& card) { (void)card.set_user_pin(pin()).ok(); },
    [](Card& card) { (void)card.generate({}).ok(); },
    [](Card& card) { (void)card.initialise("label", pin()).ok(); },
    [](Card& card) { (void)card.random(100).ok(); },
    [](Card& card) {
      if (card.login(Role::user, pin())) use_everything(card);
      (void)card.logout().ok();
    },
};

Bytes answers(const apdu::VectorFile& file, std::size_t first, std::size_t end) {
  Bytes input;
  for (std::size_t i = first; i < end; ++i) {
    const auto answer = file.steps[i].answer.fill({});
    if (file.steps[i].kind == apdu::VectorStep::Kind::reset || !answer) continue;
    append_be16(input, answer->size());
    append(input, *answer);
  }
  return input;
}

}  // namespace

std::vector<Bytes> seeds() {
  const auto file = vector_file();
  std::vector<std::size_t> starts;
  for (std::size_t i = 0; i < file.steps.size(); ++i) {
    if (i == 0 || file.steps[i].comment.starts_with("workflow: ")) starts.push_back(i);
  }
  starts.push_back(file.steps.size());
  std::vector<Bytes> made;
  for (std::size_t i = 0; i + 1 < starts.size(); ++i) {
    const Bytes told = answers(file, starts[i], starts[i + 1]);
    for (std::uint8_t operation = 0; operation < std::size(operations); ++operation) {
      Bytes input{operation};
      append(input, told);
      // As it goes on; bounded, so that a long file does not make a slow test.
      append(input, answers(file, starts[i + 1], std::min(starts[i + 1] + 8, file.steps.size())));
      made.push_back(std::move(input));
    }
  }
  return made;
}

}  // namespace kilt::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace kilt;
  fuzz::Input input(data, size);
  const std::uint8_t choice = input.u8();
  int exchanges = 0;
  auto transport = std::make_unique<fuzz::Script>([&](ByteView) -> Result<Bytes> {
    fuzz::check(++exchanges < 10000, "an operation ends");
    if (input.empty()) return Error{ErrorKind::removed, "pulled"};
    Bytes answer = copy_of(input.take(input.u16()));
    if (answer.size() < 2) answer = {0x90, 0x00};
    return answer;
  });
  auto made = card::identify(std::move(transport), nullptr);
  if (!made) return 0;
  auto transaction = apdu::Transaction::begin((*made)->link().transport());
  fuzz::operations[choice % std::size(fuzz::operations)](**made);
  return 0;
}
