// SPDX-License-Identifier: Apache-2.0
#include "drivers/identity.hpp"

#include <algorithm>

#include "drivers/refusals.hpp"

namespace kilt::card {

bool same(const KeyInfo& a, const KeyInfo& b) {
  const bool is_other = a.value && b.value && *a.value != *b.value;
  return a.ref == b.ref && a.id == b.id && a.bits == b.bits && !is_other;
}
bool same(const PublicKeyInfo& a, const PublicKeyInfo& b) {
  return a.ref == b.ref && a.id == b.id && a.bits == b.bits;
}
bool same(const CertificateInfo& a, const CertificateInfo& b) {
  return a.ref == b.ref && a.id == b.id && a.label == b.label;
}
bool same(const DataInfo& a, const DataInfo& b) {
  return a.ref == b.ref && a.label == b.label && a.application == b.application;
}

namespace {

/// The directory of one class, read anew, has `listed` in it.
template <class Info>
Status confirm_listed(Card& card, const Info& listed, const ObjectClasses& which,
                      const std::vector<Info> Directory::*list) {
  card.forget_objects();
  const auto found = card.list_classes(which);
  if (!found) return found.error();
  const auto& all = (*found).*list;
  const bool is_there =
      std::any_of(all.begin(), all.end(), [&](const Info& now) { return same(now, listed); });
  return is_there ? Status{} : object_gone();
}

template <class Value>
Status confirm_value(const Result<Value>& now, const Value& before) {
  if (!now) return now.error();
  return *now == before ? Status{} : object_gone();
}

}  // namespace

Status confirm(Card& card, const KeyInfo& listed, const PublicKey* value) {
  auto there = confirm_listed(card, listed, {true, false, false, false}, &Directory::keys);
  if (!there || value == nullptr) return there;
  const auto now = card.read_public_key(listed.ref);
  // Its public half was deleted since: then nothing but the directory speaks for it.
  if (!now && now.error().kind == ErrorKind::not_found) return {};
  return confirm_value(now, *value);
}

Status confirm(Card& card, const PublicKeyInfo& listed, const PublicKey* value) {
  auto there = confirm_listed(card, listed, {false, true, false, false}, &Directory::public_keys);
  if (!there || value == nullptr) return there;
  return confirm_value(card.read_public_key(listed.ref), *value);
}

Status confirm(Card& card, const CertificateInfo& listed, const Bytes* value) {
  auto there = confirm_listed(card, listed, {false, false, true, false}, &Directory::certificates);
  if (!there || value == nullptr) return there;
  return confirm_value(card.read_certificate(listed.ref), *value);
}

Status confirm(Card& card, const DataInfo& listed, const Bytes* value) {
  auto there = confirm_listed(card, listed, {false, false, false, true}, &Directory::data);
  if (!there || value == nullptr) return there;
  return confirm_value(card.read_data(listed.ref), *value);
}

}  // namespace kilt::card
