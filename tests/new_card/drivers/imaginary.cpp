// SPDX-License-Identifier: Apache-2.0
// The driver of an imaginary card, to be copied for a real one. In this order: what is known of the
// card (its data sheet), a builder for each command with its evidence, the Card, and the entry of
// the registry at the end. A driver that outgrows one file goes on in NAME_*.cpp beside it.
//
// Whoever writes the driver does not read the profile of the simulated card, and the other way
// round: each number stands here with its own source, and the vector file judges both.
#include <optional>

#include "drivers/iso_card.hpp"
#include "drivers/plain_card.hpp"
#include "drivers/registry.hpp"

namespace kilt::card {
namespace imaginary {
namespace {

// ---- data sheet: every number of the card, with its source -----------------------------------

/// "IMAGINARY" in the historical bytes, T=1 [imaginary §1]. One ATR for each kind of device; where
/// another make of card has the same, the driver needs a probe (see the end of this file).
std::vector<AtrPattern> atrs() {
  return {{from_hex("3B 89 01 49 4D 41 47 49 4E 41 52 59 C7").value(), {}, "imaginary card"}};
}

/// The application that holds the key: a proprietary AID, without a registered provider [7816-4
/// §12.2.3; imaginary §2].
Bytes application_id() {
  return from_hex("F0 49 4D 41 47 01").value();
}

constexpr std::uint8_t pin_reference = 0x01;                 // [imaginary §3]
constexpr std::size_t pin_shortest = 4, pin_longest = 8;     // ASCII, no filler [imaginary §3]
constexpr int pin_tries = 3;                                 // [imaginary §3]
constexpr std::uint16_t serial_tag = 0x005A;                 // [imaginary §4]
constexpr std::size_t serial_min = 4, serial_max = 8;        // bytes [imaginary §4]
constexpr std::uint16_t modulus_tag = 0x0081;                // of the only key [imaginary §5]
constexpr std::size_t modulus_size = 256;                    // [imaginary §5]
constexpr std::size_t longest_input = modulus_size * 2 / 5;  // of a signature [imaginary §6]

/// What the module and the programs may know before they touch a card.
const CardModel& model() {
  static const CardModel& sheet = *[] {
    auto* made = new CardModel;
    made->name = "IMAGINARY CARD";
    made->factory.user_pin = "1234";  // [imaginary §3]
    Capability rsa;
    rsa.type = KeyType::rsa;
    rsa.min_bits = rsa.max_bits = rsa.bits_step = modulus_size * 8;
    rsa.sign = {Scheme::rsa_pkcs1};  // the card pads [imaginary §6]
    made->capabilities = {rsa};
    made->has_so = made->has_data_objects = false;
    made->can_initialise = made->can_set_attributes = false;
    return made;
  }();
  return sheet;
}

// ---- commands: one builder each --------------------------------------------------------------
// A builder states how the command is known, a name for people, and the source. The table in
// README.md and the guard in front of real cards need nothing else.

namespace command {

Command select_application() {
  return {apdu::select(apdu::SelectMode::by_df_name, application_id(), apdu::SelectAnswer::none),
          Evidence::published, "select the application", "[imaginary §2]"};
}

Command read_serial() {
  return {apdu::get_data(serial_tag, apdu::CommandApdu::le_max_short), Evidence::published,
          "read the serial number", "[imaginary §4]"};
}

Command read_modulus() {
  return {apdu::get_data(modulus_tag, modulus_size), Evidence::published, "read the public key",
          "[imaginary §5]"};
}

/// Nobody has said that this card answers VERIFY without data. It should, by the standard, but that
/// is a guess: Link keeps it off every real card.
Command verify_status() {
  return {apdu::verify_status(pin_reference), Evidence::assumed, "ask for the PIN's state",
          "[7816-4 §11.6.6]"};
}

Command verify(const SecretBytes& pin) {
  return {apdu::verify(pin_reference, pin.clone()), Evidence::published, "log in",
          "[imaginary §3]"};
}

/// VERIFY with P1 = FF: not verified from now on [7816-4 §11.6.6].
Command log_out() {
  constexpr std::uint8_t reset_status = 0xFF;
  return {
      apdu::CommandApdu(apdu::cla::interindustry, apdu::ins::verify, reset_status, pin_reference),
      Evidence::published, "log out", "[imaginary §3]"};
}

Command sign(ByteView input) {
  return {apdu::pso_compute_digital_signature(input, modulus_size), Evidence::published, "sign",
          "[imaginary §6]"};
}

}  // namespace command

// ---- the card --------------------------------------------------------------------------------

/// What this class does not override is refused by PlainCard, in words, without a command.
class ImaginaryCard final : public PlainCard {
 public:
  explicit ImaginaryCard(std::unique_ptr<Link> link) : link_(std::move(link)) {}

  [[nodiscard]] const CardModel& model() const override { return imaginary::model(); }
  [[nodiscard]] Link& link() override { return *link_; }

  void forget_state() override {
    selected_in_.reset();
    logged_in_ = false;
  }
  void forget_objects() override { key_.reset(); }

  Result<TokenInfo> token_info() override;
  Result<std::string> serial() override;
  Result<PinInfo> pin_status(Role role) override;
  Status login(Role role, const SecretBytes& pin) override;
  Status logout() override;
  Result<Directory> list() override;
  Result<PublicKey> read_public_key(const ObjectRef& key) override;
  Result<Bytes> sign(const KeyInfo& key, Scheme scheme, ByteView input) override;

 private:
  Status enter();
  Status require_user(Role role) const;

  std::unique_ptr<Link> link_;
  std::optional<std::uint64_t> selected_in_;  ///< the transaction in which the application was
  bool logged_in_ = false;                    ///< by us
  std::optional<std::string> serial_;
  std::optional<PublicKey> key_;  ///< nothing is read twice before forget_objects()
};

/// Before each operation: within one transaction the card is ours and the selection stays; between
/// two, another program may have selected something else.
Status ImaginaryCard::enter() {
  const auto now = link_->transaction();
  if (now && now == selected_in_) return {};
  if (auto status = check(link_->send(command::select_application()), "selecting the application");
      !status)
    return status;
  selected_in_ = now;
  return {};
}

Status ImaginaryCard::require_user(Role role) const {
  if (role == Role::user) return {};
  return unsupported("a login as security officer");
}

Result<std::string> ImaginaryCard::serial() {
  if (!serial_) {
    if (auto status = enter(); !status) return status.take_error();
    const auto answer = link_->send(command::read_serial());
    if (auto status = check(answer, "reading the serial number"); !status)
      return status.take_error();
    // Whatever a card answers may be nonsense, so sizes are checked before use.
    if (answer->data.size() < serial_min || answer->data.size() > serial_max)
      return Error{ErrorKind::protocol, "the card's serial number has a wrong length"};
    serial_ = to_hex(answer->data);
  }
  return *serial_;
}

Result<TokenInfo> ImaginaryCard::token_info() {
  auto number = serial();
  if (!number) return number.take_error();
  TokenInfo info;
  info.label = model().name;
  info.serial = *number;
  info.manufacturer = "nobody";
  return info;
}

Result<PinInfo> ImaginaryCard::pin_status(Role role) {
  if (auto status = require_user(role); !status) return status.take_error();
  PinInfo info;
  info.min_length = info.new_min_length = pin_shortest;
  info.max_length = pin_longest;
  info.tries_max = pin_tries;
  info.logged_in = logged_in_;
  if (auto status = enter(); !status) return status.take_error();
  const auto answer = link_->send(command::verify_status());
  if (!answer) {
    // The guard kept a guess off a real card: then the tries left are not known.
    if (answer.error().kind == ErrorKind::refused) return info;
    return answer.error().within("asking for the PIN's state");
  }
  info.logged_in = answer->ok();
  info.blocked = answer->status == apdu::sw::authentication_blocked;
  info.tries_left = info.blocked ? 0 : answer->status.tries_left();
  return info;
}

Status ImaginaryCard::login(Role role, const SecretBytes& pin) {
  if (auto status = require_user(role); !status) return status;
  if (pin.size() < pin_shortest || pin.size() > pin_longest)
    return Error{ErrorKind::pin_length, "the PIN has 4 to 8 characters; nothing was sent"};
  if (auto status = enter(); !status) return status;
  logged_in_ = false;  // a wrong PIN ends an earlier login
  // pin_incorrect with the tries left of 63Cx, and pin_blocked of 6983.
  if (auto status = check_pin(link_->send(command::verify(pin)), "checking the PIN"); !status)
    return status;
  logged_in_ = true;
  return {};
}

Status ImaginaryCard::logout() {
  if (!logged_in_) return {};
  if (auto status = enter(); !status) return status;
  if (auto status = check(link_->send(command::log_out()), "logging out"); !status) return status;
  logged_in_ = false;
  return {};
}

Result<Directory> ImaginaryCard::list() {
  constexpr std::uint8_t only_id = 0x01;
  Directory found;
  const auto value = read_public_key({ObjectClass::public_key, 0});
  if (!value && value.error().kind == ErrorKind::not_found) return found;
  if (!value) return value.error().within("listing the card's objects");
  KeyInfo key;
  key.ref = {ObjectClass::private_key, 0};
  key.label = "KEY";
  key.id = {only_id};
  key.bits = value->bits();
  key.usage.sign = true;
  key.modifiable = false;
  PublicKeyInfo half;
  half.ref = {ObjectClass::public_key, 0};
  half.label = key.label;
  half.id = key.id;
  half.bits = key.bits;
  half.usage = key.usage;
  found.keys.push_back(std::move(key));
  found.public_keys.push_back(std::move(half));
  return found;
}

Result<PublicKey> ImaginaryCard::read_public_key(const ObjectRef& key) {
  if (key.token != 0 || key.object_class == ObjectClass::certificate ||
      key.object_class == ObjectClass::data)
    return Error{ErrorKind::not_found, "this is no key of this card"};
  if (!key_) {
    if (auto status = enter(); !status) return status.take_error();
    const auto answer = link_->send(command::read_modulus());
    if (auto status = check(answer, "reading the public key"); !status) return status.take_error();
    if (answer->data.size() != modulus_size || answer->data[0] < 0x80)
      return Error{ErrorKind::protocol, "the card's modulus has a wrong length"};
    PublicKey value;
    value.modulus = answer->data;
    value.exponent = {0x01, 0x00, 0x01};  // always [imaginary §5]
    key_ = std::move(value);
  }
  return *key_;
}

Result<Bytes> ImaginaryCard::sign(const KeyInfo& key, Scheme scheme, ByteView input) {
  if (key.ref != ObjectRef{ObjectClass::private_key, 0})
    return Error{ErrorKind::bad_argument, "this is no private key of this card"};
  if (scheme != Scheme::rsa_pkcs1) return unsupported("any signature but PKCS #1 v1.5");
  if (input.empty() || input.size() > longest_input)
    return Error{ErrorKind::bad_argument, "the card signs 1 to 102 bytes"};
  if (auto status = enter(); !status) return status.take_error();
  auto answer = link_->send(command::sign(input));
  if (auto status = check(answer, "signing"); !status) {
    if (status.error().kind == ErrorKind::not_logged_in) logged_in_ = false;
    return status.take_error();
  }
  if (answer->data.size() != modulus_size)
    return Error{ErrorKind::protocol, "the card's signature has a wrong length"};
  return std::move(answer->data);
}

// ---- the registry's entry --------------------------------------------------------------------

std::unique_ptr<Card> make(std::unique_ptr<Link> link) {
  return std::make_unique<ImaginaryCard>(std::move(link));
}

/// One of each kind, for the table of evidence.
std::vector<Command> commands() {
  std::vector<Command> all;
  all.push_back(command::select_application());
  all.push_back(command::read_serial());
  all.push_back(command::read_modulus());
  all.push_back(command::verify_status());
  all.push_back(command::verify(SecretBytes(0)));
  all.push_back(command::log_out());
  all.push_back(command::sign({}));
  return all;
}

}  // namespace
}  // namespace imaginary

// NAME_driver, as CMake makes the registry's list of the names in kilt_card(). The null is the
// probe: this ATR belongs to no other card, so it is proof enough.
extern const Driver imaginary_driver;
const Driver imaginary_driver{"imaginary", imaginary::model, imaginary::atrs,
                              nullptr,     imaginary::make,  imaginary::commands};

}  // namespace kilt::card
