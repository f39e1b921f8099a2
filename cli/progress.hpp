// SPDX-License-Identifier: Apache-2.0
// Something is going on: elapsed time on a terminal, one line elsewhere. Never a percentage, for
// nobody knows how long a card takes to find its primes.
#pragma once

#include <condition_variable>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

#include "cli/console.hpp"
#include "cli/interrupt.hpp"

namespace kilt::cli {

class Progress {
 public:
  /// Shows `sentence` until the object dies. Silent with --quiet and --json.
  Progress(const Console& console, std::string sentence);
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

 private:
  void spin();

  std::string sentence_;
  std::mutex mutex_;
  std::condition_variable ended_;
  bool end_ = false;
  std::thread thread_;
  std::optional<LongWork> long_work_;
};

}  // namespace kilt::cli
