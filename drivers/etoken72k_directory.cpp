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
    if (!content && needs_login(content.error())) return std::optional<Object>{};
    if (!content) return content.take_error();
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
  if (!der && kind == file::certificate && needs_login(der.error())) return std::optional<Object>{};
  if (!der && !is_absent(der.error()) && !needs_login(der.error())) return der.take_error();
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
