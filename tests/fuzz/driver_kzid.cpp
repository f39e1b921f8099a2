// SPDX-License-Identifier: Apache-2.0
// The ID card's driver on a card that answers anything. Input: which operation (1 byte), then
// answers, each a two-byte length and that many bytes; when they are used up the card is pulled.
#include "drivers/kzid_card.hpp"
#include "tests/apdu/scripted_transport.hpp"
#include "tests/fuzz/fuzz.hpp"

namespace kilt::fuzz {
namespace {

using namespace kilt::card;

constexpr std::uint8_t operations = 14;

void add(Bytes& input, Bytes answer, std::string_view status = "9000") {
  append(answer, from_hex(status).value());
  append_be16(input, answer.size());
  append(input, answer);
}

void add(Bytes& input, std::string_view hex) {
  add(input, from_hex(hex).value(), "");
}

/// A file of DF 0101: selected, then its first bytes.
void add_file(Bytes& input, std::string_view hex, std::size_t size = 256) {
  add(input, "9000");
  Bytes content = from_hex(hex).value();
  content.resize(size);
  add(input, content);
}

/// A key object that is full, as over T=0.
void add_key(Bytes& input, std::uint8_t number) {
  add(input, "6100");
  Bytes answer{0xFF, 0xA0, number};
  append(answer, from_hex("820109 7F49820104 81820100").value());
  answer.resize(256, 0xC5);
  add(input, answer, "610F");
  add(input, Bytes(15, 0xC5));
}

/// A card with one of everything.
Bytes whole_card(std::uint8_t operation) {
  Bytes input{operation};
  add(input, "9000");
  add_file(input, "A00A300804063F0001014402 A10A300804063F0001014403 A40A300804063F0001014404",
           128);
  add_file(input,
           "302D300A0C0441555448030206C0300F04013103020520030203B802020087A10E300C300604043F0001"
           "01020208000000");
  add_file(input,
           "302C300A0C0441555448030206 40300E0401310302010201010002020087A10E300C300604043F000101"
           "0202080000");
  add_key(input, 7);
  add(input, "6A88");
  add(input, "6A88");
  add(input, "6A82");
  add_file(input, "3022300B0C0563657274310302064030030401 31A10E300C300A04063F0001014301");
  for (int i = 0; i < 8; ++i)
    add_file(input, "3082010A0282010100C0");
  return input;
}

}  // namespace

std::vector<Bytes> seeds() {
  std::vector<Bytes> made;
  for (std::uint8_t operation = 0; operation < operations; ++operation) {
    made.push_back(whole_card(operation));
    // Logged in, in the MF, in DF 0101; then the card as above.
    Bytes logged_in{static_cast<std::uint8_t>(operation | 0x80)};
    add(logged_in, "9000");
    add(logged_in, "9000");
    const Bytes card = whole_card(0);
    logged_in.insert(logged_in.end(), card.begin() + 1, card.end());
    for (int i = 0; i < 40; ++i)
      add(logged_in, "9000");
    made.push_back(std::move(logged_in));
  }
  // A card without directories, with one key.
  Bytes bare{0};
  for (const char* answer : {"9000", "6A82", "9000", "9000", "6A82"})
    add(bare, answer);
  add_key(bare, 7);
  for (int i = 0; i < 3; ++i)
    add(bare, "6A82");
  made.push_back(std::move(bare));
  return made;
}

namespace {

class KzidScript : public test::ScriptedTransport {
 public:
  using ScriptedTransport::ScriptedTransport;
  [[nodiscard]] ByteView atr() const override { return atr_; }

 private:
  Bytes atr_ = from_hex("3B3E9500534F4D412D633030372D44533161").value();
};

SecretBytes pin() {
  return SecretBytes::copy_of(as_bytes("12345678"));
}

KeyInfo some_key() {
  KeyInfo key;
  key.ref = {ObjectClass::private_key, 7};
  key.id = {0x31};  // as the directory of whole_card() has it
  key.bits = 2048;
  return key;
}

GenerateRequest request() {
  GenerateRequest made;
  made.usage.sign = true;
  return made;
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
}

void change(Card& card) {
  AttributeChange wanted;
  wanted.label = std::string(250, 'x');
  wanted.id = Bytes{1, 2, 3};
  (void)card.change_attributes({ObjectClass::private_key, 7}, wanted).ok();
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
      return (void)card.delete_object({ObjectClass::certificate, 0x4301}).ok();
    case 9:
      return (void)card.list_classes({true, false, false, false}).ok();
    case 10:
      return (void)card.delete_object({ObjectClass::private_key, 7}).ok();
    case 11:
      return (void)card.delete_object({ObjectClass::public_key, 7}).ok();
    case 12:
      return (void)card.random(100).ok();
    default:
      return change(card);
  }
}

}  // namespace
}  // namespace kilt::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace kilt;
  fuzz::Input input(data, size);
  const std::uint8_t choice = input.u8();
  int exchanges = 0;
  auto transport = std::make_unique<fuzz::KzidScript>([&](ByteView) -> Result<Bytes> {
    fuzz::check(++exchanges < 10000, "an operation ends");
    if (input.empty()) return Error{ErrorKind::removed, "pulled"};
    Bytes answer = copy_of(input.take(input.u16()));
    if (answer.size() < 2) answer = {0x90, 0x00};
    return answer;
  });
  transport->spoken = apdu::Protocol::t0;
  // Without side files: nothing of this machine plays a part.
  card::kzid::KzidCard card(std::make_unique<card::Link>(std::move(transport), nullptr),
                            card::SideFiles(std::string()));
  if ((choice & 0x80) != 0) (void)card.login(card::Role::user, fuzz::pin()).ok();
  if ((choice & 0x40) != 0) (void)card.login(card::Role::security_officer, fuzz::pin()).ok();
  fuzz::perform(card, (choice & 0x3F) % fuzz::operations);
  return 0;
}
