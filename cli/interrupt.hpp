// SPDX-License-Identifier: Apache-2.0
// Ctrl-C and its relatives. The first one lets the card finish what it is computing and log out;
// the second one leaves at once, and the service resets the card.
#pragma once

namespace kilt::cli {

/// SIGINT, SIGTERM and SIGHUP are noted instead of ending the program; blocking reads return.
void watch_for_interrupts();
/// The signal that came, 0 if none.
[[nodiscard]] int interrupted();
/// Ends the program by the signal that came, so that the parent sees it; returns if none came.
void end_if_interrupted();

/// While it lives, the first signal is answered with a line on stderr that says what happens now.
class LongWork {
 public:
  LongWork();
  ~LongWork();
  LongWork(const LongWork&) = delete;
  LongWork& operator=(const LongWork&) = delete;
};

}  // namespace kilt::cli
