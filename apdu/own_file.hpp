// SPDX-License-Identifier: Apache-2.0
// A file of ours inside a program that is not.
#pragma once

#include <sys/types.h>

#include <string>

namespace kilt::apdu {

/// A file that is written at its end, and how to know it again: a program that becomes a daemon
/// closes every descriptor, ours too, and the next file that it opens gets our number.
struct OwnFile {
  int number = -1;  ///< above standard error, also where that is closed
  dev_t device = 0;
  ino_t inode = 0;

  /// Creates or opens, mode 0600, with `flags` of open(2) beside. On failure `number` is −1 and
  /// errno says why.
  static OwnFile append_to(const std::string& path, int flags = 0);
  /// Whether the number still means this file.
  [[nodiscard]] bool is_ours() const;
  /// Leaves another's file open.
  void close();
};

}  // namespace kilt::apdu
