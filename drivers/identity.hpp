// SPDX-License-Identifier: Apache-2.0
// Whether an object on the card is still the one that was listed. An ObjectRef is a place, and
// another program may have deleted the object there and made its own: what is done to it by an old
// listing would hit somebody else's key.
#pragma once

#include "drivers/card.hpp"

namespace kilt::card {

/// Of one place: the same object as listed before.
[[nodiscard]] bool same(const KeyInfo& a, const KeyInfo& b);
[[nodiscard]] bool same(const PublicKeyInfo& a, const PublicKeyInfo& b);
[[nodiscard]] bool same(const CertificateInfo& a, const CertificateInfo& b);
[[nodiscard]] bool same(const DataInfo& a, const DataInfo& b);

/// Reads the card anew. not_found unless it has `listed` where it was, and with the value that was
/// read of it, if one was (null: none). To be called in the transaction of what relies on it.
Status confirm(Card& card, const KeyInfo& listed, const PublicKey* value);
Status confirm(Card& card, const PublicKeyInfo& listed, const PublicKey* value);
Status confirm(Card& card, const CertificateInfo& listed, const Bytes* value);
Status confirm(Card& card, const DataInfo& listed, const Bytes* value);

}  // namespace kilt::card
