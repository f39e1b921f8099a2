// SPDX-License-Identifier: Apache-2.0
// How a LASER applet leaves the maker, and how its owner gets it.
#pragma once

#include <string_view>

#include "firmware-sim/profiles/jacarta_laser.hpp"

namespace kilt::sim::jacarta {

/// What is there before initialisation: the MF and the transport PIN.
void make_blank(Laser& laser);

struct DeliveryPins {
  std::string_view so, user;
};

/// Initialises a blank card and stores both PINs, with the vendor's own commands. False: a command
/// was refused.
[[nodiscard]] bool initialise(Laser& laser, const DeliveryPins& pins);

}  // namespace kilt::sim::jacarta
