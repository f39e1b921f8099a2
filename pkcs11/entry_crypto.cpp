// SPDX-License-Identifier: Apache-2.0
// The C ABI: operations with keys, and digests [P11 3.1 §5.8 to §5.15].
#include "pkcs11/entry.hpp"

using namespace kilt;
using namespace kilt::p11;

namespace {

/// Arguments that make no sense end the operation too, as everything does but a question for a
/// length and CKR_BUFFER_TOO_SMALL [P11 3.1 §5.13].
CK_RV bad(Session& session, Use use) {
  return session.refuse(use, CKR_ARGUMENTS_BAD);
}
CK_RV bad_digest(Session& session) {
  return session.refuse_digest(CKR_ARGUMENTS_BAD);
}

}  // namespace

extern "C" {

CK_RV C_EncryptInit(CK_SESSION_HANDLE handle, CK_MECHANISM_PTR mechanism, CK_OBJECT_HANDLE key) {
  return in_session(Function::encrypt_init, handle, {{"mechanism", mechanism}, {"key", key}},
                    Look::yes,
                    [&](Session& session) { return session.begin(Use::encrypt, mechanism, key); });
}

CK_RV C_Encrypt(CK_SESSION_HANDLE handle, CK_BYTE_PTR data, CK_ULONG size, CK_BYTE_PTR out,
                CK_ULONG_PTR length) {
  return in_session(Function::encrypt, handle,
                    {{"data", Octets{size}}, {"answer", Room{out, length}}}, Look::no,
                    [&](Session& session) -> CK_RV {
                      if (!readable(data, size) || length == nullptr)
                        return bad(session, Use::encrypt);
                      return session.encrypt(view(data, size), Output(out, length));
                    });
}

CK_RV C_EncryptUpdate(CK_SESSION_HANDLE handle, CK_BYTE_PTR part, CK_ULONG size, CK_BYTE_PTR out,
                      CK_ULONG_PTR length) {
  return in_session(Function::encrypt_update, handle,
                    {{"part", Octets{size}}, {"answer", Room{out, length}}}, Look::no,
                    [&](Session& session) -> CK_RV {
                      if (!readable(part, size) || length == nullptr)
                        return bad(session, Use::encrypt);
                      return session.update(Use::encrypt, view(part, size), Output(out, length));
                    });
}

CK_RV C_EncryptFinal(CK_SESSION_HANDLE handle, CK_BYTE_PTR out, CK_ULONG_PTR length) {
  return in_session(Function::encrypt_final, handle, {{"answer", Room{out, length}}}, Look::no,
                    [&](Session& session) -> CK_RV {
                      return length == nullptr ? bad(session, Use::encrypt)
                                               : session.encrypt_final(Output(out, length));
                    });
}

CK_RV C_DecryptInit(CK_SESSION_HANDLE handle, CK_MECHANISM_PTR mechanism, CK_OBJECT_HANDLE key) {
  return in_session(Function::decrypt_init, handle, {{"mechanism", mechanism}, {"key", key}},
                    Look::yes,
                    [&](Session& session) { return session.begin(Use::decrypt, mechanism, key); });
}

CK_RV C_Decrypt(CK_SESSION_HANDLE handle, CK_BYTE_PTR data, CK_ULONG size, CK_BYTE_PTR out,
                CK_ULONG_PTR length) {
  return in_session(Function::decrypt, handle,
                    {{"data", Octets{size}}, {"answer", Room{out, length}}}, Look::no,
                    [&](Session& session) -> CK_RV {
                      if (!readable(data, size) || length == nullptr)
                        return bad(session, Use::decrypt);
                      return session.decrypt(view(data, size), Output(out, length));
                    });
}

CK_RV C_DecryptUpdate(CK_SESSION_HANDLE handle, CK_BYTE_PTR part, CK_ULONG size, CK_BYTE_PTR out,
                      CK_ULONG_PTR length) {
  return in_session(Function::decrypt_update, handle,
                    {{"part", Octets{size}}, {"answer", Room{out, length}}}, Look::no,
                    [&](Session& session) -> CK_RV {
                      if (!readable(part, size) || length == nullptr)
                        return bad(session, Use::decrypt);
                      return session.update(Use::decrypt, view(part, size), Output(out, length));
                    });
}

CK_RV C_DecryptFinal(CK_SESSION_HANDLE handle, CK_BYTE_PTR out, CK_ULONG_PTR length) {
  return in_session(Function::decrypt_final, handle, {{"answer", Room{out, length}}}, Look::no,
                    [&](Session& session) -> CK_RV {
                      return length == nullptr ? bad(session, Use::decrypt)
                                               : session.decrypt_final(Output(out, length));
                    });
}

CK_RV C_DigestInit(CK_SESSION_HANDLE handle, CK_MECHANISM_PTR mechanism) {
  return in_session(Function::digest_init, handle, {{"mechanism", mechanism}}, Look::yes,
                    [&](Session& session) { return session.digest_begin(mechanism); });
}

CK_RV C_Digest(CK_SESSION_HANDLE handle, CK_BYTE_PTR data, CK_ULONG size, CK_BYTE_PTR out,
               CK_ULONG_PTR length) {
  return in_session(Function::digest, handle,
                    {{"data", Octets{size}}, {"answer", Room{out, length}}}, Look::no,
                    [&](Session& session) -> CK_RV {
                      if (!readable(data, size) || length == nullptr) return bad_digest(session);
                      return session.digest(view(data, size), Output(out, length));
                    });
}

CK_RV C_DigestUpdate(CK_SESSION_HANDLE handle, CK_BYTE_PTR part, CK_ULONG size) {
  return in_session(Function::digest_update, handle, {{"part", Octets{size}}}, Look::no,
                    [&](Session& session) -> CK_RV {
                      return readable(part, size) ? session.digest_update(view(part, size))
                                                  : bad_digest(session);
                    });
}

CK_RV C_DigestKey(CK_SESSION_HANDLE handle, CK_OBJECT_HANDLE key) {
  return in_session(Function::digest_key, handle, {{"key", key}}, Look::no,
                    [&](Session& session) { return session.digest_key(key); });
}

CK_RV C_DigestFinal(CK_SESSION_HANDLE handle, CK_BYTE_PTR out, CK_ULONG_PTR length) {
  return in_session(Function::digest_final, handle, {{"answer", Room{out, length}}}, Look::no,
                    [&](Session& session) -> CK_RV {
                      return length == nullptr ? bad_digest(session)
                                               : session.digest_final(Output(out, length));
                    });
}

CK_RV C_SignInit(CK_SESSION_HANDLE handle, CK_MECHANISM_PTR mechanism, CK_OBJECT_HANDLE key) {
  return in_session(Function::sign_init, handle, {{"mechanism", mechanism}, {"key", key}},
                    Look::yes,
                    [&](Session& session) { return session.begin(Use::sign, mechanism, key); });
}

CK_RV C_Sign(CK_SESSION_HANDLE handle, CK_BYTE_PTR data, CK_ULONG size, CK_BYTE_PTR out,
             CK_ULONG_PTR length) {
  return in_session(Function::sign, handle, {{"data", Octets{size}}, {"answer", Room{out, length}}},
                    Look::no, [&](Session& session) -> CK_RV {
                      if (!readable(data, size) || length == nullptr)
                        return bad(session, Use::sign);
                      return session.sign(view(data, size), Output(out, length));
                    });
}

CK_RV C_SignUpdate(CK_SESSION_HANDLE handle, CK_BYTE_PTR part, CK_ULONG size) {
  return in_session(Function::sign_update, handle, {{"part", Octets{size}}}, Look::no,
                    [&](Session& session) -> CK_RV {
                      return readable(part, size) ? session.update(Use::sign, view(part, size))
                                                  : bad(session, Use::sign);
                    });
}

CK_RV C_SignFinal(CK_SESSION_HANDLE handle, CK_BYTE_PTR out, CK_ULONG_PTR length) {
  return in_session(Function::sign_final, handle, {{"answer", Room{out, length}}}, Look::no,
                    [&](Session& session) -> CK_RV {
                      return length == nullptr ? bad(session, Use::sign)
                                               : session.sign_final(Output(out, length));
                    });
}

CK_RV C_SignRecoverInit(CK_SESSION_HANDLE handle, CK_MECHANISM_PTR mechanism,
                        CK_OBJECT_HANDLE key) {
  return in_session(
      Function::sign_recover_init, handle, {{"mechanism", mechanism}, {"key", key}}, Look::yes,
      [&](Session& session) { return session.begin(Use::sign_recover, mechanism, key); });
}

CK_RV C_SignRecover(CK_SESSION_HANDLE handle, CK_BYTE_PTR data, CK_ULONG size, CK_BYTE_PTR out,
                    CK_ULONG_PTR length) {
  return in_session(Function::sign_recover, handle,
                    {{"data", Octets{size}}, {"answer", Room{out, length}}}, Look::no,
                    [&](Session& session) -> CK_RV {
                      if (!readable(data, size) || length == nullptr)
                        return bad(session, Use::sign_recover);
                      return session.sign_recover(view(data, size), Output(out, length));
                    });
}

CK_RV C_VerifyInit(CK_SESSION_HANDLE handle, CK_MECHANISM_PTR mechanism, CK_OBJECT_HANDLE key) {
  return in_session(Function::verify_init, handle, {{"mechanism", mechanism}, {"key", key}},
                    Look::yes,
                    [&](Session& session) { return session.begin(Use::verify, mechanism, key); });
}

CK_RV C_Verify(CK_SESSION_HANDLE handle, CK_BYTE_PTR data, CK_ULONG size, CK_BYTE_PTR signature,
               CK_ULONG length) {
  return in_session(Function::verify, handle,
                    {{"data", Octets{size}}, {"signature", Octets{length}}}, Look::no,
                    [&](Session& session) -> CK_RV {
                      if (!readable(data, size) || !readable(signature, length))
                        return bad(session, Use::verify);
                      return session.verify(view(data, size), view(signature, length));
                    });
}

CK_RV C_VerifyUpdate(CK_SESSION_HANDLE handle, CK_BYTE_PTR part, CK_ULONG size) {
  return in_session(Function::verify_update, handle, {{"part", Octets{size}}}, Look::no,
                    [&](Session& session) -> CK_RV {
                      return readable(part, size) ? session.update(Use::verify, view(part, size))
                                                  : bad(session, Use::verify);
                    });
}

CK_RV C_VerifyFinal(CK_SESSION_HANDLE handle, CK_BYTE_PTR signature, CK_ULONG length) {
  return in_session(Function::verify_final, handle, {{"signature", Octets{length}}}, Look::no,
                    [&](Session& session) -> CK_RV {
                      if (!readable(signature, length)) return bad(session, Use::verify);
                      return session.verify_final(view(signature, length));
                    });
}

CK_RV C_VerifyRecoverInit(CK_SESSION_HANDLE handle, CK_MECHANISM_PTR mechanism,
                          CK_OBJECT_HANDLE key) {
  return in_session(
      Function::verify_recover_init, handle, {{"mechanism", mechanism}, {"key", key}}, Look::yes,
      [&](Session& session) { return session.begin(Use::verify_recover, mechanism, key); });
}

CK_RV C_VerifyRecover(CK_SESSION_HANDLE handle, CK_BYTE_PTR data, CK_ULONG size, CK_BYTE_PTR out,
                      CK_ULONG_PTR length) {
  return in_session(Function::verify_recover, handle,
                    {{"data", Octets{size}}, {"answer", Room{out, length}}}, Look::no,
                    [&](Session& session) -> CK_RV {
                      if (!readable(data, size) || length == nullptr)
                        return bad(session, Use::verify_recover);
                      return session.verify_recover(view(data, size), Output(out, length));
                    });
}

}  // extern "C"
