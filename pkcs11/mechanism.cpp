// SPDX-License-Identifier: Apache-2.0
#include "pkcs11/mechanism.hpp"

#include <sys/random.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

#include "drivers/rsa_padding.hpp"

namespace kilt::p11 {
namespace {

using card::KeyType;
using card::Scheme;

constexpr CK_FLAGS signing = CKF_SIGN | CKF_VERIFY;
constexpr CK_FLAGS recovering = CKF_SIGN_RECOVER | CKF_VERIFY_RECOVER;
constexpr CK_FLAGS ciphering = CKF_ENCRYPT | CKF_DECRYPT;

constexpr Mechanism digest_row(CK_MECHANISM_TYPE type, const char* name, DigestKind kind) {
  return {.type = type, .name = name, .uses = CKF_DIGEST, .digest = kind};
}

constexpr Mechanism rsa(CK_MECHANISM_TYPE type, const char* name, CK_FLAGS uses, Encoding encoding,
                        Scheme scheme, std::optional<DigestKind> digest = std::nullopt) {
  return {type, name, KeyType::rsa, uses, encoding, scheme, digest};
}

constexpr Mechanism rsa_hashed(CK_MECHANISM_TYPE type, const char* name, DigestKind kind) {
  return rsa(type, name, signing, Encoding::pkcs1_info, Scheme::rsa_pkcs1, kind);
}

constexpr Mechanism rsa_pss(CK_MECHANISM_TYPE type, const char* name, DigestKind kind) {
  return rsa(type, name, signing, Encoding::pss, Scheme::rsa_raw, kind);
}

// [P11 3.1 §6.1 table 39, §6.22]. Rows of one key type stand together.
constexpr std::array table{
    rsa(CKM_RSA_PKCS_KEY_PAIR_GEN, "CKM_RSA_PKCS_KEY_PAIR_GEN", CKF_GENERATE_KEY_PAIR,
        Encoding::none, Scheme::rsa_raw),
    rsa(CKM_RSA_PKCS, "CKM_RSA_PKCS", signing | recovering | ciphering, Encoding::pkcs1,
        Scheme::rsa_pkcs1),
    rsa(CKM_RSA_X_509, "CKM_RSA_X_509", signing | recovering | ciphering, Encoding::raw,
        Scheme::rsa_raw),
    rsa_hashed(CKM_SHA1_RSA_PKCS, "CKM_SHA1_RSA_PKCS", DigestKind::sha1),
    rsa_hashed(CKM_SHA224_RSA_PKCS, "CKM_SHA224_RSA_PKCS", DigestKind::sha224),
    rsa_hashed(CKM_SHA256_RSA_PKCS, "CKM_SHA256_RSA_PKCS", DigestKind::sha256),
    rsa_hashed(CKM_SHA384_RSA_PKCS, "CKM_SHA384_RSA_PKCS", DigestKind::sha384),
    rsa_hashed(CKM_SHA512_RSA_PKCS, "CKM_SHA512_RSA_PKCS", DigestKind::sha512),
    rsa(CKM_RSA_PKCS_PSS, "CKM_RSA_PKCS_PSS", signing, Encoding::pss, Scheme::rsa_raw),
    rsa_pss(CKM_SHA1_RSA_PKCS_PSS, "CKM_SHA1_RSA_PKCS_PSS", DigestKind::sha1),
    rsa_pss(CKM_SHA224_RSA_PKCS_PSS, "CKM_SHA224_RSA_PKCS_PSS", DigestKind::sha224),
    rsa_pss(CKM_SHA256_RSA_PKCS_PSS, "CKM_SHA256_RSA_PKCS_PSS", DigestKind::sha256),
    rsa_pss(CKM_SHA384_RSA_PKCS_PSS, "CKM_SHA384_RSA_PKCS_PSS", DigestKind::sha384),
    rsa_pss(CKM_SHA512_RSA_PKCS_PSS, "CKM_SHA512_RSA_PKCS_PSS", DigestKind::sha512),
    rsa(CKM_RSA_PKCS_OAEP, "CKM_RSA_PKCS_OAEP", ciphering, Encoding::oaep, Scheme::rsa_raw),

    digest_row(CKM_SHA_1, "CKM_SHA_1", DigestKind::sha1),
    digest_row(CKM_SHA224, "CKM_SHA224", DigestKind::sha224),
    digest_row(CKM_SHA256, "CKM_SHA256", DigestKind::sha256),
    digest_row(CKM_SHA384, "CKM_SHA384", DigestKind::sha384),
    digest_row(CKM_SHA512, "CKM_SHA512", DigestKind::sha512),
};

bool contains(const std::vector<Scheme>& schemes, Scheme scheme) {
  return std::find(schemes.begin(), schemes.end(), scheme) != schemes.end();
}

/// What of a mechanism's uses one capability of the card carries.
CK_FLAGS offered_uses(const Mechanism& mechanism, const card::Capability& capability) {
  if (capability.type != mechanism.key) return 0;
  CK_FLAGS offered = 0;
  if (capability.generate) offered |= CKF_GENERATE_KEY_PAIR;
  if (contains(capability.sign, mechanism.scheme)) offered |= signing | recovering;
  if (contains(capability.decrypt, mechanism.scheme)) offered |= ciphering;
  return offered & mechanism.uses;
}

bool has_no_parameter(const CK_MECHANISM& mechanism) {
  return mechanism.ulParameterLen == 0;
}

/// A parameter structure copied out of the caller's memory, which need not be aligned.
template <class Parameters>
std::optional<Parameters> parameters(const CK_MECHANISM& mechanism) {
  if (mechanism.pParameter == nullptr || mechanism.ulParameterLen != sizeof(Parameters)) {
    return std::nullopt;
  }
  Parameters out;
  std::memcpy(&out, mechanism.pParameter, sizeof out);
  return out;
}

std::optional<DigestKind> mgf_digest(CK_RSA_PKCS_MGF_TYPE mgf) {
  switch (mgf) {
    case CKG_MGF1_SHA1:
      return DigestKind::sha1;
    case CKG_MGF1_SHA224:
      return DigestKind::sha224;
    case CKG_MGF1_SHA256:
      return DigestKind::sha256;
    case CKG_MGF1_SHA384:
      return DigestKind::sha384;
    case CKG_MGF1_SHA512:
      return DigestKind::sha512;
    default:
      return std::nullopt;
  }
}

/// hashAlg must be that of the mechanism where it hashes itself; the mask may use another one
/// [P11 3.1 §6.1.9]. The salt has to fit [RFC 8017 §9.1.1 step 3].
CK_RV take_pss(const CK_MECHANISM& mechanism, Preparation& out) {
  const auto given = parameters<CK_RSA_PKCS_PSS_PARAMS>(mechanism);
  if (!given) return CKR_MECHANISM_PARAM_INVALID;
  const auto hash = digest_kind(given->hashAlg);
  const auto mgf = mgf_digest(given->mgf);
  if (!hash || !mgf) return CKR_MECHANISM_PARAM_INVALID;
  if (out.mechanism->digest && out.mechanism->digest != hash) return CKR_MECHANISM_PARAM_INVALID;
  const std::size_t encoded = (out.bits + 6) / 8;  // of bits - 1
  if (encoded < digest_size(*hash) + 2) return CKR_KEY_SIZE_RANGE;
  if (given->sLen > encoded - digest_size(*hash) - 2) return CKR_MECHANISM_PARAM_INVALID;
  out.hash = *hash;
  out.mgf_hash = *mgf;
  out.salt_length = given->sLen;
  return CKR_OK;
}

/// An empty label is given by a null pointer and length 0 [P11 3.1 §6.1.7]. Quirk: OpenSC's
/// pkcs11-tool leaves `source` zero when it gives no label; then there is nothing to misread.
CK_RV take_oaep(const CK_MECHANISM& mechanism, Preparation& out) {
  const auto given = parameters<CK_RSA_PKCS_OAEP_PARAMS>(mechanism);
  if (!given) return CKR_MECHANISM_PARAM_INVALID;
  const auto hash = digest_kind(given->hashAlg);
  const auto mgf = mgf_digest(given->mgf);
  const bool no_label = given->pSourceData == nullptr && given->ulSourceDataLen == 0;
  const bool source_known = given->source == CKZ_DATA_SPECIFIED || (given->source == 0 && no_label);
  if (!hash || !mgf || !source_known) return CKR_MECHANISM_PARAM_INVALID;
  if (given->pSourceData == nullptr && given->ulSourceDataLen != 0) {
    return CKR_MECHANISM_PARAM_INVALID;
  }
  if (out.size() < 2 * digest_size(*hash) + 2) return CKR_KEY_SIZE_RANGE;
  out.hash = *hash;
  out.mgf_hash = *mgf;
  if (given->ulSourceDataLen != 0) {
    out.label =
        copy_of({static_cast<const std::uint8_t*>(given->pSourceData), given->ulSourceDataLen});
  }
  return CKR_OK;
}

CK_RV take_parameters(const CK_MECHANISM& mechanism, Preparation& out) {
  if (out.mechanism->encoding == Encoding::pss) return take_pss(mechanism, out);
  if (out.mechanism->encoding == Encoding::oaep) return take_oaep(mechanism, out);
  return has_no_parameter(mechanism) ? CKR_OK : CKR_MECHANISM_PARAM_INVALID;
}

/// A block of the modulus' length with the data at its end [P11 3.1 §6.1.11].
Bytes left_padded(ByteView data, std::size_t size) {
  Bytes block(size - data.size(), 0x00);
  append(block, data);
  return block;
}

CK_RV prepare_pss(const Preparation& preparation, ByteView digest, CardInput& out) {
  Bytes salt(preparation.salt_length);
  if (!fill_random(salt)) return CKR_FUNCTION_FAILED;
  auto block = card::pss_encode(digest, rsa_digest(preparation.hash),
                                rsa_digest(preparation.mgf_hash), salt, preparation.bits);
  if (!block) return CKR_DATA_LEN_RANGE;
  out = {Scheme::rsa_raw, std::move(*block)};
  return CKR_OK;
}

}  // namespace

std::span<const Mechanism> all_mechanisms() {
  return table;
}

const Mechanism* find_mechanism(CK_MECHANISM_TYPE type) {
  for (const Mechanism& each : table) {
    if (each.type == type) return &each;
  }
  return nullptr;
}

std::optional<CK_MECHANISM_INFO> info(const card::CardModel& model, CK_MECHANISM_TYPE type) {
  const Mechanism* mechanism = find_mechanism(type);
  if (mechanism == nullptr) return std::nullopt;
  if (!mechanism->key) return CK_MECHANISM_INFO{0, 0, mechanism->uses};
  CK_MECHANISM_INFO out{0, 0, 0};
  for (const card::Capability& capability : model.capabilities) {
    const CK_FLAGS uses = offered_uses(*mechanism, capability);
    if (uses == 0) continue;
    const bool first = out.flags == 0;
    out.ulMinKeySize =
        first ? capability.min_bits : std::min<CK_ULONG>(out.ulMinKeySize, capability.min_bits);
    out.ulMaxKeySize = std::max<CK_ULONG>(out.ulMaxKeySize, capability.max_bits);
    out.flags |= uses | CKF_HW;
  }
  if (out.flags == 0) return std::nullopt;
  return out;
}

std::vector<CK_MECHANISM_TYPE> mechanisms_of(const card::CardModel& model) {
  std::vector<CK_MECHANISM_TYPE> out;
  for (const Mechanism& each : table) {
    if (info(model, each.type)) out.push_back(each.type);
  }
  return out;
}

std::size_t Preparation::max_input(CK_FLAGS use) const {
  const std::size_t k = size();
  if (use == CKF_DECRYPT || use == CKF_VERIFY_RECOVER) return k;
  switch (mechanism->encoding) {
    case Encoding::pkcs1:
      return k - std::min<std::size_t>(k, 11);
    case Encoding::pss:
      return digest_size(hash);
    case Encoding::oaep:
      return k - std::min(k, 2 * digest_size(hash) + 2);
    default:
      return k;
  }
}

CK_RV check_mechanism(const card::CardModel& model, const CK_MECHANISM* mechanism, CK_FLAGS use,
                      const KeyFacts& key, Preparation& out) {
  if (mechanism == nullptr) return CKR_ARGUMENTS_BAD;
  const auto offered = info(model, mechanism->mechanism);
  if (!offered || (offered->flags & use) == 0) return CKR_MECHANISM_INVALID;
  Preparation made;
  made.mechanism = find_mechanism(mechanism->mechanism);
  if (made.mechanism->key != key.type) return CKR_KEY_TYPE_INCONSISTENT;
  if (key.bits < offered->ulMinKeySize || key.bits > offered->ulMaxKeySize) {
    return CKR_KEY_SIZE_RANGE;
  }
  made.bits = key.bits;
  if (const CK_RV rv = take_parameters(*mechanism, made); rv != CKR_OK) return rv;
  out = std::move(made);
  return CKR_OK;
}

CK_RV check_digest(const CK_MECHANISM* mechanism, DigestKind& out) {
  if (mechanism == nullptr) return CKR_ARGUMENTS_BAD;
  const auto kind = digest_kind(mechanism->mechanism);
  if (!kind) return CKR_MECHANISM_INVALID;
  if (!has_no_parameter(*mechanism)) return CKR_MECHANISM_PARAM_INVALID;
  out = *kind;
  return CKR_OK;
}

CK_RV check_generation(const card::CardModel& model, const CK_MECHANISM* mechanism, KeyType& out) {
  if (mechanism == nullptr) return CKR_ARGUMENTS_BAD;
  const auto offered = info(model, mechanism->mechanism);
  if (!offered || (offered->flags & CKF_GENERATE_KEY_PAIR) == 0) return CKR_MECHANISM_INVALID;
  if (!has_no_parameter(*mechanism)) return CKR_MECHANISM_PARAM_INVALID;
  out = *find_mechanism(mechanism->mechanism)->key;
  return CKR_OK;
}

CK_RV check_key_size(const card::CardModel& model, KeyType type, std::size_t bits) {
  for (const card::Capability& each : model.capabilities) {
    if (each.type == type && each.has_size(bits)) return CKR_OK;
  }
  return CKR_KEY_SIZE_RANGE;
}

CK_RV prepare_sign(const Preparation& preparation, ByteView message, CardInput& out) {
  if (const auto kind = preparation.digest()) {
    return prepare_sign_digest(preparation, digest_of(*kind, message), out);
  }
  if (preparation.mechanism->encoding == Encoding::pss) {
    if (message.size() != digest_size(preparation.hash)) return CKR_DATA_LEN_RANGE;
    return prepare_pss(preparation, message, out);
  }
  if (message.size() > preparation.max_input(CKF_SIGN)) return CKR_DATA_LEN_RANGE;
  const bool raw = preparation.mechanism->encoding == Encoding::raw;
  out = {preparation.mechanism->scheme,
         raw ? left_padded(message, preparation.size()) : copy_of(message)};
  return CKR_OK;
}

CK_RV prepare_sign_digest(const Preparation& preparation, ByteView digest, CardInput& out) {
  const auto kind = preparation.digest();
  if (!kind || digest.size() != digest_size(*kind)) return CKR_DATA_LEN_RANGE;
  if (preparation.mechanism->encoding == Encoding::pss) {
    return prepare_pss(preparation, digest, out);
  }
  Bytes info = card::digest_info(rsa_digest(*kind), digest);
  if (info.size() + 11 > preparation.size()) return CKR_DATA_LEN_RANGE;
  out = {preparation.mechanism->scheme, std::move(info)};
  return CKR_OK;
}

CK_RV prepare_decrypt(const Preparation& preparation, ByteView cryptogram, CardInput& out) {
  if (cryptogram.size() != preparation.size()) return CKR_ENCRYPTED_DATA_LEN_RANGE;
  out = {preparation.mechanism->scheme, copy_of(cryptogram)};
  return CKR_OK;
}

CK_RV finish_decrypt(const Preparation& preparation, Bytes&& answer, Bytes& plain) {
  Bytes block = std::move(answer);
  const std::size_t k = preparation.size();
  if (preparation.mechanism->scheme == Scheme::rsa_pkcs1) {
    if (block.size() + 11 > k) return CKR_DEVICE_ERROR;
    plain = std::move(block);
    return CKR_OK;
  }
  if (block.size() != k) return CKR_DEVICE_ERROR;
  if (preparation.mechanism->encoding != Encoding::oaep) {
    plain = std::move(block);
    return CKR_OK;
  }
  auto message = card::oaep_decode(block, rsa_digest(preparation.hash),
                                   rsa_digest(preparation.mgf_hash), preparation.label);
  wipe(block);
  if (!message) return CKR_ENCRYPTED_DATA_INVALID;
  plain = std::move(*message);
  return CKR_OK;
}

bool fill_random(std::span<std::uint8_t> out) {
  while (!out.empty()) {
    const ssize_t got = ::getrandom(out.data(), out.size(), 0);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return false;
    out = out.subspan(static_cast<std::size_t>(got));
  }
  return true;
}

}  // namespace kilt::p11
