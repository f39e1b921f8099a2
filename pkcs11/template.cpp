// SPDX-License-Identifier: Apache-2.0
#include "pkcs11/template.hpp"

#include <algorithm>
#include <cstring>

namespace kilt::p11 {
namespace {

std::optional<CK_ULONG> as_number(ByteView value) {
  CK_ULONG number = 0;
  if (value.size() != sizeof number) return std::nullopt;
  std::memcpy(&number, value.data(), sizeof number);
  return number;
}

std::optional<bool> as_flag(ByteView value) {
  if (value.size() != sizeof(CK_BBOOL) || value[0] > CK_TRUE) return std::nullopt;
  return value[0] == CK_TRUE;
}

}  // namespace

CK_RV Template::read(const CK_ATTRIBUTE* attributes, CK_ULONG count, Template& out) {
  out.entries_.clear();
  if (attributes == nullptr && count > 0) return CKR_ARGUMENTS_BAD;
  for (CK_ULONG i = 0; i < count; ++i) {
    const CK_ATTRIBUTE& attribute = attributes[i];
    const bool no_value = attribute.pValue == nullptr && attribute.ulValueLen > 0;
    if (no_value || attribute.ulValueLen == CK_UNAVAILABLE_INFORMATION) {
      return CKR_ATTRIBUTE_VALUE_INVALID;
    }
    const ByteView value(static_cast<const std::uint8_t*>(attribute.pValue), attribute.ulValueLen);
    if (const Entry* earlier = out.find(attribute.type)) {
      if (!equal(earlier->value, value)) return CKR_TEMPLATE_INCONSISTENT;
      continue;
    }
    out.entries_.push_back({attribute.type, value});
  }
  return CKR_OK;
}

const Template::Entry* Template::find(CK_ATTRIBUTE_TYPE type) const {
  const auto found = std::find_if(entries_.begin(), entries_.end(),
                                  [&](const Entry& entry) { return entry.type == type; });
  return found == entries_.end() ? nullptr : &*found;
}

std::optional<CK_ULONG> Template::number(CK_ATTRIBUTE_TYPE type) const {
  const Entry* entry = find(type);
  return entry ? as_number(entry->value) : std::nullopt;
}

bool Template::flag(CK_ATTRIBUTE_TYPE type, bool otherwise) const {
  const Entry* entry = find(type);
  return entry ? as_flag(entry->value).value_or(otherwise) : otherwise;
}

const Template::Entry* TemplateReader::take(CK_ATTRIBUTE_TYPE type) {
  const Template::Entry* entry = from_.find(type);
  if (entry != nullptr) read_[static_cast<std::size_t>(entry - from_.entries().data())] = true;
  return entry;
}

std::optional<bool> TemplateReader::flag(CK_ATTRIBUTE_TYPE type) {
  const auto* entry = take(type);
  if (entry == nullptr) return std::nullopt;
  const auto value = as_flag(entry->value);
  if (!value) complain(CKR_ATTRIBUTE_VALUE_INVALID);
  return value;
}

bool TemplateReader::flag(CK_ATTRIBUTE_TYPE type, bool otherwise) {
  return flag(type).value_or(otherwise);
}

std::optional<CK_ULONG> TemplateReader::number(CK_ATTRIBUTE_TYPE type) {
  const auto* entry = take(type);
  if (entry == nullptr) return std::nullopt;
  const auto value = as_number(entry->value);
  if (!value) complain(CKR_ATTRIBUTE_VALUE_INVALID);
  return value;
}

ByteView TemplateReader::bytes(CK_ATTRIBUTE_TYPE type) {
  const auto* entry = take(type);
  return entry ? entry->value : ByteView{};
}

void TemplateReader::require(std::initializer_list<CK_ATTRIBUTE_TYPE> types) {
  for (const auto type : types) {
    if (!has(type)) complain(CKR_TEMPLATE_INCOMPLETE);
  }
}

void TemplateReader::must_be(CK_ATTRIBUTE_TYPE type, CK_ULONG value) {
  const auto given = number(type);
  if (given && *given != value) complain(CKR_TEMPLATE_INCONSISTENT);
}

void TemplateReader::must_be(CK_ATTRIBUTE_TYPE type, bool value) {
  const auto given = flag(type);
  if (given && *given != value) complain(CKR_TEMPLATE_INCONSISTENT);
}

void TemplateReader::read_only(std::initializer_list<CK_ATTRIBUTE_TYPE> types) {
  for (const auto type : types) {
    if (take(type) != nullptr) complain(CKR_ATTRIBUTE_READ_ONLY);
  }
}

void TemplateReader::accept(std::initializer_list<CK_ATTRIBUTE_TYPE> types) {
  for (const auto type : types)
    take(type);
}

CK_RV TemplateReader::finish() {
  if (std::find(read_.begin(), read_.end(), false) != read_.end()) {
    complain(CKR_ATTRIBUTE_TYPE_INVALID);
  }
  return rv_;
}

Bytes number_value(CK_ULONG value) {
  Bytes bytes(sizeof value);
  std::memcpy(bytes.data(), &value, sizeof value);
  return bytes;
}

Bytes flag_value(bool value) {
  return {static_cast<std::uint8_t>(value ? CK_TRUE : CK_FALSE)};
}

}  // namespace kilt::p11
