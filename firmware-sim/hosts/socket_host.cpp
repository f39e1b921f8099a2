// SPDX-License-Identifier: Apache-2.0
#include "firmware-sim/hosts/socket_host.hpp"

#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <nlohmann/json.hpp>

namespace kilt::sim {

namespace {

Error cannot(const std::string& path, const std::string& why) {
  return {ErrorKind::bad_argument, "the socket " + path + " cannot be opened: " + why};
}

/// Whether the file in the way may go: a socket that nobody listens on any more.
Status clear_the_way(const sockaddr_un& address) {
  const std::string path = address.sun_path;
  struct stat found {};
  if (::lstat(path.c_str(), &found) != 0) return {};
  if (!S_ISSOCK(found.st_mode)) {
    return Error{ErrorKind::exists, path + " exists and is no socket; give another path"};
  }
  const UniqueFd probe(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (::connect(probe.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0) {
    return Error{ErrorKind::exists, "another simulator serves " + path + "; give another path"};
  }
  if (::unlink(path.c_str()) != 0) return cannot(path, std::strerror(errno));
  return {};
}

}  // namespace

Result<std::unique_ptr<SocketHost>> SocketHost::listen(Loop& loop, Reader& reader,
                                                       const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.empty() || path.size() >= sizeof address.sun_path) {
    return cannot(path, "a path of 1 to 107 bytes is needed");
  }
  std::memcpy(address.sun_path, path.data(), path.size());
  if (auto clear = clear_the_way(address); !clear) return clear.take_error();
  UniqueFd listener(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  // The mode is there before the name is, so nobody else ever gets in.
  const auto old_mask = ::umask(0177);
  const int bound =
      ::bind(listener.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address);
  const int error = errno;
  ::umask(old_mask);
  if (bound != 0) return cannot(path, std::strerror(error));
  if (::listen(listener.get(), 64) != 0) return cannot(path, std::strerror(errno));
  return std::unique_ptr<SocketHost>(new SocketHost(loop, reader, path, std::move(listener)));
}

SocketHost::SocketHost(Loop& loop, Reader& reader, std::string path, UniqueFd listener)
    : loop_(loop), reader_(reader), path_(std::move(path)), listener_(std::move(listener)) {
  loop_.watch(listener_.get(), POLLIN, [this](short) { accept_all(); });
  reader_.on_change([this] { reader_changed(); });
}

SocketHost::~SocketHost() {
  loop_.forget(listener_.get());
  ::unlink(path_.c_str());
}

void SocketHost::accept_all() {
  while (true) {
    UniqueFd client(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
    if (!client) return;
    const Id id = next_id_++;
    auto stream = std::make_unique<Stream>(loop_, std::move(client));
    stream->on_message = [this, id](Message request) { hear(id, std::move(request)); };
    stream->on_closed = [this, id] { closed(id); };
    connections_[id].stream = std::move(stream);
  }
}

void SocketHost::closed(Id id) {
  const auto found = connections_.find(id);
  if (found == connections_.end()) return;
  const bool crashed = holds_card(found->second);
  // Destroyed from the loop, because its own callback is running.
  loop_.post([old = std::shared_ptr<Stream>(std::move(found->second.stream))] {});
  connections_.erase(found);
  std::erase_if(waiting_, [&](const Waiting& entry) { return entry.connection == id; });
  if (owner_ == id) owner_ = 0;
  // As pcscd does: what a vanished client left behind (a login) must not be there for the next.
  if (crashed) waiting_.push_front({0, {'R'}});
  advance();
}

void SocketHost::hear(Id id, Message request) {
  auto& connection = connections_[id];
  connection.stream->hold();  // one request at a time; answer() goes on
  const ByteView payload = request.payload;
  switch (request.code) {
    case 'S':
      return answer(id, Code::done, status());
    case 'W':
      return watch(id, payload);
    case 'C':
      return connect(id);
    case 'D':
      return disconnect(id, payload);
    case 'U':
      return unlock(id);
    case 'K':
      return control(id, as_text(payload));
    case 'L':
    case 'T':
    case 'R':
      return queue(id, std::move(request));
    default:
      return answer(id, Code::not_understood);
  }
}

void SocketHost::answer(Id id, Code code, Bytes payload) {
  const auto found = connections_.find(id);
  if (found == connections_.end()) return;  // left before its answer came
  found->second.stream->send({static_cast<std::uint8_t>(code), std::move(payload)});
  found->second.stream->release();
}

Bytes SocketHost::status() const {
  Bytes status{static_cast<std::uint8_t>(reader_.present())};
  put_u32(status, reader_.insertions());
  put_short(status, reader_.present() ? ByteView(reader_.facts().atr) : ByteView());
  put_short(status, as_bytes(reader_.name()));
  return status;
}

void SocketHost::watch(Id id, ByteView payload) {
  if (payload.size() != 5) return answer(id, Code::not_understood);
  const Seen seen{payload[0] != 0, get_u32(payload, 1)};
  if (seen.present != reader_.present() || seen.insertions != reader_.insertions()) {
    return answer(id, Code::done, status());
  }
  connections_[id].watching = seen;
}

void SocketHost::reader_changed() {
  if (!reader_.present()) owner_ = 0;
  for (auto& [id, connection] : connections_) {
    if (!connection.watching) continue;
    connection.watching.reset();
    answer(id, Code::done, status());
  }
  advance();
}

bool SocketHost::holds_card(const Connection& connection) const {
  return connection.card && reader_.present() && *connection.card == reader_.insertions();
}

Bytes SocketHost::connect_answer() const {
  const Profile& profile = reader_.profile();
  Bytes answer;
  put_u32(answer, reader_.insertions());
  put_u32(answer, reader_.epoch());
  answer.push_back(static_cast<std::uint8_t>(reader_.facts().protocol == Protocol::t1));
  put_u32(answer, profile.max_command);
  put_u32(answer, profile.max_response);
  answer.push_back(static_cast<std::uint8_t>(profile.extended));
  put_short(answer, reader_.facts().atr);
  return answer;
}

void SocketHost::connect(Id id) {
  reader_.power_on([this, id](Code code, Bytes payload) {
    const auto found = connections_.find(id);
    if (found == connections_.end()) return;
    if (code != Code::done) return answer(id, code, std::move(payload));
    found->second.card = reader_.insertions();
    answer(id, Code::done, connect_answer());
  });
}

void SocketHost::disconnect(Id id, ByteView payload) {
  auto& connection = connections_[id];
  if (payload.size() != 1 || !connection.card) return answer(id, Code::not_understood);
  if (payload[0] != 0 && holds_card(connection)) return queue(id, {'D', copy_of(payload)});
  connection.card.reset();
  answer(id, Code::done);
  if (owner_ == id) owner_ = 0;
  advance();
}

void SocketHost::unlock(Id id) {
  const auto& connection = connections_[id];
  if (connection.card && !holds_card(connection)) return answer(id, Code::no_card);
  if (owner_ != id) return answer(id, Code::not_understood);
  owner_ = 0;
  answer(id, Code::done);
  advance();
}

void SocketHost::queue(Id id, Message request) {
  if (!connections_[id].card) return answer(id, Code::not_understood);
  waiting_.push_back({id, std::move(request)});
  advance();
}

void SocketHost::advance() {
  for (std::size_t i = 0; i < waiting_.size();) {
    const bool may_go = owner_ == 0 || owner_ == waiting_[i].connection || !reader_.present();
    if (!may_go) {
      ++i;
      continue;
    }
    const Waiting next = std::move(waiting_[i]);
    waiting_.erase(waiting_.begin() + static_cast<std::ptrdiff_t>(i));
    carry_out(next);
    i = 0;  // the lock or the card may have changed
  }
}

void SocketHost::carry_out(const Waiting& waiting) {
  const Id id = waiting.connection;
  if (id == 0) return reader_.reset([](Code, const Bytes&) {});
  if (!holds_card(connections_[id])) return answer(id, Code::no_card);
  const auto epoch_answer = [this, id](Code code, Bytes payload) {
    if (code == Code::done) put_u32(payload, reader_.epoch());
    answer(id, code, std::move(payload));
  };
  switch (waiting.request.code) {
    case 'L':
      owner_ = id;
      return reader_.barrier(epoch_answer);
    case 'R':
      return reader_.reset(epoch_answer);
    case 'D':
      return reader_.reset([this, id](Code, const Bytes&) {
        if (const auto found = connections_.find(id); found != connections_.end()) {
          found->second.card.reset();
        }
        answer(id, Code::done);
        if (owner_ == id) owner_ = 0;
        advance();
      });
    default:
      return reader_.transmit(waiting.request.payload, [this, id](Code code, Bytes payload) {
        answer(id, code, std::move(payload));
      });
  }
}

void SocketHost::insert(Id id, bool fresh) {
  auto told = [this, id](const Status& done) {
    if (!done) return answer(id, Code::failed, copy_of(as_bytes(done.error().message())));
    answer(id, Code::done, copy_of(as_bytes(reader_.stats().dump())));
  };
  if (fresh) return reader_.insert_fresh(std::move(told));
  reader_.insert(std::move(told));
}

void SocketHost::control(Id id, const std::string& text) {
  const auto answer_stats = [&] {
    answer(id, Code::done, copy_of(as_bytes(reader_.stats().dump())));
  };
  if (text == "stats") return answer_stats();
  if (text == "insert") return insert(id, false);
  if (text == "insert fresh") return insert(id, true);
  if (text == "remove") {
    reader_.remove();
    return answer_stats();
  }
  constexpr std::string_view fault = "fault ";
  if (text.starts_with(fault)) {
    return reader_.fault(text.substr(fault.size()), [this, id](Code code, Bytes payload) {
      if (code == Code::done) payload = copy_of(as_bytes(reader_.stats().dump()));
      answer(id, code, std::move(payload));
    });
  }
  answer(id, Code::not_understood,
         copy_of(as_bytes("known: insert, insert fresh, remove, fault SPEC, stats")));
}

}  // namespace kilt::sim
