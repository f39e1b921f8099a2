// SPDX-License-Identifier: Apache-2.0
// The C ABI: objects and key pairs [P11 3.1 §5.7, §5.18].
#include "pkcs11/entry.hpp"

using namespace kilt;
using namespace kilt::p11;

extern "C" {

CK_RV C_CreateObject(CK_SESSION_HANDLE handle, CK_ATTRIBUTE_PTR attributes, CK_ULONG count,
                     CK_OBJECT_HANDLE_PTR out) {
  return in_session(Function::create_object, handle,
                    {{"attributes", attributes, count}, {"object", Outcome{out}}}, Look::yes,
                    [&](Session& session) -> CK_RV {
                      if (attributes == nullptr || out == nullptr) return CKR_ARGUMENTS_BAD;
                      Template from;
                      const CK_RV rv = Template::read(attributes, count, from);
                      return rv == CKR_OK ? session.create(from, *out) : rv;
                    });
}

CK_RV C_CopyObject(CK_SESSION_HANDLE handle, CK_OBJECT_HANDLE object, CK_ATTRIBUTE_PTR attributes,
                   CK_ULONG count, CK_OBJECT_HANDLE_PTR out) {
  return in_session(Function::copy_object, handle,
                    {{"object", object}, {"attributes", attributes, count}, {"copy", Outcome{out}}},
                    Look::yes, [&](Session& session) -> CK_RV {
                      if (out == nullptr) return CKR_ARGUMENTS_BAD;
                      Template changes;
                      const CK_RV rv = Template::read(attributes, count, changes);
                      return rv == CKR_OK ? session.copy(object, changes, *out) : rv;
                    });
}

CK_RV C_DestroyObject(CK_SESSION_HANDLE handle, CK_OBJECT_HANDLE object) {
  return in_session(Function::destroy_object, handle, {{"object", object}}, Look::yes,
                    [&](Session& session) { return session.destroy(object); });
}

CK_RV C_GetObjectSize(CK_SESSION_HANDLE handle, CK_OBJECT_HANDLE object, CK_ULONG_PTR size) {
  return in_session(Function::get_object_size, handle,
                    {{"object", object}, {"size", Outcome{size}}}, Look::yes,
                    [&](Session& session) -> CK_RV {
                      if (size == nullptr) return CKR_ARGUMENTS_BAD;
                      return session.object_size(object, *size);
                    });
}

CK_RV C_GetAttributeValue(CK_SESSION_HANDLE handle, CK_OBJECT_HANDLE object,
                          CK_ATTRIBUTE_PTR attributes, CK_ULONG count) {
  return in_session(Function::get_attribute_value, handle,
                    {{"object", object}, {"attributes", Query{attributes, count}}}, Look::yes,
                    [&](Session& session) -> CK_RV {
                      if (attributes == nullptr) return CKR_ARGUMENTS_BAD;
                      return session.get_attributes(object, attributes, count);
                    });
}

CK_RV C_SetAttributeValue(CK_SESSION_HANDLE handle, CK_OBJECT_HANDLE object,
                          CK_ATTRIBUTE_PTR attributes, CK_ULONG count) {
  return in_session(Function::set_attribute_value, handle,
                    {{"object", object}, {"attributes", attributes, count}}, Look::yes,
                    [&](Session& session) -> CK_RV {
                      if (attributes == nullptr) return CKR_ARGUMENTS_BAD;
                      Template changes;
                      const CK_RV rv = Template::read(attributes, count, changes);
                      return rv == CKR_OK ? session.set_attributes(object, changes) : rv;
                    });
}

CK_RV C_FindObjectsInit(CK_SESSION_HANDLE handle, CK_ATTRIBUTE_PTR attributes, CK_ULONG count) {
  return in_session(Function::find_objects_init, handle, {{"attributes", attributes, count}},
                    Look::yes, [&](Session& session) -> CK_RV {
                      Template wanted;
                      const CK_RV rv = Template::read(attributes, count, wanted);
                      return rv == CKR_OK ? session.find_begin(wanted) : rv;
                    });
}

CK_RV C_FindObjects(CK_SESSION_HANDLE handle, CK_OBJECT_HANDLE_PTR out, CK_ULONG room,
                    CK_ULONG_PTR count) {
  return in_session(Function::find_objects, handle,
                    {{"most", room}, {"objects", Found{out, count}}}, Look::no,
                    [&](Session& session) -> CK_RV {
                      if (!readable(out, room) || count == nullptr) return CKR_ARGUMENTS_BAD;
                      return session.find(out, room, *count);
                    });
}

CK_RV C_FindObjectsFinal(CK_SESSION_HANDLE handle) {
  return in_session(Function::find_objects_final, handle, {}, Look::no,
                    [](Session& session) { return session.find_end(); });
}

CK_RV C_GenerateKeyPair(CK_SESSION_HANDLE handle, CK_MECHANISM_PTR mechanism,
                        CK_ATTRIBUTE_PTR public_attributes, CK_ULONG public_count,
                        CK_ATTRIBUTE_PTR private_attributes, CK_ULONG private_count,
                        CK_OBJECT_HANDLE_PTR public_out, CK_OBJECT_HANDLE_PTR private_out) {
  return in_session(Function::generate_key_pair, handle,
                    {{"mechanism", mechanism},
                     {"public attributes", public_attributes, public_count},
                     {"private attributes", private_attributes, private_count},
                     {"public key", Outcome{public_out}},
                     {"private key", Outcome{private_out}}},
                    Look::yes, [&](Session& session) -> CK_RV {
                      if (public_out == nullptr || private_out == nullptr) return CKR_ARGUMENTS_BAD;
                      Template public_half, private_half;
                      CK_RV rv = Template::read(public_attributes, public_count, public_half);
                      if (rv == CKR_OK)
                        rv = Template::read(private_attributes, private_count, private_half);
                      if (rv != CKR_OK) return rv;
                      return session.generate(mechanism, public_half, private_half, *public_out,
                                              *private_out);
                    });
}

}  // extern "C"
