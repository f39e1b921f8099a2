// SPDX-License-Identifier: Apache-2.0
// What a call was given, for the log: names, numbers and lengths. Contents only of attributes that
// anybody may read; never a PIN, never data that is signed or decrypted.
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

/// One argument; looked at only when the log wants it, and while the call lasts.
class Argument {
 public:
  Argument(const char* name, CK_ULONG number) : name_(name), kind_(Kind::number), number_(number) {}
  Argument(const char* name, const char* words) : name_(name), kind_(Kind::words), at_(words) {}
  Argument(const char* name, Flags value) : name_(name), kind_(Kind::flags), number_(value.flags) {}
  Argument(const char* name, Octets value)
      : name_(name), kind_(Kind::octets), number_(value.size) {}
  Argument(const char* name, Room value)
      : name_(name), kind_(Kind::room), at_(value.buffer), size_(value.size) {}
  Argument(const char* name, Query value)
      : name_(name), kind_(Kind::query), number_(value.count), at_(value.attributes) {}
  Argument(const char* name, const CK_MECHANISM* mechanism)
      : name_(name), kind_(Kind::mechanism), at_(mechanism) {}
  Argument(const char* name, const CK_ATTRIBUTE* attributes, CK_ULONG count)
      : name_(name), kind_(Kind::attributes), number_(count), at_(attributes) {}

  /// "key 7", "mechanism CKM_SHA256_RSA_PKCS", "attributes {CKA_CLASS 3, CKA_VALUE (256 octets)}".
  [[nodiscard]] std::string text() const;

 private:
  enum class Kind : unsigned char {
    number,
    words,
    flags,
    octets,
    room,
    query,
    mechanism,
    attributes
  };
  const char* name_;
  Kind kind_;
  CK_ULONG number_ = 0;
  const void* at_ = nullptr;
  const CK_ULONG* size_ = nullptr;
};

using Arguments = std::initializer_list<Argument>;

}  // namespace kilt::p11
