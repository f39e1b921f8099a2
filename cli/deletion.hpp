// SPDX-License-Identifier: Apache-2.0
// One object that is going to be deleted for good: shown, confirmed, and looked up once more when
// the PIN is verified, because the card may have been changed while somebody typed.
#pragma once

#include <functional>
#include <string>

#include "cli/context.hpp"

namespace kilt::cli {

struct Deletion {
  std::string loss;  ///< whole lines for whoever confirms: what is lost, the object
  card::ObjectRef object{};
  Bytes id{};
  bool confirmed = false;  ///< --yes
  /// Deletes it, and what goes with it, under the user's login.
  std::function<Status(card::Card&)> work{};
};

/// Asks, logs in, finds the object again and deletes it. not_found when it has gone meanwhile,
/// cancelled when it was not confirmed, and what a PIN can end in.
Report carry_out(Context& context, Session& session, const Deletion& deletion, PinSource& pin);

/// Whether the object is still the one that was chosen: its place may have been given to another.
[[nodiscard]] bool is_there(const card::Directory& directory, const card::ObjectRef& object,
                            const Bytes& id);

}  // namespace kilt::cli
