// SPDX-License-Identifier: Apache-2.0
// Certificates put on an ID card, or beside it. On the card the value comes first, the directory
// entry that makes it seen last.
#include <algorithm>

#include "drivers/kzid_card.hpp"

namespace kilt::card::kzid {
/// The key object that holds this key. The likeliest are looked into first: each costs three
/// exchanges.
Result<std::optional<std::uint8_t>> KzidCard::key_of(const PublicKey& key, const Bytes& hint) {
  auto named = described_keys();
  if (!named) return named.take_error();
  const Bytes usual = default_key_id(key);
  const auto rank = [&](std::uint8_t number) {
    const auto entry = named->find(number);
    if (entry == named->end()) return 3;
    if (!hint.empty() && entry->second.id == hint) return 0;
    return entry->second.id == usual ? 1 : 2;
  };
  std::vector<std::uint8_t> numbers;
  for (std::uint8_t number = key::first; number <= key::last; ++number)
    numbers.push_back(number);
  std::stable_sort(numbers.begin(), numbers.end(),
                   [&](auto a, auto b) { return rank(a) < rank(b); });
  for (const auto number : numbers) {
    auto object = keys_.look(number);
    if (!object) return object.take_error();
    if (object->state == KeyObject::State::full && object->key == key)
      return std::optional<std::uint8_t>{number};
  }
  return std::optional<std::uint8_t>{};
}

namespace {

Error no_such_key() {
  return {ErrorKind::key_mismatch,
          "the certificate fits no key on the card; it is for another card, or for a key that was "
          "deleted"};
}

}  // namespace

Result<CertificateInfo> KzidCard::install_beside(const CertificateRequest& request, ByteView der) {
  auto certificate = Certificate::parse(der);
  if (!certificate) return certificate.take_error();
  auto keys = private_keys(true);
  if (!keys) return keys.take_error();
  const auto own = std::find_if(keys->begin(), keys->end(), [&](const KeyInfo& info) {
    const auto* object = keys_.known(static_cast<std::uint8_t>(info.ref.token));
    return certificate->key && object != nullptr && object->key == *certificate->key;
  });
  if (own == keys->end()) return no_such_key();
  if (request.authority || (!request.id.empty() && request.id != own->id)) {
    return Error{ErrorKind::unsupported,
                 "this ID card has no directory of certificates; beside it a certificate is kept "
                 "for its key only, under the key's id " +
                     to_hex(own->id)};
  }
  const auto there = side_files_.read(*certificate->key);
  if (there && equal(*there, der)) {
    return Error{ErrorKind::exists, "this certificate is kept for the card already, in " +
                                        side_files_.path(*certificate->key)};
  }
  if (auto status = side_files_.write(*certificate->key, der); !status) return status.take_error();
  return CertificateInfo{{ObjectClass::certificate, side_token | own->ref.token},
                         own->label,
                         own->id,
                         false,
                         false,
                         side_files_.path(*certificate->key)};
}

/// `exists` when just this certificate is on the card under this id and label.
Status KzidCard::check_not_there(const pkcs15::CertificateEntry& entry, bool any_label,
                                 ByteView der) {
  auto all = certificates();
  if (!all) return all.take_error();
  for (const auto& listed : *all) {
    if (listed.entry.id != entry.id) continue;
    if (!any_label && listed.entry.common.label != entry.common.label) continue;
    auto same = place_.begins_with(listed.file, der);
    if (!same && same.error().kind != ErrorKind::not_found) return same.take_error();
    if (same && *same) return Error{ErrorKind::exists, "this certificate is on the card already"};
  }
  return {};
}

/// Programs look keys up by subject, so it is entered where that is a single write.
void KzidCard::add_subject(std::uint8_t number, const Bytes& subject) {
  auto entries = directories_.entries(Kind::private_keys);
  if (!entries) return;
  for (const auto& raw : *entries) {
    const auto entry = pkcs15::parse_private_key(raw);
    if (!entry || number_of(entry->reference) != number || entry->subject == subject) continue;
    if (auto changed = pkcs15::rewrite(Kind::private_keys, raw, {{}, {}, subject, {}}))
      (void)replace_entry(Kind::private_keys, raw, std::move(*changed));
    return;
  }
}

/// Without a file. Names that the request leaves open are those of the key.
Result<pkcs15::CertificateEntry> KzidCard::certificate_entry(const CertificateRequest& request,
                                                             const Certificate& certificate,
                                                             std::optional<std::uint8_t> number) {
  auto named = described_keys();
  if (!named) return named.take_error();
  pkcs15::CertificateEntry entry;
  entry.common.label = request.label.empty() ? certificate.common_name : request.label;
  if (certificate.key) entry.id = default_key_id(*certificate.key);
  if (number) {
    const auto own = named->find(*number);
    const auto key = own == named->end() ? undescribed(*number, *certificate.key) : own->second;
    if (request.label.empty()) entry.common.label = key.common.label;
    entry.id = key.id;
  }
  if (entry.common.label.size() > longest_name) entry.common.label = "certificate";
  if (!request.id.empty()) entry.id = request.id;
  if (entry.id.empty()) entry.id = {0x00};
  entry.authority = request.authority;
  return entry;
}

/// The file's identifier.
Result<std::uint16_t> KzidCard::put_certificate(pkcs15::CertificateEntry entry, ByteView der) {
  auto all = certificates();
  if (!all) return all.take_error();
  std::vector<std::uint16_t> used;
  for (const auto& listed : *all)
    used.push_back(listed.file);
  auto file = directories_.create_value(file::certificate, used, der.size());
  if (!file) return file.take_error();
  entry.path = path_bytes(*file);
  auto status = place_.write(*file, 0, der);
  if (status) status = directories_.add(Kind::certificates, pkcs15::encode(entry));
  if (!status) {
    if (did_nothing(status.error())) (void)place_.remove(*file);
    directories_.forget();
    return status.take_error();
  }
  bodies_[*file] = copy_of(der);
  return file;
}

Result<CertificateInfo> KzidCard::install_certificate(const CertificateRequest& request,
                                                      ByteView der) {
  constexpr const char* what = "installing a certificate";
  auto certificate = Certificate::parse(der);
  if (!certificate) return certificate.take_error().within(what);
  if (auto status = check_names(request.id, request.label); !status) return status.take_error();
  if (auto status = begin_write(); !status) return status.take_error().within(what);
  auto has_directories = directories_.exist();
  if (!has_directories) return has_directories.take_error();
  if (!*has_directories) {
    auto beside = install_beside(request, der);
    if (!beside) return beside.take_error().within(what);
    return beside;
  }
  if (auto status = pins_.require_user(what); !status) return status.take_error();
  std::optional<std::uint8_t> number;
  if (certificate->key) {
    auto found = key_of(*certificate->key, request.id);
    if (!found) return found.take_error().within(what);
    number = *found;
  }
  if (!number && !request.allow_without_key) return no_such_key();
  auto entry = certificate_entry(request, *certificate, number);
  if (!entry) return entry.take_error().within(what);
  if (auto status = check_not_there(*entry, request.label.empty(), der); !status)
    return status.take_error().within(what);
  auto file = put_certificate(*entry, der);
  if (!file) return file.take_error().within(what);
  if (number) add_subject(*number, certificate->subject);
  return CertificateInfo{
      {ObjectClass::certificate, *file}, entry->common.label, entry->id, entry->authority, false};
}

}  // namespace kilt::card::kzid
