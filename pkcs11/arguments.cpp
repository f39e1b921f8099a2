// SPDX-License-Identifier: Apache-2.0
#include "pkcs11/arguments.hpp"

#include <algorithm>
#include <cstdio>
#include <cstring>

#include "apdu/bytes.hpp"
#include "pkcs11/mechanism.hpp"
#include "pkcs11/template.hpp"

namespace kilt::p11 {
namespace {

/// How an attribute's value is told. What is not in the table is told by its length.
enum class As : unsigned char { length, number, flag, text, hex };

struct Named {
  CK_ATTRIBUTE_TYPE type;
  const char* name;
  As as;
};

constexpr Named names[] = {
    {CKA_CLASS, "CKA_CLASS", As::number},
    {CKA_TOKEN, "CKA_TOKEN", As::flag},
    {CKA_PRIVATE, "CKA_PRIVATE", As::flag},
    {CKA_LABEL, "CKA_LABEL", As::text},
    {cka_unique_id, "CKA_UNIQUE_ID", As::text},
    {CKA_APPLICATION, "CKA_APPLICATION", As::text},
    {CKA_VALUE, "CKA_VALUE", As::length},
    {CKA_OBJECT_ID, "CKA_OBJECT_ID", As::hex},
    {CKA_CERTIFICATE_TYPE, "CKA_CERTIFICATE_TYPE", As::number},
    {CKA_ISSUER, "CKA_ISSUER", As::length},
    {CKA_SERIAL_NUMBER, "CKA_SERIAL_NUMBER", As::hex},
    {CKA_CERTIFICATE_CATEGORY, "CKA_CERTIFICATE_CATEGORY", As::number},
    {CKA_KEY_TYPE, "CKA_KEY_TYPE", As::number},
    {CKA_SUBJECT, "CKA_SUBJECT", As::length},
    {CKA_ID, "CKA_ID", As::hex},
    {CKA_SENSITIVE, "CKA_SENSITIVE", As::flag},
    {CKA_ENCRYPT, "CKA_ENCRYPT", As::flag},
    {CKA_DECRYPT, "CKA_DECRYPT", As::flag},
    {CKA_WRAP, "CKA_WRAP", As::flag},
    {CKA_UNWRAP, "CKA_UNWRAP", As::flag},
    {CKA_SIGN, "CKA_SIGN", As::flag},
    {CKA_SIGN_RECOVER, "CKA_SIGN_RECOVER", As::flag},
    {CKA_VERIFY, "CKA_VERIFY", As::flag},
    {CKA_VERIFY_RECOVER, "CKA_VERIFY_RECOVER", As::flag},
    {CKA_DERIVE, "CKA_DERIVE", As::flag},
    {CKA_MODULUS, "CKA_MODULUS", As::length},
    {CKA_MODULUS_BITS, "CKA_MODULUS_BITS", As::number},
    {CKA_PUBLIC_EXPONENT, "CKA_PUBLIC_EXPONENT", As::hex},
    {CKA_PUBLIC_KEY_INFO, "CKA_PUBLIC_KEY_INFO", As::length},
    {CKA_EXTRACTABLE, "CKA_EXTRACTABLE", As::flag},
    {CKA_LOCAL, "CKA_LOCAL", As::flag},
    {CKA_MODIFIABLE, "CKA_MODIFIABLE", As::flag},
    {CKA_ALWAYS_AUTHENTICATE, "CKA_ALWAYS_AUTHENTICATE", As::flag},
    {CKA_TRUSTED, "CKA_TRUSTED", As::flag},
};

std::string hexadecimal(CK_ULONG number) {
  char text[20];
  std::snprintf(text, sizeof text, "0x%lX", number);
  return text;
}

std::string octets(CK_ULONG size) {
  return size == CK_UNAVAILABLE_INFORMATION ? "(unavailable)"
                                            : "(" + std::to_string(size) + " octets)";
}

std::string value_of(const CK_ATTRIBUTE& attribute, As as) {
  constexpr CK_ULONG longest = 64;
  if (attribute.pValue == nullptr || attribute.ulValueLen > longest) as = As::length;
  const ByteView value{static_cast<const CK_BYTE*>(attribute.pValue), attribute.ulValueLen};
  switch (as) {
    case As::number:
      if (CK_ULONG number = 0; value.size() == sizeof number) {
        std::memcpy(&number, value.data(), sizeof number);
        return std::to_string(number);
      }
      break;
    case As::flag:
      if (value.size() == 1) return value[0] != CK_FALSE ? "true" : "false";
      break;
    case As::text:
      return "\"" + std::string(value.begin(), value.end()) + "\"";
    case As::hex:
      return to_hex(value);
    case As::length:
      break;
  }
  return octets(attribute.ulValueLen);
}

std::string describe(const CK_ATTRIBUTE* attributes, CK_ULONG count, bool with_values) {
  if (attributes == nullptr) return "none";
  constexpr CK_ULONG most = 40;
  std::string text = "{";
  for (CK_ULONG i = 0; i < std::min(count, most); ++i) {
    const CK_ATTRIBUTE& one = attributes[i];
    const auto* named = std::find_if(std::begin(names), std::end(names),
                                     [&](const Named& each) { return each.type == one.type; });
    const bool known = named != std::end(names);
    text += i == 0 ? "" : ", ";
    text += (known ? named->name : hexadecimal(one.type)) + std::string(" ") +
            value_of(one, known && with_values ? named->as : As::length);
  }
  return text + (count > most ? ", ...}" : "}");
}

std::string mechanism_name(CK_MECHANISM_TYPE type) {
  const Mechanism* known = find_mechanism(type);
  return known ? known->name : hexadecimal(type);
}

std::string describe(const CK_MECHANISM* mechanism) {
  if (mechanism == nullptr) return "none";
  std::string text = mechanism_name(mechanism->mechanism);
  if (mechanism->ulParameterLen > 0) text += " " + octets(mechanism->ulParameterLen);
  return text;
}

std::string describe(const CK_C_INITIALIZE_ARGS* args) {
  if (args == nullptr) return "none";
  return "flags " + hexadecimal(args->flags) +
         (args->CreateMutex != nullptr ? " with mutexes" : " without mutexes");
}

std::string padded(const CK_UTF8CHAR* text, CK_ULONG size) {
  if (text == nullptr) return "none";
  while (size > 0 && text[size - 1] == ' ')
    --size;
  return "\"" + std::string(text, text + size) + "\"";
}

std::string room(const void* buffer, const CK_ULONG* size, const char* question) {
  if (size == nullptr) return "nowhere";
  return buffer == nullptr ? question : "has room for " + std::to_string(*size);
}

/// "3 {1, 2, 7}"
std::string numbers(const CK_ULONG* list, CK_ULONG count) {
  constexpr CK_ULONG most = 40;
  std::string text = std::to_string(count);
  if (list == nullptr || count == 0) return text;
  for (CK_ULONG i = 0; i < std::min(count, most); ++i)
    text += (i == 0 ? " {" : ", ") + std::to_string(list[i]);
  return text + (count > most ? ", ...}" : "}");
}

}  // namespace

std::string Argument::value() const {
  switch (kind_) {
    case Kind::number:
      return std::to_string(number_);
    case Kind::words:
      return at_ == nullptr ? "none" : static_cast<const char*>(at_);
    case Kind::flags:
      return hexadecimal(number_);
    case Kind::octets:
      return octets(number_);
    case Kind::pin:
      return at_ == nullptr ? "none" : "given";
    case Kind::padded:
      return padded(static_cast<const CK_UTF8CHAR*>(at_), number_);
    case Kind::mechanism_type:
      return mechanism_name(number_);
    case Kind::room:
      return room(at_, size_, "asks for its length");
    case Kind::numbers:
      return room(at_, size_, "asks how many");
    case Kind::query:
      return describe(static_cast<const CK_ATTRIBUTE*>(at_), number_, false);
    case Kind::mechanism:
      return describe(static_cast<const CK_MECHANISM*>(at_));
    case Kind::attributes:
      return describe(static_cast<const CK_ATTRIBUTE*>(at_), number_, true);
    case Kind::beginning:
      return describe(static_cast<const CK_C_INITIALIZE_ARGS*>(at_));
    case Kind::result:
    case Kind::found:
      break;
  }
  return {};
}

std::string Argument::outcome(CK_RV rv) const {
  const bool done = rv == CKR_OK;
  const bool too_small = rv == CKR_BUFFER_TOO_SMALL;
  switch (kind_) {
    case Kind::room:
      return (done || too_small) && size_ != nullptr ? octets(*size_) : "";
    case Kind::result:
      return done && size_ != nullptr ? std::to_string(*size_) : "";
    case Kind::numbers:
    case Kind::found:
      if ((!done && !too_small) || size_ == nullptr) return {};
      return numbers(done ? static_cast<const CK_ULONG*>(at_) : nullptr, *size_);
    case Kind::query: {
      // The lengths are filled in also where some of them could not be had.
      const bool partly = rv == CKR_ATTRIBUTE_SENSITIVE || rv == CKR_ATTRIBUTE_TYPE_INVALID;
      if ((!done && !too_small && !partly) || at_ == nullptr) return {};
      return describe(static_cast<const CK_ATTRIBUTE*>(at_), number_, false);
    }
    default:
      return {};
  }
}

std::string Argument::given() const {
  const std::string text = value();
  return text.empty() ? text : std::string(name_) + " " + text;
}

std::string Argument::answered(CK_RV rv) const {
  const std::string text = outcome(rv);
  return text.empty() ? text : std::string(name_) + " " + text;
}

}  // namespace kilt::p11
