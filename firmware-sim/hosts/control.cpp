// SPDX-License-Identifier: Apache-2.0
#include "firmware-sim/hosts/control.hpp"

#include <sys/socket.h>
#include <sys/un.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <sstream>
#include <vector>

#include "firmware-sim/hosts/card_process.hpp"

namespace kilt::sim {

namespace {

// An insertion personalises a card, which may generate keys.
constexpr std::chrono::seconds longest_answer{60};

std::vector<std::string> running_simulators() {
  std::vector<std::string> sockets;
  const char* list = ::secure_getenv("KILT_SIM");
  std::istringstream text(list ? list : "");
  for (std::string socket; std::getline(text, socket, ',');)
    sockets.push_back(socket);
  return sockets;
}

}  // namespace

Result<std::string> control_socket(const std::string& path, std::size_t reader) {
  if (!path.empty()) return path;
  const auto sockets = running_simulators();
  if (sockets.empty()) {
    return Error{
        ErrorKind::bad_argument,
        "which simulator? Give --socket PATH, or set KILT_SIM as `kilt-sim run` printed it"};
  }
  if (reader < 1 || reader > sockets.size()) {
    return Error{ErrorKind::bad_argument, "there is no reader " + std::to_string(reader) +
                                              "; KILT_SIM names " + std::to_string(sockets.size())};
  }
  return sockets[reader - 1];
}

Result<std::string> send_control(const std::string& socket, const std::string& text) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (socket.size() >= sizeof address.sun_path) {
    return Error{ErrorKind::bad_argument, "the path " + socket + " is too long for a socket"};
  }
  std::memcpy(address.sun_path, socket.data(), socket.size());
  const UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    return Error{ErrorKind::no_service, "no simulator answers at " + socket + ": " +
                                            std::strerror(errno) +
                                            "; is kilt-sim run still there?"};
  }
  if (auto sent = write_message(fd.get(), {'K', copy_of(as_bytes(text))}); !sent) {
    return sent.take_error();
  }
  auto answer = read_message(fd.get(), longest_answer);
  if (!answer) return answer.take_error();
  const std::string said = as_text(answer->payload);
  switch (static_cast<Code>(answer->code)) {
    case Code::done:
      return said;
    case Code::no_card:
      return Error{ErrorKind::no_card, "there is no card in the reader"};
    case Code::mute:
      return Error{ErrorKind::transport, "the card does not answer"};
    case Code::not_understood:
      return Error{ErrorKind::protocol, "the simulator does not understand: " + said};
    case Code::failed:
      break;
  }
  return Error{ErrorKind::bad_argument, said};
}

}  // namespace kilt::sim
