// SPDX-License-Identifier: Apache-2.0
// Looking at a token with Aladdin's applet: what it is, what is on it. Nothing here writes.
#include "drivers/etoken72k_card.hpp"

#include <algorithm>

#include "apdu/tlv.hpp"

namespace kilt::card::etoken {
namespace {

constexpr const char* manufacturer = "Aladdin R.D.";

/// Whether an error is the card's own "not there", rather than a fault on the way.
bool is_absent(const Error& error) {
  return error.kind == ErrorKind::not_found;
}

}  // namespace

EtokenCard::EtokenCard(std::unique_ptr<Link> link, const CardModel& model, SideFiles side_files)
    : link_(std::move(link)),
      model_(model),
      login_(
          *link_, [this](Role role) { return failures(role); },
          [this](Role role, const Status& refusal) { (void)noted(role, refusal).ok(); }),
      files_(*link_, login_),
      objects_since_(link_->transaction()),
      failures_(std::move(side_files), ".failures") {
  link_->channel().set_prefer_extended(true);
}

void EtokenCard::forget_state() {
  files_.forget_applet();
  login_.forget();
  login_.forget_blocked();
  pin_is_set_ = {};
}

void EtokenCard::forget_objects() {
  objects_since_ = link_->transaction();
  ids_.reset();
  objects_.clear();
  public_values_.clear();
  bodies_.clear();
  label_.reset();
}

/// Of several commands of one kind, one example: they are known alike. Changing a label is one
/// WRITE as a rule; where it takes a new file, the guard refuses that before anything is changed.
Status EtokenCard::allows(Work work) {
  const Bytes block(128), salt(pin::salt_size), key(pin::key_size);
  const auto create = command::create(false, file::attributes, 1, rights_of_file(false));
  const auto write = command::write(0, block);
  const auto all = [this](const auto&... commands) {
    Status status;
    (void)((status = link_->allows(commands)).ok() && ...);
    return status;
  };
  switch (work) {
    case Work::generate:
      return all(create, command::generate(2048), write);
    case Work::import:
      return all(create, command::import_part(KeyPart::prime1, block, false), write);
    case Work::install:
      return all(create, write);
    case Work::change:
      return all(write);
    case Work::remove:
      return all(command::remove());
    case Work::change_pin:
      return all(command::change_pin(Role::user, salt, key));
    case Work::unblock_pin:
      return all(command::set_user_pin(salt, key), command::login(Role::security_officer, block));
    case Work::initialise:
      return all(command::initialise(salt, key, as_bytes("label")));
  }
  return {};
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
  const auto info = files_.select(file::salt_of(role));
  if (!info && !is_absent(info.error())) return info.error();
  pin_is_set_[index(role)] = info && info->size > 0;
  return pin_is_set_[index(role)];
}

Result<PinInfo> EtokenCard::pin_status(Role role) {
  PinInfo info;
  info.role = role;
  info.min_length = pin::min_length;
  info.new_min_length = pin::new_min_length;
  info.max_length = pin::max_length;
  info.logged_in = login_.role() == role;
  // No known command tells the counter [facts etoken §5.7]; what is known is what logins met.
  info.blocked = login_.is_blocked(role);
  info.failures = failures(role);
  if (info.blocked) info.tries_left = 0;
  if (!info.tries_left) {
    if (auto kept = failures_.can_keep(); !kept) info.unwatched = kept.error().message();
  }
  if (info.logged_in || info.blocked || pin_is_set_[index(role)]) return info;
  begin();
  auto set = has_salt(role);
  if (!set) return set.take_error().within("asking whether the PIN is set");
  info.initialized = *set;
  return info;
}

// ---- listing ---------------------------------------------------------------------------------

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
  if (key.is_foreign && (value.error().sw != 0 || value.error().kind == ErrorKind::protocol))
    return usual;
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
  if (certificate.object_class != ObjectClass::certificate) return object_gone();
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
  if (data.object_class != ObjectClass::data) return object_gone();
  auto found = find(data);
  if (!found) {
    // A private object is not even described without a login.
    const bool is_listed = ids_ && std::count(ids_->begin(), ids_->end(), data.token) > 0;
    const auto allowed = login_.require(Role::user, "reading a private data object");
    if (is_listed && !allowed) return allowed.error();
    return found.take_error();
  }
  auto content = body((*found)->id);
  if (!content) return content.take_error().within("reading a data object");
  return content;
}

}  // namespace kilt::card::etoken
