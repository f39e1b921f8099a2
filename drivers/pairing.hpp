// SPDX-License-Identifier: Apache-2.0
// Which certificate may lie beside which key.
#pragma once

#include "drivers/card.hpp"
#include "drivers/certificate.hpp"

namespace kilt::card {

/// Clients pair a certificate with the private key that has its id, and would send the wrong one
/// along with a signature: key_mismatch if a key on the card has `id` and is not the certificate's.
/// Needs the user's login where keys are not listed without.
[[nodiscard]] Status check_pairing(Card& card, const Bytes& id, const Certificate& certificate);

}  // namespace kilt::card
