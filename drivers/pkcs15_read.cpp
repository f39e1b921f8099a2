// SPDX-License-Identifier: Apache-2.0
// The reading half of pkcs15.hpp.
#include <algorithm>

#include "apdu/tlv.hpp"
#include "drivers/pkcs15.hpp"
#include "drivers/pkcs15_tags.hpp"

namespace kilt::card::pkcs15 {
namespace {

using apdu::BerReader;
using apdu::Tlv;

constexpr std::size_t most_entries = 512;

Error broken(const char* what) {
  return {ErrorKind::protocol, std::string("PKCS #15: ") + what};
}

std::uint32_t number(ByteView value) {
  std::uint32_t result = 0;
  for (auto byte : value.first(std::min<std::size_t>(value.size(), 4)))
    result = result << 8 | byte;
  return result;
}

/// Bit `index` of a BIT STRING's content (first byte: unused bits), bit 0 the most significant.
bool bit(ByteView bits, std::size_t index) {
  const std::size_t byte = 1 + index / 8;
  return byte < bits.size() && (bits[byte] & (0x80 >> (index % 8))) != 0;
}

bool boolean(ByteView value) {
  return !value.empty() && value[0] != 0;
}

Result<Common> read_common(BerReader& entry) {
  auto inside = entry.enter(tags::sequence);
  if (!inside) return inside.take_error();
  Common common;
  common.modifiable = false;
  while (!inside->done()) {
    auto field = inside->next();
    if (!field) return field.take_error();
    if (field->tag == tags::utf8_string) {
      common.label = as_text(field->value);
    } else if (field->tag == tags::bit_string) {
      common.is_private = bit(field->value, flags::object_private);
      common.modifiable = bit(field->value, flags::object_modifiable);
    } else if (field->tag == tags::octet_string) {
      common.auth_id = copy_of(field->value);
    } else if (field->tag == tags::integer) {
      common.user_consent = number(field->value) == 1;
    }
  }
  return common;
}

/// The innermost Path of a value: { { path, ... }, ... } or { path, ... }.
Result<Bytes> read_path(BerReader& reader) {
  auto object = reader.next();
  if (!object) return object.take_error();
  if (object->tag == tags::octet_string) return copy_of(object->value);
  if (object->tag != tags::sequence) {
    return Error{ErrorKind::unsupported, "PKCS #15: a value that is not in a file"};
  }
  auto path = apdu::find_tag(object->value, tags::octet_string);
  if (!path) return Error{ErrorKind::unsupported, "PKCS #15: a value that is not in a file"};
  return copy_of(*path);
}

Result<Bytes> read_path_and_skip(BerReader& reader) {
  auto path = read_path(reader);
  reader.skip_rest();
  return path;
}

/// Skips the sub-class attributes [0] and opens the type attributes [1].
Result<BerReader> enter_type_attributes(BerReader& entry) {
  while (!entry.done() && entry.peek() != tags::type_attributes) {
    if (auto skipped = entry.next(); !skipped) return skipped.take_error();
  }
  return entry.enter(tags::type_attributes);
}

struct KeyAttributes {
  Bytes id, usage, access;
  std::uint32_t reference = 0;
};

/// CommonKeyAttributes [7816-15 §8.2.5].
Result<KeyAttributes> read_key_attributes(BerReader& entry) {
  auto inside = entry.enter(tags::sequence);
  if (!inside) return inside.take_error();
  KeyAttributes attributes;
  auto id = inside->expect(tags::octet_string);
  if (!id) return id.take_error();
  attributes.id = copy_of(id->value);
  auto usage = inside->expect(tags::bit_string);
  if (!usage) return usage.take_error();
  attributes.usage = copy_of(usage->value);
  while (!inside->done()) {
    auto field = inside->next();
    if (!field) return field.take_error();
    if (field->tag == tags::bit_string) attributes.access = copy_of(field->value);
    if (field->tag == tags::integer) attributes.reference = number(field->value);
  }
  return attributes;
}

/// The outer tag tells the kind of key: 30 RSA, A4 GOST R 34.10-2001 (an addition of OpenSC's).
Result<KeyType> key_type(std::uint32_t tag) {
  if (tag == tags::sequence) return KeyType::rsa;
  if (tag == tags::gost_key) return KeyType::gost_256;
  return Error{ErrorKind::unsupported, "PKCS #15: a key of a kind not known here"};
}

struct KeyValue {
  Bytes path;
  std::size_t bits = 0;
};

/// { { path }, modulusLength | parameters ... }.
Result<KeyValue> read_key_value(BerReader& entry, KeyType type) {
  auto attributes = enter_type_attributes(entry);
  if (!attributes) return attributes.take_error();
  auto value = attributes->enter(tags::sequence);
  if (!value) return value.take_error();
  auto path = read_path(*value);
  if (!path) return path.take_error();
  KeyValue key{std::move(*path), 256};
  if (type == KeyType::rsa) {
    auto length = value->expect(tags::integer);
    if (!length) return length.take_error();
    key.bits = number(length->value);
  }
  value->skip_rest();
  return key;
}

KeyUsage usage_from(ByteView bits, std::size_t sign, std::size_t sign_recover, std::size_t decrypt,
                    std::size_t unwrap) {
  KeyUsage usage;
  usage.sign = bit(bits, sign);
  usage.sign_recover = bit(bits, sign_recover);
  usage.decrypt = bit(bits, decrypt);
  usage.unwrap = bit(bits, unwrap);
  usage.derive = bit(bits, flags::usage_derive);
  usage.non_repudiation = bit(bits, flags::usage_non_repudiation);
  // A key for signatures of intent signs; some writers set that bit alone.
  usage.sign = usage.sign || usage.non_repudiation;
  return usage;
}

/// A reader over the content of the entry, and its tag.
struct Opened {
  std::uint32_t tag;
  BerReader reader;
};

Result<Opened> open(ByteView entry) {
  BerReader outer(entry);
  auto object = outer.next();
  if (!object) return object.take_error();
  return Opened{object->tag, BerReader(object->value, 1)};
}

/// What is no key: common attributes, class attributes, and type attributes [1], all opened
/// [7816-15 §8.1]. Class attributes are to be read or skipped first.
struct Frame {
  Common common;
  BerReader class_attributes, rest;
};

Result<Frame> open_frame(ByteView entry, const char* other_kind) {
  auto opened = open(entry);
  if (!opened) return opened.take_error();
  if (opened->tag != tags::sequence) return Error{ErrorKind::unsupported, other_kind};
  auto common = read_common(opened->reader);
  if (!common) return common.take_error();
  auto attributes = opened->reader.enter(tags::sequence);
  if (!attributes) return attributes.take_error();
  return Frame{*std::move(common), *std::move(attributes), std::move(opened->reader)};
}

/// Hands each class attribute to `take`, then reads the path of the value from the type attributes:
/// { path } where the value is all there is, { { path }, ... } where it is the first of several.
template <class Take>
Result<Bytes> read_file_object(Frame& frame, bool nested, Take take) {
  while (!frame.class_attributes.done()) {
    auto field = frame.class_attributes.next();
    if (!field) return field.take_error();
    take(*field);
  }
  auto type_attributes = enter_type_attributes(frame.rest);
  if (!type_attributes) return type_attributes.take_error();
  if (!nested) return read_path_and_skip(*type_attributes);
  auto value = type_attributes->enter(tags::sequence);
  if (!value) return value.take_error();
  return read_path_and_skip(*value);
}

}  // namespace

Kind kind_of(ObjectClass object_class) {
  switch (object_class) {
    case ObjectClass::private_key:
      return Kind::private_keys;
    case ObjectClass::public_key:
      return Kind::public_keys;
    case ObjectClass::certificate:
      return Kind::certificates;
    case ObjectClass::data:
      return Kind::data;
  }
  return Kind::data;
}

KeyUsage usage_of_private(ByteView bits) {
  return usage_from(bits, flags::usage_sign, flags::usage_sign_recover, flags::usage_decrypt,
                    flags::usage_unwrap);
}

KeyUsage usage_of_public(ByteView bits) {
  return usage_from(bits, flags::usage_verify, flags::usage_verify_recover, flags::usage_encrypt,
                    flags::usage_wrap);
}

Result<std::vector<Bytes>> split(ByteView directory) {
  std::vector<Bytes> entries;
  BerReader reader(directory);
  while (!reader.done() && reader.rest()[0] != 0) {
    if (entries.size() == most_entries) return broken("more entries than a directory can have");
    auto entry = reader.next();
    if (!entry) return entry.take_error();
    entries.push_back(copy_of(entry->whole));
  }
  reader.skip_rest();
  return entries;
}

Result<std::vector<DirectoryPointer>> parse_odf(ByteView odf) {
  auto lines = split(odf);
  if (!lines) return lines.take_error().within("reading ODF");
  std::vector<DirectoryPointer> pointers;
  for (const auto& line : *lines) {
    BerReader outer(line);
    auto object = outer.next();
    if (!object) return object.take_error();
    BerReader inside(object->value, 1);
    auto path = read_path(inside);
    inside.skip_rest();
    if (path && object->tag <= 0xFF) {
      pointers.push_back({static_cast<std::uint8_t>(object->tag), std::move(*path)});
    }
  }
  return pointers;
}

Result<TokenInformation> parse_token_info(ByteView file) {
  BerReader outer(file);
  auto inside = outer.enter(tags::sequence);
  outer.skip_rest();
  if (!inside) return inside.take_error().within("reading TokenInfo");
  TokenInformation info;
  bool has_serial = false;
  while (!inside->done()) {
    auto field = inside->next();
    if (!field) return field.take_error().within("reading TokenInfo");
    if (field->tag == tags::octet_string && !has_serial) {
      info.serial = copy_of(field->value);
      has_serial = true;
    } else if (field->tag == tags::utf8_string) {
      info.manufacturer = as_text(field->value);
    } else if (field->tag == tags::token_label) {
      info.label = as_text(field->value);
    } else if (field->tag == tags::last_update) {
      if (auto time = apdu::find_tag(field->value, tags::generalized_time)) {
        info.last_update = as_text(*time);
      }
    }
  }
  return info;
}

Result<PrivateKey> parse_private_key(ByteView entry) {
  auto opened = open(entry);
  if (!opened) return opened.take_error();
  auto type = key_type(opened->tag);
  if (!type) return type.take_error();
  auto common = read_common(opened->reader);
  if (!common) return common.take_error();
  auto attributes = read_key_attributes(opened->reader);
  if (!attributes) return attributes.take_error();
  PrivateKey key;
  key.type = *type;
  key.common = std::move(*common);
  key.id = std::move(attributes->id);
  key.usage = usage_of_private(attributes->usage);
  key.reference = attributes->reference;
  key.sensitive = bit(attributes->access, flags::access_sensitive);
  key.extractable = bit(attributes->access, flags::access_extractable);
  key.always_sensitive = bit(attributes->access, flags::access_always_sensitive);
  key.never_extractable = bit(attributes->access, flags::access_never_extractable);
  key.local = bit(attributes->access, flags::access_local);
  if (opened->reader.peek() == tags::sub_class_attributes) {
    auto sub = opened->reader.enter(tags::sub_class_attributes);
    if (!sub) return sub.take_error();
    auto attributes_of_private = sub->next();
    sub->skip_rest();
    if (attributes_of_private) {
      BerReader inside(attributes_of_private->value, 3);
      auto name = inside.optional(tags::sequence);
      inside.skip_rest();
      if (name && *name) key.subject = copy_of((*name)->whole);
    }
  }
  auto value = read_key_value(opened->reader, *type);
  if (!value) return value.take_error();
  key.path = std::move(value->path);
  key.bits = value->bits;
  return key;
}

Result<PublicKeyEntry> parse_public_key(ByteView entry) {
  auto opened = open(entry);
  if (!opened) return opened.take_error();
  auto type = key_type(opened->tag);
  if (!type) return type.take_error();
  auto common = read_common(opened->reader);
  if (!common) return common.take_error();
  auto attributes = read_key_attributes(opened->reader);
  if (!attributes) return attributes.take_error();
  auto value = read_key_value(opened->reader, *type);
  if (!value) return value.take_error();
  PublicKeyEntry key;
  key.type = *type;
  key.common = std::move(*common);
  key.id = std::move(attributes->id);
  key.usage = usage_of_public(attributes->usage);
  key.reference = attributes->reference;
  key.path = std::move(value->path);
  key.bits = value->bits;
  return key;
}

Result<CertificateEntry> parse_certificate(ByteView entry) {
  auto frame = open_frame(entry, "PKCS #15: a certificate that is not X.509");
  if (!frame) return frame.take_error();
  CertificateEntry certificate;
  auto path = read_file_object(*frame, true, [&](const Tlv& field) {
    if (field.tag == tags::octet_string) certificate.id = copy_of(field.value);
    if (field.tag == tags::boolean) certificate.authority = boolean(field.value);
    if (field.tag == tags::implicit_trust) certificate.trusted = boolean(field.value);
  });
  if (!path) return path.take_error();
  certificate.common = std::move(frame->common);
  certificate.path = *std::move(path);
  return certificate;
}

Result<DataEntry> parse_data(ByteView entry) {
  auto frame = open_frame(entry, "PKCS #15: a data object of a kind not known here");
  if (!frame) return frame.take_error();
  DataEntry data;
  auto path = read_file_object(*frame, false, [&](const Tlv& field) {
    if (field.tag == tags::utf8_string) data.application = as_text(field.value);
    if (field.tag == tags::object_identifier) data.object_id = copy_of(field.whole);
  });
  if (!path) return path.take_error();
  data.common = std::move(frame->common);
  data.path = *std::move(path);
  return data;
}

Result<PinEntry> parse_pin(ByteView entry) {
  auto frame = open_frame(entry, "PKCS #15: an authentication object that is no PIN");
  if (!frame) return frame.take_error();
  PinEntry pin;
  pin.common = std::move(frame->common);
  if (auto id = frame->class_attributes.optional(tags::octet_string); id && *id)
    pin.auth_id = copy_of((*id)->value);
  frame->class_attributes.skip_rest();
  auto type_attributes = enter_type_attributes(frame->rest);
  if (!type_attributes) return type_attributes.take_error();
  auto value = type_attributes->enter(tags::sequence);
  if (!value) return value.take_error();
  std::size_t lengths[3] = {};
  std::size_t count = 0;
  while (!value->done()) {
    auto field = value->next();
    if (!field) return field.take_error();
    if (field->tag == tags::bit_string) {
      pin.security_officer = bit(field->value, flags::pin_security_officer);
      pin.unblock_disabled = bit(field->value, flags::pin_unblock_disabled);
    } else if (field->tag == tags::integer && count < 3) {
      lengths[count++] = number(field->value);
    } else if (field->tag == tags::pin_reference) {
      pin.reference = number(field->value);
    }
  }
  pin.min_length = lengths[0];
  pin.stored_length = lengths[1];
  pin.max_length = lengths[2];
  return pin;
}

}  // namespace kilt::card::pkcs15
