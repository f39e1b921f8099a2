// SPDX-License-Identifier: Apache-2.0
// RSA: the raw private operation [facts etoken §5.5]; how keys come onto the card is assumed.
#include <algorithm>

#include "firmware-sim/profiles/etoken72k_commands.hpp"

namespace kilt::sim::etoken72k {
namespace {

namespace sw = apdu::sw;
using apdu::StatusWord;
using std::chrono::microseconds;

constexpr std::uint8_t rsa = 0x31;  // P2 [facts etoken §5.2]
constexpr std::uint16_t public_key_id = 0x0002;
constexpr std::array<std::uint8_t, 3> f4{0x01, 0x00, 0x01};

/// Modulus sizes in bytes: 1024 and 2048 bits.
bool is_key_size(std::size_t modulus) {
  return modulus == 128 || modulus == 256;
}

microseconds scaled(microseconds for_2048, std::size_t modulus) {
  const auto size = static_cast<long long>(modulus);
  return for_2048 * size / 256 * size / 256 * size / 256;
}

struct KeyObject {
  StatusWord status;
  std::optional<File> df{};
};

/// The key object must be what is selected itself, not a file in it (assumed).
KeyObject selected_key_object(const Applet& applet, Access access) {
  constexpr std::uint8_t kind = 0x30;  // 30xx [facts etoken §5.6]
  if (applet.current_ef) return {sw::conditions_not_satisfied};
  auto df = applet.find(applet.current_df);
  if (!df || df->path.id() >> 8 != kind || df->path.parent() != path::objects()) {
    return {sw::conditions_not_satisfied};
  }
  if (!applet.allowed(*df, access)) return {sw::security_status_not_satisfied};
  return {sw::ok, std::move(df)};
}

/// Likewise, with nothing in it yet.
KeyObject empty_key_object(const Applet& applet) {
  auto object = selected_key_object(applet, Access::make_key);
  if (object.df && !applet.files.children(object.df->path).empty()) {
    return {sw::conditions_not_satisfied};
  }
  return object;
}

/// p, q, q^-1, dp, dq, each of half the modulus' length.
Bytes private_value(const RsaKey& key) {
  RsaPrimes primes = key.primes();
  Bytes value;
  for (auto* part : {&primes.p, &primes.q, &primes.qinv, &primes.dp, &primes.dq}) {
    append(value, *part);
    wipe(*part);
  }
  return value;
}

Result<RsaKey> key_of(ByteView value) {
  const std::size_t half = value.size() / 5;
  const auto part = [&](std::size_t i) { return copy_of(value.subspan(i * half, half)); };
  RsaPrimes primes{part(0), part(1), part(2), part(3), part(4)};
  auto key = RsaKey::from_primes(primes);
  for (auto* secret : {&primes.p, &primes.q, &primes.qinv, &primes.dp, &primes.dq})
    wipe(*secret);
  return key;
}

/// The public key for everyone to read, then the private one: who finds this finds that.
StatusWord keep(Applet& applet, const FilePath& object, const RsaKey& key) {
  File open;
  open.path = object.child(public_key_id);
  open.security = Acl({Acl::free, Acl::never, Acl::never, Acl::never, Acl::never, Acl::never,
                       Acl::never, Acl::never})
                      .bytes();
  Bytes body;
  apdu::append_simple_tlv(body, tag::modulus, key.modulus());
  apdu::append_simple_tlv(body, tag::public_exponent, key.public_exponent());

  File secret;
  secret.path = path::private_key_of(object);
  secret.type = FileType::internal_ef;
  secret.loaded = true;
  Bytes value = private_value(key);

  const std::size_t needed = body.size() + value.size() + 2 * FileSystem::head_memory;
  auto status = needed <= applet.files.free_memory() ? sw::ok : sw::not_enough_memory;
  if (status.ok()) status = applet.files.store(open, body);
  if (status.ok()) status = applet.files.store(secret, value);
  wipe(value);
  return status;
}

// ---- import

using Parts = Applet::KeyParts;

bool all_given(const Parts& parts) {
  const auto tags = {tag::public_exponent, tag::p, tag::q, tag::dp, tag::dq, tag::qinv};
  return parts.size() == tags.size() &&
         std::all_of(tags.begin(), tags.end(), [&](auto tag) { return parts.contains(tag); });
}

Bytes without_leading_zeros(ByteView number) {
  const auto first =
      std::find_if(number.begin(), number.end(), [](auto byte) { return byte != 0; });
  return {first, number.end()};
}

/// Empty: the parts are no key of a size that the card has.
std::optional<RsaKey> put_together(const Parts& parts) {
  if (!all_given(parts)) return std::nullopt;
  const std::size_t half = parts.at(tag::p).size();
  if (!is_key_size(2 * half)) return std::nullopt;
  for (const auto& [tag, part] : parts) {
    if (tag == tag::public_exponent ? part.size() > half : part.size() != half) {
      return std::nullopt;
    }
  }
  RsaPrimes primes{parts.at(tag::p), parts.at(tag::q), parts.at(tag::qinv), parts.at(tag::dp),
                   parts.at(tag::dq)};
  auto key = RsaKey::from_primes(primes);
  for (auto* secret : {&primes.p, &primes.q, &primes.qinv, &primes.dp, &primes.dq})
    wipe(*secret);
  if (!key || key->size() != 2 * half ||
      key->public_exponent() != without_leading_zeros(parts.at(tag::public_exponent))) {
    return std::nullopt;
  }
  return std::move(*key);
}

bool take_part(Applet& applet, ByteView rest) {
  const auto object = apdu::read_simple_tlv(rest);
  if (!object || !rest.empty()) return false;
  const auto tag = static_cast<std::uint8_t>(object->tag);
  if (tag < tag::public_exponent || tag > tag::qinv) return false;
  return applet.import.emplace(tag, copy_of(object->value)).second;
}

}  // namespace

// `03 02 <bits>` and `12 03 010001`.
Reply generate_key(Applet& applet, const Command& command) {
  if (command.p1 != 0 || command.p2 != rsa) return sw::wrong_p1_p2;
  ByteView rest = command.data;
  const auto bits = take_be16(rest, tag::size);
  const auto exponent = take(rest, tag::public_exponent, f4.size());
  if (!bits || !exponent || !rest.empty() || *bits % 8 != 0 || !is_key_size(*bits / 8) ||
      !equal(*exponent, f4)) {
    return sw::wrong_data;
  }
  const auto object = empty_key_object(applet);
  if (!object.df) return object.status;
  const auto key = RsaKey::generate(applet.random(), *bits);
  if (!key) return sw::execution_error;
  applet.spend(scaled(timing::rsa_2048_generation, key->size()));
  return keep(applet, object.df->path, *key);
}

// One part in each command, P1 = 01 with the last.
Reply import_key(Applet& applet, const Command& command) {
  constexpr std::uint8_t more = 0x00;
  constexpr std::uint8_t last = 0x01;
  if ((command.p1 != more && command.p1 != last) || command.p2 != rsa) return sw::wrong_p1_p2;
  const auto object = empty_key_object(applet);
  if (!object.df) return object.status;
  if (!take_part(applet, command.data)) {
    applet.drop_import();
    return sw::wrong_data;
  }
  if (command.p1 == more) return sw::ok;
  const auto key = put_together(applet.import);
  applet.drop_import();
  if (!key) return sw::wrong_data;
  return keep(applet, object.df->path, *key);
}

// One login serves any number of operations [facts etoken §5.5].
Reply private_operation(Applet& applet, const Command& command) {
  constexpr std::uint8_t raw = 0x03;
  if (command.p1 != raw || command.p2 != rsa) return sw::wrong_p1_p2;
  // assumed: without its secure messaging a 5110 answers as if nobody were logged in.
  if (applet.configuration.model == Model::sc_5110) return sw::security_status_not_satisfied;
  ByteView rest = command.data;
  const auto block = take(rest, tag::payload);
  if (!block || !rest.empty()) return sw::wrong_data;
  const auto object = selected_key_object(applet, Access::use_key);
  if (!object.df) return object.status;
  const auto value = applet.files.body(path::private_key_of(object.df->path));
  if (value.empty()) return sw::conditions_not_satisfied;  // assumed
  const auto key = key_of(value);
  if (!key) return sw::memory_failure;
  if (block->size() != key->size()) return sw::wrong_data;

  Bytes answer;
  apdu::append_simple_tlv(answer, tag::payload, *block);
  // assumed: an answer that does not fit is refused before the key is used.
  if (!command.ne || *command.ne < answer.size()) return sw::wrong_length;
  applet.spend(scaled(timing::rsa_2048_private, key->size()));
  const auto result = key->private_operation(*block, applet.random());
  if (!result) return sw::wrong_data;  // not below the modulus; assumed
  std::copy(result->begin(), result->end(),
            answer.end() - static_cast<std::ptrdiff_t>(key->size()));
  return answer;
}

}  // namespace kilt::sim::etoken72k
