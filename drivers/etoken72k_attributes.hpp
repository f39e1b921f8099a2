// SPDX-License-Identifier: Apache-2.0
// What a token with Aladdin's applet says of an object: file 0001 in the object's directory. How
// the vendor writes it is not public, so this is our own way (assumed): SIMPLE-TLV objects, ended
// by a byte 00 or by the file's end.
//
//   21 label, UTF-8           25 flags: 01 made on this card, 02 a CA's certificate, 04 trusted,
//   22 id                        08 the public half was deleted
//   23 subject, DER Name      26 application, UTF-8 (data objects)
//   24 usage: 01 sign,        27 object identifier, DER (data objects)
//      02 sign and recover,   28 bits of the key's modulus, two bytes, most significant first
//      04 decrypt, 08 unwrap, 29 label of the public half, where it is not that of the private one
//      10 derive,
//      20 non-repudiation
//
// Objects with other tags are passed over.
#pragma once

#include <optional>
#include <string>

#include "drivers/model.hpp"

namespace kilt::card::etoken {

struct Attributes {
  std::string label;
  Bytes id{};
  Bytes subject{};
  KeyUsage usage;
  bool local = false, authority = false, trusted = false, public_deleted = false;
  std::string application{};
  Bytes object_id{};
  std::size_t bits = 0;                       ///< 0: not said
  std::optional<std::string> public_label{};  ///< empty: label
};

/// A label is always there, so that the first byte is never 00.
[[nodiscard]] Bytes encode(const Attributes& attributes);
/// Nothing for what is not in this form (another program's).
[[nodiscard]] std::optional<Attributes> parse_attributes(ByteView content);

}  // namespace kilt::card::etoken
