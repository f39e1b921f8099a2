// SPDX-License-Identifier: Apache-2.0
// The objects of one token as this application knows them: handles, lazy bodies, searches.
#pragma once

#include <atomic>
#include <map>
#include <vector>

#include "pkcs11/connection.hpp"
#include "pkcs11/object.hpp"
#include "pkcs11/template.hpp"

namespace kilt::p11 {

/// Used under the token's lock. A handle is never given to another object, within the module.
class ObjectStore {
 public:
  ObjectStore(Connection& connection, std::atomic<CK_ULONG>& handles)
      : connection_(connection), handles_(handles) {}

  /// Visible objects that match, oldest first. Lists the card's directories if they are not known,
  /// and reads a body only of an object that everything cheaper speaks for.
  Result<std::vector<CK_OBJECT_HANDLE>> search(const Template& wanted);
  /// Null for what does not exist or is not visible to who is logged in.
  Object* find(CK_OBJECT_HANDLE handle);
  /// Makes sure that attributes with this need can be read.
  Status load(Object& object, Need need);

  /// An object that has just come to be, on the card or in memory.
  CK_OBJECT_HANDLE add(Object object);
  void erase(CK_OBJECT_HANDLE handle) { objects_.erase(handle); }
  /// The object on the card that changed its label or CKA_ID keeps its handle.
  void drop_owned_by(CK_SESSION_HANDLE session);
  /// After logout: handles of private objects end for good [P11 3.1 §5.6.8].
  void drop_private();
  void drop_all() { objects_.clear(); }
  /// Somebody else may have been at the card: list anew at the next search.
  void distrust() { listed_ = false; }
  /// The certificates and keys that carry this CKA_ID; the ids of keys must be known.
  [[nodiscard]] std::vector<Object*> with_id(const Bytes& id);
  /// Lists the card's directories if they are not known.
  Status refresh();
  /// After a change of ids: which certificate has a key, whose subject a key has.
  void relate();

  [[nodiscard]] Connection& connection() { return connection_; }

 private:
  template <class Info>
  void merge(const std::vector<Info>& infos, std::map<CK_OBJECT_HANDLE, Object>& into);
  Result<bool> matches(Object& object, const Template& wanted, bool cheap);
  Status load_body(Object& object);
  Status load_subject(Object& object);
  [[nodiscard]] bool visible(const Object& object) const;

  Connection& connection_;
  std::atomic<CK_ULONG>& handles_;
  std::map<CK_OBJECT_HANDLE, Object> objects_;
  bool listed_ = false;
  std::uint64_t generation_ = 0;  ///< of the connection, when it was listed
};

}  // namespace kilt::p11
