// SPDX-License-Identifier: Apache-2.0
#include "cli/signing.hpp"

#include <fmt/format.h>
#include <mbedtls/pk.h>
#include <sys/random.h>

#include <algorithm>
#include <memory>
#include <utility>

#include "cli/md_type.hpp"
#include "drivers/certificate.hpp"

namespace kilt::cli {
namespace {

struct FreePk {
  void operator()(mbedtls_pk_context* context) const {
    mbedtls_pk_free(context);
    delete context;
  }
};

Result<Bytes> pss_block(const card::KeyInfo& key, const Mechanism& mechanism, ByteView digest) {
  Bytes salt(digest.size());
  if (getrandom(salt.data(), salt.size(), 0) != static_cast<ssize_t>(salt.size())) {
    return Error{ErrorKind::internal, "the system gives no random numbers"};
  }
  return card::pss_encode(digest, mechanism.digest, mechanism.digest, salt, key.bits);
}

/// PSS is encoded here; what the card adds is the bare power.
card::Scheme scheme_of(const Mechanism& mechanism) {
  return mechanism.pss ? card::Scheme::rsa_raw : card::Scheme::rsa_pkcs1;
}

}  // namespace

const std::vector<Mechanism>& mechanisms() {
  static const std::vector<Mechanism> all{
      {"pkcs1-sha256", card::Digest::sha256, false}, {"pkcs1-sha384", card::Digest::sha384, false},
      {"pkcs1-sha512", card::Digest::sha512, false}, {"pkcs1-sha1", card::Digest::sha1, false},
      {"pss-sha256", card::Digest::sha256, true},    {"pss-sha384", card::Digest::sha384, true},
      {"pss-sha512", card::Digest::sha512, true},
  };
  return all;
}

Result<Mechanism> find_mechanism(const std::string& name) {
  const std::string wanted = name == "pss" ? "pss-sha256" : name;
  std::string names;
  for (const Mechanism& mechanism : mechanisms()) {
    if (mechanism.name == wanted) return mechanism;
    names += (names.empty() ? "" : ", ") + mechanism.name;
  }
  return Error{ErrorKind::bad_argument,
               fmt::format("\"{}\" is no mechanism; there are {}", name, names)};
}

Status check_mechanism(const card::CardModel& model, const card::KeyInfo& key,
                       const Mechanism& mechanism) {
  if (key.type != card::KeyType::rsa) {
    return Error{ErrorKind::unsupported, "the mechanism is for RSA keys and the key is none"};
  }
  const auto scheme = scheme_of(mechanism);
  for (const card::Capability& can : model.capabilities) {
    if (can.type != key.type) continue;
    if (std::find(can.sign.begin(), can.sign.end(), scheme) != can.sign.end()) return {};
  }
  return Error{ErrorKind::unsupported, fmt::format("this kind of token ({}) does not sign with {}",
                                                   model.name, mechanism.name)};
}

Result<Bytes> sign_digest(card::Card& card, const card::KeyInfo& key, const Mechanism& mechanism,
                          ByteView digest) {
  if (auto can = check_mechanism(card.model(), key, mechanism); !can) return can.take_error();
  const auto scheme = scheme_of(mechanism);
  if (!mechanism.pss) return card.sign(key, scheme, card::digest_info(mechanism.digest, digest));
  auto block = pss_block(key, mechanism, digest);
  if (!block) return block;
  return card.sign(key, scheme, *block);
}

Result<Bytes> sign_and_verify(card::Card& card, const card::KeyInfo& key,
                              const Mechanism& mechanism, ByteView digest) {
  auto signature = sign_digest(card, key, mechanism, digest);
  if (!signature) return signature;
  auto value = key.value ? Result<card::PublicKey>(*key.value) : card.read_public_key(key.ref);
  if (!value) {
    const auto kind = value.error().kind;
    if (kind == ErrorKind::not_found || kind == ErrorKind::unsupported) return signature;
    return value.take_error().within("reading the key's public half to verify the signature");
  }
  const auto right = verify_digest(*value, mechanism, digest, *signature);
  if (right) return signature;
  if (right.error().kind != ErrorKind::verify_failed) return right.error();
  return Error{ErrorKind::verify_failed,
               "the token's signature does not fit its key's public half, so it was not written"};
}

Report signing_failed(Error error) {
  const bool is_wrong = error.kind == ErrorKind::verify_failed;
  Report report(std::move(error));
  if (is_wrong) {
    report.hint =
        "Repeat the command; if it ends so again, record it with `kilt trace record FILE` and "
        "report it.";
  }
  return report;
}

Status verify_digest(const card::PublicKey& key, const Mechanism& mechanism, ByteView digest,
                     ByteView signature) {
  if (key.type != card::KeyType::rsa) {
    return Error{ErrorKind::unsupported, "the mechanism is for RSA keys and the key is none"};
  }
  const std::unique_ptr<mbedtls_pk_context, FreePk> pk(new mbedtls_pk_context);
  mbedtls_pk_init(pk.get());
  const Bytes spki = card::subject_public_key_info(key);
  if (mbedtls_pk_parse_public_key(pk.get(), spki.data(), spki.size()) != 0) {
    return Error{ErrorKind::bad_data, "the public key cannot be used"};
  }
  const mbedtls_md_type_t md = md_type(mechanism.digest);
  mbedtls_pk_rsassa_pss_options pss{};
  pss.mgf1_hash_id = md;
  pss.expected_salt_len = MBEDTLS_RSA_SALT_LEN_ANY;
  const int answer = mechanism.pss ? mbedtls_pk_verify_ext(MBEDTLS_PK_RSASSA_PSS, &pss, pk.get(),
                                                           md, digest.data(), digest.size(),
                                                           signature.data(), signature.size())
                                   : mbedtls_pk_verify(pk.get(), md, digest.data(), digest.size(),
                                                       signature.data(), signature.size());
  if (answer == 0) return {};
  return Error{
      ErrorKind::verify_failed,
      fmt::format("the signature does not fit the document and the key ({})", mechanism.name)};
}

}  // namespace kilt::cli
