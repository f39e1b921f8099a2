// SPDX-License-Identifier: Apache-2.0
// Certificates and data objects put on a JaCarta, and the key that a certificate is for.
#include <algorithm>

#include "drivers/certificate.hpp"
#include "drivers/jacarta_card.hpp"

namespace kilt::card::jacarta {
namespace {

bool contains(const std::vector<std::uint16_t>& all, std::uint16_t fid) {
  return std::find(all.begin(), all.end(), fid) != all.end();
}

}  // namespace

/// Whether the public key of this index is that one. What the listing read of the modulus tells
/// most of them apart.
Result<bool> JacartaCard::has_value(std::uint16_t index, const PublicKey& key) {
  if (const auto* known = known_public_key(index)) return *known == key;
  auto found = objects_.find(Area::open, id::public_key | index, {Type::modulus});
  if (!found) return found.take_error();
  if (!*found) return false;
  const auto place = (*found)->index.find(Type::modulus);
  if (place == (*found)->index.end() || place->second.length != key.modulus.size()) return false;
  const std::size_t known =
      std::min((*found)->file.known_from(place->second.at), place->second.length);
  const auto begin = (*found)->file.bytes(place->second.at, known, {});
  if (!begin) return begin.error();
  if (!equal(*begin, ByteView(key.modulus).first(known))) return false;
  const auto value = public_value(index);
  if (!value) return value.error();
  return *value == key;
}

/// Label of the certificate with this id and value, and with this label unless that is empty: a
/// second one like it could not be told apart.
Result<std::optional<std::string>> JacartaCard::find_same(const Bytes& id, const std::string& label,
                                                          ByteView der) {
  const auto all = certificates();
  if (!all) return all.error();
  for (const auto& listed : *all) {
    if (listed.id != id || (!label.empty() && listed.label != label)) continue;
    auto found =
        objects_.find(Area::open, static_cast<std::uint16_t>(listed.ref.token), {Type::value});
    if (!found) return found.take_error();
    const auto place = *found ? (*found)->index.find(Type::value) : Index::iterator();
    if (!*found || place == (*found)->index.end() || place->second.length != der.size()) continue;
    const auto value = objects_.value(**found, Type::value);
    if (!value) return value.error();
    if (equal(*value, der)) return std::optional<std::string>(listed.label);
  }
  return std::optional<std::string>();
}

/// A key that was put on the card without its public half is known by its id alone, as the vendor's
/// software has it [facts jacarta A16 #35].
Result<std::optional<JacartaCard::ListedKey>> JacartaCard::key_without_half(const PublicKey& key,
                                                                            const Bytes& id) {
  const auto keys = private_keys();
  if (!keys) return keys.error();
  for (const auto& own : *keys) {
    if (id.empty() || own.info.id != id || own.info.bits != key.bits()) continue;
    const auto half = objects_.find(Area::open, id::public_key | own.index, {Type::modulus});
    if (!half) return half.error();
    if (!*half) return std::optional<ListedKey>{own};
  }
  return std::optional<ListedKey>{};
}

Result<std::optional<JacartaCard::ListedKey>> JacartaCard::key_of(const PublicKey& key,
                                                                  const Bytes& hint) {
  auto keys = private_keys();
  if (!keys) return keys.take_error();
  std::stable_partition(keys->begin(), keys->end(),
                        [&](const ListedKey& own) { return own.info.id == hint; });
  for (const auto& own : *keys) {
    if (key.type != KeyType::rsa || own.info.bits != key.bits()) continue;
    auto same = has_value(own.index, key);
    if (!same) return same.take_error();
    if (*same) return std::optional<ListedKey>{own};
  }
  return key_without_half(key, hint);
}

/// Beside its key, or where certificates without keys lie; a second one of a key lies there too.
Result<std::uint16_t> JacartaCard::certificate_place(const std::optional<ListedKey>& key) {
  const auto open = objects_.ids(Area::open);
  if (!open) return open.error();
  if (key) {
    const auto beside = static_cast<std::uint16_t>(id::key_certificate | key->index);
    if (!contains(*open, beside)) return beside;
  }
  for (std::uint16_t fid = id::certificate; fid <= id::certificate_max; ++fid) {
    if (!contains(*open, fid)) return fid;
  }
  return Error{ErrorKind::no_space, "the card has no place for another certificate"};
}

/// The first certificate makes its key the one that Windows takes without asking
/// [facts jacarta A16 #35].
Status JacartaCard::mark_default(std::uint16_t index) {
  const auto keys = private_keys();
  if (!keys) return keys.error();
  auto map = objects_.container_map(false);
  if (!map) return map.take_error();
  complete_map(*map, *keys);
  if (map->has(index) && !map->has_default()) map->set_default(index);
  return objects_.store_container_map(*map);
}

Result<CertificateInfo> JacartaCard::install_certificate(const CertificateRequest& request,
                                                         ByteView der) {
  const char* const what = "installing a certificate";
  auto certificate = Certificate::parse(der);
  if (!certificate) return certificate.take_error().within(what);
  if (auto status = check_names(request.id, request.label); !status) return status.take_error();
  if (auto status = prepare_write(what); !status) return status.take_error();
  std::optional<ListedKey> key;
  if (certificate->key) {
    auto found = key_of(*certificate->key, request.id);
    if (!found) return found.take_error().within(what);
    key = std::move(*found);
  }
  if (!key && !request.allow_without_key) {
    return Error{ErrorKind::key_mismatch,
                 "the certificate fits no key on the card; it is for another card, or for a key "
                 "that was deleted"};
  }
  std::string label = !request.label.empty() ? request.label
                      : key                  ? key->info.label
                                             : certificate->common_name;
  if (!check_names({}, label)) label = "certificate";
  Bytes id = !request.id.empty() ? request.id : key ? key->info.id : Bytes{};
  if (id.empty()) id = certificate->key ? default_key_id(*certificate->key) : Bytes{0x00};
  const auto twin = find_same(id, request.label, der);
  if (!twin) return twin.error().within("comparing with the certificates on the card");
  if (*twin) {
    return Error{ErrorKind::exists,
                 "the certificate is on the card already, with the label \"" + **twin + "\""};
  }
  // The vendor's software pairs by id.
  const auto fid = certificate_place(key && key->info.id == id ? key : std::nullopt);
  if (!fid) return fid.error();
  const bool is_beside_key = key && *fid == (id::key_certificate | key->index);
  auto file =
      encode(*fid, certificate_attributes(*certificate, label, id), objects_.freshness().after(1));
  if (!file) return file.take_error();
  auto status = objects_.create(Area::open, *fid, std::move(*file));
  if (status) {
    if (is_beside_key) status = mark_default(key->index);
    if (status) status = objects_.count(1);
    if (!status) (void)objects_.remove(Area::open, *fid);
  }
  if (!status) return status.take_error().within(what);
  const bool authority = !is_beside_key && certificate->authority;
  return CertificateInfo{
      {ObjectClass::certificate, *fid}, std::move(label), std::move(id), authority, false};
}

Result<DataInfo> JacartaCard::store_data(const DataRequest& request, ByteView value) {
  const char* const what = "storing a data object";
  if (auto status = check_names({}, request.label); !status) return status.take_error();
  if (auto status = check_names({}, request.application); !status) return status.take_error();
  if (value.empty()) return Error{ErrorKind::bad_argument, "a data object has one byte at least"};
  if (auto status = prepare_write(what); !status) return status.take_error();
  const auto open = objects_.ids(Area::open), hidden = objects_.ids(Area::hidden);
  if (!open) return open.error();
  if (!hidden) return hidden.error();
  std::uint16_t fid = id::data;
  // A number is given once, over both directories [facts jacarta A16 #25].
  while (fid <= id::data_max && (contains(*open, fid) || contains(*hidden, fid)))
    ++fid;
  if (fid > id::data_max) {
    return Error{ErrorKind::no_space, "the card has no place for another data object"};
  }
  const Area area = request.is_private ? Area::hidden : Area::open;
  auto file = encode(fid, data_attributes(request, value), objects_.freshness().after(1));
  if (!file) return file.take_error();
  auto status = objects_.create(area, fid, std::move(*file));
  if (status) {
    status = objects_.count(1);
    if (!status) (void)objects_.remove(area, fid);
  }
  if (!status) return status.take_error().within(what);
  return DataInfo{{ObjectClass::data, fid | (request.is_private ? id::hidden_bit : 0)},
                  request.label,
                  request.application,
                  request.object_id,
                  request.is_private};
}

}  // namespace kilt::card::jacarta
