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
  for (auto& applet : applets_)
    applet->forget();
  selected_ = nullptr;
}

Applet* Device::find(ByteView aid) {
  for (auto& applet : applets_) {
    if (applet->is_named(aid)) return applet.get();
  }
  return nullptr;
}

Reply Device::select(const Command& command, Applet& applet) {
  Reply reply = applet.select(command);
  if (!reply.status.ok()) return reply;  // assumed: and the other one stays selected
  if (selected_ != nullptr && selected_ != &applet) selected_->forget();
  selected_ = &applet;
  return reply;
}

Reply Device::execute(const Command& command) {
  if (is_select_by_name(command)) {
    if (Applet* applet = find(command.data)) return select(command, *applet);
  }
  if (selected_ != nullptr) return selected_->execute(command);
  // assumed: no applet is selected by itself after a reset.
  return command.ins == ins::select ? sw::file_not_found : sw::ins_not_supported;
}

bool Cryptotoken::is_named(ByteView aid) const {
  constexpr std::array<std::uint8_t, 10> own{0xA0, 0x00, 0x00, 0x04, 0x48,
                                             0x01, 0x01, 0x01, 0x06, 0x02};
  return equal(aid, own);
}

Reply Cryptotoken::execute(const Command& command) {
  return command.ins == ins::select ? sw::file_not_found : sw::ins_not_supported;
}

}  // namespace kilt::sim::jacarta
