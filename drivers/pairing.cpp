// SPDX-License-Identifier: Apache-2.0
#include "drivers/pairing.hpp"

namespace kilt::card {

Status check_pairing(Card& card, const Bytes& id, const Certificate& certificate) {
  if (id.empty()) return {};
  const auto found = card.list_classes({true, false, false, false});
  if (!found) return found.error();
  for (const auto& key : found->keys) {
    if (key.id != id) continue;
    const auto value = card.read_public_key(key.ref);
    // Without its public half the key cannot be compared here; the driver decides.
    if (!value && value.error().kind == ErrorKind::not_found) continue;
    if (!value) return value.error();
    if (certificate.key == *value) continue;
    return Error{ErrorKind::key_mismatch, "the id " + to_hex(id) + " is that of another key, \"" +
                                              key.label +
                                              "\"; leave --id out to put the "
                                              "certificate beside its own key"};
  }
  return {};
}

}  // namespace kilt::card
