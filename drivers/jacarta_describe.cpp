// SPDX-License-Identifier: Apache-2.0
#include "drivers/jacarta_describe.hpp"

#include <algorithm>

#include "drivers/rsa_check.hpp"

namespace kilt::card::jacarta {
namespace {

constexpr std::uint32_t unavailable = 0xFFFFFFFF;  ///< CK_UNAVAILABLE_INFORMATION
constexpr std::uint32_t class_data = 0, class_certificate = 1, class_public_key = 2,
                        class_private_key = 3, key_type_rsa = 0;
constexpr std::size_t digest_size = 20;

Bytes text(const std::string& value) {
  return copy_of(as_bytes(value));
}

}  // namespace

/// In the vendor's order and with its flags [facts jacarta A11, A16 #32, #33].
std::vector<Attribute> private_attributes(const NewPair& pair) {
  const auto& usage = pair.usage;
  // Where there is none, the vendor's placeholder.
  const Bytes subject =
      pair.subject.empty() ? from_hex("300A4A414341525441504B49").value() : pair.subject;
  return {ulong(Type::object_class, class_private_key),
          truth(Type::token, true),
          truth(Type::is_private, true),
          {Type::label, flag::modifiable, text(pair.private_label)},
          ulong(Type::key_type, key_type_rsa),
          {Type::subject, flag::modifiable, subject},
          {Type::id, flag::modifiable, pair.id},
          truth(Type::sensitive, true, flag::to_true),
          truth(Type::decrypt, usage.decrypt),
          truth(Type::unwrap, usage.unwrap),
          truth(Type::sign, usage.sign || usage.non_repudiation),
          truth(Type::sign_recover, usage.sign_recover),
          truth(Type::derive, usage.derive, flag::modifiable),
          {Type::start_date, flag::modifiable, {}},
          {Type::end_date, flag::modifiable, {}},
          truth(Type::extractable, false, flag::to_false),
          truth(Type::local, pair.local),
          truth(Type::never_extractable, false),
          truth(Type::always_sensitive, false),
          ulong(Type::key_gen_mechanism, unavailable),
          truth(Type::modifiable, false),
          truth(Type::vendor_public, false)};
}

std::vector<Attribute> public_attributes(const NewPair& pair) {
  constexpr std::size_t date_size = 8;
  const auto& usage = pair.usage;
  return {ulong(Type::object_class, class_public_key),
          truth(Type::token, true),
          truth(Type::is_private, false),
          {Type::label, flag::modifiable, text(pair.public_label)},
          truth(Type::trusted, false, flag::officer_to_true),
          ulong(Type::key_type, key_type_rsa),
          {Type::subject, flag::modifiable, {}},
          {Type::id, flag::modifiable, pair.id},
          truth(Type::encrypt, usage.decrypt),
          truth(Type::wrap, usage.unwrap),
          truth(Type::verify, usage.sign || usage.non_repudiation),
          truth(Type::verify_recover, usage.sign_recover),
          truth(Type::derive, usage.derive, flag::modifiable),
          {Type::start_date, flag::modifiable, Bytes(date_size)},
          {Type::end_date, flag::modifiable, Bytes(date_size)},
          {Type::modulus, flag::none, pair.value.modulus},
          ulong(Type::modulus_bits, static_cast<std::uint32_t>(pair.value.bits())),
          {Type::public_exponent, flag::none, pair.value.exponent},
          truth(Type::local, false),
          truth(Type::modifiable, true),
          truth(Type::vendor_public, true)};
}

/// In the vendor's order and with its flags [facts jacarta A11, A16 #32].
std::vector<Attribute> certificate_attributes(const Certificate& certificate,
                                              const std::string& label, const Bytes& id) {
  return {{Type::digest, flag::modifiable, Bytes(digest_size)},
          ulong(Type::object_class, class_certificate),
          truth(Type::token, true),
          truth(Type::is_private, false),
          {Type::label, flag::modifiable, copy_of(as_bytes(label))},
          {Type::value, flag::none, certificate.der},
          ulong(Type::certificate_type, 0),
          {Type::issuer, flag::modifiable, certificate.issuer},
          {Type::serial_number, flag::modifiable, certificate.serial},
          truth(Type::trusted, false, flag::to_false),
          {Type::subject, flag::none, certificate.subject},
          {Type::id, flag::modifiable, id},
          truth(Type::modifiable, true),
          truth(Type::vendor_public, true)};
}

std::vector<Attribute> data_attributes(const DataRequest& request, ByteView value) {
  constexpr std::size_t no_object_id = 64;
  return {{Type::digest, flag::modifiable, Bytes(digest_size)},
          ulong(Type::object_class, class_data),
          truth(Type::token, true),
          truth(Type::is_private, request.is_private),
          {Type::label, flag::modifiable, copy_of(as_bytes(request.label))},
          {Type::application, flag::modifiable, copy_of(as_bytes(request.application))},
          {Type::value, flag::modifiable, copy_of(value)},
          {Type::object_id, flag::modifiable,
           request.object_id.empty() ? Bytes(no_object_id, 0xFF) : request.object_id},
          truth(Type::modifiable, true),
          truth(Type::vendor_public, false)};
}

// ---- importing -------------------------------------------------------------------------------

namespace {

/// Quirk: the vendor's software sends parts as they are, so that one key in 85 is refused; each has
/// its full length here [facts jacarta A16 #7].
void append_padded(SecretBytes& to, ByteView number, std::size_t size) {
  while (!number.empty() && number.front() == 0)
    number = number.subspan(1);
  for (std::size_t i = number.size(); i < size; ++i)
    to.append({0x00});
  to.append(number);
}

void append_head(SecretBytes& to, std::uint8_t tag, std::size_t length) {
  to.append({tag});
  if (length > 0xFF) {
    to.append({0x82, static_cast<std::uint8_t>(length >> 8)});
  } else if (length > 0x7F) {
    to.append({0x81});
  }
  to.append({static_cast<std::uint8_t>(length)});
}

std::size_t significant(ByteView number) {
  return static_cast<std::size_t>(
      number.end() - std::find_if(number.begin(), number.end(), [](auto b) { return b != 0; }));
}

}  // namespace

Result<SecretBytes> import_value(const RsaPrivateKey& key) {
  constexpr std::size_t head_max = 4;
  const std::size_t size = key.modulus.size(), half = size / 2;
  for (const auto* part :
       {&key.prime1, &key.prime2, &key.exponent1, &key.exponent2, &key.coefficient}) {
    if (significant(part->view()) > half) {
      return Error{ErrorKind::unsupported,
                   "the card takes keys whose primes are half as long as the modulus"};
    }
  }
  const auto exponent = private_exponent(key);
  if (!exponent) return exponent.error();
  const std::size_t e_size = significant(key.public_exponent);
  SecretBytes inside(5 * head_max + e_size + 2 * size + 5 * half);
  append_head(inside, 0x90, e_size);
  append_padded(inside, key.public_exponent, e_size);
  append_head(inside, 0x91, size);
  inside.append(key.modulus);
  append_head(inside, 0x92, size);
  inside.append(exponent->view());
  append_head(inside, 0x93, 2 * half);
  append_padded(inside, key.prime1.view(), half);
  append_padded(inside, key.prime2.view(), half);
  append_head(inside, 0x94, 3 * half);
  append_padded(inside, key.exponent1.view(), half);
  append_padded(inside, key.exponent2.view(), half);
  append_padded(inside, key.coefficient.view(), half);
  SecretBytes whole(inside.size() + head_max);
  append_head(whole, 0x62, inside.size());
  whole.append(inside.view());
  return whole;
}

}  // namespace kilt::card::jacarta
