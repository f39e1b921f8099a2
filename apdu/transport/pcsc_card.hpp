// SPDX-License-Identifier: Apache-2.0
// One connection to a card through pcscd.
#pragma once

#include <reader.h>
#include <winscard.h>

#include <array>
#include <memory>
#include <new>
#include <string>

#include "apdu/transport/pcsc_service.hpp"
#include "apdu/transport/transport.hpp"

namespace kilt::apdu {

/// Case 4 with a body of 65535 bytes, and an answer of 65536 [7816-4 §5.3.2].
inline constexpr std::size_t longest_extended = 4 + 3 + 65535 + 2;

/// Shared connection in a context of its own, so that a long command here holds up nobody else.
class PcscCard : public Transport {
 public:
  /// Errors: no_reader, no_card, busy (held exclusively), transport (mute card), no_service,
  /// no_permission. Blocks while another program is inside a transaction: SCardConnect does.
  static Result<std::unique_ptr<Transport>> connect(const std::shared_ptr<PcscService>& service,
                                                    const std::string& name,
                                                    const std::string& shown_as);
  ~PcscCard() override;

  [[nodiscard]] const std::string& reader() const override { return shown_as_; }
  [[nodiscard]] ByteView atr() const override { return state_.atr; }
  [[nodiscard]] Protocol protocol() const override {
    return active_ == SCARD_PROTOCOL_T0 ? Protocol::t0 : Protocol::t1;
  }
  [[nodiscard]] Limits limits() const override { return limits_; }
  [[nodiscard]] bool is_simulated() const override { return state_.simulated; }
  Result<Bytes> transmit(ByteView command) override;
  [[nodiscard]] bool has_pin_pad() const override { return verify_on_pad_ != 0; }
  Result<Bytes> transmit_from_pad(ByteView command, const PinEntry& entry) override;
  Status reset() override;
  Result<std::uint64_t> begin() override;
  void end() override;
  void set_leave(Leave leave) override { leave_ = leave; }
  /// Leaks the context: libpcsclite has no way to forget one without telling pcscd.
  void abandon() override {
    if (context_) context_->abandon();
    card_ = 0;
  }

 private:
  PcscCard(std::shared_ptr<PcscService> service, PcscContext context, std::string shown_as,
           ReaderState state)
      : service_(std::move(service)),
        context_(std::move(context)),
        shown_as_(std::move(shown_as)),
        state_(std::move(state)) {}
  LONG open();
  void read_features();
  [[nodiscard]] Bytes ask_reader(DWORD control) const;
  [[nodiscard]] Limits limits_by(ByteView properties_control) const;
  Error failure(LONG code, const char* doing);
  Error gone();
  Error service_gone(const char* doing);
  [[nodiscard]] bool same_card_is_in() const;
  [[nodiscard]] bool card_leaves_soon() const;
  Status reconnect_after_reset();

  static constexpr DWORD either_protocol = SCARD_PROTOCOL_T0 | SCARD_PROTOCOL_T1;

  std::shared_ptr<PcscService> service_;
  std::optional<PcscContext> context_;
  std::string shown_as_;
  ReaderState state_;  ///< as it was when the card was connected
  SCARDHANDLE card_ = 0;
  DWORD active_ = 0;
  Limits limits_;
  DWORD verify_on_pad_ = 0;  ///< the reader's control code; none: it has no pad
  Bytes answer_;
  std::uint64_t epoch_ = 1;
  Leave leave_ = Leave::as_it_is;
  bool locked_ = false;
};

// ---- opening and closing ---------------------------------------------------------------------

inline Result<std::unique_ptr<Transport>> PcscCard::connect(
    const std::shared_ptr<PcscService>& service, const std::string& name,
    const std::string& shown_as) {
  LONG code = SCARD_S_SUCCESS;
  // Once more if pcscd was started anew, or the card was changed, while we connected.
  for (int attempt = 0; attempt < 3; ++attempt) {
    auto state = service->reader(name);
    if (!state) return state.take_error();
    if (!state->present) return Error{ErrorKind::no_card, "no card is in " + shown_as};
    auto context = PcscContext::establish();
    if (!context) return context.take_error();
    std::unique_ptr<PcscCard> card(new PcscCard(service, std::move(*context), shown_as, *state));
    code = card->open();
    if (code == SCARD_S_SUCCESS) {
      if (!card->same_card_is_in()) continue;
      card->read_features();
      return std::unique_ptr<Transport>(std::move(card));
    }
    if (!service_lost(code)) break;
  }
  const std::string why = shown_as + ": " + pcsc_text(code);
  switch (code) {
    case SCARD_E_UNKNOWN_READER:
    case SCARD_E_READER_UNAVAILABLE:
      return Error{ErrorKind::no_reader, "there is no reader " + why};
    case SCARD_S_SUCCESS:
    case SCARD_E_NO_SMARTCARD:
    case SCARD_W_REMOVED_CARD:
      return Error{ErrorKind::no_card, "no card is in " + why};
    case SCARD_E_SHARING_VIOLATION:
      return Error{ErrorKind::busy, "another program holds the card for itself in " + why};
    case SCARD_W_UNPOWERED_CARD:
    case SCARD_W_UNRESPONSIVE_CARD:
      return Error{ErrorKind::transport, "the card does not answer (clean it, turn it) in " + why};
    default:
      return Error{service_lost(code) ? ErrorKind::no_service : ErrorKind::transport,
                   "connecting to the card in " + why};
  }
}

inline LONG PcscCard::open() {
  return SCardConnect(context_->get(), state_.name.c_str(), SCARD_SHARE_SHARED, either_protocol,
                      &card_, &active_);
}

/// What the reader answers to a control code; empty if it does not.
inline Bytes PcscCard::ask_reader(DWORD control) const {
  std::array<std::uint8_t, 256> buffer{};
  DWORD size = 0;
  const LONG code = SCardControl(card_, control, nullptr, 0, buffer.data(), buffer.size(), &size);
  if (code != SCARD_S_SUCCESS || size > buffer.size()) return {};
  return {buffer.begin(), buffer.begin() + static_cast<std::ptrdiff_t>(size)};
}

/// In a list of tag, length, value with one-byte lengths [PC/SC part 10 §2.2, §2.6.14].
inline ByteView find_feature(ByteView list, std::uint8_t tag) {
  while (list.size() >= 2 && list.size() - 2 >= list[1]) {
    const ByteView value = list.subspan(2, list[1]);
    if (list[0] == tag) return value;
    list = list.subspan(2 + value.size());
  }
  return {};
}

/// Control codes are big-endian; 0: the reader has not this feature.
inline DWORD control_code(ByteView value) {
  if (value.size() != 4) return 0;
  return static_cast<DWORD>(value[0]) << 24 | static_cast<DWORD>(value[1]) << 16 |
         static_cast<DWORD>(value[2]) << 8 | value[3];
}

inline void PcscCard::read_features() {
  const Bytes features = ask_reader(CM_IOCTL_GET_FEATURE_REQUEST);
  verify_on_pad_ = control_code(find_feature(features, FEATURE_VERIFY_PIN_DIRECT));
  limits_ = limits_by(find_feature(features, FEATURE_GET_TLV_PROPERTIES));
}

/// Extended APDUs only where the reader says how long they may be [PC/SC part 10 §2.6.14]; over
/// T=0 they would need ENVELOPE, which no card here has.
inline Limits PcscCard::limits_by(ByteView properties_control) const {
  if (active_ != SCARD_PROTOCOL_T1) return {};
  Limits silent;
  silent.silent = true;
  const DWORD code = control_code(properties_control);
  if (code == 0) return silent;
  const Bytes properties = ask_reader(code);
  const ByteView size = find_feature(properties, PCSCv2_PART10_PROPERTY_dwMaxAPDUDataSize);
  if (size.size() != 4) return silent;
  const std::size_t data = std::size_t{size[3]} << 24 | std::size_t{size[2]} << 16 |
                           std::size_t{size[1]} << 8 | size[0];  // little-endian
  if (data <= 256) return {};
  Limits limits;
  limits.extended = true;
  limits.max_command = 4 + 3 + std::min<std::size_t>(data, 65535) + 2;
  limits.max_response = std::min<std::size_t>(data, 65536) + 2;
  return limits;
}

inline PcscCard::~PcscCard() {
  if (service_->inherited()) {
    // Its lock may be held by a thread of the parent, its context is the parent's.
    (void)new (std::nothrow) std::shared_ptr<PcscService>(std::move(service_));
    return;
  }
  if (card_ == 0) return;
  end();
  // Leaving the card as it is needs no SCardDisconnect: releasing the context does it, and does
  // not walk libpcsclite's list of contexts without a lock.
  if (leave_ == Leave::reset && card_ != 0) SCardDisconnect(card_, SCARD_RESET_CARD);
}

// ---- failures --------------------------------------------------------------------------------

inline Error PcscCard::gone() {
  if (card_ != 0) service_->note_removed(state_.name, state_.insertions);
  card_ = 0;
  locked_ = false;
  context_.reset();
  return {ErrorKind::removed, "the card or its reader was taken out"};
}

/// The card may be in still, but this connection is as dead as if it were not.
inline Error PcscCard::service_gone(const char* doing) {
  static_cast<void>(gone());
  return {ErrorKind::no_service, std::string(doing) + ": pcscd stopped in the middle"};
}

inline bool PcscCard::same_card_is_in() const {
  const auto now = service_->reader(state_.name);
  return now && now->present && now->insertions == state_.insertions && now->atr == state_.atr;
}

/// pcscd looks for cards every 0.4 s, drivers report a failed exchange at once.
inline bool PcscCard::card_leaves_soon() const {
  const auto deadline = deadline_after(std::chrono::milliseconds(1000));
  while (same_card_is_in()) {
    if (Clock::now() >= deadline) return false;
    ::poll(nullptr, 0, 25);
  }
  return true;
}

/// One error for one event, whatever the stack below calls it [facts sim-transport §5].
inline Error PcscCard::failure(LONG code, const char* doing) {
  switch (code) {
    case SCARD_W_REMOVED_CARD:
    case SCARD_E_NO_SMARTCARD:
    case SCARD_E_READER_UNAVAILABLE:
    case SCARD_E_UNKNOWN_READER:
    case SCARD_E_NO_READERS_AVAILABLE:
    case SCARD_E_INVALID_VALUE:
      return gone();
    case SCARD_E_SHARING_VIOLATION:
      return {ErrorKind::busy, std::string(doing) + ": another program holds the card for itself"};
    case SCARD_W_RESET_CARD:
      // begin() or end() reconnects; a command must not be repeated on a card that forgot where
      // it was.
      return {ErrorKind::transport,
              std::string(doing) + ": another program has reset the card; begin again"};
    case SCARD_E_INSUFFICIENT_BUFFER:
      return {ErrorKind::protocol, std::string(doing) + ": the card's answer is too long"};
    case SCARD_E_TIMEOUT:
      return {ErrorKind::timeout, std::string(doing) + ": no answer in time"};
    default:
      break;
  }
  if (service_lost(code)) return service_gone(doing);
  if (card_leaves_soon()) return gone();
  return {ErrorKind::transport, std::string(doing) + ": " + pcsc_text(code)};
}

// ---- the card --------------------------------------------------------------------------------

inline Result<Bytes> PcscCard::transmit(ByteView command) {
  if (card_ == 0) return gone();
  const std::size_t longest = limits_.silent ? longest_extended : limits_.max_command;
  if (command.size() < 4 || command.size() > longest)
    return Error{ErrorKind::bad_argument, "a command of " + std::to_string(command.size()) +
                                              " bytes; this reader takes 4 to " +
                                              std::to_string(longest)};
  answer_.resize(limits_.silent ? longest_extended : limits_.max_response);
  DWORD size = static_cast<DWORD>(answer_.size());
  const SCARD_IO_REQUEST pci{active_, sizeof(SCARD_IO_REQUEST)};
  const LONG code = SCardTransmit(card_, &pci, command.data(), static_cast<DWORD>(command.size()),
                                  nullptr, answer_.data(), &size);
  if (code != SCARD_S_SUCCESS) return failure(code, "exchanging an APDU");
  // Quirk: vpcd answers with success and no byte when its card is pulled in the middle.
  if (size == 0 && card_leaves_soon()) return gone();
  if (size < 2 || size > answer_.size())
    return Error{ErrorKind::protocol, "the card's answer has " + std::to_string(size) + " bytes"};
  Bytes answer(answer_.begin(), answer_.begin() + static_cast<std::ptrdiff_t>(size));
  // A deciphered secret must not stay behind in the buffer.
  wipe(std::span(answer_).first(size));
  return answer;
}

inline Result<Bytes> PcscCard::transmit_from_pad(ByteView command, const PinEntry& entry) {
  if (card_ == 0) return gone();
  if (verify_on_pad_ == 0) return Transport::transmit_from_pad(command, entry);
  const Bytes structure = pin_verify_structure(command, entry);
  Bytes answer(258);
  DWORD size = 0;
  const LONG code =
      SCardControl(card_, verify_on_pad_, structure.data(), static_cast<DWORD>(structure.size()),
                   answer.data(), static_cast<DWORD>(answer.size()), &size);
  if (code != SCARD_S_SUCCESS) return failure(code, "waiting for a PIN on the reader's keys");
  if (size < 2 || size > answer.size())
    return Error{ErrorKind::protocol, "the reader answers nothing to a PIN on its keys"};
  answer.resize(size);
  return answer;
}

inline Status PcscCard::reset() {
  if (card_ == 0) return gone();
  const LONG code =
      SCardReconnect(card_, SCARD_SHARE_SHARED, either_protocol, SCARD_RESET_CARD, &active_);
  ++epoch_;
  if (code != SCARD_S_SUCCESS) return failure(code, "resetting the card");
  return {};
}

inline Status PcscCard::reconnect_after_reset() {
  const LONG code =
      SCardReconnect(card_, SCARD_SHARE_SHARED, either_protocol, SCARD_LEAVE_CARD, &active_);
  if (code != SCARD_S_SUCCESS) return failure(code, "reconnecting to the card");
  ++epoch_;
  // pcscd keeps one event for each connection. A reset of the next card by its next user covers
  // up that ours was removed.
  if (!same_card_is_in()) return gone();
  return {};
}

inline Result<std::uint64_t> PcscCard::begin() {
  if (card_ == 0) return gone();
  for (int attempt = 0; attempt < 8; ++attempt) {
    const LONG code = SCardBeginTransaction(card_);
    if (code == SCARD_S_SUCCESS) {
      locked_ = true;
      return epoch_;
    }
    if (code != SCARD_W_RESET_CARD) return failure(code, "beginning a transaction");
    if (auto back = reconnect_after_reset(); !back) return back.take_error();
  }
  return Error{ErrorKind::busy, "another program resets the card again and again"};
}

inline void PcscCard::end() {
  if (!std::exchange(locked_, false) || card_ == 0) return;
  // A transaction that an outside event (power) has reset is not ended before it is acknowledged.
  if (SCardEndTransaction(card_, SCARD_LEAVE_CARD) == SCARD_W_RESET_CARD && reconnect_after_reset())
    SCardEndTransaction(card_, SCARD_LEAVE_CARD);
}

}  // namespace kilt::apdu
