// SPDX-License-Identifier: Apache-2.0
// Which objects a token with Aladdin's applet holds: one directory each, described by attributes of
// ours, or made by the vendor's software.
#include <algorithm>

#include "drivers/certificate.hpp"
#include "drivers/etoken72k_card.hpp"

namespace kilt::card::etoken {
namespace {

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

/// Whether an error is the card's own "not there", rather than a fault on the way.
bool is_absent(const Error& error) {
  return error.kind == ErrorKind::not_found;
}

/// Whether the card wants a (better) login for this file. A login that was lost and did not come
/// back is another thing.
bool needs_login(const Error& error) {
  return error.sw == apdu::sw::security_status_not_satisfied.value;
}

/// Whether somebody said no (the card, or the guard before it) or something that makes no sense,
/// rather than a fault on the way or a login that was lost.
bool is_no(const Error& error) {
  if (error.sw != 0) return error.kind != ErrorKind::not_logged_in || needs_login(error);
  return error.kind == ErrorKind::protocol || error.kind == ErrorKind::refused;
}

/// The object of another kind with the same low byte.
std::uint16_t numbered(std::uint16_t kind, std::uint16_t id) {
  return static_cast<std::uint16_t>(kind | (id & 0xFF));
}

}  // namespace

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
    // Ours are private for this one reason; what the vendor's rights mean is found by trying.
    if (found.is_private && kind_of(id) == file::data && login_.role() != Role::user)
      return std::optional<Object>{};
    if (info->is_directory || info->size > longest_attributes) continue;
    auto content = files_.read(info->size);
    if (!content && needs_login(content.error())) return describe_foreign(id);
    if (!content) return content.take_error();
    if (content->empty() || content->front() == 0x00) continue;  // not written to the end
    found.file = inside;
    found.file_size = info->size;
    auto attributes = parse_attributes(*content);
    if (!attributes) return describe_foreign(id);
    found.attributes = std::move(*attributes);
    return std::optional<Object>{std::move(found)};
  }
  if (kind_of(id) != file::key_pair) return std::optional<Object>{};
  auto unfinished = is_unfinished_key(id);
  if (!unfinished) return unfinished.take_error();
  if (*unfinished) return std::optional<Object>{};
  return describe_foreign(id);
}

/// A key without attributes that can be seen is an interrupted work of ours, or the vendor's. Ours
/// shows its public half in our form or is an empty directory with our rights, and has no
/// certificate of the vendor's.
Result<bool> EtokenCard::is_unfinished_key(std::uint16_t id) {
  auto half = public_value(id);
  if (!half && !is_no(half.error())) return half.take_error();
  auto certificate = certificate_of(id, true);
  if (!certificate) return certificate.take_error();
  if (*certificate) return false;
  if (half) {
    public_values_.erase(id);  // its number may get another key
    return true;
  }
  const auto info = files_.select(object_directory(id));
  if (info) return info->is_directory && info->acl == bytes_of(rights_of_directory());
  if (is_absent(info.error())) return true;
  if (!is_no(info.error())) return info.error();
  return false;
}

// ---- the vendor's objects --------------------------------------------------------------------

/// Nothing: not there, not to be read (yet), or no certificate.
Result<std::optional<Certificate>> EtokenCard::certificate_in(std::uint16_t id) {
  auto der = body(id);
  if (!der && !is_absent(der.error()) && !needs_login(der.error())) return der.take_error();
  if (!der) return std::optional<Certificate>{};
  auto certificate = Certificate::parse(*der);
  if (!certificate) return std::optional<Certificate>{};
  return std::optional<Certificate>{std::move(*certificate)};
}

/// What is in there, unless the key's public half is known to be another.
Result<std::optional<Certificate>> EtokenCard::certificate_for(std::uint16_t key, std::uint16_t id,
                                                               bool only_foreign) {
  if (only_foreign) {
    auto described = object(id);
    if (!described) return described.take_error();
    if (!*described || !(*described)->is_foreign) return std::optional<Certificate>{};
  }
  auto found = certificate_in(id);
  if (!found || !*found) return found;
  const auto half = public_values_.find(key);
  if (half == public_values_.end() || (*found)->key == half->second) return found;
  return std::optional<Certificate>{};
}

/// The certificate of a key that does not tell: that of the same number [facts etoken §5.6], else
/// the one for its public half, where the card shows that.
Result<std::optional<Certificate>> EtokenCard::certificate_of(std::uint16_t key,
                                                              bool only_foreign) {
  auto all = ids_of(file::certificate);
  if (!all) return all.take_error();
  const auto twin = numbered(file::certificate, key);
  if (std::erase(*all, twin) != 0) {
    auto found = certificate_for(key, twin, only_foreign);
    if (!found || *found) return found;
  }
  const auto half = public_value(key);
  if (!half && !is_no(half.error())) return half.error();
  if (!half) return std::optional<Certificate>{};
  for (const auto id : *all) {
    auto found = certificate_for(key, id, only_foreign);
    if (!found || *found) return found;
  }
  return std::optional<Certificate>{};
}

/// Whether no key speaks for a certificate by number or public half.
bool EtokenCard::may_lack_its_key(std::uint16_t id, const Certificate& certificate) const {
  if (!certificate.key || certificate.key->type != KeyType::rsa) return false;
  const auto twin = numbered(file::key_pair, id);
  if (std::find(ids_->begin(), ids_->end(), twin) != ids_->end()) {
    const auto known = objects_.find(twin);
    if (known == objects_.end() || known->second.is_foreign) return false;
  }
  return std::none_of(public_values_.begin(), public_values_.end(),
                      [&](const auto& value) { return value.second == *certificate.key; });
}

/// Of a key that neither number nor public half tells of: the one whose public power it undoes.
Result<std::optional<Certificate>> EtokenCard::proven_certificate(std::uint16_t key) {
  if (login_.role() != Role::user || public_values_.contains(key))
    return std::optional<Certificate>{};
  auto all = ids_of(file::certificate);
  if (!all) return all.take_error();
  for (const auto id : *all) {
    auto found = certificate_in(id);
    if (!found) return found;
    if (!*found || !ids_ || !may_lack_its_key(id, **found)) continue;
    const auto same = is_private_half(key, *(*found)->key);
    if (same && *same) return found;
    if (same) continue;
    if (!is_no(same.error())) return same.error();
    // Of all the others it would say the same: a guess that is not allowed, a key that is not used.
    if (same.error().kind == ErrorKind::refused || needs_login(same.error())) break;
  }
  return std::optional<Certificate>{};
}

/// Objects of the vendor's software, whose attributes we cannot read: a certificate speaks for
/// itself, and for its key.
Result<std::optional<EtokenCard::Object>> EtokenCard::describe_foreign(std::uint16_t id) {
  Object made;
  made.id = id;
  made.is_foreign = true;
  const auto kind = kind_of(id);
  if (kind != file::certificate && kind != file::key_pair) return std::optional<Object>{};
  const bool is_key = kind == file::key_pair;
  made.attributes.id = {static_cast<std::uint8_t>(id)};
  made.attributes.label = (is_key ? "key " : "certificate ") + std::to_string(id & 0xFF);
  made.attributes.usage.sign = made.attributes.usage.decrypt = is_key;
  auto certificate = is_key ? certificate_of(id, false) : certificate_in(id);
  if (certificate && !*certificate && is_key) certificate = proven_certificate(id);
  if (!certificate) return certificate.take_error();
  if (!*certificate && !is_key) return std::optional<Object>{};
  if (*certificate) {
    const auto& found = **certificate;
    if (!found.common_name.empty()) made.attributes.label = found.common_name;
    made.attributes.authority = found.authority;
    made.attributes.subject = found.subject;
    if (found.key && found.key->type == KeyType::rsa) {
      made.attributes.id = default_key_id(*found.key);
      made.attributes.bits = found.key->bits();
      if (is_key) public_values_[id] = *found.key;
    }
  } else if (const auto half = public_values_.find(id); half != public_values_.end()) {
    made.attributes.id = default_key_id(half->second);
    made.attributes.bits = half->second.bits();
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
  if (!fits(ref.object_class, id)) return object_gone();
  auto all = ids();
  if (!all) return all.take_error();
  if (std::find(all->begin(), all->end(), id) == all->end()) return object_gone();
  auto found = object(id);
  if (!found) return found;
  if (!*found) return object_gone();
  if (ref.object_class == ObjectClass::public_key && (*found)->attributes.public_deleted)
    return object_gone();
  return found;
}

}  // namespace kilt::card::etoken
