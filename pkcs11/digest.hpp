// SPDX-License-Identifier: Apache-2.0
// Host-side hashing for C_Digest* and for the hashing half of the hash-and-sign mechanisms.
#pragma once

#include <memory>
#include <optional>

#include "apdu/bytes.hpp"
#include "drivers/rsa_padding.hpp"
#include "pkcs11/cryptoki.hpp"

namespace kilt::p11 {

enum class DigestKind : std::uint8_t { sha1, sha224, sha256, sha384, sha512 };

/// Octets of a digest of this kind.
[[nodiscard]] std::size_t digest_size(DigestKind kind);
/// The kind as the RSA encodings name it.
[[nodiscard]] card::Digest rsa_digest(DigestKind kind);
/// CKM_SHA_1, CKM_SHA224, ...; empty for what is no digest mechanism of ours.
[[nodiscard]] std::optional<DigestKind> digest_kind(CK_MECHANISM_TYPE mechanism);

/// A digest in the making. A copy goes on by itself from the state it was copied in (this is what
/// C_GetOperationState and a repeated length query need). The state is wiped when it is given up.
/// Throws std::bad_alloc only.
class Digester {
 public:
  explicit Digester(DigestKind kind);
  Digester(const Digester& other);
  Digester& operator=(const Digester& other);
  Digester(Digester&& other) noexcept;
  Digester& operator=(Digester&& other) noexcept;
  ~Digester();

  [[nodiscard]] DigestKind kind() const { return kind_; }
  [[nodiscard]] std::size_t size() const { return digest_size(kind_); }
  void update(ByteView data);
  /// The digest of all that was given; afterwards the digester starts afresh.
  [[nodiscard]] Bytes finish();

 private:
  struct State;
  DigestKind kind_;
  std::unique_ptr<State> state_;
};

[[nodiscard]] Bytes digest_of(DigestKind kind, ByteView data);

}  // namespace kilt::p11
