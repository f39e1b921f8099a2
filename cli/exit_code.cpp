// SPDX-License-Identifier: Apache-2.0
#include "cli/exit_code.hpp"

#include <algorithm>
#include <iterator>

namespace kilt::cli {
namespace {

constexpr Explanation table[] = {
    {ErrorKind::no_service, ExitCode::no_service, "CKR_TOKEN_NOT_PRESENT",
     "The service that holds the readers cannot be reached",
     "Start it (`systemctl start pcscd.socket`), or check what KILT_READERS names."},
    {ErrorKind::no_permission, ExitCode::no_service, "CKR_TOKEN_NOT_PRESENT",
     "The service that holds the readers refuses this user",
     "Log in at the machine's own seat, or ask its administrator for the polkit rule in udev/."},
    {ErrorKind::no_reader, ExitCode::no_token, "CKR_TOKEN_NOT_PRESENT", "There is no such reader",
     "Plug the token or the reader in, then look with `kilt list`."},
    {ErrorKind::no_card, ExitCode::no_token, "CKR_TOKEN_NOT_PRESENT", "There is no such token",
     "Put the token or the card in, then look with `kilt list`."},
    {ErrorKind::removed, ExitCode::no_token, "CKR_DEVICE_REMOVED",
     "The token was taken out while it was in use",
     "Put it in again, see with `kilt info` what was done, and repeat the command."},
    {ErrorKind::busy, ExitCode::failure, "CKR_DEVICE_ERROR",
     "Another program holds the token for itself",
     "Close the other program (NCALayer, a browser, scdaemon), then try again."},
    {ErrorKind::transport, ExitCode::failure, "CKR_DEVICE_ERROR",
     "The exchange with the token failed",
     "Take the token out, put it in again, and repeat the command."},
    {ErrorKind::protocol, ExitCode::failure, "CKR_DEVICE_ERROR",
     "The token's answer makes no sense",
     "Record the exchange with `kilt trace record FILE` and report it."},
    {ErrorKind::timeout, ExitCode::failure, "CKR_DEVICE_ERROR", "The token did not answer in time",
     "Take the token out, put it in again, and repeat the command."},
    {ErrorKind::cancelled, ExitCode::failure, "CKR_FUNCTION_CANCELED", "It was cancelled",
     "Nothing has to be done."},
    {ErrorKind::unknown_card, ExitCode::unsupported, "CKR_TOKEN_NOT_RECOGNIZED",
     "kilt does not know this kind of card",
     "Record what it answers with `kilt trace record FILE` and report it."},
    {ErrorKind::unsupported, ExitCode::unsupported, "CKR_FUNCTION_NOT_SUPPORTED",
     "This token or kilt cannot do that", "See with `kilt info` what the token is."},
    {ErrorKind::refused, ExitCode::unsupported, "CKR_ACTION_PROHIBITED",
     "kilt does not send a command that nobody has vouched for to a real token",
     "List the token's serial, or its ATR where the serial is zeros (`kilt list --json` shows "
     "both), under allow_assumed in kilt.toml, and help by `kilt trace record FILE`."},
    {ErrorKind::bad_argument, ExitCode::usage, "CKR_DATA_INVALID",
     "The request cannot be carried out as it was made",
     "See `kilt --help` and the help of the command."},
    {ErrorKind::bad_data, ExitCode::failure, "CKR_ATTRIBUTE_VALUE_INVALID",
     "A file or value that was given cannot be used",
     "Check what was named: that it is there, is what it should be, and may be read or written."},
    {ErrorKind::pin_incorrect, ExitCode::pin_refused, "CKR_PIN_INCORRECT", "The PIN is wrong",
     "Check the PIN before the next try: `kilt pin status` shows how many are left, where the "
     "token tells."},
    {ErrorKind::pin_blocked, ExitCode::pin_locked, "CKR_PIN_LOCKED", "The PIN is blocked",
     "Unblock the user PIN with the security officer's PIN: `kilt pin unblock`."},
    {ErrorKind::pin_length, ExitCode::pin_refused, "CKR_PIN_LEN_RANGE",
     "The PIN is too short or too long, so it was not sent and no try was spent",
     "See `kilt pin status` for the lengths that the token takes."},
    {ErrorKind::pin_invalid, ExitCode::pin_refused, "CKR_PIN_INVALID",
     "The PIN holds characters that no PIN of this token has, so it was not sent and no try was "
     "spent",
     "Check the keyboard's layout, and that no blank was typed or copied along."},
    {ErrorKind::pin_last_try, ExitCode::pin_refused, "CKR_FUNCTION_FAILED",
     "This may be the last try, so the PIN was not sent",
     "If you are sure of the PIN, repeat the command with --spend-last-try. Where nobody counts "
     "wrong PINs, kilt does so once XDG_DATA_HOME names a directory of yours."},
    {ErrorKind::pin_not_set, ExitCode::failure, "CKR_USER_PIN_NOT_INITIALIZED",
     "The token has no such PIN yet",
     "Set the user PIN with the security officer's PIN: `kilt pin unblock`."},
    {ErrorKind::not_logged_in, ExitCode::failure, "CKR_USER_NOT_LOGGED_IN",
     "The token asks for a PIN first", "Repeat the command."},
    {ErrorKind::access_denied, ExitCode::failure, "CKR_ACTION_PROHIBITED",
     "The token does not allow that, not even with this PIN",
     "See with `kilt info` what the token holds and who may change it."},
    {ErrorKind::not_found, ExitCode::failure, "CKR_OBJECT_HANDLE_INVALID",
     "There is no such object on the token", "See with `kilt info` what the token holds."},
    {ErrorKind::exists, ExitCode::failure, "CKR_TEMPLATE_INCONSISTENT",
     "Such an object is on the token already",
     "Choose another label or id, or delete the old object first."},
    {ErrorKind::no_space, ExitCode::failure, "CKR_DEVICE_MEMORY", "The token is full",
     "Delete keys or certificates that are no longer used, then try again."},
    {ErrorKind::key_mismatch, ExitCode::failure, "CKR_TEMPLATE_INCONSISTENT",
     "The certificate fits no key on the token",
     "Check that it was issued for this token, or install it with --without-key."},
    {ErrorKind::verify_failed, ExitCode::verification_failed, "CKR_SIGNATURE_INVALID",
     "The signature is wrong",
     "Check that the document, the key and the mechanism are those of the signature."},
    {ErrorKind::card_state, ExitCode::failure, "CKR_DEVICE_ERROR",
     "The token is not in a state in which it can do that",
     "See with `kilt info` what state the token is in."},
    {ErrorKind::internal, ExitCode::failure, "CKR_GENERAL_ERROR", "kilt made a mistake",
     "Repeat the command with -v and report what it prints."},
};

}  // namespace

const Explanation& explain(ErrorKind kind) {
  const auto* found = std::find_if(std::begin(table), std::end(table),
                                   [&](const Explanation& row) { return row.kind == kind; });
  return found != std::end(table) ? *found : *std::prev(std::end(table));
}

const Explanation& explain(const Error& error) {
  const bool card_said_so = error.kind == ErrorKind::bad_argument && error.sw != 0;
  return explain(card_said_so ? ErrorKind::protocol : error.kind);
}

}  // namespace kilt::cli
