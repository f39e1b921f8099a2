// SPDX-License-Identifier: Apache-2.0
#include "drivers/kaztoken_keys.hpp"

#include <algorithm>

namespace kilt::card::kaztoken {
namespace {

constexpr std::size_t most_files = 256;

/// What an internal file's control information says it holds [facts kaztoken §3.4].
std::optional<RawKey> raw_key(const FileControl& control) {
  if (control.properties.size() < 2 || control.id == 0 || control.id > 0xFF) return std::nullopt;
  RawKey key;
  key.reference = static_cast<std::uint8_t>(control.id);
  if (control.properties[0] == properties::rsa_private[0]) {
    if (control.size < 8) return std::nullopt;
    key.bits = (control.size - 8) / 5 * 16;
  } else if (control.properties[0] == 0x03) {
    key.type = KeyType::gost_256;
    key.bits = 256;
  } else {
    return std::nullopt;
  }
  return key;
}

/// A big-endian number as little-endian bytes of fixed length.
void append_little(SecretBytes& to, ByteView big, std::size_t length) {
  while (!big.empty() && big.front() == 0)
    big = big.subspan(1);
  for (std::size_t i = 0; i < length; ++i) {
    const std::uint8_t byte = i < big.size() ? big[big.size() - 1 - i] : 0;
    to.append({byte});
  }
}

}  // namespace

Result<std::vector<RawKey>> Keys::scan() {
  std::vector<RawKey> found;
  if (auto status = files_.enter(file::private_keys); !status) {
    if (status.error().kind == ErrorKind::not_found) return found;
    return status.take_error();
  }
  auto answer = link_.send(command::first_child());
  files_.forget();
  for (std::size_t seen = 0; seen < most_files; ++seen) {
    if (!answer) return answer.take_error().within("listing keys");
    if (answer->status == apdu::sw::file_not_found) return found;
    if (!answer->ok()) return status_error(answer->status, "listing keys");
    auto control = parse_file_control(answer->data);
    if (!control) return control.take_error().within("listing keys");
    if (control->is_df()) return found;  // keys are not directories; going on would lose the place
    const auto key = raw_key(*control);
    if (key && std::none_of(found.begin(), found.end(),
                            [&](const RawKey& k) { return k.reference == key->reference; })) {
      found.push_back(*key);
    }
    answer = link_.send(command::next_sibling(control->id));
  }
  return Error{ErrorKind::protocol, "listing keys: the card's list does not end"};
}

Result<std::uint8_t> Keys::create_pair(std::size_t bits, const std::vector<std::uint32_t>& used) {
  for (unsigned candidate = 1; candidate <= 0xFF; ++candidate) {
    if (std::find(used.begin(), used.end(), candidate) != used.end()) continue;
    const auto reference = static_cast<std::uint8_t>(candidate);
    // An internal file is put into its own directory by its kind, but the right to make one is that
    // of the DF that is current [facts kaztoken §10.1 #13].
    if (auto status = files_.enter(file::application); !status) return status.take_error();
    auto made = files_.create(internal_file(reference, rsa_private_size(bits),
                                            properties::rsa_private, rights::private_key()),
                              "create a private key");
    if (!made && made.error().kind == ErrorKind::exists) continue;  // somebody else's: left alone
    if (!made) return made.take_error();
    made = files_.create(internal_file(reference, rsa_public_size(bits), properties::rsa_public,
                                       rights::public_key()),
                         "create a public key");
    files_.forget();
    if (made) return reference;
    (void)files_.remove(private_key_file(reference));
    if (made.error().kind != ErrorKind::exists) return made.take_error();
  }
  return Error{ErrorKind::no_space, "the card has no free key number left"};
}

Status Keys::remove_pair(std::uint8_t reference) {
  environment_.reset();
  for (const auto& path : {public_key_file(reference), private_key_file(reference)}) {
    auto status = files_.remove(path);
    if (!status && status.error().kind != ErrorKind::not_found)
      return status.take_error().within("deleting a key");
  }
  return {};
}

Result<Bytes> Keys::generate(std::uint8_t reference, std::size_t bits) {
  const auto answer = link_.send(command::generate_rsa(reference));
  if (auto status = check(answer, "generating a key pair"); !status) return status.take_error();
  Bytes modulus = reversed(answer->data);
  if (modulus.size() != bits / 8 || (modulus.front() & 0x80) == 0 || (modulus.back() & 1) == 0) {
    return Error{ErrorKind::protocol,
                 "the card generated a modulus that is none of the size asked for"};
  }
  return modulus;
}

Status Keys::load(std::uint8_t reference, const RsaPrivateKey& key) {
  const std::size_t half = key.modulus.size() / 2;
  SecretBytes value(5 * half + 8);
  append_little(value, key.prime1.view(), half + 4);
  append_little(value, key.prime2.view(), half + 4);
  append_little(value, key.coefficient.view(), half);
  append_little(value, key.exponent1.view(), half);
  append_little(value, key.exponent2.view(), half);
  if (auto selected = files_.select(private_key_file(reference)); !selected)
    return selected.take_error();
  if (auto status = load_long_value(link_, value); !status) return status;
  SecretBytes open(3 * half);
  append_little(open, key.modulus, 2 * half);
  append_little(open, key.public_exponent, half);
  if (auto selected = files_.select(public_key_file(reference)); !selected)
    return selected.take_error();
  return load_long_value(link_, open);
}

bool Keys::is_prepared(std::uint8_t reference, Purpose purpose) const {
  return environment_ == Environment{reference, purpose} &&
         files_.was_selected(private_key_file(reference));
}

bool Keys::relies_on_past(std::uint8_t reference, Purpose purpose) const {
  return is_prepared(reference, purpose) && files_.is_stale();
}

Status Keys::prepare(std::uint8_t reference, Purpose purpose) {
  environment_.reset();
  if (auto selected = files_.select(private_key_file(reference)); !selected) {
    return selected.take_error().within("choosing the key");
  }
  if (auto status =
          check(link_.send(command::set_environment(purpose, reference)), "choosing the key");
      !status) {
    return status;
  }
  environment_ = Environment{reference, purpose};
  return {};
}

Result<Bytes> Keys::compute(std::uint8_t reference, Purpose purpose, ByteView block) {
  const char* what = purpose == Purpose::sign ? "signing" : "decrypting";
  const Bytes little = reversed(block);
  for (bool repeated = is_prepared(reference, purpose) ? false : true;; repeated = true) {
    if (repeated) {
      if (auto status = prepare(reference, purpose); !status)
        return status.take_error().within(what);
    }
    const auto answer = link_.send(command::compute(purpose, little));
    if (!answer) return answer.error().within(what);
    if (answer->ok()) {
      if (answer->data.size() != block.size()) {
        return Error{ErrorKind::protocol,
                     std::string(what) + ": the card's answer has not the key's length"};
      }
      return reversed(answer->data);
    }
    environment_.reset();
    const bool lost_environment = answer->status == apdu::sw::conditions_not_satisfied ||
                                  answer->status == apdu::sw::reference_not_found ||
                                  answer->status == apdu::sw::no_current_ef ||
                                  answer->status == apdu::sw::file_not_found;
    if (!lost_environment || repeated) return status_error(answer->status, what);
  }
}

}  // namespace kilt::card::kaztoken
