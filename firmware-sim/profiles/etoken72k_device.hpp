// SPDX-License-Identifier: Apache-2.0
// A Java card whose only applet is the eToken's: before it is selected, the card manager answers.
#pragma once

#include <span>

#include "firmware-sim/chip.hpp"
#include "firmware-sim/profiles/etoken72k_applet.hpp"

namespace kilt::sim::etoken72k {

/// File memory of a device, bytes. 72K is what it is named for; that all of it is for files is
/// assumed.
inline constexpr std::size_t memory_size = std::size_t{72} * 1024;
/// Header, Lc and Le of an extended APDU around the data; a status word behind an answer.
inline constexpr std::size_t max_command = 4 + 3 + max_data + 2;
inline constexpr std::size_t max_response = max_data + 2;

/// How a device is delivered: its name, and what tells it from the others.
struct Delivery {
  const char* profile;
  ByteView atr;
  Model model = Model::pro_72k;
};

/// As Profile::make: personalises an empty NVRAM; null for another profile's.
[[nodiscard]] std::unique_ptr<Chip> make_device(const Delivery& delivery, Nvram& nvram,
                                                const ChipOptions& options);

/// As Profile::secrets, of the applet's commands.
[[nodiscard]] Secrets secrets(ByteView command);

}  // namespace kilt::sim::etoken72k
