// SPDX-License-Identifier: Apache-2.0
// A reader driver for a private pcscd whose card lives in the test: each call that pcscd makes is
// asked of the test through a Unix socket. DEVICENAME is "test:PATH" (pcscd looks for a device
// node of that name unless there is a colon in it).
//
// A request is 1 byte operation, 4 bytes length, payload; an answer is 1 byte result, 4 bytes
// length, payload. Built without sanitizers, because pcscd has none.
extern "C" {  // the header says nothing for C++
#include <ifdhandler.h>
#include <reader.h>
}
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <map>
#include <mutex>
#include <string>
#include <vector>

namespace {

struct Answer {
  char result = 'g';  // as the test writes it; 'g' when there is no test to ask
  std::vector<unsigned char> payload;
};

class Reader {
 public:
  explicit Reader(std::string path) : path_(std::move(path)) {}
  ~Reader() {
    if (fd_ >= 0) ::close(fd_);
  }
  Answer ask(char operation, const unsigned char* data, std::size_t size) {
    const std::lock_guard lock(mutex_);
    Answer answer;
    for (int attempt = 0; attempt < 2; ++attempt) {
      if (fd_ < 0 && !open()) return {};
      if (exchange(operation, data, size, answer)) return answer;
      ::close(fd_);
      fd_ = -1;
      if (operation == 'T') break;  // a command is never sent twice
    }
    return {};
  }

 private:
  bool open() {
    fd_ = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::strncpy(address.sun_path, path_.c_str(), sizeof address.sun_path - 1);
    if (::connect(fd_, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0) return true;
    ::close(fd_);
    fd_ = -1;
    return false;
  }
  bool all(ssize_t (*move)(int, unsigned char*, std::size_t), unsigned char* data,
           std::size_t size) const {
    while (size > 0) {
      const ssize_t done = move(fd_, data, size);
      if (done <= 0) return false;
      data += done;
      size -= static_cast<std::size_t>(done);
    }
    return true;
  }
  bool exchange(char operation, const unsigned char* data, std::size_t size, Answer& answer) {
    const auto send = [](int fd, unsigned char* at, std::size_t n) {
      return ::send(fd, at, n, MSG_NOSIGNAL);
    };
    const auto receive = [](int fd, unsigned char* at, std::size_t n) {
      return ::recv(fd, at, n, 0);
    };
    const auto length = static_cast<std::uint32_t>(size);
    unsigned char start[5] = {static_cast<unsigned char>(operation)};
    std::memcpy(start + 1, &length, 4);
    std::vector<unsigned char> request(start, start + 5);
    if (size > 0) request.insert(request.end(), data, data + size);
    unsigned char head[5];
    if (!all(send, request.data(), request.size()) || !all(receive, head, 5)) return false;
    std::uint32_t answer_length = 0;
    std::memcpy(&answer_length, head + 1, 4);
    answer.result = static_cast<char>(head[0]);
    answer.payload.resize(answer_length);
    return all(receive, answer.payload.data(), answer_length);
  }

  std::mutex mutex_;
  std::string path_;
  int fd_ = -1;
};

std::mutex readers_mutex;
std::map<DWORD, Reader>* readers;

Reader* reader_at(DWORD lun) {
  const std::lock_guard lock(readers_mutex);
  if (readers == nullptr) return nullptr;
  const auto found = readers->find(lun);
  return found == readers->end() ? nullptr : &found->second;
}

Answer ask(DWORD lun, char operation, const unsigned char* data = nullptr, std::size_t size = 0) {
  Reader* reader = reader_at(lun);
  return reader == nullptr ? Answer{} : reader->ask(operation, data, size);
}

/// What the test says in a word, in the driver interface's numbers.
RESPONSECODE code_of(char result) {
  switch (result) {
    case 'k':
      return IFD_SUCCESS;
    case 'e':
      return IFD_COMMUNICATION_ERROR;
    case 'n':
      return IFD_ICC_NOT_PRESENT;
    case 't':
      return IFD_RESPONSE_TIMEOUT;
    case 'g':
      return IFD_NO_SUCH_DEVICE;
    case 'p':
      return IFD_ERROR_POWER_ACTION;
    default:
      return IFD_NOT_SUPPORTED;
  }
}

constexpr DWORD properties_control = SCARD_CTL_CODE(3000);

}  // namespace

extern "C" {

RESPONSECODE IFDHCreateChannelByName(DWORD lun, LPSTR device) {
  const char* colon = std::strchr(device, ':');
  if (colon == nullptr) return IFD_NO_SUCH_DEVICE;
  const std::lock_guard lock(readers_mutex);
  if (readers == nullptr) readers = new std::map<DWORD, Reader>;
  readers->erase(lun);
  readers->try_emplace(lun, colon + 1);
  return IFD_SUCCESS;
}

RESPONSECODE IFDHCreateChannel(DWORD, DWORD) {
  return IFD_NOT_SUPPORTED;
}

RESPONSECODE IFDHCloseChannel(DWORD lun) {
  const std::lock_guard lock(readers_mutex);
  if (readers != nullptr) readers->erase(lun);
  return IFD_SUCCESS;
}

RESPONSECODE IFDHGetCapabilities(DWORD lun, DWORD tag, PDWORD length, PUCHAR value) {
  const auto one = [&](unsigned char number) {
    *length = 1;
    *value = number;
    return IFD_SUCCESS;
  };
  switch (tag) {
    case TAG_IFD_ATR:
    case SCARD_ATTR_ATR_STRING: {
      const auto answer = ask(lun, 'A');
      if (answer.result != 'k' || answer.payload.size() > *length) return IFD_COMMUNICATION_ERROR;
      *length = answer.payload.size();
      std::copy(answer.payload.begin(), answer.payload.end(), value);
      return IFD_SUCCESS;
    }
    case TAG_IFD_SLOTS_NUMBER:
      return one(1);
    case TAG_IFD_SIMULTANEOUS_ACCESS:
      return one(16);
    case TAG_IFD_THREAD_SAFE:
      return one(1);
    case TAG_IFD_SLOT_THREAD_SAFE:
      return one(0);
    default:
      *length = 0;
      return IFD_ERROR_TAG;
  }
}

RESPONSECODE IFDHSetCapabilities(DWORD, DWORD, DWORD, PUCHAR) {
  return IFD_NOT_SUPPORTED;
}

RESPONSECODE IFDHSetProtocolParameters(DWORD, DWORD, UCHAR, UCHAR, UCHAR, UCHAR) {
  return IFD_SUCCESS;
}

RESPONSECODE IFDHPowerICC(DWORD lun, DWORD action, PUCHAR atr, PDWORD length) {
  const char operation = action == IFD_POWER_DOWN ? 'D' : action == IFD_RESET ? 'R' : 'U';
  const auto answer = ask(lun, operation);
  if (operation == 'D' || answer.result != 'k') {
    *length = 0;
    return code_of(answer.result);
  }
  *length = answer.payload.size();
  std::copy(answer.payload.begin(), answer.payload.end(), atr);
  return IFD_SUCCESS;
}

RESPONSECODE IFDHTransmitToICC(DWORD lun, SCARD_IO_HEADER, PUCHAR command, DWORD command_length,
                               PUCHAR response, PDWORD response_length, PSCARD_IO_HEADER) {
  const auto answer = ask(lun, 'T', command, command_length);
  if (answer.result == 'k' && answer.payload.size() <= *response_length) {
    *response_length = answer.payload.size();
    std::copy(answer.payload.begin(), answer.payload.end(), response);
    return IFD_SUCCESS;
  }
  *response_length = 0;
  return answer.result == 'k' ? IFD_COMMUNICATION_ERROR : code_of(answer.result);
}

RESPONSECODE IFDHControl(DWORD lun, DWORD control, PUCHAR, DWORD, PUCHAR response,
                         DWORD response_length, LPDWORD returned) {
  *returned = 0;
  const auto give = [&](const std::vector<unsigned char>& bytes) {
    if (bytes.size() > response_length) return IFD_ERROR_INSUFFICIENT_BUFFER;
    std::copy(bytes.begin(), bytes.end(), response);
    *returned = bytes.size();
    return IFD_SUCCESS;
  };
  if (control == CM_IOCTL_GET_FEATURE_REQUEST)
    return give({FEATURE_GET_TLV_PROPERTIES, 4,
                 static_cast<unsigned char>(properties_control >> 24),
                 static_cast<unsigned char>(properties_control >> 16),
                 static_cast<unsigned char>(properties_control >> 8),
                 static_cast<unsigned char>(properties_control)});
  if (control != properties_control) return IFD_ERROR_NOT_SUPPORTED;
  const auto answer = ask(lun, 'X');
  return answer.result == 'k' ? give(answer.payload) : IFD_ERROR_NOT_SUPPORTED;
}

RESPONSECODE IFDHICCPresence(DWORD lun) {
  switch (ask(lun, 'P').result) {
    case 'k':
      return IFD_ICC_PRESENT;
    case 'n':
      return IFD_ICC_NOT_PRESENT;
    default:
      return IFD_NO_SUCH_DEVICE;
  }
}

}  // extern "C"
