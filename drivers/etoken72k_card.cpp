// SPDX-License-Identifier: Apache-2.0
// Looking at a token with Aladdin's applet: what it is, what is on it. Nothing here writes.
#include "drivers/etoken72k_card.hpp"

#include <algorithm>

#include "apdu/tlv.hpp"
#include "drivers/certificate.hpp"

namespace kilt::card::etoken {
namespace {

constexpr const char* manufacturer = "Aladdin R.D.";
constexpr std::size_t longest_attributes = 8192;

/// The object that a reference of the upper floors names.
std::uint16_t id_of(const ObjectRef& ref) {
  return ref.token > 0xFFFF ? std::uint16_t{0} : static_cast<std::uint16_t>(ref.token);
}

bool fits(ObjectClass object_class, std::uint16_t id) {
  switch (object_class) {
    case ObjectClass::private_key:
      return kind_of(id) == file::key_pair;
    case ObjectClass::public_key:
      return kind_of(id) == file::key_pair || kind_of(id) == file::public_key;
    case ObjectClass::certificate:
      return kind_of(id) == file::certificate;
    case ObjectClass::data:
      return kind_of(id) == file::data;
  }
  return false;
}

Error gone() {
  return {ErrorKind::not_found, "the object is not on the card (any more)"};
}

/// Whether an error is the card's own "not there", rather than a fault on the way.
bool is_absent(const Error& error) {
  return error.kind == ErrorKind::not_found;
}

}  // namespace

EtokenCard::EtokenCard(std::unique_ptr<Link> link, const CardModel& model)
    : link_(std::move(link)), model_(model), login_(*link_), files_(*link_, login_) {
  link_->channel().set_prefer_extended(true);
}

void EtokenCard::forget_state() {
  files_.forget_applet();
  login_.forget();
  login_.forget_blocked();
  user_pin_is_set_ = false;
}

void EtokenCard::forget_objects() {
  ids_.reset();
  objects_.clear();
  public_values_.clear();
  bodies_.clear();
  label_.reset();
}

// ---- the token -------------------------------------------------------------------------------

Result<std::string> EtokenCard::serial() {
  if (serial_) return *serial_;
  if (auto status = files_.ensure_applet(); !status) return status.take_error();
  auto answer = link_->send(command::serial());
  if (answer && !answer->ok()) {
    // Another applet may be selected.
    if (auto status = files_.select_applet(); !status) return status.take_error();
    answer = link_->send(command::serial());
  }
  if (auto status = check(answer, "reading the serial number"); !status) return status.take_error();
  // A template of one-byte tags and lengths: the four bytes of tag 01 begin at the fourth
  // [facts etoken §5.2].
  const auto& data = answer->data;
  if (data.size() < 8 || data[2] != 0x01 || data[3] < 4) {
    return Error{ErrorKind::protocol, "the card's serial number makes no sense"};
  }
  serial_ = to_hex(ByteView(data).subspan(4, 4));
  return *serial_;
}

Result<TokenInfo> EtokenCard::token_info() {
  begin();
  TokenInfo info;
  auto number = serial();
  if (!number) return number.take_error();
  info.serial = *number;
  info.manufacturer = manufacturer;
  info.has_random = true;
  info.label = label_.value_or(model_.name);
  if (label_) return info;
  auto content = files_.read_file(file::label);
  if (content) {
    ByteView rest = *content;
    const auto text = apdu::read_simple_tlv(rest);
    if (text && text->tag == 0x21 && !text->value.empty()) info.label = as_text(text->value);
    label_ = info.label;
    return info;
  }
  if (!is_absent(content.error())) return content.error().within("reading the token's label");
  // The vendor keeps the label elsewhere; a token without either salt was never set up.
  for (const Role role : {Role::user, Role::security_officer}) {
    auto found = has_salt(role);
    if (!found) return found.take_error();
    if (*found) return info;
  }
  info.initialized = false;
  return info;
}

Result<bool> EtokenCard::has_salt(Role role) {
  const auto info = files_.select(role == Role::user ? file::user_salt : file::officer_salt);
  if (info) return info->size > 0;
  if (is_absent(info.error())) return false;
  return info.error();
}

Result<PinInfo> EtokenCard::pin_status(Role role) {
  PinInfo info;
  info.role = role;
  info.min_length = pin::min_length;
  info.new_min_length = pin::new_min_length;
  info.max_length = pin::max_length;
  info.logged_in = login_.role() == role;
  // No known command tells the counter [facts etoken §5.7]; what is known is what a login met.
  info.blocked = login_.is_blocked(role);
  if (info.blocked) info.tries_left = 0;
  if (info.logged_in || info.blocked || (role == Role::user && user_pin_is_set_)) return info;
  begin();
  auto set = has_salt(role);
  if (!set) return set.take_error().within("asking whether the PIN is set");
  info.initialized = *set;
  if (role == Role::user) user_pin_is_set_ = *set;
  return info;
}

// ---- objects ---------------------------------------------------------------------------------

Result<EtokenCard::Ids> EtokenCard::ids() {
  if (ids_) return *ids_;
  auto found = files_.list(file::objects);
  if (!found) {
    // A blank token has no directory of objects.
    if (!is_absent(found.error())) return found.take_error().within("listing objects");
    return Ids{};
  }
  ids_ = std::move(*found);
  return *ids_;
}

Result<EtokenCard::Ids> EtokenCard::ids_of(std::uint16_t kind) {
  auto all = ids();
  if (!all) return all;
  std::erase_if(*all, [&](std::uint16_t id) { return kind_of(id) != kind; });
  return all;
}

Result<std::optional<EtokenCard::Object>> EtokenCard::read_object(std::uint16_t id) {
  Object found;
  found.id = id;
  // Attributes that are being moved are in a second file; the first wins while it is there.
  for (const auto inside : {file::attributes, file::other_attributes}) {
    const auto info = files_.select(object_file(id, inside));
    if (!info && is_absent(info.error())) continue;
    if (!info) return info.error();
    found.is_private = info->acl[0] != Rights::anybody;
    if (found.is_private && login_.role() != Role::user) return std::optional<Object>{};
    if (info->is_directory || info->size > longest_attributes) continue;
    auto content = files_.read(info->size);
    if (!content) {
      if (content.error().kind == ErrorKind::not_logged_in && !login_.role())
        return std::optional<Object>{};
      return content.take_error();
    }
    if (content->empty() || content->front() == 0x00) continue;  // not written to the end
    found.file = inside;
    found.file_size = info->size;
    auto attributes = parse_attributes(*content);
    if (!attributes) return describe_foreign(id);
    found.attributes = std::move(*attributes);
    return std::optional<Object>{std::move(found)};
  }
  // A key of ours without attributes is an unfinished one. The vendor's may well have none that we
  // can see; it is known by the vendor's certificate of the same number.
  if (kind_of(id) != file::key_pair) return std::optional<Object>{};
  const auto twin = static_cast<std::uint16_t>(file::certificate | (id & 0xFF));
  auto all = ids();
  if (!all) return all.take_error();
  if (std::find(all->begin(), all->end(), twin) == all->end()) return std::optional<Object>{};
  auto certificate = object(twin);
  if (!certificate) return certificate.take_error();
  if (!*certificate || !(*certificate)->is_foreign) return std::optional<Object>{};
  return describe_foreign(id);
}

/// Objects of the vendor's software, whose attributes we cannot read: a certificate speaks for
/// itself, and for the key of the same number [facts etoken §5.6].
Result<std::optional<EtokenCard::Object>> EtokenCard::describe_foreign(std::uint16_t id) {
  Object made;
  made.id = id;
  made.is_foreign = true;
  const auto kind = kind_of(id);
  if (kind != file::certificate && kind != file::key_pair) return std::optional<Object>{};
  const auto twin = static_cast<std::uint16_t>(file::certificate | (id & 0xFF));
  made.attributes.id = {static_cast<std::uint8_t>(id)};
  made.attributes.label =
      (kind == file::certificate ? "certificate " : "key ") + std::to_string(id & 0xFF);
  made.attributes.usage.sign = made.attributes.usage.decrypt = kind == file::key_pair;
  auto der = body(twin);
  if (!der && !is_absent(der.error())) return der.take_error();
  auto certificate = der ? Certificate::parse(*der) : Result<Certificate>(der.error());
  if (!certificate) {
    if (kind == file::certificate) return std::optional<Object>{};
    return std::optional<Object>{std::move(made)};
  }
  if (!certificate->common_name.empty()) made.attributes.label = certificate->common_name;
  made.attributes.authority = certificate->authority;
  made.attributes.subject = certificate->subject;
  if (certificate->key && certificate->key->type == KeyType::rsa) {
    made.attributes.id = default_key_id(*certificate->key);
    made.attributes.bits = certificate->key->bits();
    if (kind == file::key_pair) public_values_[id] = *certificate->key;
  }
  return std::optional<Object>{std::move(made)};
}

Result<const EtokenCard::Object*> EtokenCard::object(std::uint16_t id) {
  if (const auto known = objects_.find(id); known != objects_.end()) return &known->second;
  auto found = read_object(id);
  if (!found) return found.take_error();
  if (!*found) return static_cast<const Object*>(nullptr);
  return &objects_.insert_or_assign(id, std::move(**found)).first->second;
}

Result<std::vector<const EtokenCard::Object*>> EtokenCard::objects(std::uint16_t kind) {
  auto all = ids_of(kind);
  if (!all) return all.take_error();
  std::vector<const Object*> found;
  for (const auto id : *all) {
    auto described = object(id);
    if (!described) return described.take_error().within("reading an object's attributes");
    const bool is_hidden = *described && (*described)->is_private && login_.role() != Role::user;
    if (*described && !is_hidden) found.push_back(*described);
  }
  return found;
}

Result<const EtokenCard::Object*> EtokenCard::find(const ObjectRef& ref) {
  const auto id = id_of(ref);
  if (!fits(ref.object_class, id)) return gone();
  auto all = ids();
  if (!all) return all.take_error();
  if (std::find(all->begin(), all->end(), id) == all->end()) return gone();
  auto found = object(id);
  if (!found) return found;
  if (!*found) return gone();
  if (ref.object_class == ObjectClass::public_key && (*found)->attributes.public_deleted)
    return gone();
  return found;
}

KeyInfo key_info(std::uint16_t id, const Attributes& attributes, std::size_t bits) {
  KeyInfo info;
  info.ref = {ObjectClass::private_key, id};
  info.label = attributes.label;
  info.id = attributes.id;
  info.bits = bits;
  info.usage = attributes.usage;
  info.subject = attributes.subject;
  info.local = info.always_sensitive = info.never_extractable = attributes.local;
  return info;
}

PublicKeyInfo public_key_info(std::uint16_t id, const Attributes& attributes, std::size_t bits) {
  return {{ObjectClass::public_key, id},
          attributes.public_label.value_or(attributes.label),
          attributes.id,
          KeyType::rsa,
          bits,
          attributes.usage,
          attributes.local};
}

Result<std::size_t> EtokenCard::bits_of(const Object& key) {
  constexpr std::size_t usual = 2048;
  if (key.attributes.bits != 0) return key.attributes.bits;
  const auto value = public_value(key.id);
  if (value) return value->bits();
  // The vendor's key without a certificate: NCA's tokens hold 2048 bits.
  if (is_absent(value.error()) || value.error().kind == ErrorKind::protocol) return usual;
  return value.error();
}

Status EtokenCard::list_keys(Directory& into, const ObjectClasses& which) {
  auto pairs = objects(file::key_pair);
  if (!pairs) return pairs.take_error();
  for (const auto* key : *pairs) {
    const auto bits = bits_of(*key);
    if (!bits) return bits.error();
    into.keys.push_back(key_info(key->id, key->attributes, *bits));
    into.keys.back().modifiable = !key->is_foreign;
    if (which.public_keys && !key->attributes.public_deleted)
      into.public_keys.push_back(public_key_info(key->id, key->attributes, *bits));
  }
  if (!which.public_keys) return {};
  auto alone = objects(file::public_key);
  if (!alone) return alone.take_error();
  for (const auto* key : *alone) {
    const auto bits = bits_of(*key);
    if (!bits) return bits.error();
    into.public_keys.push_back(public_key_info(key->id, key->attributes, *bits));
  }
  return {};
}

Result<Directory> EtokenCard::list_classes(const ObjectClasses& which) {
  begin();
  Directory found;
  if (which.private_keys || which.public_keys) {
    if (auto status = list_keys(found, which); !status)
      return status.take_error().within("listing keys");
  }
  if (which.certificates) {
    auto all = objects(file::certificate);
    if (!all) return all.take_error().within("listing certificates");
    for (const auto* one : *all) {
      const auto& a = one->attributes;
      found.certificates.push_back(
          {{ObjectClass::certificate, one->id}, a.label, a.id, a.authority, a.trusted});
    }
  }
  if (which.data) {
    auto all = objects(file::data);
    if (!all) return all.take_error().within("listing data objects");
    for (const auto* one : *all) {
      const auto& a = one->attributes;
      found.data.push_back(
          {{ObjectClass::data, one->id}, a.label, a.application, a.object_id, one->is_private});
    }
  }
  return found;
}

// ---- bodies ----------------------------------------------------------------------------------

Result<PublicKey> EtokenCard::public_value(std::uint16_t id) {
  if (const auto known = public_values_.find(id); known != public_values_.end())
    return known->second;
  auto content = files_.read_file(object_file(id, file::value));
  if (!content) return content.take_error().within("reading a public key");
  PublicKey key;
  for (ByteView rest = *content; !rest.empty() && rest[0] != 0x00;) {
    const auto part = apdu::read_simple_tlv(rest);
    if (!part) return part.error().within("reading a public key");
    ByteView number = part->value;
    while (!number.empty() && number[0] == 0)
      number = number.subspan(1);
    if (part->tag == 0x11) key.modulus = copy_of(number);
    if (part->tag == 0x12) key.exponent = copy_of(number);
  }
  if (key.modulus.size() < 64 || key.modulus.size() > 512 || key.exponent.empty() ||
      key.exponent.size() > key.modulus.size()) {
    return Error{ErrorKind::protocol, "the key's file holds no public key"};
  }
  public_values_[id] = key;
  return key;
}

Result<PublicKey> EtokenCard::read_public_key(const ObjectRef& key) {
  begin();
  auto found = find(key);
  if (!found) return found.take_error();
  return public_value((*found)->id);
}

Result<Bytes> EtokenCard::body(std::uint16_t id) {
  if (const auto known = bodies_.find(id); known != bodies_.end()) return known->second;
  auto content = files_.read_file(object_file(id, file::value));
  if (content) bodies_[id] = *content;
  return content;
}

Result<Bytes> EtokenCard::read_certificate(const ObjectRef& certificate) {
  begin();
  if (certificate.object_class != ObjectClass::certificate) return gone();
  auto found = find(certificate);
  if (!found) return found.take_error();
  auto content = body((*found)->id);
  if (!content) return content.take_error().within("reading a certificate");
  // The vendor's file may be longer than the certificate.
  if (const auto value = apdu::find_tag(*content, 0x30))
    content->resize(static_cast<std::size_t>(value->data() - content->data()) + value->size());
  return content;
}

Result<Bytes> EtokenCard::read_data(const ObjectRef& data) {
  begin();
  if (data.object_class != ObjectClass::data) return gone();
  const auto known = objects_.find(id_of(data));
  const bool is_secret = known != objects_.end() && known->second.is_private;
  if (is_secret || known == objects_.end()) {
    // A private object is not even described without a login.
    auto all = ids();
    if (!all) return all.take_error();
    const bool exists = std::find(all->begin(), all->end(), id_of(data)) != all->end();
    if (exists && is_secret) {
      if (auto status = login_.require(Role::user, "reading a private data object"); !status)
        return status.take_error();
    }
  }
  auto found = find(data);
  if (!found) return found.take_error();
  auto content = body((*found)->id);
  if (!content) return content.take_error().within("reading a data object");
  return content;
}

}  // namespace kilt::card::etoken
