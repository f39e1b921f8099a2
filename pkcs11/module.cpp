// SPDX-License-Identifier: Apache-2.0
#include "pkcs11/module.hpp"

#include <vector>

namespace kilt::p11 {

Module::Module(card::Config config, const Locking& locking, std::unique_ptr<apdu::Readers> readers,
               std::unique_ptr<apdu::Recorder> recorder, SlotNumbers& numbers)
    : around_{std::move(config), locking, readers.get(), recorder.get(), &next_object_},
      readers_(std::move(readers)),
      recorder_(std::move(recorder)),
      slots_(around_, numbers),
      table_(locking) {}

CK_RV Module::open_session(CK_SLOT_ID id, CK_FLAGS flags, CK_SESSION_HANDLE& out) {
  if (!(flags & CKF_SERIAL_SESSION)) return CKR_SESSION_PARALLEL_NOT_SUPPORTED;
  slots_.refresh(false);
  const auto slot = slots_.find(id);
  if (!slot) return CKR_SLOT_ID_INVALID;
  std::shared_ptr<Token> token;
  if (const CK_RV rv = slot->token(token); rv != CKR_OK) return rv;
  const bool read_write = flags & CKF_RW_SESSION;
  if (const CK_RV rv = token->enter(read_write); rv != CKR_OK) return rv;
  const CK_SESSION_HANDLE handle = next_session_++;
  auto session =
      std::make_shared<Session>(handle, id, std::move(token), read_write, around_.locking);
  const Guard lock(table_);
  sessions_.emplace(handle, std::move(session));
  out = handle;
  return CKR_OK;
}

std::shared_ptr<Session> Module::lookup(CK_SESSION_HANDLE handle) const {
  const Guard lock(table_);
  const auto found = sessions_.find(handle);
  return found == sessions_.end() ? nullptr : found->second;
}

CK_RV Module::session(CK_SESSION_HANDLE handle, bool look, std::shared_ptr<Session>& out) {
  auto session = lookup(handle);
  if (!session) return CKR_SESSION_HANDLE_INVALID;
  const auto& token = session->token();
  if (look && !token->gone()) slots_.refresh(false);
  if (!token->gone()) {
    out = std::move(session);
    return CKR_OK;
  }
  // [P11 3.1 §5.6.1] a removal closes every session with the token. Whoever noticed it, one call
  // with such a session says so.
  drop_sessions_of(token);
  return token->tell_removal() ? CKR_DEVICE_REMOVED : CKR_SESSION_HANDLE_INVALID;
}

void Module::drop_sessions_of(const std::shared_ptr<Token>& token) {
  std::vector<std::shared_ptr<Session>> dropped;  // ended after the lock
  {
    const Guard lock(table_);
    for (auto it = sessions_.begin(); it != sessions_.end();) {
      if (it->second->token() == token) {
        dropped.push_back(std::move(it->second));
        it = sessions_.erase(it);
      } else {
        ++it;
      }
    }
  }
  for (const auto& session : dropped)
    session->close();
}

CK_RV Module::close_session(CK_SESSION_HANDLE handle) {
  std::shared_ptr<Session> session;
  {
    const Guard lock(table_);
    const auto found = sessions_.find(handle);
    if (found == sessions_.end()) return CKR_SESSION_HANDLE_INVALID;
    session = std::move(found->second);
    sessions_.erase(found);
  }
  session->close();
  return CKR_OK;
}

CK_RV Module::close_all_sessions(CK_SLOT_ID id) {
  slots_.refresh(false);
  const auto slot = slots_.find(id);
  if (!slot) return CKR_SLOT_ID_INVALID;
  if (const auto token = slot->known_token()) drop_sessions_of(token);
  return slot->state().present ? CKR_OK : CKR_TOKEN_NOT_PRESENT;
}

void Module::shut_down() {
  slots_.cancel();
  for (const auto& slot : slots_.all()) {
    if (const auto token = slot->known_token()) token->close();
  }
  std::map<CK_SESSION_HANDLE, std::shared_ptr<Session>> sessions;
  const Guard lock(table_);
  sessions.swap(sessions_);
}

void Module::abandon() {
  slots_.abandon();
  readers_->abandon();
}

}  // namespace kilt::p11
