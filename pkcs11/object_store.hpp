// SPDX-License-Identifier: Apache-2.0
// The objects of one token as this application knows them: handles, lazy bodies, searches.
#pragma once

#include <array>
#include <atomic>
#include <map>
#include <optional>
#include <vector>

#include "pkcs11/connection.hpp"
#include "pkcs11/object.hpp"
#include "pkcs11/template.hpp"

namespace kilt::p11 {

/// Used under the token's lock. A handle is never given to another object, within the module.
class ObjectStore {
 public:
  ObjectStore(Connection& connection, std::atomic<CK_ULONG>& handles);

  /// Visible objects that match, oldest first. Lists the card's directories if they are not known,
  /// and reads a body only of an object that everything cheaper speaks for.
  Result<std::vector<CK_OBJECT_HANDLE>> search(const Template& wanted);
  /// Null for what does not exist or is not visible to who is logged in.
  Object* find(CK_OBJECT_HANDLE handle);
  /// The object, with what attributes of this need are read from. May list the card, so pointers
  /// to other objects end; not_found when it turns out that the object is not there any more.
  Result<Object*> load(CK_OBJECT_HANDLE handle, Need need);

  /// An object that has just come to be, on the card or in memory.
  CK_OBJECT_HANDLE add(Object object);
  void erase(CK_OBJECT_HANDLE handle) { objects_.erase(handle); }
  /// Session objects end with their session.
  void drop_owned_by(CK_SESSION_HANDLE session);
  /// After logout: handles of private objects end for good [P11 3.1 §5.6.8].
  void drop_private();
  void drop_all() {
    objects_.clear();
    add_statements();
  }
  /// Somebody else may have been at the card: list anew at the next search.
  void distrust() { listed_.fill(std::nullopt), distrusted_ = true; }
  /// The card was seen to have something else in some object's place.
  void suspect() {
    distrust();
    suspected_ = true;
  }
  /// Lists what is suspected anew; otherwise costs nothing.
  Status recheck_keys() {
    return suspected_ ? refresh({connection_.is(card::Role::user), true, false, false}) : Status{};
  }
  /// The card has something else in this object's place by now: its handle ends.
  void lose(CK_OBJECT_HANDLE handle) {
    objects_.erase(handle);
    suspect();
  }
  /// After a change of a key's id: where both halves of a pair share one, the other half has it
  /// too.
  Status follow_id(const Bytes& before, const Bytes& after);
  /// The objects on the token that carry this CKA_ID, of the classes listed so far.
  [[nodiscard]] std::vector<Object*> with_id(const Bytes& id);
  /// Lists those of the card's directories that are not known.
  Status refresh(const card::ObjectClasses& wanted);
  /// After a change of ids: which certificate has a key, whose subject a key has.
  void relate();
  /// The public key in the one certificate of this private key's id, if that was read; else null.
  [[nodiscard]] const card::PublicKey* shown_key(const Object& key);
  /// Connection::resets() when what is known of the objects was read.
  [[nodiscard]] std::uint64_t resets() const { return resets_; }

  [[nodiscard]] Connection& connection() { return connection_; }

 private:
  template <class Info>
  void merge(std::size_t index, const std::vector<Info>& infos);
  [[nodiscard]] card::ObjectClasses missing(const card::ObjectClasses& wanted) const;
  [[nodiscard]] card::ObjectClasses classes_of(const Template& wanted) const;
  Result<bool> matches(CK_OBJECT_HANDLE handle, const Template::Entry& wanted, Need need);
  Result<bool> matches(CK_OBJECT_HANDLE handle, const Template& wanted);
  [[nodiscard]] const Object* other_half(const Object& object);
  Status load_body(Object& object);
  Status load_from_certificate(Object& key);
  Status load_subject(Object& object);
  [[nodiscard]] bool visible(const Object& object) const;
  void add_statements();
  void keep_what_was_shown();

  Connection& connection_;
  std::atomic<CK_ULONG>& handles_;
  std::map<CK_OBJECT_HANDLE, Object> objects_;
  /// The connection's generation when a class was listed; by the index in Object::info.
  std::array<std::optional<std::uint64_t>, 4> listed_;
  bool distrusted_ = false;
  bool suspected_ = false;
  std::uint64_t resets_ = 0;  ///< of the connection, when the bodies were read
};

}  // namespace kilt::p11
