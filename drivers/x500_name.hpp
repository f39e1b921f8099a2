// SPDX-License-Identifier: Apache-2.0
// X.500 names: DER to text and back.
//
// The text is that of RFC 4514 in its types and escapes, but keeps the order of the certificate:
// the national CA writes CN first and people know its names in that order. What is printed for a
// certificate can so be given for a request and makes the same name.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "apdu/bytes.hpp"
#include "apdu/result.hpp"

namespace kilt::card {

/// One attribute of a name: dotted type and value as UTF-8.
struct NameAttribute {
  std::string type;   ///< "2.5.4.3"
  std::string value;  ///< controls and octets that are no text are replaced by U+FFFD
};

/// Attributes in the order of the name. bad_data when `der` is no Name.
Result<std::vector<NameAttribute>> name_attributes(ByteView der);
/// For people: "CN=ТЕСТОВ ТЕСТ,SURNAME=ТЕСТОВ,SERIALNUMBER=IIN123456789011,C=KZ". A type without a
/// short name is dotted. Controls, and octets that are no text, are written \HH. bad_data when
/// `der` is no Name.
Result<std::string> name_to_text(ByteView der);
/// DER Name of one-attribute RDNs in the order of the text. Types: CN, SURNAME (SN), SERIALNUMBER,
/// C, L, ST, STREET, O, OU, T (TITLE), GIVENNAME (GN), DC, UID, E (EMAIL, EMAILADDRESS),
/// BUSINESSCATEGORY in any case, or dotted. bad_argument says what is wrong, and where.
Result<Bytes> name_from_text(std::string_view text);

}  // namespace kilt::card
