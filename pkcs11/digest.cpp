// SPDX-License-Identifier: Apache-2.0
#include "pkcs11/digest.hpp"

#include <mbedtls/md.h>

#include <array>
#include <new>

namespace kilt::p11 {
namespace {

struct Row {
  CK_MECHANISM_TYPE mechanism;
  DigestKind kind;
  card::Digest rsa;
  mbedtls_md_type_t md;
  std::size_t size;
};

// In the order of DigestKind.
constexpr std::array<Row, 5> rows{{
    {CKM_SHA_1, DigestKind::sha1, card::Digest::sha1, MBEDTLS_MD_SHA1, 20},
    {CKM_SHA224, DigestKind::sha224, card::Digest::sha224, MBEDTLS_MD_SHA224, 28},
    {CKM_SHA256, DigestKind::sha256, card::Digest::sha256, MBEDTLS_MD_SHA256, 32},
    {CKM_SHA384, DigestKind::sha384, card::Digest::sha384, MBEDTLS_MD_SHA384, 48},
    {CKM_SHA512, DigestKind::sha512, card::Digest::sha512, MBEDTLS_MD_SHA512, 64},
}};

const Row& row(DigestKind kind) {
  return rows[static_cast<std::size_t>(kind)];
}

/// mbedTLS's digest calls fail for want of memory only.
void must(int result) {
  if (result != 0) throw std::bad_alloc();
}

}  // namespace

std::size_t digest_size(DigestKind kind) {
  return row(kind).size;
}
card::Digest rsa_digest(DigestKind kind) {
  return row(kind).rsa;
}

std::optional<DigestKind> digest_kind(CK_MECHANISM_TYPE mechanism) {
  for (const Row& each : rows) {
    if (each.mechanism == mechanism) return each.kind;
  }
  return std::nullopt;
}

struct Digester::State {
  explicit State(DigestKind kind) {
    mbedtls_md_init(&context);
    must(mbedtls_md_setup(&context, mbedtls_md_info_from_type(row(kind).md), 0));
    must(mbedtls_md_starts(&context));
  }
  State(const State&) = delete;
  State& operator=(const State&) = delete;
  ~State() { mbedtls_md_free(&context); }  // wipes

  mbedtls_md_context_t context;
};

Digester::Digester(DigestKind kind) : kind_(kind), state_(std::make_unique<State>(kind)) {}
Digester::Digester(const Digester& other) : Digester(other.kind_) {
  must(mbedtls_md_clone(&state_->context, &other.state_->context));
}
Digester& Digester::operator=(const Digester& other) {
  if (this != &other) *this = Digester(other);
  return *this;
}
Digester::Digester(Digester&& other) noexcept = default;
Digester& Digester::operator=(Digester&& other) noexcept = default;
Digester::~Digester() = default;

void Digester::update(ByteView data) {
  must(mbedtls_md_update(&state_->context, data.data(), data.size()));
}

Bytes Digester::finish() {
  Bytes out(size());
  must(mbedtls_md_finish(&state_->context, out.data()));
  must(mbedtls_md_starts(&state_->context));
  return out;
}

Bytes digest_of(DigestKind kind, ByteView data) {
  Digester digester(kind);
  digester.update(data);
  return digester.finish();
}

}  // namespace kilt::p11
