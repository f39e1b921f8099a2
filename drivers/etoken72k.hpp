// SPDX-License-Identifier: Apache-2.0
// Aladdin's Java Card applet as eToken PRO 72K (Java) has it, and the PRO applet of JaCarta too:
// one card edge, several data sheets. This is what a driver of a device with that applet needs.
#pragma once

#include <memory>
#include <vector>

#include "drivers/card.hpp"
#include "drivers/link.hpp"
#include "drivers/model.hpp"

namespace kilt::card {

/// The answer to the SELECT of an applet is no refusal: the card failed (64xx to 66xx, 6Fxx
/// [7816-4 §5.6]), or these are no status word. It says nothing of whether the applet is there.
[[nodiscard]] bool is_no_answer(apdu::StatusWord status);

/// SELECT of the applet's AID (one APDU, reading only). unknown_card when the card has no such
/// applet, or something else answers under its name; the ATR is shared with other products, so
/// this is the proof [facts etoken §1.3]. protocol when is_no_answer(): to be asked again.
[[nodiscard]] Status select_etoken_applet(Link& link);

/// The applet as a Card. `model` must outlive it; it is what model() answers, and its name is the
/// label of a token that has none. The applet need not be selected: whenever another one was
/// selected meanwhile (another program, another applet of the same device) it is selected again.
/// Wrong PINs are noted among this user's side files (PinNotes, ".failures").
[[nodiscard]] std::unique_ptr<Card> make_etoken_card(std::unique_ptr<Link> link,
                                                     const CardModel& model);

/// One example of every kind of command that this Card sends, for a Driver's table of evidence.
[[nodiscard]] std::vector<Command> etoken_commands();

}  // namespace kilt::card
