// SPDX-License-Identifier: Apache-2.0
// A caller's buffer and its length: the convention of [P11 3.1 §5.2] in one place.
#pragma once

#include <algorithm>
#include <optional>

#include "apdu/bytes.hpp"
#include "pkcs11/cryptoki.hpp"

namespace kilt::p11 {

class Output {
 public:
  /// `length` is not null; `buffer` may be: the caller only asks how long the answer is.
  Output(CK_BYTE* buffer, CK_ULONG* length) : buffer_(buffer), length_(length) {}

  /// What to answer before an answer of at most `size` octets was made: CKR_OK to a question for
  /// the length, CKR_BUFFER_TOO_SMALL; empty if there is room and it has to be made.
  [[nodiscard]] std::optional<CK_RV> before(std::size_t size) {
    if (buffer_ != nullptr && *length_ >= size) return std::nullopt;
    *length_ = size;
    return buffer_ == nullptr ? CKR_OK : CKR_BUFFER_TOO_SMALL;
  }
  [[nodiscard]] bool is_question() const { return buffer_ == nullptr; }
  /// CKR_BUFFER_TOO_SMALL, with the length that is needed.
  CK_RV put(ByteView answer) {
    if (const auto rv = before(answer.size())) return *rv;
    std::copy(answer.begin(), answer.end(), buffer_);
    *length_ = answer.size();
    return CKR_OK;
  }

 private:
  CK_BYTE* buffer_;
  CK_ULONG* length_;
};

/// Whether that answer leaves an operation active [P11 3.1 §5.2]: it was a question for the length,
/// or there was too little room.
[[nodiscard]] inline bool keeps_operation(CK_RV rv, const Output& out) {
  return rv == CKR_BUFFER_TOO_SMALL || (rv == CKR_OK && out.is_question());
}

}  // namespace kilt::p11
