// SPDX-License-Identifier: Apache-2.0
// What a signing agent does, and nothing that a PKCS#11 2.40 module may not do: it finds the
// owner's keys by what their certificates are for, signs documents one after the other, and goes on
// when the card was out. OpenSSL verifies everything.
//
//   agent MODULE PIN-FILE DOCUMENTS
//
// On its standard output, a line each: "keys AUTH-ID SIGN-ID", "signed N" after each document,
// "gone" and "back" when the card leaves and returns, at the end "done N at R a second".
#include <dlfcn.h>
#include <openssl/evp.h>
#include <openssl/x509v3.h>
#include <pkcs11.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { most_slots = 16, most_id = 64, most_signature = 512 };

typedef struct {
  CK_BYTE id[most_id];
  CK_ULONG id_length;
  X509* certificate;
  CK_OBJECT_HANDLE handle;
} Key;

typedef struct {
  CK_FUNCTION_LIST* api;
  char pin[64];
  CK_UTF8CHAR serial[16];  // of the token that was first found; no other is asked
  bool has_serial;
  CK_SESSION_HANDLE session;
  Key auth, sign;
} Agent;

static void fail(const char* what, CK_RV rv) {
  fprintf(stderr, "agent: %s: 0x%lX\n", what, (unsigned long)rv);
  exit(1);
}

/// The card left, or left and came back: worth another beginning.
static bool is_gone(CK_RV rv) {
  return rv == CKR_DEVICE_REMOVED || rv == CKR_TOKEN_NOT_PRESENT ||
         rv == CKR_SESSION_HANDLE_INVALID || rv == CKR_SESSION_CLOSED;
}

static bool is_for(X509* certificate, int purpose) {
  EXTENDED_KEY_USAGE* usages = X509_get_ext_d2i(certificate, NID_ext_key_usage, NULL, NULL);
  bool found = false;
  for (int i = 0; i < sk_ASN1_OBJECT_num(usages); ++i) {
    found = found || OBJ_obj2nid(sk_ASN1_OBJECT_value(usages, i)) == purpose;
  }
  EXTENDED_KEY_USAGE_free(usages);
  return found;
}

/// The first object like this; CK_INVALID_HANDLE without one.
static CK_RV find_by_id(Agent* agent, CK_OBJECT_CLASS kind, Key* key) {
  CK_ATTRIBUTE wanted[] = {{CKA_CLASS, &kind, sizeof kind}, {CKA_ID, key->id, key->id_length}};
  CK_ULONG count = 0;
  key->handle = CK_INVALID_HANDLE;
  CK_RV rv = agent->api->C_FindObjectsInit(agent->session, wanted, 2);
  if (rv != CKR_OK) return rv;
  rv = agent->api->C_FindObjects(agent->session, &key->handle, 1, &count);
  const CK_RV end = agent->api->C_FindObjectsFinal(agent->session);
  return rv != CKR_OK ? rv : end;
}

/// Keeps what the certificate says if it is for one of the two purposes.
static CK_RV look_at_certificate(Agent* agent, CK_OBJECT_HANDLE handle) {
  Key key = {.handle = CK_INVALID_HANDLE};
  CK_ATTRIBUTE wanted[] = {{CKA_VALUE, NULL, 0}, {CKA_ID, NULL, 0}};
  CK_RV rv = agent->api->C_GetAttributeValue(agent->session, handle, wanted, 2);
  if (rv != CKR_OK) return rv;
  if (wanted[1].ulValueLen == 0 || wanted[1].ulValueLen > most_id) return CKR_OK;
  unsigned char* der = malloc(wanted[0].ulValueLen);
  wanted[0].pValue = der;
  wanted[1].pValue = key.id;
  rv = agent->api->C_GetAttributeValue(agent->session, handle, wanted, 2);
  if (rv == CKR_OK) {
    const unsigned char* at = der;
    key.id_length = wanted[1].ulValueLen;
    key.certificate = d2i_X509(NULL, &at, (long)wanted[0].ulValueLen);
    Key* kept = key.certificate == NULL                      ? NULL
                : is_for(key.certificate, NID_client_auth)   ? &agent->auth
                : is_for(key.certificate, NID_email_protect) ? &agent->sign
                                                             : NULL;
    if (kept != NULL) {
      X509_free(kept->certificate);
      *kept = key;
    } else {
      X509_free(key.certificate);
    }
  }
  free(der);
  return rv;
}

/// Without login: what a user interface shows before it asks for a PIN.
static CK_RV find_certificates(Agent* agent) {
  CK_OBJECT_CLASS kind = CKO_CERTIFICATE;
  CK_ATTRIBUTE wanted = {CKA_CLASS, &kind, sizeof kind};
  CK_OBJECT_HANDLE found[32];
  CK_ULONG count = 0;
  CK_RV rv = agent->api->C_FindObjectsInit(agent->session, &wanted, 1);
  if (rv != CKR_OK) return rv;
  rv = agent->api->C_FindObjects(agent->session, found, 32, &count);
  const CK_RV end = agent->api->C_FindObjectsFinal(agent->session);
  if (rv == CKR_OK) rv = end;
  for (CK_ULONG i = 0; rv == CKR_OK && i < count; ++i)
    rv = look_at_certificate(agent, found[i]);
  return rv;
}

/// The slot with our token; false: it is in none.
static bool find_slot(Agent* agent, CK_SLOT_ID* slot) {
  CK_SLOT_ID slots[most_slots];
  CK_ULONG count = most_slots;
  CK_RV rv = agent->api->C_GetSlotList(CK_TRUE, slots, &count);
  if (rv != CKR_OK) fail("C_GetSlotList", rv);
  for (CK_ULONG i = 0; i < count; ++i) {
    CK_TOKEN_INFO info;
    rv = agent->api->C_GetTokenInfo(slots[i], &info);
    if (is_gone(rv)) continue;
    if (rv != CKR_OK) fail("C_GetTokenInfo", rv);
    if (agent->has_serial &&
        memcmp(agent->serial, info.serialNumber, sizeof info.serialNumber) != 0)
      continue;
    memcpy(agent->serial, info.serialNumber, sizeof info.serialNumber);
    agent->has_serial = true;
    *slot = slots[i];
    return true;
  }
  return false;
}

/// Session, certificates, login, keys. A code of is_gone(): the card left in the middle.
static CK_RV begin(Agent* agent, CK_SLOT_ID slot) {
  CK_RV rv = agent->api->C_OpenSession(slot, CKF_SERIAL_SESSION, NULL, NULL, &agent->session);
  if (rv != CKR_OK) return rv;
  rv = find_certificates(agent);
  if (rv != CKR_OK) return rv;
  rv = agent->api->C_Login(agent->session, CKU_USER, (CK_UTF8CHAR*)agent->pin, strlen(agent->pin));
  if (rv != CKR_OK) return rv;
  rv = find_by_id(agent, CKO_PRIVATE_KEY, &agent->auth);
  return rv != CKR_OK ? rv : find_by_id(agent, CKO_PRIVATE_KEY, &agent->sign);
}

/// Waits for the token, however long, and begins.
static void connect_token(Agent* agent) {
  for (;;) {
    CK_SLOT_ID slot = 0;
    if (find_slot(agent, &slot)) {
      const CK_RV rv = begin(agent, slot);
      if (rv == CKR_OK) return;
      if (!is_gone(rv)) fail("session, login and keys", rv);
      continue;
    }
    const CK_RV rv = agent->api->C_WaitForSlotEvent(0, &slot, NULL);
    if (rv != CKR_OK) fail("C_WaitForSlotEvent", rv);
  }
}

static CK_RV sign(Agent* agent, const Key* key, const char* document, CK_BYTE* signature,
                  CK_ULONG* length) {
  CK_MECHANISM mechanism = {CKM_SHA256_RSA_PKCS, NULL, 0};
  const CK_RV rv = agent->api->C_SignInit(agent->session, &mechanism, key->handle);
  return rv != CKR_OK ? rv
                      : agent->api->C_Sign(agent->session, (CK_BYTE*)document, strlen(document),
                                           signature, length);
}

static bool is_good(const Key* key, const char* document, const CK_BYTE* signature,
                    CK_ULONG length) {
  EVP_MD_CTX* context = EVP_MD_CTX_new();
  const bool good = EVP_DigestVerifyInit(context, NULL, EVP_sha256(), NULL,
                                         X509_get0_pubkey(key->certificate)) == 1 &&
                    EVP_DigestVerify(context, signature, length, (const unsigned char*)document,
                                     strlen(document)) == 1;
  EVP_MD_CTX_free(context);
  return good;
}

/// Signs one document, whatever becomes of the card meanwhile.
static void sign_surely(Agent* agent, const Key* key, const char* document) {
  CK_BYTE signature[most_signature];
  CK_ULONG length = sizeof signature;
  for (;;) {
    const CK_RV rv = sign(agent, key, document, signature, &length);
    if (rv == CKR_OK) break;
    if (!is_gone(rv)) fail("sign", rv);
    puts("gone");
    connect_token(agent);
    puts("back");
    length = sizeof signature;
  }
  if (!is_good(key, document, signature, length)) fail("a signature is wrong", CKR_GENERAL_ERROR);
}

static void show_id(const Key* key) {
  putchar(' ');
  for (CK_ULONG i = 0; i < key->id_length; ++i)
    printf("%02X", key->id[i]);
}

int main(int argc, char** argv) {
  if (argc != 4) return 2;
  setvbuf(stdout, NULL, _IOLBF, 0);
  Agent agent = {0};
  FILE* file = fopen(argv[2], "r");
  if (file == NULL || fgets(agent.pin, sizeof agent.pin, file) == NULL) return 2;
  fclose(file);
  agent.pin[strcspn(agent.pin, "\n")] = 0;

  void* module = dlopen(argv[1], RTLD_NOW | RTLD_LOCAL);
  if (module == NULL) {
    fprintf(stderr, "agent: %s\n", dlerror());
    return 1;
  }
  CK_C_GetFunctionList get = NULL;
  *(void**)&get = dlsym(module, "C_GetFunctionList");
  if (get == NULL || get(&agent.api) != CKR_OK) return 1;
  CK_C_INITIALIZE_ARGS arguments = {.flags = CKF_OS_LOCKING_OK};
  CK_RV rv = agent.api->C_Initialize(&arguments);
  if (rv != CKR_OK) fail("C_Initialize", rv);

  connect_token(&agent);
  if (agent.auth.handle == CK_INVALID_HANDLE || agent.sign.handle == CK_INVALID_HANDLE)
    fail("no AUTH and SIGN keys", CKR_OK);
  printf("keys");
  show_id(&agent.auth);
  show_id(&agent.sign);
  putchar('\n');

  sign_surely(&agent, &agent.auth, "a challenge that a site sent");
  const int documents = atoi(argv[3]);
  struct timespec start, stop;
  clock_gettime(CLOCK_MONOTONIC, &start);
  for (int i = 0; i < documents; ++i) {
    char document[64];
    snprintf(document, sizeof document, "document %d of %d", i + 1, documents);
    sign_surely(&agent, &agent.sign, document);
    printf("signed %d\n", i + 1);
  }
  clock_gettime(CLOCK_MONOTONIC, &stop);
  const double seconds =
      (double)(stop.tv_sec - start.tv_sec) + (double)(stop.tv_nsec - start.tv_nsec) / 1e9;
  printf("done %d at %.0f a second\n", documents, documents / seconds);

  X509_free(agent.auth.certificate);
  X509_free(agent.sign.certificate);
  rv = agent.api->C_Finalize(NULL);
  if (rv != CKR_OK) fail("C_Finalize", rv);
  dlclose(module);
  return 0;
}
