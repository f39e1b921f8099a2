// SPDX-License-Identifier: Apache-2.0
// What is on a JaCarta: its objects as lists.
#include <algorithm>

#include "drivers/certificate.hpp"
#include "drivers/jacarta_card.hpp"

namespace kilt::card::jacarta {
namespace {

/// What the vendor's software writes for a key that has no subject [facts jacarta A11].
const char* const no_subject = "300A4A414341525441504B49";

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

}  // namespace

Result<std::size_t> JacartaCard::bits_of_key(std::uint16_t index) {
  if (objects_.is_listed(Area::open)) {
    auto half = objects_.find(Area::open, id::public_key | index, public_key_types());
    if (!half) return half.take_error();
    if (*half) {
      const auto modulus = (*half)->index.find(Type::modulus);
      if (modulus != (*half)->index.end()) return modulus->second.length * 8;
    }
  }
  const auto object = select_key(index);
  if (!object && object.error().kind == ErrorKind::not_found) return std::size_t{0};
  if (!object) return object.error();
  return object->size * 8;
}

Status JacartaCard::read_flags(ObjectFile& object,
                               std::initializer_list<std::pair<Type, bool*>> flags) {
  for (const auto& [type, flag] : flags) {
    auto value = objects_.value(object, type);
    if (!value) return value.take_error();
    *flag = !value->empty() && value->front() != 0;
  }
  return {};
}

Status JacartaCard::read_names(ObjectFile& object, std::string& label, Bytes& id) {
  auto text = objects_.value(object, Type::label);
  if (!text) return text.take_error();
  auto bytes = objects_.value(object, Type::id);
  if (!bytes) return bytes.take_error();
  label = as_text(*text);
  id = std::move(*bytes);
  return {};
}

Result<KeyInfo> JacartaCard::private_key_info(ObjectFile& object) {
  KeyInfo info;
  info.ref = {ObjectClass::private_key, object.fid};
  auto& usage = info.usage;
  auto status = read_flags(object, {{Type::sign, &usage.sign},
                                    {Type::sign_recover, &usage.sign_recover},
                                    {Type::decrypt, &usage.decrypt},
                                    {Type::unwrap, &usage.unwrap},
                                    {Type::derive, &usage.derive},
                                    {Type::local, &info.local}});
  if (status) status = read_names(object, info.label, info.id);
  if (!status) return status.take_error();
  auto subject = objects_.value(object, Type::subject);
  if (!subject) return subject.take_error();
  if (to_hex(*subject) != no_subject) info.subject = std::move(*subject);
  auto bits = bits_of_key(static_cast<std::uint16_t>(object.fid - id::private_key));
  if (!bits) return bits.take_error();
  info.bits = *bits;
  // The chip gives no private key out, whatever the file says of the past.
  info.sensitive = true;
  info.always_sensitive = info.never_extractable = info.local;
  return info;
}

Result<std::vector<JacartaCard::ListedKey>> JacartaCard::private_keys() {
  auto all = objects_.ids(Area::hidden);
  if (!all) return all.take_error();
  std::vector<ListedKey> listed;
  for (const auto fid : *all) {
    if (!id::is_private_key(fid)) continue;
    auto found = objects_.find(Area::hidden, fid, private_key_types());
    if (!found) return found.take_error();
    if (!*found) continue;
    auto info = private_key_info(**found);
    if (!info) return info.take_error();
    listed.push_back({static_cast<std::uint16_t>(fid - id::private_key), std::move(*info)});
  }
  return listed;
}

Result<bool> JacartaCard::is_listed(const FilePath& key_object) {
  if (!private_objects_) {
    auto objects = files_.list(file::hidden_objects, FileType::ko);
    if (!objects) return objects.take_error();
    private_objects_ = std::move(*objects);
  }
  return std::find(private_objects_->begin(), private_objects_->end(), key_object.back()) !=
         private_objects_->end();
}

/// Whether a public key is the half of a pair whose generation was cut off: its private key is in
/// the chip, and nothing describes it. Such a key is for exchange, as all that are made.
Result<bool> JacartaCard::is_unfinished(std::uint16_t index) {
  return is_listed(private_key_object(index));
}

/// Whether a key of either kind is in the chip.
Result<bool> JacartaCard::is_taken(std::uint16_t index) {
  auto unfinished = is_unfinished(index);
  if (!unfinished || *unfinished) return unfinished;
  return is_listed(signature_key_object(index));
}

Result<PublicKeyInfo> JacartaCard::public_key_info(ObjectFile& object) {
  PublicKeyInfo info;
  info.ref = {ObjectClass::public_key, object.fid};
  auto& usage = info.usage;
  auto status = read_flags(object, {{Type::verify, &usage.sign},
                                    {Type::verify_recover, &usage.sign_recover},
                                    {Type::encrypt, &usage.decrypt},
                                    {Type::wrap, &usage.unwrap},
                                    {Type::derive, &usage.derive}});
  if (status) status = read_names(object, info.label, info.id);
  if (!status) return status.take_error();
  const auto modulus = object.index.find(Type::modulus);
  info.bits = modulus == object.index.end() ? 0 : modulus->second.length * 8;
  return info;
}

Result<std::vector<PublicKeyInfo>> JacartaCard::public_keys() {
  auto all = objects_.ids(Area::open);
  if (!all) return all.take_error();
  std::vector<PublicKeyInfo> listed;
  for (const auto fid : *all) {
    if (!id::is_public_key(fid)) continue;
    auto found = objects_.find(Area::open, fid, public_key_types());
    if (!found) return found.take_error();
    if (!*found) continue;
    const auto index = static_cast<std::uint16_t>(fid - id::public_key);
    // The value comes along while the file is selected; where it makes no sense, whoever asks for
    // it is told so.
    if (auto value = public_value(index); !value && value.error().kind != ErrorKind::protocol)
      return value.take_error();
    auto info = public_key_info(**found);
    if (!info) return info.take_error();
    auto own = objects_.find(Area::hidden, id::private_key | index, private_key_types());
    if (!own) return own.take_error();
    if (*own) {
      if (auto status = read_flags(**own, {{Type::local, &info->local}}); !status)
        return status.take_error();
    } else {
      auto unfinished = is_unfinished(index);
      if (!unfinished) return unfinished.take_error();
      if (*unfinished) continue;
    }
    listed.push_back(std::move(*info));
  }
  return listed;
}

Result<std::optional<CertificateInfo>> JacartaCard::certificate_info(std::uint16_t fid) {
  auto found = objects_.find(Area::open, fid, {Type::label, Type::value});
  if (!found) return found.take_error();
  if (!*found) return std::optional<CertificateInfo>{};
  // Who looks for certificates reads them: in one go that is cheapest.
  auto der = objects_.value(**found, Type::value);
  if (!der) return der.take_error();
  found = objects_.find(Area::open, fid, {Type::trusted, Type::id});
  if (!found) return found.take_error();
  CertificateInfo info;
  info.ref = {ObjectClass::certificate, fid};
  auto status = read_names(**found, info.label, info.id);
  if (status) status = read_flags(**found, {{Type::trusted, &info.trusted}});
  if (!status) return status.take_error();
  // No attribute says so, and a key's certificate is its owner's.
  if (!id::is_index(fid, id::key_certificate)) {
    const auto parsed = Certificate::parse(*der);
    info.authority = parsed && parsed->authority;
  }
  return std::optional<CertificateInfo>{std::move(info)};
}

Result<std::vector<CertificateInfo>> JacartaCard::certificates() {
  auto all = objects_.ids(Area::open);
  if (!all) return all.take_error();
  std::vector<CertificateInfo> listed;
  for (const auto fid : *all) {
    if (!id::is_certificate(fid)) continue;
    auto info = certificate_info(fid);
    if (!info) return info.take_error();
    if (*info) listed.push_back(std::move(**info));
  }
  return listed;
}

Result<std::optional<DataInfo>> JacartaCard::data_info(Area area, std::uint16_t fid) {
  const Bytes no_object_id(64, 0xFF);
  auto found =
      objects_.find(area, fid, {Type::label, Type::application, Type::value, Type::object_id});
  if (!found) return found.take_error();
  if (!*found) return std::optional<DataInfo>{};
  auto label = objects_.value(**found, Type::label);
  auto application = objects_.value(**found, Type::application);
  auto object_id = objects_.value(**found, Type::object_id);
  if (!label) return label.take_error();
  if (!application) return application.take_error();
  if (!object_id) return object_id.take_error();
  DataInfo info;
  info.ref = {ObjectClass::data, fid | (area == Area::hidden ? id::hidden_bit : 0)};
  info.label = as_text(*label);
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
      if (!id::is_data(fid)) continue;
      auto info = data_info(area, fid);
      if (!info) return info.take_error();
      if (*info) listed.push_back(std::move(**info));
    }
  }
  return listed;
}

Result<Directory> JacartaCard::list_classes(const ObjectClasses& which) {
  begin();
  if (auto status = check_objects(); !status) return status.take_error();
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

}  // namespace kilt::card::jacarta
