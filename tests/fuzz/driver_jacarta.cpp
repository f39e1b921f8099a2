// SPDX-License-Identifier: Apache-2.0
// The JaCarta driver on a card that answers anything. Input: which operation (1 byte), then
// answers, each a two-byte length and that many bytes; when they are used up the card is pulled.
#include <algorithm>

#include "drivers/registry.hpp"
#include "tests/apdu/scripted_transport.hpp"
#include "tests/drivers/jacarta_vendor_files.hpp"
#include "tests/fuzz/fuzz.hpp"

namespace kilt::fuzz {
namespace {

namespace vendor = test::vendor;

constexpr std::uint8_t operations = 17;

void add(Bytes& input, const Bytes& answer) {
  append_be16(input, answer.size());
  append(input, answer);
}

void add(Bytes& input, std::string_view hex) {
  add(input, from_hex(hex).value());
}

/// What SELECT tells of a file: 41 an EF, 48 a key object, 78 a DF.
void add_facts(Bytes& input, std::uint8_t descriptor, std::size_t size,
               std::string_view properties = "") {
  const Bytes extra = from_hex(properties).value();
  Bytes answer{0x62, static_cast<std::uint8_t>(17 + extra.size()), 0x8A, 0x01, 0x04, 0x80, 0x02};
  append_be16(answer, size);
  append(answer, {0x87, 0x01, descriptor, 0x86, 0x05, 0x00, 0x01, 0x00, 0x01, 0x00});
  append(answer, extra);
  append(answer, {0x90, 0x00});
  add(input, answer);
}

void add_file(Bytes& input, std::string_view hex) {
  const Bytes content = from_hex(hex).value();
  add_facts(input, 0x41, content.size());
  for (std::size_t at = 0; at < content.size(); at += 256) {
    Bytes answer =
        copy_of(ByteView(content).subspan(at, std::min<std::size_t>(256, content.size() - at)));
    append(answer, {0x90, 0x00});
    add(input, answer);
  }
}

/// The LASER applet and no other.
Bytes begin(unsigned operation) {
  Bytes input{static_cast<std::uint8_t>(operation)};
  for (const char* answer : {"9000", "6A82", "6A82", "6A82"})
    add(input, answer);
  return input;
}

constexpr const char* pin_properties = "850F C0010000 AA AA 0410000000000010 10";

void add_login(Bytes& input) {
  add_facts(input, 0x48, 16, pin_properties);
  add(input, "0011223344556677 9000");
  add(input, "9000");
}

/// Both directories with one of everything, in the order in which a listing asks.
void add_objects(Bytes& input) {
  add_file(input, vendor::freshness);
  add_facts(input, 0x78, 0);
  add(input, "D10200 05 D2020140 D2028400 D2020440 D2020600 D202867F 9000");
  add_file(input, vendor::public_key);
  add_facts(input, 0x78, 0);
  add(input, "D1020003 D2020200 D2020601 D2020A01 9000");
  add_file(input, vendor::private_key);
  add_file(input, vendor::certificate);
  for (int i = 0; i < 4; ++i)
    add_file(input, vendor::container_map);
}

void add_agreement(Bytes& input) {
  // The 768-bit group of RFC 2409, and a value in it.
  add(input,
      "800102 8160"
      "FFFFFFFFFFFFFFFFC90FDAA22168C234C4C6628B80DC1CD129024E088A67CC74020BBEA63B139B22514A08798E34"
      "04DDEF9519B3CD3A431B302B0A6DF25F14374FE1356D6D51C245E485B576625E7EC6F44C42E9A63A3620FFFFFFFF"
      "FFFFFFFF 820103 9000");
  add(input, std::string(64, '4') + "9000");
  add(input, "99029000 8E080011223344556677 9000");
}

}  // namespace

std::vector<Bytes> seeds() {
  std::vector<Bytes> made;
  for (unsigned operation = 0; operation < operations; ++operation) {
    auto plain = begin(operation);
    add_objects(plain);
    made.push_back(std::move(plain));
    for (const unsigned role : {0x80U, 0x40U}) {
      auto logged_in = begin(operation | role);
      add_login(logged_in);
      add_objects(logged_in);
      for (int i = 0; i < 30; ++i)
        add(logged_in, "9000");
      made.push_back(std::move(logged_in));
      auto agreeing = begin(operation | role);
      for (int i = 0; i < 2; ++i) {
        add_login(agreeing);
        add_agreement(agreeing);
      }
      made.push_back(std::move(agreeing));
    }
  }
  return made;
}

namespace {

using namespace kilt::card;

class JacartaScript : public test::ScriptedTransport {
 public:
  using ScriptedTransport::ScriptedTransport;
  [[nodiscard]] ByteView atr() const override { return atr_; }

 private:
  Bytes atr_ = from_hex("3BDC18FF8191FE1FC38073C821136601061159000128").value();
};

SecretBytes pin() {
  return SecretBytes::copy_of(as_bytes("1234567890"));
}

KeyInfo some_key() {
  KeyInfo key;
  key.ref = {ObjectClass::private_key, 0x0200};
  key.id = {0x4B, 0x31};
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
  made.bits = 2048;
  made.id = {1};
  made.usage.sign = true;
  return made;
}

Status change(Card& card, const ObjectRef& object) {
  AttributeChange wanted;
  wanted.label = std::string(250, 'x');
  if (object.object_class != ObjectClass::data) wanted.id = Bytes{1, 2, 3};
  return card.change_attributes(object, wanted);
}

Bytes some_certificate() {
  const Bytes file = from_hex(vendor::certificate).value();
  constexpr std::size_t at = 70, size = 486;  // its value within the file
  return copy_of(ByteView(file).subspan(at, std::min(size, file.size() - at)));
}

PublicKey some_public_key() {
  PublicKey key;
  key.modulus = Bytes(256, 0xC1);
  key.exponent = {1, 0, 1};
  return key;
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
      return (void)card.delete_object({ObjectClass::private_key, 0x0200}).ok();
    case 11:
      return (void)card.initialise("label", pin()).ok();
    case 12:
      return (void)card.random(100).ok();
    case 13:
      return (void)change(card, {ObjectClass::private_key, 0x0200}).ok();
    case 14:
      return (void)change(card, {ObjectClass::certificate, 0x8400}).ok();
    case 15:
      return (void)card.install_certificate({{}, {}, false, true}, some_certificate()).ok();
    default:
      return (void)card.store_public_key({{1}, "p", {}}, some_public_key()).ok();
  }
}

}  // namespace
}  // namespace kilt::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace kilt;
  fuzz::Input input(data, size);
  const std::uint8_t choice = input.u8();
  int exchanges = 0;
  auto transport = std::make_unique<fuzz::JacartaScript>([&](ByteView) -> Result<Bytes> {
    fuzz::check(++exchanges < 10000, "an operation ends");
    if (input.empty()) return Error{ErrorKind::removed, "pulled"};
    Bytes answer = copy_of(input.take(input.u16()));
    if (answer.size() < 2) answer = {0x90, 0x00};
    return answer;
  });
  auto card = card::identify(std::move(transport), nullptr);
  if (!card) return 0;
  if ((choice & 0x80) != 0) (void)(*card)->login(card::Role::user, fuzz::pin()).ok();
  if ((choice & 0x40) != 0) (void)(*card)->login(card::Role::security_officer, fuzz::pin()).ok();
  fuzz::perform(**card, (choice & 0x3F) % fuzz::operations);
  return 0;
}
