// SPDX-License-Identifier: Apache-2.0
// Certificates and data objects put on a token with Aladdin's applet, and the key that a
// certificate is for.
#include <algorithm>

#include "apdu/tlv.hpp"
#include "drivers/certificate.hpp"
#include "drivers/etoken72k_card.hpp"

namespace kilt::card::etoken {

Result<const EtokenCard::Object*> EtokenCard::key_of(const PublicKey& key, const Bytes& hint) {
  auto keys = objects(file::key_pair);
  if (!keys) return keys.take_error();
  // The likeliest first, because every public key that is not known yet costs commands.
  const Bytes usual = default_key_id(key);
  const auto rank = [&](const Object* k) {
    return k->attributes.id == hint ? 0 : k->attributes.id == usual ? 1 : 2;
  };
  std::stable_sort(keys->begin(), keys->end(),
                   [&](const Object* a, const Object* b) { return rank(a) < rank(b); });
  for (const auto* candidate : *keys) {
    const auto& bits = candidate->attributes.bits;
    if (key.type != KeyType::rsa || (bits != 0 && bits != key.bits())) continue;
    const auto same = has_value(*candidate, key);
    if (!same) return same.error();
    if (*same) return candidate;
  }
  return static_cast<const Object*>(nullptr);
}

/// One READ tells: the first 256 bytes hold the modulus, or all but the last few of its bytes, and
/// no two moduli share that much.
Result<bool> EtokenCard::has_value(const Object& candidate, const PublicKey& key) {
  if (const auto known = public_values_.find(candidate.id); known != public_values_.end())
    return known->second == key;
  auto info = files_.select(object_file(candidate.id, file::value));
  // The vendor's keys may not show their public half.
  if (!info && candidate.is_foreign && info.error().sw != 0) return false;
  if (!info) return info.take_error().within("reading a public key");
  auto begun = files_.read(std::min(read_short, info->size));
  if (!begun) return begun.take_error().within("reading a public key");
  Bytes expected;
  apdu::append_simple_tlv(expected, 0x11, key.modulus);
  if (begun->empty() || info->size < expected.size()) return false;
  const auto shared = std::min(expected.size(), begun->size());
  if (!equal(ByteView(expected).first(shared), ByteView(*begun).first(shared))) return false;
  public_values_[candidate.id] = key;
  return true;
}

Result<const EtokenCard::Object*> EtokenCard::store(std::uint16_t kind, ByteView value,
                                                    const Attributes& attributes, bool is_private,
                                                    std::uint16_t wanted_number) {
  auto id = create_object(kind, rights_of_directory(), wanted_number);
  if (!id) return id.take_error();
  auto status =
      files_.create_file(object_file(*id, file::value), value.size(), rights_of_file(is_private));
  if (status) status = files_.write(value);
  if (status) status = create_attributes(*id, attributes, is_private);
  if (!status) {
    undo(*id);
    return status.take_error();
  }
  if (kind != file::public_key) bodies_[*id] = copy_of(value);
  return &objects_.at(*id);
}

/// exists, when this very certificate is there under this id, and under the label asked for.
Status EtokenCard::check_not_there(const CertificateRequest& request, const Bytes& id,
                                   ByteView der) {
  auto all = objects(file::certificate);
  if (!all) return all.take_error();
  for (const auto* known : *all) {
    if (known->attributes.id != id) continue;
    if (!request.label.empty() && known->attributes.label != request.label) continue;
    const auto held = bodies_.find(known->id);
    const auto same = held != bodies_.end()
                          ? Result<bool>(equal(held->second, der))
                          : files_.holds(object_file(known->id, file::value), der);
    if (!same) return same.error();
    if (!*same) continue;
    return Error{ErrorKind::exists,
                 "this certificate is on the card already, as \"" + known->attributes.label + "\""};
  }
  return {};
}

Result<CertificateInfo> EtokenCard::install_certificate(const CertificateRequest& request,
                                                        ByteView der) {
  const char* const what = "installing a certificate";
  auto certificate = Certificate::parse(der);
  if (!certificate) return certificate.take_error().within(what);
  if (der.size() > longest_file) {
    return Error{ErrorKind::bad_argument, "the certificate is longer than a file of this card"};
  }
  if (auto status = check_names(request.id, request.label); !status) return status.take_error();
  if (auto status = prepare_write(what); !status) return status.take_error();
  std::optional<Object> key;
  if (certificate->key) {
    auto found = key_of(*certificate->key, request.id);
    if (!found) return found.take_error().within(what);
    if (*found) key = **found;
  }
  if (!key && !request.allow_without_key) {
    return Error{ErrorKind::key_mismatch,
                 "the certificate fits no key on the card; it is for another card, or for a key "
                 "that was deleted"};
  }
  Attributes attributes;
  attributes.label = !request.label.empty() ? request.label
                     : key                  ? key->attributes.label
                                            : certificate->common_name;
  if (!check_names({}, attributes.label)) attributes.label = "certificate";
  attributes.id = !request.id.empty() ? request.id : key ? key->attributes.id : Bytes{};
  if (attributes.id.empty())
    attributes.id = certificate->key ? default_key_id(*certificate->key) : Bytes{0x00};
  attributes.authority = request.authority;
  if (auto status = check_not_there(request, attributes.id, der); !status)
    return status.take_error();
  // The number of the key, so that other software finds it as well [facts etoken §5.6].
  const auto number = static_cast<std::uint16_t>(key ? key->id & 0xFF : 0);
  auto stored = store(file::certificate, der, attributes, false, number);
  if (!stored) return stored.take_error().within(what);
  const auto id = (*stored)->id;
  if (key && !key->is_foreign && key->attributes.subject.empty()) {
    // Some programs look keys up by subject; a failure costs nobody anything.
    Attributes changed = key->attributes;
    changed.subject = certificate->subject;
    if (encode(changed).size() < std::min(key->file_size, files_.write_step()))
      (void)write_attributes(key->id, changed).ok();
  }
  return CertificateInfo{{ObjectClass::certificate, id},
                         attributes.label,
                         attributes.id,
                         attributes.authority,
                         attributes.trusted};
}

Result<DataInfo> EtokenCard::store_data(const DataRequest& request, ByteView value) {
  if (auto status = check_names({}, request.label); !status) return status.take_error();
  if (auto status = check_names({}, request.application); !status) return status.take_error();
  if (value.empty() || value.size() > longest_file) {
    return Error{ErrorKind::bad_argument, "a data object has 1 to 32767 bytes"};
  }
  if (auto status = prepare_write("storing a data object"); !status) return status.take_error();
  Attributes attributes;
  attributes.label = request.label;
  attributes.application = request.application;
  attributes.object_id = request.object_id;
  auto stored = store(file::data, value, attributes, request.is_private);
  if (!stored) return stored.take_error().within("storing a data object");
  return DataInfo{{ObjectClass::data, (*stored)->id},
                  request.label,
                  request.application,
                  request.object_id,
                  request.is_private};
}

}  // namespace kilt::card::etoken
