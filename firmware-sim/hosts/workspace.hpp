// SPDX-License-Identifier: Apache-2.0
// The private directory of one `kilt-sim run`: sockets, a throw-away card's memory, pcscd's
// configuration. Mode 0700; gone at the end with all that is in it.
#pragma once

#include <string>

#include "apdu/result.hpp"

namespace kilt::sim {

class Workspace {
 public:
  /// In $TMPDIR, otherwise /dev/shm (a card's journal is fastest there), otherwise /tmp. Never
  /// below /run: a private pcscd may have that covered.
  static Result<Workspace> make();
  Workspace(Workspace&& other) noexcept;
  Workspace& operator=(Workspace&&) = delete;
  ~Workspace();

  [[nodiscard]] std::string file(const std::string& name) const { return path_ + "/" + name; }
  /// A directory in it. Errors: internal.
  [[nodiscard]] Result<std::string> directory(const std::string& name) const;

 private:
  explicit Workspace(std::string path) : path_(std::move(path)) {}
  std::string path_;
};

/// Whole file, mode 0600, in place of what was there. Errors: bad_argument with the reason.
Status write_file(const std::string& path, const std::string& text);

}  // namespace kilt::sim
