// SPDX-License-Identifier: Apache-2.0
// A JaCarta is a Java card: several applets on one chip, one of them selected. SELECT by AID
// changes the applet and drops what the former one kept in RAM [facts jacarta A1, A8].
#pragma once

#include "firmware-sim/runtime.hpp"

namespace kilt::sim::jacarta {

class Applet {
 public:
  virtual ~Applet() = default;
  [[nodiscard]] virtual bool is_named(ByteView aid) const = 0;
  /// SELECT of its AID. When it answers 9000 it has forgotten what was in RAM and is selected.
  virtual Reply select(const Command& command) = 0;
  virtual Reply execute(const Command& command) = 0;
  /// What is in RAM is lost: another applet was selected, reset, power-off.
  virtual void forget() = 0;
  /// As CommandSet::is_private, while the applet is selected.
  [[nodiscard]] virtual bool is_private(std::uint8_t) const { return false; }
};

using Applets = std::vector<std::unique_ptr<Applet>>;

class Device : public CommandSet {
 public:
  explicit Device(Applets applets) : applets_(std::move(applets)) {}

  Reply execute(const Command& command) override;
  void forget() override;
  [[nodiscard]] bool is_private(std::uint8_t instruction) const override {
    return selected_ != nullptr && selected_->is_private(instruction);
  }

 private:
  Reply select(const Command& command, Applet& applet);
  Applet* find(ByteView aid);

  Applets applets_;
  Applet* selected_ = nullptr;
};

/// JaCarta GOST, "Cryptotoken": can be selected and does nothing, because no public source tells
/// its commands [facts jacarta A14]. A driver can say that it is there.
class Cryptotoken : public Applet {
 public:
  [[nodiscard]] bool is_named(ByteView aid) const override;
  Reply select(const Command&) override { return apdu::sw::ok; }
  Reply execute(const Command& command) override;
  void forget() override {}
};

}  // namespace kilt::sim::jacarta
