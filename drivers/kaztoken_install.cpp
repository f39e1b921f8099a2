// SPDX-License-Identifier: Apache-2.0
// Certificates and data objects put on a Kaztoken, and the key that a certificate is for.
#include <algorithm>

#include "drivers/certificate.hpp"
#include "drivers/kaztoken_card.hpp"

namespace kilt::card::kaztoken {
namespace {

template <class List>
std::vector<std::uint16_t> used_ids(const List& list) {
  std::vector<std::uint16_t> ids;
  for (const auto& object : list) {
    if (object.path == in_application(object.path.back())) ids.push_back(object.path.back());
  }
  return ids;
}

}  // namespace

Result<std::optional<KaztokenCard::ListedKey>> KaztokenCard::key_of(const PublicKey& key,
                                                                    const Bytes& hint) {
  auto keys = private_keys();
  auto publics = public_keys();
  if (!keys) return keys.take_error();
  if (!publics) return publics.take_error();
  // The likeliest first, because every public key that is not known yet costs commands.
  const Bytes usual = default_key_id(key);
  const auto rank = [&](const ListedPublicKey& k) {
    return k.entry.id == hint ? 0 : k.entry.id == usual ? 1 : 2;
  };
  std::stable_sort(publics->begin(), publics->end(),
                   [&](const auto& a, const auto& b) { return rank(a) < rank(b); });
  for (const auto& candidate : *publics) {
    if (candidate.entry.type != key.type || candidate.entry.bits != key.bits()) continue;
    const auto* own = private_half(*keys, candidate);
    if (own == nullptr) continue;
    auto same = has_value(candidate, key);
    if (!same) return same.take_error();
    if (*same) return std::optional<ListedKey>{*own};
  }
  return std::optional<ListedKey>{};
}

Result<bool> KaztokenCard::has_value(const ListedPublicKey& candidate, const PublicKey& key) {
  if (const auto known = public_values_.find(candidate.path); known != public_values_.end())
    return known->second == key;
  auto selected = files_.select(candidate.path);
  if (!selected) return selected.take_error().within("reading a public key");
  // One READ tells: of the whole value where it is that short, otherwise of the whole modulus,
  // for there is no second key with it.
  const Bytes value = rsa_public_key(key);
  const bool is_short = value.size() <= 256;
  const auto modulus =
      std::search(value.begin(), value.end(), key.modulus.begin(), key.modulus.end());
  auto same = is_short
                  ? files_.holds(0, value)
                  : files_.holds(static_cast<std::size_t>(modulus - value.begin()), key.modulus);
  if (!same) return same.take_error().within("reading a public key");
  if (!*same) return false;
  public_values_[candidate.path] = key;
  return true;
}

/// The listed certificate with this id and value, and with this label unless that is empty: a
/// second one like it could not be told apart.
Result<const KaztokenCard::ListedCertificate*> KaztokenCard::find_same(
    const std::vector<ListedCertificate>& all, const Bytes& id, const std::string& label,
    ByteView der) {
  for (const auto& listed : all) {
    if (listed.entry.id != id) continue;
    if (!label.empty() && listed.entry.common.label != label) continue;
    auto selected = files_.select(listed.path);
    if (!selected && selected.error().kind == ErrorKind::not_found) continue;  // half deleted
    if (!selected) return selected.take_error();
    auto same = files_.holds(0, der);
    if (!same) return same.take_error();
    if (*same) return &listed;
  }
  return static_cast<const ListedCertificate*>(nullptr);
}

void KaztokenCard::add_subject(const ListedKey& key, const Bytes& subject) {
  // OpenSC looks keys up by subject, so it gets one where that takes a single write.
  if (key.entry.subject == subject || key.raw.empty()) return;
  const auto changed = pkcs15::rewrite(Kind::private_keys, key.raw, {{}, {}, subject, {}});
  if (changed) (void)application_.replace_if_simple(Kind::private_keys, key.raw, *changed);
}

Result<CertificateInfo> KaztokenCard::install_certificate(const CertificateRequest& request,
                                                          ByteView der) {
  auto certificate = Certificate::parse(der);
  if (!certificate) return certificate.take_error().within("installing a certificate");
  if (auto status = check_names(request.id, request.label); !status) return status.take_error();
  if (auto status = prepare_write("installing a certificate"); !status) return status.take_error();
  std::optional<ListedKey> key;
  if (certificate->key) {
    auto found = key_of(*certificate->key, request.id);
    if (!found) return found.take_error().within("installing a certificate");
    key = std::move(*found);
  }
  if (!key && !request.allow_without_key) {
    return Error{ErrorKind::key_mismatch,
                 "the certificate fits no key on the card; it is for another card, or for a key "
                 "that was deleted"};
  }
  pkcs15::CertificateEntry entry;
  entry.common.label = !request.label.empty() ? request.label
                       : key                  ? key->entry.common.label
                                              : certificate->common_name;
  if (entry.common.label.size() > longest_name) entry.common.label = "certificate";
  entry.id = !request.id.empty() ? request.id : key ? key->entry.id : Bytes{};
  if (entry.id.empty())
    entry.id = certificate->key ? default_key_id(*certificate->key) : Bytes{0x00};
  entry.authority = request.authority;

  auto all = certificates();
  if (!all) return all.take_error();
  auto twin = find_same(*all, entry.id, request.label, der);
  if (!twin) return twin.take_error().within("comparing with the certificates on the card");
  if (*twin) {
    return Error{ErrorKind::exists, "the certificate is on the card already, with the label \"" +
                                        (*twin)->entry.common.label + "\""};
  }
  auto file = application_.create_value(file::certificate, used_ids(*all), der.size(),
                                        rights::users_file());
  if (!file) return file.take_error().within("installing a certificate");
  entry.path = path_bytes(*file);
  auto status = application_.write_value(*file, der);
  if (status) status = application_.add(Kind::certificates, pkcs15::encode(entry));
  if (!status) {
    undo({*file}, status.error());
    return status.take_error().within("installing a certificate");
  }
  bodies_[*file] = copy_of(der);
  note_change();
  if (key) add_subject(*key, certificate->subject);
  return CertificateInfo{{ObjectClass::certificate, file->back()},
                         entry.common.label,
                         entry.id,
                         entry.authority,
                         false};
}

Result<DataInfo> KaztokenCard::store_data(const DataRequest& request, ByteView value) {
  if (auto status = check_names({}, request.label); !status) return status.take_error();
  if (auto status = check_names({}, request.application); !status) return status.take_error();
  if (value.empty() || value.size() > IsoFiles::longest_file - 1) {
    return Error{ErrorKind::bad_argument, "a data object has 1 to 32767 bytes"};
  }
  if (auto status = prepare_write("storing a data object"); !status) return status.take_error();
  auto all = data_objects();
  if (!all) return all.take_error();
  const auto first = request.is_private ? file::private_data : file::data;
  auto file = application_.create_value(
      first, used_ids(*all), value.size(),
      request.is_private ? rights::users_secret_file() : rights::users_file());
  if (!file) return file.take_error().within("storing a data object");
  pkcs15::DataEntry entry;
  entry.common.label = request.label;
  entry.common.is_private = request.is_private;
  if (request.is_private) entry.common.auth_id = {pin::user};
  entry.application = request.application;
  entry.object_id = request.object_id;
  entry.path = path_bytes(*file);
  auto status = [&] {
    const apdu::Channel::Privacy privacy(link_->channel(), request.is_private);
    return application_.write_value(*file, value);
  }();
  if (status) status = application_.add(Kind::data, pkcs15::encode(entry));
  if (!status) {
    undo({*file}, status.error());
    return status.take_error().within("storing a data object");
  }
  note_change();
  return DataInfo{{ObjectClass::data, file->back()},
                  request.label,
                  request.application,
                  request.object_id,
                  request.is_private};
}

}  // namespace kilt::card::kaztoken
