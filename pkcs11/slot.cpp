// SPDX-License-Identifier: Apache-2.0
#include "pkcs11/slot.hpp"

#include <algorithm>

#include "drivers/registry.hpp"
#include "pkcs11/error_map.hpp"
#include "pkcs11/log.hpp"
#include "pkcs11/padded.hpp"

namespace kilt::p11 {

CK_SLOT_ID SlotNumbers::number(const std::string& description) {
  const std::lock_guard<std::mutex> lock(mutex_);
  // Counted from 0, so far below 2^31, which is all that Java's client can hold.
  return numbers_.emplace(description, static_cast<CK_SLOT_ID>(numbers_.size())).first->second;
}

void SlotNumbers::inherit(SlotNumbers& parents) {
  const std::unique_lock<std::mutex> theirs(parents.mutex_, std::try_to_lock);
  if (!theirs) return;
  const std::lock_guard<std::mutex> lock(mutex_);
  numbers_ = parents.numbers_;
}

std::string Slot::describe(const std::string& reader, const Seat& seat) {
  return seat.name.empty() ? reader : reader + " (" + seat.name + ")";
}

Slot::Slot(CK_SLOT_ID number, const Surroundings& around, apdu::ReaderState state, Seat seat)
    : id_(number),
      reader_(state.name),
      seat_(std::move(seat)),
      around_(around),
      identifying_(around.locking),
      table_(around.locking),
      state_(std::move(state)) {}

apdu::ReaderState Slot::state() const {
  const Guard lock(table_);
  return state_;
}

void Slot::update(const apdu::ReaderState& state) {
  std::shared_ptr<Token> out;  // given up after the lock, for its end may log out
  const Guard lock(table_);
  state_ = state;
  if (!token_ || (state.present && state.insertions == token_->insertions())) return;
  token_->mark_gone();
  out.swap(token_);
}

std::shared_ptr<Token> Slot::known_token() const {
  const Guard lock(table_);
  if (token_ && token_->gone()) return nullptr;
  return token_;
}

CK_RV Slot::token(std::shared_ptr<Token>& out) {
  out = known_token();
  if (out) return CKR_OK;
  const Guard lock(identifying_);
  out = known_token();
  if (out) return CKR_OK;
  const auto now = state();
  if (!now.present) return CKR_TOKEN_NOT_PRESENT;
  if (unknown_ == now.insertions) return CKR_TOKEN_NOT_RECOGNIZED;
  return identify(now, out);
}

CK_RV Slot::identify(const apdu::ReaderState& state, std::shared_ptr<Token>& out) {
  auto transport = around_.readers->connect(reader_);
  if (!transport) return report(transport.error().within("connecting to " + reader_));
  auto card =
      card::identify(*std::move(transport), around_.recorder, seat_.index, card::LookFor::tokens);
  if (!card) {
    if (card.error().kind == ErrorKind::unknown_card) unknown_ = state.insertions;
    return report(card.error().within("looking at the card in " + reader_));
  }
  const auto& config = around_.config;
  auto token =
      std::make_shared<Token>(*std::move(card), PinPolicy{config.pin_cache, config.spend_last_try},
                              around_.locking, state.insertions, *around_.handles);
  if (const CK_RV rv = token->permit(config); rv != CKR_OK) return rv;
  log(LogLevel::info, "slot " + std::to_string(id_) + ": " + token->model().name);
  const Guard lock(table_);
  token_ = token;
  out = std::move(token);
  return CKR_OK;
}

std::vector<Seat> Slot::further_seats() {
  const auto now = state();
  if (!now.present) return {};
  const auto drivers = card::candidates(now.atr);
  const bool may_be_several = std::any_of(
      drivers.begin(), drivers.end(), [](auto* driver) { return driver->applications != nullptr; });
  std::shared_ptr<Token> token;
  if (!may_be_several || this->token(token) != CKR_OK) return {};
  std::vector<Seat> seats;
  std::size_t index = 0;
  for (const auto& application : token->applications()) {
    if (application.usable && index++ > 0) seats.push_back({index - 1, application.name});
  }
  return seats;
}

CK_RV Slot::model(const card::CardModel*& out) {
  if (const auto known = known_token()) {
    out = &known->model();
    return CKR_OK;
  }
  const auto now = state();
  if (!now.present) return CKR_TOKEN_NOT_PRESENT;
  const auto drivers = card::candidates(now.atr);
  if (drivers.size() == 1 && drivers[0]->probe == nullptr && drivers[0]->applications == nullptr) {
    out = &drivers[0]->model();
    return CKR_OK;
  }
  std::shared_ptr<Token> token;
  if (const CK_RV rv = this->token(token); rv != CKR_OK) return rv;
  out = &token->model();
  return CKR_OK;
}

void Slot::info(CK_SLOT_INFO& out) const {
  const auto now = state();
  out = {};
  pad(out.slotDescription, describe(reader_, seat_));
  pad(out.manufacturerID, "kilt");
  out.flags = CKF_REMOVABLE_DEVICE;
  if (!now.simulated) out.flags |= CKF_HW_SLOT;
  if (now.present) out.flags |= CKF_TOKEN_PRESENT;
}

void Slot::abandon() {
  if (table_.try_lock_after_fork() && token_) token_->abandon();
}

}  // namespace kilt::p11
