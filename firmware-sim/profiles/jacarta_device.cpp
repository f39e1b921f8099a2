// SPDX-License-Identifier: Apache-2.0
#include "firmware-sim/profiles/jacarta_device.hpp"

#include <array>

namespace kilt::sim::jacarta {
namespace {

namespace ins = apdu::ins;
namespace sw = apdu::sw;
using apdu::SelectMode;

bool is_select_by_name(const Command& command) {
  return command.cla == apdu::cla::interindustry && command.ins == ins::select &&
         command.p1 == static_cast<std::uint8_t>(SelectMode::by_df_name);
}

}  // namespace

void Device::forget() {
  for (auto& installed : applets_)
    installed.applet->forget();
  selected_ = nullptr;
}

Installed* Device::find(ByteView aid) {
  for (auto& installed : applets_) {
    if (equal(installed.aid, aid)) return &installed;
  }
  return nullptr;
}

Reply Device::select(const Command& command, Installed& installed) {
  // [facts jacarta A4]: 0C, and yet the answer has data; 00 is taken as well.
  if (command.p2 != 0x00 && command.p2 != 0x0C) return sw::wrong_p1_p2;
  if (selected_ != nullptr) selected_->forget();
  selected_ = installed.applet.get();
  return selected_->selected();
}

Reply Device::execute(const Command& command) {
  if (is_select_by_name(command)) {
    if (Installed* installed = find(command.data)) return select(command, *installed);
  }
  if (selected_ != nullptr) return selected_->execute(command);
  // assumed: no applet is selected by itself after a reset.
  return command.ins == ins::select ? sw::file_not_found : sw::ins_not_supported;
}

ByteView Cryptotoken::aid() {
  static constexpr std::array<std::uint8_t, 10> bytes{0xA0, 0x00, 0x00, 0x04, 0x48,
                                                      0x01, 0x01, 0x01, 0x06, 0x02};
  return bytes;
}

Reply Cryptotoken::execute(const Command& command) {
  return command.ins == ins::select ? sw::file_not_found : sw::ins_not_supported;
}

}  // namespace kilt::sim::jacarta
