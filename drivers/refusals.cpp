// SPDX-License-Identifier: Apache-2.0
#include "drivers/refusals.hpp"

#include <string>

namespace kilt::card {

Status check_names(ByteView id, std::string_view label) {
  if (label.size() > longest_name) {
    return Error{ErrorKind::bad_argument, "a label may have 255 bytes at most"};
  }
  if (id.size() > longest_id) {
    return Error{ErrorKind::bad_argument, "an id may have 255 bytes at most"};
  }
  return {};
}

Status check_change(const ObjectRef& object, const AttributeChange& change) {
  auto names = check_names(change.id.value_or(Bytes{}), change.label.value_or(""));
  if (!names) return names;
  if (change.id && object.object_class == ObjectClass::data) {
    return Error{ErrorKind::unsupported, "data objects have no id"};
  }
  if (change.subject && object.object_class != ObjectClass::private_key) {
    return Error{ErrorKind::unsupported, "only private keys have a subject of their own"};
  }
  return {};
}

Status check_block(ByteView input, std::size_t size) {
  if (input.size() == size) return {};
  return Error{ErrorKind::bad_argument, "the input has " + std::to_string(input.size()) +
                                            " bytes, the key takes " + std::to_string(size)};
}

bool did_nothing(const Error& error) {
  const auto sw1 = error.sw >> 8;
  return sw1 == 0x64 || (sw1 >= 0x67 && sw1 <= 0x6F);
}

Error no_scheme() {
  return {ErrorKind::bad_argument, "the scheme does not fit an RSA key"};
}

Error object_gone() {
  return {ErrorKind::not_found, "the object is not on the card (any more)"};
}

const char* pin_name(Role role) {
  return role == Role::user ? "user PIN" : "security officer's PIN";
}

Error pin_blocked(Role role, apdu::StatusWord status) {
  return {ErrorKind::pin_blocked,
          std::string("the ") + pin_name(role) + " is blocked" +
              (role == Role::user ? "; the security officer can unblock it" : ""),
          status.value, 0};
}

}  // namespace kilt::card
