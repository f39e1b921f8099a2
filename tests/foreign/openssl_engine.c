// SPDX-License-Identifier: Apache-2.0
// A server's start with OpenSSL's engine: the key is loaded and used, then the process forks;
// parent and children sign by turns and at the same time, and every one leaves by exit(), which
// runs the engine's and the module's ends.
//
//   openssl_engine KEY-URI PUBLIC.pem CHILDREN
#include <openssl/conf.h>
#include <openssl/engine.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static int sign_and_verify(EVP_PKEY* key, EVP_PKEY* public_key, int times) {
  for (int i = 0; i < times; ++i) {
    unsigned char signature[512], data[] = "who signed this?";
    data[0] = (unsigned char)i;
    size_t length = sizeof signature;
    EVP_MD_CTX* context = EVP_MD_CTX_new();
    int good = EVP_DigestSignInit(context, NULL, EVP_sha256(), NULL, key) == 1 &&
               EVP_DigestSign(context, signature, &length, data, sizeof data) == 1;
    EVP_MD_CTX_free(context);
    if (good) {
      context = EVP_MD_CTX_new();
      good = EVP_DigestVerifyInit(context, NULL, EVP_sha256(), NULL, public_key) == 1 &&
             EVP_DigestVerify(context, signature, length, data, sizeof data) == 1;
      EVP_MD_CTX_free(context);
    }
    if (!good) {
      fprintf(stderr, "process %d, signature %d\n", (int)getpid(), i);
      ERR_print_errors_fp(stderr);
      return 0;
    }
  }
  return 1;
}

int main(int argc, char** argv) {
  if (argc != 4) return 2;
  OPENSSL_init_crypto(OPENSSL_INIT_LOAD_CONFIG, NULL);
  ENGINE* engine = ENGINE_by_id("pkcs11");
  if (engine == NULL || ENGINE_init(engine) != 1) {
    ERR_print_errors_fp(stderr);
    return 1;
  }
  EVP_PKEY* key = ENGINE_load_private_key(engine, argv[1], NULL, NULL);
  FILE* file = fopen(argv[2], "r");
  EVP_PKEY* public_key = file == NULL ? NULL : PEM_read_PUBKEY(file, NULL, NULL, NULL);
  if (key == NULL || public_key == NULL) {
    ERR_print_errors_fp(stderr);
    return 1;
  }
  fclose(file);
  int good = sign_and_verify(key, public_key, 2);

  const int children = atoi(argv[3]);
  for (int i = 0; i < children; ++i) {
    const pid_t child = fork();
    if (child < 0) return 1;
    if (child == 0) exit(sign_and_verify(key, public_key, 5) ? 0 : 1);
    // The first child is left to itself before the parent goes on; the others run beside it.
    if (i == 0) {
      int status = 0;
      waitpid(child, &status, 0);
      good = good && WIFEXITED(status) && WEXITSTATUS(status) == 0;
    }
    good = sign_and_verify(key, public_key, 2) && good;
  }
  for (int i = 1; i < children; ++i) {
    int status = 0;
    wait(&status);
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
      fprintf(stderr, "a child ended with status %d, signal %d\n", WEXITSTATUS(status),
              WIFSIGNALED(status) ? WTERMSIG(status) : 0);
      good = 0;
    }
  }
  good = sign_and_verify(key, public_key, 2) && good;
  EVP_PKEY_free(public_key);
  EVP_PKEY_free(key);
  ENGINE_finish(engine);
  ENGINE_free(engine);
  if (good) printf("every signature verified in %d processes\n", children + 1);
  return good ? 0 : 1;
}
