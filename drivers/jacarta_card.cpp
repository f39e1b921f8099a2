// SPDX-License-Identifier: Apache-2.0
// Looking at a JaCarta: what it is, what is on it. Nothing here writes but the logout.
#include "drivers/jacarta_card.hpp"

#include <algorithm>

#include "drivers/certificate.hpp"

namespace kilt::card::jacarta {
namespace {

/// What the vendor's software writes for a key that has no subject [facts jacarta A11].
const char* const no_subject = "300A4A414341525441504B49";

constexpr std::uint32_t hidden_bit = 0x10000;

/// What of a private key's file is shown.
const std::vector<Type>& private_key_types() {
  static const auto& types = *new std::vector<Type>{Type::label,        Type::subject, Type::id,
                                                    Type::decrypt,      Type::unwrap,  Type::sign,
                                                    Type::sign_recover, Type::derive,  Type::local};
  return types;
}

const std::vector<Type>& public_key_types() {
  static const auto& types =
      *new std::vector<Type>{Type::label,  Type::id,     Type::encrypt,        Type::wrap,
                             Type::derive, Type::verify, Type::verify_recover, Type::modulus};
  return types;
}

bool is_index(std::uint16_t fid, std::uint16_t base) {
  return fid >= base && fid <= base + index_max;
}

bool is_certificate(std::uint16_t fid) {
  return is_index(fid, id::key_certificate) ||
         (fid >= id::certificate && fid <= id::certificate_max);
}

bool is_data(std::uint16_t fid) {
  return fid >= id::data && fid <= id::data_max;
}

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
      objects_(files_) {}

void JacartaCard::begin() {
  const auto now = link_->transaction();
  if (!now || now != transaction_) files_.begin();
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
}

// ---- the token -------------------------------------------------------------------------------

Result<Bytes> JacartaCard::serial_bytes() {
  constexpr std::size_t serial_size = 8;
  if (!serial_) {
    auto answer = link_->send(command::serial());
    if (answer && !answer->ok()) {
      // Another applet may be selected by now.
      if (auto back = files_.select_applet(); !back) return back.take_error();
      answer = link_->send(command::serial());
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
  if (content->size() > flags_at && ((*content)[flags_at] & user_pin_initialised) == 0)
    state->info.initialized = false;
  return state;
}

Result<PinInfo> JacartaCard::pin_status(Role role) {
  begin();
  auto state = state_of_pin(role);
  if (!state) return state.take_error();
  return std::move(state->info);
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

// ---- objects ---------------------------------------------------------------------------------

Result<std::string> JacartaCard::label_of(ObjectFile& object) {
  auto value = objects_.value(object, Type::label);
  if (!value) return value.take_error();
  return as_text(*value);
}

Result<bool> JacartaCard::flag_of(ObjectFile& object, Type type) {
  auto value = objects_.value(object, type);
  if (!value) return value.take_error();
  return !value->empty() && value->front() != 0;
}

Result<std::size_t> JacartaCard::bits_of_key(std::uint16_t index) {
  if (objects_.is_listed(Area::open)) {
    auto half = objects_.find(Area::open, id::public_key | index, public_key_types());
    if (!half) return half.take_error();
    if (*half) {
      const auto modulus = (*half)->index.find(Type::modulus);
      if (modulus != (*half)->index.end()) return modulus->second.length * 8;
    }
  }
  const auto object = files_.select(private_key_object(index));
  if (!object && object.error().kind == ErrorKind::not_found) return std::size_t{0};
  if (!object) return object.error();
  return object->size * 8;
}

Result<std::vector<JacartaCard::ListedKey>> JacartaCard::private_keys() {
  auto all = objects_.ids(Area::hidden);
  if (!all) return all.take_error();
  std::vector<ListedKey> listed;
  for (const auto fid : *all) {
    if (!is_index(fid, id::private_key)) continue;
    auto found = objects_.find(Area::hidden, fid, private_key_types());
    if (!found) return found.take_error();
    if (!*found) continue;
    ObjectFile& object = **found;
    ListedKey key;
    key.index = static_cast<std::uint16_t>(fid - id::private_key);
    KeyInfo& info = key.info;
    info.ref = {ObjectClass::private_key, fid};
    for (const auto& [type, flag] : {std::pair{Type::sign, &info.usage.sign},
                                     {Type::sign_recover, &info.usage.sign_recover},
                                     {Type::decrypt, &info.usage.decrypt},
                                     {Type::unwrap, &info.usage.unwrap},
                                     {Type::derive, &info.usage.derive},
                                     {Type::local, &info.local}}) {
      auto value = flag_of(object, type);
      if (!value) return value.take_error();
      *flag = *value;
    }
    auto label = label_of(object);
    auto id_value = objects_.value(object, Type::id);
    auto subject = objects_.value(object, Type::subject);
    auto bits = bits_of_key(key.index);
    if (!label) return label.take_error();
    if (!id_value) return id_value.take_error();
    if (!subject) return subject.take_error();
    if (!bits) return bits.take_error();
    info.label = std::move(*label);
    info.id = std::move(*id_value);
    if (to_hex(*subject) != no_subject) info.subject = std::move(*subject);
    info.bits = *bits;
    // The chip gives no private key out, whatever the file says of the past.
    info.sensitive = true;
    info.always_sensitive = info.never_extractable = info.local;
    listed.push_back(std::move(key));
  }
  return listed;
}

/// Whether a public key is the half of a pair whose generation was cut off: its private key is in
/// the chip, and nothing describes it.
Result<bool> JacartaCard::is_unfinished(std::uint16_t index) {
  if (!private_objects_) {
    auto objects = files_.list(file::hidden_objects, FileType::ko);
    if (!objects) return objects.take_error();
    private_objects_ = std::move(*objects);
  }
  const auto own = private_key_object(index).back();
  return std::find(private_objects_->begin(), private_objects_->end(), own) !=
         private_objects_->end();
}

Result<std::vector<PublicKeyInfo>> JacartaCard::public_keys() {
  auto all = objects_.ids(Area::open);
  if (!all) return all.take_error();
  std::vector<PublicKeyInfo> listed;
  for (const auto fid : *all) {
    if (!is_index(fid, id::public_key)) continue;
    auto found = objects_.find(Area::open, fid, public_key_types());
    if (!found) return found.take_error();
    if (!*found) continue;
    const auto index = static_cast<std::uint16_t>(fid - id::public_key);
    // The value comes along while the file is selected; where it makes no sense, whoever asks for
    // it is told so.
    if (auto value = public_value(index); !value && value.error().kind != ErrorKind::protocol)
      return value.take_error();
    auto own = objects_.find(Area::hidden, id::private_key | index, private_key_types());
    if (!own) return own.take_error();
    PublicKeyInfo info;
    info.ref = {ObjectClass::public_key, fid};
    if (*own) {
      auto local = flag_of(**own, Type::local);
      if (!local) return local.take_error();
      info.local = *local;
    } else {
      auto unfinished = is_unfinished(index);
      if (!unfinished) return unfinished.take_error();
      if (*unfinished) continue;
    }
    ObjectFile& object = **found;
    for (const auto& [type, flag] : {std::pair{Type::verify, &info.usage.sign},
                                     {Type::verify_recover, &info.usage.sign_recover},
                                     {Type::encrypt, &info.usage.decrypt},
                                     {Type::wrap, &info.usage.unwrap},
                                     {Type::derive, &info.usage.derive}}) {
      auto value = flag_of(object, type);
      if (!value) return value.take_error();
      *flag = *value;
    }
    auto label = label_of(object);
    auto id_value = objects_.value(object, Type::id);
    if (!label) return label.take_error();
    if (!id_value) return id_value.take_error();
    info.label = std::move(*label);
    info.id = std::move(*id_value);
    const auto modulus = object.index.find(Type::modulus);
    info.bits = modulus == object.index.end() ? 0 : modulus->second.length * 8;
    listed.push_back(std::move(info));
  }
  return listed;
}

Result<std::vector<CertificateInfo>> JacartaCard::certificates() {
  auto all = objects_.ids(Area::open);
  if (!all) return all.take_error();
  std::vector<CertificateInfo> listed;
  for (const auto fid : *all) {
    if (!is_certificate(fid)) continue;
    auto found = objects_.find(Area::open, fid, {Type::label, Type::value});
    if (!found) return found.take_error();
    if (!*found) continue;
    ObjectFile& object = **found;
    // Who looks for certificates reads them: in one go that is cheapest.
    auto der = objects_.value(object, Type::value);
    if (!der) return der.take_error();
    found = objects_.find(Area::open, fid, {Type::trusted, Type::id});
    if (!found) return found.take_error();
    auto label = label_of(object);
    auto id_value = objects_.value(object, Type::id);
    auto trusted = flag_of(object, Type::trusted);
    if (!label) return label.take_error();
    if (!id_value) return id_value.take_error();
    if (!trusted) return trusted.take_error();
    CertificateInfo info{
        {ObjectClass::certificate, fid}, std::move(*label), std::move(*id_value), false, *trusted};
    // No attribute says so, and a key's certificate is its owner's.
    if (!is_index(fid, id::key_certificate)) {
      const auto parsed = Certificate::parse(*der);
      info.authority = parsed && parsed->authority;
    }
    listed.push_back(std::move(info));
  }
  return listed;
}

Result<std::optional<DataInfo>> JacartaCard::data_info(Area area, std::uint16_t fid) {
  const Bytes no_object_id(64, 0xFF);
  auto found =
      objects_.find(area, fid, {Type::label, Type::application, Type::value, Type::object_id});
  if (!found) return found.take_error();
  if (!*found) return std::optional<DataInfo>{};
  auto label = label_of(**found);
  auto application = objects_.value(**found, Type::application);
  auto object_id = objects_.value(**found, Type::object_id);
  if (!label) return label.take_error();
  if (!application) return application.take_error();
  if (!object_id) return object_id.take_error();
  DataInfo info;
  info.ref = {ObjectClass::data, fid | (area == Area::hidden ? hidden_bit : 0)};
  info.label = std::move(*label);
  info.application = as_text(*application);
  if (*object_id != no_object_id) info.object_id = std::move(*object_id);
  info.is_private = area == Area::hidden;
  return std::optional<DataInfo>{std::move(info)};
}

Result<std::vector<DataInfo>> JacartaCard::data_objects() {
  std::vector<DataInfo> listed;
  for (const auto area : {Area::open, Area::hidden}) {
    if (area == Area::hidden && pins_.role() != Role::user) continue;
    auto all = objects_.ids(area);
    if (!all) return all.take_error();
    for (const auto fid : *all) {
      if (!is_data(fid)) continue;
      auto info = data_info(area, fid);
      if (!info) return info.take_error();
      if (*info) listed.push_back(std::move(**info));
    }
  }
  return listed;
}

Result<Directory> JacartaCard::list_classes(const ObjectClasses& which) {
  begin();
  if (auto status = objects_.check(); !status) return status.take_error();
  follow_objects();
  Directory found;
  // Public keys first: they tell the sizes of private ones.
  if (which.public_keys) {
    auto keys = public_keys();
    if (!keys) return keys.take_error().within("listing public keys");
    found.public_keys = std::move(*keys);
  }
  if (which.private_keys) {
    auto keys = private_keys();
    if (!keys) return keys.take_error().within("listing private keys");
    for (auto& key : *keys)
      found.keys.push_back(std::move(key.info));
  }
  if (which.certificates) {
    auto all = certificates();
    if (!all) return all.take_error().within("listing certificates");
    found.certificates = std::move(*all);
  }
  if (which.data) {
    auto all = data_objects();
    if (!all) return all.take_error().within("listing data objects");
    found.data = std::move(*all);
  }
  return found;
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
  if (key.object_class == ObjectClass::private_key && is_index(fid, id::private_key)) {
    return public_value(static_cast<std::uint16_t>(fid - id::private_key));
  }
  if (key.object_class != ObjectClass::public_key || !is_index(fid, id::public_key)) {
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
  if (!is_certificate(fid)) return gone("the certificate");
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
  const Area area = (data.token & hidden_bit) != 0 ? Area::hidden : Area::open;
  if (!is_data(fid)) return gone("the data object");
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
