// SPDX-License-Identifier: Apache-2.0
#include "drivers/etoken72k_attributes.hpp"

#include "apdu/tlv.hpp"

namespace kilt::card::etoken {
namespace {

namespace tag {
constexpr std::uint8_t label = 0x21, id = 0x22, subject = 0x23, usage = 0x24, flags = 0x25,
                       application = 0x26, object_id = 0x27, bits = 0x28, public_label = 0x29;
}

struct UsageBit {
  bool KeyUsage::*member;
  std::uint8_t bit;
};
constexpr UsageBit usage_bits[] = {
    {&KeyUsage::sign, 0x01},   {&KeyUsage::sign_recover, 0x02}, {&KeyUsage::decrypt, 0x04},
    {&KeyUsage::unwrap, 0x08}, {&KeyUsage::derive, 0x10},       {&KeyUsage::non_repudiation, 0x20},
};

struct FlagBit {
  bool Attributes::*member;
  std::uint8_t bit;
};
constexpr FlagBit flag_bits[] = {
    {&Attributes::local, 0x01},
    {&Attributes::authority, 0x02},
    {&Attributes::trusted, 0x04},
    {&Attributes::public_deleted, 0x08},
};

void take(Attributes& into, std::uint32_t which, ByteView value) {
  const std::uint8_t first = value.empty() ? 0 : value[0];
  switch (which) {
    case tag::label:
      into.label = as_text(value);
      break;
    case tag::id:
      into.id = copy_of(value);
      break;
    case tag::subject:
      into.subject = copy_of(value);
      break;
    case tag::usage:
      for (const auto& [member, bit] : usage_bits)
        into.usage.*member = (first & bit) != 0;
      break;
    case tag::flags:
      for (const auto& [member, bit] : flag_bits)
        into.*member = (first & bit) != 0;
      break;
    case tag::application:
      into.application = as_text(value);
      break;
    case tag::object_id:
      into.object_id = copy_of(value);
      break;
    case tag::bits:
      if (value.size() == 2) into.bits = be16(value[0], value[1]);
      break;
    case tag::public_label:
      into.public_label = as_text(value);
      break;
    default:
      break;
  }
}

}  // namespace

Bytes encode(const Attributes& attributes) {
  Bytes content;
  const auto put = [&](std::uint8_t which, ByteView value) {
    if (!value.empty()) apdu::append_simple_tlv(content, which, value);
  };
  std::uint8_t usage = 0, flags = 0;
  for (const auto& [member, bit] : usage_bits)
    if (attributes.usage.*member) usage |= bit;
  for (const auto& [member, bit] : flag_bits)
    if (attributes.*member) flags |= bit;
  apdu::append_simple_tlv(content, tag::label, as_bytes(attributes.label));
  put(tag::id, attributes.id);
  put(tag::subject, attributes.subject);
  if (usage != 0) put(tag::usage, {&usage, 1});
  if (flags != 0) put(tag::flags, {&flags, 1});
  put(tag::application, as_bytes(attributes.application));
  put(tag::object_id, attributes.object_id);
  if (attributes.bits != 0) {
    Bytes bits;
    append_be16(bits, attributes.bits);
    put(tag::bits, bits);
  }
  if (attributes.public_label)
    apdu::append_simple_tlv(content, tag::public_label, as_bytes(*attributes.public_label));
  return content;
}

std::optional<Attributes> parse_attributes(ByteView content) {
  if (content.empty() || content[0] != tag::label) return std::nullopt;
  Attributes attributes;
  while (!content.empty() && content[0] != 0x00) {
    const auto object = apdu::read_simple_tlv(content);
    if (!object) return std::nullopt;
    take(attributes, object->tag, object->value);
  }
  return attributes;
}

}  // namespace kilt::card::etoken
