// SPDX-License-Identifier: Apache-2.0
// The eToken driver on a card that answers anything. Input: which operation (1 byte), then answers,
// each a two-byte length and that many bytes; when they are used up the card is pulled.
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

void add(Bytes& input, std::string_view hex) {
  add(input, from_hex(hex).value());
}

/// A file as the card shows it: control information, then its content.
void add_file(Bytes& input, std::uint16_t id, std::string_view content_hex, std::size_t size) {
  Bytes control = from_hex("010102 0202 0000 0302 0000 0408 0011FF11FFFF2100").value();
  const auto put = [&](std::size_t at, std::size_t value) {
    control[at] = static_cast<std::uint8_t>(value >> 8);
    control[at + 1] = static_cast<std::uint8_t>(value);
  };
  put(5, id);
  put(9, size);
  append(control, {0x90, 0x00});
  add(input, control);
  Bytes content = from_hex(content_hex).value();
  content.resize(size);
  append(content, {0x90, 0x00});
  add(input, content);
}

constexpr const char* applet = "6F108407A0000003120202A5059F65020212 9000";

Bytes begin(std::uint8_t operation) {
  Bytes input{operation};
  add(input, applet);
  return input;
}

void add_login(Bytes& input) {
  add_file(input, 0x000F, "000102030405060708090A0B0C0D0E0F10111213", 20);
  add(input, "0011223344556677 9000");
  add(input, "9000");
}

void add_key(Bytes& input) {
  add_file(input, 0x0002, "118080" + std::string(254, '1') + "1203010001", 135);
}

/// A list, then objects with attributes as they are asked for: keys, certificates, data.
void add_objects(Bytes& input) {
  add(input, "9000");
  add(input, "0A08 3001 1001 2001 4001 9000");
  add_file(input, 0x0001, "210141 220131 240105 250101 28020400", 256);
  add_file(input, 0x0001, "210142 220132 28020400", 128);
  add_file(input, 0x0001, "210141 220131", 128);
  add_file(input, 0x0001, "210144 2603617070", 128);
  for (int i = 0; i < 4; ++i)
    add_key(input);
}

}  // namespace

std::vector<Bytes> seeds() {
  std::vector<Bytes> made;
  for (std::uint8_t operation = 0; operation < 16; ++operation) {
    auto plain = begin(operation);
    add_objects(plain);
    made.push_back(std::move(plain));
    auto logged_in = begin(static_cast<std::uint8_t>(operation | 0x80));
    add_login(logged_in);
    add_objects(logged_in);
    for (int i = 0; i < 20; ++i)
      add(logged_in, "9000");
    made.push_back(std::move(logged_in));
    // A login that is used up again and again.
    auto used_up = begin(static_cast<std::uint8_t>(operation | 0x80));
    add_login(used_up);
    for (int i = 0; i < 20; ++i) {
      add(used_up, "6982");
      add(used_up, "0011223344556677 9000");
      add(used_up, "9000");
      add(used_up, "9000");
    }
    made.push_back(std::move(used_up));
  }
  auto lists = begin(0);
  add(lists, "9000");
  Bytes list{0x0A, 0xFC};
  for (unsigned i = 0; i < 126; ++i)
    append_be16(list, 0x1001 + i);
  append(list, {0x90, 0x00});
  add(lists, list);
  made.push_back(std::move(lists));
  auto result = begin(0x80 | 7);
  add_login(result);
  add(result, "9000");
  add(result, "1080" + std::string(256, '2') + "9000");
  made.push_back(std::move(result));
  return made;
}

namespace {

using namespace kilt::card;

class EtokenScript : public test::ScriptedTransport {
 public:
  using ScriptedTransport::ScriptedTransport;
  [[nodiscard]] ByteView atr() const override { return atr_; }

 private:
  Bytes atr_ = from_hex("3BD518008131FE7D8073C82110F4").value();
};

SecretBytes pin() {
  return SecretBytes::copy_of(as_bytes("1234567890"));
}

KeyInfo some_key() {
  KeyInfo key;
  key.ref = {ObjectClass::private_key, 0x3001};
  key.id = {0x45};
  key.bits = 1024;
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

void change(Card& card, const ObjectRef& object) {
  AttributeChange wanted;
  wanted.label = std::string(250, 'x');
  wanted.id = Bytes{1, 2, 3};
  (void)card.change_attributes(object, wanted).ok();
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
      return (void)card.decrypt(some_key(), Scheme::rsa_pkcs1, Bytes(128)).ok();
    case 9:
      return (void)card.store_data({"d", "a", {}, true}, Bytes(700)).ok();
    case 10:
      return (void)card.delete_object({ObjectClass::private_key, 0x3001}).ok();
    case 11:
      return (void)card.initialise("label", pin()).ok();
    case 12:
      return (void)card.random(100).ok();
    case 13: {
      PublicKey key;
      key.modulus = Bytes(128, 0xC1);
      key.exponent = {1, 0, 1};
      return (void)card.store_public_key({}, key).ok();
    }
    case 14:
      return change(card, {ObjectClass::private_key, 0x3001});
    default:
      read_everything(card);
      return change(card, {ObjectClass::certificate, 0x1001});
  }
}

}  // namespace
}  // namespace kilt::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace kilt;
  fuzz::Input input(data, size);
  const std::uint8_t choice = input.u8();
  int exchanges = 0, refusals = 0;
  auto transport = std::make_unique<fuzz::EtokenScript>([&](ByteView command) -> Result<Bytes> {
    fuzz::check(++exchanges < 20000, "an operation ends");
    if (input.empty()) return Error{ErrorKind::removed, "pulled"};
    Bytes answer = copy_of(input.take(input.u16()));
    if (answer.size() < 2) answer = {0x90, 0x00};
    const bool is_login = command.size() > 1 && command[0] == 0x80 && command[1] == 0x11;
    if (is_login) {
      // Three logins are asked for at most; a refused key is not sent again by itself.
      fuzz::check(refusals <= 3, "a wrong PIN costs one try");
      if (answer[answer.size() - 2] == 0x63) ++refusals;
    }
    return answer;
  });
  transport->reader_limits = {539, 532, true};
  auto card = card::identify(std::move(transport), nullptr);
  if (!card) return 0;
  if ((choice & 0x80) != 0) (void)(*card)->login(card::Role::user, fuzz::pin()).ok();
  if ((choice & 0x40) != 0) (void)(*card)->login(card::Role::security_officer, fuzz::pin()).ok();
  fuzz::perform(**card, choice & 0x0F);
  return 0;
}
