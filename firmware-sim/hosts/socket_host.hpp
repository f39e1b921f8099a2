// SPDX-License-Identifier: Apache-2.0
// The simulator's door: serves one reader to any number of clients over a Unix socket. The
// protocol is in README.md.
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "firmware-sim/hosts/reader.hpp"

namespace kilt::sim {

class SocketHost {
 public:
  /// Listens on `path`, mode 0600. A dead socket file is replaced; exists when somebody answers on
  /// it or when it is no socket; bad_argument for a path that cannot be bound.
  static Result<std::unique_ptr<SocketHost>> listen(Loop& loop, Reader& reader,
                                                    const std::string& path);
  ~SocketHost();
  SocketHost(const SocketHost&) = delete;
  SocketHost& operator=(const SocketHost&) = delete;

  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  using Id = std::uint64_t;
  struct Seen {
    bool present;
    std::uint32_t insertions;
  };
  struct Connection {
    std::unique_ptr<Stream> stream{};
    std::optional<std::uint32_t> card{};  ///< insertion that it is connected to
    std::optional<Seen> watching{};
  };
  /// Something that may have to wait until the lock is free.
  struct Waiting {
    Id connection;  ///< 0: the reset after a crashed client
    Message request;
  };

  SocketHost(Loop& loop, Reader& reader, std::string path, UniqueFd listener);
  void accept_all();
  void closed(Id id);
  void hear(Id id, Message request);
  void answer(Id id, Code code, Bytes payload = {});

  void watch(Id id, ByteView payload);
  void connect(Id id);
  void disconnect(Id id, ByteView payload);
  void unlock(Id id);
  void control(Id id, const std::string& text);
  void insert(Id id, bool fresh);
  void queue(Id id, Message request);
  void advance();
  void carry_out(const Waiting& waiting);
  void reader_changed();
  /// The connection's card is the one that is in.
  [[nodiscard]] bool holds_card(const Connection& connection) const;
  [[nodiscard]] Bytes status() const;
  [[nodiscard]] Bytes connect_answer() const;

  Loop& loop_;
  Reader& reader_;
  std::string path_;
  UniqueFd listener_;
  std::map<Id, Connection> connections_;
  Id next_id_ = 1;
  Id owner_ = 0;  ///< of the lock; 0: nobody
  std::deque<Waiting> waiting_;
};

}  // namespace kilt::sim
