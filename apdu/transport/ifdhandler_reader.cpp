// SPDX-License-Identifier: Apache-2.0
#include "apdu/transport/ifdhandler_reader.hpp"

#include <string_view>
#include <utility>

namespace kilt::apdu {

std::unique_ptr<ReaderSource> source_of_device(const std::string& device_name) {
  static constexpr std::string_view socket = "socket:";
  if (device_name.starts_with(socket) && device_name.size() > socket.size()) {
    return make_socket_source(device_name.substr(socket.size()));
  }
  return nullptr;
}

std::vector<ReaderState> IfdReader::states() {
  auto found = source_->states();
  if (!found) return {};
  if (found->size() > 1) found->resize(1);
  return std::move(*found);
}

bool IfdReader::present() {
  std::vector<ReaderState> now = states();
  const std::lock_guard lock(watch_mutex_);
  const bool was_in = !reported_.empty() && reported_[0].present;
  const bool is_in = !now.empty() && now[0].present;
  const bool exchanged = was_in && is_in && now[0].insertions != reported_[0].insertions;
  if (exchanged) now[0].present = false;
  reported_ = std::move(now);
  return is_in && !exchanged;
}

Status IfdReader::watch(std::chrono::milliseconds timeout) {
  std::vector<ReaderState> known;
  std::shared_ptr<WakeFlag> stop;
  {
    const std::lock_guard lock(watch_mutex_);
    known = reported_;
    stop = stop_;
  }
  auto watched = source_->wait_or_stop(known, timeout, *stop);
  const std::lock_guard lock(watch_mutex_);
  // A flag stays raised for good; the next watch gets another.
  if (stop->raised() && stop == stop_) stop_ = std::make_shared<WakeFlag>();
  return watched;
}

void IfdReader::stop_watching() {
  const std::lock_guard lock(watch_mutex_);
  stop_->raise();
  source_->nudge();
}

Result<Bytes> IfdReader::connect() {
  card_.reset();
  const std::vector<ReaderState> now = states();
  if (now.empty() || !now[0].present) return Error{ErrorKind::no_card, "the reader is empty"};
  auto connected = source_->connect(now[0].name);
  if (!connected) return connected.take_error();
  card_ = std::move(*connected);
  card_insertions_ = now[0].insertions;
  limits_ = card_->limits();
  return copy_of(card_->atr());
}

Result<Bytes> IfdReader::power_up() {
  const std::lock_guard lock(card_mutex_);
  if (card_) {
    const std::vector<ReaderState> now = states();
    if (!now.empty() && now[0].present && now[0].insertions == card_insertions_) {
      return copy_of(card_->atr());
    }
  }
  return connect();
}

Result<Bytes> IfdReader::reset() {
  const std::lock_guard lock(card_mutex_);
  if (!card_) return connect();
  auto done = card_->reset();
  if (done) return copy_of(card_->atr());
  if (done.error().kind == ErrorKind::removed) return connect();
  return done.take_error();
}

void IfdReader::power_down() {
  const std::lock_guard lock(card_mutex_);
  if (card_) card_->set_leave(Leave::reset);
  card_.reset();
}

Result<Bytes> IfdReader::transmit(ByteView command) {
  const std::lock_guard lock(card_mutex_);
  if (!card_) return Error{ErrorKind::removed, "the card was not powered up since it was put in"};
  if (command.size() > card_->limits().max_command) {
    return Error{ErrorKind::bad_argument, "the command is longer than the reader lets through"};
  }
  auto answer = card_->transmit(command);
  if (!answer && answer.error().kind == ErrorKind::removed) card_.reset();
  return answer;
}

bool IfdReader::powered() {
  const std::lock_guard lock(card_mutex_);
  return card_ != nullptr;
}

Bytes IfdReader::atr() {
  const std::lock_guard lock(card_mutex_);
  return card_ ? copy_of(card_->atr()) : Bytes{};
}

std::optional<Protocol> IfdReader::protocol() {
  const std::lock_guard lock(card_mutex_);
  if (!card_) return std::nullopt;
  return card_->protocol();
}

Limits IfdReader::limits() {
  const std::lock_guard lock(card_mutex_);
  return limits_;
}

Result<Bytes> IfdReader::verify_on_pad(ByteView structure) {
  const auto own_answer = [](std::uint16_t status) {
    Bytes answer;
    append_be16(answer, status);
    return answer;
  };
  auto asked = parse_pin_verify_structure(structure);
  if (!asked) return asked.take_error();
  if (typed_ == "cancel") return own_answer(pad_status::cancelled);
  if (typed_ == "nothing") return own_answer(pad_status::timed_out);
  const auto command = command_with_pin(*asked, as_bytes(typed_));
  if (!command) return own_answer(pad_status::wrong_length);
  return transmit(command->view());
}

}  // namespace kilt::apdu
