// SPDX-License-Identifier: Apache-2.0
// libifdkilt.so: the entry points that pcscd calls in a reader driver [IFD handler API 3.0,
// PCSC/ifdhandler.h]. They find the reader, forward, and translate the outcome; nothing is thrown
// through them. LUN: reader number in the high word, slot in the low one, which is always 0.
#include <PCSC/reader.h>
#include <PCSC/wintypes.h>

#include <cstdlib>
#include <cstring>
#include <map>

#include "apdu/transport/ifdhandler_reader.hpp"

// The header declares the entry points without saying that they are C and exported.
#pragma GCC visibility push(default)
extern "C" {
#include <PCSC/ifdhandler.h>
}
#pragma GCC visibility pop

namespace {

using kilt::Bytes;
using kilt::ByteView;
using kilt::Error;
using kilt::ErrorKind;
using kilt::Result;
using kilt::apdu::IfdReader;
using kilt::apdu::Protocol;

constexpr std::uint8_t simultaneous_readers = 16;
/// The control code that we give to a feature [PC/SC part 10 §2.2: the driver chooses it].
constexpr DWORD tlv_properties_code = SCARD_CTL_CODE(0x330000 + FEATURE_GET_TLV_PROPERTIES);
constexpr DWORD verify_pin_code = SCARD_CTL_CODE(0x330000 + FEATURE_VERIFY_PIN_DIRECT);
/// Header, extended Lc and extended Le.
constexpr std::size_t extended_frame = 4 + 3 + 2;

struct Channels {
  std::mutex mutex;
  std::map<DWORD, std::shared_ptr<IfdReader>> readers;
};

Channels& channels() {
  static Channels all;
  return all;
}

std::shared_ptr<IfdReader> reader_of(DWORD lun) {
  if ((lun & 0xFFFF) != 0) return nullptr;
  const std::lock_guard lock(channels().mutex);
  const auto found = channels().readers.find(lun);
  return found == channels().readers.end() ? nullptr : found->second;
}

/// Runs `action` on the reader; IFD_NO_SUCH_DEVICE without one.
template <class Action>
RESPONSECODE with_reader(DWORD lun, Action action) noexcept try {
  const auto reader = reader_of(lun);
  if (!reader) return IFD_NO_SUCH_DEVICE;
  return action(*reader);
} catch (...) {
  return IFD_COMMUNICATION_ERROR;
}

RESPONSECODE code_of(const Error& error) {
  switch (error.kind) {
    case ErrorKind::removed:
    case ErrorKind::no_card:
    case ErrorKind::no_reader:
    case ErrorKind::no_service:
      return IFD_ICC_NOT_PRESENT;
    case ErrorKind::timeout:
      return IFD_RESPONSE_TIMEOUT;
    default:
      return IFD_COMMUNICATION_ERROR;
  }
}

/// Hands `bytes` over in the caller's buffer, whose capacity is in `length`.
RESPONSECODE give(ByteView bytes, PUCHAR buffer, PDWORD length) {
  if (length == nullptr || buffer == nullptr) return IFD_COMMUNICATION_ERROR;
  if (*length < bytes.size()) {
    *length = 0;
    return IFD_ERROR_INSUFFICIENT_BUFFER;
  }
  if (!bytes.empty()) std::memcpy(buffer, bytes.data(), bytes.size());
  *length = bytes.size();
  return IFD_SUCCESS;
}

template <class Value>
RESPONSECODE give_value(Value value, PUCHAR buffer, PDWORD length) {
  std::uint8_t bytes[sizeof value];
  std::memcpy(bytes, &value, sizeof value);
  return give(bytes, buffer, length);
}

RESPONSECODE watch(DWORD lun, int timeout_ms) noexcept {
  return with_reader(lun, [&](IfdReader& reader) -> RESPONSECODE {
    // An error makes pcscd sleep for its polling interval, so a simulator that is gone costs
    // nothing.
    const auto watched = reader.watch(std::chrono::milliseconds(timeout_ms));
    return watched ? IFD_SUCCESS : IFD_COMMUNICATION_ERROR;
  });
}

RESPONSECODE stop_watching(DWORD lun) noexcept {
  return with_reader(lun, [](IfdReader& reader) -> RESPONSECODE {
    reader.stop_watching();
    return IFD_SUCCESS;
  });
}

/// How many body bytes a command may have, as the property says it: 0 = short APDUs only.
std::uint32_t max_apdu_data_size(const kilt::apdu::Limits& limits) {
  if (!limits.extended || limits.max_command <= extended_frame + 256) return 0;
  return static_cast<std::uint32_t>(limits.max_command - extended_frame);
}

void append_feature(Bytes& list, std::uint8_t feature, std::uint32_t code) {
  kilt::append(list, {feature, sizeof code, static_cast<std::uint8_t>(code >> 24),
                      static_cast<std::uint8_t>(code >> 16), static_cast<std::uint8_t>(code >> 8),
                      static_cast<std::uint8_t>(code)});
}

Bytes feature_list(const IfdReader& reader) {
  Bytes list;
  if (reader.has_pin_pad()) append_feature(list, FEATURE_VERIFY_PIN_DIRECT, verify_pin_code);
  append_feature(list, FEATURE_GET_TLV_PROPERTIES, tlv_properties_code);
  return list;
}

/// Numbers in properties are little-endian [PC/SC part 10 §2.6.14].
Bytes tlv_properties(const kilt::apdu::Limits& limits) {
  const std::uint32_t size = max_apdu_data_size(limits);
  return {PCSCv2_PART10_PROPERTY_dwMaxAPDUDataSize, sizeof size,
          static_cast<std::uint8_t>(size),          static_cast<std::uint8_t>(size >> 8),
          static_cast<std::uint8_t>(size >> 16),    static_cast<std::uint8_t>(size >> 24)};
}

RESPONSECODE capability(IfdReader& reader, DWORD tag, PDWORD length, PUCHAR value) {
  static constexpr char vendor[] = "kilt";  // with its final zero, as libccid gives its own
  static constexpr std::uint32_t version =
      std::uint32_t{KILT_VERSION_MAJOR} << 24 | std::uint32_t{KILT_VERSION_MINOR} << 16;
  switch (tag) {
    case TAG_IFD_ATR:
    case SCARD_ATTR_ATR_STRING:
      return give(reader.atr(), value, length);
    case TAG_IFD_SIMULTANEOUS_ACCESS:
      return give_value(simultaneous_readers, value, length);
    case TAG_IFD_THREAD_SAFE:
    case TAG_IFD_SLOT_THREAD_SAFE:
    case TAG_IFD_SLOTS_NUMBER:
      return give_value(std::uint8_t{1}, value, length);
    case TAG_IFD_POLLING_THREAD_WITH_TIMEOUT:
      return give_value(&watch, value, length);
    case TAG_IFD_STOP_POLLING_THREAD:
      return give_value(&stop_watching, value, length);
    case SCARD_ATTR_VENDOR_NAME:
      return give(kilt::as_bytes({vendor, sizeof vendor}), value, length);
    case SCARD_ATTR_VENDOR_IFD_VERSION:
      return give_value(version, value, length);
    case SCARD_ATTR_MAXINPUT:
      return give_value(static_cast<std::uint32_t>(reader.limits().max_command), value, length);
    case SCARD_ATTR_ICC_PRESENCE:  // 2: in, and nothing says how it is held
      return give_value(static_cast<std::uint8_t>(reader.present() ? 2 : 0), value, length);
    case SCARD_ATTR_ICC_INTERFACE_STATUS:
      return give_value(static_cast<std::uint8_t>(reader.powered() ? 1 : 0), value, length);
    default:
      if (length != nullptr) *length = 0;
      return IFD_ERROR_TAG;
  }
}

RESPONSECODE power(IfdReader& reader, DWORD action, PUCHAR atr, PDWORD atr_length) {
  if (action == IFD_POWER_DOWN) {
    reader.power_down();
    if (atr_length != nullptr) *atr_length = 0;
    return IFD_SUCCESS;
  }
  if (action != IFD_POWER_UP && action != IFD_RESET) return IFD_NOT_SUPPORTED;
  auto answer = action == IFD_RESET ? reader.reset() : reader.power_up();
  if (answer) {
    // pcscd does not say how much room there is; it is MAX_ATR_SIZE.
    DWORD room = MAX_ATR_SIZE;
    const RESPONSECODE given = give(*answer, atr, &room);
    if (atr_length != nullptr) *atr_length = room;
    return given;
  }
  if (atr_length != nullptr) *atr_length = 0;
  return code_of(answer.error()) == IFD_ICC_NOT_PRESENT ? IFD_ICC_NOT_PRESENT
                                                        : IFD_ERROR_POWER_ACTION;
}

/// Over T=0 a command has five header bytes at least; readers take case 1 without P3 as well.
Bytes with_p3(IfdReader& reader, ByteView command) {
  Bytes whole = kilt::copy_of(command);
  if (whole.size() == 4 && reader.protocol() == Protocol::t0) whole.push_back(0);
  return whole;
}

}  // namespace

extern "C" {

RESPONSECODE IFDHCreateChannelByName(DWORD lun, LPSTR device_name) try {
  if (device_name == nullptr || (lun & 0xFFFF) != 0) return IFD_NO_SUCH_DEVICE;
  auto source = kilt::apdu::source_of_device(device_name);
  if (!source) return IFD_NO_SUCH_DEVICE;
  // A simulated person at simulated keys: what they type (kilt-sim run --pinpad).
  const char* typed = ::secure_getenv("KILT_PINPAD");
  auto reader = std::make_shared<IfdReader>(std::move(source), typed != nullptr ? typed : "");
  const std::lock_guard lock(channels().mutex);
  channels().readers[lun] = std::move(reader);
  return IFD_SUCCESS;
} catch (...) {
  return IFD_COMMUNICATION_ERROR;
}

/// A channel number names no simulator and no token: DEVICENAME is needed.
RESPONSECODE IFDHCreateChannel(DWORD, DWORD) {
  return IFD_NO_SUCH_DEVICE;
}

RESPONSECODE IFDHCloseChannel(DWORD lun) {
  return with_reader(lun, [&](IfdReader& reader) -> RESPONSECODE {
    reader.stop_watching();
    reader.power_down();
    const std::lock_guard lock(channels().mutex);
    channels().readers.erase(lun);
    return IFD_SUCCESS;
  });
}

RESPONSECODE IFDHGetCapabilities(DWORD lun, DWORD tag, PDWORD length, PUCHAR value) {
  return with_reader(lun,
                     [&](IfdReader& reader) { return capability(reader, tag, length, value); });
}

RESPONSECODE IFDHSetCapabilities(DWORD lun, DWORD, DWORD, PUCHAR) {
  return with_reader(lun, [](IfdReader&) -> RESPONSECODE { return IFD_NOT_SUPPORTED; });
}

RESPONSECODE IFDHSetProtocolParameters(DWORD lun, DWORD protocol, UCHAR, UCHAR, UCHAR, UCHAR) {
  return with_reader(lun, [&](IfdReader& reader) -> RESPONSECODE {
    const auto spoken = reader.protocol();
    if (!spoken) return IFD_ICC_NOT_PRESENT;
    const DWORD wanted = *spoken == Protocol::t0 ? SCARD_PROTOCOL_T0 : SCARD_PROTOCOL_T1;
    return protocol == wanted ? IFD_SUCCESS : IFD_PROTOCOL_NOT_SUPPORTED;
  });
}

RESPONSECODE IFDHPowerICC(DWORD lun, DWORD action, PUCHAR atr, PDWORD atr_length) {
  return with_reader(lun,
                     [&](IfdReader& reader) { return power(reader, action, atr, atr_length); });
}

RESPONSECODE IFDHTransmitToICC(DWORD lun, SCARD_IO_HEADER send_pci, PUCHAR command,
                               DWORD command_length, PUCHAR answer, PDWORD answer_length,
                               PSCARD_IO_HEADER receive_pci) {
  const RESPONSECODE code = with_reader(lun, [&](IfdReader& reader) -> RESPONSECODE {
    if (command == nullptr || command_length < 4) return IFD_COMMUNICATION_ERROR;
    Bytes wire = with_p3(reader, {command, command_length});
    auto got = reader.transmit(wire);
    kilt::wipe(wire);  // it may hold a PIN
    if (!got) return code_of(got.error());
    if (receive_pci != nullptr) receive_pci->Protocol = send_pci.Protocol;
    return give(*got, answer, answer_length);
  });
  if (code != IFD_SUCCESS && answer_length != nullptr) *answer_length = 0;
  return code;
}

RESPONSECODE IFDHControl(DWORD lun, DWORD code, PUCHAR request, DWORD request_length, PUCHAR answer,
                         DWORD answer_room, LPDWORD answer_length) {
  return with_reader(lun, [&](IfdReader& reader) -> RESPONSECODE {
    if (answer_length == nullptr) return IFD_COMMUNICATION_ERROR;
    *answer_length = answer_room;
    if (code == CM_IOCTL_GET_FEATURE_REQUEST)
      return give(feature_list(reader), answer, answer_length);
    if (code == tlv_properties_code) {
      return give(tlv_properties(reader.limits()), answer, answer_length);
    }
    if (code == verify_pin_code && reader.has_pin_pad() && request != nullptr) {
      const auto got = reader.verify_on_pad({request, request_length});
      if (got) return give(*got, answer, answer_length);
      *answer_length = 0;
      return code_of(got.error());
    }
    *answer_length = 0;
    return IFD_ERROR_NOT_SUPPORTED;
  });
}

RESPONSECODE IFDHICCPresence(DWORD lun) {
  return with_reader(lun, [](IfdReader& reader) -> RESPONSECODE {
    return reader.present() ? IFD_ICC_PRESENT : IFD_ICC_NOT_PRESENT;
  });
}

}  // extern "C"
