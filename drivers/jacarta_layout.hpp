// SPDX-License-Identifier: Apache-2.0
// The files of an empty LASER applet, in the vendor's order and with its rules
// [facts jacarta A9, A12, A16].
#pragma once

#include <string>
#include <vector>

#include "drivers/jacarta.hpp"
#include "drivers/jacarta_attributes.hpp"

namespace kilt::card::jacarta {

struct MadeFile {
  FilePath parent;
  NewFile file;
  Bytes content{};  ///< empty: nothing is written
};

inline constexpr std::uint16_t second_transport_pin = 0x0002;

/// A PIN object as it stands once its owner's PIN was stored.
[[nodiscard]] NewFile stored_pin(std::uint16_t id, Bytes rules, const SecretBytes& pin);

/// Of the MF. `placeholder`, which nobody knows but who is making the card, stands for "no user
/// PIN" until one is set: the expressions name an object that exists.
[[nodiscard]] std::vector<MadeFile> master_files(const SecretBytes& so_pin,
                                                 const SecretBytes& placeholder);
/// Of the application; the officer is logged in. `serial` has 8 bytes.
Result<std::vector<MadeFile>> application_files(const std::string& label, ByteView serial);
/// What follows them: the container map, which is the user's alone to change [facts jacarta A16
/// #23], and files that either PIN may write, cardcf with these counters among them. Who knows the
/// user PIN is logged in.
Result<std::vector<MadeFile>> users_files(const Freshness& counters);

}  // namespace kilt::card::jacarta
