// SPDX-License-Identifier: Apache-2.0
// Looking at a JaCarta: what it is, what is on it. Nothing here writes but the logout.
#include "drivers/jacarta_card.hpp"

#include <algorithm>

#include "drivers/certificate.hpp"

namespace kilt::card::jacarta {
namespace {

std::string without_blanks(ByteView bytes) {
  while (!bytes.empty() && (bytes.back() == ' ' || bytes.back() == 0))
    bytes = bytes.first(bytes.size() - 1);
  return as_text(bytes);
}

std::string version(ByteView two) {
  return std::to_string(two[0]) + "." + std::to_string(two[1]);
}

Error gone(const char* what) {
  return {ErrorKind::not_found, std::string(what) + " is not on the card"};
}

Bytes without_zeros(Bytes number) {
  number.erase(number.begin(),
               std::find_if(number.begin(), number.end(), [](auto byte) { return byte != 0; }));
  return number;
}

}  // namespace

JacartaCard::JacartaCard(std::unique_ptr<Link> link, RandomSource random)
    : link_(std::move(link)),
      files_(*link_),
      pins_(*link_, files_, std::move(random)),
      objects_(files_) {
  link_->set_floor({evidence_of(link_->transport().atr()), "[facts jacarta A2]"});
}

void JacartaCard::begin() {
  const auto now = link_->transaction();
  if (!now || now != transaction_) {
    files_.begin();
    asked_ = false;
  }
  transaction_ = now;
}

void JacartaCard::forget_state() {
  files_.forget_applet();
  pins_.forget();
  token_info_.reset();
}

void JacartaCard::follow_objects() {
  if (values_generation_ == objects_.generation()) return;
  values_generation_ = objects_.generation();
  public_values_.clear();
  private_objects_.reset();
  signature_only_.clear();
}

Status JacartaCard::check_objects() {
  const bool reads = !objects_.is_checked();
  auto status = objects_.check();
  if (status && reads) asked_ = true;
  return status;
}

FilePath JacartaCard::key_object(std::uint16_t index) const {
  return signature_only_.count(index) > 0 ? signature_key_object(index) : private_key_object(index);
}

Result<FileFacts> JacartaCard::select_key(std::uint16_t index) {
  auto selected = files_.select(key_object(index));
  if (selected || selected.error().kind != ErrorKind::not_found) return selected;
  if (signature_only_.erase(index) == 0) signature_only_.insert(index);
  auto other = files_.select(key_object(index));
  if (other || other.error().kind != ErrorKind::not_found) return other;
  signature_only_.erase(index);
  return selected;
}

// ---- the token -------------------------------------------------------------------------------

Result<Bytes> JacartaCard::serial_bytes() {
  constexpr std::size_t serial_size = 8;
  if (!serial_) {
    auto answer = files_.send(command::serial());
    if (answer && !answer->ok()) {
      // Another applet may be selected by now.
      if (auto back = files_.select_applet(); !back) return back.take_error();
      answer = files_.send(command::serial());
    }
    if (auto status = check(answer, "reading the serial number"); !status)
      return status.take_error();
    if (answer->data.size() != serial_size) {
      return Error{ErrorKind::protocol, "the card's serial number makes no sense"};
    }
    serial_ = answer->data;
  }
  return *serial_;
}

Result<std::string> JacartaCard::serial() {
  auto bytes = serial_bytes();
  if (!bytes) return bytes.take_error();
  return to_hex(*bytes);
}

Result<Bytes> JacartaCard::token_info_file() {
  if (!token_info_) {
    auto content = files_.read_file(file::token_info);
    if (!content && content.error().kind == ErrorKind::not_found) return Bytes{};
    if (!content) return content.take_error().within("reading the card's description");
    token_info_ = std::move(*content);
  }
  return *token_info_;
}

Result<TokenInfo> JacartaCard::token_info() {
  constexpr std::size_t manufacturer_at = 32, model_at = 64, hardware_at = 140, firmware_at = 142,
                        least_size = 144;
  begin();
  TokenInfo info;
  auto number = serial();
  if (!number) return number.take_error();
  info.serial = *number;
  info.label = jacarta::model().name;
  info.manufacturer = "Aladdin R.D.";
  info.has_random = true;
  auto content = token_info_file();
  if (!content) return content.take_error();
  if (content->empty()) {
    info.initialized = false;
    return info;
  }
  if (content->size() < least_size) return info;
  const ByteView bytes = *content;
  const auto label = without_blanks(bytes.first(manufacturer_at));
  const auto manufacturer =
      without_blanks(bytes.subspan(manufacturer_at, model_at - manufacturer_at));
  if (!label.empty()) info.label = label;
  if (!manufacturer.empty()) info.manufacturer = manufacturer;
  info.hardware_version = version(bytes.subspan(hardware_at, 2));
  info.firmware_version = version(bytes.subspan(firmware_at, 2));
  return info;
}

Result<Pins::State> JacartaCard::state_of_pin(Role role) {
  constexpr std::size_t flags_at = 96;
  constexpr std::uint8_t user_pin_initialised = 0x08;
  auto state = pins_.status(role);
  if (!state || role != Role::user || !state->info.initialized || state->facts.has_policy)
    return state;
  // Initialisation leaves a user PIN that nobody knows; it has no policy, and TokenInfo does not
  // count it [facts jacarta A16 #14, #22]. Only then is it worth the commands to look.
  const auto content = token_info_file();
  if (!content) return content.error();
  // An initialisation that was cut off left that PIN before there was a TokenInfo. Where the object
  // shows nothing, as on cards that others set up, that it has no policy says nothing either.
  const bool was_cut_off = content->empty() && state->info.tries_left;
  const bool is_not_counted =
      content->size() > flags_at && ((*content)[flags_at] & user_pin_initialised) == 0;
  if (was_cut_off || is_not_counted) state->info.initialized = false;
  return state;
}

Result<PinInfo> JacartaCard::pin_status(Role role) {
  begin();
  auto state = state_of_pin(role);
  if (!state) return state.take_error();
  return state->info;
}

Status JacartaCard::login(Role role, const SecretBytes& pin) {
  begin();
  if (auto length = Pins::check_length(role, pin.size()); !length) return length;
  const auto state = state_of_pin(role);
  if (!state) return state.error();
  if (!state->info.initialized) {
    return Error{ErrorKind::pin_not_set, "the card has no PIN of this holder yet"};
  }
  return pins_.login(role, pin);
}

Status JacartaCard::logout() {
  begin();
  return pins_.logout();
}

// ---- bodies ----------------------------------------------------------------------------------

Result<PublicKey> JacartaCard::public_value_from_certificate(std::uint16_t index) {
  auto found = objects_.find(Area::open, id::key_certificate | index, {Type::value});
  if (!found) return found.take_error();
  if (!*found) return gone("the public half of this key");
  if (auto whole = objects_.whole(**found); !whole) return whole.take_error();
  auto der = objects_.value(**found, Type::value);
  if (!der) return der.take_error();
  auto certificate = Certificate::parse(*der);
  if (!certificate || !certificate->key) return gone("the public half of this key");
  return std::move(*certificate->key);
}

Result<PublicKey> JacartaCard::public_value(std::uint16_t index) {
  follow_objects();
  if (const auto known = public_values_.find(index); known != public_values_.end())
    return known->second;
  // The modulus is read before what stands behind it, so that one command brings both.
  auto found = objects_.find(Area::open, id::public_key | index, {Type::modulus});
  if (!found) return found.take_error();
  PublicKey key;
  if (*found) {
    auto modulus = objects_.value(**found, Type::modulus);
    if (!modulus) return modulus.take_error();
    auto walked = objects_.find(Area::open, id::public_key | index, {Type::public_exponent});
    if (!walked) return walked.take_error();
    auto exponent = objects_.value(**walked, Type::public_exponent);
    if (!exponent) return exponent.take_error();
    key.modulus = without_zeros(std::move(*modulus));
    key.exponent = without_zeros(std::move(*exponent));
    if (key.modulus.empty() || key.exponent.empty()) {
      return Error{ErrorKind::protocol, "a public key's file holds no public key"};
    }
  } else {
    auto certified = public_value_from_certificate(index);
    if (!certified) return certified;
    key = std::move(*certified);
  }
  follow_objects();
  public_values_[index] = key;
  return key;
}

const PublicKey* JacartaCard::known_public_key(std::uint16_t index) {
  follow_objects();
  if (const auto known = public_values_.find(index); known != public_values_.end())
    return &known->second;
  // What the listing read may be all of it.
  const auto* half = objects_.peek(Area::open, id::public_key | index);
  if (!half) return nullptr;
  for (const auto type : {Type::modulus, Type::public_exponent}) {
    const auto place = half->index.find(type);
    if (place == half->index.end() || !half->file.knows(place->second.at, place->second.length))
      return nullptr;
  }
  if (!public_value(index)) return nullptr;
  return &public_values_[index];
}

Result<PublicKey> JacartaCard::read_public_key(const ObjectRef& key) {
  begin();
  if (auto status = objects_.check(); !status) return status.take_error();
  const auto fid = static_cast<std::uint16_t>(key.token);
  if (key.object_class == ObjectClass::private_key && id::is_private_key(fid)) {
    return public_value(static_cast<std::uint16_t>(fid - id::private_key));
  }
  if (key.object_class != ObjectClass::public_key || !id::is_public_key(fid)) {
    return Error{ErrorKind::bad_argument, "this is no key of this card"};
  }
  auto found = objects_.find(Area::open, fid, {Type::modulus});
  if (!found) return found.take_error();
  if (!*found) return gone("the public key");
  return public_value(static_cast<std::uint16_t>(fid - id::public_key));
}

Result<Bytes> JacartaCard::read_certificate(const ObjectRef& certificate) {
  begin();
  if (auto status = objects_.check(); !status) return status.take_error();
  const auto fid = static_cast<std::uint16_t>(certificate.token);
  if (!id::is_certificate(fid)) return gone("the certificate");
  auto found = objects_.find(Area::open, fid, {Type::value});
  if (!found) return found.take_error();
  if (!*found) return gone("the certificate");
  if (auto whole = objects_.whole(**found); !whole)
    return whole.take_error().within("reading a certificate");
  return objects_.value(**found, Type::value);
}

Result<Bytes> JacartaCard::read_data(const ObjectRef& data) {
  begin();
  if (auto status = objects_.check(); !status) return status.take_error();
  const auto fid = static_cast<std::uint16_t>(data.token);
  const Area area = (data.token & id::hidden_bit) != 0 ? Area::hidden : Area::open;
  if (!id::is_data(fid)) return gone("the data object");
  if (area == Area::hidden) {
    if (auto status = pins_.require_user("reading a private data object"); !status)
      return status.take_error();
  }
  auto found = objects_.find(area, fid, {Type::value});
  if (!found) return found.take_error();
  if (!*found) return gone("the data object");
  if (auto whole = objects_.whole(**found); !whole)
    return whole.take_error().within("reading a data object");
  return objects_.value(**found, Type::value);
}

}  // namespace kilt::card::jacarta
