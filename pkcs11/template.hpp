// SPDX-License-Identifier: Apache-2.0
// A caller's template: checked once, then read attribute by attribute. What nobody read at the end
// is an attribute that such an object does not have.
#pragma once

#include <initializer_list>
#include <optional>
#include <vector>

#include "apdu/bytes.hpp"
#include "pkcs11/cryptoki.hpp"

namespace kilt::p11 {

/// CKA_UNIQUE_ID, of PKCS#11 3.0, which the header lacks.
inline constexpr CK_ATTRIBUTE_TYPE cka_unique_id = 0x00000004;

/// Attributes with their values, which stay the caller's memory: valid for the call only.
class Template {
 public:
  struct Entry {
    CK_ATTRIBUTE_TYPE type;
    ByteView value;
  };

  /// CKR_ARGUMENTS_BAD, CKR_ATTRIBUTE_VALUE_INVALID (a value that is not there),
  /// CKR_TEMPLATE_INCONSISTENT (an attribute twice, with different values).
  static CK_RV read(const CK_ATTRIBUTE* attributes, CK_ULONG count, Template& out);

  [[nodiscard]] const std::vector<Entry>& entries() const { return entries_; }
  [[nodiscard]] const Entry* find(CK_ATTRIBUTE_TYPE type) const;
  /// The value of a CK_ULONG attribute; empty if absent or of another size.
  [[nodiscard]] std::optional<CK_ULONG> number(CK_ATTRIBUTE_TYPE type) const;
  /// The value of a CK_BBOOL attribute, `otherwise` if absent.
  [[nodiscard]] bool flag(CK_ATTRIBUTE_TYPE type, bool otherwise) const;

 private:
  std::vector<Entry> entries_;
};

/// Reads a template for an object to be made. The first complaint stays.
class TemplateReader {
 public:
  explicit TemplateReader(const Template& from) : from_(from), read_(from.entries().size()) {}

  bool flag(CK_ATTRIBUTE_TYPE type, bool otherwise);
  std::optional<bool> flag(CK_ATTRIBUTE_TYPE type);
  std::optional<CK_ULONG> number(CK_ATTRIBUTE_TYPE type);
  /// Empty if absent.
  ByteView bytes(CK_ATTRIBUTE_TYPE type);
  [[nodiscard]] bool has(CK_ATTRIBUTE_TYPE type) const { return from_.find(type) != nullptr; }

  /// CKR_TEMPLATE_INCOMPLETE if one is missing.
  void require(std::initializer_list<CK_ATTRIBUTE_TYPE> types);
  /// CKR_TEMPLATE_INCONSISTENT if present with another value.
  void must_be(CK_ATTRIBUTE_TYPE type, CK_ULONG value);
  void must_be(CK_ATTRIBUTE_TYPE type, bool value);
  /// CKR_ATTRIBUTE_READ_ONLY if present: only the token sets them.
  void read_only(std::initializer_list<CK_ATTRIBUTE_TYPE> types);
  /// Attributes that such an object has and that change nothing here.
  void accept(std::initializer_list<CK_ATTRIBUTE_TYPE> types);
  void complain(CK_RV rv) {
    if (rv_ == CKR_OK) rv_ = rv;
  }
  /// The first complaint; CKR_ATTRIBUTE_TYPE_INVALID if an attribute was not read.
  [[nodiscard]] CK_RV finish();

 private:
  const Template::Entry* take(CK_ATTRIBUTE_TYPE type);

  const Template& from_;
  std::vector<bool> read_;
  CK_RV rv_ = CKR_OK;
};

/// Values as attributes hold them.
[[nodiscard]] Bytes number_value(CK_ULONG value);
[[nodiscard]] Bytes flag_value(bool value);

}  // namespace kilt::p11
