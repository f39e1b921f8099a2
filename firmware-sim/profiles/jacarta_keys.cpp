// SPDX-License-Identifier: Apache-2.0
// Importing, generating and using RSA keys [facts jacarta A4, A7, A16 #7-#11]. All numbers are
// big-endian, as they are on the wire.
#include <algorithm>

#include "apdu/tlv.hpp"
#include "firmware-sim/profiles/jacarta_laser.hpp"

namespace kilt::sim::jacarta {
namespace {

namespace sw = apdu::sw;
using std::chrono::microseconds;

constexpr std::uint8_t use_sign = 0x04;  // properties, usage
constexpr std::uint8_t use_decrypt = 0x08;
constexpr std::size_t padding_overhead = 11;  // PKCS#1: 00 BT, eight bytes or more, 00

/// Longer moduli take the cube of the time.
microseconds scaled(microseconds for_2048, std::size_t modulus_bytes) {
  const auto size = static_cast<long long>(modulus_bytes);
  return for_2048 * size / 256 * size / 256 * size / 256;
}

bool is_private(const Laser& laser, const Object& object) {
  return object.key_kind() == KeyKind::rsa &&
         laser.files.body(object.path).size() == rsa_private_size(object.size);
}

Bytes body_of(const RsaKey& key) {
  RsaPrimes primes = key.primes();
  Bytes body;
  for (Bytes* part : {&primes.p, &primes.q, &primes.qinv, &primes.dp, &primes.dq}) {
    append(body, *part);
    wipe(*part);
  }
  return body;
}

Result<RsaKey> key_of(ByteView body) {
  const std::size_t half = body.size() / 5;
  const auto part = [&](std::size_t index) { return copy_of(body.subspan(index * half, half)); };
  return RsaKey::from_primes({part(0), part(1), part(2), part(3), part(4)});
}

void keep(Laser& laser, const Object& object, const RsaKey& key) {
  Bytes body = body_of(key);
  laser.files.load(object.path, body);
  wipe(body);
}

// ---- import

/// 90 e, 91 n, 92 d, 93 p q, 94 dp dq q^-1, each of full length: the vendor's driver sends short
/// parts now and then, and a card may refuse them [facts jacarta A16 #7].
struct ImportedKey {
  ByteView e{}, n{}, d{};
  RsaPrimes primes{};
};

std::optional<ImportedKey> parse_import(ByteView value, std::size_t size) {
  const std::size_t half = size / 2;
  apdu::BerReader reader(value);
  const auto e = reader.expect(0x90);
  if (!e) return std::nullopt;
  const auto n = reader.expect(0x91);
  if (!n || n->value.size() != size) return std::nullopt;
  const auto d = reader.expect(0x92);
  if (!d || d->value.size() != size) return std::nullopt;
  const auto factors = reader.expect(0x93);
  if (!factors || factors->value.size() != 2 * half) return std::nullopt;
  const auto crt = reader.expect(0x94);
  if (!crt || crt->value.size() != 3 * half || !reader.finish()) return std::nullopt;
  const auto part = [half](ByteView parts, std::size_t index) {
    return copy_of(parts.subspan(index * half, half));
  };
  return ImportedKey{e->value,
                     n->value,
                     d->value,
                     {part(factors->value, 0), part(factors->value, 1), part(crt->value, 2),
                      part(crt->value, 0), part(crt->value, 1)}};
}

// ---- generation

struct Request {
  std::size_t size;  ///< modulus, bytes
};

/// AC {80 algorithm, 81 exponent}; the length of 81 is in long form [facts jacarta A4].
std::optional<Request> parse_request(ByteView data) {
  apdu::BerReader whole(data);
  auto reader = whole.enter(0xAC);
  if (!reader || !whole.finish()) return std::nullopt;
  const auto algorithm = reader->expect(0x80);
  if (!algorithm || algorithm->value.size() != 1) return std::nullopt;
  const auto exponent = reader->expect(0x81);
  // assumed: no other exponent than 65537.
  if (!exponent || !reader->finish() || exponent->whole.size() != 6 ||
      !equal(exponent->value, Bytes{0x01, 0x00, 0x01})) {
    return std::nullopt;
  }
  switch (algorithm->value[0]) {
    case 0x06:
      return Request{128};
    case 0x07:
      return Request{256};
    case 0x08:
      return Request{512};
    default:
      return std::nullopt;
  }
}

// ---- use

struct Input {
  apdu::StatusWord status;
  Bytes bytes{};
};

/// The one object of the command.
Input input_of(const Laser& laser, std::uint32_t tag) {
  const Bytes data = laser.chain.joined();
  apdu::BerReader reader(data);
  const auto object = reader.expect(tag);
  if (!object || !reader.finish()) return {sw::wrong_data};
  return {sw::ok, copy_of(object->value)};
}

/// 00 01 FF.. 00 and the text [RFC 8017 §9.2]. Empty: too long.
std::optional<Bytes> signature_block(ByteView text, std::size_t size) {
  if (text.size() + padding_overhead > size) return std::nullopt;
  Bytes block{0x00, 0x01};
  block.resize(size - text.size() - 1, 0xFF);
  block.push_back(0x00);
  append(block, text);
  return block;
}

/// What is behind 00 02, eight or more bytes, 00 [RFC 8017 §7.2.2].
std::optional<Bytes> message_of(ByteView block) {
  if (block.size() < padding_overhead || block[0] != 0x00 || block[1] != 0x02) return std::nullopt;
  const auto end = std::find(block.begin() + 2, block.end(), std::uint8_t{0});
  constexpr std::ptrdiff_t least_padding = 8;
  if (end == block.end() || end - (block.begin() + 2) < least_padding) return std::nullopt;
  return Bytes(end + 1, block.end());
}

Bytes in_object(ByteView result) {
  return apdu::BerWriter().put(0x80, result).bytes();
}

enum class Operation : std::uint16_t {
  compute_digital_signature = 0x9E8A,
  decipher = 0x800A,
  private_operation = 0x800C,
};

std::uint8_t needed_usage(Operation operation) {
  if (operation == Operation::compute_digital_signature) return use_sign;
  return operation == Operation::decipher ? use_decrypt : use_sign | use_decrypt;
}

struct KeyInUse {
  apdu::StatusWord status;
  Object object{};
};

KeyInUse key_for(const Laser& laser, Operation operation) {
  auto object = laser.selected_object(Kind::key_object);
  if (!object) return {sw::conditions_not_satisfied};
  if (!is_private(laser, *object)) return {sw::incompatible_file};
  if (!laser.allowed(object->rule(KeyOperation::use))) return {sw::security_status_not_satisfied};
  constexpr std::size_t usage_at = 1;
  const bool usable = (object->properties[usage_at] & needed_usage(operation)) != 0;
  if (!usable || !object->loaded) return {sw::conditions_not_satisfied};
  return {sw::ok, std::move(*object)};
}

Reply compute(Laser& laser, Operation operation, const RsaKey& key) {
  const bool sign = operation == Operation::compute_digital_signature;
  const auto input = input_of(laser, sign ? 0x80 : 0x82);
  if (!input.status.ok()) return input.status;
  auto block = sign ? signature_block(input.bytes, key.size()) : std::optional(input.bytes);
  if (!block || block->size() != key.size()) return sw::wrong_data;
  laser.spend(scaled(timing::rsa_2048_private, key.size()));
  auto result = key.private_operation(*block, laser.random());
  if (!result) return sw::wrong_data;  // not below the modulus; assumed
  if (sign) return std::move(*result);
  if (operation == Operation::private_operation) return in_object(*result);
  const auto message = message_of(*result);
  wipe(*result);
  return message ? Reply(in_object(*message)) : Reply(sw::wrong_data);  // assumed
}

}  // namespace

Reply import_rsa(Laser& laser, const Object& object, ByteView value) {
  if (!laser.allowed(object.rule(KeyOperation::update))) return sw::security_status_not_satisfied;
  if (!is_private(laser, object)) return sw::incompatible_file;
  auto imported = parse_import(value, object.size);
  if (!imported) return sw::wrong_data;
  auto key = RsaKey::from_primes(imported->primes);
  for (Bytes* part : {&imported->primes.p, &imported->primes.q, &imported->primes.qinv,
                      &imported->primes.dp, &imported->primes.dq}) {
    wipe(*part);
  }
  // assumed: values that do not fit together are refused where they come in.
  if (!key || !equal(key->modulus(), imported->n) || !equal(key->public_exponent(), imported->e) ||
      !key->has_private_exponent(imported->d)) {
    return sw::wrong_data;
  }
  keep(laser, object, *key);
  return sw::ok;
}

Reply generate_key_pair(Laser& laser, const Command& command) {
  if (command.p1_p2() != 0) return sw::wrong_p1_p2;
  if (!command.ne) return sw::wrong_length;  // assumed: no key that nobody hears of
  const auto object = laser.selected_object(Kind::key_object);
  if (!object) return sw::conditions_not_satisfied;
  if (!is_private(laser, *object)) return sw::incompatible_file;
  if (!laser.allowed(object->rule(KeyOperation::generate))) {
    return sw::security_status_not_satisfied;
  }
  const auto request = parse_request(command.data);
  if (!request || request->size != object->size) return sw::wrong_data;
  auto key = RsaKey::generate(laser.random(), static_cast<unsigned>(request->size * 8));
  if (!key) return sw::execution_error;
  laser.spend(scaled(timing::rsa_2048_generation, request->size));
  keep(laser, *object, *key);
  apdu::BerWriter inner;
  inner.put(0x81, key->modulus()).put(0x82, key->public_exponent());
  return apdu::BerWriter().put(0x7F49, inner).bytes();
}

Reply perform_security_operation(Laser& laser, const Command& command) {
  const auto operation = static_cast<Operation>(command.p1_p2());
  if (operation != Operation::compute_digital_signature && operation != Operation::decipher &&
      operation != Operation::private_operation) {
    return sw::wrong_p1_p2;
  }
  if (!command.ne) return sw::wrong_length;
  const auto in_use = key_for(laser, operation);
  if (!in_use.status.ok()) return in_use.status;
  const auto key = key_of(laser.files.body(in_use.object.path));
  if (!key) return sw::memory_failure;
  return compute(laser, operation, *key);
}

}  // namespace kilt::sim::jacarta
