// SPDX-License-Identifier: Apache-2.0
// The writing half of pkcs15.hpp: entries as OpenSC lays them out, so that either program reads
// what the other wrote [facts kaztoken §10.4].
#include <algorithm>
#include <initializer_list>

#include "apdu/tlv.hpp"
#include "drivers/pkcs15.hpp"
#include "drivers/pkcs15_tags.hpp"

namespace kilt::card::pkcs15 {
namespace {

using apdu::BerReader;
using apdu::BerWriter;

struct Flag {
  bool set;
  std::size_t index;
};

/// Content of a BIT STRING: unused bits, then the bits up to the last one set [X.690 §11.2].
Bytes bit_string(std::initializer_list<Flag> flags) {
  Bytes content{0};
  std::size_t length = 0;
  for (const auto& flag : flags) {
    if (!flag.set) continue;
    length = std::max(length, flag.index + 1);
    if (content.size() < 2 + flag.index / 8) content.resize(2 + flag.index / 8);
    content[1 + flag.index / 8] |= static_cast<std::uint8_t>(0x80 >> (flag.index % 8));
  }
  content[0] = static_cast<std::uint8_t>((8 - length % 8) % 8);
  return content;
}

/// Content of a positive INTEGER.
Bytes integer(std::size_t value) {
  Bytes content;
  do {
    content.insert(content.begin(), static_cast<std::uint8_t>(value));
    value >>= 8;
  } while (value != 0);
  if (content[0] & 0x80) content.insert(content.begin(), 0);
  return content;
}

BerWriter common(const Common& common) {
  BerWriter writer;
  writer.put(tags::utf8_string, as_bytes(common.label));
  writer.put(tags::bit_string, bit_string({{common.is_private, flags::object_private},
                                           {common.modifiable, flags::object_modifiable}}));
  if (!common.auth_id.empty()) writer.put(tags::octet_string, common.auth_id);
  return writer;
}

BerWriter sequence(const BerWriter& inside) {
  BerWriter writer;
  writer.put(tags::sequence, inside);
  return writer;
}

BerWriter path(const Bytes& path) {
  BerWriter writer;
  writer.put(tags::octet_string, path);
  return sequence(writer);
}

/// [1] { { { path }, more } }, or without `more` [1] { { { path } } }.
BerWriter in_file(const Bytes& file, const BerWriter& more) {
  BerWriter value = path(file);
  value.raw(more.bytes());
  BerWriter writer;
  writer.put(tags::type_attributes, sequence(value));
  return writer;
}

/// modulusLength for RSA; for GOST the parameter set, three times, as OpenSC writes it (1 = A).
BerWriter key_parameters(KeyType type, std::size_t bits) {
  BerWriter writer;
  if (type == KeyType::rsa) return std::move(writer.put(tags::integer, integer(bits)));
  writer.put(tags::integer, {1}).put(tags::integer, {1}).put(tags::integer, {1});
  return writer;
}

Bytes object(std::uint32_t tag, std::initializer_list<const BerWriter*> parts) {
  BerWriter inside;
  for (const auto* part : parts)
    inside.raw(part->bytes());
  BerWriter writer;
  writer.put(tag, inside);
  return std::move(writer).bytes();
}

std::uint32_t key_tag(KeyType type) {
  return type == KeyType::rsa ? tags::sequence : tags::gost_key;
}

BerWriter private_key_attributes(ByteView subject) {
  BerWriter inside;
  inside.raw(subject);
  BerWriter writer;
  writer.put(tags::sub_class_attributes, sequence(inside));
  return writer;
}

}  // namespace

Bytes private_usage_bits(const KeyUsage& usage) {
  return bit_string({{usage.sign, flags::usage_sign},
                     {usage.sign_recover, flags::usage_sign_recover},
                     {usage.decrypt, flags::usage_decrypt},
                     {usage.unwrap, flags::usage_unwrap},
                     {usage.derive, flags::usage_derive},
                     {usage.non_repudiation, flags::usage_non_repudiation}});
}

Bytes public_usage_bits(const KeyUsage& usage) {
  return bit_string({{usage.sign, flags::usage_verify},
                     {usage.sign_recover, flags::usage_verify_recover},
                     {usage.decrypt, flags::usage_encrypt},
                     {usage.unwrap, flags::usage_wrap},
                     {usage.derive, flags::usage_derive},
                     {usage.non_repudiation, flags::usage_non_repudiation}});
}

Bytes encode(const DirectoryPointer& pointer) {
  BerWriter writer;
  writer.put(pointer.tag, path(pointer.path));
  return std::move(writer).bytes();
}

Bytes encode(const TokenInformation& info) {
  BerWriter inside;
  inside.put(tags::integer, {0});
  inside.put(tags::octet_string, info.serial);
  if (!info.manufacturer.empty()) inside.put(tags::utf8_string, as_bytes(info.manufacturer));
  inside.put(tags::token_label, as_bytes(info.label));
  inside.put(tags::bit_string, {0x04, 0x10});  // TokenFlags as OpenSC sets them
  if (!info.last_update.empty()) {
    BerWriter time;
    time.put(tags::generalized_time, as_bytes(info.last_update));
    inside.put(tags::last_update, time);
  }
  return sequence(inside).bytes();
}

Bytes encode(const PrivateKey& key) {
  BerWriter attributes;
  attributes.put(tags::octet_string, key.id);
  attributes.put(tags::bit_string, private_usage_bits(key.usage));
  attributes.put(tags::bit_string,
                 bit_string({{key.sensitive, flags::access_sensitive},
                             {key.extractable, flags::access_extractable},
                             {key.always_sensitive, flags::access_always_sensitive},
                             {key.never_extractable, flags::access_never_extractable},
                             {key.local, flags::access_local}}));
  attributes.put(tags::integer, integer(key.reference));
  const BerWriter of_private =
      key.subject.empty() ? BerWriter() : private_key_attributes(key.subject);
  const BerWriter head = sequence(common(key.common)), middle = sequence(attributes);
  const BerWriter value = in_file(key.path, key_parameters(key.type, key.bits));
  return object(key_tag(key.type), {&head, &middle, &of_private, &value});
}

Bytes encode(const PublicKeyEntry& key) {
  BerWriter attributes;
  attributes.put(tags::octet_string, key.id);
  attributes.put(tags::bit_string, public_usage_bits(key.usage));
  attributes.put(tags::boolean, {0x00});  // native FALSE: the value is in a file, not in the chip
  attributes.put(tags::integer, integer(key.reference));
  const BerWriter head = sequence(common(key.common)), middle = sequence(attributes);
  const BerWriter value = in_file(key.path, key_parameters(key.type, key.bits));
  return object(key_tag(key.type), {&head, &middle, &value});
}

Bytes encode(const CertificateEntry& certificate) {
  BerWriter attributes;
  attributes.put(tags::octet_string, certificate.id);
  if (certificate.authority) attributes.put(tags::boolean, {0xFF});
  const BerWriter head = sequence(common(certificate.common)), middle = sequence(attributes);
  const BerWriter value = in_file(certificate.path, {});
  return object(tags::sequence, {&head, &middle, &value});
}

Bytes encode(const DataEntry& data) {
  BerWriter attributes;
  attributes.put(tags::utf8_string, as_bytes(data.application));
  attributes.raw(data.object_id);
  BerWriter value;
  value.put(tags::type_attributes, path(data.path));
  const BerWriter head = sequence(common(data.common)), middle = sequence(attributes);
  return object(tags::sequence, {&head, &middle, &value});
}

Bytes encode(const PinEntry& pin) {
  BerWriter attributes;
  attributes.put(tags::octet_string, pin.auth_id);
  BerWriter inside;
  inside.put(tags::bit_string, bit_string({{true, flags::pin_case_sensitive},
                                           {pin.unblock_disabled, flags::pin_unblock_disabled},
                                           {true, flags::pin_initialized},
                                           {pin.security_officer, flags::pin_security_officer}}));
  inside.put(tags::enumerated, {1});  // ascii-numeric
  inside.put(tags::integer, integer(pin.min_length));
  inside.put(tags::integer, integer(pin.stored_length));
  inside.put(tags::integer, integer(pin.max_length));
  inside.put(tags::pin_reference, integer(pin.reference));
  inside.put(tags::octet_string, {0x00});  // padChar
  BerWriter value;
  value.put(tags::type_attributes, sequence(inside));
  const BerWriter head = sequence(common(pin.common)), middle = sequence(attributes);
  return object(tags::sequence, {&head, &middle, &value});
}

namespace {

/// Copies the fields of a SEQUENCE, with the first of `tag` replaced, or put in front if there is
/// none.
Result<BerWriter> with_field(ByteView fields, std::uint32_t tag, ByteView value,
                             bool last = false) {
  const bool present = apdu::find_tag(fields, tag).has_value();
  BerWriter writer;
  if (!present && !last) writer.put(tag, value);
  BerReader reader(fields);
  bool replaced = false;
  while (!reader.done()) {
    auto field = reader.next();
    if (!field) return field.take_error();
    if (field->tag == tag && !replaced) {
      writer.put(tag, value);
      replaced = true;
    } else {
      writer.raw(field->whole);
    }
  }
  if (!present && last) writer.put(tag, value);
  return writer;
}

/// CommonPrivateKeyAttributes with another subject; other fields in it are kept.
Result<BerWriter> with_subject(ByteView attributes, ByteView subject) {
  BerWriter inside;
  inside.raw(subject);
  BerReader reader(attributes);
  auto old = reader.optional(tags::sequence);  // the Name, if there is one, is first
  if (!old) return old.take_error();
  inside.raw(reader.rest());
  reader.skip_rest();
  return inside;
}

Result<BerWriter> rewrite_sub_class(ByteView content, ByteView subject) {
  BerReader reader(content);
  auto old = reader.expect(tags::sequence);
  if (!old) return old.take_error();
  auto fields = with_subject(old->value, subject);
  if (!fields) return fields.take_error();
  BerWriter writer;
  writer.put(tags::sub_class_attributes, sequence(*fields));
  return writer;
}

Result<BerWriter> rewrite_class(Kind kind, ByteView fields, const Edit& edit) {
  BerWriter writer;
  writer.raw(fields);
  if (edit.id && kind != Kind::data) {
    auto changed = with_field(writer.bytes(), tags::octet_string, *edit.id);
    if (!changed) return changed;
    writer = *changed;
  }
  if (edit.reference) {
    auto changed = with_field(writer.bytes(), tags::integer, integer(*edit.reference), true);
    if (!changed) return changed;
    writer = *changed;
  }
  return writer;
}

}  // namespace

Result<Bytes> rewrite(Kind kind, ByteView entry, const Edit& edit) {
  BerReader outer(entry);
  auto whole = outer.next();
  if (!whole) return whole.take_error();
  BerReader reader(whole->value, 1);
  auto head = reader.expect(tags::sequence);
  if (!head) return head.take_error();
  auto middle = reader.expect(tags::sequence);
  if (!middle) return middle.take_error();

  BerWriter inside;
  if (edit.label) {
    auto changed = with_field(head->value, tags::utf8_string, as_bytes(*edit.label));
    if (!changed) return changed.take_error();
    inside.put(tags::sequence, *changed);
  } else {
    inside.raw(head->whole);
  }
  auto attributes = rewrite_class(kind, middle->value, edit);
  if (!attributes) return attributes.take_error();
  inside.put(tags::sequence, *attributes);

  const bool with_name = edit.subject && kind == Kind::private_keys;
  if (with_name && reader.peek() != tags::sub_class_attributes && !edit.subject->empty()) {
    inside.raw(private_key_attributes(*edit.subject).bytes());
  }
  while (!reader.done()) {
    auto field = reader.next();
    if (!field) return field.take_error();
    if (with_name && field->tag == tags::sub_class_attributes) {
      auto changed = rewrite_sub_class(field->value, *edit.subject);
      if (!changed) return changed.take_error();
      inside.raw(changed->bytes());
    } else {
      inside.raw(field->whole);
    }
  }
  BerWriter writer;
  writer.put(whole->tag, inside);
  return std::move(writer).bytes();
}

}  // namespace kilt::card::pkcs15
