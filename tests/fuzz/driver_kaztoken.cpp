// SPDX-License-Identifier: Apache-2.0
// The Kaztoken driver on a card that answers anything. Input: which operation (1 byte), then
// answers, each a two-byte length and that many bytes; when they are used up the card is pulled.
#include <algorithm>

#include "drivers/registry.hpp"
#include "tests/apdu/scripted_transport.hpp"
#include "tests/fuzz/fuzz.hpp"

namespace kilt::fuzz {
namespace {

void add(Bytes& input, const Bytes& answer) {
  append_be16(input, answer.size());
  append(input, answer);
}

void add(Bytes& input, const char* hex) {
  add(input, from_hex(hex).value());
}

/// A file as the card shows it: control information, then its first 256 bytes.
void add_file(Bytes& input, const char* content_hex, std::size_t size) {
  Bytes control = from_hex("6F0C 8002 0000 82020100 83025031").value();
  control[4] = static_cast<std::uint8_t>(size >> 8);
  control[5] = static_cast<std::uint8_t>(size);
  append(control, {0x90, 0x00});
  add(input, control);
  Bytes content = from_hex(content_hex).value();
  content.resize(std::min<std::size_t>(size, 256));
  append(content, {0x90, 0x00});
  add(input, content);
}

/// A card with one of everything [facts kaztoken §10.4].
Bytes whole_card(std::uint8_t operation) {
  Bytes input{operation};
  add_file(input,
           "A80A300804063F0050006005A00A300804063F0050006002A10A300804063F0050006001"
           "A40A300804063F0050006004A70A300804063F0050006006",
           128);
  add_file(input,
           "3035300D0C046B657931030206C0040102300E04014503020520030203B8020101"
           "A1143012300C040A3F00100010006002000102020800",
           2048);
  add_file(input,
           "302D300A0C047075623103020640300D0401450302008B010100020100"
           "A110300E300804063F005000020002020800",
           2048);
  add_file(input, "3020300B0C0563657274310302064030030401 45A10C300A300804063F0050000300", 2048);
  add_file(input, "3020300B0C026431030206C004010230050C03617070A10A300804063F0050000500", 2048);
  for (int i = 0; i < 8; ++i)
    add_file(input, "3082010A0282010100C0", 270);
  return input;
}

}  // namespace

std::vector<Bytes> seeds() {
  std::vector<Bytes> made;
  for (std::uint8_t operation = 0; operation < 14; ++operation) {
    made.push_back(whole_card(operation));
    Bytes logged_in{static_cast<std::uint8_t>(operation | 0x80)};
    add(logged_in, "9000");
    const Bytes card = whole_card(0);
    logged_in.insert(logged_in.end(), card.begin() + 1, card.end());
    for (int i = 0; i < 40; ++i)
      add(logged_in, "9000");
    made.push_back(std::move(logged_in));
  }
  // A card without an application, with a key.
  Bytes bare{0};
  add(bare, "6A82");
  add(bare, "6F0F 80020000 82023800 83026002 8A0105 9000");
  add(bare, "6F14 80020288 82021000 83020001 8506230000AA0000 9000");
  add(bare, "6A82");
  made.push_back(std::move(bare));
  return made;
}

namespace {

using namespace kilt::card;

class KaztokenScript : public test::ScriptedTransport {
 public:
  using ScriptedTransport::ScriptedTransport;
  [[nodiscard]] ByteView atr() const override { return atr_; }

 private:
  Bytes atr_ = from_hex("3B88014B415A544F4B454E82").value();
};

SecretBytes pin() {
  return SecretBytes::copy_of(as_bytes("12345678"));
}

KeyInfo some_key() {
  KeyInfo key;
  key.ref = {ObjectClass::private_key, 1};
  key.id = {0x45};
  key.bits = 2048;
  return key;
}

void read_everything(Card& card) {
  const auto found = card.list();
  if (!found) return;
  for (const auto& key : found->keys)
    (void)card.read_public_key(key.ref).ok();
  for (const auto& key : found->public_keys)
    (void)card.read_public_key(key.ref).ok();
  for (const auto& certificate : found->certificates)
    (void)card.read_certificate(certificate.ref).ok();
  for (const auto& data : found->data)
    (void)card.read_data(data.ref).ok();
}

GenerateRequest request() {
  GenerateRequest made;
  made.bits = 1024;
  made.id = {1};
  made.usage.sign = true;
  return made;
}

void perform(Card& card, unsigned operation) {
  switch (operation) {
    case 0:
      return read_everything(card);
    case 1:
      return (void)card.token_info().ok();
    case 2:
      return (void)card.pin_status(Role::user).ok();
    case 3:
      return (void)card.login(Role::user, pin()).ok();
    case 4:
      return (void)card.change_pin(Role::user, pin(), pin()).ok();
    case 5:
      return (void)card.set_user_pin(pin()).ok();
    case 6:
      return (void)card.generate(request()).ok();
    case 7:
      return (void)card.sign(some_key(), Scheme::rsa_pkcs1, Bytes(51)).ok();
    case 8:
      return (void)card.decrypt(some_key(), Scheme::rsa_pkcs1, Bytes(256)).ok();
    case 9:
      return (void)card.store_data({"d", "a", {}, true}, Bytes(300)).ok();
    case 10:
      return (void)card.delete_object({ObjectClass::private_key, 1}).ok();
    case 11:
      return (void)card.initialise("label", pin()).ok();
    case 12:
      return (void)card.random(100).ok();
    default: {
      AttributeChange change;
      change.label = std::string(250, 'x');
      change.id = Bytes{1, 2, 3};
      return (void)card.change_attributes({ObjectClass::certificate, 0x300}, change).ok();
    }
  }
}

}  // namespace
}  // namespace kilt::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace kilt;
  fuzz::Input input(data, size);
  const std::uint8_t choice = input.u8();
  int exchanges = 0;
  auto transport = std::make_unique<fuzz::KaztokenScript>([&](ByteView) -> Result<Bytes> {
    fuzz::check(++exchanges < 10000, "an operation ends");
    if (input.empty()) return Error{ErrorKind::removed, "pulled"};
    Bytes answer = copy_of(input.take(input.u16()));
    if (answer.size() < 2) answer = {0x90, 0x00};
    return answer;
  });
  auto card = card::identify(std::move(transport), nullptr);
  fuzz::check(card.ok(), "the card is known by its ATR alone");
  if ((choice & 0x80) != 0) (void)(*card)->login(card::Role::user, fuzz::pin()).ok();
  if ((choice & 0x40) != 0) (void)(*card)->login(card::Role::security_officer, fuzz::pin()).ok();
  fuzz::perform(**card, (choice & 0x3F) % 14);
  return 0;
}
