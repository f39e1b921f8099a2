// SPDX-License-Identifier: Apache-2.0
// Loading, generating and using keys [facts kaztoken §3.4, §4.3-§4.5, §10.1 #1-#3, #12, #25-#34].
#include "apdu/tlv.hpp"
#include "firmware-sim/profiles/kaztoken_card.hpp"
#include "firmware-sim/profiles/kaztoken_rsf.hpp"

namespace kilt::sim::kaztoken {
namespace {

namespace sw = apdu::sw;
using apdu::ControlTemplate;
using std::chrono::microseconds;

constexpr std::size_t gost_digest_size = 32;
constexpr std::size_t gost_signature_size = 64;

struct KeyFile {
  apdu::StatusWord status;
  File file{};
  RsfKind kind{};
};

KeyFile key_file(const Card& card, const FilePath& path, Access access) {
  auto file = card.files.find(path);
  if (!file) return {sw::reference_not_found};
  const auto property = RsfProperty::parse(file->property);
  if (file->type != FileType::internal_ef || !property) return {sw::incompatible_file};
  if (!card.allowed(file->security, access)) return {sw::security_status_not_satisfied};
  return {sw::ok, std::move(*file), property->kind};
}

/// Longer moduli take the cube of the time to find primes for and to compute with.
microseconds scaled(microseconds for_2048, std::size_t modulus_bytes) {
  const auto size = static_cast<long long>(modulus_bytes);
  return for_2048 * size / 256 * size / 256 * size / 256;
}

// ---- generation

struct KeyPairFiles {
  KeyFile secret, open;
};

/// Both files are there, of one algorithm and size, and may be written.
apdu::StatusWord matching(const KeyPairFiles& pair) {
  if (!pair.secret.status.ok()) return pair.secret.status;
  if (!pair.open.status.ok()) return pair.open.status;
  if (pair.secret.kind == RsfKind::gost_private && pair.open.kind == RsfKind::gost_public) {
    return sw::ok;
  }
  const bool rsa = pair.secret.kind == RsfKind::rsa_private &&
                   pair.open.kind == RsfKind::rsa_public &&
                   rsa_size(pair.secret.kind, pair.secret.file.size) ==
                       rsa_size(pair.open.kind, pair.open.file.size);
  return rsa ? sw::ok : sw::conditions_not_satisfied;  // assumed
}

/// A6 06 94 04 and an exponent, which the card ignores: it is 65537 in any case [§10.1 #3].
bool is_exponent_template(ByteView data) {
  return data.size() == 8 && data[0] == 0xA6 && data[1] == 0x06 && data[2] == 0x94 &&
         data[3] == 0x04;
}

// The private value is written last: whoever finds it finds the public one that belongs to it.
void keep(Card& card, const KeyPairFiles& pair, ByteView open, std::span<std::uint8_t> secret) {
  card.files.load(pair.open.file.path, open);
  card.files.load(pair.secret.file.path, secret);
  wipe(secret);
}

Reply generate_rsa(Card& card, const KeyPairFiles& pair, std::optional<std::size_t> wanted) {
  const std::size_t size = rsa_size(pair.secret.kind, pair.secret.file.size);
  if (!wanted || *wanted < size) return sw::wrong_length;
  auto key = RsaKey::generate(card.random, static_cast<unsigned>(size * 8));
  if (!key) return sw::execution_error;
  card.spend(scaled(timing::rsa_2048_generation, size));
  Bytes secret = rsa_private_value(*key);
  keep(card, pair, rsa_public_value(*key), secret);
  return reversed(key->modulus());
}

Reply generate_gost(Card& card, const KeyPairFiles& pair, std::optional<std::size_t> wanted) {
  if (!wanted || *wanted < gost_signature_size) return sw::wrong_length;
  GostKey key = gost_generate(card.random);
  card.spend(timing::gost_generation);
  Bytes open = gost_public_value(key);
  Bytes secret = gost_private_value(key);
  wipe(key.d);
  keep(card, pair, open, secret);
  return open;
}

// ---- use

Reply use_rsa(Card& card, const File& file, ByteView input) {
  auto key = rsa_key_of(card.files.body(file.path));
  if (!key) return sw::memory_failure;
  card.spend(scaled(timing::rsa_2048_private, key->size()));
  auto result = key->private_operation(reversed(input), card.random);
  if (!result) return sw::wrong_data;  // not below the modulus; assumed
  return reversed(*result);
}

Reply sign_gost(Card& card, const File& file, ByteView digest) {
  Bytes d = reversed(card.files.body(file.path));
  auto signature = gost_sign(d, digest, card.random);
  wipe(d);
  if (!signature) return sw::memory_failure;
  card.spend(timing::gost_private);
  // r, then s, each little-endian [§10.1 #2].
  Bytes answer = reversed(signature->r);
  append(answer, reversed(signature->s));
  return answer;
}

std::optional<std::uint8_t>* environment_of(Card& card, std::uint8_t which) {
  switch (static_cast<ControlTemplate>(which)) {
    case ControlTemplate::digital_signature:
      return &card.signature_key;
    case ControlTemplate::confidentiality:
      return &card.decryption_key;
    default:
      return nullptr;
  }
}

enum class Operation : std::uint16_t { compute_digital_signature = 0x9E9A, decipher = 0x8086 };

}  // namespace

Reply load_key(Card& card, ByteView value) {
  if (!card.current_ef) return sw::no_current_ef;
  const KeyFile key = key_file(card, *card.current_ef, Access::update);
  if (!key.status.ok()) return key.status;
  if (value.size() != key.file.size || !check_value(key.kind, value)) return sw::wrong_data;
  card.files.load(key.file.path, value);
  return sw::ok;
}

Reply generate_key_pair(Card& card, const Command& command) {
  constexpr std::uint8_t into_files = 0x80;
  if (command.p1 != into_files || command.p2 == 0) return sw::wrong_p1_p2;
  const KeyPairFiles pair{key_file(card, private_keys().child(command.p2), Access::update),
                          key_file(card, public_keys().child(command.p2), Access::update)};
  const auto status = matching(pair);
  if (!status.ok()) return status;
  const bool rsa = pair.secret.kind == RsfKind::rsa_private;
  if (!command.data.empty() && !(rsa && is_exponent_template(command.data))) return sw::wrong_data;
  return rsa ? generate_rsa(card, pair, card.wanted(command))
             : generate_gost(card, pair, card.wanted(command));
}

Reply manage_security_environment(Card& card, const Command& command) {
  constexpr std::uint8_t set_for_computation = 0x41;
  auto* environment = environment_of(card, command.p2);
  if (command.p1 != set_for_computation || environment == nullptr) return sw::wrong_p1_p2;
  // Tag 84 and nothing beside it; tag 81 is refused by newer firmware [§10.1 #25].
  const ByteView data = command.data;
  if (data.size() != 3 || data[0] != apdu::tag::key_reference_private || data[1] != 1) {
    return sw::wrong_data;
  }
  if (!card.files.find(private_keys().child(data[2]))) return sw::reference_not_found;
  *environment = data[2];
  return sw::ok;
}

// The security environment outlives SELECT, and the key file need not be selected: OpenSC passes
// with any reading [§10.1 #26], and so it is assumed.
Reply perform_security_operation(Card& card, const Command& command) {
  const auto operation = static_cast<Operation>(command.p1_p2());
  const bool sign = operation == Operation::compute_digital_signature;
  if (!sign && operation != Operation::decipher) return sw::wrong_p1_p2;
  const auto& reference = sign ? card.signature_key : card.decryption_key;
  if (!reference) return sw::conditions_not_satisfied;
  const KeyFile key = key_file(card, private_keys().child(*reference), Access::use);
  if (!key.status.ok()) return key.status;
  if (!key.file.loaded) return sw::conditions_not_satisfied;  // assumed

  const bool rsa = key.kind == RsfKind::rsa_private;
  if (!rsa && !sign) return sw::conditions_not_satisfied;  // assumed: GOST keys do not decipher
  const std::size_t input_size = rsa ? rsa_size(key.kind, key.file.size) : gost_digest_size;
  const std::size_t output_size = rsa ? input_size : gost_signature_size;
  const Bytes input = card.chain.joined();
  const auto wanted = card.wanted(command);
  // assumed: no padding to the block's length by the card, and an answer that does not fit is
  // refused before the key is used.
  if (input.size() != input_size || !wanted || *wanted < output_size) return sw::wrong_length;
  return rsa ? use_rsa(card, key.file, input) : sign_gost(card, key.file, input);
}

}  // namespace kilt::sim::kaztoken
