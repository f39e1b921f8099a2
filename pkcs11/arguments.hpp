// SPDX-License-Identifier: Apache-2.0
// What a call was given and what came out of it, for the log: names, numbers and lengths. Contents
// only of attributes that anybody may read; never a PIN, never data that is signed or decrypted.
#pragma once

#include <initializer_list>
#include <string>

#include "pkcs11/cryptoki.hpp"

namespace kilt::p11 {

/// Octets of which only the number is told.
struct Octets {
  CK_ULONG size;
};
/// A caller's buffer: how much fits, or that only the length is asked for.
struct Room {
  const void* buffer;
  const CK_ULONG* size;
};
/// Attributes that are asked for: their values are room, which may hold anything.
struct Query {
  const CK_ATTRIBUTE* attributes;
  CK_ULONG count;
};
/// Flags, told in hex.
struct Flags {
  CK_FLAGS flags;
};

/// A PIN, of which only the number of octets is told.
struct Pin {
  const CK_UTF8CHAR* pin;
  CK_ULONG size;
};
/// Text of a fixed length, filled up with blanks.
struct Padded {
  const CK_UTF8CHAR* text;
  CK_ULONG size;
};
struct MechanismType {
  CK_MECHANISM_TYPE type;
};
/// A number that the call fills in: a handle, a size, flags. Null where the caller gave no place.
struct Outcome {
  const CK_ULONG* number;
};
/// Numbers that the call fills in: at first `size` says how many fit, afterwards how many there
/// are. Slots, handles, mechanisms.
struct Numbers {
  const CK_ULONG* list;
  const CK_ULONG* size;
};
/// The same where how many fit is an argument by itself.
struct Found {
  const CK_ULONG* list;
  const CK_ULONG* size;
};

/// One argument; looked at only when the log wants it, and while the call lasts.
class Argument {
 public:
  Argument(const char* name, CK_ULONG number) : name_(name), kind_(Kind::number), number_(number) {}
  Argument(const char* name, const char* words) : name_(name), kind_(Kind::words), at_(words) {}
  Argument(const char* name, Flags value) : name_(name), kind_(Kind::flags), number_(value.flags) {}
  Argument(const char* name, Octets value)
      : name_(name), kind_(Kind::octets), number_(value.size) {}
  Argument(const char* name, Pin value)
      : name_(name), kind_(Kind::pin), number_(value.size), at_(value.pin) {}
  Argument(const char* name, Padded value)
      : name_(name), kind_(Kind::padded), number_(value.size), at_(value.text) {}
  Argument(const char* name, MechanismType value)
      : name_(name), kind_(Kind::mechanism_type), number_(value.type) {}
  Argument(const char* name, Room value)
      : name_(name), kind_(Kind::room), at_(value.buffer), size_(value.size) {}
  Argument(const char* name, Outcome value)
      : name_(name), kind_(Kind::result), size_(value.number) {}
  Argument(const char* name, Numbers value)
      : name_(name), kind_(Kind::numbers), at_(value.list), size_(value.size) {}
  Argument(const char* name, Found value)
      : name_(name), kind_(Kind::found), at_(value.list), size_(value.size) {}
  Argument(const char* name, Query value)
      : name_(name), kind_(Kind::query), number_(value.count), at_(value.attributes) {}
  Argument(const char* name, const CK_MECHANISM* mechanism)
      : name_(name), kind_(Kind::mechanism), at_(mechanism) {}
  Argument(const char* name, const CK_ATTRIBUTE* attributes, CK_ULONG count)
      : name_(name), kind_(Kind::attributes), number_(count), at_(attributes) {}
  Argument(const char* name, const CK_C_INITIALIZE_ARGS* args)
      : name_(name), kind_(Kind::beginning), at_(args) {}

  /// What the call is given: "key 7", "mechanism CKM_SHA256_RSA_PKCS", "attributes {CKA_CLASS 3,
  /// CKA_VALUE (256 octets)}". Empty for what only comes out.
  [[nodiscard]] std::string given() const;
  /// What came out when it returned `rv`: "key 7", "answer (256 octets)", "objects 2 {5, 6}".
  /// Empty for what only goes in.
  [[nodiscard]] std::string answered(CK_RV rv) const;

 private:
  enum class Kind : unsigned char {
    number,
    words,
    flags,
    octets,
    pin,
    padded,
    mechanism_type,
    room,
    result,
    numbers,
    found,
    query,
    mechanism,
    attributes,
    beginning
  };
  [[nodiscard]] std::string value() const;
  [[nodiscard]] std::string outcome(CK_RV rv) const;

  const char* name_;
  Kind kind_;
  CK_ULONG number_ = 0;
  const void* at_ = nullptr;
  const CK_ULONG* size_ = nullptr;
};

using Arguments = std::initializer_list<Argument>;

}  // namespace kilt::p11
