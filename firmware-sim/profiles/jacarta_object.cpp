// SPDX-License-Identifier: Apache-2.0
#include "firmware-sim/profiles/jacarta_object.hpp"

#include <algorithm>

#include "apdu/tlv.hpp"

namespace kilt::sim::jacarta {
namespace {

namespace tag = apdu::tag;

constexpr std::uint32_t descriptor_tag = 0x87;
constexpr std::size_t longest_name = 16;

// File::property holds: life cycle, size of tag 80 (2 bytes), length of the name, the name, the
// properties.
constexpr std::size_t property_head = 4;

Error bad(const char* why) {
  return {ErrorKind::bad_data, why};
}

FileType file_type(Kind kind) {
  switch (kind) {
    case Kind::df:
      return FileType::df;
    case Kind::ef:
      return FileType::transparent_ef;
    case Kind::key_object:
      break;
  }
  return FileType::internal_ef;
}

Kind kind_of(FileType type) {
  switch (type) {
    case FileType::df:
      return Kind::df;
    case FileType::transparent_ef:
      return Kind::ef;
    case FileType::internal_ef:
      break;
  }
  return Kind::key_object;
}

std::size_t rules_of(Kind kind) {
  switch (kind) {
    case Kind::df:
      return 12;
    case Kind::ef:
      return 8;
    case Kind::key_object:
      break;
  }
  return 14;
}

Bytes two_bytes(std::size_t value) {
  Bytes bytes;
  append_be16(bytes, value);
  return bytes;
}

// 40 shareable, kind, structure; 1 of an EF is transparent [facts jacarta A6, 7816-4 table 14].
std::uint8_t descriptor(Kind kind) {
  switch (kind) {
    case Kind::df:
      return 0x78;
    case Kind::ef:
      return 0x41;
    case Kind::key_object:
      break;
  }
  return 0x48;
}

bool known_rules(ByteView rules) {
  for (std::size_t i = 0; i < rules.size(); i += 2) {
    if ((rules[i] & ~Rule::under_sm) != 0) return false;
  }
  return true;
}

Status parse_head(apdu::BerReader& fcp, NewObject& made) {
  Object& object = made.object;
  const auto life_cycle = fcp.expect(tag::life_cycle);
  if (!life_cycle || life_cycle->value.size() != 1) return bad("life cycle");
  object.life_cycle = life_cycle->value[0];
  const auto id = fcp.expect(tag::file_identifier);
  if (!id || id->value.size() != 2) return bad("identifier");
  made.id = be16(id->value[0], id->value[1]);
  if (made.id == FilePath::mf_id || made.id == 0 || made.id == 0xFFFF) return bad("identifier");
  const auto size_tag = fcp.peek() == tag::allocated_size ? tag::allocated_size : tag::file_size;
  const auto size = fcp.expect(size_tag);
  if (!size || size->value.size() != 2) return bad("size");
  object.size = be16(size->value[0], size->value[1]);
  const auto name = fcp.optional(tag::df_name);
  if (!name || (*name && (*name)->value.size() > longest_name)) return bad("name");
  if (*name) object.name = copy_of((*name)->value);
  return {};
}

Status parse_security(apdu::BerReader& fcp, Object& object) {
  constexpr std::uint32_t properties_constructed = 0xA5;
  constexpr std::size_t most_properties = 32;
  const auto which =
      fcp.peek() == properties_constructed ? properties_constructed : tag::proprietary;
  const auto properties = fcp.optional(which);
  if (!properties) return bad("properties");
  const bool is_key = object.kind == Kind::key_object;
  if (is_key != properties->has_value()) return bad("properties");
  if (is_key) {
    if ((*properties)->value.size() > most_properties) return bad("properties");
    object.properties = copy_of((*properties)->value);
  }
  const auto rules = fcp.expect(tag::security_attribute_proprietary);
  if (!rules || rules->value.size() != rules_of(object.kind) || !known_rules(rules->value)) {
    return bad("rules");
  }
  object.rules = copy_of(rules->value);
  return {};
}

// ---- what is behind the rules of a key object

constexpr std::uint32_t value_tag = 0x81;
constexpr std::uint32_t expression_tag = 0xE3;
constexpr std::uint32_t rsa_value_tag = 0x71;

Status parse_pin(apdu::BerReader& fcp, NewObject& made) {
  const auto properties = PinProperties::of(made.object);
  if (properties.max_tries == 0) return bad("no tries");
  const auto value = fcp.expect(value_tag);
  if (!value || !properties.accepts(value->value, made.object.size)) return bad("PIN");
  made.body = PinBody{properties.max_tries, properties.max_unblocks, copy_of(value->value)}.bytes();
  return {};
}

Status parse_expression(apdu::BerReader& fcp, NewObject& made) {
  auto value = fcp.enter(value_tag);
  if (!value) return value.take_error();
  const auto postfix = value->expect(expression_tag);
  if (!postfix || !value->finish()) return bad("expression");
  if (!evaluate_expression(postfix->value, [](std::uint16_t) { return false; })) {
    return bad("expression");
  }
  made.body = copy_of(postfix->value);
  return {};
}

/// 71 00 makes room for a private key, 71 {90 exponent, 91 modulus} is a public one.
Status parse_rsa(apdu::BerReader& fcp, NewObject& made) {
  const std::size_t size = made.object.size;
  if (size != 128 && size != 256 && size != 512) return bad("RSA size");
  auto value = fcp.enter(rsa_value_tag);
  if (!value) return value.take_error();
  if (value->done()) {
    made.body = Bytes(rsa_private_size(size));
    return {};
  }
  constexpr std::size_t longest_exponent = 8;
  const auto exponent = value->expect(0x90);
  if (!exponent || exponent->value.empty() || exponent->value.size() > longest_exponent) {
    return bad("exponent");
  }
  const auto modulus = value->expect(0x91);
  if (!modulus || modulus->value.size() != size || !value->finish()) return bad("modulus");
  made.body = copy_of(exponent->value);
  append(made.body, modulus->value);
  made.object.loaded = true;
  return {};
}

Status parse_content(apdu::BerReader& fcp, NewObject& made) {
  switch (made.object.key_kind()) {
    case KeyKind::pin:
      return parse_pin(fcp, made);
    case KeyKind::expression:
      return parse_expression(fcp, made);
    case KeyKind::rsa:
      return parse_rsa(fcp, made);
    case KeyKind::unknown:
      break;
  }
  return bad("no such kind of key");
}

}  // namespace

Object Object::of(const File& file) {
  Object object;
  object.path = file.path;
  object.kind = kind_of(file.type);
  const ByteView head = file.property;
  object.life_cycle = head[0];
  object.size = be16(head[1], head[2]);
  const std::size_t name = head[3];
  object.name = copy_of(head.subspan(property_head, name));
  object.properties = copy_of(head.subspan(property_head + name));
  object.rules = file.security;
  object.loaded = file.loaded;
  return object;
}

File Object::file() const {
  File file;
  file.path = path;
  file.type = file_type(kind);
  file.size = size;
  file.property = {life_cycle};
  append_be16(file.property, size);
  file.property.push_back(static_cast<std::uint8_t>(name.size()));
  append(file.property, name);
  append(file.property, properties);
  file.security = rules;
  file.loaded = loaded;
  return file;
}

// [facts jacarta A7]: class and flags, usage, algorithm, padding.
KeyKind Object::key_kind() const {
  constexpr std::uint8_t class_bits = 0x3F;
  constexpr std::size_t pin_size = 14;
  constexpr std::size_t expression_size = 5;
  constexpr std::size_t rsa_size = 5;
  if (kind != Kind::key_object || properties.size() < expression_size) return KeyKind::unknown;
  const int key_class = properties[0] & class_bits;
  const int algorithm = properties[2];
  if (key_class == 0 && algorithm == 0x00 && properties.size() == pin_size) return KeyKind::pin;
  if (properties.size() != rsa_size) return KeyKind::unknown;
  if (key_class == 0 && algorithm == 0x0F) return KeyKind::expression;
  return key_class == 5 && algorithm == 0x20 ? KeyKind::rsa : KeyKind::unknown;
}

Result<NewObject> parse_new_object(Kind kind, ByteView data) {
  NewObject made;
  made.object.kind = kind;
  apdu::BerReader whole(data);
  auto fcp = whole.enter(tag::fcp_template);
  if (!fcp) return fcp.take_error();
  if (auto outer = whole.finish(); !outer) return outer.take_error();
  if (auto head = parse_head(*fcp, made); !head) return head.take_error();
  if (auto rest = parse_security(*fcp, made.object); !rest) return rest.take_error();
  if (kind == Kind::key_object) {
    if (auto content = parse_content(*fcp, made); !content) return content.take_error();
  }
  if (auto end = fcp->finish(); !end) return end.take_error();
  if (kind == Kind::ef) made.body = Bytes(made.object.size);
  return made;
}

Bytes control_parameters(const Object& object, ByteView live_properties) {
  apdu::BerWriter inner;
  inner.put(tag::life_cycle, {object.life_cycle});
  inner.put(tag::file_identifier, two_bytes(object.path.id()));
  inner.put(tag::file_size, two_bytes(object.size));
  inner.put(descriptor_tag, {descriptor(object.kind)});
  if (!object.name.empty()) inner.put(tag::df_name, object.name);
  if (!live_properties.empty()) inner.put(tag::proprietary, live_properties);
  inner.put(tag::security_attribute_proprietary, object.rules);
  return apdu::BerWriter().put(tag::fcp_template, inner).bytes();
}

// ---- PINs

PinBody PinBody::parse(ByteView body) {
  constexpr std::size_t head = 3;
  return {body[0], body[1], copy_of(body.subspan(head, body[2]))};
}

Bytes PinBody::bytes() const {
  Bytes body{tries, unblocks, static_cast<std::uint8_t>(value.size())};
  append(body, value);
  body.resize(3 + longest);
  return body;
}

PinProperties PinProperties::of(const Object& object) {
  constexpr std::uint8_t allow_secure_verify = 0x40;
  const Bytes& p = object.properties;
  return {(p[0] & allow_secure_verify) != 0, static_cast<std::uint8_t>(p[4] >> 4),
          static_cast<std::uint8_t>(p[4] & 0x0F), p[5], p[6]};
}

bool PinProperties::accepts(ByteView pin, std::size_t object_size) const {
  if (pin.empty() || pin.size() > PinBody::longest || pin.size() > object_size) return false;
  if (pin.size() < min_length) return false;
  return max_length == 0 || pin.size() <= max_length;  // assumed: 0 is no limit
}

Bytes live_pin_properties(const Object& object, const PinBody& body) {
  constexpr std::size_t counters_at = 4;
  const auto pin = PinProperties::of(object);
  const ByteView given = object.properties;
  Bytes live = copy_of(given.first(counters_at));
  append(live, {static_cast<std::uint8_t>(body.tries << 4 | pin.max_tries),
                static_cast<std::uint8_t>(body.unblocks << 4 | pin.max_unblocks)});
  append(live, given.subspan(counters_at + 1));
  return live;
}

// ---- logical expressions

Result<bool> evaluate_expression(ByteView postfix,
                                 const std::function<bool(std::uint16_t id)>& verified) {
  constexpr std::uint32_t operand = 0x89;
  constexpr std::uint32_t logical_or = 0x88;  // without content; other operations are not public
  std::vector<bool> stack;
  apdu::BerReader reader(postfix);
  while (!reader.done()) {
    const auto item = reader.next();
    if (!item) return item.error();
    if (item->tag == operand && item->value.size() == 2) {
      stack.push_back(verified(be16(item->value[0], item->value[1])));
    } else if (item->tag == logical_or && item->value.empty() && stack.size() >= 2) {
      const bool right = stack.back();
      stack.pop_back();
      stack.back() = stack.back() || right;
    } else {
      return bad("expression");
    }
  }
  if (stack.size() != 1) return bad("expression");
  return bool(stack.front());
}

}  // namespace kilt::sim::jacarta
