// SPDX-License-Identifier: Apache-2.0
// Beginning an operation with a key, and signing: the straight line of C_Sign.
#include "pkcs11/error_map.hpp"
#include "pkcs11/session.hpp"

namespace kilt::p11 {
namespace {

bool permits(const card::KeyUsage& usage, Use use) {
  switch (use) {
    case Use::sign:
    case Use::verify:
      return usage.sign;
    case Use::sign_recover:
    case Use::verify_recover:
      return usage.sign_recover;
    case Use::encrypt:
    case Use::decrypt:
      return usage.decrypt;
  }
  return false;
}

bool needs_private_key(Use use) {
  return use == Use::sign || use == Use::sign_recover || use == Use::decrypt;
}

}  // namespace

/// Fills in key and preparation from the object, without card I/O for a private key that is not
/// suspected.
CK_RV Session::find_key(Use use, CK_OBJECT_HANDLE key, const CK_MECHANISM* mechanism,
                        Operation& out) {
  return token_->with_objects([&](ObjectStore& objects) -> CK_RV {
    if (auto sure = objects.recheck_keys(); !sure) return report(sure.error());
    Object* object = objects.find(key);
    if (object == nullptr || !object->is_key()) return CKR_KEY_HANDLE_INVALID;
    const auto begin = [&](const auto& info) -> CK_RV {
      if (!permits(info.usage, use)) return CKR_KEY_FUNCTION_NOT_PERMITTED;
      return check_mechanism(token_->model(), mechanism, flag_of(use), {info.type, info.bits},
                             out.preparation);
    };
    if (needs_private_key(use)) {
      const auto* info = std::get_if<card::KeyInfo>(&object->info);
      if (info == nullptr) return CKR_KEY_TYPE_INCONSISTENT;
      if (const CK_RV rv = begin(*info); rv != CKR_OK) return rv;
      out.unconfirmed = info->always_authenticate;
      out.login = token_->login_number();
      auto known = *info;
      if (const auto* seen = object->seen_key()) {
        known.value = *seen;
      } else if (const auto* shown = objects.shown_key(*object)) {
        out.shown = *shown;
        out.resets = objects.resets();
      }
      out.key = std::move(known);
      out.object = key;
      return CKR_OK;
    }
    const auto* info = std::get_if<card::PublicKeyInfo>(&object->info);
    if (info == nullptr) return CKR_KEY_TYPE_INCONSISTENT;
    if (const CK_RV rv = begin(*info); rv != CKR_OK) return rv;
    const auto loaded = objects.load(key, Need::body);
    if (!loaded) return report(loaded.error());
    out.key = *(*loaded)->public_key;
    return CKR_OK;
  });
}

CK_RV Session::begin(Use use, const CK_MECHANISM* mechanism, CK_OBJECT_HANDLE key) {
  const Guard lock(mutex_);
  end_operations_of_old_logins();
  auto& place = operations_[static_cast<std::size_t>(use)];
  if (mechanism == nullptr) {
    if (!place) return CKR_ARGUMENTS_BAD;
    place.reset();
    return CKR_OK;
  }
  if (place) return CKR_OPERATION_ACTIVE;
  Operation operation;
  if (const CK_RV rv = find_key(use, key, mechanism, operation); rv != CKR_OK) return rv;
  if (const auto kind = operation.preparation.digest()) operation.digester.emplace(*kind);
  place = std::move(operation);
  return CKR_OK;
}

void Session::end_operations_of_old_logins() {
  for (auto& operation : operations_) {
    if (!operation || !std::holds_alternative<card::KeyInfo>(operation->key)) continue;
    if (operation->login != token_->login_number()) operation.reset();
  }
}

Operation* Session::active(Use use, bool one_shot) {
  end_operations_of_old_logins();
  auto& place = operations_[static_cast<std::size_t>(use)];
  if (!place || (one_shot && place->multi_part)) return nullptr;
  return &*place;
}

CK_RV Session::update(Use use, ByteView part) {
  const Guard lock(mutex_);
  Operation* operation = active(use, false);
  if (operation == nullptr) return CKR_OPERATION_NOT_INITIALIZED;
  const CK_RV rv = operation->gather(part, flag_of(use));
  if (rv != CKR_OK) end(use);
  return rv;
}

CK_RV Session::update(Use use, ByteView part, Output out) {
  if (out.is_question()) {
    const Guard lock(mutex_);
    return active(use, false) != nullptr ? out.put({}) : CKR_OPERATION_NOT_INITIALIZED;
  }
  const CK_RV rv = update(use, part);
  return rv == CKR_OK ? out.put({}) : rv;
}

/// After an operation that found another key where its own was, or a result that fits none: what
/// was listed is not believed any more.
CK_RV Session::failed(const Operation& operation, const Error& error) {
  const bool is_other =
      error.kind == ErrorKind::not_found || error.kind == ErrorKind::verify_failed;
  if (is_other) {
    token_->with_objects([&](ObjectStore& objects) {
      objects.lose(operation.object);
      return CKR_OK;
    });
  }
  // The key was there when the operation began; what it was begun with is gone.
  const CK_RV rv = report(error);
  return is_other ? CKR_DEVICE_ERROR : rv;
}

CK_RV Session::refuse(Use use, CK_RV rv) {
  const Guard lock(mutex_);
  end(use);
  return rv;
}

CK_RV Session::refuse_digest(CK_RV rv) {
  const Guard lock(mutex_);
  digest_.reset();
  digest_has_parts_ = false;
  return rv;
}

CK_RV Session::sign_on_card(const Operation& operation, const CardInput& input, Output& out) {
  if (operation.unconfirmed || !token_->is(card::Role::user)) return CKR_USER_NOT_LOGGED_IN;
  const auto signature = token_->with_card([&](card::Card& card) {
    return card.sign(operation.private_key(token_->resets()), input.scheme, input.bytes);
  });
  if (!signature) return failed(operation, signature.error());
  return signature->size() == operation.preparation.size() ? out.put(*signature) : CKR_DEVICE_ERROR;
}

CK_RV Session::sign(ByteView message, Output out) {
  const Guard lock(mutex_);
  const Operation* operation = active(Use::sign, true);
  if (operation == nullptr) return CKR_OPERATION_NOT_INITIALIZED;
  if (const auto answer = out.before(operation->preparation.size())) return *answer;
  CardInput input;
  CK_RV rv = prepare_sign(operation->preparation, message, input);
  if (rv == CKR_OK) rv = sign_on_card(*operation, input, out);
  end(Use::sign);
  return rv;
}

CK_RV Session::sign_final(Output out) {
  const Guard lock(mutex_);
  Operation* operation = active(Use::sign, false);
  if (operation == nullptr) return CKR_OPERATION_NOT_INITIALIZED;
  if (const auto answer = out.before(operation->preparation.size())) return *answer;
  CardInput input;
  CK_RV rv = operation->digester
                 ? prepare_sign_digest(operation->preparation, operation->digester->finish(), input)
                 : prepare_sign(operation->preparation, operation->gathered, input);
  if (rv == CKR_OK) rv = sign_on_card(*operation, input, out);
  end(Use::sign);
  return rv;
}

CK_RV Session::sign_recover(ByteView message, Output out) {
  const Guard lock(mutex_);
  const Operation* operation = active(Use::sign_recover, true);
  if (operation == nullptr) return CKR_OPERATION_NOT_INITIALIZED;
  if (const auto answer = out.before(operation->preparation.size())) return *answer;
  CardInput input;
  CK_RV rv = prepare_sign(operation->preparation, message, input);
  if (rv == CKR_OK) rv = sign_on_card(*operation, input, out);
  end(Use::sign_recover);
  return rv;
}

}  // namespace kilt::p11
