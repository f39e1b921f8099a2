// SPDX-License-Identifier: Apache-2.0
// How a call between modules fails: a value or an Error with its chain of causes. No exceptions
// cross a module's edge.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <variant>

namespace kilt {

/// What a caller can do about a failure. One kind = one reaction; the text says the rest.
enum class ErrorKind {
  no_service,     ///< pcscd (or the simulator's socket) cannot be reached
  no_permission,  ///< it can be reached but refuses us
  no_reader,      ///< no reader of that name
  no_card,        ///< the reader is empty
  removed,        ///< the card or its reader went away; this connection is dead for good
  busy,           ///< held exclusively by another program
  transport,      ///< the exchange failed below the card (I/O, mute card)
  protocol,       ///< the card's answer makes no sense (truncated, oversized, wrong tag)
  timeout,
  cancelled,
  unknown_card,   ///< no driver takes this card
  unsupported,    ///< this card or driver cannot do that
  refused,        ///< kilt will not send this command to this reader (evidence guard)
  bad_argument,   ///< the caller's request contradicts itself or the card's limits
  bad_data,       ///< data handed in (certificate, key, file) cannot be parsed
  pin_incorrect,  ///< `tries_left` is set where the card tells
  pin_blocked,
  pin_length,     ///< too short or too long: not sent, no try spent
  pin_invalid,    ///< has characters that no PIN of this card has: likewise
  pin_last_try,   ///< would spend the last try; not sent
  pin_not_set,    ///< the card has no such PIN yet
  not_logged_in,  ///< the card asks for a login first
  access_denied,  ///< not even with a login
  not_found,
  exists,
  no_space,       ///< the card (or a directory file) is full
  key_mismatch,   ///< the certificate fits no key on the card
  verify_failed,  ///< a signature or a check value is wrong
  card_state,     ///< wrong life-cycle phase or order of commands
  internal,       ///< our own mistake
};

[[nodiscard]] const char* to_string(ErrorKind kind);

struct Error {
  ErrorKind kind = ErrorKind::internal;
  /// What failed, as a sentence without a full stop: "reading the certificate directory".
  std::string what;
  /// Status word that the card answered; 0 where no card spoke.
  std::uint16_t sw = 0;
  /// For pin_incorrect and pin_last_try: tries left, where known.
  std::optional<int> tries_left{};
  std::shared_ptr<const Error> cause{};

  /// This error as the cause of a larger one: same kind, status word and tries, wider sentence.
  [[nodiscard]] Error within(std::string what_failed) const {
    return {kind, std::move(what_failed), sw, tries_left, std::make_shared<const Error>(*this)};
  }
  /// One line: what, [6A82], then the causes after colons. Never holds a secret.
  [[nodiscard]] std::string message() const;
};

template <class T>
class [[nodiscard]] Result {
 public:
  Result(T value)
      : state_(std::in_place_index<0>, std::move(value)) {}  // NOLINT(google-explicit-constructor)
  Result(Error error)
      : state_(std::in_place_index<1>, std::move(error)) {}  // NOLINT(google-explicit-constructor)

  [[nodiscard]] bool ok() const { return state_.index() == 0; }
  explicit operator bool() const { return ok(); }

  [[nodiscard]] T& value() & { return std::get<0>(state_); }
  [[nodiscard]] const T& value() const& { return std::get<0>(state_); }
  [[nodiscard]] T&& value() && { return std::get<0>(std::move(state_)); }
  [[nodiscard]] T& operator*() & { return value(); }
  [[nodiscard]] const T& operator*() const& { return value(); }
  [[nodiscard]] T&& operator*() && { return std::move(*this).value(); }
  [[nodiscard]] T* operator->() { return &value(); }
  [[nodiscard]] const T* operator->() const { return &value(); }
  [[nodiscard]] const Error& error() const { return std::get<1>(state_); }
  [[nodiscard]] Error take_error() { return std::get<1>(std::move(state_)); }

 private:
  std::variant<T, Error> state_;
};

template <>
class [[nodiscard]] Result<void> {
 public:
  Result() = default;
  Result(Error error) : error_(std::move(error)) {}  // NOLINT(google-explicit-constructor)

  [[nodiscard]] bool ok() const { return !error_; }
  explicit operator bool() const { return ok(); }
  [[nodiscard]] const Error& error() const { return *error_; }
  [[nodiscard]] Error take_error() { return std::move(*error_); }

 private:
  std::optional<Error> error_;
};

using Status = Result<void>;

}  // namespace kilt
