// SPDX-License-Identifier: Apache-2.0
// What every driver refuses alike, in the same words: requests that fit no card, looked at before
// the card is asked, and answers that mean the same whoever gives them.
#pragma once

#include <string_view>

#include "apdu/iso7816.hpp"
#include "apdu/result.hpp"
#include "drivers/card.hpp"

namespace kilt::card {

/// Bytes that a label and a CKA_ID on a card may have.
inline constexpr std::size_t longest_name = 255, longest_id = 255;

/// bad_argument for a longer one.
[[nodiscard]] Status check_names(ByteView id, std::string_view label);
/// check_names(), and unsupported for what objects of this class do not have.
[[nodiscard]] Status check_change(const ObjectRef& object, const AttributeChange& change);
/// bad_argument unless the input of an RSA operation has `size` bytes, the modulus' length.
[[nodiscard]] Status check_block(ByteView input, std::size_t size);

/// The card answered by a status word that says it did nothing [7816-4 §5.6]. After any other error
/// (an answer that is lost or makes no sense) nobody knows what was done, and what was made before
/// must stay: something on the card may name it by now.
[[nodiscard]] bool did_nothing(const Error& error);

/// bad_argument: a scheme of another type of key.
[[nodiscard]] Error no_scheme();
/// not_found: an ObjectRef of an object that was deleted.
[[nodiscard]] Error object_gone();

/// "user PIN", "security officer's PIN".
[[nodiscard]] const char* pin_name(Role role);
/// pin_blocked with what helps; `status` is the card's.
[[nodiscard]] Error pin_blocked(Role role, apdu::StatusWord status);

}  // namespace kilt::card
